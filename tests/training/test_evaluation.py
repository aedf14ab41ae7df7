from __future__ import annotations

import time

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import ks_2samp
from sklearn import metrics as reference

from airflow_mltrack.exceptions import InvalidInput
from airflow_mltrack.training.evaluation import (
    METRICS,
    best_threshold,
    confusion_counts,
    cost_matrix,
    direction,
    evaluate,
    metric_value,
)
from airflow_mltrack.training.intervals import (
    bootstrap_intervals,
    mean_interval,
    paired_difference,
    resamples_for,
)
from airflow_mltrack.training.metrics import CostMatrix, cost_per_row, count_scores

Case = tuple[NDArray[np.int64], NDArray[np.float64]]


def made(rows: int, *, rate: float = 0.2, digits: int | None = None, seed: int = 0) -> Case:
    generator = np.random.default_rng(seed)
    target = (generator.random(rows) < rate).astype(np.int64)
    score = 1 / (1 + np.exp(-(generator.normal(size=rows) + target - 1.5)))
    return target, score if digits is None else score.round(digits)


@pytest.fixture(params=["smooth", "with ties", "one value", "perfect", "inverted"])
def case(request: pytest.FixtureRequest) -> Case:
    """Give scores of very different kinds."""
    target, score = made(2000, digits=1 if request.param == "with ties" else None)
    if request.param == "one value":
        score = np.full(2000, 0.3)
    if request.param in ("perfect", "inverted"):
        score = np.abs(target - (0.9 if request.param == "inverted" else 0.1))
    return target, score


def test_every_metric_agrees_with_its_definition(case: Case) -> None:
    target, score = case
    found = evaluate(target, score, n_bootstrap=0).metrics
    area = reference.roc_auc_score(target, score)
    precision, recall, _ = reference.precision_recall_curve(target, score)
    assert found["auc"] == pytest.approx(area)
    assert found["gini"] == pytest.approx(2 * area - 1)
    assert found["pr_auc"] == pytest.approx(reference.average_precision_score(target, score))
    assert found["ks"] == pytest.approx(ks_2samp(score[target == 1], score[target == 0]).statistic)
    assert found["brier"] == pytest.approx(reference.brier_score_loss(target, score))
    assert found["log_loss"] == pytest.approx(reference.log_loss(target, score))
    # the last point of sklearn's curve is its convention, not a threshold
    assert found["recall_at_precision"] == pytest.approx(
        max(recall[:-1][precision[:-1] >= 0.5], default=0.0)
    )


def test_decisions_agree_with_their_definitions(case: Case) -> None:
    target, score = case
    found = evaluate(target, score, n_bootstrap=0, threshold=0.3)
    called = score >= 0.3
    assert found.metrics["precision"] == pytest.approx(
        reference.precision_score(target, called, zero_division=0)
    )
    assert found.metrics["recall"] == pytest.approx(reference.recall_score(target, called))
    assert found.metrics["f1"] == pytest.approx(reference.f1_score(target, called))
    negative, wrong, missed, caught = reference.confusion_matrix(target, called).ravel()
    assert found.confusion == {
        "true_positive": caught,
        "false_positive": wrong,
        "false_negative": missed,
        "true_negative": negative,
    }
    assert found.metrics["expected_cost"] == pytest.approx((5 * missed + wrong) / target.size)
    assert (found.threshold, found.threshold_rule) == (0.3, "given")
    assert (found.rows, found.positives) == (2000, target.sum())


@pytest.mark.parametrize("rule", ["cost", "f1", "youden"])
def test_the_threshold_is_the_best_one_by_brute_force(rule: str) -> None:
    target, score = made(300, digits=2)
    costs = CostMatrix(false_negative=7, false_positive=2, true_positive=1)

    def gain(threshold: float) -> float:
        called = score >= threshold
        if rule == "f1":
            return float(reference.f1_score(target, called))
        if rule == "youden":
            return float(called[target == 1].mean() - called[target == 0].mean())
        each = np.where(target == 1, np.where(called, 1, 7), np.where(called, 2, 0))
        return -float(each.mean())

    found = evaluate(target, score, cost_matrix=costs, threshold_rule=rule, n_bootstrap=0)
    assert gain(found.threshold) == pytest.approx(max(gain(value) for value in np.unique(score)))
    if rule == "cost":
        assert found.metrics["expected_cost"] == pytest.approx(-gain(found.threshold))
        assert (
            metric_value("expected_cost", target, score)
            <= evaluate(target, score, n_bootstrap=0, threshold=0.5).metrics["expected_cost"]
        )


