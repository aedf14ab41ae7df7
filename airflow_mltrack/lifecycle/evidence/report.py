"""The report of an evidence pack: one HTML page that needs no network and runs no script."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING

from markupsafe import Markup

from airflow_mltrack.lifecycle.evidence.values import items, mapping

if TYPE_CHECKING:
    from jinja2 import Environment

    from airflow_mltrack.lifecycle.evidence.archive import ArchiveFolder, StagedFile
    from airflow_mltrack.lifecycle.evidence.document import Document

NOTHING = "\N{EN DASH}"
"""Shown where there is no value."""
ROWS = 500
"""Most rows of one table; a note counts the rest."""
IMAGES = 24
"""Most pictures of the page."""
IMAGE_BYTES, ALL_IMAGE_BYTES = 2 * 1024 * 1024, 16 * 1024 * 1024
"""Most bytes of one picture, and of all together; larger ones are named and stay files."""
TEXT = 1_500
"""Most characters of one value."""
EVIDENCE_TEXT, DIFF_TEXT = 2_500, 12_000
"""Most characters of a check's numbers, and of a diff."""

_SHORT = 12
"""Characters that tell one id or digest from another on one page."""
_PICTURES = {
    "image/png": b"\x89PNG",
    "image/jpeg": b"\xff\xd8\xff",
    "image/gif": b"GIF8",
    "image/webp": b"RIFF",
}
"""Types that a browser shows and that can hold no script, and how their bytes begin."""
# Control characters, and those that turn the reading direction: they make text look like another.
_UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]")
_SIGNS = {">=": "≥", "<=": "≤"}


def render_report(document: Document, folder: ArchiveFolder) -> str:
    """Write the report.

    :param document: what :func:`.document.evidence_document` gave.
    :param folder: holds the files that the report shows.
    """
    files = {file.path: file for file in folder.files}
    return (
        _environment()
        .get_template("report.html")
        .render(
            {**document, "code_version": document["code"]},
            pictures=_pictures(document, files),
            shown_evidence=_shown_evidence(document, files),
            diff=_diff(document, files),
            rows=ROWS,
        )
    )


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("airflow_mltrack.lifecycle.evidence"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_visible,
    )
    environment.filters.update(
        number=show_number,
        exact=show_exact,
        moment=show_moment,
        size=show_size,
        text=show_text,
        columns=show_columns,
        duration=show_duration,
        short=lambda value: show_text(value)[:_SHORT] if value else "",
        pretty=lambda value: json.dumps(value, indent=1, ensure_ascii=False),
        sign=lambda comparison: _SIGNS.get(comparison, comparison),
    )
    return environment


def visible_text(text: str) -> str:
    """Spell characters out that cannot be seen or that turn the reading direction."""
    return _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def show_number(value: object) -> str:
    """Write a number with four decimals, as a column of them is read."""
    if isinstance(value, float) and value != round(value) and 0.001 <= abs(value) < 100_000:
        return f"{value:.4f}"
    return show_exact(value)


def show_exact(value: object) -> str:
    """Write a number with the digits that tell it from a limit."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return show_text(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:.10g}"


def show_moment(value: object) -> str:
    """Write a time of the document, which is in UTC, to the second."""
    return str(value)[:19].replace("T", " ") if value else NOTHING


def show_size(value: object) -> str:
    """Write a number of bytes in the largest fitting unit."""
    if not isinstance(value, (int, float)):
        return NOTHING
    amount = float(value)
    for unit in ("B", "KiB", "MiB"):
        if amount < 1024:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} GiB"


def show_duration(days: object) -> str:
    """Write a number of days, or of hours where that says more."""
    if not isinstance(days, (int, float)):
        return NOTHING
    return f"{days:.1f} days" if days >= 2 else f"{24 * days:.1f} hours"


def show_columns(schema: object) -> object:
    """Return a data set's columns as a list of name and type, where its schema is MLflow's."""
    known = mapping(schema)
    columns = [
        f"{column.get('name')} ({column.get('type')})"
        for column in items(known.get("mlflow_colspec"))
    ]
    rest = {key: value for key, value in known.items() if key != "mlflow_colspec"}
    return {**rest, "columns": columns} if columns else schema


def show_text(value: object, limit: int = TEXT) -> str:
    """Write any value of the document in at most so many characters."""
    text = _words(value)
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text):,} characters)"


def _words(value: object) -> str:
    """Write nested data for people: what is empty is left out."""
    if value is None or value in ("", [], {}):
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        told = [f"{key}: {_words(item)}" for key, item in value.items() if _words(item) != NOTHING]
        return ", ".join(told)
    if isinstance(value, list):
        return ", ".join(map(_words, value))
    return value if isinstance(value, str) else show_exact(value)


def _visible(value: object) -> object:
    return value if isinstance(value, Markup) or not isinstance(value, str) else visible_text(value)


def _pictures(document: Document, files: Mapping[str, StagedFile]) -> list[Mapping[str, object]]:
    """Return the plots with their bytes as an address, where they may stand in the page."""
    shown: list[Mapping[str, object]] = []
    used = 0
    for plot in items(document["plots"]):
        file, kind = files[str(plot["path"])], str(plot["content_type"]).lower()
        if not kind.startswith("image/"):
            continue
        fits = file.size <= IMAGE_BYTES and used + file.size <= ALL_IMAGE_BYTES
        address = None
        if kind in _PICTURES and fits and len(shown) < IMAGES:
            data = file.local.read_bytes()
            if data.startswith(_PICTURES[kind]):
                used += file.size
                address = f"data:{kind};base64,{base64.b64encode(data).decode()}"
        shown.append({**plot, "address": address})
    return shown


def _shown_evidence(document: Document, files: Mapping[str, StagedFile]) -> dict[str, str]:
    """Return the beginning of what every check saw, by path in the archive."""
    paths = [
        str(check["evidence_copy"])
        for verdict in items(document["verdicts"])
        for check in items(verdict["checks"])
        if check["evidence_copy"] is not None
    ]
    return {path: _evidence_text(files[path]) for path in paths}


def _evidence_text(file: StagedFile) -> str:
    """Lay small JSON out without what the check's row says already; show other text as it is."""
    if file.size <= IMAGE_BYTES:
        try:
            found = json.loads(file.local.read_bytes())
            data = found.get("data", found) if isinstance(found, dict) else found
            return show_text(json.dumps(data, indent=1), EVIDENCE_TEXT)
        except (ValueError, RecursionError):
            pass
    return _beginning(file, EVIDENCE_TEXT)


def _diff(document: Document, files: Mapping[str, StagedFile]) -> str | None:
    code = document["code"]
    path = code.get("diff") if isinstance(code, Mapping) else None
    return _beginning(files[path], DIFF_TEXT) if isinstance(path, str) else None


def _beginning(file: StagedFile, limit: int) -> str:
    with file.local.open("rb") as stream:
        text = stream.read(4 * limit).decode(errors="replace")[:limit]
    return text if file.size <= len(text.encode()) else f"{text}\n… (all of it: {file.path})"
