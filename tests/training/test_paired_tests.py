"""DeLong and McNemar: against brute force, other libraries, and simulated truths."""

from __future__ import annotations

import math
import time
from statistics import NormalDist

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from airflow_mltrack.exceptions import InvalidInput
from airflow_mltrack.training.intervals import paired_difference
from airflow_mltrack.training.metrics import metric_value
from airflow_mltrack.training.paired_tests import delong, mcnemar

Floats = NDArray[np.float64]
Case = tuple[NDArray[np.int64], Floats, Floats]
NORMAL = NormalDist()


def made(
    rows: int = 200,
    *,
    skills: tuple[float, float] = (1.0, 0.6),
    digits: int | None = None,
    seed: int = 0,
) -> Case:
    """Make two scores that share half of their noise."""
    generator = np.random.default_rng(seed)
    target = (np.arange(rows) % 3 == 0).astype(np.int64)
    shared = generator.normal(size=rows)
    first, second = (
        skill * target + math.sqrt(0.5) * (shared + generator.normal(size=rows)) for skill in skills
    )
    return (
        (target, first, second) if digits is None else (target, *np.round((first, second), digits))
    )


def by_brute_force(target: NDArray[np.int64], scores: list[Floats]) -> tuple[Floats, Floats]:
    """Compare every event with every non-event: areas, and their covariance matrix."""
    wins = []
    for score in scores:
        event, rest = score[target == 1][:, None], score[target == 0][None, :]
        wins.append((event > rest) + 0.5 * (event == rest))
    of_events = np.array([win.mean(axis=1) for win in wins])
    of_rest = np.array([win.mean(axis=0) for win in wins])
    areas = of_events.mean(axis=1)
    m, n = of_events.shape[1], of_rest.shape[1]
    off_events, off_rest = of_events - areas[:, None], of_rest - areas[:, None]
    return areas, off_events @ off_events.T / (m - 1) / m + off_rest @ off_rest.T / (n - 1) / n


