"""What may be a key, a value or a name: one set of rules for params, metrics and tags."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from airflow_mltrack.exceptions import InvalidInput

KEY_LIMIT = 250
PARAM_VALUE_LIMIT = 6_000
TAG_VALUE_LIMIT = 8_000
EXPERIMENT_TAG_LIMIT = 20_000
REGISTRY_TAG_LIMIT = 100_000
"""Characters of a tag's value: of runs and logged models, of experiments, of registered models and
versions; MLflow's limits."""
NAME_LIMIT = 500
_KEY = re.compile(r"[\w.\- :/]+")


def check_key(what: str, key: str) -> str:
    """Return ``key`` when it may name a param, a metric or a tag.

    :param what: which input, for the message, for example ``metric key``.
    :raises InvalidInput: with the rule that it breaks.
    """
    if not isinstance(key, str):
        raise InvalidInput(what, key, "it is text.")
    rule = ""
    if not key:
        rule = "it has at least one character."
    elif len(key) > KEY_LIMIT:
        rule = f"it is at most {KEY_LIMIT} characters long."
    elif not _KEY.fullmatch(key):
        rule = "it holds only letters, digits, spaces and _ - . : /"
    elif key.startswith("/") or key.endswith("/") or ".." in key.split("/"):
        rule = "it neither begins nor ends with '/' and has no '..' part."
    if rule:
        raise InvalidInput(what, key, rule)
    return key


def check_text(what: str, value: str, limit: int, *, at_least: int = 0) -> str:
    """Return ``value`` when Postgres can hold it and it is not too long.

    :param what: which input, for the message, for example ``param value``.
    :param limit: most characters.
    :param at_least: fewest characters.
    :raises InvalidInput: with the rule that it breaks.
    """
    if not isinstance(value, str):
        raise InvalidInput(what, value, "it is text.")
    if not at_least <= len(value) <= limit:
        least = f"at least {at_least} and " if at_least else ""
        raise InvalidInput(what, value, f"it is {least}at most {limit} characters long.")
    if "\x00" in value or not (value.isascii() or _encodable(value)):
        raise InvalidInput(
            what, value, "it holds no NUL character and no half of a surrogate pair."
        )
    return value


def check_name(what: str, name: str) -> str:
    """Return ``name`` when it may name an experiment, a run or a data set.

    :raises InvalidInput: with the rule that it breaks.
    """
    check_text(what, name, NAME_LIMIT, at_least=1)
    if not name.strip():
        raise InvalidInput(what, name, "it is not only spaces.")
    return name


def check_tags(tags: Mapping[str, str], limit: int = TAG_VALUE_LIMIT) -> dict[str, str]:
    """Return ``tags``, sorted by key, when every key and value may be stored.

    :param limit: most characters of a value.
    :raises InvalidInput: names the tag.
    """
    return _check_pairs("tag", tags.items(), limit)


def check_params(params: Mapping[str, str]) -> dict[str, str]:
    """Return ``params``, sorted by key, when every key and value may be stored.

    :raises InvalidInput: names the param.
    """
    return _check_pairs("param", params.items(), PARAM_VALUE_LIMIT)


def _check_pairs(kind: str, pairs: Iterable[tuple[str, str]], limit: int) -> dict[str, str]:
    # Sorted, so that two writers take their row locks in the same order and never deadlock.
    checked = {check_key(f"{kind} key", key): value for key, value in pairs}
    return {key: check_text(f"{kind} {key}", checked[key], limit) for key in sorted(checked)}


def _encodable(value: str) -> bool:
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
