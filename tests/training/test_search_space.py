from __future__ import annotations

import optuna
import pytest

from airflow_mltrack.exceptions import InvalidInput
from airflow_mltrack.training.search_space import SearchSpace, grid, random, suggest

SPACE = {
    "resampler": {"choices": ["none", "smote"]},
    "classifier": ["lightgbm", "logistic_regression"],
    "lightgbm.learning_rate": {"type": "float", "low": 0.01, "high": 0.3, "log": True},
    "lightgbm.num_leaves": {"type": "int", "low": 7, "high": 31, "step": 8},
    "smote.k_neighbors": {"type": "int", "low": 3, "high": 7},
    "classifier.class_weight": {"choices": [None, "balanced"]},
}


def in_space(point: dict[str, object]) -> bool:
    """Whether a point holds exactly the keys that count, with allowed values."""
    boosted, resampled = point["classifier"] == "lightgbm", point["resampler"] == "smote"
    rate, leaves = point.get("lightgbm.learning_rate"), point.get("lightgbm.num_leaves")
    return (
        (rate is not None) == (leaves is not None) == boosted
        and ("smote.k_neighbors" in point) == resampled
        and (rate is None or (isinstance(rate, float) and 0.01 <= rate <= 0.3))
        and leaves in (None, 7, 15, 23, 31)
        and point.get("smote.k_neighbors", 3) in range(3, 8)
        and point["classifier.class_weight"] in (None, "balanced")
    )


def test_a_grid_lists_every_combination_once_in_order() -> None:
    space = SearchSpace.from_json(
        {"a.b": {"choices": [1, 2]}, "c.d": {"type": "int", "low": 0, "high": 2}}
    )
    assert [tuple(point.values()) for point in grid(space)] == [
        (1, 0), (1, 1), (1, 2), (2, 0), (2, 1), (2, 2),
    ]  # fmt: skip


def test_a_grid_repeats_nothing_for_params_that_nobody_uses() -> None:
    space = SearchSpace.from_json(
        {"classifier": ["lightgbm", "extra_trees"], "lightgbm.num_leaves": [7, 15, 31]}
    )
    assert grid(space) == [
        {"classifier": "lightgbm", "lightgbm.num_leaves": 7},
        {"classifier": "lightgbm", "lightgbm.num_leaves": 15},
        {"classifier": "lightgbm", "lightgbm.num_leaves": 31},
        {"classifier": "extra_trees"},
    ]


def test_float_steps_hit_their_end() -> None:
    space = SearchSpace.from_json({"x.y": {"type": "float", "low": 0.1, "high": 0.3, "step": 0.1}})
    assert [point["x.y"] for point in grid(space)] == [0.1, 0.2, 0.3]


def test_random_points_are_inside_and_the_seed_decides() -> None:
    space = SearchSpace.from_json(SPACE)
    points = random(space, 200, seed=5)
    assert len(points) == 200
    assert all(in_space(dict(point)) for point in points)
    assert random(space, 200, seed=5) == points
    assert random(space, 50, seed=5) == points[:50]
    assert random(space, 200, seed=6) != points
    assert {point["classifier"] for point in points} == {"lightgbm", "logistic_regression"}


def test_log_scales_give_small_values_their_share() -> None:
    space = SearchSpace.from_json(
        {
            "a.x": {"type": "float", "low": 0.001, "high": 1.0, "log": True},
            "a.n": {"type": "int", "low": 1, "high": 1000, "log": True},
        }
    )
    points = random(space, 600, seed=1)
    small = [point for point in points if float(str(point["a.x"])) < 0.0316]
    assert 0.4 < len(small) / 600 < 0.6
    whole = [point["a.n"] for point in points]
    assert all(isinstance(number, int) and 1 <= number <= 1000 for number in whole)
    assert 0.4 < sum(int(str(number)) <= 31 for number in whole) / 600 < 0.6


def test_optuna_suggests_exactly_the_keys_that_count() -> None:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    space = SearchSpace.from_json(SPACE)
    for _ in range(50):
        trial = study.ask()
        point = suggest(trial, space)
        assert in_space(dict(point))
        assert trial.params == point


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({}, "at least one param"),
        ([1], "at least one param"),
        ({"a": 3}, "search space a"),
        ({"a": {"choices": []}}, "not empty"),
        ({"a": {"choices": [1, 1]}}, "stands there twice"),
        ({"a": {"choices": [[1]]}}, "a choice is text"),
        ({"a": {"choices": [1], "low": 2}}, "choices stand alone"),
        ({"a": {"type": "text"}}, "float or int"),
        ({"a": {"type": "float", "low": 0}}, "search space a high"),
        ({"a": {"type": "float", "low": 2, "high": 1}}, "low is not above high"),
        ({"a": {"type": "int", "low": 0.5, "high": 1}}, "whole number"),
        ({"a": {"type": "float", "low": True, "high": 1}}, "finite number"),
        ({"a": {"type": "float", "low": 0, "high": float("inf")}}, "finite number"),
        ({"a": {"type": "float", "low": 0, "high": 1, "log": True}}, "above 0"),
        ({"a": {"type": "float", "low": 1, "high": 2, "log": True, "step": 1}}, "no step"),
        ({"a": {"type": "float", "low": 1, "high": 2, "step": 0}}, "above 0"),
        ({"a": {"type": "float", "low": 1, "high": 2, "log": "yes"}}, "true or false"),
        ({"a": {"type": "float", "lo": 1, "high": 2}}, "Did you mean low"),
    ],
)
def test_a_wrong_dimension_is_named(data: dict[str, object], words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        SearchSpace.from_json(data)


@pytest.mark.parametrize(
    "dimension",
    [
        {"type": "float", "low": 0, "high": 1},
        {"type": "float", "low": 0.1, "high": 1, "log": True},
        {"type": "int", "low": 1, "high": 9, "log": True},
    ],
)
def test_a_grid_over_a_continuum_is_refused(dimension: dict[str, object]) -> None:
    with pytest.raises(InvalidInput, match=r"a\.b.*finite list"):
        grid(SearchSpace.from_json({"a.b": dimension}))


def test_a_grid_that_is_too_large_is_refused_before_it_is_built() -> None:
    wide = {"type": "int", "low": 1, "high": 10_000}
    with pytest.raises(InvalidInput, match="100000000 combinations"):
        grid(SearchSpace.from_json({"a.x": wide, "a.y": wide}))


@pytest.mark.parametrize("number", [0, 100_001])
def test_a_wrong_number_of_random_points_is_refused(number: int) -> None:
    with pytest.raises(InvalidInput, match="number of trials"):
        random(SearchSpace.from_json({"a": [1]}), number, seed=1)
