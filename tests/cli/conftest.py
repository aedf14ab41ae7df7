"""A command line on a fresh backend, and a few recorded runs to look at."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from airflow_mltrack.cli.main import main
from airflow_mltrack.entities.registry import ModelVersion
from airflow_mltrack.lifecycle.registration import register_model
from airflow_mltrack.model_package.manifest import digest_of_files
from airflow_mltrack.settings import Settings
from airflow_mltrack.tracking.client import TrackingClient
from tests.lifecycle.conftest import POLICY, add_verdict

__all__ = ["add_verdict"]

ActAs = Callable[[str], None]
Register = Callable[..., ModelVersion]


@dataclass(frozen=True)
class Outcome:
    """What a command printed and returned."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Stdout read as JSON: fails when anything else was printed there."""
        return json.loads(self.out)


class CommandLine:
    """Runs ``mltrack`` in this process."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *words: str) -> Outcome:
        self._capsys.readouterr()
        try:
            code = main(words)
        except SystemExit as error:  # argparse ends so
            code = int(error.code or 0)
        out, err = self._capsys.readouterr()
        return Outcome(code, out, err)


@pytest.fixture
def mltrack(
    settings: Settings, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> CommandLine:
    """Command line on a fresh, empty backend."""
    monkeypatch.setenv("MLTRACK_DATABASE_URL", settings.database_url)
    monkeypatch.setenv("MLTRACK_ARTIFACT_URI", settings.artifact_uri)
    monkeypatch.setenv("MLTRACK_SPOOL_DIR", str(settings.spool_dir))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.delenv("AIRFLOW_CONN_MLTRACK_DEFAULT", raising=False)
    return CommandLine(capsys)


@pytest.fixture
def client(settings: Settings) -> Iterator[TrackingClient]:
    """Client of the same backend."""
    client = TrackingClient(settings)
    yield client
    client.close()


@pytest.fixture
def act_as(monkeypatch: pytest.MonkeyPatch) -> ActAs:
    """Give a function that makes somebody else sit at the terminal."""

    def change(user: str) -> None:
        monkeypatch.setenv("LOGNAME", user)

    change("ada")
    return change


@pytest.fixture
def register(client: TrackingClient) -> Register:
    """Give a function that registers a package of one small file, for rules that load no model."""

    def make(
        name: str = "credit",
        *,
        actor: str = "ada",
        gates: Mapping[str, object] | None = None,
        stages: str | Mapping[str, object] | None = None,
    ) -> ModelVersion:
        data = uuid.uuid4().hex.encode()
        digest = digest_of_files({"model.bin": hashlib.sha256(data).hexdigest()})
        with client.store.transaction() as tx:
            experiment = tx.experiments.ensure("Default").experiment_id
            logged = tx.models.create(experiment_id=experiment, name="model")
            stored = client.artifact_store.put_bytes(f"{logged.artifact_root}/model.bin", data)
            tx.artifacts.record(model_id=logged.model_id, path="model.bin", stored=stored)
            tx.models.finalize(logged.model_id, digest=digest, size=len(data), manifest={})
        uri = f"models:/{logged.model_id}"
        return register_model(client, name, uri, actor=actor, gates=gates, stages=stages)

    return make


@pytest.fixture
def candidate(act_as: ActAs, register: Register, mltrack: CommandLine) -> ModelVersion:
    """Version 1 of a gated model, in Staging; ada registered it and sits at the terminal."""
    version = register(gates=POLICY, stages="gated")
    moved = mltrack("models", "promote", "credit", "1", "Staging", "--reason", "a candidate")
    assert moved.code == 0, moved.err
    return version


@pytest.fixture
def two_runs(client: TrackingClient) -> tuple[str, str]:
    """Two finished runs of the experiment ``credit``: a weaker and a stronger one."""
    ids = []
    for name, auc, depth in (("weak", 0.61, "3"), ("strong", 0.79, "7")):
        with client.start_run(name, experiment="credit", tags={"team": "risk"}) as run:
            run.log_params({"depth": depth, "seed": "42"})
            run.log_metric("auc", auc - 0.05, step=0)
            run.log_metric("auc", auc, step=1)
            run.log_metric("loss", float("nan"))
            run.log_text("hello\n", "notes/hello.txt")
            run.log_text(name, "name.txt")
        ids.append(run.run_id)
    return ids[0], ids[1]


@pytest.fixture
def home_directory() -> Iterator[Path]:
    """Directory for a local Airflow; see ``server_directory`` for why it is not below pytest's."""
    parent = Path(tempfile.mkdtemp(prefix="mltrack-home-"))
    yield parent / "home"
    shutil.rmtree(parent, ignore_errors=True)
