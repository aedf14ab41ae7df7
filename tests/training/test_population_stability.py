"""The population stability index against its definition."""

from __future__ import annotations

import math

import numpy as np
import pytest

from airflow_mltrack.exceptions import InvalidInput
from airflow_mltrack.training.population_stability import SMALLEST_SHARE, population_stability


def test_the_index_is_the_sum_over_bins() -> None:
    expected = np.array([0.1] * 5 + [0.9] * 5)
    actual = np.array([0.05] * 2 + [0.95] * 8)
    found = population_stability(expected, actual, bins=2, n=20)
    by_hand = (0.2 - 0.5) * math.log(0.2 / 0.5) + (0.8 - 0.5) * math.log(0.8 / 0.5)
    assert found.value == pytest.approx(by_hand)
    low, high = found.bins
    assert (low.low, low.high, low.expected, low.actual) == (None, 0.1, 0.5, 0.2)
    assert (high.low, high.high, high.expected, high.actual) == (0.1, None, 0.5, 0.8)
    assert low.part + high.part == pytest.approx(found.value)
    assert found.interval[0] <= found.value <= found.interval[1]


def test_the_same_scores_have_not_moved() -> None:
    score = np.random.default_rng(0).random(500)
    found = population_stability(score, score)
    assert (found.value, found.interval) == (0.0, (0.0, 0.0))
    assert len(found.bins) == 10


def test_an_empty_bin_counts_as_a_small_share() -> None:
    expected = np.array([0.1] * 5 + [0.9] * 5)
    found = population_stability(expected, np.full(10, 0.95), bins=2, n=20)
    smallest = (SMALLEST_SHARE - 0.5) * math.log(SMALLEST_SHARE / 0.5)
    assert found.value == pytest.approx(smallest + 0.5 * math.log(2))


def test_a_larger_shift_has_a_larger_index() -> None:
    score = np.random.default_rng(1).random(2000)
    small, large = (population_stability(score, score + shift).value for shift in (0.02, 0.3))
    assert 0 < small < 0.1
    assert large > 0.25


def test_a_reference_that_mostly_gives_one_score_still_has_two_bins() -> None:
    reference = np.where(np.arange(100) < 5, 0.2, 0.5)
    found = population_stability(reference, np.full(100, 0.1), n=20)
    assert [part.expected for part in found.bins] == [0.05, 0.95]
    assert found.value > 1


@pytest.mark.parametrize(
    ("expected", "actual", "rule"),
    [
        ([0.5, 0.5], [0.1, 0.2], "differ between rows"),
        ([0.1, 0.2], [0.1], "score the same rows"),
        ([], [], "score the same rows"),
        ([0.1, float("nan")], [0.1, 0.2], "finite"),
        ([0.1, 0.2], [0.1, float("inf")], "finite"),
    ],
)
def test_what_cannot_be_compared_is_refused(
    expected: list[float], actual: list[float], rule: str
) -> None:
    with pytest.raises(InvalidInput, match=rule):
        population_stability(expected, actual)
