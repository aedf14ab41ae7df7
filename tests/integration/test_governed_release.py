"""The example Dag ``governed_release`` in a real Airflow, approved through Airflow's REST API.

Ada triggers it and may not approve it; Bob may. Each function at the end looks at one promise.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import pytest

from airflow_mltrack.assets import model_asset
from airflow_mltrack.entities.history import HistoryEvent
from airflow_mltrack.lifecycle.approval import list_approvals
from airflow_mltrack.lifecycle.audit import live_at, verify_history
from airflow_mltrack.settings import Settings
from airflow_mltrack.tracking.client import TrackingClient
from tests.integration.conftest import SMALL_TABLE
from tests.integration.governed_airflow import RunningAirflow, User, governed_airflow

pytestmark = pytest.mark.airflow

DAG, MODEL = "governed_release", "credit-default-governed"
HERE = Path(__file__).parent
DAGS = (HERE.parents[1] / "example_dags" / f"{DAG}.py", HERE / "dags" / "after_release.py")
PASSWORDS = {"ada": "ada-password", "bob": "bob-password"}


@dataclass
class Release:
    """One run of the Dag, as its users see it."""

    airflow: RunningAirflow
    run_id: str

    @property
    def path(self) -> str:
        return f"/dags/{DAG}/dagRuns/{self.run_id}"

    def _states(self, user: User) -> dict[str, str]:
        found = user.ask("GET", f"{self.path}/taskInstances")["task_instances"]
        return {ti["task_id"]: str(ti["state"]) for ti in found}

    def _failed(self, user: User) -> dict[str, str]:
        """Return the logs of tasks that failed."""
        failed = [task for task, state in self._states(user).items() if state == "failed"]
        return {task: self.log(user, task) for task in failed}

    def wait_for_end(self, user: User, state: str) -> dict[str, str]:
        """Wait until the whole run has ended; return the state of every task."""

        def has_ended() -> bool:
            found = user.ask("GET", self.path)["state"]
            assert found in ("queued", "running", state), f"{found}: {self._failed(user)}"
            return bool(found == state)

        self.airflow.wait(has_ended)
        return self._states(user)

    def wait_for_request(self, user: User, *, tries: int = 1) -> None:
        """Wait until a person is asked, and until the scheduler knows that the worker is free.

        Airflow fails a task that is answered in between, as a machine can:
        https://github.com/apache/airflow/blob/3.3.2/airflow-core/src/airflow/jobs/scheduler_job_runner.py
        """

        def is_asked() -> bool:
            assert not (failed := self._failed(user)), failed
            return self._states(user)["approve"] == "awaiting_input"

        self.airflow.wait(is_asked)
        log = self.airflow.home.logs / "scheduler.log"
        parked = re.compile(
            rf"executor event with state success.*'approve', run_id='{re.escape(self.run_id)}', "
            rf"try_number={tries}\b"
        )
        self.airflow.wait(lambda: parked.search(log.read_text(errors="replace")) is not None)

    def log(self, user: User, task: str) -> str:
        """Return what a task has logged in its last try."""
        ti = user.ask("GET", f"{self.path}/taskInstances/{task}")
        path = f"{self.path}/taskInstances/{task}/logs/{ti['try_number']}"
        return str(user.send("GET", f"{path}?full_content=true").text)

    def answer(self, user: User, option: str, reason: str) -> httpx.Response:
        """Answer the request for approval as Airflow's own page does."""
        body = {"chosen_options": [option], "params_input": {"reason": reason}}
        return user.send("PATCH", f"{self.path}/taskInstances/approve/-1/hitlDetails", body)

    def returned(self, user: User, task: str) -> Any:
        path = f"{self.path}/taskInstances/{task}/xcomEntries/return_value?deserialize=true"
        return user.ask("GET", path)["value"]


@dataclass
class Story:
    """What happened."""

    requests: list[dict[str, Any]]
    """Airflow's required actions while the first run waited."""
    own_answer: httpx.Response = field(init=False)
    """To Ada, who approved her own release."""
    own_log: str = ""
    own_states: dict[str, str] = field(default_factory=dict)
    approvals_then: int = -1
    first: dict[str, str] = field(default_factory=dict)
    """States of the first run's tasks."""
    evidence: dict[str, Any] = field(default_factory=dict)
    """What the first run's evidence task returned."""
    told: list[dict[str, Any]] = field(default_factory=list)
    """What the Dag that waits for Production was told after the first release."""
    foreign_answer: httpx.Response = field(init=False)
    """To Ada, where only Bob was named as approver."""
    second: dict[str, str] = field(default_factory=dict)
    back: dict[str, Any] = field(default_factory=dict)
    """What the roll back returned."""
    events: list[dict[str, Any]] = field(default_factory=list)
    """Airflow's events of the model's Production, oldest first."""
    run_ids: list[str] = field(default_factory=list)


