"""What stock mlflow has saved is read here, without mlflow, and predicts the same."""

from __future__ import annotations

import ast
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from imblearn.over_sampling import SMOTE
from lightgbm import LGBMClassifier, LGBMRegressor
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

from airflow_mltrack.exceptions import (
    ArtifactCorrupt,
    EnvironmentMismatch,
    InvalidInput,
    ModelPackageError,
    UntrustedPackage,
)
from airflow_mltrack.model_package.reader import load_model, read_manifest, verify_files
from tests.model_package.mlflow_packages import digest_by_hand

pytestmark = [
    pytest.mark.filterwarnings("error::Warning:airflow_mltrack"),
    # MLflow's own, about itself and what it is asked to save.
    pytest.mark.filterwarnings("ignore"),
]

NUMBERS = ["income", "age", "balance"]
TOLD = {"skops_trusted_types": ["numpy.dtype", "sklearn.tree._tree.Tree"]}
"""What mlflow has to be told about a pipeline that encodes texts, and about trees."""


def _nothing_imported(*_given: object, **_more: object) -> list[str]:
    return []


@pytest.fixture(scope="module")
def mlflow() -> Iterator[Any]:
    """Give stock mlflow, which starts no Python of its own for each model."""
    import mlflow
    import mlflow.lightgbm
    import mlflow.models
    import mlflow.pyfunc
    import mlflow.sklearn
    from mlflow.utils import requirements_utils

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(requirements_utils, "_capture_imported_modules", _nothing_imported)
        yield mlflow


@pytest.fixture(scope="module")
def numbers(table: pd.DataFrame) -> pd.DataFrame:
    """Give the columns of numbers without holes."""
    return table[NUMBERS].fillna(0.0)


@pytest.fixture
def package(mlflow: Any, logistic: Any, table: pd.DataFrame, tmp_path: Path) -> Path:
    """Give a package that mlflow's defaults make, with signature and example."""
    mlflow.sklearn.save_model(
        logistic,
        str(tmp_path / "package"),
        signature=mlflow.models.infer_signature(table, logistic.predict(table)),
        input_example=table.iloc[:2],
        metadata={"threshold": 0.25, "odd": float("nan"), "tags": ["a", 1]},
        **TOLD,
    )
    return tmp_path / "package"


@pytest.mark.parametrize("form", ["skops", "pickle", "cloudpickle"])
def test_a_pipeline_predicts_what_it_predicts_in_mlflow(
    form: str, mlflow: Any, pipeline_of: Any, table: pd.DataFrame, tmp_path: Path
) -> None:
    original = pipeline_of(RandomForestClassifier(5, random_state=0))
    where = tmp_path / "package"
    mlflow.sklearn.save_model(original, str(where), serialization_format=form, **TOLD)
    loaded = load_model(where, allow_pickle=form != "skops", check_environment="error")
    assert np.array_equal(loaded.predict(table), mlflow.pyfunc.load_model(where).predict(table))
    assert np.array_equal(loaded.predict_proba(table), original.predict_proba(table))
    assert loaded.manifest.format == ("skops" if form == "skops" else "pickle")
    assert loaded.manifest.serialization == ("" if form == "skops" else form)
    assert loaded.manifest.model_class == "sklearn.pipeline.Pipeline"


@pytest.mark.parametrize("form", ["skops", "cloudpickle"])
@pytest.mark.parametrize("kind", [LGBMClassifier, LGBMRegressor])
def test_a_lightgbm_estimator_predicts_what_it_predicts_in_mlflow(
    kind: Any, form: str, mlflow: Any, numbers: pd.DataFrame, target: Any, tmp_path: Path
) -> None:
    original = kind(n_estimators=5, verbose=-1).fit(numbers, target)
    where = tmp_path / "package"
    mlflow.lightgbm.save_model(
        original,
        str(where),
        serialization_format=form,
        signature=mlflow.models.infer_signature(numbers, original.predict(numbers)),
    )
    manifest = read_manifest(where)
    assert manifest.model_class == f"lightgbm.sklearn.{kind.__name__}"
    loaded = load_model(where, allow_pickle=form != "skops")
    assert np.array_equal(loaded.predict(numbers), mlflow.pyfunc.load_model(where).predict(numbers))
    assert loaded.manifest == manifest
    if kind is LGBMClassifier:
        assert np.array_equal(loaded.predict_proba(numbers), original.predict_proba(numbers))


