"""Give a trained model a name and a version number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_mltrack.hooks.identity import actor_of, facts_of
from airflow_mltrack.operators.inputs import mapping
from airflow_mltrack.operators.mltrack_operator import MltrackOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_mltrack.hooks.mltrack import MltrackHook


class RegisterModelOperator(MltrackOperator):
    """Make a logged model a version of a registered model, which is created when it is new.

    A retry finds the version that an earlier try has made. Pushes ``name``, ``version``,
    ``model_id``, ``model_uri`` and ``run_id`` to XCom, each also under its own key.

    :param name: registered model name (templated).
    :param model_uri: ``models:/m-...`` or ``runs:/RUN_ID/NAME`` (templated).
    :param description: of the version (templated).
    :param tags: of the version (templated).
    :param gates: policy that a version must pass before it goes live (templated); None leaves the
        model's as it is. See :mod:`airflow_mltrack.lifecycle.policy`.
    :param stages: the model's stage graph (templated): ``open``, ``gated``, or plain data as
        :mod:`airflow_mltrack.entities.stages` describes; None leaves the model's as it is.
    :param mltrack_conn_id: Airflow connection (templated).
    """

    template_fields: Sequence[str] = (
        "name",
        "model_uri",
        "description",
        "tags",
        "gates",
        "stages",
        "mltrack_conn_id",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {
        "tags": "json",
        "gates": "json",
        "stages": "json",
    }

    def __init__(
        self,
        *,
        name: str,
        model_uri: str,
        description: str = "",
        tags: Mapping[str, str] | None = None,
        gates: Mapping[str, object] | None = None,
        stages: str | Mapping[str, object] | None = None,
        mltrack_conn_id: str | None = None,
        multiple_outputs: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            mltrack_conn_id=mltrack_conn_id, multiple_outputs=multiple_outputs, **kwargs
        )
        self.name = name
        self.model_uri = model_uri
        self.description = description
        self.tags = tags
        self.gates = gates
        self.stages = stages

    def perform(self, hook: MltrackHook, context: Context) -> dict[str, object]:
        """Register and return the version's ids."""
        from airflow_mltrack.lifecycle.registration import register_model

        version = register_model(
            hook.client,
            self.name,
            self.model_uri,
            actor=actor_of(context),
            description=self.description,
            tags=self.tags,
            gates=self.gates,
            stages=_stages(self.stages),
            details=facts_of(context),
        )
        self.log.info("%s version %d is %s.", version.name, version.version, version.source)
        return {
            "name": version.name,
            "version": version.version,
            "model_id": version.model_id,
            "model_uri": f"models:/{version.name}/{version.version}",
            "run_id": version.run_id,
        }


def _stages(value: str | Mapping[str, object] | None) -> str | Mapping[str, object] | None:
    """Read a profile's name, or a stage graph, which may come as JSON text."""
    if isinstance(value, str) and value.lstrip().startswith("{"):
        return mapping("stages", value)
    return None if value == "" else value
