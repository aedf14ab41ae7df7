"""A logged model is closed whatever its files tell: what cannot be kept is not on record."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Any
from urllib.parse import quote

from tests.web.fuzz.conftest import Target
from tests.web.fuzz.judge import Judge
from tests.web.fuzz.manifests import damaged_package
from tests.web.fuzz.wire import JSON_LOGIN, Answer, Sent, Wire, request_budget, seed

_PROTOCOL = ("/api/2.0", "/mltrack/api/2.0", "/ajax-api/2.0")


@dataclass
class _Client:
    """Sends requests, and has every answer judged."""

    wire: Wire
    judge: Judge
    rnd: Random

    def protocol(self, method: str, path: str, body: Any = None) -> Answer:
        place = self.rnd.choice(_PROTOCOL) + path
        data = body if isinstance(body, bytes) else b"" if body is None else _json(body)
        return self.send("protocol", Sent(method, place.encode(), data, JSON_LOGIN))

    def send(self, kind: str, sent: Sent) -> Answer:
        answer = self.wire.send(sent)
        self.judge.look(kind, sent, answer)
        return answer


def test_no_damaged_package_breaks_the_server(local: Target) -> None:
    rnd = Random(seed())
    closed: list[str] = []
    with local.attacked("damaged packages") as (wire, judge):
        client = _Client(wire, judge, rnd)
        while sum(judge.statuses.values()) < request_budget() * 10 // 100:
            closed.append(_close_a_damaged_model(client, local))
            _look_at(client, local, closed[-1])
    on_record = [bool(manifest) for manifest in _manifests(local, closed)]
    # Neither all nor none: the damage is small enough to get far, and large enough to be noticed.
    assert len(on_record) / 10 < sum(on_record) < len(on_record) * 9 / 10


def _close_a_damaged_model(client: _Client, target: Target) -> str:
    """Upload a package file by file, and close the model; return its id."""
    experiment = target.known.pick("experiment_id", {"type": "string"}, client.rnd)
    made = client.protocol("POST", "/mlflow/logged-models", {"experiment_id": experiment})
    model_id = str(made.json()["model"]["info"]["model_id"])
    place = f"/mlflow-artifacts/artifacts/{experiment}/models/{model_id}/artifacts"
    for path, data in damaged_package(target.known.package, client.rnd).items():
        assert client.protocol("PUT", f"{place}/{path}", data).status == 200
    ready = {"status": "LOGGED_MODEL_READY"}
    answer = client.protocol("PATCH", f"/mlflow/logged-models/{model_id}", ready)
    # Any file may be logged as a model; a server error is in the judge's report.
    assert answer.status in (0, 200) or answer.status >= 500, answer
    return model_id


def _look_at(client: _Client, target: Target, model_id: str) -> None:
    """Ask for everything that tells of the model, now and then."""
    rnd = client.rnd
    client.protocol("GET", f"/mlflow/logged-models/{model_id}")
    if rnd.random() < 0.3:
        experiment = target.known.pick("experiment_id", {"type": "string"}, rnd)
        listed = {"experiment_ids": [experiment]}
        client.protocol("POST", "/mlflow/logged-models/search", listed)
    if rnd.random() < 0.4:
        name = target.known.pick("name", {"type": "string"}, rnd)
        asked = {"name": name, "source": f"models:/{model_id}", "model_id": model_id}
        made = client.protocol("POST", "/mlflow/model-versions/create", asked)
        version = made.json()["model_version"]["version"] if made.status == 200 else "1"
        for kind, path in _pages(quote(name, safe=""), version):
            client.send(kind, Sent("GET", path.encode(), headers=JSON_LOGIN))


def _pages(name: str, version: str) -> Iterator[tuple[str, str]]:
    yield "api", f"/api/v1/models/{name}/versions/{version}"
    yield "api", f"/api/v1/models/{name}/versions/{version}/evidence"
    yield "page", f"/models/{name}"


def _manifests(target: Target, model_ids: list[str]) -> Iterator[object]:
    with target.tracking.store.transaction() as tx:
        for model_id in model_ids:
            yield tx.models.get(model_id).manifest


def _json(body: object) -> bytes:
    return json.dumps(body).encode()
