"""Print what commands found: as a table for people, as JSON or CSV for programs.

Results go to stdout and nothing else does; words about them go to stderr.
"""

from __future__ import annotations

import csv
import io
import json
import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from enum import Enum
from typing import TYPE_CHECKING, TextIO

from airflow_mltrack.cli.table_layout import GAP, fitting, need

if TYPE_CHECKING:
    from rich.console import Console

FORMATS = ("table", "json", "csv")
_LONGEST_UNBROKEN = 16


@dataclass(frozen=True, slots=True)
class Listing:
    """Rows of one kind."""

    columns: Sequence[str]
    """Keys of ``rows`` that a table shows, in order."""
    rows: Sequence[Mapping[str, object]]
    """JSON-able values, datetimes and enums; may hold more keys than ``columns``."""
    title: str = ""
    empty: str = "Nothing found."
    """What to say where there are no rows."""
    droppable: Sequence[str] = ()
    """Columns that a table leaves out on a narrow terminal, the first one first, and where they are
    empty."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """Headings, of one or more lines, of columns that are not called after their key."""
    right: Sequence[str] = ()
    """Columns beside those of numbers that are aligned to the right."""


@dataclass(frozen=True, slots=True)
class Record:
    """One thing: its facts, and lists that belong to it."""

    facts: Mapping[str, object]
    sections: Mapping[str, Listing] = field(default_factory=dict)
    """Title to rows; a table prints them below the facts, JSON puts them under their titles."""
    worded: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Fact to lines that a table shows in its place, none to leave it out: what JSON holds is not
    always for people."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """Names of facts that a table does not call after their key."""


def say(text: str) -> None:
    """Tell the person at the terminal something that is not the result."""
    sys.stderr.write(text + "\n")


def show(result: Listing | Record, form: str) -> None:
    """Print a result.

    :param form: ``table``, ``json`` or ``csv``.
    """
    if form == "json":
        write_json(_as_json(result))
    elif form == "csv":
        write_csv(result if isinstance(result, Listing) else _facts_listing(result))
    else:
        _print_tables(result)


def write_json(value: object, *, indent: int | None = 2) -> None:
    """Print one JSON document and a line end; NaN and the infinities become strings."""
    text = json.dumps(
        plain(value), indent=indent, ensure_ascii=not is_unicode(sys.stdout), allow_nan=False
    )
    sys.stdout.write(text + "\n")


def write_csv(listing: Listing) -> None:
    """Print every key of the rows as a column: the table's columns first."""
    extra = {key: None for row in listing.rows for key in row if key not in listing.columns}
    columns = [*listing.columns, *extra]
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(columns)
    for row in listing.rows:
        writer.writerow([csv_cell(row.get(column)) for column in columns])


def plain(value: object) -> object:
    """Turn a value into what JSON holds without loss: ISO times, values of enums, named floats."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


def is_unicode(stream: TextIO) -> bool:
    """Tell whether a stream can hold every character."""
    return (stream.encoding or "").lower().replace("-", "").startswith("utf")


def never_fail_on_characters() -> None:
    """Let a terminal of another encoding show what it lacks by number, rather than not at all."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and not is_unicode(stream):
            stream.reconfigure(errors="backslashreplace")


def make_console() -> Console:
    """Console on stdout that wraps nothing where stdout is a file or a pipe."""
    from rich.console import Console

    console = Console(file=sys.stdout, highlight=False, soft_wrap=False)
    if not console.is_terminal:
        console.width = 1000
    return console


def print_listing(listing: Listing) -> None:
    """Print rows as a table."""
    _print_listing(make_console(), listing)


def _as_json(result: Listing | Record) -> object:
    if isinstance(result, Listing):
        return result.rows
    sections = {
        title.lower().replace(" ", "_"): listing.rows for title, listing in result.sections.items()
    }
    return {**result.facts, **sections}


def _facts_listing(record: Record) -> Listing:
    rows = [{"key": key, "value": value} for key, value in record.facts.items()]
    for title, listing in record.sections.items():
        for row in listing.rows:
            name, *rest = (row.get(column) for column in listing.columns)
            value = rest[0] if len(rest) == 1 else dict(zip(listing.columns[1:], rest, strict=True))
            rows.append({"key": f"{title.lower()}.{name}", "value": value})
    return Listing(columns=("key", "value"), rows=rows)


