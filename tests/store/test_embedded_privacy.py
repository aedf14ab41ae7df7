"""Who can reach an embedded server."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_mltrack.exceptions import StoreUnavailable
from airflow_mltrack.store.embedded_privacy import keep_private, open_socket_directory


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Give a stand-in for the library that puts everything into the temporary directory."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(os, "geteuid", lambda: tmp_path.stat().st_uid or 1_000)
    return SimpleNamespace(PostgresServer=SimpleNamespace(runtime_path=tmp_path, _lock=None))


def own(folder: Path) -> None:
    if os.getuid() == 0:
        os.chown(folder, 1_000, 1_000)


def test_sockets_lie_where_only_their_owner_can_enter(library: Any, tmp_path: Path) -> None:
    folder = tmp_path / f"mltrack-{os.geteuid()}"
    folder.mkdir(mode=0o700)
    own(folder)
    keep_private(library, tmp_path / "data")
    assert library.PostgresServer.runtime_path == folder
    assert folder.stat().st_mode & 0o077 == 0


def test_the_lock_lies_beside_the_data_whatever_way_leads_there(
    library: Any, tmp_path: Path
) -> None:
    folder = tmp_path / f"mltrack-{os.geteuid()}"
    folder.mkdir(mode=0o700)
    own(folder)
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    keep_private(library, tmp_path / "link" / "data")
    with library.PostgresServer._lock:
        assert (tmp_path / "real" / ".data.lock").exists()


@pytest.mark.parametrize("way", ["open", "file", "link"])
def test_a_place_for_sockets_that_others_prepared_is_refused(
    library: Any, tmp_path: Path, way: str
) -> None:
    folder = tmp_path / f"mltrack-{os.geteuid()}"
    if way == "open":
        folder.mkdir()
        folder.chmod(0o777)
    elif way == "file":
        folder.touch(mode=0o600)
    else:
        (tmp_path / "mine").mkdir(mode=0o700)
        folder.symlink_to(tmp_path / "mine")
    with pytest.raises(StoreUnavailable, match="nobody else can enter"):
        keep_private(library, tmp_path / "data")


def test_root_leaves_sockets_where_the_other_user_can_enter(
    library: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    keep_private(library, tmp_path / "data")
    assert library.PostgresServer.runtime_path == tmp_path


def test_a_socket_is_open_when_every_directory_on_the_way_is(postgres_url: str) -> None:
    data = Path(postgres_url.partition("host=")[2])
    assert open_socket_directory(data) is None


def test_a_socket_in_a_directory_for_everybody_is_open(server_directory: Path) -> None:
    parent = server_directory.parent
    sockets = parent / "sockets"
    for folder in (server_directory, sockets):
        folder.mkdir(mode=0o755)
    lines = ["1", str(server_directory), "0", "5432", str(sockets), "", "", "ready"]
    (server_directory / "postmaster.pid").write_text("\n".join(lines))
    parent.chmod(0o755)
    assert open_socket_directory(server_directory) == sockets
    sockets.chmod(0o700)
    assert open_socket_directory(server_directory) is None
    parent.chmod(0o700)
    sockets.chmod(0o755)
    assert open_socket_directory(server_directory) is None
    assert open_socket_directory(parent / "nothing") is None
