"""Tags of versions: changed and recorded together, and nothing recorded where nothing changed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from airflow_mltrack.exceptions import InvalidInput, NotFound
from airflow_mltrack.lifecycle.audit import list_history, verify_history
from airflow_mltrack.lifecycle.deployments import deployments
from airflow_mltrack.lifecycle.holders import replay
from airflow_mltrack.lifecycle.promotion import promote
from airflow_mltrack.lifecycle.registration import register_model
from airflow_mltrack.lifecycle.version_tags import delete_version_tag, set_version_tags
from airflow_mltrack.tracking.client import TrackingClient
from tests.lifecycle.conftest import AddVersion, log_package


@pytest.fixture(autouse=True)
def version(add_version: AddVersion) -> None:
    add_version()


def tag_events(client: TrackingClient) -> list[tuple[int | None, str, Mapping[str, object]]]:
    events = list_history(client, "credit")
    return [(item.version, item.actor, item.payload) for item in events if item.kind == "tag"]


def test_setting_and_deleting_is_recorded_with_who_did_it(client: TrackingClient) -> None:
    details = {"door": "mlflow"}
    made = set_version_tags(client, "credit", 1, {"b": "2", "a": "1"}, actor="ada", details=details)
    assert made.tags == {"a": "1", "b": "2"}
    assert set_version_tags(client, "credit", 1, {"a": ""}, actor="bob").tags["a"] == ""
    assert delete_version_tag(client, "credit", 1, "b", actor="cy").tags == {"a": ""}
    assert tag_events(client) == [
        (1, "ada", {"key": "a", "value": "1", "details": details}),
        (1, "ada", {"key": "b", "value": "2", "details": details}),
        (1, "bob", {"key": "a", "value": ""}),
        (1, "cy", {"key": "b", "deleted": True}),
    ]
    assert verify_history(client, "credit").is_whole


def test_the_same_again_records_nothing(client: TrackingClient) -> None:
    for _ in range(2):
        set_version_tags(client, "credit", 1, {"a": "1"}, actor="ada")
    for _ in range(2):
        delete_version_tag(client, "credit", 1, "a", actor="ada")
    assert len(tag_events(client)) == 2


def test_the_same_value_at_once_is_recorded_once(client: TrackingClient) -> None:
    with ThreadPoolExecutor(4) as pool:
        tasks = [
            pool.submit(set_version_tags, client, "credit", 1, {"a": "1"}, actor="ada")
            for _ in range(8)
        ]
        assert [task.result().tags for task in tasks] == [{"a": "1"}] * 8
    assert len(tag_events(client)) == 1


def test_what_is_refused_is_not_recorded(client: TrackingClient) -> None:
    with pytest.raises(InvalidInput, match="tag"):
        set_version_tags(client, "credit", 1, {"fine": "1", "": "2"}, actor="ada")
    with pytest.raises(NotFound, match="credit/9"):
        set_version_tags(client, "credit", 9, {"a": "1"}, actor="ada")
    with pytest.raises(NotFound, match="none"):
        delete_version_tag(client, "none", 1, "a", actor="ada")
    assert tag_events(client) == []


def test_tags_say_nothing_about_what_is_live(client: TrackingClient) -> None:
    promote(client, "credit", 1, "Production", actor="ada")
    before = replay(list_history(client, "credit"))
    set_version_tags(client, "credit", 1, {"to": "Archived"}, actor="ada")
    delete_version_tag(client, "credit", 1, "to", actor="ada")
    events = list_history(client, "credit")
    assert replay(events) == before
    assert [period.ended for period in deployments(events)] == [None]
    assert verify_history(client, "credit").findings == ()


def test_a_long_value_is_in_the_history_by_its_beginning_and_digest(client: TrackingClient) -> None:
    value = "é" * 100_000
    assert set_version_tags(client, "credit", 1, {"a": value}, actor="ada").tags == {"a": value}
    [(_, _, payload)] = tag_events(client)
    digest = hashlib.sha256(value.encode()).hexdigest()
    assert payload["value"] == f"{'é' * 1_000}... (100,000 characters, sha256 {digest})"
    set_version_tags(client, "credit", 1, {"a": value}, actor="ada")
    assert len(tag_events(client)) == 1


def test_long_texts_of_a_new_version_are_cut_in_the_history_only(
    client: TrackingClient, add_version: AddVersion
) -> None:
    model_id = log_package(client).model_id
    long = "x" * 5_000
    made = register_model(
        client, "other", f"models:/{model_id}", actor="ada", tags={"a": long}, description=long
    )
    assert (made.tags, made.description) == ({"a": long}, long)
    payload: Mapping[str, Any] = list_history(client, "other")[-1].payload
    for told in (payload["description"], payload["tags"]["a"]):
        assert len(told) < 1_200
        assert hashlib.sha256(long.encode()).hexdigest() in told
