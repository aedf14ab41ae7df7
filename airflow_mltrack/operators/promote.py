"""Put a model version into a stage."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from airflow_mltrack.assets import promotion_outlet
from airflow_mltrack.exceptions import PromotionRefused
from airflow_mltrack.hooks.identity import actor_of, facts_of, intent_of
from airflow_mltrack.operators.inputs import choice, expected_version, version_number
from airflow_mltrack.operators.mltrack_operator import MltrackOperator
from airflow_mltrack.operators.stage_events import emit_stage_event

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_mltrack.hooks.mltrack import MltrackHook
    from airflow_mltrack.lifecycle.transitions import Transition

ON_REFUSAL = ("fail", "skip")


class PromoteModelOperator(MltrackOperator):
    """Put a version into a stage, in one transaction, and tell Dags that are scheduled on it.

    The model's own rules decide, see :mod:`airflow_mltrack.entities.stages`. Of promotions that
    compete one wins and the others fail with the version that is live. A retry, and a task that is
    cleared, answers with what its first try has done, even if the version was moved on since.

    Emits an event on ``model_asset(name, stage)`` (see :mod:`airflow_mltrack.assets`) with name,
    version, stage, digest, verdict id, run id, the version that had to leave, actor and the ids of
    the approvals. Where name or stage is a template, the event goes through the asset alias
    ``mltrack-promotions``. Pushes the same facts to XCom, each also under its own key.

    :param name: registered model name (templated).
    :param version: version number (templated).
    :param stage: one of the model's stages, in any case (templated).
    :param reason: why, for the history (templated); some moves ask for it.
    :param verdict_id: the verdict to rely on (templated); None means the version's latest.
    :param expected_current: version that must be live now (templated), ``"none"`` for nobody; None
        asks for nothing.
    :param on_refusal: ``fail`` or ``skip`` (this task, and so what follows it) when the rules of
        the stage forbid it.
    :param mltrack_conn_id: Airflow connection (templated).
    """

    template_fields: Sequence[str] = (
        "name",
        "version",
        "stage",
        "reason",
        "verdict_id",
        "expected_current",
        "on_refusal",
        "mltrack_conn_id",
    )

    def __init__(
        self,
        *,
        name: str,
        version: int | str,
        stage: str = "Production",
        reason: str = "",
        verdict_id: str | None = None,
        expected_current: int | str | None = None,
        on_refusal: str = "fail",
        mltrack_conn_id: str | None = None,
        multiple_outputs: bool = True,
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("outlets", [promotion_outlet(name, stage)])
        super().__init__(
            mltrack_conn_id=mltrack_conn_id, multiple_outputs=multiple_outputs, **kwargs
        )
        self.name = name
        self.version = version
        self.stage = stage
        self.reason = reason
        self.verdict_id = verdict_id
        self.expected_current = expected_current
        self.on_refusal = on_refusal

    def perform(self, hook: MltrackHook, context: Context) -> dict[str, object]:
        """Promote, record the event, and return what happened."""
        from airflow_mltrack.lifecycle.transition_facts import transition_facts
        from airflow_mltrack.lifecycle.webhooks.outbox import deliver_soon

        skip = choice("on_refusal", self.on_refusal, ON_REFUSAL) == "skip"
        try:
            promotion = self._promote(hook, context)
        except PromotionRefused as refusal:
            if not skip:
                raise
            self.log.warning("%s", refusal)
            raise AirflowSkipException(str(refusal)) from refusal
        facts = transition_facts(promotion, actor_of(context))
        emit_stage_event(context, self.outlets, facts)
        self._report(promotion, facts)
        deliver_soon(hook.client)
        return facts

    def _promote(self, hook: MltrackHook, context: Context) -> Transition:
        from airflow_mltrack.lifecycle.promotion import promote

        version = version_number(self.version)
        return promote(
            hook.client,
            self.name,
            version,
            self.stage,
            actor=actor_of(context),
            reason=self.reason,
            expected_current=expected_version(self.expected_current),
            verdict_id=self.verdict_id or None,
            intent=intent_of(context, version, self.stage.strip().lower()),
            details=facts_of(context),
        )

    def _report(self, promotion: Transition, facts: dict[str, object]) -> None:
        name, version, stage = facts["name"], facts["version"], facts["stage"]
        if not promotion.changed:
            self.log.info("%s version %s was put into %s before.", name, version, stage)
            return
        self.log.info("%s version %s is now in %s.", name, version, stage)
        if promotion.previous is not None:
            self.log.info("Version %d had to leave.", promotion.previous.version)
