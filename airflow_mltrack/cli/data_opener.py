"""Opens the tables that a command reads, wherever they lie."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from airflow_mltrack.settings import Settings
    from airflow_mltrack.training.table_file import Opener


def make_opener(conn_id: str | None, settings: Settings) -> Opener:
    """Give a function that opens a URI for reading.

    With an Airflow connection everything that Airflow's object storage opens, as in a task. Without
    one paths, ``file://``, ``http(s)://``, and ``s3://`` with the keys of the artifact store.
    """
    if conn_id is not None:
        from airflow_mltrack.hooks.data import make_opener as opener_of_tasks
        from airflow_mltrack.hooks.mltrack import MltrackHook

        return opener_of_tasks(MltrackHook(conn_id))

    def open_plainly(uri: str) -> BinaryIO:
        from airflow_mltrack.training.table_file import open_uri

        parts = urlsplit(uri)
        if parts.scheme != "s3" or parts.username:
            return open_uri(uri)
        from airflow_mltrack.artifacts.s3 import S3ArtifactStore

        return S3ArtifactStore(f"s3://{parts.netloc}", settings.s3).open(parts.path.lstrip("/"))

    return open_plainly