def test_a_booster_predicts_probabilities(
    mlflow: Any, numbers: pd.DataFrame, target: Any, tmp_path: Path
) -> None:
    original = LGBMClassifier(n_estimators=5, verbose=-1).fit(numbers, target).booster_
    where = tmp_path / "package"
    mlflow.lightgbm.save_model(original, str(where))
    loaded = load_model(where)
    assert (loaded.manifest.format, loaded.manifest.model_file) == ("lightgbm", "model.lgb")
    assert loaded.manifest.model_class == "lightgbm.basic.Booster"
    expected = mlflow.pyfunc.load_model(where).predict(numbers)
    assert np.array_equal(loaded.predict(numbers), expected)
    assert np.array_equal(loaded.predict_proba(numbers)[:, 1], expected)
    with pytest.raises(InvalidInput, match="number of features"):
        loaded.predict(numbers[["age"]])


def test_a_pipeline_with_a_sampler_needs_the_reader_s_trust(
    mlflow: Any, pipeline_of: Any, table: pd.DataFrame, tmp_path: Path
) -> None:
    original = pipeline_of(SMOTE(random_state=0), LogisticRegression())
    where = tmp_path / "package"
    with pytest.raises(mlflow.exceptions.MlflowException, match="untrusted types") as refused:
        mlflow.sklearn.save_model(original, str(tmp_path / "refused"))
    listed = str(refused.value).rpartition("file: ")[2].rstrip(".")
    types = ast.literal_eval(listed)
    mlflow.sklearn.save_model(original, str(where), skops_trusted_types=types)
    with pytest.raises(UntrustedPackage, match="SMOTE") as caught:
        load_model(where)
    assert all(name.startswith("imblearn.") for name in caught.value.types)
    loaded = load_model(where, trusted_types=caught.value.types)
    assert np.array_equal(loaded.predict(table), mlflow.pyfunc.load_model(where).predict(table))


def test_a_pickle_is_refused_in_the_words_for_ours(
    mlflow: Any, logistic: Any, tmp_path: Path
) -> None:
    where = tmp_path / "package"
    mlflow.sklearn.save_model(logistic, str(where), serialization_format="cloudpickle")
    with pytest.raises(UntrustedPackage, match=r"runs its author's code.*allow_pickle=True"):
        load_model(where)


def test_the_manifest_tells_what_mlflow_has_written(package: Path) -> None:
    manifest = read_manifest(package)
    assert manifest.format == "skops"
    assert manifest.model_class == ""
    assert manifest.metadata == {"threshold": 0.25, "odd": "nan", "tags": ["a", 1]}
    assert manifest.created_at.endswith("+00:00")
    assert manifest.environment["python"] == ".".join(map(str, sys.version_info[:3]))
    required, listed = manifest.environment["required"], manifest.environment["listed"]
    assert isinstance(required, dict)
    assert isinstance(listed, dict)
    assert {"scikit-learn", "skops"} <= set(required)
    assert "mlflow" in listed
    origin = manifest.mlflow
    assert origin is not None
    assert (origin.version, origin.model_file) == ("3.17.2", "model.skops")
    assert origin.flavors == ("python_function (mlflow.sklearn)", "sklearn")
    assert origin.example == "input_example.json"
    assert manifest.to_json()["mlflow"] == origin.to_json()


def test_the_digest_is_over_every_file_as_in_a_package_of_ours(package: Path) -> None:
    (package / "folder").mkdir()
    (package / "folder" / "more.txt").write_text("more")
    manifest = read_manifest(package)
    assert manifest.digest == digest_by_hand(package)
    assert {"MLmodel", "folder/more.txt", "model.skops"} <= {file.path for file in manifest.files}
    assert manifest.size == sum(
        file.stat().st_size for file in package.rglob("*") if file.is_file()
    )


