"""Calibration: what the error is, and that its interval does not flatter."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from airflow_mltrack.exceptions import InvalidInput
from airflow_mltrack.training.calibration import calibration_error


def made(
    rows: int, *, off: float = 0.0, seed: int = 0
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Make probabilities that are ``off`` too high everywhere."""
    generator = np.random.default_rng(seed)
    chance = generator.uniform(0.05, 0.6, rows)
    return (generator.random(rows) < chance).astype(np.int64), chance + off


def test_the_error_is_the_mean_distance_between_prediction_and_outcome() -> None:
    target = np.array([0, 0, 1, 0, 1, 1, 1, 1])
    score = np.array([0.1, 0.1, 0.3, 0.3, 0.6, 0.6, 0.9, 0.9])
    found = calibration_error(target, score, bins=4, n=10)
    assert found.value == pytest.approx((0.1 + 0.2 + 0.4 + 0.1) / 4)
    assert [(part.low, part.rows, part.events) for part in found.bins] == [
        (0.1, 2, 0),
        (0.3, 2, 1),
        (0.6, 2, 2),
        (0.9, 2, 2),
    ]
    assert [part.event_rate for part in found.bins] == [0, 0.5, 1, 1]
    assert [part.mean_score for part in found.bins] == pytest.approx([0.1, 0.3, 0.6, 0.9])


def test_equal_probabilities_are_never_torn_apart() -> None:
    target = np.array([0, 1] * 50)
    found = calibration_error(target, np.full(100, 0.5), n=10)
    assert [part.rows for part in found.bins] == [100]
    assert found.value == 0
    skewed = np.where(np.arange(100) < 5, 0.2, 0.5)  # every decile but the first is 0.5
    assert [part.rows for part in calibration_error(target, skewed, n=10).bins] == [5, 95]


def test_bins_hold_equally_many_rows() -> None:
    found = calibration_error(*made(1000), bins=10, n=10)
    assert [part.rows for part in found.bins] == [100] * 10
    assert all(a.high < b.low for a, b in zip(found.bins[:-1], found.bins[1:], strict=True))


def test_probabilities_that_are_off_are_found() -> None:
    good, bad = (calibration_error(*made(5000, off=off)) for off in (0.0, 0.2))
    assert good.value < 0.03
    assert bad.value == pytest.approx(0.2, abs=0.02)
    assert bad.interval[0] > good.interval[1]
    assert good.interval[0] <= good.value <= good.interval[1]


def test_the_upper_end_of_the_interval_is_rarely_below_the_truth() -> None:
    truth = 0.05
    above = sum(
        calibration_error(*made(600, off=truth, seed=seed), n=100, level=0.9).interval[1] >= truth
        for seed in range(150)
    )
    assert above / 150 >= 0.93  # 95% is what one side of a 90% interval says


def test_the_same_seed_gives_the_same_interval() -> None:
    case = made(300)
    assert calibration_error(*case, seed=1) == calibration_error(*case, seed=1)
    assert calibration_error(*case, seed=1).interval != calibration_error(*case, seed=2).interval


@pytest.mark.parametrize(
    ("score", "bins", "rule"),
    [
        ([0.1, 1.2], 10, "between 0 and 1"),
        ([0.1, float("nan")], 10, "finite"),
        ([0.1, 0.2], 1, "at least 2"),
    ],
)
def test_what_is_no_probability_is_refused(score: list[float], bins: int, rule: str) -> None:
    with pytest.raises(InvalidInput, match=rule):
        calibration_error([0, 1], score, bins=bins)
