"""What a package holds and what is refused."""

from __future__ import annotations

import io
import json
import zipfile
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from lightgbm import LGBMClassifier
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import Ridge
from sklearn.preprocessing import FunctionTransformer

from airflow_mltrack.exceptions import InvalidInput, ModelPackageError, UnsupportedModel
from airflow_mltrack.model_package.code_version import CodeVersion
from airflow_mltrack.model_package.reader import load_model, read_manifest, verify_files
from airflow_mltrack.model_package.signature import infer_signature
from airflow_mltrack.model_package.writer import write_package

WHEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)


class HomeMade(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A classifier of the user's own."""

    def fit(self, rows: Any, target: Any) -> HomeMade:
        self.classes_ = np.unique(target)
        return self

    def predict(self, rows: Any) -> Any:
        return np.full(len(rows), self.classes_[0])


@pytest.mark.parametrize(
    "classifier",
    [
        LGBMClassifier(n_estimators=10, verbose=-1),
        RandomForestClassifier(5, random_state=0),
        HistGradientBoostingClassifier(max_iter=5),
    ],
    ids=lambda model: type(model).__name__,
)
def test_a_loaded_pipeline_predicts_exactly_what_the_original_did(
    classifier: Any, pipeline_of: Any, table: pd.DataFrame, tmp_path: Path
) -> None:
    original = pipeline_of(classifier)
    manifest = write_package(original, tmp_path / "model", training_data=table)
    loaded = load_model(tmp_path / "model")
    assert np.array_equal(loaded.predict_proba(table), original.predict_proba(table))
    assert np.array_equal(loaded.predict(table), original.predict(table))
    assert manifest.format == "skops"
    assert manifest.proof["max_difference"] == 0.0
    assert manifest.stripped_steps == ()
    assert manifest.holds_training_rows == ()


def test_lightgbm_text_stands_inside_a_pipeline(
    pipeline_of: Any, table: pd.DataFrame, tmp_path: Path
) -> None:
    original = pipeline_of(LGBMClassifier(n_estimators=3, verbose=-1))
    write_package(original, tmp_path / "model", training_data=table)
    with zipfile.ZipFile(tmp_path / "model" / "model.skops") as archive:
        assert "tree_sizes=" in archive.read("schema.json").decode()


def test_a_booster_is_stored_as_lightgbm_text(
    table: pd.DataFrame, target: Any, tmp_path: Path
) -> None:
    numbers = table[["age", "balance"]]
    booster = LGBMClassifier(n_estimators=4, verbose=-1).fit(numbers, target).booster_
    manifest = write_package(booster, tmp_path / "model", training_data=numbers)
    assert manifest.format == "lightgbm"
    assert (tmp_path / "model" / "model.lgb").read_text().startswith("tree\n")
    loaded = load_model(tmp_path / "model")
    assert np.array_equal(loaded.predict(numbers), booster.predict(numbers))
    both = loaded.predict_proba(numbers)
    assert both.shape == (len(numbers), 2)
    assert np.array_equal(both[:, 1], booster.predict(numbers))


def test_a_regression_booster_has_no_probabilities(table: pd.DataFrame, tmp_path: Path) -> None:
    from lightgbm import LGBMRegressor

    numbers = table[["age", "balance"]]
    booster = LGBMRegressor(n_estimators=2, verbose=-1).fit(numbers, table["age"]).booster_
    write_package(booster, tmp_path / "model", training_data=numbers)
    with pytest.raises(InvalidInput, match="predicts no probabilities"):
        load_model(tmp_path / "model").predict_proba(numbers)


def test_lightgbm_with_category_columns_gets_them_back(
    table: pd.DataFrame, target: Any, tmp_path: Path
) -> None:
    typed = table.assign(purpose=table["purpose"].astype("category"))
    original = LGBMClassifier(n_estimators=5, verbose=-1).fit(typed, target)
    write_package(original, tmp_path / "model", training_data=typed)
    plain = table.assign(purpose=table["purpose"].astype(object)).iloc[:20]
    assert np.array_equal(
        load_model(tmp_path / "model").predict_proba(plain), original.predict_proba(typed)[:20]
    )


def test_a_model_of_plain_arrays_keeps_an_array_signature(
    table: pd.DataFrame, tmp_path: Path
) -> None:
    rows = table[["age", "balance"]].to_numpy()
    original = Ridge().fit(rows, rows.sum(axis=1))
    manifest = write_package(original, tmp_path / "model", training_data=rows)
    assert manifest.signature is not None
    assert manifest.signature.array == ("float64", 2)
    assert np.array_equal(load_model(tmp_path / "model").predict(rows), original.predict(rows))
    with pytest.raises(InvalidInput, match="wants 2 columns"):
        load_model(tmp_path / "model").predict(rows[:, :1])


def test_an_object_without_a_safe_format_needs_pickle_by_name(
    table: pd.DataFrame, target: Any, tmp_path: Path
) -> None:
    model = HomeMade().fit(table, target)
    with pytest.raises(UnsupportedModel, match='format="pickle"'):
        write_package(model, tmp_path / "skops", training_data=table)
    manifest = write_package(model, tmp_path / "pickle", training_data=table, format="pickle")
    assert (manifest.format, manifest.serialization) == ("pickle", "cloudpickle")
    loaded = load_model(tmp_path / "pickle", allow_pickle=True)
    assert np.array_equal(loaded.predict(table), model.predict(table))


def test_pickle_works_without_cloudpickle(
    logistic: Any, table: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    manifest = write_package(logistic, tmp_path / "model", training_data=table, format="pickle")
    assert manifest.serialization == "pickle"
    assert "sklearn.pipeline.Pipeline" in manifest.types
    loaded = load_model(tmp_path / "model", allow_pickle=True)
    assert np.array_equal(loaded.predict(table), logistic.predict(table))


def test_what_cannot_be_pickled_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedModel, match="cannot write it"):
        write_package(io.BufferedReader(io.BytesIO()), tmp_path / "model", format="pickle")


def test_a_function_of_the_users_own_is_refused_unless_trusted(
    pipeline_of: Any, table: pd.DataFrame, target: Any, tmp_path: Path
) -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    numbers = table[["age", "balance"]]
    model = make_pipeline(FunctionTransformer(json.dumps), LogisticRegression())
    model.steps[0][1].fit(numbers)
    model.steps[1][1].fit(numbers, target)
    with pytest.raises(UnsupportedModel, match=r"json\.dumps"):
        write_package(model, tmp_path / "refused")
    write_package(model, tmp_path / "taken", trusted_types=["json.dumps"])
    loaded = load_model(tmp_path / "taken", trusted_types=["json.dumps"])
    assert loaded.model.steps[0][1].func is json.dumps


def test_numpy_functions_may_be_in_a_pipeline(
    table: pd.DataFrame, target: Any, tmp_path: Path
) -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    numbers = table[["age"]]
    model = make_pipeline(FunctionTransformer(np.log1p), LogisticRegression()).fit(numbers, target)
    write_package(model, tmp_path / "model", training_data=numbers)
    assert np.array_equal(
        load_model(tmp_path / "model").predict_proba(numbers), model.predict_proba(numbers)
    )


def test_the_same_model_gives_the_same_digest_twice(
    pipeline_of: Any, table: pd.DataFrame, tmp_path: Path
) -> None:
    original = pipeline_of(RandomForestClassifier(4, random_state=0))
    first = write_package(original, tmp_path / "a", training_data=table, created_at=WHEN)
    second = write_package(original, tmp_path / "b", training_data=table, created_at=WHEN)
    assert first.digest == second.digest
    assert first.created_at == "2026-01-02T03:04:05+00:00"
    later = write_package(original, tmp_path / "c", training_data=table)
    assert later.digest != first.digest


def test_seeds_code_and_metadata_are_recorded(
    logistic: Any, table: pd.DataFrame, tmp_path: Path
) -> None:
    code = CodeVersion(commit="c" * 40, branch="main", dirty=True, diff="--- a\n+++ b\n")
    write_package(
        logistic,
        tmp_path / "model",
        training_data=table,
        code=code,
        seeds={"split": 42},
        metadata={"trial": 7},
    )
    manifest = read_manifest(tmp_path / "model")
    assert manifest.code["commit"] == "c" * 40
    assert manifest.code["dirty"] is True
    assert manifest.seeds == {"split": 42}
    assert manifest.metadata == {"trial": 7}
    assert (tmp_path / "model" / "code.diff").read_text() == code.diff
    assert "code.diff" in [file.path for file in manifest.files]


def test_a_manifest_survives_its_json_form(
    logistic: Any, table: pd.DataFrame, tmp_path: Path
) -> None:
    written = write_package(logistic, tmp_path / "model", training_data=table)
    assert read_manifest(tmp_path / "model") == written
    assert verify_files(tmp_path / "model", digest=written.digest) == written
    assert written.size == sum(file.size for file in written.files)


def test_without_rows_a_package_has_no_signature_and_is_still_read_back(
    logistic: Any, table: pd.DataFrame, tmp_path: Path
) -> None:
    manifest = write_package(logistic, tmp_path / "model")
    assert manifest.signature is None
    assert manifest.proof == {}
    assert not (tmp_path / "model" / "input_example.json").exists()
    assert np.array_equal(load_model(tmp_path / "model").predict(table), logistic.predict(table))


def test_an_explicit_example_is_stored_as_it_is(
    logistic: Any, table: pd.DataFrame, tmp_path: Path
) -> None:
    rows = table.iloc[:2]
    manifest = write_package(logistic, tmp_path / "model", example=rows)
    stored = json.loads((tmp_path / "model" / "input_example.json").read_text())
    assert [row[1] for row in stored["data"]] == rows["age"].tolist()
    assert manifest.signature is not None
    assert manifest.signature.columns[1].maximum is None


def test_a_given_signature_is_kept(logistic: Any, table: pd.DataFrame, tmp_path: Path) -> None:
    signature = infer_signature(table, constraints=False)
    manifest = write_package(logistic, tmp_path / "model", training_data=table, signature=signature)
    assert manifest.signature == signature


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"format": "onnx"}, "skops, lightgbm, pickle"),
        ({"created_at": datetime(2026, 1, 1)}, "time zone"),  # noqa: DTZ001
        ({"metadata": {"when": object()}}, "JSON-able"),
        ({"metadata": {"score": float("nan")}}, "JSON-able"),
        ({"metadata": {"curve": [0.5] * 210_000}}, "nobody could read it.*more than 200000 values"),
        ({"seeds": {"split": {1}}}, "JSON-able"),
    ],
)
def test_bad_arguments_are_named(
    arguments: dict[str, Any], message: str, logistic: Any, tmp_path: Path
) -> None:
    with pytest.raises(InvalidInput, match=message):
        write_package(logistic, tmp_path / "model", **arguments)