def test_nobody_is_called_where_that_is_cheapest() -> None:
    target, score = made(500)
    counts = count_scores(target, score)
    dear = CostMatrix(false_negative=1, false_positive=1000)
    highest = score.argmax()
    if target[highest]:
        target[highest] = 0
        counts = count_scores(target, score)
    threshold = best_threshold(counts, "cost", dear)
    confusion = confusion_counts(counts, threshold)
    assert (confusion["true_positive"], confusion["false_positive"]) == (0, 0)


def test_scores_that_are_no_probabilities_have_no_brier() -> None:
    target, score = made(200)
    found = evaluate(target, score * 10 - 5)
    assert {"brier", "log_loss"}.isdisjoint(found.metrics)
    assert found.metrics["auc"] == pytest.approx(reference.roc_auc_score(target, score))
    with pytest.raises(InvalidInput, match="probabilities between 0 and 1"):
        metric_value("brier", target, score * 10)


def test_the_registry_names_every_metric_with_its_direction() -> None:
    target, score = made(200)
    for name, metric in METRICS.items():
        assert metric.function(target, score) == pytest.approx(metric_value(name, target, score))
        assert metric.direction == direction(name)
    assert METRICS["auc"].direction == "maximize"
    assert METRICS["brier"].direction == "minimize"
    with pytest.raises(InvalidInput, match="Did you mean pr_auc"):
        direction("pr_acu")


@pytest.mark.parametrize(
    ("target", "score", "words"),
    [
        ([0, 1], [0.1], "one score per row"),
        ([0, 1], [0.1, float("nan")], "finite"),
        ([0, 1], [0.1, float("inf")], "finite"),
        ([0, 2], [0.1, 0.2], "only 0 and 1"),
        ([0, 0], [0.1, 0.2], "both classes"),
        ([1, 1], [0.1, 0.2], "both classes"),
        ([], [], "both classes"),
    ],
)
def test_what_cannot_be_measured_is_refused(
    target: list[int], score: list[float], words: str
) -> None:
    with pytest.raises(InvalidInput, match=words):
        evaluate(target, score)


@pytest.mark.parametrize(
    "options",
    [{"precision": 0.0}, {"precision": 1.1}, {"threshold_rule": "luck"}, {"n_bootstrap": -1}],
)
def test_wrong_options_are_refused(options: dict[str, object]) -> None:
    target, score = made(50)
    with pytest.raises(InvalidInput):
        evaluate(target, score, **options)  # type: ignore[arg-type]


def test_a_cost_matrix_is_plain_data() -> None:
    assert cost_matrix({"false_negative": 9}) == CostMatrix(false_negative=9.0)
    assert cost_matrix(None) == CostMatrix()
    assert cost_matrix(CostMatrix(8)) == CostMatrix(8)
    for wrong in ({"false_negativ": 1}, {"false_negative": "x"}, {"false_negative": -1}):
        with pytest.raises(InvalidInput):
            cost_matrix(wrong)


def test_the_bootstrap_resamples_rows_within_classes() -> None:
    target, score = made(400, digits=2)
    events, rest = np.flatnonzero(target), np.flatnonzero(1 - target)
    generator = np.random.default_rng(1)
    slow = []
    for _ in range(600):
        rows = np.concatenate(
            [generator.choice(events, events.size), generator.choice(rest, rest.size)]
        )
        slow.append(
            (
                reference.roc_auc_score(target[rows], score[rows]),
                reference.average_precision_score(target[rows], score[rows]),
                np.mean((target[rows] - score[rows]) ** 2),
            )
        )
    low, high = np.quantile(slow, [0.025, 0.975], axis=0)
    found = bootstrap_intervals(target, score, ["auc", "pr_auc", "brier"], n=600, seed=2)
    np.testing.assert_allclose([found[name][0] for name in found], low, atol=0.015)
    np.testing.assert_allclose([found[name][1] for name in found], high, atol=0.015)


