from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from airflow_mltrack.exceptions import InvalidInput, UntrustedImport
from airflow_mltrack.training.dataset import Dataset
from airflow_mltrack.training.recipes import (
    CLASSIFIERS,
    RESAMPLERS,
    RecipeSpec,
    build_pipeline,
    check_enough_minority_rows,
    described_params,
    with_params,
)
from airflow_mltrack.training.trusted_imports import import_class

QUICK: dict[str, dict[str, object]] = {
    "random_forest": {"n_estimators": 5},
    "extra_trees": {"n_estimators": 5},
    "balanced_random_forest": {"n_estimators": 5},
    "easy_ensemble": {"n_estimators": 2},
    "rus_boost": {"n_estimators": 5},
    "ada_boost": {"n_estimators": 5},
    "lightgbm": {"n_estimators": 5},
    "gradient_boosting": {"n_estimators": 5},
    "hist_gradient_boosting": {"max_iter": 5},
    "neural_network": {"max_iter": 500},
    "kmeans_smote": {"cluster_balance_threshold": 0.1},
}


@pytest.mark.parametrize("classifier", sorted(CLASSIFIERS))
def test_every_short_classifier_fits_a_mixed_table(dataset: Dataset, classifier: str) -> None:
    pipeline = build_pipeline(RecipeSpec(classifier, options=QUICK), dataset.features, seed=1)
    pipeline.fit(dataset.features, dataset.target)
    score = pipeline.predict_proba(dataset.features)
    assert score.shape == (300, 2)
    assert np.isfinite(score).all()


@pytest.mark.parametrize("resampler", ["none", *sorted(RESAMPLERS)])
def test_every_short_resampler_runs_in_front_of_a_classifier(
    dataset: Dataset, resampler: str
) -> None:
    recipe = RecipeSpec("logistic_regression", resampler=resampler, options=QUICK)
    pipeline = build_pipeline(recipe, dataset.features, seed=1)
    check_enough_minority_rows(pipeline, dataset.target)
    pipeline.fit(dataset.features, dataset.target)
    assert pipeline.predict_proba(dataset.features).shape == (300, 2)


def test_resampling_changes_only_the_rows_that_are_fitted(dataset: Dataset) -> None:
    pipeline = build_pipeline(RecipeSpec("decision_tree", resampler="smote"), dataset.features)
    pipeline.fit(dataset.features, dataset.target)
    tree = pipeline.named_steps["classify"].tree_
    assert tree.n_node_samples[0] == 2 * (dataset.target == 0).sum()
    assert len(pipeline.predict_proba(dataset.features)) == len(dataset.features)


def test_the_same_seed_gives_the_same_scores(dataset: Dataset) -> None:
    recipe = RecipeSpec("lightgbm", {"n_estimators": 10}, "smote")
    scores = [
        build_pipeline(recipe, dataset.features, seed=seed)
        .fit(dataset.features, dataset.target)
        .predict_proba(dataset.features)
        for seed in (1, 1, 2)
    ]
    np.testing.assert_array_equal(scores[0], scores[1])
    assert not np.array_equal(scores[0], scores[2])


def test_dotted_paths_and_params_reach_the_classes(dataset: Dataset) -> None:
    recipe = RecipeSpec(
        "sklearn.linear_model.LogisticRegression",
        {"C": 0.5, "class_weight": "balanced"},
        "imblearn.over_sampling.SMOTE",
        {"k_neighbors": 3},
    )
    pipeline = build_pipeline(recipe, dataset.features, seed=9)
    classifier, resampler = pipeline.named_steps["classify"], pipeline.named_steps["resample"]
    assert isinstance(classifier, LogisticRegression)
    assert (classifier.C, classifier.class_weight, classifier.random_state) == (0.5, "balanced", 9)
    assert (resampler.k_neighbors, resampler.random_state) == (3, 9)


@pytest.mark.parametrize(
    "path",
    [
        "os.system",
        "subprocess.Popen",
        "sklearn.os.system",
        "sklearn.utils.os.PathLike",
        "sklearn.linear_model._logistic.LogisticRegression",
        "sklearn.__builtins__.eval",
        "sklearn.utils._testing.subprocess.Popen",
        "airflow_mltrack.settings.Settings",
        "builtins.eval",
    ],
)
def test_nothing_outside_the_trusted_modules_is_imported(dataset: Dataset, path: str) -> None:
    with pytest.raises((UntrustedImport, InvalidInput)) as caught:
        build_pipeline(RecipeSpec(path), dataset.features)
    assert path in str(caught.value)