def test_a_data_set_is_no_example(logistic: Any, table: pd.DataFrame, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="1 to 100 rows"):
        write_package(logistic, tmp_path / "model", example=table)
    with pytest.raises(InvalidInput, match="1 to 100 rows"):
        write_package(logistic, tmp_path / "other", example=table.iloc[:0])


def test_a_directory_in_use_is_refused(logistic: Any, tmp_path: Path) -> None:
    (tmp_path / "something").write_text("")
    with pytest.raises(InvalidInput, match="must be empty"):
        write_package(logistic, tmp_path)


def test_formats_fit_their_models(logistic: Any, table: pd.DataFrame, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedModel, match="holds boosters"):
        write_package(logistic, tmp_path / "a", format="lightgbm")
    booster = LGBMClassifier(n_estimators=1, verbose=-1).fit(table[["age"]], table["age"] > 40)
    with pytest.raises(UnsupportedModel, match="lightgbm"):
        write_package(booster.booster_, tmp_path / "b", format="skops")


def test_an_example_that_does_not_fit_the_model_is_explained(
    logistic: Any, table: pd.DataFrame, tmp_path: Path
) -> None:
    with pytest.raises(ModelPackageError, match="fails on the example rows"):
        write_package(logistic, tmp_path / "model", example=table[["age"]].iloc[:1])


def test_unfitted_parts_that_predict_otherwise_are_noticed(
    table: pd.DataFrame, target: Any, tmp_path: Path
) -> None:
    class Drifting(HomeMade):
        def predict(self, rows: Any) -> Any:
            return np.random.default_rng().random(len(rows))

    with pytest.raises(UnsupportedModel, match="differs from the original"):
        write_package(
            Drifting().fit(table, target), tmp_path / "m", training_data=table, format="pickle"
        )


def test_what_skops_cannot_write_is_refused(tmp_path: Path) -> None:
    from sklearn.cluster import Birch

    model = Birch(n_clusters=None).fit([[0.0], [1.0], [2.0]])
    with pytest.raises(UnsupportedModel, match="skops cannot write it"):
        write_package(model, tmp_path / "model")
