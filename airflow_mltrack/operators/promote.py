"""Put a model version into a stage."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import AssetAlias
from airflow.sdk.exceptions import AirflowSkipException

from airflow_mltrack.assets import model_asset
from airflow_mltrack.exceptions import PromotionRefused
from airflow_mltrack.hooks.identity import actor_of, facts_of
from airflow_mltrack.operators.inputs import choice, version_number
from airflow_mltrack.operators.mltrack_operator import MltrackOperator

if TYPE_CHECKING:
    from airflow.sdk import Context
    from airflow.sdk.definitions.asset import BaseAsset

    from airflow_mltrack.hooks.mltrack import MltrackHook
    from airflow_mltrack.lifecycle.promotion import Promotion

ON_REFUSAL = ("fail", "skip")
_TEMPLATE = re.compile(r"\{[{%#]")
PROMOTIONS = AssetAlias("mltrack-promotions")
"""Takes the events of promotions whose model or stage is templated."""


class PromoteModelOperator(MltrackOperator):
    """Put a version into a stage, in one transaction, and tell Dags that are scheduled on it.

    The model's own rules decide: with gates, Production asks for a fresh passing verdict. Of
    promotions that compete one wins and the others fail with the version that is live. A retry
    finds what an earlier try has done.

    Emits an event on ``model_asset(name, stage)`` (see :mod:`airflow_mltrack.assets`) with name,
    version, stage, the version that had to leave, run id, digest and actor. Where name or stage is
    a template, the event goes through the asset alias ``mltrack-promotions``. Pushes the same facts
    to XCom, each also under its own key.

    :param name: registered model name (templated).
    :param version: version number (templated).
    :param stage: ``Staging``, ``Production`` or ``Archived`` (templated).
    :param reason: why, for the history (templated).
    :param verdict_id: the verdict to rely on (templated); None means the version's latest.
    :param expected_current: version that must be in Production now (templated), ``"none"`` for
        nobody; None asks for nothing.
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
        from airflow_mltrack.lifecycle.promotion import UNSET, promote

        expected = self.expected_current
        skip = choice("on_refusal", self.on_refusal, ON_REFUSAL) == "skip"
        try:
            promotion = promote(
                hook.client,
                self.name,
                version_number(self.version),
                self.stage,
                actor=actor_of(context),
                reason=self.reason,
                expected_current=UNSET if expected is None else _expected(expected),
                verdict_id=self.verdict_id or None,
                details=facts_of(context),
            )
        except PromotionRefused as refusal:
            if not skip:
                raise
            self.log.warning("%s", refusal)
            raise AirflowSkipException(str(refusal)) from refusal
        facts = _facts(promotion, actor_of(context))
        self._emit(context, promotion, facts)
        self._report(promotion)
        return facts

    def _emit(self, context: Context, promotion: Promotion, facts: dict[str, object]) -> None:
        asset = model_asset(promotion.version.name, promotion.version.stage)
        if asset in self.outlets:
            context["outlet_events"][asset].extra = facts  # type: ignore[assignment]
        elif PROMOTIONS in self.outlets:
            context["outlet_events"][PROMOTIONS].add(asset, extra=facts)  # type: ignore[arg-type]

    def _report(self, promotion: Promotion) -> None:
        version = promotion.version
        done = "is now" if promotion.changed else "was already"
        self.log.info("%s version %d %s in %s.", version.name, version.version, done, version.stage)
        if promotion.previous is not None:
            self.log.info("Version %d was archived.", promotion.previous.version)


def promotion_outlet(name: object, stage: object) -> BaseAsset:
    """Choose the asset that a promotion writes to; templates are known only when the task runs."""
    if isinstance(name, str) and isinstance(stage, str) and not _TEMPLATE.search(name + stage):
        return model_asset(name, stage)
    return PROMOTIONS


def _expected(value: int | str) -> int | None:
    return None if str(value).lower() == "none" else version_number(value)


def _facts(promotion: Promotion, actor: str) -> dict[str, object]:
    version, previous = promotion.version, promotion.previous
    return {
        "name": version.name,
        "version": version.version,
        "stage": version.stage,
        "previous_version": None if previous is None else previous.version,
        "run_id": version.run_id,
        "digest": version.digest,
        "actor": actor,
    }
