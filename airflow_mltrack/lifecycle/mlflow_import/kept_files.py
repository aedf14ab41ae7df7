"""Files of runs and models that MLflow keeps in a directory or in a bucket."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast
from urllib.parse import unquote, urlsplit

from airflow_mltrack.exceptions import ArtifactUnavailable, InvalidInput

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from airflow_mltrack.lifecycle.mlflow_import.source import FileOwner, SourceFile

_SERVED = "mlflow-artifacts"
_FORMS = ("*/*/artifacts", "*/models/*/artifacts")


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A file of this machine."""

    path: str
    size: int
    file: Path

    def open(self) -> BinaryIO:
        """Open it."""
        try:
            return self.file.open("rb")
        except OSError as error:
            raise ArtifactUnavailable(self.path, f"{error.strerror or error}.") from error


@dataclass(frozen=True, slots=True)
class BucketFile:
    """An object in a bucket."""

    path: str
    size: int
    bucket: str
    key: str
    client: Any

    def open(self) -> AbstractContextManager[BinaryIO]:
        """Open it."""
        return _object(self.client, self.bucket, self.key)


class KeptFiles:
    """Files where the records say that they are, or in a copy of that place.

    :param copy: a directory that holds what the server's artifact root held, with
        ``EXPERIMENT/RUN/artifacts`` below it; None reads from the places in the records.
    """

    def __init__(self, copy: Path | None = None) -> None:
        if copy is not None and not copy.is_dir():
            raise InvalidInput("--artifacts-from", str(copy), "there is no such directory.")
        if copy is not None and not _holds_an_experiment(copy):
            raise InvalidInput(
                "--artifacts-from",
                str(copy),
                "it holds no directory of an experiment.",
                "Name the directory with 0/, 1/, ... in it, of EXPERIMENT/RUN/artifacts.",
            )
        self._copy = copy

    def files(self, owner: FileOwner) -> Sequence[SourceFile]:
        """Return the files of a run or a model.

        :raises ArtifactUnavailable: when the place where they should be cannot be looked at.
        """
        if not owner.location:
            return []
        where = urlsplit(owner.location)
        if self._copy is not None:
            return _below(self._copy.joinpath(*_inner(owner, unquote(where.path))))
        if where.scheme in ("", "file") and not where.netloc:
            return _local(owner, Path(unquote(where.path)))
        if where.scheme == "s3":
            return self._in_bucket(owner, where.netloc, where.path.strip("/"))
        hint = "Give its files with --artifacts-from, or import from the server's http:// address."
        kind = "are kept by the server" if where.scheme == _SERVED else "cannot be read directly"
        raise ArtifactUnavailable(_shown(owner), f"files at {where.scheme}: {kind}. {hint}")

    def _in_bucket(self, owner: FileOwner, bucket: str, prefix: str) -> Sequence[SourceFile]:
        from botocore.exceptions import BotoCoreError, ClientError

        _inner(owner, prefix)
        pages = self._s3.get_paginator("list_objects_v2")
        try:
            return [
                BucketFile(
                    item["Key"][len(prefix) + 1 :], item["Size"], bucket, item["Key"], self._s3
                )
                for page in pages.paginate(Bucket=bucket, Prefix=f"{prefix}/")
                for item in page.get("Contents", ())
                if not item["Key"].endswith("/")
            ]
        except (BotoCoreError, ClientError) as error:
            raise ArtifactUnavailable(
                _shown(owner), f"bucket {bucket} does not answer ({type(error).__name__})."
            ) from error

    @cached_property
    def _s3(self) -> Any:
        import boto3

        # MLflow's own variable for servers that are not Amazon's.
        return boto3.client("s3", endpoint_url=os.environ.get("MLFLOW_S3_ENDPOINT_URL") or None)


@contextmanager
def _object(client: Any, bucket: str, key: str) -> Iterator[BinaryIO]:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        body = client.get_object(Bucket=bucket, Key=key)["Body"]
    except (BotoCoreError, ClientError) as error:
        raise ArtifactUnavailable(key, f"it cannot be read ({type(error).__name__}).") from error
    try:
        yield cast("BinaryIO", body)
    except BotoCoreError as error:
        raise ArtifactUnavailable(key, f"reading it broke off ({type(error).__name__}).") from error
    finally:
        body.close()


def _inner(owner: FileOwner, path: str) -> Sequence[str]:
    """Return the parts of a location from its experiment on, when MLflow itself has made its end.

    Whoever may make an experiment says where its files are, so no other place is ever read:
    ``file:///etc`` names the files of no run.

    :raises ArtifactUnavailable: when it does not end as MLflow lets it end.
    """
    parts = [part for part in path.split("/") if part]
    if ".." not in parts and parts[-2:] == [owner.name, "artifacts"]:
        return parts[-_depth(owner) :]
    raise ArtifactUnavailable(
        _shown(owner), f"its location does not end in {owner.name}/artifacts, and is not read."
    )


def _depth(owner: FileOwner) -> int:
    """Return how many parts there are from the experiment on: EXPERIMENT[/models]/ID/artifacts."""
    return 4 if owner.kind == "model" else 3


def _local(owner: FileOwner, place: Path) -> Sequence[SourceFile]:
    _inner(owner, place.as_posix())
    # The server makes its root when it starts, and the rest when there is a file to keep.
    experiment = Path(*place.parts[: 1 - _depth(owner)])
    if place.is_absolute() and (experiment.is_dir() or experiment.parent.is_dir()):
        return _below(place)
    raise ArtifactUnavailable(
        _shown(owner),
        "its directory is not on this machine. Copy the server's artifact root here, and give it "
        "with --artifacts-from.",
    )


def _below(directory: Path) -> Sequence[SourceFile]:
    """List a directory; links that lead out of it are left out."""
    root = directory.resolve()
    return [
        LocalFile(file.relative_to(directory).as_posix(), file.stat().st_size, file)
        for file in sorted(directory.rglob("*"))
        if file.is_file() and file.resolve().is_relative_to(root)
    ]


def _holds_an_experiment(root: Path) -> bool:
    return any(next(root.glob(form), None) for form in _FORMS)


def _shown(owner: FileOwner) -> str:
    return f"files of {owner.kind} {owner.name}"
