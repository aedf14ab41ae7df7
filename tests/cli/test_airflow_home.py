"""The home of a local Airflow."""

from __future__ import annotations

import json
import socket
import stat
from pathlib import Path

import pytest

from airflow_mltrack.cli import airflow_home
from airflow_mltrack.cli.airflow_home import (
    airflow_environment,
    example_dags_directory,
    prepare_home,
)
from airflow_mltrack.exceptions import Conflict, InvalidInput


def test_every_socket_is_on_loopback_and_everything_lies_in_the_home(tmp_path: Path) -> None:
    home = prepare_home(tmp_path / "demo")
    environment = airflow_environment(home)
    assert environment["AIRFLOW__API__HOST"] == "127.0.0.1"
    assert environment["AIRFLOW__API__PORT"] == str(home.port)
    assert environment["AIRFLOW__API__BASE_URL"] == f"http://127.0.0.1:{home.port}"
    assert environment["AIRFLOW_HOME"] == str(tmp_path / "demo" / "airflow")
    assert str(tmp_path / "demo") in environment["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"]


def test_settings_of_another_airflow_do_not_leak_in_but_connections_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__PLUGINS_FOLDER", "/elsewhere")
    monkeypatch.setenv("AIRFLOW_CONFIG", "/elsewhere/airflow.cfg")
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", "aws://")
    environment = airflow_environment(prepare_home(tmp_path))
    assert "AIRFLOW__CORE__PLUGINS_FOLDER" not in environment
    assert "AIRFLOW_CONFIG" not in environment
    assert environment["AIRFLOW_CONN_AWS_DEFAULT"] == "aws://"


def test_a_proxy_is_bypassed_for_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "internal.example")
    environment = airflow_environment(prepare_home(tmp_path))
    assert environment["NO_PROXY"] == "internal.example,127.0.0.1,localhost"


def test_secrets_are_made_once_and_only_their_owner_reads_them(tmp_path: Path) -> None:
    home = prepare_home(tmp_path / "demo")
    first = airflow_environment(home)
    file = home.directory / "secrets.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(home.directory.stat().st_mode) == 0o700
    again = airflow_environment(prepare_home(tmp_path / "demo"))
    for name in json.loads(file.read_text()):
        assert len(first[name]) >= 32
        assert again[name] == first[name]


def test_two_homes_share_no_secret(tmp_path: Path) -> None:
    one, other = (airflow_environment(prepare_home(tmp_path / name)) for name in "ab")
    assert one["AIRFLOW__API_AUTH__JWT_SECRET"] != other["AIRFLOW__API_AUTH__JWT_SECRET"]


def test_secrets_that_cannot_be_read_are_not_replaced_silently(tmp_path: Path) -> None:
    home = prepare_home(tmp_path)
    (home.directory / "secrets.json").write_text("{")
    with pytest.raises(InvalidInput, match="Delete it"):
        airflow_environment(home)


def test_a_taken_port_is_refused_when_named_and_avoided_when_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = server.getsockname()[1]
        with pytest.raises(Conflict):
            prepare_home(tmp_path, port=taken)
        monkeypatch.setattr(airflow_home, "PREFERRED_PORT", taken)
        assert prepare_home(tmp_path).port != taken


@pytest.mark.parametrize("port", [0, -1, 70_000])
def test_a_port_that_is_none_is_refused(tmp_path: Path, port: int) -> None:
    with pytest.raises(InvalidInput):
        prepare_home(tmp_path, port=port)


def test_a_home_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidInput, match="file/home"):
        prepare_home(tmp_path / "file" / "home")


def test_the_example_dags_are_found() -> None:
    assert (example_dags_directory() / "credit_sweep.py").is_file()