def test_another_byte_is_noticed_against_the_recorded_digest(package: Path) -> None:
    recorded = digest_by_hand(package)
    load_model(package, digest=recorded)
    (package / "requirements.txt").write_text("evil==1.0\n")
    with pytest.raises(ArtifactCorrupt, match="models:/credit/1") as caught:
        load_model(package, digest=recorded, where="models:/credit/1")
    assert (caught.value.expected, caught.value.found) == (recorded, digest_by_hand(package))
    with pytest.raises(ArtifactCorrupt):
        verify_files(package, digest=recorded)


@pytest.mark.parametrize("folder", [False, True])
def test_a_link_is_refused(folder: bool, package: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_text("x")
    (package / "linked").symlink_to(outside if folder else outside / "file")
    with pytest.raises(ModelPackageError, match=r"linked of the model package .* is a link"):
        load_model(package)


def test_rows_are_brought_into_the_form_of_the_signature(
    package: Path, logistic: Any, table: pd.DataFrame
) -> None:
    signature = read_manifest(package).signature
    assert signature is not None
    assert [(column.name, column.type) for column in signature.columns] == [
        ("income", "double"),
        ("age", "long"),
        ("purpose", "string"),
        ("balance", "double"),
    ]
    loaded = load_model(package)
    shuffled = table[["purpose", "balance", "age", "income"]].assign(unknown=1)
    shuffled["age"] = shuffled["age"].astype("float64")
    assert np.array_equal(loaded.predict_proba(shuffled), logistic.predict_proba(table))
    assert loaded.check(shuffled).dropped == ("unknown",)
    with pytest.raises(InvalidInput, match="income"):
        loaded.predict(table.drop(columns="income"))
    with pytest.raises(InvalidInput, match=r"age.*long"):
        loaded.predict(table.assign(age=0.5))
    with pytest.raises(InvalidInput, match="purpose"):
        loaded.predict(table.assign(purpose=1))
    assert not loaded.check(table.assign(age=10**6, purpose="moon")).violations


def test_without_a_signature_the_model_itself_says_what_is_wrong(
    mlflow: Any, logistic: Any, table: pd.DataFrame, tmp_path: Path
) -> None:
    where = tmp_path / "package"
    mlflow.sklearn.save_model(logistic, str(where), **TOLD)
    loaded = load_model(where)
    assert loaded.manifest.signature is None
    assert loaded.check(table).data is table
    with pytest.raises(InvalidInput, match=r"refuses it.*has no signature"):
        loaded.predict_proba(table.drop(columns="income"))


def test_an_array_is_checked_by_its_width(mlflow: Any, tmp_path: Path) -> None:
    rows = np.random.default_rng(0).normal(size=(40, 3))
    original = LogisticRegression().fit(rows, rows[:, 0] > 0)
    where = tmp_path / "package"
    mlflow.sklearn.save_model(original, str(where), input_example=rows[:2])
    loaded = load_model(where)
    assert loaded.manifest.signature is not None
    assert loaded.manifest.signature.array == ("float64", 3)
    assert np.array_equal(loaded.predict(rows.tolist()), original.predict(rows))
    with pytest.raises(InvalidInput, match="3 columns"):
        loaded.predict(rows[:, :2])


def test_columns_that_may_be_absent_may(
    mlflow: Any, numbers: pd.DataFrame, target: Any, tmp_path: Path
) -> None:
    from mlflow.types import ColSpec, Schema

    original = LGBMClassifier(n_estimators=3, verbose=-1).fit(numbers, target)
    inputs = [ColSpec("double", name) for name in ("income", "age", "balance")]
    inputs.append(ColSpec("string", "note", required=False))
    signature = mlflow.models.ModelSignature(Schema(inputs))
    where = tmp_path / "package"
    mlflow.lightgbm.save_model(original, str(where), signature=signature)
    loaded = load_model(where)
    assert np.array_equal(loaded.predict(numbers), original.predict(numbers))
    assert list(loaded.check(numbers.assign(note="x")).data.columns) == [*NUMBERS, "note"]
    with pytest.raises(InvalidInput, match=r"note.*string"):
        loaded.check(numbers.assign(note=1))


def test_every_type_of_a_column_is_read(mlflow: Any, tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "small": np.arange(4, dtype="int32"),
            "short": np.arange(4, dtype="float32"),
            "flag": [True, False] * 2,
            "day": pd.Timestamp("2026-01-01"),
            "blob": b"x",
            "words": [["a"], ["b"], ["c"], ["d"]],
        }
    )
    original = LogisticRegression().fit(frame[["small"]], frame["flag"])
    where = tmp_path / "package"
    signature = mlflow.models.infer_signature(frame)
    mlflow.sklearn.save_model(original, str(where), signature=signature)
    found = read_manifest(where).signature
    assert found is not None
    assert [column.type for column in found.columns] == [
        "integer",
        "float",
        "boolean",
        "datetime",
        "binary",
        "any",
    ]
    checked = found.check(frame.assign(day="2026-01-01", short=np.arange(4.0))).data
    assert checked["short"].dtype == "float32"
    assert checked["day"].iloc[0] == pd.Timestamp("2026-01-01")
    assert checked["words"].iloc[0] == ["a"]
    for odd in ({"day": 5}, {"blob": "x"}, {"flag": 1}, {"small": 2**40}):
        with pytest.raises(InvalidInput, match=next(iter(odd))):
            found.check(frame.assign(**odd))


