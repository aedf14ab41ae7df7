from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from airflow_mltrack.exceptions import StoreUnavailable
from airflow_mltrack.hooks.server_client import server_client
from airflow_mltrack.lifecycle.promotion import promote
from tests.hooks.conftest import DefineConnection


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    server_client.cache_clear()
    yield
    server_client.cache_clear()


def test_process_has_one_client(backend_connection: str) -> None:
    del backend_connection
    assert server_client() is server_client()


def test_change_while_the_database_is_away_is_answered_soon(
    define_connection: DefineConnection,
) -> None:
    define_connection(
        host="127.0.0.1", port=1, schema="none", login="nobody", extra={"artifact_uri": "/unused"}
    )
    began = time.monotonic()

    with pytest.raises(StoreUnavailable):
        promote(server_client(), "credit", 1, "Production", actor="olga")
    assert time.monotonic() - began < 30
