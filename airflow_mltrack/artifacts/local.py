"""An artifact store in a directory that everyone concerned can reach."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import stat
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, cast

from airflow_mltrack.artifacts.artifact_key import guess_content_type, safe_path
from airflow_mltrack.artifacts.artifact_store import (
    ArtifactStore,
    StoredKey,
    check_expiry,
    local_errors,
    safe_prefix,
)
from airflow_mltrack.artifacts.digests import (
    CHUNK,
    HashingReader,
    Readable,
    VerifyingReader,
)
from airflow_mltrack.entities.artifacts import StoredObject
from airflow_mltrack.exceptions import ArtifactError, ArtifactUnavailable, InvalidInput, NotFound

INCOMING = ".incoming"
"""Directory below the root where files grow until they are complete."""
_RENAME_TRIES = 5


class LocalArtifactStore(ArtifactStore):
    """Bytes in files: key ``a/b`` is the file ``a/b`` below ``directory``.

    A write becomes visible by a rename after its bytes and its directory entry are on disk.
    Symbolic links that leave the directory are never followed.

    :param directory: absolute; made at the first write.
    """

    def __init__(self, directory: str | os.PathLike[str]) -> None:
        root = Path(directory)
        if not root.is_absolute():
            raise InvalidInput("artifact directory", str(directory), "it is an absolute path.")
        self._root = root
        self.uri = root.as_uri()

    def put_stream(
        self,
        key: str,
        stream: Readable,
        *,
        content_type: str | None = None,
        size_hint: int | None = None,
    ) -> StoredObject:
        """Store what ``stream`` gives until its end."""
        target = self._path(key)
        source = HashingReader(stream)
        with local_errors(key, str(self._root)):
            part = self._incoming()
            try:
                with part.open("xb", buffering=0) as file:
                    while data := source.read(CHUNK):
                        _write_all(file, data)
                    os.fsync(file.fileno())
                self._publish(key, part, target)
            except BaseException:
                part.unlink(missing_ok=True)
                raise
        return StoredObject(
            key, source.size, source.hexdigest(), content_type or guess_content_type(key)
        )

    def open(self, key: str, *, sha256: str | None = None) -> BinaryIO:
        """Open for streaming."""
        file = self._open(key)
        reader = VerifyingReader(
            file,
            key=key,
            size=os.fstat(file.fileno()).st_size,
            sha256=sha256,
            close=file.close,
        )
        return cast("BinaryIO", io.BufferedReader(reader, CHUNK))

    def delete(self, key: str) -> None:
        """Remove one key and the directories that it leaves empty."""
        path = self._path(key)
        with local_errors(key, str(self._root)):
            try:
                self._stay_inside(key, path.parent)
                path.unlink()
            except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
                return
            self._prune(path.parent)

    def delete_prefix(self, prefix: str) -> int:
        """Remove everything below a directory; return how many keys that was."""
        below = safe_path(prefix.rstrip("/"))
        count = 0
        for stored in self.list(below):
            self.delete(stored.key)
            count += 1
        return count

    def stat(self, key: str) -> int:
        """Return the size in bytes."""
        with self._open(key) as file:
            return os.fstat(file.fileno()).st_size

    def list(self, prefix: str = "", *, start_after: str | None = None) -> Iterator[StoredKey]:
        """Go through the keys below a directory."""
        below = safe_prefix(prefix)
        after = start_after.encode() if start_after else b""
        return self._walk(below, after)

    def presign(
        self,
        key: str,
        *,
        expires: int,
        download_name: str | None = None,
    ) -> str | None:
        """Return None: files have no URL that others can read."""
        self._path(key)
        check_expiry(expires)
        return None

    def _fetch(self, key: str, file: io.FileIO) -> str:
        with self._open(key) as stored:
            source = HashingReader(stored)
            while data := source.read(CHUNK):
                _write_all(file, data)
        return source.hexdigest()

    def _path(self, key: str) -> Path:
        safe_path(key)
        if key.split("/", 1)[0] == INCOMING:
            raise InvalidInput("artifact path", key, f"{INCOMING} is the store's own directory.")
        return self._root / key

    def _open(self, key: str) -> io.FileIO:
        path = self._path(key)
        with local_errors(key, str(self._root)):
            try:
                self._stay_inside(key, path)
                file = path.open("rb", buffering=0)
            except (FileNotFoundError, NotADirectoryError):
                raise NotFound("artifact", key, f"It is not in {self.uri}.") from None
            except IsADirectoryError:
                raise NotFound("artifact", key, "It is a directory.") from None
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            file.close()
            raise ArtifactError(key, "it is not a regular file.")
        return file

    def _stay_inside(self, key: str, path: Path) -> None:
        """Refuse a path that leaves the root through a symbolic link."""
        real = path.resolve(strict=True)
        if not real.is_relative_to(self._root.resolve()):
            raise ArtifactError(key, f"a symbolic link leads out of {self._root}.")

    def _incoming(self) -> Path:
        directory = self._root / INCOMING
        directory.mkdir(parents=True, exist_ok=True)
        return directory / uuid.uuid4().hex

    def _publish(self, key: str, part: Path, target: Path) -> None:
        """Give a complete file its name."""
        try:
            for _ in range(_RENAME_TRIES):
                if self._renamed(key, part, target):
                    return
        except (FileExistsError, NotADirectoryError):
            raise ArtifactError(key, "a part of its path is a file.") from None
        except IsADirectoryError:
            raise ArtifactError(key, "a directory has that name.") from None
        raise ArtifactUnavailable(key, "its directory is being deleted all the time.")

    def _renamed(self, key: str, part: Path, target: Path) -> bool:
        """Rename, unless somebody who deletes files pruned the directory in this moment."""
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            self._stay_inside(key, target.parent)
            part.replace(target)
            _sync_directory(target.parent)
        except FileNotFoundError:
            return False
        return True

    def _prune(self, directory: Path) -> None:
        while directory != self._root:
            try:
                directory.rmdir()
            except OSError as error:
                if error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOENT):
                    return
                raise
            directory = directory.parent

    def _walk(self, below: str, after: bytes) -> Iterator[StoredKey]:
        """Yield files in the order of their keys' bytes; links and growing files are left out."""
        for entry in self._entries(below):
            key = below + entry.name
            if entry.is_dir(follow_symlinks=False):
                inside = f"{key}/"
                if after <= inside.encode() or after.startswith(inside.encode()):
                    yield from self._walk(inside, after)
            elif entry.is_file(follow_symlinks=False) and key.encode() > after:
                with contextlib.suppress(FileNotFoundError):  # deleted since the directory was read
                    yield StoredKey(key, entry.stat(follow_symlinks=False).st_size)

    def _entries(self, below: str) -> Sequence[os.DirEntry[str]]:
        directory = self._root / below
        try:
            self._stay_inside(below or "/", directory)
            with os.scandir(directory) as found:
                entries = [entry for entry in found if below or entry.name != INCOMING]
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise ArtifactError(below or "/", f"{self._root}: {error.strerror}.") from error
        return sorted(entries, key=_order)


def _order(entry: os.DirEntry[str]) -> bytes:
    # A directory sorts as "name/": only so is the order that of the whole keys.
    return os.fsencode(entry.name) + (b"/" if entry.is_dir(follow_symlinks=False) else b"")


def _write_all(file: io.FileIO, data: bytes) -> None:
    """Write everything: an unbuffered write may take fewer bytes."""
    view = memoryview(data)
    while view:
        view = view[file.write(view) :]


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
