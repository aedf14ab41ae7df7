"""``mltrack models alias`` and ``unalias``."""

from __future__ import annotations

from airflow_mltrack.cli.exit_codes import ExitCode
from airflow_mltrack.lifecycle.audit import list_history
from airflow_mltrack.tracking.client import TrackingClient
from airflow_mltrack.tracking.model_uri import resolve
from tests.cli.conftest import ActAs, CommandLine, Register


def test_an_alias_comes_moves_and_goes_with_a_history(
    mltrack: CommandLine, act_as: ActAs, register: Register, client: TrackingClient
) -> None:
    one, two = register(), register()
    act_as("ben")
    done = mltrack("models", "alias", "credit", "best", "1", "--reason", "x", "--format", "json")
    assert (done.code, done.json["version"]) == (0, 1)
    assert resolve(client, done.json["uri"]).model_id == one.model_id
    assert mltrack("models", "alias", "credit", "best", "2").code == 0
    assert resolve(client, "models:/credit@best").model_id == two.model_id
    gone = mltrack("models", "unalias", "credit", "best", "--format", "json")
    assert (gone.code, gone.json["was_version"]) == (0, 2)
    events = list_history(client, "credit")[-3:]
    assert [event.kind for event in events] == ["alias"] * 3
    assert {event.actor for event in events} == {"ben"}
    assert events[0].payload["reason"] == "x"


def test_what_does_not_exist_or_breaks_a_rule_is_said(
    mltrack: CommandLine, act_as: ActAs, register: Register
) -> None:
    register()
    assert mltrack("models", "alias", "credit", "best", "9").code == ExitCode.NOT_FOUND
    assert mltrack("models", "alias", "nobody", "best", "1").code == ExitCode.NOT_FOUND
    assert mltrack("models", "unalias", "credit", "best").code == ExitCode.NOT_FOUND
    assert mltrack("models", "unalias", "nobody", "best").code == ExitCode.NOT_FOUND
    for alias in ("latest", "v7", "a b", ""):
        done = mltrack("models", "alias", "credit", alias, "1")
        assert done.code == ExitCode.INVALID_INPUT
        assert "alias" in done.err
