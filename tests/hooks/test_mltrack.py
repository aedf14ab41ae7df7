from __future__ import annotations

from pathlib import Path

import pytest

from airflow_mltrack.hooks.mltrack import MltrackHook, configured_conn_id
from airflow_mltrack.settings import Settings
from tests.hooks.conftest import DefineConnection


def test_making_a_hook_looks_nothing_up() -> None:
    MltrackHook("not_defined_anywhere")


def test_the_client_is_the_connections(backend_connection: str, settings: Settings) -> None:
    with MltrackHook(backend_connection) as hook:
        assert hook.get_conn() is hook.client
        assert hook.client.settings.artifact_uri == settings.artifact_uri
        with hook.client.start_run("r") as run:
            assert hook.client.run(run.run_id).run.name == "r"


def test_a_closed_hook_opens_again(backend_connection: str) -> None:
    hook = MltrackHook(backend_connection)
    first = hook.client
    hook.close()
    assert hook.client is not first
    hook.close()


def test_none_means_the_configured_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    assert configured_conn_id() == "mltrack_default"
    monkeypatch.setenv("AIRFLOW__MLTRACK__CONN_ID", "team_b")
    assert MltrackHook().mltrack_conn_id == "team_b"
    assert MltrackHook("other").mltrack_conn_id == "other"


def test_the_test_button_says_what_was_checked(backend_connection: str) -> None:
    works, words = MltrackHook(backend_connection).test_connection()
    assert works, words
    assert "has schema" in words
    assert "written, read and deleted" in words


def test_the_test_button_names_a_database_that_is_away(
    define_connection: DefineConnection, tmp_path: Path
) -> None:
    define_connection(
        host="127.0.0.1",
        port=9,
        login="ml",
        password="hush",
        extra={"artifact_uri": str(tmp_path / "artifacts")},
    )
    works, words = MltrackHook().test_connection()
    assert not works
    assert "127.0.0.1:9" in words
    assert "hush" not in words


def test_the_test_button_names_an_artifact_store_that_cannot_be_written(
    backend_connection: str, settings: Settings
) -> None:
    Path(settings.artifact_uri).parent.mkdir(parents=True, exist_ok=True)
    Path(settings.artifact_uri).write_text("a file, not a directory")
    works, words = MltrackHook(backend_connection).test_connection()
    assert not works
    assert "rtifact" in words


def test_the_test_button_tells_the_command_for_an_empty_database(
    define_connection: DefineConnection, postgres_url: str, tmp_path: Path
) -> None:
    from urllib.parse import parse_qs, urlsplit

    parts = urlsplit(postgres_url)
    define_connection(
        host=parse_qs(parts.query)["host"][0],
        login=parts.username,
        schema="postgres",
        extra={"artifact_uri": str(tmp_path)},
    )
    works, words = MltrackHook().test_connection()
    assert not works
    assert "mltrack db upgrade" in words


def test_a_wrong_connection_is_told_not_raised(define_connection: DefineConnection) -> None:
    define_connection(host="db")
    works, words = MltrackHook().test_connection()
    assert not works
    assert "artifact_uri" in words