def test_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    truth = made(200_000, seed=99)
    area = reference.roc_auc_score(*truth)
    hits = 0
    for seed in range(100):
        low, high = bootstrap_intervals(*made(500, seed=seed), ["auc"], n=200, seed=seed)["auc"]
        hits += low <= area <= high
    assert 88 <= hits <= 100


def test_intervals_are_the_same_for_the_same_seed() -> None:
    case = made(300)
    first, second, other = (
        bootstrap_intervals(*case, ["auc"], n=50, seed=seed) for seed in (1, 1, 2)
    )
    assert first == second != other


def test_a_pair_cancels_what_the_rows_share() -> None:
    target, score = made(1000)
    noise = np.random.default_rng(1).normal(0, 0.01, 1000)
    worse = (score + noise).clip(0, 1)
    difference, low, high = paired_difference("auc", target, score, worse, n=500, seed=3)
    assert difference == pytest.approx(
        reference.roc_auc_score(target, score) - reference.roc_auc_score(target, worse)
    )
    assert low <= difference <= high
    alone = bootstrap_intervals(target, score, ["auc"], n=500, seed=3)["auc"]
    assert high - low < (alone[1] - alone[0]) / 5


def test_a_score_does_not_differ_from_itself() -> None:
    target, score = made(300)
    assert paired_difference("pr_auc", target, score, score, n=50) == (0.0, 0.0, 0.0)


def test_a_clear_difference_is_seen() -> None:
    target, score = made(2000)
    luck = np.random.default_rng(1).random(2000)
    _, low, _ = paired_difference("ks", target, score, luck)
    assert low > 0


@pytest.mark.parametrize("options", [{"n": 0}, {"level": 1.0}])
def test_wrong_bootstrap_options_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(InvalidInput):
        paired_difference("auc", *made(50), made(50)[1], **options)  # type: ignore[arg-type]


def test_a_thousand_resamples_of_ten_thousand_rows_are_a_matter_of_a_second() -> None:
    case = made(10_000)
    start = time.perf_counter()
    evaluate(*case, n_bootstrap=1000)
    # A row-by-row bootstrap takes minutes; the bound only has to tell those two apart.
    assert time.perf_counter() - start < 10


def test_costs_per_row_add_up_to_the_cost_at_the_threshold() -> None:
    target, score = made(500)
    costs = CostMatrix(false_negative=7, true_positive=0.5, false_positive=2, true_negative=-0.25)
    each = cost_per_row(target, score, 0.3, costs)
    found = evaluate(target, score, cost_matrix=costs, n_bootstrap=0, threshold=0.3)
    assert each.mean() == pytest.approx(found.metrics["expected_cost"])
    with pytest.raises(InvalidInput, match="both classes"):
        cost_per_row([1, 1], [0.1, 0.2], 0.3, costs)


def test_the_interval_of_a_mean_is_that_of_the_normal_approximation() -> None:
    values = np.random.default_rng(0).choice([0.0, 1.0, 5.0], 2000, p=[0.7, 0.2, 0.1])
    low, high = mean_interval(values, n=4000)
    reach = 1.96 * values.std() / np.sqrt(values.size)
    assert (low, high) == pytest.approx((values.mean() - reach, values.mean() + reach), abs=0.01)
    assert mean_interval([3.0], n=10) == (3.0, 3.0)


def test_more_resamples_are_taken_for_a_higher_level() -> None:
    assert [resamples_for(level, 500) for level in (0.5, 0.95, 0.99, 0.999)] == [
        500,
        500,
        1000,
        10000,
    ]
