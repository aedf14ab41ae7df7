"""Turns facts into HTML: Jinja templates with everything escaped, and how values are written."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime, timezone
from functools import cache

from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

NOTHING = "\N{EN DASH}"
"""Shown where there is no value."""

# Pages hold text of whoever logs runs and share their origin with Airflow: no script can run, and
# nothing is loaded from elsewhere.
_POLICY = "default-src 'none'; img-src 'self'; style-src 'unsafe-inline'; frame-ancestors 'self'"
_HEADERS = {"Content-Security-Policy": _POLICY, "X-Content-Type-Options": "nosniff"}


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("airflow_mltrack.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        number=show_number, moment=show_moment, duration=show_duration, size=show_size
    )
    return environment


def render(template: str, *, facts: Mapping[str, object], status_code: int = 200) -> HTMLResponse:
    """Render a template of ``web/templates`` into a response that can run no script."""
    text = _environment().get_template(template).render(facts)
    return HTMLResponse(text, status_code=status_code, headers=_HEADERS)


def show_number(value: float | None) -> str:
    """Write a number with six significant digits; NaN and infinities by name."""
    if value is None:
        return NOTHING
    if not math.isfinite(value):
        return {math.inf: "∞", -math.inf: "-∞"}.get(value, "NaN")
    return f"{value:.6g}"


def show_moment(value: datetime | None) -> str:
    """Write a time in UTC, to the second."""
    if value is None:
        return NOTHING
    return value.astimezone(timezone.utc).strftime("%Y-%m-%d %H:%M:%S")


def show_duration(start: datetime, end: datetime | None) -> str:
    """Write how long something took; what still runs is measured until now."""
    seconds = ((end or datetime.now(timezone.utc)) - start).total_seconds()
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"


def show_size(value: int | None) -> str:
    """Write a number of bytes in the largest fitting unit."""
    if value is None:
        return NOTHING
    amount = float(value)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if amount < 1024:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} TiB"
