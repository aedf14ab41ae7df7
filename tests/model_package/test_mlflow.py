"""Stock mlflow reads a package and predicts what the original predicts.

One module, because importing mlflow takes seconds.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from imblearn.over_sampling import SMOTE
from imblearn.pipeline import Pipeline as ImblearnPipeline
from lightgbm import LGBMClassifier
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Ridge

from airflow_mltrack.model_package.writer import write_package

pytestmark = pytest.mark.filterwarnings(
    # From mlflow's own modules while they are imported.
    "ignore:.*Any type hint is inferred as AnyType:UserWarning"
)


@pytest.fixture(scope="module")
def mlflow() -> Any:
    """Give stock mlflow with the loaders that a package may name."""
    import mlflow
    import mlflow.lightgbm
    import mlflow.models
    import mlflow.pyfunc
    import mlflow.sklearn

    return mlflow


CASES = {
    "logistic": [LogisticRegression()],
    "smote+lightgbm": [SMOTE(random_state=0), LGBMClassifier(n_estimators=5, verbose=-1)],
    "random forest": [RandomForestClassifier(5, random_state=0)],
    "histogram boosting": [HistGradientBoostingClassifier(max_iter=5)],
}


@pytest.mark.parametrize("name", CASES)
def test_pyfunc_predicts_what_the_original_pipeline_predicts(
    name: str, mlflow: Any, pipeline_of: Any, table: pd.DataFrame, tmp_path: Path
) -> None:
    original = pipeline_of(*CASES[name])
    write_package(original, tmp_path / "model", training_data=table)
    stock = mlflow.pyfunc.load_model(str(tmp_path / "model"))
    assert np.array_equal(stock.predict(table), original.predict(table))
    estimator = mlflow.sklearn.load_model(str(tmp_path / "model"))
    assert np.array_equal(estimator.predict_proba(table), original.predict_proba(table))


def test_a_bare_lightgbm_estimator_has_both_flavors(
    mlflow: Any, table: pd.DataFrame, target: Any, tmp_path: Path
) -> None:
    numbers = table[["income", "age", "balance"]]
    original = LGBMClassifier(n_estimators=5, verbose=-1).fit(numbers, target)
    write_package(original, tmp_path / "model", training_data=numbers)
    stock = mlflow.pyfunc.load_model(str(tmp_path / "model"))
    assert np.array_equal(stock.predict(numbers), original.predict(numbers))
    estimator = mlflow.lightgbm.load_model(str(tmp_path / "model"))
    assert np.array_equal(estimator.predict_proba(numbers), original.predict_proba(numbers))


def test_a_booster_predicts_probabilities(
    mlflow: Any, table: pd.DataFrame, target: Any, tmp_path: Path
) -> None:
    numbers = table[["age", "balance"]]
    booster = LGBMClassifier(n_estimators=5, verbose=-1).fit(numbers, target).booster_
    write_package(booster, tmp_path / "model", training_data=numbers)
    stock = mlflow.pyfunc.load_model(str(tmp_path / "model"))
    assert np.array_equal(stock.predict(numbers), booster.predict(numbers))


def test_a_regression_on_a_frame_and_on_an_array(
    mlflow: Any, table: pd.DataFrame, tmp_path: Path
) -> None:
    numbers = table[["age", "balance"]]
    for name, rows in {"frame": numbers, "array": numbers.to_numpy()}.items():
        original = Ridge().fit(rows, table["balance"] * 2)
        write_package(original, tmp_path / name, training_data=rows)
        stock = mlflow.pyfunc.load_model(str(tmp_path / name))
        assert np.array_equal(stock.predict(rows), original.predict(rows))


def test_a_pickle_with_predict_loads(
    mlflow: Any, logistic: Any, table: pd.DataFrame, tmp_path: Path
) -> None:
    write_package(logistic, tmp_path / "model", training_data=table, format="pickle")
    stock = mlflow.pyfunc.load_model(str(tmp_path / "model"))
    assert np.array_equal(stock.predict(table), logistic.predict(table))


def test_an_object_without_predict_has_no_python_function(mlflow: Any, tmp_path: Path) -> None:
    write_package({"a": 1}, tmp_path / "model", format="pickle")
    found = mlflow.models.get_model_info(str(tmp_path / "model"))
    assert set(found.flavors) == {"sklearn"}


def test_mlflow_reads_signature_example_and_metadata(
    mlflow: Any, logistic: Any, table: pd.DataFrame, tmp_path: Path
) -> None:
    write_package(logistic, tmp_path / "model", training_data=table, metadata={"trial": 7})
    info = mlflow.models.get_model_info(str(tmp_path / "model"))
    assert info.metadata == {"trial": 7}
    inputs = info.signature.inputs
    assert inputs.input_names() == list(table.columns)
    assert [kind.name for kind in inputs.input_types()] == ["double", "long", "string", "double"]
    assert [column.required for column in inputs.inputs] == [True] * 4
    assert info.signature.outputs.is_tensor_spec()

    stored = mlflow.models.Model.load(str(tmp_path / "model"))
    example = stored.load_input_example(str(tmp_path / "model"))
    assert list(example.columns) == list(table.columns)
    stock = mlflow.pyfunc.load_model(str(tmp_path / "model"))
    assert len(stock.predict(example)) == 1

    serving = json.loads((tmp_path / "model" / "serving_input_example.json").read_text())
    assert list(serving) == ["dataframe_split"]


def test_mlflows_check_asks_for_every_column_and_takes_missing_values(
    mlflow: Any, logistic: Any, table: pd.DataFrame, tmp_path: Path
) -> None:
    write_package(logistic, tmp_path / "model", training_data=table)
    stock = mlflow.pyfunc.load_model(str(tmp_path / "model"))
    holes = table.iloc[:3].assign(income=np.nan, balance=np.nan, extra=1)
    assert len(stock.predict(holes)) == 3
    with pytest.raises(mlflow.exceptions.MlflowException, match="income"):
        stock.predict(table.drop(columns="income"))


@pytest.mark.filterwarnings("ignore:.*Inferred schema contains integer:UserWarning")
def test_our_signature_is_the_one_mlflow_infers(
    mlflow: Any, table: pd.DataFrame, tmp_path: Path
) -> None:
    from airflow_mltrack.model_package.signature import infer_signature

    frame = table.assign(
        small=table["age"].astype("int32"),
        short=table["income"].astype("float32"),
        flag=table["age"] > 40,
        day=pd.Timestamp("2026-01-01"),
        blob=b"x",
    ).dropna()
    theirs = mlflow.models.infer_signature(frame).inputs
    ours = json.loads(infer_signature(frame).to_mlflow()["inputs"] or "")
    assert ours == theirs.to_dict()


def test_mlflow_loads_a_package_where_airflow_mltrack_cannot_be_imported(
    pipeline_of: Any, table: pd.DataFrame, tmp_path: Path
) -> None:
    original = pipeline_of(SMOTE(random_state=0), LGBMClassifier(n_estimators=3, verbose=-1))
    assert isinstance(original, ImblearnPipeline)
    write_package(original, tmp_path / "model", training_data=table)
    table.iloc[:5].to_pickle(tmp_path / "rows")
    script = (
        "import sys\n"
        "sys.modules['airflow_mltrack'] = None\n"
        "sys.modules['imblearn'] = None\n"
        "import mlflow.pyfunc, pandas\n"
        "model = mlflow.pyfunc.load_model(sys.argv[1])\n"
        "print(model.predict(pandas.read_pickle(sys.argv[2])).tolist())\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script, tmp_path / "model", tmp_path / "rows"],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.stdout.strip() == str(original.predict(table.iloc[:5]).tolist()), done.stderr


def test_category_columns_reach_a_model_that_needs_them(
    mlflow: Any, table: pd.DataFrame, target: Any, tmp_path: Path
) -> None:
    typed = table.assign(purpose=table["purpose"].astype("category"))
    original = LGBMClassifier(n_estimators=5, verbose=-1).fit(typed, target)
    manifest = write_package(original, tmp_path / "model", training_data=typed)
    assert manifest.signature is not None
    stock = mlflow.pyfunc.load_model(str(tmp_path / "model"))
    assert np.array_equal(stock.predict(typed), original.predict(typed))


def test_category_columns_that_may_be_texts_keep_the_signature(
    mlflow: Any, pipeline_of: Any, table: pd.DataFrame, target: Any, tmp_path: Path
) -> None:
    typed = table.assign(purpose=table["purpose"].astype("category"))
    original = pipeline_of(LogisticRegression()).fit(typed, target)
    write_package(original, tmp_path / "model", training_data=typed)
    stock = mlflow.pyfunc.load_model(str(tmp_path / "model"))
    assert stock.metadata.signature is not None
    assert np.array_equal(stock.predict(table), original.predict(typed))
