"""Telling the host of the web app that a version was moved, for those who wait for it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_mltrack.entities.registry import ModelVersion
    from airflow_mltrack.web.access import Reader

log = logging.getLogger(__name__)


class Told(str, Enum):
    """What became of an announcement."""

    SENT = "sent"
    NO_CONSUMER = "no consumer"
    FAILED = "failed"


Announce = Callable[["Reader", "ModelVersion", Mapping[str, object]], Told]
"""Tells that a version was moved: who did it, the version as it stands now, and the facts."""


def to_nobody(_reader: Reader, _version: ModelVersion, _facts: Mapping[str, object]) -> Told:
    """Announce where there is nobody to tell."""
    return Told.NO_CONSUMER


def announce_safely(
    announce: Announce, reader: Reader, version: ModelVersion, facts: Mapping[str, object]
) -> Told:
    """Announce a move that was made: it stands, whatever happens here."""
    try:
        return announce(reader, version, facts)
    except Exception:
        log.exception(
            "%s version %d is in %s, but nobody could be told.",
            version.name,
            version.version,
            version.stage,
        )
        return Told.FAILED
