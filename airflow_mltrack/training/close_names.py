"""Suggest the name that was probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping

from airflow_mltrack.exceptions import InvalidInput


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Word a hint with up to three close names; empty when nothing is close."""
    by_lower = {candidate.lower(): candidate for candidate in known}
    close = difflib.get_close_matches(name.lower(), by_lower, n=3, cutoff=0.6)
    return f"Did you mean {' or '.join(by_lower[match] for match in close)}?" if close else ""


def check_known_keys(what: str, given: Mapping[str, object], known: Iterable[str]) -> None:
    """Refuse keys that nobody reads.

    :param what: the thing whose keys they are, for the message.
    :raises InvalidInput: when it is no mapping, or for the first unknown key, with close ones.
    """
    plain: object = given  # it comes from JSON: anything is possible
    if not isinstance(plain, Mapping):
        raise InvalidInput(what, plain, "it is a mapping.")
    names = list(known)
    for key in given:
        if key not in names:
            raise InvalidInput(
                f"{what} key", key, f"known are {', '.join(names)}.", did_you_mean(key, names)
            )