def test_a_foreign_class_reached_through_a_trusted_module_is_refused(dataset: Dataset) -> None:
    import sklearn.base

    assert sklearn.base.defaultdict is not None  # if sklearn stops re-exporting it, name another
    with pytest.raises(UntrustedImport, match=r"collections\.defaultdict"):
        build_pipeline(RecipeSpec("sklearn.base.defaultdict"), dataset.features)


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("sklearn.linear_model.LogisticRegresion", "Did you mean LogisticRegression"),
        ("sklearn.no_such_module.Thing", "cannot be imported"),
        ("sklearn.linear_model.Ridge", "no predict_proba"),
        ("sklearn.preprocessing.StandardScaler", "no predict_proba"),
        ("sklearn.utils.Bunch", "no fit"),
        ("sklearn.base.clone", "not a class"),
        ("sklearn.linear model.X", "module.Class"),
        ("lightgmb", "Did you mean lightgbm"),
        ("imblearn.over_sampling.SMOTE", "no predict_proba"),
    ],
)
def test_what_is_no_classifier_is_refused(dataset: Dataset, path: str, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        build_pipeline(RecipeSpec(path), dataset.features)


def test_a_classifier_is_no_resampler(dataset: Dataset) -> None:
    with pytest.raises(InvalidInput, match="no fit_resample"):
        build_pipeline(
            RecipeSpec(resampler="sklearn.linear_model.LogisticRegression"), dataset.features
        )
    with pytest.raises(InvalidInput, match="Did you mean smote"):
        build_pipeline(RecipeSpec(resampler="smot"), dataset.features)


def test_trusted_modules_can_be_configured(dataset: Dataset) -> None:
    with pytest.raises(UntrustedImport, match="MLTRACK_TRUSTED_MODULES"):
        build_pipeline(RecipeSpec("lightgbm"), dataset.features, trusted_modules=["sklearn"])


@pytest.mark.parametrize(
    ("recipe", "words"),
    [
        (RecipeSpec("lightgbm", {"num_leavs": 3}), "Did you mean num_leaves"),
        (RecipeSpec("lightgbm", {"machine_list_filename": "/etc/passwd"}), "LGBMClassifier takes"),
        (RecipeSpec("lightgbm", {"output_model": "model.txt"}), "LGBMClassifier takes"),
        (RecipeSpec("random_forest", {"n_trees": 3}), "RandomForestClassifier takes"),
        (RecipeSpec(resampler="smote", resampler_params={"k": 3}), "SMOTE takes"),
    ],
)
def test_unknown_params_are_refused_with_a_close_name(
    dataset: Dataset, recipe: RecipeSpec, words: str
) -> None:
    with pytest.raises(InvalidInput, match=words):
        build_pipeline(recipe, dataset.features)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("boosting_type", "gbdt forcedsplits_filename=/etc/passwd"),
        ("objective", "binary\tforcedbins_filename"),
        ("boosting_type", ["gbdt", ["machines=host:1"]]),
    ],
)
def test_no_further_param_hides_inside_a_value_for_lightgbm(
    dataset: Dataset, key: str, value: object
) -> None:
    with pytest.raises(InvalidInput, match=f"param {key} of lightgbm .* one word"):
        build_pipeline(RecipeSpec("lightgbm", {key: value}), dataset.features)


def test_no_recipe_names_a_directory_that_joblib_unpickles_from(
    dataset: Dataset, tmp_path: Path
) -> None:
    params = {"steps": [["only", "passthrough"]], "memory": str(tmp_path / "cache")}
    with pytest.raises(InvalidInput, match="unpickle"):
        build_pipeline(RecipeSpec("sklearn.pipeline.Pipeline", params), dataset.features)


@pytest.mark.parametrize("classifier", ["lightgbm", "logistic_regression"])
def test_what_is_given_by_class_survives_json(dataset: Dataset, classifier: str) -> None:
    minority = int(dataset.target.sum())
    recipe = RecipeSpec(
        classifier,
        {"class_weight": {0: 1, 1: 5}},
        resampler="random_over",
        resampler_params={"sampling_strategy": {1: minority + 20}},
        options=QUICK,
    )
    stored = RecipeSpec.from_json(json.loads(json.dumps(recipe.to_json())))
    scores = [
        build_pipeline(one, dataset.features, seed=1)
        .fit(dataset.features, dataset.target)
        .predict_proba(dataset.features)
        for one in (recipe, stored)
    ]
    np.testing.assert_array_equal(*scores)