@pytest.fixture
def client(backend: Settings) -> Iterator[TrackingClient]:
    """Give a client of the backend that the Dags write to."""
    client = TrackingClient(backend)
    yield client
    client.close()


def test_a_governed_release_from_training_to_roll_back(client: TrackingClient) -> None:
    """Start Airflow once: several tests would, on several workers, start one each."""
    with governed_airflow(PASSWORDS, DAGS, {"OMP_NUM_THREADS": "1"}) as airflow:
        story = _tell(airflow, client)
    for promise in PROMISES:
        promise(story, client)


def _tell(airflow: RunningAirflow, client: TrackingClient) -> Story:
    ada, bob = airflow.login("ada"), airflow.login("bob")
    airflow.wait(
        lambda: all(ada.send("GET", f"/dags/{d}").is_success for d in (DAG, "after_release"))
    )
    first = _trigger(airflow, ada, classifier="logistic_regression")
    first.wait_for_request(ada)
    pending = "/dags/~/dagRuns/~/hitlDetails?response_received=false&state=awaiting_input"
    story = Story(bob.ask("GET", pending)["hitl_details"])
    story.own_answer = first.answer(ada, "Approve", "it is mine, so it is good")
    story.own_states = first.wait_for_end(ada, "failed")
    story.own_log = first.log(ada, "approve")
    story.approvals_then = len(list_approvals(client, MODEL))
    clear = {"dry_run": False, "dag_run_id": first.run_id, "task_ids": ["approve"]}
    bob.ask("POST", f"/dags/{DAG}/clearTaskInstances", clear | {"include_downstream": True})
    first.wait_for_request(ada, tries=2)
    assert first.answer(bob, "Approve", "the numbers hold").is_success
    story.first = first.wait_for_end(ada, "success")
    story.evidence = first.returned(ada, "write_evidence")
    story.run_ids.append(first.run_id)
    airflow.wait(lambda: bool(_consumed(ada, story.told)))
    _go_back(airflow, ada, bob, story)
    return story


def _go_back(airflow: RunningAirflow, ada: User, bob: User, story: Story) -> None:
    second = _trigger(airflow, ada, classifier="random_forest", APPROVERS="bob", roll_back=True)
    second.wait_for_request(ada)
    story.foreign_answer = second.answer(ada, "Approve", "mine again")
    assert second.answer(bob, "Approve", "good, too").is_success
    story.second = second.wait_for_end(ada, "success")
    story.back = second.returned(ada, "roll_back")
    events = ada.ask("GET", "/assets/events?order_by=timestamp")["asset_events"]
    story.events = [event for event in events if event["uri"] == model_asset(MODEL).uri]
    story.run_ids.append(second.run_id)


def _trigger(airflow: RunningAirflow, user: User, **params: object) -> Release:
    body = {"logical_date": None, "conf": {**SMALL_TABLE, **params}}
    return Release(airflow, user.ask("POST", f"/dags/{DAG}/dagRuns", body)["dag_run_id"])


