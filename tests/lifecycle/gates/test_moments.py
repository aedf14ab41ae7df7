"""What is read as a moment in time, and what is not."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pandas as pd
import pytest

from airflow_mltrack.exceptions import InvalidInput
from airflow_mltrack.lifecycle.gates.moments import newest_moment

EAST = timezone(timedelta(hours=2))


def at(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=timezone.utc)  # type: ignore[arg-type,misc]


@pytest.mark.parametrize(
    ("values", "newest"),
    [
        (["2026-01-05", "2026-03-01"], at(2026, 3, 1)),
        (["2026-01-05T10:30:00+02:00"], at(2026, 1, 5, 8, 30)),
        (["2026-01-05T23:30:00-05:00", "2026-01-06"], at(2026, 1, 6, 4, 30)),
        (["2026-01-05 10:30:00Z", "2026-01-05"], at(2026, 1, 5, 10, 30)),
        (["2026-01", "2026-03"], at(2026, 3, 1)),
        ([202601, 202603], at(2026, 3, 1)),
        ([202603.0, np.nan], at(2026, 3, 1)),
        ([20260105, 20260305], at(2026, 3, 5)),
        (pd.array([202603, None], dtype="Int64"), at(2026, 3, 1)),
        (pd.to_datetime(["2026-01-05", "NaT"]), at(2026, 1, 5)),
        (pd.to_datetime(["2026-01-05T10:00"]).tz_localize(EAST), at(2026, 1, 5, 8)),
        (pd.period_range("2026-01", periods=3, freq="M"), at(2026, 3, 1)),
        ([date(2026, 1, 5), datetime(2026, 1, 6, 12, tzinfo=EAST)], at(2026, 1, 6, 10)),
        (pd.Categorical(["2026-01-05", "2026-02-05"]), at(2026, 2, 5)),
        ([None, "2026-01-05", None], at(2026, 1, 5)),
    ],
)
def test_dates_texts_and_year_months_are_read(values: Any, newest: datetime) -> None:
    assert newest_moment(pd.Series(values)) == newest


@pytest.mark.parametrize(
    "values",
    [
        ["2026-01-05", "soon"],
        ["now"],
        ["today", "2026-01-05"],
        ["05/01/2026"],
        ["2026-13"],
        [""],
        ["2026-01-05", 7],
        [1767225600],
        [202613],
        [202601.5],
        [1.0, np.inf],
        [-202601],
        [True, False],
        [b"2026-01-05"],
        [["2026-01-05"]],
        [timedelta(days=3)],
        [1 + 2j],
    ],
)
def test_what_is_no_time_is_refused_with_the_column(values: Any) -> None:
    with pytest.raises(InvalidInput, match=r"time column 'month'.*ISO 8601"):
        newest_moment(pd.Series(values, name="month"))


def test_a_column_without_values_is_refused() -> None:
    with pytest.raises(InvalidInput, match="no value"):
        newest_moment(pd.Series([None, None], name="month", dtype=object))
