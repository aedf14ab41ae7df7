"""When a version was live: from the history alone."""

from __future__ import annotations

from airflow_mltrack.entities.registry import ModelVersion
from airflow_mltrack.lifecycle.audit import list_history
from airflow_mltrack.lifecycle.deployments import Deployment, deployments
from airflow_mltrack.lifecycle.evidence.facts import chain_of
from airflow_mltrack.lifecycle.promotion import archive, promote
from airflow_mltrack.lifecycle.registration import delete_version, rename_model
from airflow_mltrack.tracking.client import TrackingClient
from tests.lifecycle.conftest import AddVersion


def _live(client: TrackingClient, version: ModelVersion) -> list[Deployment]:
    return deployments(list_history(client, version.name), version.version)


def _promote(client: TrackingClient, version: ModelVersion) -> None:
    promote(client, version.name, version.version, "Production", actor="ada")


def test_a_version_is_live_until_another_takes_its_place(
    client: TrackingClient, add_version: AddVersion
) -> None:
    first, second = add_version(), add_version()
    assert _live(client, first) == []
    _promote(client, first)
    _promote(client, second)
    (period,) = _live(client, first)
    (current,) = _live(client, second)
    assert (period.stage, period.replaced_by) == ("Production", 2)
    assert period.departure is not None
    assert period.ended == period.departure.at
    assert period.began == period.arrival.at
    assert period.began <= current.began
    assert (current.ended, current.departure, current.replaced_by) == (None, None, None)


def test_going_back_is_another_time_of_being_live(
    client: TrackingClient, add_version: AddVersion
) -> None:
    first, second = add_version(), add_version()
    _promote(client, first)
    _promote(client, second)
    archive(client, second.name, second.version, actor="ada")
    _promote(client, first)
    assert [period.replaced_by for period in _live(client, first)] == [2, None]
    (period,) = _live(client, second)
    assert period.ended is not None
    assert period.replaced_by is None


def test_deleting_a_live_version_ends_it(client: TrackingClient, add_version: AddVersion) -> None:
    version = add_version()
    _promote(client, version)
    delete_version(client, version.name, version.version, actor="ada")
    (period,) = _live(client, version)
    assert period.departure is not None
    assert period.departure.kind == "deleted"


def test_another_name_ends_nothing(client: TrackingClient, add_version: AddVersion) -> None:
    version = add_version("old")
    _promote(client, version)
    rename_model(client, "old", "new", actor="ada")
    rename_model(client, "new", "newest", actor="ada")
    with client.store.transaction() as tx:
        events = chain_of(tx, "newest")
    assert [event.name for event in events] == ["old", "old", "new", "new", "newest"]
    (period,) = deployments(events, version.version)
    assert period.ended is None
