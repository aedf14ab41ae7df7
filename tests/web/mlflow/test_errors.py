"""Errors in MLflow's shape: nothing of the server's inside is in them."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_mltrack import exceptions
from airflow_mltrack.settings import Settings
from airflow_mltrack.tracking.client import TrackingClient
from airflow_mltrack.web.mlflow import runs
from airflow_mltrack.web.mlflow.errors import STATUS
from airflow_mltrack.web.standalone import OpenAccess
from tests.web.mlflow.conftest import Rest, serving_protocol


def test_a_database_that_is_away_is_a_reason_to_try_again(tmp_path: Path) -> None:
    settings = Settings(
        database_url="postgresql://zoe:s3cret@127.0.0.1:1/nothing",
        artifact_uri=str(tmp_path / "artifacts"),
        spool_dir=str(tmp_path / "spool"),
    )
    with TrackingClient(settings) as client, serving_protocol(client, OpenAccess()) as uri:
        rest = Rest(uri)
        status, words = rest.refused("POST", "/runs/create", {"experiment_id": "0"})
        rest.close()
    assert status == 503
    assert words.startswith("TEMPORARILY_UNAVAILABLE: ")
    for inside in ("s3cret", "zoe", "127.0.0.1", "nothing"):
        assert inside not in words


def test_a_bug_of_ours_tells_nothing(rest: Rest, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("password=s3cret at /srv/app.py, SELECT 1")

    monkeypatch.setattr(runs, "write_runs", broken)
    status, words = rest.refused("POST", "/runs/search", {"experiment_ids": ["0"]})
    assert status == 500
    assert words.startswith("INTERNAL_ERROR: ")
    assert "s3cret" not in words
    assert "/srv" not in words


def test_a_refusal_is_never_a_status_that_clients_try_again() -> None:
    again = {408, 429, 500, 502, 503, 504}
    codes = {code for code, status in STATUS.items() if status in again}
    assert codes == {"INTERNAL_ERROR", "TEMPORARILY_UNAVAILABLE"}
    assert not issubclass(exceptions.PromotionRefused, exceptions.StoreUnavailable)


def test_a_taken_name_leaks_no_constraint(rest: Rest, name: str) -> None:
    first = rest.post("/experiments/create", {"name": name})["experiment_id"]
    rest.post("/experiments/create", {"name": f"{name} 2"})
    status, words = rest.refused(
        "POST", "/experiments/update", {"experiment_id": first, "new_name": f"{name} 2"}
    )
    assert status == 400
    assert words.startswith("RESOURCE_ALREADY_EXISTS: ")
    assert "uq_" not in words
    assert "constraint" not in words
