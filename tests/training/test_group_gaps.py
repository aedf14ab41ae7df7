"""Gaps between groups against their definitions."""

from __future__ import annotations

import numpy as np
import pytest

from airflow_mltrack.exceptions import InvalidInput
from airflow_mltrack.training.group_gaps import ScoredRows, group_gap
from airflow_mltrack.training.metrics import metric_value
from airflow_mltrack.training.row_groups import RowGroup

# Group a: 4 of 5 events and 1 of 5 others are called; group b: 2 of 5, and 3 of 5.
TARGET = np.array([1, 1, 1, 1, 1, 0, 0, 0, 0, 0] * 2)
SCORE = np.array([0.9, 0.9, 0.9, 0.9, 0.1, 0.8, 0.2, 0.2, 0.2, 0.2] + [0.9, 0.9] + [0.1] * 3
                 + [0.8] * 3 + [0.2] * 2)  # fmt: skip
GROUPS = [RowGroup("a", np.arange(10)), RowGroup("b", np.arange(10, 20))]
ROWS = ScoredRows(TARGET, SCORE)


@pytest.mark.parametrize(
    ("measure", "gap", "of", "highest"),
    [
        ("demographic_parity", 0.0, "called_rate", "a"),
        ("equal_opportunity", 0.4, "true_positive_rate", "a"),
        ("predictive_equality", 0.4, "false_positive_rate", "b"),
    ],
)
def test_each_measure_is_the_gap_of_its_rate(
    measure: str, gap: float, of: str, highest: str
) -> None:
    found = group_gap(measure, GROUPS, ROWS, min_rows=5)
    assert found.value == pytest.approx(gap)
    assert (found.of, found.highest) == (of, highest)
    assert found.interval[0] <= found.value <= found.interval[1]


def test_equalized_odds_is_the_larger_gap_of_two() -> None:
    score = SCORE.copy()
    score[5:10] = 0.9  # every non-event of group a is called
    found = group_gap("equalized_odds", GROUPS, ScoredRows(TARGET, score), min_rows=5)
    assert (found.of, found.highest, found.lowest) == ("true_positive_rate", "a", "b")
    score[10:20] = 0.0
    found = group_gap("equalized_odds", GROUPS, ScoredRows(TARGET, score), min_rows=5)
    assert (found.of, found.value) == ("false_positive_rate", 1.0)
    assert found.groups[1].values == {"true_positive_rate": 0.0, "false_positive_rate": 0.0}


def test_any_metric_can_be_compared_between_groups() -> None:
    found = group_gap("auc", GROUPS, ROWS, min_rows=5)
    first, second = (metric_value("auc", TARGET[g.rows], SCORE[g.rows]) for g in GROUPS)
    assert found.value == pytest.approx(first - second)
    assert (found.of, found.highest, found.lowest) == ("auc", "a", "b")


def test_a_threshold_decides_from_itself_on() -> None:
    at = group_gap("demographic_parity", GROUPS, ScoredRows(TARGET, SCORE, 0.9), min_rows=5)
    assert [group.values["called_rate"] for group in at.groups] == [0.4, 0.2]


def test_small_groups_and_those_without_a_row_that_counts_are_not_judged() -> None:
    small = RowGroup("c", np.array([0, 5, 6]))
    found = group_gap("equal_opportunity", [*GROUPS, small], ROWS, min_rows=5)
    assert (found.groups[2].reason, found.groups[2].values) == ("fewer than 5 rows", {})
    quiet = RowGroup("d", np.arange(5, 10))
    for measure, judged in (("equal_opportunity", False), ("predictive_equality", True)):
        found = group_gap(measure, [*GROUPS, quiet], ROWS, min_rows=5)
        assert bool(found.groups[2].values) is judged
    only_events = RowGroup("e", np.arange(5))
    found = group_gap("predictive_equality", [*GROUPS, only_events], ROWS, min_rows=5)
    assert found.groups[2].reason == "only events"


def test_fewer_than_two_groups_are_no_gap() -> None:
    with pytest.raises(InvalidInput, match=r"two are needed.*a: can be judged; c: fewer than 5"):
        group_gap("equal_opportunity", [GROUPS[0], RowGroup("c", np.arange(3))], ROWS, min_rows=5)


def test_an_interval_of_large_groups_holds_the_true_gap() -> None:
    inside = 0
    for seed in range(100):
        generator = np.random.default_rng(seed)
        score = np.concatenate([generator.random(400) < 0.5, generator.random(400) < 0.4])
        halves = [RowGroup("a", np.arange(400)), RowGroup("b", np.arange(400, 800))]
        rows = ScoredRows(np.ones(800, dtype=np.int64), score.astype(float))
        low, high = group_gap("demographic_parity", halves, rows, n=300).interval
        inside += low <= 0.1 <= high
    assert inside >= 89
