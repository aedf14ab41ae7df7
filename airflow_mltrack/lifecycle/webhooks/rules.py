"""What the parts of a webhook may be."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from urllib.parse import urlsplit

from airflow_mltrack.entities.webhooks import EVENT_KINDS, EVERY_EVENT, MlflowEvent, WebhookFormat
from airflow_mltrack.exceptions import InvalidInput
from airflow_mltrack.store.key_rules import check_text

URL_LIMIT = 2_000
DESCRIPTION_LIMIT = 1_000
PATTERN_LIMIT = 250
NAME_LIMIT = 63
_VISIBLE_ASCII = re.compile(r"[!-~]+")
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
_KINDS: dict[WebhookFormat, tuple[str, ...]] = {
    WebhookFormat.MLTRACK: (*EVENT_KINDS, EVERY_EVENT),
    WebhookFormat.MLFLOW: tuple(event.value for event in MlflowEvent),
}


def check_url(url: object) -> None:
    """Refuse what cannot be sent to, and what would put a password into the database.

    No message shows the address: its path or query may be a secret.

    :raises InvalidInput: when it breaks a rule.
    """
    if not isinstance(url, str) or not 1 <= len(url) <= URL_LIMIT:
        raise _bad_url(f"it is text of 1 to {URL_LIMIT:,} characters.")
    if not _VISIBLE_ASCII.fullmatch(url):
        raise _bad_url("it holds visible ASCII characters only.", "Write others as %XX.")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise _bad_url("it cannot be read as a URL.") from None
    if parts.scheme not in ("http", "https"):
        raise _bad_url("it begins with https:// or http://.")
    if "@" in parts.netloc:
        raise _bad_url(
            "it holds no user and no password.",
            "The receiver knows us by the signature in the headers.",
        )
    if not host or port == 0:
        raise _bad_url("it names a host, and a port that is not 0.")
    if "#" in url:
        raise _bad_url("it has no part after #, which would not be sent.")


def checked_events(events: Sequence[str], kind: WebhookFormat) -> tuple[str, ...]:
    """Return the events that a webhook asks for, each once.

    :raises InvalidInput: when there are none, or its format does not know one.
    """
    known = _KINDS[kind]
    hint = f"Known are {_listed(known)}."
    if isinstance(events, str) or not events:
        raise InvalidInput("webhook events", events, "it is a list of kinds of events.", hint)
    for event in events:
        if event not in known:
            raise InvalidInput("webhook event", event, "there is no such kind of event.", hint)
    return tuple(dict.fromkeys(events))


def checked_name(name: str, *, required: bool = False) -> str:
    """Return a webhook's name; names need not be unique.

    :param required: refuse an empty one.
    :raises InvalidInput: when it breaks its rule.
    """
    if not name and not required:
        return name
    if len(name) > NAME_LIMIT or not _NAME.fullmatch(name):
        raise InvalidInput(
            "webhook name",
            name,
            f"it has 1 to {NAME_LIMIT} letters, digits, dots, underscores and hyphens, and begins "
            "and ends with a letter or digit.",
        )
    return name


def checked_description(description: str) -> str:
    """Return a description that can be kept.

    :raises InvalidInput: when it is too long or holds what cannot be kept.
    """
    return check_text("webhook description", description, DESCRIPTION_LIMIT)


def checked_models(pattern: str) -> str:
    """Return a pattern of model names that can be kept.

    :raises InvalidInput: when it is empty or too long, or holds what cannot be kept.
    """
    return check_text("webhook models", pattern, PATTERN_LIMIT, at_least=1)


def _bad_url(rule: str, hint: str = "") -> InvalidInput:
    return InvalidInput("webhook URL", "(hidden)", rule, hint)


def _listed(kinds: Collection[str]) -> str:
    names = [kind for kind in kinds if kind != EVERY_EVENT]
    return ", ".join(names) + (f", and {EVERY_EVENT} for all" if EVERY_EVENT in kinds else "")
