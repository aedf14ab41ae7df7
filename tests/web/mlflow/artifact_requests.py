"""Requests for files as a client in another language sends them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

API = "/api/2.0"
FILES = f"{API}/mlflow-artifacts/artifacts"


@pytest.fixture
def http(address: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=address, headers={"x-mltrack": "1"}, timeout=60) as http:
        yield http


@pytest.fixture
def run_id(http: httpx.Client) -> str:
    return str(call(http, "runs/create", experiment_id="0")["run"]["info"]["run_id"])


@pytest.fixture
def files(run_id: str) -> str:
    """Give the address of the run's files."""
    return f"{FILES}/0/{run_id}/artifacts"


def call(http: httpx.Client, path: str, **fields: object) -> Any:
    answer = http.post(f"{API}/mlflow/{path}", json=fields)
    assert answer.status_code == 200, answer.text
    return answer.json()


def model_of(http: httpx.Client, run_id: str) -> str:
    """Log a model that waits for its files; return the address of its files."""
    made = call(http, "logged-models", experiment_id="0", name="m", source_run_id=run_id)
    return f"{FILES}/0/models/{made['model']['info']['model_id']}/artifacts"


def model_id_of(files: str) -> str:
    return files.split("/")[-2]
