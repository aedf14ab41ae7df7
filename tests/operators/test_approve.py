"""Approval through Airflow's required actions: who may, what it counts for, what ends the task."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException, TaskAwaitingInput
from airflow.sdk.execution_time import task_runner
from airflow.sdk.execution_time.comms import CreateHITLDetailPayload, HITLDetailRequestResult

from airflow_mltrack.entities.approvals import Approval, Decision
from airflow_mltrack.entities.registry import ModelVersion
from airflow_mltrack.entities.stages import GATED
from airflow_mltrack.entities.verdicts import Verdict
from airflow_mltrack.lifecycle.approval import approve, list_approvals
from airflow_mltrack.lifecycle.promotion import promote
from airflow_mltrack.operators.approve import ApproveModelOperator
from airflow_mltrack.operators.promote import PromoteModelOperator
from airflow_mltrack.tracking.client import TrackingClient
from tests.lifecycle.conftest import POLICY, AddVerdict, AddVersion
from tests.operators.conftest import execute, task_context


class RequiredActions:
    """Takes requests as Airflow's API server does: the words of a task's first one stay."""

    def __init__(self) -> None:
        self.sent: list[CreateHITLDetailPayload] = []

    def send(self, msg: CreateHITLDetailPayload) -> HITLDetailRequestResult:
        assert isinstance(msg, CreateHITLDetailPayload)
        self.sent.append(msg)
        shown = self.sent[0].model_dump(exclude={"type", "ti_id"})
        return HITLDetailRequestResult(ti_id=msg.ti_id, **shown)


@pytest.fixture
def actions(monkeypatch: pytest.MonkeyPatch) -> RequiredActions:
    actions = RequiredActions()
    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", actions, raising=False)
    return actions


@pytest.fixture
def staged(
    hook: object, client: TrackingClient, add_version: AddVersion, add_verdict: AddVerdict
) -> Verdict:
    """Bring a version of a gated model to Staging, with a passing verdict."""
    del hook
    version = add_version(gates=POLICY, stages=GATED, user="ada")
    verdict = add_verdict(version)
    promote(client, "credit", version.version, "Staging", actor="ada")
    return verdict


def _operator(**arguments: Any) -> ApproveModelOperator:
    return ApproveModelOperator(task_id="approve", name="credit", version=1, **arguments)


def _ask(
    operator: ApproveModelOperator, context: dict[str, Any] | None = None
) -> TaskAwaitingInput:
    with pytest.raises(TaskAwaitingInput) as parked:
        operator.execute(context or _context())  # type: ignore[arg-type]
    assert parked.value.method_name == "execute_complete"
    return parked.value


def _context(**ti_fields: Any) -> dict[str, Any]:
    return task_context(user="ada", **{"task_id": "approve", **ti_fields})


def _event(
    user: str | None = "bob", option: str = "Approve", reason: object = "looks right"
) -> dict[str, Any]:
    return {
        "chosen_options": [option],
        "params_input": {"reason": reason},
        "responded_at": datetime.now(tz=timezone.utc),
        "responded_by_user": None if user is None else {"id": user, "name": user},
        "timedout": False,
    }


TIMEOUT = {"error": "nobody came", "error_type": "timeout"}


def _answer(
    operator: ApproveModelOperator,
    event: dict[str, Any] | None = None,
    context: dict[str, Any] | None = None,
) -> Any:
    context = context or _context()
    parked = _ask(operator, context)
    return operator.resume_execution(
        "execute_complete",
        {**(parked.kwargs or {}), "event": event or _event()},
        context,  # type: ignore[arg-type]
    )


def test_the_request_shows_the_evidence_and_is_recorded(
    staged: Verdict, actions: RequiredActions, client: TrackingClient
) -> None:
    operator = _operator(reason="monthly release", deadline=timedelta(hours=2), approvers=["bob"])
    parked = _ask(operator)
    assert parked.timeout == timedelta(hours=2)
    [sent] = actions.sent
    assert sent.subject == "Approve credit version 1 for Production?"
    for fact in (staged.verdict_id, staged.package_digest, "auc is 0.6", "monthly release"):
        assert fact in (sent.body or "")
    assert "(/mltrack/models/credit)" in (sent.body or "")
    assert sent.options == ["Approve", "Reject"]
    assert sent.defaults is None, "nobody's silence is an answer"
    assert sent.params["reason"]["schema"]["minLength"] == 1  # type: ignore[index]
    assert [(user.id, user.name) for user in sent.assigned_users or []] == [("bob", "bob")]
    with client.store.transaction() as tx:
        event = tx.history.list("credit")[-1]
    assert (event.kind, event.actor) == ("approval_requested", "ada")
    assert event.payload["details"]["task_id"] == "approve"  # type: ignore[index]


def test_an_answer_becomes_an_approval_that_opens_production(
    staged: Verdict, actions: RequiredActions, client: TrackingClient
) -> None:
    del actions
    context = _context()
    found = _answer(_operator(stage="production"), context=context)
    [approval] = list_approvals(client, "credit")
    assert found == {
        "name": "credit",
        "version": 1,
        "stage": "Production",
        "decision": "approved",
        "approver": "bob",
        "reason": "looks right",
        "approval_id": approval.approval_id,
        "verdict_id": staged.verdict_id,
        "digest": staged.package_digest,
    }
    assert approval.requested_by == "ada"
    assert approval.details == {
        "dag_id": "credit",
        "dag_run_id": "manual__1",
        "task_id": "approve",
        "map_index": -1,
        "try_number": 1,
        "user_id": "bob",
    }
    facts = execute(
        PromoteModelOperator(task_id="promote", name="credit", version=1, reason="approved"),
        task_context(user="ada", task_id="promote"),
    )
    assert facts["approvals"] == [approval.approval_id]


def test_whoever_triggered_the_dag_run_cannot_approve_but_the_next_try_can(
    staged: Verdict, actions: RequiredActions, client: TrackingClient
) -> None:
    del staged
    with pytest.raises(AirflowFailException, match=r"ADA may not approve .* Ask somebody else"):
        _answer(_operator(), _event("ADA"))
    assert list_approvals(client, "credit") == []
    found = _answer(_operator(), _event("bob"), _context(try_number=2, id=uuid.uuid4()))
    assert found["approver"] == "bob"
    assert len(actions.sent) == 2, "the second try asked again"


def test_the_author_cannot_approve_either(staged: Verdict, actions: RequiredActions) -> None:
    del staged, actions
    scheduled = task_context(task_id="approve")
    with pytest.raises(AirflowFailException, match="ada registered this version"):
        _answer(_operator(), _event("ada"), scheduled)


@pytest.mark.parametrize(
    ("on_reject", "error"), [("fail", AirflowFailException), ("skip", AirflowSkipException)]
)
def test_a_rejection_is_recorded_and_ends_the_task(
    staged: Verdict,
    actions: RequiredActions,
    client: TrackingClient,
    on_reject: str,
    error: type[Exception],
) -> None:
    del staged, actions
    with pytest.raises(error, match="bob rejected credit version 1 for Production: too risky"):
        _answer(_operator(on_reject=on_reject), _event(option="Reject", reason="too risky"))
    [approval] = list_approvals(client, "credit")
    assert approval.decision is Decision.REJECTED


@pytest.mark.parametrize(
    ("on_deadline", "on_reject", "error"),
    [
        ("fail", "skip", AirflowFailException),
        ("skip", "fail", AirflowSkipException),
        ("reject", "skip", AirflowSkipException),
        ("reject", "fail", AirflowFailException),
    ],
)
def test_a_deadline_that_passes_ends_the_task_and_records_no_answer(
    staged: Verdict,
    actions: RequiredActions,
    client: TrackingClient,
    on_deadline: str,
    on_reject: str,
    error: type[Exception],
) -> None:
    del staged, actions
    operator = _operator(on_deadline=on_deadline, on_reject=on_reject)
    with pytest.raises(error, match="Nobody answered in time"):
        _answer(operator, TIMEOUT)
    assert list_approvals(client, "credit") == []


def _approved_elsewhere(client: TrackingClient) -> Approval:
    return approve(client, "credit", 1, "Production", approver="eve", reason="by command line")


def test_at_the_deadline_an_approval_from_elsewhere_counts(
    staged: Verdict, actions: RequiredActions, client: TrackingClient
) -> None:
    del staged, actions
    operator, context = _operator(), _context()
    asked = _ask(operator, context).kwargs or {}
    approval = _approved_elsewhere(client)
    found = operator.execute_complete(context, event=TIMEOUT, **asked)  # type: ignore[arg-type]
    assert found["approval_id"] == approval.approval_id


def test_nobody_is_asked_for_what_is_approved(
    staged: Verdict, actions: RequiredActions, client: TrackingClient
) -> None:
    del staged
    approval = _approved_elsewhere(client)
    assert execute(_operator(), _context())["approval_id"] == approval.approval_id
    assert actions.sent == []


def test_nobody_is_asked_where_no_verdict_passed(
    hook: object, add_version: AddVersion, client: TrackingClient, actions: RequiredActions
) -> None:
    del hook
    add_version(gates=POLICY, stages=GATED)
    promote(client, "credit", 1, "Staging", actor="ada")
    with pytest.raises(AirflowFailException, match="no verdict exists"):
        execute(_operator(), _context())
    assert actions.sent == []


def test_an_answer_about_a_verdict_that_is_not_the_latest_is_not_taken(
    staged: Verdict, actions: RequiredActions, client: TrackingClient, add_verdict: AddVerdict
) -> None:
    del actions
    operator, context = _operator(), _context()
    asked = _ask(operator, context).kwargs or {}
    newer = add_verdict(_version(client))
    with pytest.raises(AirflowFailException, match=f"{staged.verdict_id}, and now there is") as no:
        operator.execute_complete(context, event=_event(), **asked)  # type: ignore[arg-type]
    assert newer.verdict_id in str(no.value)
    assert list_approvals(client, "credit") == []


def test_nobody_is_asked_under_the_words_of_an_older_request(
    staged: Verdict, actions: RequiredActions, client: TrackingClient, add_verdict: AddVerdict
) -> None:
    del staged
    _ask(_operator())
    newer = add_verdict(_version(client))
    with pytest.raises(AirflowFailException, match="nobody should approve what is not shown") as no:
        execute(_operator(), _context(try_number=2))
    assert newer.verdict_id in str(no.value)
    assert len(actions.sent) == 2
    with client.store.transaction() as tx:
        asked = tx.history.list("credit", kinds=("approval_requested",))
    assert len(asked) == 1, "what was not asked is not recorded"
    approval = _approved_elsewhere(client)
    found = execute(_operator(), _context(try_number=3))
    assert found["approval_id"] == approval.approval_id, "the way out that the error names works"


def test_the_answer_counts_for_what_was_asked_not_for_what_a_template_says_now(
    staged: Verdict, actions: RequiredActions, client: TrackingClient
) -> None:
    del staged, actions
    operator, context = _operator(), _context()
    asked = _ask(operator, context).kwargs or {}
    operator.name, operator.version, operator.stage = "other", 9, "Archived"
    operator.execute_complete(context, event=_event(), **asked)  # type: ignore[arg-type]
    [approval] = list_approvals(client, "credit")
    assert (approval.version, approval.stage) == (1, "Production")


def test_one_try_gives_one_approval(
    staged: Verdict, actions: RequiredActions, client: TrackingClient
) -> None:
    del staged, actions
    operator, context = _operator(), _context()
    asked = _ask(operator, context).kwargs or {}
    for _ in range(2):
        operator.execute_complete(context, event=_event(), **asked)  # type: ignore[arg-type]
    assert len(list_approvals(client, "credit")) == 1


@pytest.mark.parametrize(
    ("approvers", "assigned"),
    [
        ([{"id": "2", "name": "bob"}, "3"], [("2", "bob"), ("3", "3")]),
        ("2, 3", [("2", "2"), ("3", "3")]),
        ("", []),
    ],
)
def test_approvers_are_handed_to_airflow(
    staged: Verdict,
    actions: RequiredActions,
    approvers: Any,
    assigned: list[tuple[str, str]],
) -> None:
    del staged
    _ask(_operator(approvers=approvers))
    sent = actions.sent[0].assigned_users or []
    assert [(user.id, user.name) for user in sent] == assigned


def test_an_answer_of_somebody_else_than_the_approvers_is_not_taken(
    staged: Verdict, actions: RequiredActions, client: TrackingClient
) -> None:
    del staged, actions
    with pytest.raises(AirflowFailException, match="names others as approvers: bob, eve"):
        _answer(_operator(approvers=["bob", "eve"]), _event("mallory"))
    assert list_approvals(client, "credit") == []


@pytest.mark.parametrize(
    ("event", "message"),
    [
        (_event(reason="  "), "reason"),
        (_event(reason=7), "reason"),
        (_event(user=None), "no user gave it"),
        (_event(option="Perhaps"), "Approve or Reject"),
        ({**_event(), "chosen_options": []}, "Approve or Reject"),
        ({"error": "broken", "error_type": "unknown"}, "broken"),
    ],
)
def test_what_is_no_answer_fails_and_is_not_recorded(
    staged: Verdict,
    actions: RequiredActions,
    client: TrackingClient,
    event: dict[str, Any],
    message: str,
) -> None:
    del staged, actions
    with pytest.raises(AirflowFailException, match=message):
        _answer(_operator(), event)
    assert list_approvals(client, "credit") == []


@pytest.mark.usefixtures("staged", "actions")
@pytest.mark.parametrize(
    "arguments",
    [{"on_deadline": "approve"}, {"on_reject": "reject"}, {"approvers": [{"name": "bob"}]}],
)
def test_arguments_that_make_no_sense_fail_before_anybody_is_asked(
    arguments: dict[str, Any], actions: RequiredActions
) -> None:
    with pytest.raises(AirflowFailException, match=next(iter(arguments)).removesuffix("s")):
        execute(_operator(**arguments), _context())
    assert actions.sent == []


def _version(client: TrackingClient) -> ModelVersion:
    with client.store.transaction() as tx:
        return tx.registry.get_version("credit", 1)
