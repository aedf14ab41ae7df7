"""Headers of every answer of the JSON API."""

from __future__ import annotations

from fastapi import Response

from airflow_mltrack.web.rendering import PRIVATE


def keep_private(response: Response) -> None:
    """Let nobody keep what one reader may see."""
    response.headers.update(PRIVATE)