@pytest.mark.parametrize("digits", [None, 1, 0], ids=["no ties", "ties", "many ties"])
def test_delong_agrees_with_comparing_every_pair(digits: int | None) -> None:
    target, first, second = made(digits=digits)
    areas, covariance = by_brute_force(target, [first, second])
    found = delong(target, first, second)
    np.testing.assert_allclose((found.first, found.second), areas)
    np.testing.assert_allclose(found.covariance, covariance)
    deviation = math.sqrt(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    difference = areas[0] - areas[1]
    assert found.difference == pytest.approx(difference)
    reach = NORMAL.inv_cdf(0.975) * deviation
    assert found.interval == pytest.approx((difference - reach, difference + reach))
    assert found.p_value == pytest.approx(2 * stats.norm.sf(abs(difference) / deviation))


def test_delong_measures_the_same_area_and_about_the_same_interval_as_a_bootstrap() -> None:
    target, first, second = made(1000)
    found = delong(target, first, second)
    assert found.first == pytest.approx(metric_value("auc", target, first))
    difference, low, high = paired_difference("auc", target, first, second, n=2000)
    assert found.difference == pytest.approx(difference)
    assert found.interval == pytest.approx((low, high), abs=0.006)


@pytest.mark.parametrize("skills", [(1.0, 0.6), (0.8, 0.8)], ids=["better", "equal"])
def test_delong_covers_the_true_difference_as_often_as_it_says(
    skills: tuple[float, float],
) -> None:
    truth = NORMAL.cdf(skills[0] / math.sqrt(2)) - NORMAL.cdf(skills[1] / math.sqrt(2))
    inside = rejected = 0
    for seed in range(600):
        found = delong(*made(skills=skills, seed=seed))
        inside += found.interval[0] <= truth <= found.interval[1]
        rejected += found.p_value < 0.05
    assert 0.93 <= inside / 600 <= 0.97
    if skills[0] == skills[1]:
        assert 0.03 <= rejected / 600 <= 0.07


def test_a_higher_level_gives_a_wider_delong_interval() -> None:
    case = made()
    narrow, wide = (delong(*case, level=level).interval for level in (0.8, 0.99))
    assert wide[0] < narrow[0] < narrow[1] < wide[1]


def test_a_score_has_no_delong_difference_from_itself() -> None:
    target, first, _ = made()
    found = delong(target, first, 3 * first + 1)  # the same order
    assert (found.difference, found.interval, found.p_value) == (0.0, (0.0, 0.0), 1.0)


def test_a_difference_without_any_spread_is_certain() -> None:
    target = np.array([0, 0, 1, 1])
    found = delong(target, target, np.zeros(4))
    assert (found.difference, found.interval, found.p_value) == (0.5, (0.5, 0.5), 0.0)


def test_delong_needs_two_rows_of_each_class() -> None:
    with pytest.raises(InvalidInput, match=r"two rows of each class.*bootstrap"):
        delong([0, 0, 1], [0.1, 0.2, 0.3], [0.1, 0.2, 0.3])
    with pytest.raises(InvalidInput, match="both classes"):
        delong([0, 0, 0], [0.1, 0.2, 0.3], [0.1, 0.2, 0.3])
    with pytest.raises(InvalidInput, match="between 0 and 1"):
        delong(*made(), level=1.0)


def test_delong_of_a_hundred_thousand_rows_is_a_matter_of_a_moment() -> None:
    case = made(100_000)
    start = time.perf_counter()
    delong(*case)
    assert time.perf_counter() - start < 5  # comparing every pair takes minutes


def decided(only_first: int, only_second: int, both: int = 50, neither: int = 10) -> Case:
    """Return a target of events and who called which."""
    first = np.repeat([1.0, 0.0, 1.0, 0.0], [only_first, only_second, both, neither])
    second = np.repeat([0.0, 1.0, 1.0, 0.0], [only_first, only_second, both, neither])
    return np.ones(first.size, dtype=np.int64), first, second


@pytest.mark.parametrize(("only_first", "only_second"), [(9, 2), (0, 3), (12, 12), (0, 0)])
def test_few_discordant_rows_get_the_exact_binomial_test(only_first: int, only_second: int) -> None:
    found = mcnemar(*decided(only_first, only_second))
    trials = only_first + only_second
    expected = stats.binomtest(only_first, trials).pvalue if trials else 1.0
    assert found.exact
    assert found.p_value == pytest.approx(expected)
    assert (found.only_first_right, found.only_second_right) == (only_first, only_second)
    assert (found.both_right, found.both_wrong) == (50, 10)
    assert found.difference == pytest.approx((only_first - only_second) / (trials + 60))
    assert found.first - found.second == pytest.approx(found.difference)


def test_many_discordant_rows_get_chi_squared_with_continuity_correction() -> None:
    found = mcnemar(*decided(40, 20))
    assert not found.exact
    assert found.p_value == pytest.approx(stats.chi2.sf((20 - 1) ** 2 / 60, 1))
    assert mcnemar(*decided(20, 20)).p_value == 1.0


def test_mcnemar_counts_what_is_right_not_what_is_called() -> None:
    found = mcnemar([0, 0, 1, 1], [0, 0, 1, 1], [1, 1, 0, 0])
    assert (found.only_first_right, found.difference, found.second) == (4, 1.0, 0.0)


def test_the_interval_in_accuracy_covers_the_truth_as_often_as_it_says() -> None:
    generator = np.random.default_rng(3)
    inside = 0
    for _ in range(600):
        right_a = generator.random(300) < 0.8
        right_b = np.where(generator.random(300) < 0.9, right_a, generator.random(300) < 0.5)
        truth = 0.8 - (0.9 * 0.8 + 0.1 * 0.5)
        low, high = mcnemar(np.ones(300), right_a, right_b).interval
        inside += low <= truth <= high
    assert 0.93 <= inside / 600 <= 0.98


def test_equal_decisions_still_leave_some_doubt() -> None:
    found = mcnemar(*decided(0, 0))
    assert found.difference == 0
    assert found.interval[0] < 0 < found.interval[1]


def test_decisions_about_other_rows_are_refused() -> None:
    with pytest.raises(InvalidInput, match="decide on each row"):
        mcnemar([1, 0], [1, 0], [1])
    with pytest.raises(InvalidInput, match="decide on each row"):
        mcnemar([], [], [])
