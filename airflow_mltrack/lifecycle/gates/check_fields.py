"""Read the fields of a check: every kind reads the same word in the same way."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_mltrack.entities.verdicts import ERROR, SEVERITIES
from airflow_mltrack.exceptions import InvalidInput
from airflow_mltrack.lifecycle.gates.gate import AT_LEAST, AT_MOST, CONFIDENCE, Bound
from airflow_mltrack.store.key_rules import check_key
from airflow_mltrack.training.close_names import check_known_keys, did_you_mean
from airflow_mltrack.training.metrics import METRICS

if TYPE_CHECKING:
    import pandas as pd

CONFIDENCE_KEYS = ("confident", "confidence")
"""Keys of every kind that gives a confidence interval."""
LARGEST = 1e300
"""Largest number that a check may hold; keeps whole numbers beyond floats out."""
_LONGEST_NAME = 200  # in bytes: it becomes part of a metric's key and of a file's name
_LONGEST_DEFAULT = 50  # characters, each at most four bytes
_UNNAMEABLE = re.compile(r"[^\w.\- ]")
_LEAST_CONFIDENCE, _MOST_CONFIDENCE = 0.5, 0.999


def check_keys(what: str, check: Mapping[str, object], own: Sequence[str]) -> None:
    """Refuse keys that the kind does not read.

    :param what: the check in words, for example ``threshold check``.
    :param own: keys of this kind, beside ``kind``, ``name`` and ``severity``.
    """
    check_known_keys(what, check, ("kind", "name", "severity", *own))


def read_name(check: Mapping[str, object], default: str) -> str:
    """Return what a check is called.

    :raises InvalidInput: when it can be no metric's key or no file's name: what the check observes
        is logged under it.
    """
    name = check.get("name", default)
    if not isinstance(name, str):
        raise InvalidInput("check name", name, "it is text.")
    check_key("check name", name)
    if len(name.encode()) > _LONGEST_NAME:
        raise InvalidInput("check name", name, f"it is at most {_LONGEST_NAME} bytes long.")
    if any(part in ("", ".") for part in name.split("/")):
        raise InvalidInput("check name", name, "it has no empty and no . part between slashes.")
    return name


def plain_name(*parts: str) -> str:
    """Join words into the name of a check; what no name may hold becomes ``_``."""
    return _UNNAMEABLE.sub("_", "_".join(parts)).strip("/")[:_LONGEST_DEFAULT]


def read_severity(check: Mapping[str, object]) -> str:
    """Return what a failure of the check does; an error when it does not say."""
    return read_choice(check, "severity", SEVERITIES, default=ERROR)


def read_metric(check: Mapping[str, object]) -> str:
    """Return the metric that a check names.

    :raises InvalidInput: when it is missing or unknown; names those that there are.
    """
    metric = check.get("metric")
    if not isinstance(metric, str) or metric not in METRICS:
        close = did_you_mean(metric, METRICS) if isinstance(metric, str) else ""
        raise InvalidInput("check metric", metric, f"known are {', '.join(METRICS)}.", close)
    return metric


def read_bound(check: Mapping[str, object], at_least: str | None, at_most: str | None) -> Bound:
    """Read a limit, and how surely it must be kept: exactly one of two keys holds it.

    :param at_least: key of a lower limit, for example ``min``; None where the kind has none.
    :param at_most: key of an upper limit, for example ``max``; None where the kind has none.
    """
    keys = [key for key in (at_least, at_most) if key is not None]
    given = [key for key in keys if key in check]
    if len(given) != 1:
        rule = "exactly one of the keys " + " and ".join(keys) if keys[1:] else f"the key {keys[0]}"
        raise InvalidInput("check", dict(check), f"it has {rule}.")
    return Bound(
        AT_LEAST if given[0] == at_least else AT_MOST,
        read_number(check, given[0]),
        read_flag(check, "confident"),
        read_number(check, "confidence", CONFIDENCE, low=_LEAST_CONFIDENCE, high=_MOST_CONFIDENCE),
    )


def read_number(
    check: Mapping[str, object],
    key: str,
    default: float | None = None,
    *,
    low: float = -LARGEST,
    high: float = LARGEST,
) -> float:
    """Return a number; without a default it must be given.

    :param low: smallest that is allowed.
    :param high: largest that is allowed.
    """
    value = check.get(key, default)
    if (
        isinstance(value, bool)
        or not isinstance(value, (int, float))
        or not -LARGEST <= value <= LARGEST
    ):
        raise InvalidInput(f"check {key}", value, "it is a finite number.")
    if not low <= value <= high:
        raise InvalidInput(f"check {key}", value, f"it {_range_words(low, high)}.")
    return float(value)


def read_whole_number(
    check: Mapping[str, object], key: str, default: int | None = None, *, low: int, high: int
) -> int:
    """Return a whole number; without a default it must be given."""
    number = read_number(check, key, default, low=low, high=high)
    if not number.is_integer():
        raise InvalidInput(f"check {key}", check.get(key), "it is a whole number.")
    return int(number)


def read_flag(check: Mapping[str, object], key: str) -> bool:
    """Return true or false; false when it is not given."""
    flag = check.get(key, False)
    if not isinstance(flag, bool):
        raise InvalidInput(f"check {key}", flag, "it is true or false.")
    return flag


def read_choice(
    check: Mapping[str, object], key: str, known: Sequence[str], *, default: str | None = None
) -> str:
    """Return one of a few words; without a default it must be given."""
    value = check.get(key, default)
    if not isinstance(value, str) or value not in known:
        close = did_you_mean(value, known) if isinstance(value, str) else ""
        raise InvalidInput(f"check {key}", value, f"it is {' or '.join(known)}.", close)
    return value


def read_text(check: Mapping[str, object], key: str) -> str:
    """Return text that must be given and is not empty."""
    value = check.get(key)
    if not isinstance(value, str) or not value:
        raise InvalidInput(f"check {key}", value, "it is text that is not empty.")
    return value


def find_column(features: pd.DataFrame, column: str) -> pd.Series[Any]:
    """Return a column of the judged rows.

    :raises InvalidInput: when there is none; names the closest ones.
    """
    if column not in features.columns:
        names = [str(name) for name in features.columns]
        raise InvalidInput(
            "check column",
            column,
            f"the judged rows have {len(names)} columns, and not this one.",
            did_you_mean(column, names) or f"Their columns are {', '.join(names[:20])}.",
        )
    found: pd.Series[Any] = features[column]
    return found


def _range_words(low: float, high: float) -> str:
    if high >= LARGEST:
        return f"is at least {low:g}"
    if low <= -LARGEST:
        return f"is at most {high:g}"
    return f"lies between {low:g} and {high:g}"