def _consumed(user: User, told: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Collect what the Dag that waits for the model's asset was told."""
    runs = user.ask("GET", "/dags/after_release/dagRuns?order_by=run_after")["dag_runs"]
    told.clear()
    for run in runs:
        assert run["state"] != "failed", run
        if run["state"] == "success":
            path = f"/dags/after_release/dagRuns/{run['dag_run_id']}/taskInstances/deploy"
            told += user.ask("GET", f"{path}/xcomEntries/return_value?deserialize=true")["value"]
    return told


def _transitions(client: TrackingClient, stage: str) -> list[HistoryEvent]:
    with client.store.transaction() as tx:
        events = tx.history.list(MODEL, kinds=("transition",))
    return [event for event in events if event.payload["to"] == stage]


def the_request_is_a_required_action_that_shows_the_evidence(
    story: Story, client: TrackingClient
) -> None:
    [request] = story.requests
    assert request["task_instance"]["task_id"] == "approve"
    assert request["subject"] == f"Approve {MODEL} version 1 for Production?"
    with client.store.transaction() as tx:
        version = tx.registry.get_version(MODEL, 1)
        verdict = tx.verdicts.latest(MODEL, 1)
    assert verdict is not None
    for fact in (version.digest, verdict.verdict_id, "auc_floor", "same_signature", "`ada`"):
        assert str(fact) in request["body"]


def who_triggered_the_release_cannot_approve_it(story: Story, client: TrackingClient) -> None:
    del client
    assert story.own_answer.is_success, "Airflow itself lets every user answer"
    assert story.own_states["approve"] == "failed"
    assert "ada may not approve" in story.own_log
    assert story.own_states["promote_to_production"] == "upstream_failed"
    assert story.approvals_then == 0


def somebody_else_can_and_production_is_reached(story: Story, client: TrackingClient) -> None:
    done = {name for name, state in story.first.items() if state == "success"}
    assert done >= {"approve", "promote_to_production", "write_evidence"}
    assert story.first["roll_back"] == "skipped", "it was not asked for"
    first = _transitions(client, "Production")[0]
    assert (first.version, first.actor, first.payload["via"]) == (1, "ada", "promotion")


def only_those_who_are_named_may_answer(story: Story, client: TrackingClient) -> None:
    del client
    assert story.foreign_answer.status_code == 403


def the_history_says_who_when_why_and_through_which_task(
    story: Story, client: TrackingClient
) -> None:
    approvals = {item.approval_id: item for item in list_approvals(client, MODEL)}
    for number, event in enumerate(_transitions(client, "Production")[:2]):
        with client.store.transaction() as tx:
            verdict = tx.verdicts.latest(MODEL, event.version or 0)
        assert verdict is not None
        assert event.payload["verdict_id"] == verdict.verdict_id
        [approval_id] = list(event.payload["approvals"])  # type: ignore[call-overload]
        approval = approvals[str(approval_id)]
        assert (approval.approver, approval.requested_by) == ("bob", "ada")
        assert approval.verdict_id == verdict.verdict_id
        assert approval.details["try_number"] == (2, 1)[number]
        details = event.payload["details"]
        assert isinstance(details, dict)
        assert details["dag_id"] == DAG
        assert details["dag_run_id"] == story.run_ids[number]
        assert details["task_id"] == "promote_to_production"
        assert details["try_number"] == 1
        assert verdict.details["task_id"] == "validate"


def a_roll_back_brings_the_first_version_back(story: Story, client: TrackingClient) -> None:
    assert story.second["roll_back"] == "success"
    assert (story.back["version"], story.back["previous_version"]) == (1, 2)
    with client.store.transaction() as tx:
        live = tx.registry.holder(MODEL)
    assert live is not None
    assert live.version == 1
    last = _transitions(client, "Production")[-1]
    assert (last.payload["via"], last.payload["emergency"]) == ("rollback", True)


def a_dag_that_waits_for_production_runs_after_a_release(
    story: Story, client: TrackingClient
) -> None:
    [told] = story.told
    move = _transitions(client, "Production")[0]
    assert (told["version"], told["stage"], told["actor"]) == (1, "Production", "ada")
    assert told["digest"] == move.payload["digest"]
    assert told["verdict_id"] == move.payload["verdict_id"]
    assert told["run_id"]


def every_change_of_production_is_an_event_with_its_facts(
    story: Story, client: TrackingClient
) -> None:
    moves = _transitions(client, "Production")
    tasks = [event["source_task_id"] for event in story.events]
    assert tasks == ["promote_to_production", "promote_to_production", "roll_back"]
    for event, move in zip(story.events, moves, strict=True):
        extra = event["extra"]
        assert extra["version"] == move.version
        assert extra["digest"] == move.payload["digest"]
        assert extra["approvals"] == move.payload["approvals"]
        assert extra["previous_version"] == move.payload["previous"]


def the_chain_is_whole_and_knows_what_was_live_when(story: Story, client: TrackingClient) -> None:
    del story
    assert verify_history(client, MODEL).is_whole
    for move in _transitions(client, "Production"):
        then = live_at(client, MODEL, move.at)
        assert then is not None
        assert then.version == move.version


def the_evidence_pack_is_kept_with_the_run(story: Story, client: TrackingClient) -> None:
    found = story.evidence
    with client.store.transaction() as tx:
        run = tx.runs.get(found["run_id"])
        record = tx.artifacts.get(attempt_id=run.attempt_id, path=found["path"])
    assert run.task_id == "write_evidence"
    assert record is not None
    assert record.sha256 == found["sha256"]
    data = client.artifact_store.read_bytes(record.key)
    with zipfile.ZipFile(BytesIO(data)) as archive:
        assert archive.testzip() is None
        assert archive.namelist()


PROMISES = (
    the_request_is_a_required_action_that_shows_the_evidence,
    who_triggered_the_release_cannot_approve_it,
    somebody_else_can_and_production_is_reached,
    only_those_who_are_named_may_answer,
    the_history_says_who_when_why_and_through_which_task,
    a_roll_back_brings_the_first_version_back,
    a_dag_that_waits_for_production_runs_after_a_release,
    every_change_of_production_is_an_event_with_its_facts,
    the_chain_is_whole_and_knows_what_was_live_when,
    the_evidence_pack_is_kept_with_the_run,
)
