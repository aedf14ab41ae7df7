"""What was live at a time, told from the history alone; and clocks that run backwards."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from airflow_mltrack.entities.stages import OPEN, StageGraph
from airflow_mltrack.exceptions import InvalidInput, NotFound
from airflow_mltrack.lifecycle.audit import list_history, live_at, verify_history
from airflow_mltrack.lifecycle.promotion import archive, live_version, promote
from airflow_mltrack.lifecycle.registration import (
    delete_model,
    delete_version,
    rename_model,
    set_alias,
    set_policy,
)
from airflow_mltrack.tracking.client import TrackingClient
from tests.lifecycle.conftest import AddVersion

MOMENT = timedelta(microseconds=1)
LONG_AGO = datetime(2000, 1, 1, tzinfo=timezone.utc)
FAR_AHEAD = datetime(2999, 1, 1, tzinfo=timezone.utc)


@pytest.fixture(autouse=True)
def versions(add_version: AddVersion) -> None:
    """Make three versions."""
    for _ in range(3):
        add_version()


def held(client: TrackingClient, at: datetime, name: str = "credit") -> int | None:
    found = live_at(client, name, at)
    return None if found is None else found.version


def test_the_holder_changes_at_each_transition_and_at_no_other_time(
    client: TrackingClient,
) -> None:
    moves = [
        (1, "Staging"),
        (1, "Production"),
        (2, "Production"),
        (3, "Staging"),
        (2, "Archived"),
        (1, "Production"),
        (3, "Production"),
    ]
    holders: list[int | None] = []
    ends: list[datetime] = []
    for version, stage in moves:
        promote(client, "credit", version, stage, actor="ada")
        live = live_version(client, "credit")
        holders.append(None if live is None else live.version)
        ends.append(list_history(client, "credit")[-1].at)
    assert holders == [None, 1, 2, 2, None, 1, 3]
    assert held(client, LONG_AGO) is None
    assert held(client, ends[0] - MOMENT) is None
    for before, holder, at in zip([None, *holders], holders, ends, strict=False):
        assert held(client, at - MOMENT) == before
        assert held(client, at) == holder
        assert held(client, at + MOMENT) == holder
    assert held(client, FAR_AHEAD) == 3


def test_it_is_told_since_when_and_by_which_event(client: TrackingClient) -> None:
    promote(client, "credit", 1, "Production", actor="ada")
    done = promote(client, "credit", 2, "Production", actor="ada")
    set_alias(client, "credit", "champion", 3, actor="ada")
    found = live_at(client, "credit", FAR_AHEAD)
    assert found is not None
    assert done.event is not None
    assert (found.name, found.version, found.stage) == ("credit", 2, "Production")
    assert (found.since, found.event) == (done.event.at, done.event)


def test_times_of_any_zone_are_one_time(client: TrackingClient) -> None:
    done = promote(client, "credit", 1, "Production", actor="ada")
    assert done.event is not None
    there = timezone(timedelta(hours=5, minutes=30))
    assert held(client, done.event.at.astimezone(there)) == 1
    assert held(client, (done.event.at - MOMENT).astimezone(there)) is None


def test_a_time_without_zone_is_refused(client: TrackingClient) -> None:
    with pytest.raises(InvalidInput, match="it has a time zone"):
        live_at(client, "credit", datetime(2026, 1, 1))  # noqa: DTZ001 - that is what is refused


def test_what_never_was_is_not_found(client: TrackingClient) -> None:
    with pytest.raises(NotFound, match="registered model 'none'"):
        live_at(client, "none", FAR_AHEAD)
    assert held(client, FAR_AHEAD) is None


def test_what_was_deleted_was_live_until_then(client: TrackingClient) -> None:
    promote(client, "credit", 1, "Production", actor="ada")
    delete_version(client, "credit", 1, actor="ada")
    deleted = list_history(client, "credit")[-1].at
    assert (held(client, deleted - MOMENT), held(client, deleted)) == (1, None)
    promote(client, "credit", 2, "Production", actor="ada")
    delete_model(client, "credit", actor="ada")
    deleted = list_history(client, "credit")[-1].at
    assert (held(client, deleted - MOMENT), held(client, deleted)) == (2, None)


def test_the_past_is_told_under_each_name(client: TrackingClient, add_version: AddVersion) -> None:
    promote(client, "credit", 1, "Production", actor="ada")
    archive(client, "credit", 1, actor="ada")
    first = promote(client, "credit", 2, "Production", actor="ada").event
    rename_model(client, "credit", "lending", actor="ada")
    renamed = list_history(client, "lending")[-1].at
    promote(client, "lending", 3, "Production", actor="ada")
    add_version("credit")  # another model takes the old name
    promote(client, "credit", 4, "Production", actor="eve")
    rename_model(client, "lending", "Staging", actor="ada")
    promote(client, "Staging", 1, "Staging", actor="ada")
    assert first is not None
    for name in ("lending", "Staging"):
        assert held(client, first.at - MOMENT, name) is None
        assert held(client, first.at, name) == 2
        assert held(client, renamed, name) == 2
    assert (held(client, FAR_AHEAD, "lending"), held(client, FAR_AHEAD, "Staging")) == (None, 3)
    assert held(client, first.at) == 2
    assert held(client, list_history(client, "lending")[0].at + MOMENT) is None
    assert held(client, FAR_AHEAD) == 4


def test_another_live_stage_is_live_from_when_it_was_made_so(client: TrackingClient) -> None:
    promote(client, "credit", 1, "Production", actor="ada")
    promote(client, "credit", 2, "Staging", actor="ada")
    graph = StageGraph(OPEN.stages, "Staging", "Archived", OPEN.edges)
    set_policy(client, "credit", actor="ada", stages=graph)
    changed = list_history(client, "credit")[-1]
    assert held(client, changed.at - MOMENT) == 1
    found = live_at(client, "credit", FAR_AHEAD)
    assert found is not None
    assert (found.version, found.stage, found.since) == (2, "Staging", changed.at)
    assert found.event == changed


def test_a_clock_that_was_set_back_turns_no_order_around(client: TrackingClient) -> None:
    with client.store.transaction() as tx:
        ahead = tx.now() + timedelta(hours=1)
        tx.history.append(
            name="credit", version=None, kind="note", actor="ada", payload={}, at=ahead
        )
    promote(client, "credit", 1, "Production", actor="ada")
    promote(client, "credit", 2, "Production", actor="ada")
    times = [event.at for event in list_history(client, "credit")]
    assert times == [ahead] * len(times)
    assert (held(client, ahead - MOMENT), held(client, ahead)) == (None, 2)
    assert verify_history(client, "credit").is_whole
    with client.store.transaction() as tx, pytest.raises(InvalidInput, match="not before the last"):
        tx.history.append(
            name="credit", version=1, kind="note", actor="ada", payload={}, at=ahead - MOMENT
        )
