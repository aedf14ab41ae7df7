"""From settings to an artifact store."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from airflow_mltrack.artifacts.local import LocalArtifactStore
from airflow_mltrack.artifacts.s3 import S3ArtifactStore
from airflow_mltrack.exceptions import InvalidInput

if TYPE_CHECKING:
    from airflow_mltrack.artifacts.artifact_store import ArtifactStore
    from airflow_mltrack.settings import Settings

_HINT = "Use s3://bucket/prefix, file:///directory or an absolute path."


def open_artifact_store(settings: Settings) -> ArtifactStore:
    """Make the store that ``settings.artifact_uri`` names. Nothing is reached yet.

    :raises InvalidInput: when the URI has another scheme or is no absolute path.
    """
    uri = settings.artifact_uri
    if uri.startswith("/"):
        return LocalArtifactStore(uri)
    parts = urlsplit(uri)
    if parts.scheme == "s3":
        return S3ArtifactStore(uri, settings.s3)
    if parts.scheme == "file":
        if parts.netloc not in ("", "localhost"):
            raise InvalidInput("artifact URI", uri, "a file URI names no host.", _HINT)
        return LocalArtifactStore(unquote(parts.path))
    if parts.scheme:
        raise InvalidInput("artifact URI", uri, f"the scheme {parts.scheme} is unknown.", _HINT)
    raise InvalidInput("artifact URI", uri, "it is neither a URI nor an absolute path.", _HINT)
