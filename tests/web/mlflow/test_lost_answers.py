"""Requests for new runs and models whose answers never arrived: they come again."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.web.mlflow.conftest import House, Rest

DATASET = {"name": "loans", "digest": "d1", "source_type": "s3", "source": "s3://b/k"}


@contextmanager
def answers_lost(address: str, *, times: int) -> Iterator[str]:
    """Stand between client and server; the first answers are read and never passed on."""
    behind, left = urlsplit(address), [times]

    class Between(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            line = HTTPConnection(behind.hostname or "", behind.port, timeout=30)
            line.request("POST", self.path, body, dict(self.headers.items()))
            answer = line.getresponse()
            found = answer.read()
            line.close()
            if left[0]:
                left[0] -= 1
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            self.send_response(answer.status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(found)))
            self.end_headers()
            self.wfile.write(found)

        def log_message(self, *_words: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Between)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}{behind.path}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


def lost(house: House, path: str, body: object) -> dict[str, Any]:
    """Send a request over a connection of its own, as a client does that lost an answer before."""
    sender = Rest(house.address)
    try:
        return dict(sender.post(path, body))
    finally:
        sender.close()


def names_of_runs(rest: Rest, experiment: str) -> list[str]:
    found = rest.post("/runs/search", {"experiment_ids": [experiment]})
    return [item["info"]["run_id"] for item in found.get("runs", ())]


@pytest.fixture
def asked(rest: Rest, name: str) -> dict[str, Any]:
    """What a client sends for a new run."""
    experiment = rest.post("/experiments/create", {"name": name})["experiment_id"]
    tags = [{"key": "mlflow.user", "value": "ada"}, {"key": "team", "value": "risk"}]
    return {"experiment_id": experiment, "start_time": 1700000000123, "tags": tags}


def test_a_run_whose_answer_was_lost_leaves_no_ghost(
    house: House, rest: Rest, asked: dict[str, Any]
) -> None:
    made = [
        lost(house, "/runs/create", {**asked, "user_id": "ada"})["run"]["info"]["run_id"]
        for _ in range(3)
    ]
    assert len(set(made)) == 3
    assert names_of_runs(rest, asked["experiment_id"]) == made[-1:]


def test_the_stock_client_that_lost_an_answer_leaves_no_ghost(
    house: House, stock: Any, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment = stock.create_experiment(name)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", "0")
    with answers_lost(house.address, times=1) as address:
        stock.set_tracking_uri(address)
        run = stock.MlflowClient(address).create_run(experiment)
    stock.set_tracking_uri(house.address)
    client = stock.MlflowClient(house.address)
    assert [found.info.run_id for found in client.search_runs([experiment])] == [run.info.run_id]
    deleted = client.search_runs([experiment], run_view_type=2)
    assert len(deleted) == 1  # it was made, and is there to be looked at


def test_equal_runs_that_somebody_knows_of_stay(
    house: House, rest: Rest, asked: dict[str, Any]
) -> None:
    experiment = asked["experiment_id"]
    first = lost(house, "/runs/create", asked)["run"]["info"]["run_id"]
    rest.post("/runs/log-parameter", {"run_id": first, "key": "depth", "value": "6"})
    second = lost(house, "/runs/create", asked)["run"]["info"]["run_id"]
    assert set(names_of_runs(rest, experiment)) == {first, second}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/runs/log-metric", {"key": "auc", "value": 0.5, "timestamp": 7}),
        ("/runs/log-batch", {"params": [{"key": "depth", "value": "6"}]}),
        ("/runs/set-tag", {"key": "stage", "value": "fitted"}),
        ("/runs/update", {"status": "FINISHED", "end_time": 1700000001000}),
        ("/runs/log-inputs", {"datasets": [{"dataset": DATASET}]}),
    ],
)
def test_a_run_that_was_set_aside_comes_back_when_it_is_written_to(
    house: House, rest: Rest, asked: dict[str, Any], path: str, body: dict[str, Any]
) -> None:
    first, second = (lost(house, "/runs/create", asked)["run"]["info"]["run_id"] for _ in "ab")
    assert names_of_runs(rest, asked["experiment_id"]) == [second]
    rest.post(path, {"run_id": first, **body})
    assert set(names_of_runs(rest, asked["experiment_id"])) == {first, second}
    assert rest.get("/runs/get", run_id=first)["run"]["info"]["lifecycle_stage"] == "active"
    third = lost(house, "/runs/create", asked)["run"]["info"]["run_id"]
    assert set(names_of_runs(rest, asked["experiment_id"])) == {first, third}


def test_a_run_that_was_set_aside_comes_back_with_its_files_and_children(
    house: House, rest: Rest, asked: dict[str, Any]
) -> None:
    experiment = asked["experiment_id"]
    made = [lost(house, "/runs/create", asked)["run"]["info"]["run_id"] for _ in range(3)]
    child = {"experiment_id": experiment, "tags": [{"key": "mlflow.parentRunId", "value": made[1]}]}
    born = rest.post("/runs/create", child)["run"]["info"]["run_id"]
    assert set(names_of_runs(rest, experiment)) == {made[1], made[2], born}
    place = f"../mlflow-artifacts/artifacts/{experiment}/{made[0]}/artifacts/a.txt"
    assert rest.ask("PUT", place, content=b"bytes").status_code == 200
    assert set(names_of_runs(rest, experiment)) == {*made, born}


def test_what_is_not_the_same_request_is_another_run(
    house: House, rest: Rest, asked: dict[str, Any]
) -> None:
    experiment = asked["experiment_id"]
    untimed = {key: value for key, value in asked.items() if key != "start_time"}
    sent = [
        asked,
        {**asked, "start_time": 1700000000124},
        {**asked, "run_name": "named"},
        {**asked, "tags": []},
        untimed,
        untimed,
    ]
    made = [lost(house, "/runs/create", body)["run"]["info"]["run_id"] for body in sent]
    # A loop in one process keeps its connection: equal requests are then meant.
    made += [
        rest.post("/runs/create", {**asked, "run_name": "loop"})["run"]["info"]["run_id"]
        for _ in range(2)
    ]
    assert set(names_of_runs(rest, experiment)) == set(made)


def test_a_run_that_was_renamed_or_deleted_is_left_as_it_is(
    house: House, rest: Rest, asked: dict[str, Any]
) -> None:
    renamed = lost(house, "/runs/create", asked)["run"]["info"]["run_id"]
    rest.post("/runs/update", {"run_id": renamed, "run_name": "mine"})
    deleted = lost(house, "/runs/create", asked)["run"]["info"]["run_id"]
    rest.post("/runs/delete", {"run_id": deleted})
    last = lost(house, "/runs/create", asked)["run"]["info"]["run_id"]
    assert set(names_of_runs(rest, asked["experiment_id"])) == {renamed, last}
    status, _ = rest.refused("POST", "/runs/set-tag", {"run_id": deleted, "key": "a", "value": ""})
    assert status == 400  # who deletes a run means it


def test_a_logged_model_whose_answer_was_lost_leaves_no_ghost(
    house: House, rest: Rest, run_id: str
) -> None:
    experiment = rest.get("/runs/get", run_id=run_id)["run"]["info"]["experiment_id"]
    body = {
        "experiment_id": experiment,
        "name": "model",
        "source_run_id": run_id,
        "params": [{"key": "depth", "value": "6"}],
        "tags": [{"key": "team", "value": "risk"}],
    }

    def make() -> str:
        made = lost(house, "/logged-models", body)
        return str(made["model"]["info"]["model_id"])

    def listed() -> set[str]:
        query = {"experiment_ids": [experiment], "filter": f"source_run_id = '{run_id}'"}
        found = rest.post("/logged-models/search", query).get("models", ())
        return {item["info"]["model_id"] for item in found}

    first, second = make(), make()
    assert listed() == {second}
    # Whoever writes to it knows of it.
    path = f"../mlflow-artifacts/artifacts/{experiment}/models/{first}/artifacts/MLmodel"
    assert rest.ask("PUT", path, content=b"flavors: {}").status_code == 200
    assert listed() == {first, second}
    third = make()
    assert listed() == {first, third}
    rest.post("/runs/outputs", {"run_id": run_id, "models": [{"model_id": second, "step": 1}]})
    assert listed() == {first, second, third}
    fourth = make()
    assert listed() == {first, second, fourth}
    for deleted in (third, fourth):  # also the one that was set aside: who deletes it means it
        rest.ask("DELETE", f"/logged-models/{deleted}")
        status, _ = rest.refused("GET", f"/logged-models/{deleted}")
        assert status == 404
