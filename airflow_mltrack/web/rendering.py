"""Turns facts into HTML: Jinja templates with everything escaped, and how values are written."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime, timezone
from functools import cache

from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from airflow_mltrack.lifecycle.history_words import tell

NOTHING = "\N{EN DASH}"
"""Shown where there is no value."""

# Pages hold text of whoever logs runs and share their origin with Airflow: no script can run but
# one of ours that a page asks for, and nothing is loaded from elsewhere.
_POLICY = (
    "default-src 'none'; img-src 'self'; style-src 'unsafe-inline'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'self'"
)
PRIVATE = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
"""Headers of every answer: what one reader may see is kept nowhere, and is what it says it is."""


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
        number=show_number,
        exact=show_exact,
        moment=show_moment,
        duration=show_duration,
        size=show_size,
        digest=show_digest,
        told=lambda event: tell(event).with_reason,
    )
    return environment


def render(
    template: str, *, facts: Mapping[str, object], status_code: int = 200, script: str = ""
) -> HTMLResponse:
    """Render a template of ``web/templates`` into a response that can run no script.

    :param script: but this one, named by its digest as a content security policy does.
    """
    text = _environment().get_template(template).render(facts)
    policy = f"{_POLICY}; script-src {script}" if script else _POLICY
    headers = {**PRIVATE, "Content-Security-Policy": policy}
    return HTMLResponse(text, status_code=status_code, headers=headers)


def show_number(value: float | None) -> str:
    """Write a number so that a column of them is quick to compare: with four decimals."""
    if value is None or not math.isfinite(value) or value == round(value):
        return show_exact(value)
    return f"{value:.4f}" if 0.001 <= abs(value) < 100_000 else f"{value:.4g}"


def show_exact(value: float | None) -> str:
    """Write a number with as many digits as tell it from a limit; NaN and infinities by name."""
    if value is None:
        return NOTHING
    if not math.isfinite(value):
        return {math.inf: "∞", -math.inf: "-∞"}.get(value, "NaN")
    return f"{value:.10g}"


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


def show_digest(value: str | None) -> str | Markup:
    """Write the start of a digest; all of it appears under the pointer."""
    if not value:
        return NOTHING
    return Markup('<code title="{}">{}</code>').format(value, value[:12])
