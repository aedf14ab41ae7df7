"""Trees that point outside themselves are refused before anybody predicts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import (
    BaggingClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    IsolationForest,
    RandomForestClassifier,
)
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from airflow_mltrack.exceptions import UntrustedPackage
from airflow_mltrack.model_package.formats import skops as skops_format
from airflow_mltrack.model_package.tree_bounds import check_trees


@pytest.fixture(scope="module")
def rows() -> tuple[Any, Any]:
    """Numbers to fit on."""
    random = np.random.default_rng(1)
    numbers = random.normal(size=(120, 4))
    return numbers, (numbers[:, 0] + numbers[:, 1] > 0).astype(int)


def crafted(tree: Any, field: str, value: int) -> None:
    """Overwrite one field of a tree's first node."""
    state = tree.__getstate__()
    nodes = state["nodes"].copy()
    nodes[field][0] = value
    tree.__setstate__({**state, "nodes": nodes})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("left_child", 10**9),
        ("right_child", 10**9),
        ("left_child", -7),
        ("right_child", 0),
        ("feature", 10**6),
        ("feature", -5),
    ],
)
def test_a_crafted_decision_tree_is_refused(
    field: str, value: int, rows: tuple[Any, Any], tmp_path: Path
) -> None:
    forest = RandomForestClassifier(3, random_state=0).fit(*rows)
    skops_format.save(forest, tmp_path / "honest.skops")
    skops_format.load(tmp_path / "honest.skops")
    crafted(forest.estimators_[1].tree_, field, value)
    skops_format.save(forest, tmp_path / "crafted.skops")
    with pytest.raises(UntrustedPackage, match=r"estimators_\[1\]\.tree_ points outside itself"):
        skops_format.load(tmp_path / "crafted.skops")


@pytest.mark.parametrize(
    ("field", "value"),
    [("left", 4 * 10**9), ("right", 0), ("feature_idx", 10**6), ("feature_idx", -1)],
)
def test_a_crafted_histogram_tree_is_refused(
    field: str, value: int, rows: tuple[Any, Any], tmp_path: Path
) -> None:
    model = HistGradientBoostingClassifier(max_iter=2).fit(*rows)
    model._predictors[0][0].nodes[field][0] = value
    skops_format.save(model, tmp_path / "crafted.skops")
    with pytest.raises(UntrustedPackage, match="points outside"):
        skops_format.load(tmp_path / "crafted.skops")


def test_a_category_set_that_does_not_exist_is_refused(rows: tuple[Any, Any]) -> None:
    numbers = rows[0].copy()
    numbers[:, 0] = (numbers[:, 0] > 0) + 0.0
    model = HistGradientBoostingClassifier(max_iter=2, categorical_features=[0]).fit(
        numbers, rows[1]
    )
    check_trees(model, "here")
    predictor = model._predictors[0][0]
    assert predictor.nodes["is_categorical"].any()
    predictor.nodes["bitset_idx"][:] = 50
    with pytest.raises(UntrustedPackage):
        check_trees(model, "here")


@pytest.mark.parametrize("algorithm", ["kd_tree", "ball_tree"])
@pytest.mark.parametrize("place", ["index", "start", "end"])
def test_a_crafted_search_tree_is_refused(
    algorithm: str, place: str, rows: tuple[Any, Any]
) -> None:
    model = KNeighborsClassifier(algorithm=algorithm).fit(*rows)
    check_trees(model, "here")
    state = list(model._tree.__getstate__())
    state[1], state[2] = state[1].copy(), state[2].copy()
    if place == "index":
        state[1][0] = 10**9
    else:
        state[2][f"idx_{place}"][0] = 10**9
    model._tree.__setstate__(tuple(state))
    with pytest.raises(UntrustedPackage):
        check_trees(model, "here")


def test_trees_may_not_read_columns_that_their_forest_does_not_check(
    rows: tuple[Any, Any],
) -> None:
    numbers, target = rows
    forest = RandomForestClassifier(2, random_state=0).fit(numbers, target)
    forest.n_features_in_ = 2
    with pytest.raises(UntrustedPackage):
        check_trees(forest, "here")
    tree = DecisionTreeClassifier().fit(numbers, target)
    tree.n_features_in_ = 2
    with pytest.raises(UntrustedPackage):
        check_trees(tree, "here")
    histogram = HistGradientBoostingClassifier(max_iter=2).fit(numbers, target)
    histogram.n_features_in_ = 2
    with pytest.raises(UntrustedPackage):
        check_trees(histogram, "here")


def test_honest_trees_of_all_kinds_pass(rows: tuple[Any, Any]) -> None:
    numbers, target = rows
    for model in (
        make_pipeline(StandardScaler(), GradientBoostingClassifier(n_estimators=3)),
        BaggingClassifier(DecisionTreeClassifier(), n_estimators=3, max_features=2),
        RandomForestClassifier(3),
    ):
        check_trees(model.fit(numbers, target), "here")
    check_trees(IsolationForest(n_estimators=3, max_features=2).fit(numbers), "here")