def test_lightgbm_takes_the_params_that_only_its_keywords_know(dataset: Dataset) -> None:
    recipe = RecipeSpec("lightgbm", {"scale_pos_weight": 3.0, "n_estimators": 5})
    pipeline = build_pipeline(recipe, dataset.features)
    assert pipeline.named_steps["classify"].get_params()["scale_pos_weight"] == 3.0


def test_a_resampler_with_too_few_minority_rows_is_refused_with_both_numbers(
    dataset: Dataset,
) -> None:
    target = np.zeros(300, dtype=np.int64)
    target[:5] = 1
    for resampler in ("smote", "adasyn", "borderline_smote", "smote_enn", "smote_tomek"):
        pipeline = build_pipeline(RecipeSpec(resampler=resampler), dataset.features)
        with pytest.raises(InvalidInput, match=r"at least 6 minority rows.*have 5"):
            check_enough_minority_rows(pipeline, target)
    enough = RecipeSpec(resampler="smote", resampler_params={"k_neighbors": 4})
    check_enough_minority_rows(build_pipeline(enough, dataset.features), target)
    check_enough_minority_rows(build_pipeline(RecipeSpec(), dataset.features), target)


@pytest.mark.parametrize(
    ("recipe", "scaled"),
    [
        (RecipeSpec("lightgbm"), False),
        (RecipeSpec("lightgbm", resampler="random_over"), False),
        (RecipeSpec("lightgbm", resampler="smote"), True),
        (RecipeSpec("logistic_regression"), True),
        (RecipeSpec("logistic_regression", preprocessing="unscaled"), False),
        (RecipeSpec("random_forest", preprocessing="scaled"), True),
    ],
)
def test_numbers_are_scaled_where_distances_count(
    dataset: Dataset, recipe: RecipeSpec, scaled: bool
) -> None:
    preprocess = build_pipeline(recipe, dataset.features).named_steps["preprocess"]
    assert ("scale" in dict(preprocess.transformers[0][1].steps)) == scaled


def test_a_trial_changes_the_recipe() -> None:
    base = RecipeSpec("lightgbm", {"num_leaves": 7}, options={"smote": {"k_neighbors": 3}})
    found = with_params(
        base,
        {
            "resampler": "smote",
            "classifier.learning_rate": 0.1,
            "smote.sampling_strategy": 0.5,
            "random_forest.max_depth": 3,
        },
    )
    assert described_params(found) == {
        "classifier": "lightgbm",
        "resampler": "smote",
        "preprocessing": "auto",
        "classifier.num_leaves": 7,
        "classifier.learning_rate": 0.1,
        "resampler.k_neighbors": 3,
        "resampler.sampling_strategy": 0.5,
    }
    assert base == RecipeSpec("lightgbm", {"num_leaves": 7}, options={"smote": {"k_neighbors": 3}})


@pytest.mark.parametrize("key", ["learning_rate", "lightgbn.num_leaves", "classifier.", "a.b.c"])
def test_a_trial_param_that_nobody_reads_is_refused(key: str) -> None:
    with pytest.raises(InvalidInput, match="trial param"):
        with_params(RecipeSpec(), {key: 1})


def test_a_spec_survives_json() -> None:
    spec = RecipeSpec("lightgbm", {"n_estimators": 3}, "smote", {"k_neighbors": 2})
    assert RecipeSpec.from_json(spec.to_json()) == spec


@pytest.mark.parametrize(
    "data",
    [
        {"clasifier": "lightgbm"},
        {"classifier": 3},
        {"classifier_params": [1]},
        {"options": {"smote": 3}},
        {"preprocessing": "fancy"},
    ],
)
def test_a_wrong_spec_is_refused(data: dict[str, object]) -> None:
    with pytest.raises(InvalidInput):
        RecipeSpec.from_json(data)


@pytest.mark.parametrize("path", ["sklearn.conftest.Any", "sklearn.tests.test_base.MyEstimator"])
def test_modules_of_tests_are_not_imported(path: str) -> None:
    with pytest.raises(UntrustedImport):
        import_class(path, ("sklearn",), ("fit",))
