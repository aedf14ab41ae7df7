"""A logged model is closed whatever its files tell: what cannot be kept is not on record."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any
from urllib.parse import quote

from tests.web.fuzz.conftest import Target
from tests.web.fuzz.judge import Judge
from tests.web.fuzz.manifests import MODEL_FILE, damaged_package, package_with
from tests.web.fuzz.wire import JSON_LOGIN, Answer, Sent, Wire, request_budget, seed

_PROTOCOL = ("/api/2.0", "/mltrack/api/2.0", "/ajax-api/2.0")


def _deep(depth: int) -> str:
    return "[" * depth + "]" * depth


def _tensor(dtype: str) -> str:
    """Write a signature's inputs as YAML: one array of numbers."""
    spec = {"type": "tensor", "tensor-spec": {"dtype": dtype, "shape": [-1, 3]}}
    return f"'{json.dumps([spec])}'"


_ONCE_BROKE: Mapping[tuple[str, ...], Sequence[str]] = {
    ("mltrack.json", "metadata", "team"): ("NaN", "-1e999", r'"\u0000"', r'"\ud800"'),
    ("mltrack.json", "metadata", "notes"): (
        r'{"\ud800": 1}',
        *map(_deep, (60, *range(800, 1_000, 10))),
    ),
    ("mltrack.json", "signature", "array"): ("[[[]]]", "[1]", '["a", 1e999]'),
    ("mltrack.json", "signature", "outputs"): ('"ab"', "[1]", "[[[[]]]]"),
    ("mltrack.json", "signature", "columns"): ("[{}]", "[[]]", '[{"name": NaN}]'),
    ("mltrack.json", "files", MODEL_FILE, "size"): ("1e999", "-Infinity", "NaN"),
    ("MLmodel", "metadata", "team"): ("!!map x", "!!seq x", "!!float ''", ".nan", r'"\0"'),
    ("MLmodel", "metadata", "notes"): ("!!str {}", "&a [*a]", r'{"\0": 1}', _deep(60)),
    ("MLmodel", "signature", "inputs"): tuple(map(_tensor, ("(f8, f8", "(,)f8", "a9", "\0"))),
}
"""File and place in it, with texts that led to a server error there, or might have."""


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
    closed: list[str] = []
    with local.attacked("damaged packages") as (wire, judge):
        client = _Client(wire, judge, Random(seed()))
        while sum(judge.statuses.values()) < max(300, request_budget() * 9 // 100):
            files = damaged_package(local.known.package, client.rnd)
            closed.append(_close(client, local, files))
            _look_at(client, local, closed[-1])
    on_record = [bool(manifest) for manifest in _manifests(local, closed)]
    # Neither all nor none: the damage is small enough to get far, and large enough to be noticed.
    assert len(on_record) / 10 < sum(on_record) < len(on_record) * 9 / 10


def test_what_broke_the_server_once_breaks_it_no_more(local: Target) -> None:
    with local.attacked("packages that broke the server") as (wire, judge):
        client = _Client(wire, judge, Random(seed()))
        for (path, *place), tokens in _ONCE_BROKE.items():
            for token in tokens:
                files = package_with(local.known.package, path, tuple(place), token)
                assert token.encode() in files[path]
                _close(client, local, files)


def test_the_packages_are_whole_but_for_the_damage(local: Target) -> None:
    with local.attacked("whole packages") as (wire, judge):
        client = _Client(wire, judge, Random(seed()))
        team = ("metadata", "team")
        whole = [
            package_with(local.known.package, "mltrack.json", team, '"risk"'),
            package_with(local.known.package, "MLmodel", team, "risk"),
        ]
        closed = [_close(client, local, files) for files in whole]
    for manifest in _manifests(local, closed):
        assert manifest["metadata"]["team"] == "risk"
        assert manifest["signature"]["columns"][0]["name"] == "income"


def _close(client: _Client, target: Target, files: Mapping[str, bytes]) -> str:
    """Upload a package file by file, and close the model; return its id."""
    experiment = target.known.pick("experiment_id", {"type": "string"}, client.rnd)
    made = client.protocol("POST", "/mlflow/logged-models", {"experiment_id": experiment})
    model_id = str(made.json()["model"]["info"]["model_id"])
    place = f"/mlflow-artifacts/artifacts/{experiment}/models/{model_id}/artifacts"
    for path, data in files.items():
        assert client.protocol("PUT", f"{place}/{path}", data).status == 200
    ready = {"status": "LOGGED_MODEL_READY"}
    answer = client.protocol("PATCH", f"/mlflow/logged-models/{model_id}", ready)
    if answer.status != 200:  # any file may be logged as a model
        told = "\n  ".join(f"{path}: {data[:3_000]!r}" for path, data in files.items())
        client.judge.faults.append(f"a model that cannot be closed: {answer}\n  {told}")
    return model_id


def _look_at(client: _Client, target: Target, model_id: str) -> None:
    """Ask for everything that tells of the model, now and then."""
    rnd = client.rnd
    if rnd.random() < 0.3:
        client.protocol("GET", f"/mlflow/logged-models/{model_id}")
    if rnd.random() < 0.1:
        experiment = target.known.pick("experiment_id", {"type": "string"}, rnd)
        listed = {"experiment_ids": [experiment]}
        client.protocol("POST", "/mlflow/logged-models/search", listed)
    if rnd.random() < 0.2:
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


def _manifests(target: Target, model_ids: list[str]) -> Iterator[Any]:
    with target.tracking.store.transaction() as tx:
        for model_id in model_ids:
            yield tx.models.get(model_id).manifest


def _json(body: object) -> bytes:
    return json.dumps(body).encode()