def test_it_is_read_where_mlflow_cannot_be_imported(
    package: Path, logistic: Any, table: pd.DataFrame, tmp_path: Path
) -> None:
    table.iloc[:5].to_pickle(tmp_path / "rows")
    script = (
        "import sys\n"
        "sys.modules['mlflow'] = None\n"
        "import pandas, pathlib\n"
        "from airflow_mltrack.model_package.reader import load_model\n"
        "model = load_model(pathlib.Path(sys.argv[1]), check_environment='error')\n"
        "print(model.predict(pandas.read_pickle(sys.argv[2])).tolist())\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script, package, tmp_path / "rows"],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.stdout.strip() == str(logistic.predict(table.iloc[:5]).tolist()), done.stderr


def test_only_libraries_of_the_model_are_asked_for(
    package: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = package / "requirements.txt"
    file.write_text(
        "mlflow==0.1\npytest-of-nobody==7\n-c constraints.txt\nnumpy[x] == 0.1 ; python_version>'3'"
        "\nimbalanced_learn\nhttps://localhost/a.whl\nlightgbm==3.0\n"
    )
    with caplog.at_level(logging.WARNING):
        load_model(package)
    assert "numpy 0.1" in caplog.text
    assert "lightgbm 3.0" in caplog.text
    assert "nobody" not in caplog.text
    with pytest.raises(EnvironmentMismatch, match=r"numpy 0\.1"):
        load_model(package, check_environment="error")


def test_code_of_its_own_is_never_imported(
    mlflow: Any, logistic: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "odd_code.py").write_text("raise SystemExit")
    where = tmp_path / "package"
    path = str(tmp_path / "odd_code.py")
    mlflow.sklearn.save_model(logistic, str(where), code_paths=[path], **TOLD)
    before = list(sys.path)
    with caplog.at_level(logging.WARNING):
        loaded = load_model(where, where="models:/credit/1")
    assert "models:/credit/1 brings code of its own in code" in caplog.text
    assert loaded.manifest.mlflow is not None
    assert loaded.manifest.mlflow.code == "code"
    assert sys.path == before
    assert "odd_code" not in sys.modules


def test_a_model_in_code_of_python_is_not_read(mlflow: Any, tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="type hints"):  # it overrides our filters

        class Echo(mlflow.pyfunc.PythonModel):  # type: ignore[misc]
            def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def]
                return model_input

    where = tmp_path / "package"
    mlflow.pyfunc.save_model(str(where), python_model=Echo())
    with pytest.raises(ModelPackageError) as caught:
        load_model(where, allow_pickle=True)
    for part in ("python_function (mlflow.pyfunc.model)", "sklearn and lightgbm", "log_model"):
        assert part in str(caught.value)
