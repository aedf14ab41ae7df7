"""The files of a package, wherever they lie: in a directory, or in the artifact store."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from airflow_mltrack.exceptions import ModelPackageError
from airflow_mltrack.model_package.manifest import PackageFile, digest_of_files, hash_file


@dataclass(frozen=True, slots=True)
class PackageFiles:
    """Every file with its sha256, and a way to read the small ones."""

    where: str
    """What errors call the package."""
    files: tuple[PackageFile, ...]
    """By path."""
    opener: Callable[[str], bytes]
    """Gives the bytes of a file by its path."""

    @property
    def digest(self) -> str:
        """sha256 of the whole package; see :mod:`.manifest`."""
        return digest_of_files({file.path: file.sha256 for file in self.files})

    @property
    def paths(self) -> frozenset[str]:
        """Paths of all files."""
        return frozenset(file.path for file in self.files)

    def read(self, path: str, limit: int) -> bytes:
        """Read a small file.

        :param path: of a file that is there.
        :raises ModelPackageError: when it is larger than ``limit`` bytes.
        """
        size = next(file.size for file in self.files if file.path == path)
        if size > limit:
            raise ModelPackageError(
                f"{path} of the model package {self.where} has {size} bytes; more than {limit} "
                "are not read. Log the model again."
            )
        return self.opener(path)


def files_in(directory: Path, where: str) -> PackageFiles:
    """Measure all files in a directory.

    :param where: what errors call the package.
    :raises ModelPackageError: for a link, or anything else that is no file: what it leads to would
        be outside the package.
    """
    found: list[PackageFile] = []
    for parent, folders, names in os.walk(directory):
        for name in (*folders, *names):
            entry = Path(parent) / name
            path = entry.relative_to(directory).as_posix()
            if entry.is_symlink() or not (entry.is_file() or entry.is_dir()):
                raise ModelPackageError(
                    f"{path} of the model package {where} is a link or no file at all. "
                    "Copy the package with its files, and load the copy."
                )
            if name in names:
                found.append(hash_file(directory, path))
    files = tuple(sorted(found, key=lambda file: file.path))
    return PackageFiles(where, files, lambda path: (directory / path).read_bytes())
