"""Files on their way into one archive: staged on disk, digested, written in a fixed order."""

from __future__ import annotations

import hashlib
import itertools
import json
import re
import shutil
import unicodedata
import uuid
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from airflow_mltrack.artifacts.artifact_store import local_errors
from airflow_mltrack.model_package.manifest import hash_file

if TYPE_CHECKING:
    from airflow_mltrack.artifacts.artifact_store import ArtifactStore
    from airflow_mltrack.entities.artifacts import Artifact

MANIFEST = "manifest.json"
"""Lists every other file of the archive."""
_FIRST = ("report.html", "evidence.json", "model_card.md", "history.jsonl", "verify.py", MANIFEST)
_MOMENT = (1980, 1, 1, 0, 0, 0)
"""Time of every file in the archive, the earliest that the format knows: equal files make equal
bytes."""
_READABLE = 0o644
_UNIX = 3
_UNFIT = re.compile(r'[<>:"|?*\\\x00-\x1f\x7f\ud800-\udfff]')
"""What some system that unpacks the archive cannot have in a file name."""
_LONGEST_PART = 200
"""Bytes; common file systems end at 255."""


@dataclass(frozen=True, slots=True)
class StagedFile:
    """One file that will be in the archive."""

    path: str
    """Path in the archive."""
    local: Path
    """Where its bytes lie until then."""
    size: int
    sha256: str
    source: str
    """The record it was taken from; empty for what was made for the archive."""


class ArchiveFolder:
    """What goes into an archive. Bytes lie on disk under numbers, never under the names they have.

    :param directory: an empty one that the caller removes.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._places: dict[str, bool] = {}  # path in folded case -> whether it is a file
        self.files: list[StagedFile] = []
        """In the order in which they came."""

    def add_bytes(self, path: str, data: bytes, *, source: str = "") -> StagedFile:
        """Add a file that is in memory."""
        local = self._next()
        with local_errors(path, str(self._directory)):
            local.write_bytes(data)
        digest = hashlib.sha256(data).hexdigest()
        return self._take(path, local, len(data), digest, source)

    def add_artifact(
        self, path: str, record: Artifact, store: ArtifactStore, *, source: str
    ) -> StagedFile:
        """Add a file of the artifact store, in bounded memory.

        :raises NotFound: when its bytes are gone.
        :raises ArtifactCorrupt: when they are not the recorded ones.
        """
        local = self._next()
        store.download(record.key, local, sha256=record.sha256)
        return self._take(path, local, local.stat().st_size, record.sha256, source)

    def listing(self) -> list[StagedFile]:
        """Return the files in the order of the archive: those to begin with first."""
        place = {path: number for number, path in enumerate(_FIRST)}
        return sorted(
            self.files, key=lambda file: (place.get(file.path, len(_FIRST)), file.path.encode())
        )

    def add_manifest(self) -> None:
        """Add the list of all files with sha256 and size."""
        listed = {file.path: {"sha256": file.sha256, "size": file.size} for file in self.listing()}
        text = json.dumps({"format": 1, "files": listed}, indent=1, ensure_ascii=False)
        self.add_bytes(MANIFEST, f"{text}\n".encode())

    def write(self, target: Path) -> tuple[str, int]:
        """Write the archive beside its target and move it into place.

        :return: sha256 and size of the archive.
        :raises ArtifactError: when the target cannot be written; no half archive stays.
        """
        part = target.with_name(f".{uuid.uuid4().hex}.part")
        with local_errors(target.name, str(target.parent)):
            try:
                with zipfile.ZipFile(part, "x", zipfile.ZIP_DEFLATED) as archive:
                    for file in self.listing():
                        _add(archive, file)
                written = hash_file(part.parent, part.name)
                part.replace(target)
            except BaseException:
                part.unlink(missing_ok=True)
                raise
        return written.sha256, written.size

    def _next(self) -> Path:
        return self._directory / f"{len(self.files):06d}-{uuid.uuid4().hex[:8]}"

    def _take(self, wanted: str, local: Path, size: int, sha256: str, source: str) -> StagedFile:
        path = next(path for path in _spellings(archive_path(wanted)) if self._is_free(path))
        for parent in PurePosixPath(path).parents:
            self._places[_folded(str(parent))] = False
        self._places[_folded(path)] = True
        file = StagedFile(path, local, size, sha256, source)
        self.files.append(file)
        return file

    def _is_free(self, path: str) -> bool:
        """Whether a path can be unpacked beside the others, also where case does not count."""
        if _folded(path) in self._places:
            return False
        parents = PurePosixPath(path).parents
        return not any(self._places.get(_folded(str(parent))) for parent in parents)


def archive_path(path: str) -> str:
    """Return a path that every system can unpack, and that stays below where it is unpacked."""
    parts = [_part(part) for part in unicodedata.normalize("NFC", path).split("/")]
    return "/".join(part for part in parts if part) or "_"


def _part(name: str) -> str:
    fit = _UNFIT.sub("_", name)
    if len(fit.encode()) > _LONGEST_PART:  # the end tells what kind of file it is
        fit = f"{fit[:30]}~{fit[-15:]}"
    return fit if fit.rstrip(". ") == fit else f"{fit.rstrip('. ')}_"


def _spellings(path: str) -> Iterator[str]:
    """Give a path, then others for when it is taken."""
    yield path
    place, flat = PurePosixPath(path), PurePosixPath(_part(path.replace("/", "_")))
    for number in itertools.count(2):
        for taken in (place, flat):  # a parent may be the name of another file
            yield str(taken.with_name(f"{taken.stem}~{number}{taken.suffix}"))


def _folded(path: str) -> str:
    return path.casefold()


def _add(archive: zipfile.ZipFile, file: StagedFile) -> None:
    entry = zipfile.ZipInfo(file.path, _MOMENT)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.create_system = _UNIX
    entry.external_attr = _READABLE << 16
    entry.file_size = file.size  # tells whether the entry needs the large form
    with file.local.open("rb") as source, archive.open(entry, "w") as target:
        shutil.copyfileobj(source, target, 1024 * 1024)
