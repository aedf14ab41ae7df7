"""Find the source that an address names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from airflow_mltrack.exceptions import InvalidInput
from airflow_mltrack.lifecycle.mlflow_import.kept_files import KeptFiles
from airflow_mltrack.lifecycle.mlflow_import.rest_source import RestSource
from airflow_mltrack.lifecycle.mlflow_import.sql_source import SqlSource

if TYPE_CHECKING:
    from airflow_mltrack.lifecycle.mlflow_import.source import Source


def open_source(address: str, *, artifacts_from: Path | None = None) -> Source:
    """Open a source of MLflow records.

    :param address: ``http://...`` of a server, or ``postgresql://...`` or ``sqlite:///...`` of its
        database.
    :param artifacts_from: directory with a copy of the server's artifact root; None reads files
        where the records say that they are, or through the server.
    :raises InvalidInput: when the address names no source.
    :raises DataUnavailable: when it does not answer.
    """
    if address.lower().startswith(("http://", "https://")):
        if artifacts_from is not None:
            raise InvalidInput(
                "--artifacts-from", str(artifacts_from), "a server gives its files itself."
            )
        return RestSource(address)
    return SqlSource(address, KeptFiles(artifacts_from))
