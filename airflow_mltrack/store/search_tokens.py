"""A filter string as tokens: words, quoted text, numbers, signs."""

from __future__ import annotations

import re
from dataclasses import dataclass

from airflow_mltrack.exceptions import InvalidFilter

TEXT_LIMIT = 1_000_000
"""Most characters of a filter."""
_TOKEN = re.compile(
    r"""
    (?P<word>[^\W\d][\w.\-/:]*)
    | (?P<number>[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)
    | '(?P<single>[^']*(?:''[^']*)*)'
    | "(?P<double>[^"]*(?:""[^"]*)*)"
    | `(?P<backtick>[^`]*(?:``[^`]*)*)`
    | (?P<sign>!=|<=|>=|[=<>(),])
    """,
    re.VERBOSE,
)
_QUOTES = {"single": "'", "double": '"', "backtick": "`"}
_SPACE = re.compile(r"\s*")
UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
"""Characters that a database in UTF-8 cannot hold."""


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of a filter."""

    kind: str
    """``word``, ``number``, ``sign``, ``end``, or the quotes of text: ``single``, ``double``,
    ``backtick``."""
    text: str
    """Without its quotes, doubled ones undone."""
    position: int
    """Index of its first character."""
    end: int
    """Index after its last character."""

    def is_word(self, *words: str) -> bool:
        """Whether it is one of these keywords, in any case."""
        return self.kind == "word" and self.text.upper() in words

    def is_sign(self, *signs: str) -> bool:
        """Whether it is one of these signs."""
        return self.kind == "sign" and self.text in signs


def tokenize(text: str) -> list[Token]:
    """Cut a filter into tokens; the last one is of kind ``end``.

    :raises InvalidFilter: says at which character nothing fits.
    """
    _check(text)
    tokens: list[Token] = []
    position = _skip_space(text, 0)
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise InvalidFilter(text, position, _expectation(text[position]))
        kind = match.lastgroup or ""
        quote = _QUOTES.get(kind, "")
        content = match[kind].replace(quote * 2, quote) if quote else match[kind]
        tokens.append(Token(kind, content, position, match.end()))
        position = _skip_space(text, match.end())
    return [*tokens, Token("end", "", len(text), len(text))]


def _check(text: str) -> None:
    if len(text) > TEXT_LIMIT:
        raise InvalidFilter(text, TEXT_LIMIT, f"at most {TEXT_LIMIT:,} characters")
    unstorable = UNSTORABLE.search(text)
    if unstorable is not None:
        raise InvalidFilter(
            text, unstorable.start(), "text without NUL and without halves of surrogate pairs"
        )


def _skip_space(text: str, position: int) -> int:
    match = _SPACE.match(text, position)
    return match.end() if match else position


def _expectation(character: str) -> str:
    if character in _QUOTES.values():
        return f"text that ends with another {character}"
    if character == "!":
        return "!="
    return "a name, a comparison, a number or quoted text"
