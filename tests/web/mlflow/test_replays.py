"""Requests that come twice, at once, or whose sender has gone."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import pytest

from airflow_mltrack.lifecycle.audit import list_history, verify_history
from airflow_mltrack.tracking.client import TrackingClient
from airflow_mltrack.web.mlflow import runs
from tests.lifecycle.conftest import log_package
from tests.web.mlflow.conftest import House, Rest, waited_for

POINT = {"key": "auc", "value": 0.5, "timestamp": 7, "step": 1}
DATASET = {"name": "loans", "digest": "d1", "source_type": "s3", "source": "s3://b/k"}


def whole(house: House, rest: Rest, run_id: str) -> tuple[Any, Any]:
    """Everything that a run holds, in both clients."""
    run = rest.get("/runs/get", run_id=run_id)["run"]
    history = rest.get("/metrics/get-history", run_id=run_id, metric_key="auc")
    with house.tracking.store.transaction() as tx:
        attempt = tx.runs.data(run_id).attempt
        count = len(tx.metrics.series(attempt.attempt_id, "auc"))
    return run, (history, count)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("log-metric", POINT),
        ("log-parameter", {"key": "depth", "value": "6"}),
        ("set-tag", {"key": "team", "value": "risk"}),
        ("set-tag", {"key": "mlflow.runName", "value": "renamed"}),
        ("update", {"status": "FAILED", "end_time": 1700000000000, "run_name": "other"}),
        (
            "log-batch",
            {
                "metrics": [POINT, {**POINT, "step": 2, "value": "NaN"}, {**POINT, "key": "ks"}],
                "params": [{"key": "depth", "value": "6"}],
                "tags": [{"key": "team", "value": "risk"}],
            },
        ),
        (
            "log-inputs",
            {
                "datasets": [
                    {"dataset": DATASET, "tags": [{"key": "mlflow.data.context", "value": "train"}]}
                ]
            },
        ),
        ("delete", {}),
        ("restore", {}),
    ],
)
def test_the_same_request_again_changes_nothing(
    house: House, rest: Rest, run_id: str, path: str, body: dict[str, Any]
) -> None:
    before = whole(house, rest, run_id)
    rest.post(f"/runs/{path}", {"run_id": run_id, **body})
    once = whole(house, rest, run_id)
    if path != "restore":
        assert once != before
    rest.post(f"/runs/{path}", {"run_id": run_id, **body})
    assert whole(house, rest, run_id) == once


def test_models_of_a_run_are_noted_once(house: House, rest: Rest, run_id: str) -> None:
    model_id = log_package(house.tracking).model_id
    for _ in range(2):
        rest.post(
            "/runs/outputs", {"run_id": run_id, "models": [{"model_id": model_id, "step": 3}]}
        )
        rest.post("/runs/log-inputs", {"run_id": run_id, "models": [{"model_id": model_id}]})
    run = rest.get("/runs/get", run_id=run_id)["run"]
    assert run["outputs"]["model_outputs"] == [{"model_id": model_id, "step": 3}]
    assert run["inputs"]["model_inputs"] == [{"model_id": model_id}]


def test_a_batch_is_written_as_a_whole_or_not_at_all(house: House, rest: Rest, run_id: str) -> None:
    rest.post("/runs/log-parameter", {"run_id": run_id, "key": "depth", "value": "6"})
    before = whole(house, rest, run_id)
    fine: dict[str, list[dict[str, object]]] = {
        "metrics": [POINT],
        "params": [{"key": "rate", "value": "0.1"}],
        "tags": [{"key": "team", "value": "risk"}],
    }
    for bad in (
        {"params": [*fine["params"], {"key": "depth", "value": "7"}]},
        {"metrics": [POINT, {**POINT, "key": "bad\nkey"}]},
        {"metrics": [POINT, {**POINT, "model_id": "m-nothing"}]},
        {"metrics": [POINT, {**POINT, "timestamp": -1}]},
        {"tags": [*fine["tags"], {"key": "k" * 251, "value": ""}]},
    ):
        status, _ = rest.refused("POST", "/runs/log-batch", {"run_id": run_id, **fine, **bad})
        assert status in (400, 404)
        assert whole(house, rest, run_id) == before


def test_the_same_package_is_registered_once(house: House, rest: Rest, name: str) -> None:
    model_id = log_package(house.tracking).model_id
    rest.post("/registered-models/create", {"name": name})
    status, words = rest.refused("POST", "/registered-models/create", {"name": name})
    assert (status, words.partition(":")[0]) == (400, "RESOURCE_ALREADY_EXISTS")
    body = {"name": name, "source": f"models:/{model_id}", "model_id": model_id}
    first = rest.post("/model-versions/create", body)
    assert rest.post("/model-versions/create", body) == first
    found = rest.get("/model-versions/search", filter=f"name = '{name}'")["model_versions"]
    assert [item["version"] for item in found] == ["1"]
    kinds = [event.kind for event in list_history(house.tracking, name)]
    assert kinds == ["created", "registered"]


def test_moving_naming_and_deleting_again_changes_nothing(
    house: House, rest: Rest, name: str
) -> None:
    rest.post("/registered-models/create", {"name": name})
    body = {"name": name, "source": f"models:/{log_package(house.tracking).model_id}"}
    rest.post("/model-versions/create", body)
    move = {"name": name, "version": "1", "stage": "Production", "archive_existing_versions": True}
    alias = {"name": name, "alias": "champion", "version": "1"}
    for _ in range(2):
        moved = rest.post("/model-versions/transition-stage", move)["model_version"]
        assert moved["current_stage"] == "Production"
        rest.post("/registered-models/alias", alias)
    for _ in range(2):
        assert rest.ask("DELETE", "/registered-models/alias", alias).status_code == 200
    kinds = [event.kind for event in list_history(house.tracking, name)]
    assert kinds == ["created", "registered", "transition", "alias", "alias"]


def test_an_experiment_is_created_once(rest: Rest, name: str) -> None:
    rest.post("/experiments/create", {"name": name})
    status, words = rest.refused("POST", "/experiments/create", {"name": name})
    assert (status, words.partition(":")[0]) == (400, "RESOURCE_ALREADY_EXISTS")


def test_moves_at_once_end_with_one_holder(house: House, rest: Rest, name: str) -> None:
    rest.post("/registered-models/create", {"name": name})
    for _ in range(4):
        source = f"models:/{log_package(house.tracking).model_id}"
        rest.post("/model-versions/create", {"name": name, "source": source})
    ready = threading.Barrier(4)

    def move(version: int) -> int:
        ready.wait(10)
        body = {"name": name, "version": str(version), "stage": "Production"}
        return rest.ask("POST", "/model-versions/transition-stage", body).status_code

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(move, range(1, 5))) <= {200, 400}
    found = rest.get("/model-versions/search", filter=f"name = '{name}'")["model_versions"]
    assert [item["current_stage"] for item in found].count("Production") == 1
    assert verify_history(house.tracking, name).is_whole


def test_a_run_whose_caller_has_gone_is_taken_back(
    tracking: TrackingClient, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    gone, made = threading.Event(), threading.Event()
    write: Callable[..., Any] = runs.info_out

    def slowly(*given: Any) -> Any:
        made.set()
        gone.wait(10)
        return write(*given)

    monkeypatch.setattr(runs, "info_out", slowly)
    where = urlsplit(request.getfixturevalue("address"))
    body = b'{"experiment_id": "0", "run_name": "ghost"}'
    with socket.create_connection((where.hostname or "", where.port or 0)) as caller:
        caller.sendall(
            f"POST {where.path}/api/2.0/mlflow/runs/create HTTP/1.1\r\nHost: {where.netloc}\r\n"
            f"Authorization: Bearer local\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n".encode()
            + body
        )
        assert made.wait(20)
    gone.set()

    def deleted() -> bool:
        with tracking.store.transaction() as tx:
            found = tx.search.runs(experiment_ids=[0], view="deleted")
        return [data.run.name for data in found.runs] == ["ghost"]

    waited_for(deleted)
    with tracking.store.transaction() as tx:
        assert not tx.search.runs(experiment_ids=[0]).runs


@pytest.mark.parametrize(
    "source",
    [
        "http://[",
        "models:/a/" + "9" * 5_000,
        "models:/a/٣",
        "/etc",
        "file:///etc",
        "C:\\models",
        "runs:/nothing/model",
        "mlflow-artifacts:/0/models/../../x",
        "models:/m-nothing",
    ],
)
def test_a_source_that_leads_nowhere_is_refused(rest: Rest, name: str, source: str) -> None:
    rest.post("/registered-models/create", {"name": name})
    status, _ = rest.refused("POST", "/model-versions/create", {"name": name, "source": source})
    assert status in (400, 404)
