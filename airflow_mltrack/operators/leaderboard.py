"""A sweep's result as a table of plain text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_mltrack.lifecycle.sweeps import LeaderboardRow, SweepResult

_METRICS = {
    "auc": "AUC",
    "pr_auc": "PR-AUC",
    "ks": "KS",
    "brier": "Brier",
    "fit_seconds": "fit s",
}
_WIDTH = 9


def leaderboard_lines(result: SweepResult, rows: int) -> Iterator[str]:
    """Give the lines of the table, the best trial first.

    The sweep's own metric is always a column, and generated data are marked.

    :param rows: how many trials to show.
    """
    columns = dict(_METRICS)
    if result.metric not in columns:
        columns = {result.metric: result.metric, **columns}
    shown = list(result.leaderboard[:rows])
    width = max([len(row.name) for row in shown] + [5])
    yield "  ".join(
        ["   #", "trial".ljust(width), *(f"{title:>{_WIDTH}}" for title in columns.values())]
    )
    for row in shown:
        yield "  ".join([f"{row.rank:>4}", row.name.ljust(width), *_cells(row, list(columns))]) + (
            "  synthetic" if row.tags.get("mltrack.synthetic") == "true" else ""
        )
    hidden = len(result.leaderboard) - len(shown)
    if hidden:
        yield f"      and {hidden} more"


def _cells(row: LeaderboardRow, names: list[str]) -> Iterator[str]:
    for name in names:
        value = row.metrics.get(name)
        yield f"{'-' if value is None else format(value, '.4f'):>{_WIDTH}}"
