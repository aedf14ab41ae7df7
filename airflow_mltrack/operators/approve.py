"""Ask people to approve that a model version goes on."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import Param
from airflow.sdk.exceptions import (
    AirflowFailException,
    AirflowSkipException,
    TaskAwaitingInput,
)

from airflow_mltrack.exceptions import ApprovalRefused, InvalidInput, PromotionRefused
from airflow_mltrack.hooks.identity import actor_of, facts_of
from airflow_mltrack.hooks.required_action import ask, missed_deadline, read_answer
from airflow_mltrack.hooks.run_link import model_url
from airflow_mltrack.operators.approval_body import approval_body, approval_subject, binding_line
from airflow_mltrack.operators.inputs import choice, version_number
from airflow_mltrack.operators.mltrack_operator import MltrackOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_mltrack.entities.approvals import Approval
    from airflow_mltrack.hooks.mltrack import MltrackHook
    from airflow_mltrack.hooks.required_action import Answer
    from airflow_mltrack.lifecycle.decision_basis import DecisionBasis
    from airflow_mltrack.tracking.client import TrackingClient

APPROVE, REJECT = "Approve", "Reject"
ON_REJECT = ("fail", "skip")
ON_DEADLINE = ("reject", "fail", "skip")


class ApproveModelOperator(MltrackOperator):
    """Ask a person to approve a move of a version, and record the answer as an approval.

    The request is one of Airflow's required actions: the task leaves the worker, and comes back
    when somebody has answered on Airflow's pages or through its API. It shows the evidence:
    package, code, who trained it, the verdict with every check, and what else is missing. The
    answer counts for this package and this verdict only. Neither the author of the version nor
    whoever triggered the Dag run may give it: the task then fails, and asks again once it is
    cleared. Where the move has all its approvals, nobody is asked. Where it asks for several, use
    one task for each.

    Pushes ``name``, ``version``, ``stage``, ``decision``, ``approver``, ``reason``,
    ``approval_id``, ``verdict_id`` and ``digest`` to XCom, each also under its own key.

    :param name: registered model name (templated).
    :param version: version number (templated).
    :param stage: where the version is to go, in any case (templated).
    :param reason: why approval is asked for (templated); shown and recorded.
    :param approvers: users who may answer (templated): a list of ids of Airflow users or of
        mappings with ``id`` and ``name``, or ids separated by commas; empty means everybody who may
        answer requests of this Dag.
    :param deadline: how long to wait for an answer; None waits for ever.
    :param on_deadline: what happens when nobody has answered in time (templated): ``reject`` does
        what ``on_reject`` says, ``fail`` or ``skip`` (this task, and so what follows it). No answer
        is recorded.
    :param on_reject: what a rejection does to the task (templated): ``fail`` (without retries) or
        ``skip``.
    :param mltrack_conn_id: Airflow connection (templated).
    """

    template_fields: Sequence[str] = (
        "name",
        "version",
        "stage",
        "reason",
        "approvers",
        "on_deadline",
        "on_reject",
        "mltrack_conn_id",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {"approvers": "json"}

    def __init__(
        self,
        *,
        name: str,
        version: int | str,
        stage: str = "Production",
        reason: str = "",
        approvers: str | Sequence[str | Mapping[str, str]] = (),
        deadline: timedelta | None = None,
        on_deadline: str = "fail",
        on_reject: str = "fail",
        mltrack_conn_id: str | None = None,
        multiple_outputs: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            mltrack_conn_id=mltrack_conn_id, multiple_outputs=multiple_outputs, **kwargs
        )
        self.name = name
        self.version = version
        self.stage = stage
        self.reason = reason
        self.approvers = approvers
        self.deadline = deadline
        self.on_deadline = on_deadline
        self.on_reject = on_reject

    def perform(self, hook: MltrackHook, context: Context) -> dict[str, object]:
        """Ask, and leave the worker; return at once where everybody has approved already."""
        from airflow_mltrack.lifecycle.decision_basis import find_basis
        from airflow_mltrack.lifecycle.webhooks.outbox import deliver_soon

        self._check_choices()
        version = version_number(self.version)
        basis = find_basis(hook.client, self.name, version, self.stage)
        if basis.is_approved:
            return self._approved_already(basis)
        _check_approvable(basis)
        self._ask(hook.client, context, basis)
        deliver_soon(hook.client)
        raise TaskAwaitingInput(
            method_name="execute_complete",
            kwargs={
                "name": self.name,
                "version": version,
                "stage": basis.edge.target,
                "verdict_id": basis.verdict_id,
            },
            timeout=self.deadline,
        )

    def execute_complete(self, context: Context, event: dict[str, Any], **asked: Any) -> Any:
        """Record the answer; Airflow calls this in the worker.

        :param event: the answer, or that there was none in time.
        :param asked: what it is about.
        """
        return self.with_hook(lambda hook: self._complete(hook.client, context, event, asked))

    def _complete(
        self,
        client: TrackingClient,
        context: Context,
        event: Mapping[str, Any],
        asked: Mapping[str, Any],
    ) -> dict[str, object]:
        from airflow_mltrack.lifecycle.webhooks.outbox import deliver_soon

        self._check_choices()
        if missed_deadline(event):
            return self._after_deadline(client, asked)
        answer = read_answer(event, (APPROVE, REJECT))
        approval = self._record(client, context, answer, asked)
        said = f"{approval.approver} {approval.decision.value} {_move(asked)}: {approval.reason}"
        self.log.info("%s", said)
        deliver_soon(client)
        if answer.option == REJECT:
            raise _ending(self.on_reject, said)
        return _facts(approval)

    def _ask(self, client: TrackingClient, context: Context, basis: DecisionBasis) -> None:
        from airflow_mltrack.lifecycle.approval import request_approval

        actor, version = actor_of(context), basis.version
        page = model_url(version.name)
        shown = ask(
            context["ti"].id,
            subject=approval_subject(basis),
            body=approval_body(basis, requested_by=actor, reason=self.reason, page=page),
            options=(APPROVE, REJECT),
            params={"reason": _reason_field()},
            assigned=_assigned(self.approvers),
        )
        if binding_line(basis) not in shown.splitlines():
            raise AirflowFailException(_outdated(basis))
        request_approval(
            client,
            version.name,
            version.version,
            basis.edge.target,
            actor=actor,
            reason=self.reason,
            details=facts_of(context),
        )
        self.log.info("Waiting for somebody to answer under Airflow's required actions.")

    def _record(
        self, client: TrackingClient, context: Context, answer: Answer, asked: Mapping[str, Any]
    ) -> Approval:
        from airflow_mltrack.entities.approvals import Decision
        from airflow_mltrack.lifecycle.approval import approve

        named = [user["id"] for user in _assigned(self.approvers)]
        if named and answer.user_id not in named:
            raise ApprovalRefused(
                asked["name"],
                asked["version"],
                asked["stage"],
                answer.user_name,
                f"the task names others as approvers: {', '.join(named)}.",
                "Ask one of them.",
            )
        reason = answer.params.get("reason")
        return approve(
            client,
            asked["name"],
            asked["version"],
            asked["stage"],
            approver=answer.user_name,
            reason=reason if isinstance(reason, str) else "",
            decision=Decision.APPROVED if answer.option == APPROVE else Decision.REJECTED,
            approval_id=_approval_id(context["ti"].id),
            seen_verdict=asked["verdict_id"],
            details={**facts_of(context), "user_id": answer.user_id},
        )

    def _after_deadline(
        self, client: TrackingClient, asked: Mapping[str, Any]
    ) -> dict[str, object]:
        """Look whether the approvals came through another door; else do what was asked for."""
        from airflow_mltrack.lifecycle.decision_basis import find_basis

        basis = find_basis(client, asked["name"], asked["version"], asked["stage"])
        if basis.is_approved:
            return self._approved_already(basis)
        end = self.on_reject if self.on_deadline == "reject" else self.on_deadline
        raise _ending(end, f"Nobody answered in time whether {_move(asked)} is right.")

    def _approved_already(self, basis: DecisionBasis) -> dict[str, object]:
        people = ", ".join(approval.approver for approval in basis.approvals)
        self.log.info("Nobody has to be asked: approved by %s.", people)
        return _facts(basis.approvals[0])

    def _check_choices(self) -> None:
        choice("on_deadline", self.on_deadline, ON_DEADLINE)
        choice("on_reject", self.on_reject, ON_REJECT)


def _check_approvable(basis: DecisionBasis) -> None:
    """Trouble nobody where an approval would not be taken."""
    if basis.edge.verdict and (basis.verdict is None or not basis.verdict.passed):
        name, version = basis.version.name, basis.version.version
        raise PromotionRefused(
            name,
            version,
            basis.edge.target,
            basis.obstacles,
            f"Judge it before it is approved: mltrack models validate {name} {version}",
        )


def _ending(how: str, message: str) -> Exception:
    return AirflowSkipException(message) if how == "skip" else AirflowFailException(message)


def _assigned(approvers: str | Sequence[str | Mapping[str, str]]) -> list[dict[str, str]]:
    """Read who may answer; templates give text."""
    if isinstance(approvers, str):
        approvers = [part for part in approvers.split(",") if part.strip()]
    return [_user(item) for item in approvers]


def _user(item: str | Mapping[str, str]) -> dict[str, str]:
    if isinstance(item, Mapping):
        user_id = str(item.get("id") or "").strip()
        name = str(item.get("name") or user_id)
    else:
        user_id = name = str(item).strip()
    if not user_id:
        raise InvalidInput("approver", item, 'it is a user id, or a mapping with "id" and "name".')
    return {"id": user_id, "name": name}


def _reason_field() -> dict[str, object]:
    field = Param(
        "",
        type="string",
        minLength=1,
        title="Reason",
        description="Why; goes into the model's history.",
    )
    return dict(field.serialize())


def _approval_id(ti_id: object) -> str:
    """Name the one answer of a try."""
    return uuid.uuid5(uuid.NAMESPACE_URL, f"airflow-mltrack:approval:{ti_id}").hex


def _move(asked: Mapping[str, Any]) -> str:
    return f"{asked['name']} version {asked['version']} for {asked['stage']}"


def _outdated(basis: DecisionBasis) -> str:
    version, stage = basis.version, basis.edge.target
    return (
        f"Airflow shows the words of the first try of this task, which were about another version, "
        f"stage, package or verdict than {version.name} version {version.version} for {stage} and "
        f"its verdict {basis.verdict_id}: nobody should approve what is not shown. "
        "Trigger a new Dag run. Or let it be approved elsewhere, then clear this task again: "
        f"mltrack models approve {version.name} {version.version} {stage} --reason WHY"
    )


def _facts(approval: Approval) -> dict[str, object]:
    return {
        "name": approval.name,
        "version": approval.version,
        "stage": approval.stage,
        "decision": approval.decision.value,
        "approver": approval.approver,
        "reason": approval.reason,
        "approval_id": approval.approval_id,
        "verdict_id": approval.verdict_id,
        "digest": approval.package_digest,
    }
