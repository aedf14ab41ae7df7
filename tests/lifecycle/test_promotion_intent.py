"""An intent makes two calls the same decision, however far the model has moved on since."""

from __future__ import annotations

import threading

import pytest

from airflow_mltrack.exceptions import Conflict, NotFound, PromotionRefused
from airflow_mltrack.lifecycle.audit import list_history
from airflow_mltrack.lifecycle.promotion import live_version, promote
from airflow_mltrack.lifecycle.registration import delete_version
from airflow_mltrack.lifecycle.transitions import Transition
from airflow_mltrack.tracking.client import TrackingClient
from tests.lifecycle.conftest import POLICY, AddVerdict, AddVersion


@pytest.fixture(autouse=True)
def versions(add_version: AddVersion) -> None:
    """Make three versions."""
    for _ in range(3):
        add_version()


def go(client: TrackingClient, version: int, intent: str | None, **given: object) -> Transition:
    facts: dict[str, object] = {"stage": "Production", "actor": "ada", **given}
    return promote(client, "credit", version, intent=intent, **facts)  # type: ignore[arg-type]


def test_the_same_intent_twice_gives_the_first_ones_result(client: TrackingClient) -> None:
    go(client, 1, None)
    first = go(client, 2, "try-1")
    before = list_history(client, "credit")
    again = go(client, 2, "try-1", actor="bob", reason="again", expected_current=7)
    assert not again.changed
    assert (again.version, again.event) == (first.version, first.event)
    assert again.previous is not None
    assert first.previous is not None
    assert (again.previous.version, again.previous.stage) == (1, first.previous.stage)
    assert list_history(client, "credit") == before
    assert before[-1].payload["intent"] == "try-1"
    assert "intent" not in before[-2].payload  # the one that had to leave was not meant


def test_an_intent_is_done_once_also_when_the_version_was_moved_on(client: TrackingClient) -> None:
    first = go(client, 1, "try-1")
    go(client, 2, "try-2")
    go(client, 3, "try-3")
    before = list_history(client, "credit")
    again = go(client, 1, "try-1")
    assert (again.changed, again.event, again.version.stage) == (False, first.event, "Archived")
    live = live_version(client, "credit")
    assert live is not None
    assert live.version == 3
    assert list_history(client, "credit") == before


@pytest.mark.parametrize("other", [{"version": 2}, {"stage": "Staging"}])
def test_an_intent_for_something_else_is_a_conflict(
    client: TrackingClient, other: dict[str, object]
) -> None:
    go(client, 1, "try-1")
    before = list_history(client, "credit")
    given: dict[str, object] = {"version": 1, **other}
    with pytest.raises(Conflict, match="moved version 1 to Production already, by promotion"):
        go(client, intent="try-1", **given)  # type: ignore[arg-type]
    assert list_history(client, "credit") == before


def test_intents_of_one_model_are_nothing_to_another(
    client: TrackingClient, add_version: AddVersion
) -> None:
    add_version("other")
    go(client, 1, "try-1")
    done = promote(client, "other", 1, "Staging", actor="ada", intent="try-1")
    assert done.changed


def test_without_an_intent_a_second_call_moves_again(client: TrackingClient) -> None:
    go(client, 1, None)
    go(client, 2, None)
    assert go(client, 1, None).changed
    assert not go(client, 1, "late").changed  # it stands there already
    go(client, 2, None)
    assert go(client, 1, "late").changed  # and nothing was recorded for it


def test_a_refused_intent_can_be_tried_again(
    client: TrackingClient, add_version: AddVersion, add_verdict: AddVerdict
) -> None:
    version = add_version(gates=POLICY)
    with pytest.raises(PromotionRefused):
        go(client, 4, "try-1")
    add_verdict(version)
    assert go(client, 4, "try-1").changed


def test_a_result_about_a_version_that_is_gone_is_not_found(client: TrackingClient) -> None:
    go(client, 1, "try-1")
    go(client, 2, "try-2")
    delete_version(client, "credit", 1, actor="ada")
    with pytest.raises(NotFound, match="credit/1"):
        go(client, 1, "try-1")
    again = go(client, 2, "try-2")
    assert (again.changed, again.previous) == (False, None)


def test_of_many_calls_with_one_intent_one_moves(client: TrackingClient) -> None:
    found: list[Transition] = []
    threads = [
        threading.Thread(target=lambda: found.append(go(client, 1, "try-1"))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(done.changed for done in found) == [False, False, False, True]
    assert {done.event.event_id for done in found if done.event is not None} == {
        list_history(client, "credit")[-1].event_id
    }
