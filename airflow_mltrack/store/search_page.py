"""The token that leads to the next page: where the last page ended, and of which search."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from airflow_mltrack.exceptions import InvalidInput
from airflow_mltrack.store.search_order import SortValue
from airflow_mltrack.store.search_tokens import UNSTORABLE

_RULE = "it is a token that this very search gave, unchanged."
_HINT = "Begin again without a token."
_BIGGEST = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Position:
    """Where a page ended."""

    phase: int
    values: tuple[SortValue, ...]


def fingerprint(*facts: object) -> str:
    """Return a digest of what makes a search that search."""
    canonical = json.dumps(facts, sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def write_page_token(search: str, position: Position) -> str:
    """Write the token of a position in the search with this fingerprint."""
    values = [
        value.isoformat() if isinstance(value, datetime) else value for value in position.values
    ]
    content = json.dumps([search, position.phase, values], separators=(",", ":"))
    return base64.urlsafe_b64encode(content.encode()).decode()


def read_page_token(token: str, search: str, phase_types: Sequence[Sequence[type]]) -> Position:
    """Read a token.

    :param search: fingerprint of the search that the token is given to.
    :param phase_types: types of the sort values of each phase of that search.
    :raises InvalidInput: when it is the token of another search, or none of ours.
    """
    try:
        content = json.loads(base64.b64decode(token, altchars=b"-_", validate=True))
        owner, phase, values = content
        if owner != search or type(phase) is not int:
            raise ValueError(owner)
        types = dict(enumerate(phase_types))[phase]
        read = tuple(_read(value, kind) for value, kind in zip(values, types, strict=True))
    except (binascii.Error, ValueError, TypeError, KeyError, RecursionError) as error:
        raise InvalidInput("page_token", token, _RULE, _HINT) from error
    return Position(phase, read)


def _read(value: object, kind: type) -> SortValue:
    if kind is datetime and isinstance(value, str):
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is not None:
            return moment
    elif isinstance(value, str | int | float) and type(value) is kind and _is_storable(value):
        return value
    raise ValueError(value)


def _is_storable(value: str | float) -> bool:
    if isinstance(value, str):
        return UNSTORABLE.search(value) is None
    return not isinstance(value, int) or abs(value) <= _BIGGEST
