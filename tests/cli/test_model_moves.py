"""``mltrack models promote`` and ``rollback``."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from airflow_mltrack.cli import model_moves
from airflow_mltrack.cli.exit_codes import ExitCode
from airflow_mltrack.entities.registry import ModelVersion
from airflow_mltrack.lifecycle.audit import list_history, verify_history
from airflow_mltrack.lifecycle.promotion import live_version, promote
from airflow_mltrack.lifecycle.registration import register_model
from airflow_mltrack.tracking.client import TrackingClient
from tests.cli.conftest import ActAs, CommandLine, Outcome, Register
from tests.lifecycle.conftest import AddVerdict

Promote = Callable[..., Outcome]


@pytest.fixture
def release(mltrack: CommandLine) -> Promote:
    """Give a function that promotes a version of ``credit`` to Production."""

    def run(version: int, *words: str) -> Outcome:
        return mltrack(
            *("models", "promote", "credit", str(version), "Production", "--reason", "better"),
            *words,
        )

    return run


def test_promote_moves_and_says_what_had_to_leave(
    mltrack: CommandLine, act_as: ActAs, register: Register, release: Promote
) -> None:
    register()
    register()
    assert release(1).code == 0
    act_as("ben")
    done = release(2, "--format", "json")
    assert done.code == 0
    found = done.json
    assert (found["version"], found["before"], found["stage"]) == (2, "None", "Production")
    assert (found["previous_version"], found["changed"]) == (1, True)
    assert (found["actor"], found["reason"]) == ("ben", "better")
    assert "asset events" in done.err
    table = mltrack("models", "promote", "credit", "1", "staging", "--reason", "again").out
    assert "Archived" in table
    assert "Staging" in table


def test_promoting_again_changes_nothing(
    client: TrackingClient, register: Register, release: Promote
) -> None:
    register()
    first = release(1, "--format", "json").json
    events = len(list_history(client, "credit"))
    again = release(1, "--format", "json")
    assert (again.code, again.json["changed"]) == (0, False)
    assert again.json["event"] == first["event"]
    assert "done before" in again.err
    assert len(list_history(client, "credit")) == events


def test_an_intent_is_carried_out_once(
    client: TrackingClient, register: Register, release: Promote
) -> None:
    register()
    register()
    assert release(1, "--intent", "ticket-7").code == 0
    assert release(2).code == 0
    again = release(1, "--intent", "ticket-7", "--format", "json")
    assert (again.code, again.json["changed"]) == (0, False)
    live = live_version(client, "credit")
    assert live is not None
    assert live.version == 2
    assert release(2, "--intent", "ticket-7").code == ExitCode.CONFLICT


@pytest.mark.parametrize(("expected", "code"), [("none", 4), ("1", 0), ("7", 4), ("x", 2)])
def test_a_promotion_that_expects_another_live_version_is_a_conflict(
    client: TrackingClient, register: Register, release: Promote, expected: str, code: int
) -> None:
    register()
    register()
    assert release(1, "--expect-current", "none").code == 0
    done = release(2, "--expect-current", expected)
    assert done.code == code
    assert "Traceback" not in done.err
    live = live_version(client, "credit")
    assert live is not None
    assert live.version == (2 if code == 0 else 1)


def test_a_refused_promotion_says_everything_that_is_missing(
    candidate: ModelVersion, release: Promote, client: TrackingClient
) -> None:
    done = release(1)
    assert done.code == ExitCode.CONFLICT
    assert done.out == ""
    assert "no verdict exists for this version" in done.err
    assert "1 approval is needed" in done.err
    assert "mltrack models validate credit 1" in done.err
    assert live_version(client, "credit") is None


def test_a_gated_version_goes_live_with_verdict_and_approval(
    mltrack: CommandLine,
    act_as: ActAs,
    candidate: ModelVersion,
    add_verdict: AddVerdict,
    release: Promote,
) -> None:
    verdict = add_verdict(candidate)
    act_as("bob")
    mltrack("models", "approve", "credit", "1", "Production", "--reason", "fine")
    act_as("ada")
    done = release(1, "--verdict", verdict.verdict_id, "--format", "json")
    assert done.code == 0
    assert done.json["verdict_id"] == verdict.verdict_id
    assert len(done.json["approvals"]) == 1


def test_what_does_not_exist_is_said(
    register: Register, release: Promote, mltrack: CommandLine
) -> None:
    register()
    assert release(9).code == ExitCode.NOT_FOUND
    assert release(1, "--verdict", "nope").code == ExitCode.NOT_FOUND
    unknown = mltrack("models", "promote", "credit", "1", "Prodction", "--reason", "x")
    assert unknown.code == ExitCode.INVALID_INPUT
    assert "None, Staging, Production, Archived" in unknown.err
    assert mltrack("models", "promote", "no", "1", "Staging", "--reason", "x").code == 3
    assert mltrack("models", "promote", "credit", "1", "Staging").code == ExitCode.INVALID_INPUT


def test_nobody_without_a_name_changes_the_registry(
    mltrack: CommandLine, register: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    register()
    monkeypatch.setattr("airflow_mltrack.cli.acting_user.current_user", lambda: "")
    done = mltrack("models", "promote", "credit", "1", "Staging", "--reason", "x")
    assert done.code == ExitCode.INVALID_INPUT
    assert "LOGNAME" in done.err


@pytest.fixture
def two_models(client: TrackingClient) -> str:
    """An open model with packages that load: version 1 was live, version 2 is."""
    from sklearn.linear_model import LogisticRegression

    for number in (1, 2):
        model = LogisticRegression().fit([[0.0], [1.0]], [0, 1])
        with client.start_run("training", heartbeat=False) as run:
            logged = run.log_model(model, "model")
        register_model(client, "credit", f"models:/{logged.model_id}", actor="ada")
        promote(client, "credit", number, "Production", actor="ada")
    return "credit"


def test_rollback_says_first_where_it_goes_and_then_what_it_did(
    mltrack: CommandLine, act_as: ActAs, two_models: str, client: TrackingClient
) -> None:
    done = mltrack("models", "rollback", two_models, "--reason", "it errs", "--format", "json")
    assert done.code == 0, done.err
    assert "going back from version 2 to version 1" in done.err
    found = done.json
    assert (found["version"], found["before"], found["stage"]) == (1, "Archived", "Production")
    assert (found["previous_version"], found["emergency"]) == (2, None)
    event = list_history(client, two_models)[-1]
    assert (event.payload["via"], event.payload["reason"]) == ("rollback", "it errs")
    assert verify_history(client, two_models).is_whole


def test_going_back_further_than_there_was_anything_is_said(
    mltrack: CommandLine, two_models: str
) -> None:
    words = ("models", "rollback", two_models, "--reason", "it errs")
    assert mltrack(*words).code == 0
    done = mltrack(*words)
    assert done.code == ExitCode.NOT_FOUND
    assert "Nothing was in Production before version 1" in done.err


def test_rollback_to_a_named_version(mltrack: CommandLine, two_models: str) -> None:
    words = ("models", "rollback", two_models, "--reason", "it errs", "--to")
    assert mltrack(*words, "2").code == ExitCode.CONFLICT
    assert mltrack(*words, "9").code == ExitCode.NOT_FOUND
    assert mltrack(*words, "1", "--expect-current", "1").code == ExitCode.CONFLICT
    assert mltrack(*words, "1", "--expect-current", "2").code == 0


def test_a_rollback_does_what_it_said_or_nothing(
    mltrack: CommandLine,
    two_models: str,
    client: TrackingClient,
    register: Register,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    register()
    look = model_moves.rollback_plan

    def look_and_be_overtaken(
        one: TrackingClient, name: str, to_version: int | None
    ) -> tuple[int | None, int | None]:
        plan = look(one, name, to_version)
        promote(client, name, 3, "Production", actor="eve", reason="meanwhile")
        return plan

    monkeypatch.setattr(model_moves, "rollback_plan", look_and_be_overtaken)
    done = mltrack("models", "rollback", two_models, "--reason", "it errs")
    assert done.code == ExitCode.CONFLICT
    live = live_version(client, two_models)
    assert live is not None
    assert live.version == 3


def test_an_emergency_needs_no_verdict_and_is_marked(mltrack: CommandLine, two_models: str) -> None:
    gates = '{"checks": [{"metric": "auc", "min": 0.7}]}'
    assert mltrack("models", "policy", two_models, "--gates", gates).code == 0
    words = ("models", "rollback", two_models, "--reason", "it errs")
    refused = mltrack(*words)
    assert refused.code == ExitCode.CONFLICT
    assert "--emergency" in refused.err
    done = mltrack(*words, "--emergency", "--format", "json")
    assert (done.code, done.json["emergency"]) == (0, True)
    assert "Emergency rollback" in mltrack("models", "history", two_models).out


def test_rollback_needs_a_reason_and_a_model(mltrack: CommandLine, two_models: str) -> None:
    assert mltrack("models", "rollback", two_models).code == ExitCode.INVALID_INPUT
    assert mltrack("models", "rollback", two_models, "--reason", " ").code == 2
    assert mltrack("models", "rollback", "no", "--reason", "x").code == ExitCode.NOT_FOUND


def test_webhooks_hear_of_a_move_at_once(
    mltrack: CommandLine, register: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.lifecycle.webhook_receiver import SECRET, running_receiver

    monkeypatch.setenv("MLTRACK_WEBHOOK_SECRET", SECRET)
    register()
    with running_receiver() as receiver:
        assert mltrack("webhooks", "create", receiver.url).code == 0
        mltrack("models", "promote", "credit", "1", "Staging", "--reason", "go")
        deliveries = mltrack("webhooks", "deliveries", "--format", "json").json
    assert [row["state"] for row in deliveries] == ["DELIVERED"]
