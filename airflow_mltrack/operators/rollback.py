"""Put the version that was live before back into place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from airflow_mltrack.assets import PROMOTIONS
from airflow_mltrack.exceptions import NotFound, PromotionRefused
from airflow_mltrack.hooks.identity import actor_of, facts_of, intent_of
from airflow_mltrack.operators.inputs import choice, expected_version, flag, version_number
from airflow_mltrack.operators.mltrack_operator import MltrackOperator
from airflow_mltrack.operators.stage_events import emit_stage_event

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_mltrack.hooks.mltrack import MltrackHook
    from airflow_mltrack.lifecycle.transitions import Transition

ON_REFUSAL = ("fail", "skip")


class RollbackModelOperator(MltrackOperator):
    """Put the version that was live before the present one, or a named one, back into place.

    Its package is verified and loaded first. Going back asks for what going live asks for, unless
    it is an emergency, which the history then says. A retry, and a task that is cleared, answers
    with what its first try has done: it does not go back another step.

    Emits an event on the asset of the model's live stage through the asset alias
    ``mltrack-promotions``, with the facts that
    :class:`~airflow_mltrack.operators.promote.PromoteModelOperator` gives, and ``emergency``.
    Pushes the same facts to XCom, each also under its own key.

    :param name: registered model name (templated).
    :param reason: why, for the history (templated); must not be empty.
    :param to_version: a version that was live at some time (templated); None means the one before.
    :param emergency: go back without verdict and approvals (templated).
    :param expected_current: version that must be live now (templated), ``"none"`` for nobody; None
        asks for nothing.
    :param allow_pickle: let a pickle be loaded, which runs its author's code.
    :param on_refusal: ``fail`` or ``skip`` (this task, and so what follows it) when the rules
        forbid it or there is nothing to go back to (templated).
    :param mltrack_conn_id: Airflow connection (templated).
    """

    template_fields: Sequence[str] = (
        "name",
        "reason",
        "to_version",
        "emergency",
        "expected_current",
        "on_refusal",
        "mltrack_conn_id",
    )

    def __init__(
        self,
        *,
        name: str,
        reason: str,
        to_version: int | str | None = None,
        emergency: bool | str = False,
        expected_current: int | str | None = None,
        allow_pickle: bool = False,
        on_refusal: str = "fail",
        mltrack_conn_id: str | None = None,
        multiple_outputs: bool = True,
        **kwargs: Any,
    ) -> None:
        # Which stage is live is the model's own affair: it is known only when the task runs.
        kwargs.setdefault("outlets", [PROMOTIONS])
        super().__init__(
            mltrack_conn_id=mltrack_conn_id, multiple_outputs=multiple_outputs, **kwargs
        )
        self.name = name
        self.reason = reason
        self.to_version = to_version
        self.emergency = emergency
        self.expected_current = expected_current
        self.allow_pickle = allow_pickle
        self.on_refusal = on_refusal

    def perform(self, hook: MltrackHook, context: Context) -> dict[str, object]:
        """Go back, record the event, and return what happened."""
        from airflow_mltrack.lifecycle.transition_facts import transition_facts
        from airflow_mltrack.lifecycle.webhooks.outbox import deliver_soon

        skip = choice("on_refusal", self.on_refusal, ON_REFUSAL) == "skip"
        try:
            back = self._roll_back(hook, context)
        except (PromotionRefused, NotFound) as refusal:
            if not (skip and _is_refusal(refusal)):
                raise
            self.log.warning("%s", refusal)
            raise AirflowSkipException(str(refusal)) from refusal
        facts = transition_facts(back, actor_of(context))
        facts["emergency"] = back.event is not None and bool(back.event.payload.get("emergency"))
        emit_stage_event(context, self.outlets, facts)
        self._report(back, facts)
        deliver_soon(hook.client)
        return facts

    def _roll_back(self, hook: MltrackHook, context: Context) -> Transition:
        from airflow_mltrack.lifecycle.rollback import rollback

        target = None if self.to_version in (None, "") else version_number(self.to_version)
        return rollback(
            hook.client,
            self.name,
            actor=actor_of(context),
            reason=self.reason,
            to_version=target,
            emergency=flag("emergency", self.emergency),
            expected_current=expected_version(self.expected_current),
            intent=intent_of(context, "back" if target is None else target),
            allow_pickle=self.allow_pickle,
            details=facts_of(context),
        )

    def _report(self, back: Transition, facts: dict[str, object]) -> None:
        self.log.info(
            "%s version %s %s in %s, in place of version %s%s.",
            facts["name"],
            facts["version"],
            "is back" if back.changed else "was put back before",
            facts["stage"],
            facts["previous_version"],
            " (an emergency)" if facts["emergency"] else "",
        )


def _is_refusal(error: PromotionRefused | NotFound) -> bool:
    """Tell "there is nothing to go back to" from a model or a version that does not exist."""
    return isinstance(error, PromotionRefused) or error.kind == "earlier version"
