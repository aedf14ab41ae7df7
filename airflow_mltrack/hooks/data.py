"""Opens data through Airflow: a function that training and scoring call with a URI."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, BinaryIO, cast
from urllib.parse import urlsplit

from airflow_mltrack.exceptions import InvalidInput, NotFound

if TYPE_CHECKING:
    from airflow_mltrack.hooks.mltrack import MltrackHook
    from airflow_mltrack.training.table_file import Opener

_READ_DIRECTLY = ("", "file", "http", "https")


def make_opener(hook: MltrackHook) -> Opener:
    """Give a function that opens any URI for reading.

    Local files and http(s) are read directly, other schemes through Airflow's object storage
    (``s3://aws_conn_id@bucket/key`` names an Airflow connection, as everywhere in Airflow). Where
    no provider of ``s3`` is installed, keys and endpoint of the tracking connection are used.
    """

    def open_uri(uri: str) -> BinaryIO:
        stream = _open(uri, hook)
        _note_lineage(uri, hook)
        return stream

    return open_uri


def _open(uri: str, hook: MltrackHook) -> BinaryIO:
    from airflow.sdk.io import has_fs

    scheme = urlsplit(uri).scheme
    if scheme in _READ_DIRECTLY or len(scheme) == 1:  # one letter: a drive
        from airflow_mltrack.training.table_file import open_uri

        return open_uri(uri)
    if scheme == "s3" and not has_fs(scheme):
        return _open_s3(uri, hook)
    return _open_object(uri)


def _open_object(uri: str) -> BinaryIO:
    from airflow.sdk import ObjectStoragePath

    from airflow_mltrack.training.table_file import without_secrets

    try:
        return cast("BinaryIO", ObjectStoragePath(uri).open("rb"))  # type: ignore[no-untyped-call]
    except FileNotFoundError as error:
        raise NotFound(
            "data set", without_secrets(uri), "Check the path and who may read it."
        ) from error
    except (ValueError, ImportError) as error:
        raise InvalidInput(
            "data set URI",
            without_secrets(uri),
            f"Airflow's object storage cannot open it: {error}.",
            "Install the provider of that storage.",
        ) from error


def _open_s3(uri: str, hook: MltrackHook) -> BinaryIO:
    """Stream an object with our own S3 settings."""
    from airflow_mltrack.artifacts.s3 import S3ArtifactStore
    from airflow_mltrack.training.table_file import without_secrets

    parts = urlsplit(uri)
    if parts.username:
        raise InvalidInput(
            "data set URI",
            without_secrets(uri),
            "it names an Airflow connection, but no provider of s3 is installed.",
            "Run: pip install apache-airflow-providers-amazon[s3fs]",
        )
    store = S3ArtifactStore(f"s3://{parts.netloc}", hook.settings.s3)
    return store.open(parts.path.lstrip("/"))


def _note_lineage(uri: str, hook: Any) -> None:
    """Tell Airflow's lineage collector, which does nothing unless somebody listens."""
    from airflow.sdk.lineage import get_hook_lineage_collector

    from airflow_mltrack.training.table_file import without_secrets

    if len(urlsplit(uri).scheme) > 1:
        get_hook_lineage_collector().add_input_asset(context=hook, uri=without_secrets(uri))
