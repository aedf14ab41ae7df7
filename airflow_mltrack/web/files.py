"""Sends a file of a run. Its name, type and bytes were chosen by whoever logged it."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import quote

from fastapi import Response
from fastapi.responses import StreamingResponse

from airflow_mltrack.exceptions import NotFound
from airflow_mltrack.web.rendering import PRIVATE

if TYPE_CHECKING:
    from typing import BinaryIO

    from starlette.types import Receive, Scope, Send

    from airflow_mltrack.artifacts.artifact_store import ArtifactStore
    from airflow_mltrack.entities.artifacts import Artifact

INLINE = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
"""Types that a browser may show; everything else is downloaded, because files share our origin.
SVG is not among them: it can hold script."""
_CHUNK = 1 << 20
_TYPE = re.compile(
    r"[a-z0-9][\w.+-]*/[a-z0-9][\w.+-]*(; ?charset=[\w-]+)?", re.ASCII | re.IGNORECASE
)


def send_file(store: ArtifactStore, record: Artifact, *, with_bytes: bool = True) -> Response:
    """Send a file whose digest is verified on the way; changed bytes end in a broken transfer.

    :param with_bytes: False answers a HEAD request: nothing is read.
    :raises NotFound: when the bytes are gone.
    :raises ArtifactError: when the store cannot be read.
    """
    kind = record.content_type if _TYPE.fullmatch(record.content_type) else ""
    inline = kind.lower() in INLINE
    # Percent-encoding leaves nothing of a name that could end the header or the quotes around it.
    name = quote(record.path.rpartition("/")[2], safe="")
    headers = {
        **PRIVATE,
        "Content-Disposition": f"{'inline' if inline else 'attachment'}; filename*=UTF-8''{name}",
        "Content-Length": str(record.size),
        "Content-Security-Policy": "sandbox; default-src 'none'",
    }
    media_type = kind or "application/octet-stream"
    if not with_bytes:
        return Response(headers=headers, media_type=media_type)
    return _SentFile(_open(store, record), media_type=media_type, headers=headers)


class _SentFile(StreamingResponse):
    """Sends a file, and lets go of it: also when nobody waits any more for its first byte."""

    def __init__(self, file: BinaryIO, *, media_type: str, headers: dict[str, str]) -> None:
        self._file = file
        chunks = iter(partial(file.read, _CHUNK), b"")
        super().__init__(chunks, media_type=media_type, headers=headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._file.close()


def _open(store: ArtifactStore, record: Artifact) -> BinaryIO:
    """Open now, while an error can still be answered; it is read when the answer is sent."""
    try:
        return store.open(record.key, sha256=record.sha256)
    except NotFound as error:  # its words name the place where the bytes should lie
        hint = "It was logged, but its bytes are gone; restore them from a backup."
        raise NotFound("file", record.path, hint) from error
