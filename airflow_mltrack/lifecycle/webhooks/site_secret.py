"""The site's webhook secret: what it signs with, and what it keeps other secrets under.

A webhook's own secret lies in the database as a Fernet token; its key is drawn from the site's
secret (HKDF with SHA-256, RFC 5869). A copy of the database alone tells nobody what it is.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from airflow_mltrack.exceptions import InvalidInput
from airflow_mltrack.store.key_rules import check_text

if TYPE_CHECKING:
    from cryptography.fernet import Fernet

    from airflow_mltrack.settings import Settings

SHORTEST_SECRET = 16
OWN_SECRET_LIMIT = 1_000
_EXAMPLE = "Make one, for example: openssl rand -hex 32"
_PURPOSE = b"airflow-mltrack: secrets of webhooks"


def signing_key(settings: Settings) -> bytes:
    """Return the secret that signs.

    :raises InvalidInput: when there is none, or one that can be guessed.
    """
    secret = settings.webhook_secret or ""
    if not secret.strip():
        raise InvalidInput(
            "webhook secret",
            None,
            "nothing is sent that is not signed.",
            "Set MLTRACK_WEBHOOK_SECRET, or the connection's field webhook_secret. " + _EXAMPLE,
        )
    if len(secret) < SHORTEST_SECRET:
        rule = f"it has at least {SHORTEST_SECRET} characters."
        raise InvalidInput("webhook secret", "(hidden)", rule, _EXAMPLE)
    return secret.encode("utf-8", "surrogateescape")  # as the environment gives bytes


def check_own_secret(secret: str) -> str:
    """Return a webhook's own secret when it can be kept; no message shows it.

    :raises InvalidInput: when it is empty or too long, or holds what cannot be kept.
    """
    try:
        return check_text("secret", secret, OWN_SECRET_LIMIT, at_least=1)
    except InvalidInput:
        rule = f"it is text of 1 to {OWN_SECRET_LIMIT:,} characters without NUL."
        raise InvalidInput("secret of the webhook", "(hidden)", rule) from None


def seal(secret: str, key: bytes) -> str:
    """Encrypt a webhook's own secret.

    :param key: as :func:`signing_key` gives it.
    """
    return _cipher(key).encrypt(secret.encode()).decode()


def unseal(sealed: str, key: bytes) -> bytes:
    """Decrypt a webhook's own secret.

    :raises InvalidInput: when it was sealed under another secret of the site, or was touched.
    """
    from cryptography.fernet import InvalidToken

    try:
        return _cipher(key).decrypt(sealed.encode())
    except (InvalidToken, UnicodeError):
        raise InvalidInput(
            "secret of the webhook",
            "(hidden)",
            "it was kept under another webhook secret of this site, and cannot be read any more.",
            "Set the webhook's secret anew, or give this deliverer the MLTRACK_WEBHOOK_SECRET that "
            "was in use then.",
        ) from None


def _cipher(key: bytes) -> Fernet:
    from cryptography.fernet import Fernet
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    drawn = HKDF(SHA256(), length=32, salt=None, info=_PURPOSE).derive(key)
    return Fernet(base64.urlsafe_b64encode(drawn))
