from __future__ import annotations

import inspect
import threading
import warnings
from collections.abc import Mapping
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
import pytest
from lightgbm import LGBMClassifier
from sklearn.base import BaseEstimator
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from airflow_mltrack.training.autolog import autolog, lightgbm_curves

GENERATOR = np.random.default_rng(0)
X = pd.DataFrame({"a": GENERATOR.normal(size=400), "b": GENERATOR.normal(size=400)})
Y = (X["a"] + GENERATOR.normal(size=400) > 0.5).astype(int)


def watched(*sets: tuple[Any, Any]) -> dict[str, Any]:
    """Name evaluation sets as this LightGBM wants them (4.7 renamed the argument)."""
    if "eval_X" in inspect.signature(LGBMClassifier.fit).parameters:
        return {"eval_X": tuple(x for x, _ in sets), "eval_y": tuple(y for _, y in sets)}
    return {"eval_set": list(sets)}


class Recorder:
    """A run that remembers."""

    def __init__(self) -> None:
        self.params: dict[str, object] = {}
        self.points: list[tuple[str, float, int]] = []
        self.tags: dict[str, str] = {}
        self.models: list[tuple[object, str, object]] = []

    def log_params(self, params: Mapping[str, object]) -> None:
        assert not self.params.keys() & params.keys(), "a param is written once"
        self.params.update(params)

    def log_metric(self, key: str, value: float, step: int = 0) -> None:
        self.points.append((key, value, step))

    def log_metrics(self, metrics: Mapping[str, float], step: int = 0) -> None:
        for key, value in metrics.items():
            self.log_metric(key, value, step)

    def set_tag(self, key: str, value: str) -> None:
        self.tags[key] = value

    def log_model(self, model: object, name: str, *, training_data: object = None) -> None:
        self.models.append((model, name, training_data))

    def curve(self, key: str) -> list[float]:
        """Values of one metric in the order of their steps."""
        found = sorted((step, value) for name, value, step in self.points if name == key)
        assert [step for step, _ in found] == list(range(len(found)))
        return [value for _, value in found]


@pytest.fixture
def run() -> Recorder:
    """Give a run that remembers."""
    return Recorder()


def test_a_fit_is_recorded_with_params_scores_and_seconds(run: Recorder) -> None:
    with autolog(run):
        model = LogisticRegression(C=0.3).fit(X, Y)
    assert model.score(X, Y) > 0.6
    assert run.params["C"] == "0.3"
    assert run.tags == {"estimator": "LogisticRegression"}
    metrics = {key: value for key, value, _ in run.points}
    assert metrics["fit_seconds"] > 0
    assert 0.7 < metrics["training_auc"] < 1
    assert run.models == []


def test_lightgbm_reports_every_iteration_of_every_evaluation_set(run: Recorder) -> None:
    with autolog(run):
        LGBMClassifier(n_estimators=12, verbose=-1, n_jobs=1).fit(
            X, Y, **watched((X.copy(), Y), (X[:100], Y[:100])), eval_metric="auc"
        )
    for key in ("valid_0.auc", "valid_1.auc", "valid_0.binary_logloss"):
        assert len(run.curve(key)) == 12
    loss = run.curve("valid_0.binary_logloss")
    assert loss[-1] < loss[0]


def test_the_own_callbacks_of_the_caller_stay(run: Recorder) -> None:
    seen: dict[str, Any] = {}
    with autolog(run):
        LGBMClassifier(n_estimators=3, verbose=-1, n_jobs=1).fit(
            X, Y, **watched((X.copy(), Y)), callbacks=[lightgbm.record_evaluation(seen)]
        )
    assert len(seen["valid_0"]["binary_logloss"]) == 3
    assert len(run.curve("valid_0.binary_logloss")) == 3


def test_lightgbm_train_is_recorded_too(run: Recorder) -> None:
    data = lightgbm.Dataset(X, Y)
    with autolog(run):
        lightgbm.train(
            {"objective": "binary", "verbose": -1, "num_threads": 1},
            data,
            num_boost_round=5,
            valid_sets=[data],
        )
    assert run.params["objective"] == "binary"
    assert len(run.curve("training.binary_logloss")) == 5


def test_the_callback_works_alone(run: Recorder) -> None:
    LGBMClassifier(n_estimators=4, verbose=-1, n_jobs=1).fit(
        X, Y, **watched((X.copy(), Y)), callbacks=[lightgbm_curves(run, "late.")]
    )
    assert len(run.curve("late.valid_0.binary_logloss")) == 4


def test_sklearn_curves_are_recorded(run: Recorder) -> None:
    with warnings.catch_warnings(), autolog(run):
        warnings.simplefilter("ignore")  # ten iterations do not converge
        GradientBoostingClassifier(n_estimators=7).fit(X, Y)
        MLPClassifier(max_iter=10, random_state=0).fit(X, Y)
    assert len(run.curve("training_score")) == 7
    assert len(run.curve("fit_2.training_loss")) == 10


