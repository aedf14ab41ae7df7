"""Numbers that are known from elsewhere, on the real data: 70/30 stratified hold-out, seed 42."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_mltrack.training.dataset import DatasetSpec, load_dataset
from airflow_mltrack.training.evaluation import metric_value
from airflow_mltrack.training.recipes import RecipeSpec, build_pipeline
from airflow_mltrack.training.splits import SplitSpec, make_split

pytestmark = pytest.mark.data

BOOSTED: dict[str, object] = {"n_estimators": 200, "learning_rate": 0.05}


def measured_auc(spec: DatasetSpec, recipe: RecipeSpec) -> float:
    """Fit on 70% and measure on 30%."""
    dataset = load_dataset(spec)
    split = make_split(dataset, SplitSpec(test_size=0.3, seed=42))
    pipeline = build_pipeline(recipe, dataset.features, seed=42)
    pipeline.fit(dataset.features.iloc[split.train_rows], dataset.target[split.train_rows])
    score = pipeline.predict_proba(dataset.features.iloc[split.test_rows])[:, 1]
    return metric_value("auc", dataset.target[split.test_rows], score)


def uci(data_dir: Path) -> DatasetSpec:
    path = data_dir / "uci_default_credit_card.csv.gz"
    return DatasetSpec(str(path), "default.payment.next.month", drop=("ID",))


def german(data_dir: Path) -> DatasetSpec:
    return DatasetSpec(str(data_dir / "german_credit.csv.gz"), "bad")


@pytest.mark.parametrize(
    ("resampler", "expected", "tolerance"), [("none", 0.776, 0.004), ("smote", 0.772, 0.005)]
)
def test_lightgbm_on_uci(data_dir: Path, resampler: str, expected: float, tolerance: float) -> None:
    found = measured_auc(uci(data_dir), RecipeSpec("lightgbm", BOOSTED, resampler))
    assert found == pytest.approx(expected, abs=tolerance)
    assert found < 0.80, "the resampler saw test rows"


def test_logistic_regression_with_random_over_sampling_on_german(data_dir: Path) -> None:
    recipe = RecipeSpec("logistic_regression", resampler="random_over")
    assert measured_auc(german(data_dir), recipe) == pytest.approx(0.810, abs=0.01)


@pytest.mark.parametrize("resampler", ["smote", "random_over", "smote_enn"])
def test_no_tree_model_on_german_is_too_good_to_be_true(data_dir: Path, resampler: str) -> None:
    assert measured_auc(german(data_dir), RecipeSpec("lightgbm", BOOSTED, resampler)) < 0.88
