"""Text of other people inside Markdown: it is read as text, whatever it says."""

from __future__ import annotations

import html
import re

from airflow_mltrack.lifecycle.evidence.report import visible_text

_LIMIT = 2_000
_MARKS = re.compile(r"[\\`*_{}\[\]()#!|~:@$^]")
_BULLET = re.compile(r"^(?=[-+=])")
_NUMBER = re.compile(r"^(\d+)\.")
_WEB = re.compile(r"(www)\.", re.IGNORECASE)


def one_line(value: object, limit: int = _LIMIT) -> str:
    """Return a value as one line of at most so many characters."""
    text = visible_text(" ".join(str(value).split()))
    return text if len(text) <= limit else f"{text[:limit]}…"


def in_text(value: object) -> str:
    """Write a value where Markdown reads text: no mark, tag or link in it takes effect."""
    text = _MARKS.sub(r"\\\g<0>", html.escape(one_line(value), quote=False))
    text = _NUMBER.sub(r"\1\\.", _BULLET.sub(r"\\", text))
    return _WEB.sub(r"\1\\.", text)


def in_code(value: object) -> str:
    """Write a value as a code span; it may stand in a table."""
    if value is None or value == "":
        return "not provided"
    text = one_line(value)
    fence = "`" * (_longest_run(text) + 1)
    padded = f" {text} " if text.startswith("`") or text.endswith("`") else text
    return f"{fence}{padded}{fence}".replace("|", "\\|")


def fenced(language: str, text: str) -> str:
    """Write a block of code, with a fence that nothing in it can close."""
    fence = "`" * max(3, _longest_run(text) + 1)
    return f"{fence}{language}\n{text}\n{fence}"


def _longest_run(text: str) -> int:
    return max((len(run) for run in re.findall("`+", text)), default=0)