def test_a_pipeline_is_one_fit_with_the_curves_of_its_last_step(run: Recorder) -> None:
    pipeline = Pipeline(
        [
            ("scale", StandardScaler()),
            ("boost", LGBMClassifier(n_estimators=6, verbose=-1, n_jobs=1)),
        ]
    )
    watched_step = {f"boost__{key}": value for key, value in watched((X.to_numpy(), Y)).items()}
    with autolog(run):
        pipeline.fit(X, Y, **watched_step)
    assert run.params["boost__n_estimators"] == "6"
    assert run.params["scale"] == "StandardScaler"
    assert len(run.curve("valid_0.binary_logloss")) == 6
    assert len(run.curve("fit_seconds")) == 1


def test_a_search_is_one_fit(run: Recorder) -> None:
    search = GridSearchCV(LogisticRegression(), {"C": [0.01, 1.0]}, cv=3)
    with autolog(run):
        search.fit(X, Y)
    assert run.params["best.C"] == str(search.best_params_["C"])
    metrics = {key: value for key, value, _ in run.points}
    assert metrics["best_cv_score"] == search.best_score_
    assert len(run.curve("fit_seconds")) == 1


def test_a_second_fit_has_a_prefix_and_overwrites_nothing(run: Recorder) -> None:
    with autolog(run):
        LogisticRegression(C=1.0).fit(X, Y)
        LogisticRegression(C=2.0).fit(X, Y)
    assert (run.params["C"], run.params["fit_2.C"]) == ("1.0", "2.0")


def test_a_regression_has_its_score(run: Recorder) -> None:
    with autolog(run):
        model = LinearRegression().fit(X, X["a"] * 3)
    assert ("training_score", model.score(X, X["a"] * 3), 0) in run.points


def test_an_estimator_without_scores_is_recorded_all_the_same(run: Recorder) -> None:
    with autolog(run):
        StandardScaler().fit(X)
    assert run.params["with_mean"] == "True"


def test_models_are_logged_when_asked_for(run: Recorder) -> None:
    with autolog(run, log_models=True):
        model = LogisticRegression().fit(X, Y)
        other = LogisticRegression().fit(X, Y)
    assert [(logged, name) for logged, name, _ in run.models] == [
        (model, "model"),
        (other, "model_fit_2"),
    ]
    assert run.models[0][2] is X  # the signature is learned from it; no row of it is stored


def test_a_fit_that_fails_says_so_to_its_caller(run: Recorder) -> None:
    with autolog(run), pytest.raises(ValueError, match="C"):
        LogisticRegression(C=-1.0).fit(X, Y)
    assert run.params["C"] == "-1.0"
    assert not run.points


def test_nothing_stays_behind(run: Recorder) -> None:
    before = {
        cls: cls.__dict__.get("fit") for cls in (LogisticRegression, LGBMClassifier, Pipeline)
    }
    train, hook = lightgbm.train, BaseEstimator.__dict__.get("__init_subclass__")

    def fail_inside() -> None:
        with autolog(run):
            assert LogisticRegression.__dict__["fit"] is not before[LogisticRegression]
            raise RuntimeError("boom")

    with pytest.raises(RuntimeError, match="boom"):
        fail_inside()
    assert {cls: cls.__dict__.get("fit") for cls in before} == before
    assert lightgbm.train is train
    assert BaseEstimator.__dict__.get("__init_subclass__") is hook
    LogisticRegression().fit(X, Y)
    assert not run.params


def test_blocks_may_nest_and_the_inner_run_gets_its_fits(run: Recorder) -> None:
    inner = Recorder()
    with autolog(run):
        with autolog(inner):
            LogisticRegression(C=5.0).fit(X, Y)
        LogisticRegression(C=6.0).fit(X, Y)
    assert (inner.params["C"], run.params["C"]) == ("5.0", "6.0")


def test_classes_made_inside_the_block_are_recorded(run: Recorder) -> None:
    with autolog(run):

        class Mine(BaseEstimator):  # type: ignore[misc]
            def __init__(self, depth: int = 3) -> None:
                self.depth = depth

            def fit(self, X: object, y: object = None) -> Mine:  # noqa: N803 - sklearn's name
                return self

        Mine(depth=9).fit(X)
    assert run.params["depth"] == "9"
    assert not hasattr(Mine.fit, "__wrapped__")


def test_other_threads_are_not_recorded_and_each_block_has_its_own_run() -> None:
    runs = [Recorder() for _ in range(4)]
    failures: list[BaseException] = []
    barrier = threading.Barrier(5)

    def work(number: int, recorder: Recorder | None) -> None:
        try:
            barrier.wait(timeout=30)
            if recorder is None:
                LogisticRegression(C=99.0).fit(X, Y)
                return
            with autolog(recorder):
                for _ in range(3):
                    LogisticRegression(C=float(number + 1)).fit(X, Y)
        except BaseException as error:  # noqa: BLE001 - the main thread reports it
            failures.append(error)

    threads = [
        threading.Thread(target=work, args=(number, recorder))
        for number, recorder in enumerate([*runs, None])
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    for number, recorder in enumerate(runs):
        found = {recorder.params[key] for key in ("C", "fit_2.C", "fit_3.C")}
        assert found == {str(float(number + 1))}
        assert "fit_4.C" not in recorder.params


def test_parts_that_fit_in_threads_of_their_own_are_not_recorded(run: Recorder) -> None:
    with autolog(run):
        RandomForestClassifier(n_estimators=4, n_jobs=2).fit(X, Y)
    assert run.tags == {"estimator": "RandomForestClassifier"}
