from __future__ import annotations

import json

import numpy as np
import pytest

from airflow_mltrack.exceptions import InvalidInput
from airflow_mltrack.training.dataset import Dataset
from airflow_mltrack.training.plot_images import render_png
from airflow_mltrack.training.plots import MOST_POINTS, PLOT_NAMES, plot_data
from airflow_mltrack.training.recipes import RecipeSpec, build_pipeline

GENERATOR = np.random.default_rng(0)
TARGET = (GENERATOR.random(3000) < 0.2).astype(np.int64)
SCORE = 1 / (1 + np.exp(-(GENERATOR.normal(size=3000) + TARGET - 1.5)))


def lengths(value: object) -> list[int]:
    """List the lengths of all lists inside."""
    if isinstance(value, dict):
        return [length for item in value.values() for length in lengths(item)]
    if isinstance(value, list):
        return [len(value), *(length for item in value for length in lengths(item))]
    return []


def test_plot_data_are_small_json() -> None:
    plots = plot_data(TARGET, SCORE)
    assert json.loads(json.dumps(plots, allow_nan=False)) == plots
    assert max(lengths(plots)) <= MOST_POINTS
    assert len(json.dumps(plots)) < 20_000


def test_curves_reach_both_ends_and_keep_their_area() -> None:
    roc = plot_data(TARGET, SCORE)["roc"]
    x, y = roc["false_positive_rate"], roc["true_positive_rate"]
    assert (x[0], y[0], x[-1], y[-1]) == (0, 0, 1, 1)
    area = np.trapezoid(y, x)
    assert area == pytest.approx(roc["auc"], abs=0.005)


def test_histograms_and_bins_account_for_every_row() -> None:
    plots = plot_data(TARGET, SCORE, threshold=0.3)
    assert sum(plots["score_distribution"]["event"]) == pytest.approx(1, abs=1e-4)
    assert sum(plots["calibration"]["rows"]) == 3000
    (kept, refused), (missed, caught) = plots["confusion_matrix"]["counts"]
    assert kept + refused + missed + caught == 3000
    assert caught == ((SCORE >= 0.3) & (TARGET == 1)).sum()


def test_scores_that_are_no_probabilities_have_no_calibration() -> None:
    plots = plot_data(TARGET, SCORE * 7)
    assert "calibration" not in plots
    assert plots["score_distribution"]["edges"][-1] == pytest.approx(SCORE.max() * 7, rel=1e-5)


def test_few_and_equal_scores_can_be_plotted() -> None:
    for score in (np.full(3000, 0.5), np.full(3000, 3.0), TARGET.astype(float)):
        for name, data in plot_data(TARGET, score).items():
            assert render_png(name, data).startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("classifier", "kind"),
    [
        ("lightgbm", "share of gain"),
        ("random_forest", "share of gain"),
        ("logistic_regression", "coefficient"),
    ],
)
def test_importance_has_the_names_of_the_columns(
    dataset: Dataset, classifier: str, kind: str
) -> None:
    pipeline = build_pipeline(RecipeSpec(classifier), dataset.features)
    pipeline.fit(dataset.features, dataset.target)
    score = pipeline.predict_proba(dataset.features)[:, 1]
    found = plot_data(dataset.target, score, pipeline=pipeline)["feature_importance"]
    assert found["kind"] == kind
    assert {"income", "age", "home_rent"} <= set(found["features"])
    assert found["features"][0] in ("income", "age")
    if kind != "coefficient":
        assert sum(found["importance"]) == pytest.approx(1, abs=1e-4)


def test_a_classifier_without_importance_has_no_such_plot(dataset: Dataset) -> None:
    pipeline = build_pipeline(RecipeSpec("naive_bayes"), dataset.features)
    pipeline.fit(dataset.features, dataset.target)
    score = pipeline.predict_proba(dataset.features)[:, 1]
    assert "feature_importance" not in plot_data(dataset.target, score, pipeline=pipeline)


def test_every_plot_becomes_a_png_and_leaves_matplotlib_alone(dataset: Dataset) -> None:
    import matplotlib as mpl
    from matplotlib import _pylab_helpers

    backend, settings = mpl.get_backend(), dict(mpl.rcParams)
    pipeline = build_pipeline(RecipeSpec("logistic_regression"), dataset.features)
    pipeline.fit(dataset.features, dataset.target)
    score = pipeline.predict_proba(dataset.features)[:, 1]
    plots = plot_data(dataset.target, score, pipeline=pipeline)
    assert set(plots) == set(PLOT_NAMES)
    for name, data in plots.items():
        image = render_png(name, data, subtitle="300 rows")
        assert image.startswith(b"\x89PNG")
        assert 5_000 < len(image) < 200_000
    assert _pylab_helpers.Gcf.figs == {}
    assert (mpl.get_backend(), dict(mpl.rcParams)) == (backend, settings)


def test_an_unknown_plot_is_refused() -> None:
    with pytest.raises(InvalidInput, match="known are roc"):
        render_png("pie", {})
