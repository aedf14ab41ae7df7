"""Groups of rows: by value, by range, and the rows without a value."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from airflow_mltrack.training.row_groups import group_rows

MOMENTS = ["2026-01-01", "2026-01-02", "2026-01-03", "2026-01-04", "NaT"]


def groups(column: Any, bins: int = 4) -> dict[str, list[int]]:
    found = group_rows(pd.Series(column), bins)
    assert len({group.label for group in found}) == len(found)
    return {group.label: group.rows.tolist() for group in found}


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (["b", None, "a", "b"], {"a": [2], "b": [0, 3], "(missing)": [1]}),
        ([True, False, True], {"False": [1], "True": [0, 2]}),
        ([2, 1, 2], {"1": [1], "2": [0, 2]}),
        ([1.5, np.nan, np.inf], {"1.5": [0], "(missing)": [1, 2]}),
        (pd.array([1, None, 3], dtype="Int64"), {"1": [0], "3": [2], "(missing)": [1]}),
        ([None, None], {"(missing)": [0, 1]}),
    ],
)
def test_few_values_give_a_group_each(column: Any, expected: dict[str, list[int]]) -> None:
    assert groups(column) == expected


def test_many_numbers_are_cut_into_ranges_of_equally_many_rows() -> None:
    assert {label: len(rows) for label, rows in groups(list(range(20))).items()} == {
        "0 to 4": 5,
        "5 to 9": 5,
        "10 to 14": 5,
        "15 to 19": 5,
    }
    assert list(groups([7, 3, 9, 1, 5], 2)) == ["1 to 5", "7 to 9"]


def test_a_number_that_fills_several_ranges_is_one_group() -> None:
    assert groups([0] * 16 + [1, 2, 3, 4]) == {"0": [*range(16)], "1 to 4": [16, 17, 18, 19]}


@pytest.mark.parametrize("zone", [None, "UTC"])
def test_moments_are_cut_like_numbers(zone: str | None) -> None:
    column = pd.Series(pd.DatetimeIndex(MOMENTS).tz_localize(zone))
    found = groups(column, 2)
    assert list(found.values()) == [[0, 1], [2, 3], [4]]
    assert next(iter(found)).startswith("2026-01-01T00:00:00")


def test_labels_are_short_and_printable() -> None:
    (label,) = groups(["line\n" + "x" * 500])
    assert len(label) < 90
    assert label.isprintable()


def test_every_row_is_in_one_group() -> None:
    generator = np.random.default_rng(0)
    column = pd.Series(generator.normal(size=500)).where(generator.random(500) < 0.9)
    rows = [row for group in group_rows(column, 7) for row in group.rows]
    assert sorted(rows) == list(range(500))
