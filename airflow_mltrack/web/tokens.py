"""Tokens of ``mltrack server``: a file of names, roles and digests, never the tokens themselves.

One line for each token, ``NAME ROLE SHA256``; lines that begin with ``#`` are comments. A role is
``viewer`` (reads), ``user`` (also logs) or ``promoter`` (also changes what is live).
"""

from __future__ import annotations

import hashlib
import os
import secrets
import stat
from dataclasses import dataclass
from pathlib import Path

from airflow_mltrack.exceptions import InvalidInput, NotFound

ROLES = ("viewer", "user", "promoter")
"""Each may do what the one before may."""
_DIGITS = frozenset("0123456789abcdef")
_NAME_LIMIT = 200


@dataclass(frozen=True, slots=True)
class TokenHolder:
    """Whom a token belongs to."""

    name: str
    role: str

    def may(self, role: str) -> bool:
        """Say whether it is this role or a higher one."""
        return ROLES.index(self.role) >= ROLES.index(role)


def read_tokens(path: Path) -> dict[str, TokenHolder]:
    """Read a token file.

    :return: sha256 of a token, hexadecimal, to its holder.
    :raises NotFound: when there is no such file.
    :raises InvalidInput: when it cannot be read, or others may write it.
    """
    return _read_lines(_text_of(path))


def create_token(path: Path, name: str, role: str) -> str:
    """Make a token, add its digest to a file, and return it: it is not kept anywhere.

    The file is made if need be, readable by its owner only.

    :param name: without white space.
    :param role: one of :data:`ROLES`.
    :raises InvalidInput: when name or role break a rule, or the file cannot be read or written.
    """
    if not name or len(name) > _NAME_LIMIT or name.split() != [name] or name[0] == "#":
        raise InvalidInput(
            "token name",
            name,
            f"it has 1 to {_NAME_LIMIT} characters, no white space, and no # in front.",
        )
    if not name.isprintable() or ":" in name:
        raise InvalidInput("token name", name, "it has no colon and no control characters.")
    if role not in ROLES:
        raise InvalidInput("token role", role, f"it is one of {', '.join(ROLES)}.")
    text = _text_of(path) if path.exists() else ""
    _read_lines(text)
    token = secrets.token_urlsafe(32)
    line = f"{name} {role} {token_digest(token)}\n"
    _append(path, line if not text or text.endswith("\n") else f"\n{line}")
    return token


def token_digest(token: str) -> str:
    """Return what a file holds of a token; it is random and long, so one hash is enough."""
    return hashlib.sha256(token.encode()).hexdigest()


def _is_digest(text: str) -> bool:
    return len(text) == 64 and set(text) <= _DIGITS


def _text_of(path: Path) -> str:
    try:
        mode = path.stat().st_mode
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        hint = f"Make it: mltrack token create NAME --role user --file {path}"
        raise NotFound("token file", str(path), hint) from error
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput("token file", str(path), f"it cannot be read ({error}).") from error
    if mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise InvalidInput(
            "token file", str(path), "nobody but its owner may write it.", f"Run: chmod go-w {path}"
        )
    return text


def _read_lines(text: str) -> dict[str, TokenHolder]:
    found: dict[str, TokenHolder] = {}
    for number, line in enumerate(text.split("\n"), start=1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if len(words) != 3 or words[1] not in ROLES or not _is_digest(words[2]):
            raise InvalidInput(
                f"token file line {number}",
                words[0],
                f"a line is NAME ROLE SHA256, and ROLE is one of {', '.join(ROLES)}.",
                "Lines are made by: mltrack token create",
            )
        found[words[2]] = TokenHolder(words[0], words[1])
    return found


def _append(path: Path, text: str) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "a", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        rule = f"it cannot be written ({error.strerror})."
        raise InvalidInput("token file", str(path), rule) from error