def _print_tables(result: Listing | Record) -> None:
    console = make_console()
    if isinstance(result, Listing):
        _print_listing(console, result)
        return
    from rich.table import Table
    from rich.text import Text

    facts = Table(show_header=False, box=None, pad_edge=False)
    facts.add_column(style="dim", no_wrap=True)
    facts.add_column(overflow="fold")
    for key, value in result.facts.items():
        lines: Sequence[object] = result.worded.get(key, [value])
        if lines and value not in (None, "", {}, [], ()):
            label = result.labels.get(key) or _label(key)
            facts.add_row(Text(label), Text("\n".join(map(_cell, lines))))
    console.print(facts)
    for title, listing in result.sections.items():
        if listing.rows:
            console.print(f"\n[bold]{title}[/bold]")
            _print_listing(console, listing)


def _print_listing(console: Console, listing: Listing) -> None:
    if not listing.rows:
        say(listing.empty)
        return
    from rich import box
    from rich.table import Table
    from rich.text import Text

    columns = [name for name in listing.columns if not _is_idle(listing, name)]
    labels = {name: listing.labels.get(name) or _label(name) for name in columns}
    cells = {name: [_cell(row.get(name)) for row in listing.rows] for name in columns}
    needs = {name: need(labels[name], cells[name], wraps=_wraps(listing, name)) for name in columns}
    widths = fitting(needs, console.width, droppable=listing.droppable)
    table = Table(
        box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, GAP - 1, 0, 0), title=listing.title or None
    )
    for name, width in widths.items():
        right = name in listing.right or _is_numeric(listing, name)
        table.add_column(
            Text(labels[name]), justify="right" if right else "left", overflow="fold", width=width
        )
    for line in zip(*(cells[name] for name in widths), strict=True):
        table.add_row(*map(Text, line))
    console.print(table)
    dropped = [labels[name] for name in columns if name not in widths]
    if dropped:
        say(f"For lack of room not shown: {', '.join(dropped)} (--format json has everything).")


def _label(column: str) -> str:
    """Head a column: metrics and params keep their names, our own keys become words."""
    for prefix in ("metrics.", "params."):
        if column.startswith(prefix):
            return column.removeprefix(prefix)
    return column.replace("_", " ")


def _cell(value: object) -> str:
    """One table cell; text of users is never taken for terminal codes."""
    return "".join(char if char.isprintable() else "�" for char in cell_text(value))


def _is_numeric(listing: Listing, column: str) -> bool:
    values = [value for row in listing.rows if (value := row.get(column)) is not None]
    return bool(values) and all(map(_is_number, values))


def _is_idle(listing: Listing, column: str) -> bool:
    """Tell whether a column may be left out and says nothing anyway."""
    if column not in listing.droppable:
        return False
    return all(row.get(column) in (None, "", [], ()) for row in listing.rows)


def _wraps(listing: Listing, column: str) -> bool:
    """Tell whether cells may be broken: words may, ids, states, numbers and times may not."""
    values = [row.get(column) for row in listing.rows]
    if _is_numeric(listing, column) or any(isinstance(value, datetime) for value in values):
        return False
    texts = map(cell_text, values)
    return any(" " in text or len(text) > _LONGEST_UNBROKEN for text in texts)


def cell_text(value: object) -> str:
    """Word a value for a table."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1e-3 or abs(value) >= 1e5 else f"{value:.4f}"
    if isinstance(value, datetime):
        return value.astimezone(timezone.utc).strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(value, (Mapping, list, tuple)):
        return _compound_text(value) or "-"
    return str(plain(value))


def _compound_text(value: Mapping[object, object] | Sequence[object]) -> str:
    """Word what has parts; empty when there are none."""
    if not isinstance(value, Mapping):
        texts = [item for item in value if isinstance(item, str)]
        if len(texts) == len(value):
            return "; ".join(texts)
    return json.dumps(plain(value), ensure_ascii=False) if value else ""


def csv_cell(value: object) -> object:
    """Turn a value into one CSV cell: nothing for None, JSON for what has parts."""
    value = plain(value)
    if value is None:
        return ""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, (dict, list)) else value


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def joined(values: Iterable[object]) -> str:
    """Word a few values in one cell."""
    return ", ".join(cell_text(value) for value in values)
