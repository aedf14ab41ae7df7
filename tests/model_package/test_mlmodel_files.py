"""MLmodel files of earlier versions of MLflow are read, crooked ones are refused by name."""

from __future__ import annotations

import json
import logging
import pickle
import time
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from lightgbm import LGBMClassifier

from airflow_mltrack.exceptions import InvalidInput, ModelPackageError, UntrustedPackage
from airflow_mltrack.model_package.bounded_yaml import BYTES
from airflow_mltrack.model_package.formats import skops as skops_format
from airflow_mltrack.model_package.manifest import PackageFile, hash_file
from airflow_mltrack.model_package.package_files import PackageFiles
from airflow_mltrack.model_package.reader import describe_package, load_model, read_manifest
from airflow_mltrack.model_package.writer import write_package
from tests.model_package.mlflow_packages import (
    pyfunc_flavor,
    sklearn_flavor,
    write_mlmodel,
    write_pickle,
)

NAMED = {"inputs": '[{"name": "a", "type": "long"}]'}
TWICE = json.dumps([{"name": "a", "type": "long"}] * 2)
FIRST_FORM = """\
artifact_path: model
flavors:
  python_function:
    data: model.pkl
    env: conda.yaml
    loader_module: mlflow.sklearn
    python_version: 3.7.10
  sklearn:
    pickled_model: model.pkl
    sklearn_version: 0.24.2
run_id: 5c1d2f6a9b3e4d7f8a0b1c2d3e4f5a6b
utc_time_created: '2021-06-01 08:15:30.123456'
"""
FIRST_CONDA = """\
channels:
- conda-forge
dependencies:
- python=3.7.10
- pip
- pip:
  - mlflow
  - scikit-learn==0.24.2
  - numpy==1.19.5
name: mlflow-env
"""
SECOND_FORM = """\
artifact_path: model
flavors:
  python_function:
    env:
      conda: conda.yaml
      virtualenv: python_env.yaml
    loader_module: mlflow.sklearn
    model_path: model.pkl
    predict_fn: predict
    python_version: 3.9.16
  sklearn:
    code: null
    pickled_model: model.pkl
    serialization_format: cloudpickle
    sklearn_version: 1.2.2
mlflow_version: 2.3.1
model_uuid: 0123456789abcdef0123456789abcdef
run_id: 5c1d2f6a9b3e4d7f8a0b1c2d3e4f5a6b
signature:
  inputs: '[{"name": "income", "type": "double"}, {"name": "age", "type": "long"}, {"name":
    "purpose", "type": "string"}, {"name": "balance", "type": "double", "optional": true}]'
  outputs: '[{"type": "tensor", "tensor-spec": {"dtype": "int64", "shape": [-1]}}]'
utc_time_created: '2023-05-01 08:15:30'
"""


def test_a_package_of_mlflow_1_is_read(logistic: Any, table: pd.DataFrame, tmp_path: Path) -> None:
    package = write_pickle(logistic, tmp_path / "package")
    (package / "MLmodel").write_text(FIRST_FORM)
    (package / "conda.yaml").write_text(FIRST_CONDA)
    manifest = read_manifest(package)
    assert (manifest.format, manifest.serialization) == ("pickle", "pickle")
    assert manifest.created_at == "2021-06-01T08:15:30.123456+00:00"
    assert manifest.environment == {
        "python": "3.7.10",
        "required": {"numpy": "1.19.5", "scikit-learn": "0.24.2"},
        "listed": {},
    }
    assert manifest.mlflow is not None
    assert manifest.mlflow.run_id == "5c1d2f6a9b3e4d7f8a0b1c2d3e4f5a6b"
    assert manifest.mlflow.version == ""
    with pytest.raises(UntrustedPackage, match="allow_pickle=True"):
        load_model(package)
    loaded = load_model(package, allow_pickle=True)
    assert loaded.manifest.model_class == "sklearn.pipeline.Pipeline"
    assert np.array_equal(loaded.predict_proba(table), logistic.predict_proba(table))


def test_a_package_of_mlflow_2_is_read(logistic: Any, table: pd.DataFrame, tmp_path: Path) -> None:
    package = write_pickle(logistic, tmp_path / "package")
    (package / "MLmodel").write_text(SECOND_FORM)
    (package / "requirements.txt").write_text("mlflow==2.3.1\ncloudpickle==3.0.0\n")
    manifest = read_manifest(package)
    assert manifest.serialization == "cloudpickle"
    assert manifest.created_at == "2023-05-01T08:15:30+00:00"
    assert manifest.environment["required"] == {"cloudpickle": "3.0.0", "scikit-learn": "1.2.2"}
    assert manifest.signature is not None
    assert [column.required for column in manifest.signature.columns] == [True, True, True, False]
    loaded = load_model(package, allow_pickle=True)
    assert np.array_equal(loaded.predict(table), logistic.predict(table))
    with pytest.raises(InvalidInput, match="purpose"):
        loaded.predict(table.drop(columns="purpose"))


def test_a_lightgbm_flavor_without_a_class_is_a_booster(
    table: pd.DataFrame, target: Any, tmp_path: Path
) -> None:
    rows = table[["age", "balance"]]
    booster = LGBMClassifier(n_estimators=3, verbose=-1).fit(rows, target).booster_
    flavors = {
        "lightgbm": {"data": "model.lgb", "lgb_version": "2.3.0"},
        "python_function": {"data": "model.lgb", "loader_module": "mlflow.lightgbm"},
    }
    package = write_mlmodel(tmp_path / "package", flavors, signature=None)
    booster.save_model(str(package / "model.lgb"))
    loaded = load_model(package)
    assert np.array_equal(loaded.predict(rows), booster.predict(rows))
    assert loaded.manifest.environment["required"] == {"lightgbm": "2.3.0"}


def test_a_lightgbm_estimator_without_a_form_is_a_cloudpickle(
    table: pd.DataFrame, target: Any, tmp_path: Path
) -> None:
    rows = table[["age", "balance"]]
    model = LGBMClassifier(n_estimators=3, verbose=-1).fit(rows, target)
    flavor = {"data": "model.pkl", "model_class": "lightgbm.sklearn.LGBMClassifier"}
    package = write_mlmodel(write_pickle(model, tmp_path / "package"), {"lightgbm": flavor})
    assert read_manifest(package).serialization == "cloudpickle"
    loaded = load_model(package, allow_pickle=True)
    assert np.array_equal(loaded.predict_proba(rows), model.predict_proba(rows))


@pytest.mark.parametrize(
    ("inputs", "array"),
    [
        ([{"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1, 3]}}], 3),
        ([{"type": "tensor", "tensor-spec": {"dtype": "float32", "shape": [-1, -1]}}], -1),
        ([{"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1]}}], None),
        ([{"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1, 8, 8]}}], None),
        ([{"type": "tensor", "tensor-spec": {"dtype": "object", "shape": [-1, 3]}}], None),
        ([{"type": "tensor", "tensor-spec": {"dtype": "nonsense", "shape": [-1, 3]}}], None),
        # numpy evaluates what stands in parentheses, and warns of others.
        ([{"type": "tensor", "tensor-spec": {"dtype": "(f8, f8", "shape": [-1, 3]}}], None),
        ([{"type": "tensor", "tensor-spec": {"dtype": "(,)f8", "shape": [-1, 3]}}], None),
        ([{"type": "tensor", "tensor-spec": {"dtype": "a10", "shape": [-1, 3]}}], None),
        ([{"type": "tensor", "tensor-spec": {"dtype": "float64 ", "shape": [-1, 3]}}], None),
        ([{"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1, True]}}], None),
        (
            [{"type": "tensor", "name": "x", "tensor-spec": {"dtype": "int8", "shape": [-1, 3]}}],
            None,
        ),
        ([{"type": "tensor"}, {"type": "tensor"}], None),
        ([{"type": "string"}], None),
        ([], None),
        (None, None),
    ],
)
def test_only_signatures_of_tables_and_matrices_are_checked(
    inputs: object, array: int | None, model: Callable[..., Path]
) -> None:
    text = None if inputs is None else json.dumps(inputs)
    found = read_manifest(
        model(signature={"inputs": text, "outputs": None, "params": None})
    ).signature
    assert (found is None) is (array is None)
    if found is not None:
        assert found.array is not None
        assert found.array[1] == array
        wide = np.zeros((2, 3), dtype="float32")
        assert found.check(wide).data.shape == (2, 3)
        with pytest.raises(InvalidInput, match="the model wants"):
            found.check(np.zeros(3))


@pytest.fixture
def model(tmp_path: Path) -> Callable[..., Path]:
    """Give a function that writes a package of a skops model, changed in a part."""

    def write(
        *,
        sklearn: Mapping[str, object] | None = None,
        pyfunc: Mapping[str, object] | None = None,
        flavors: Mapping[str, object] | None = None,
        **more: object,
    ) -> Path:
        own = {
            "python_function": pyfunc_flavor(**(pyfunc or {})),
            "sklearn": sklearn_flavor(**(sklearn or {})),
        }
        package = write_mlmodel(tmp_path / "package", {**own, **(flavors or {})}, **more)
        skops_format.save({"a": 1}, package / "model.skops")
        return package

    return write


def test_the_plain_form_of_these_tests_is_read(model: Callable[..., Path]) -> None:
    assert load_model(model(), check_environment="ignore").model == {"a": 1}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"sklearn": {"pickled_model": "/etc/passwd"}}, "'/etc/passwd', which is not one beside"),
        ({"sklearn": {"pickled_model": "../model.skops"}}, "not one beside MLmodel"),
        ({"sklearn": {"pickled_model": "data/model.skops"}}, "not one beside MLmodel"),
        ({"sklearn": {"pickled_model": "..\\model.skops"}}, "not one beside MLmodel"),
        ({"sklearn": {"pickled_model": ".."}}, "not one beside MLmodel"),
        ({"sklearn": {"pickled_model": ""}}, "not one beside MLmodel"),
        ({"sklearn": {"pickled_model": "gone.skops"}}, "'gone.skops', which is not there"),
        ({"sklearn": {"pickled_model": None}}, "names no file under pickled_model"),
        ({"sklearn": {"pickled_model": ["model.skops"]}}, "names no file under pickled_model"),
        ({"sklearn": {"serialization_format": "joblib"}}, "'joblib'; skops, pickle, cloudpickle"),
        ({"sklearn": {"serialization_format": ["skops"]}}, "are read"),
        ({"pyfunc": {"loader_module": "mlflow.pyfunc.model"}}, "loaded by 'mlflow.pyfunc.model'"),
        ({"pyfunc": {"loader_module": "mlflow.lightgbm"}}, "loaded by 'mlflow.lightgbm'"),
        ({"pyfunc": {"loader_module": None}}, "not by MLflow's own loader of sklearn"),
        ({"pyfunc": {"loader_module": {}}}, "not by MLflow's own loader of sklearn"),
        ({"pyfunc": {"model_path": "other.pkl"}}, "serves 'other.pkl'.*not be what is served"),
        ({"pyfunc": {"model_path": "/etc/passwd"}}, "serves '/etc/passwd'"),
        ({"pyfunc": {"data": "."}}, r"serves '\.'"),
        ({"flavors": {"sklearn": "model.skops"}}, "its flavor 'sklearn' is no mapping"),
        ({"flavors": {"xgboost": {"data": "model.xgb"}}}, "sklearn, xgboost; only sklearn and"),
        (
            {"flavors": {"lightgbm": {"data": "MLmodel", "model_class": "lightgbm.basic.Booster"}}},
            "sklearn and lightgbm are different models",
        ),
        ({"flavors": {f"flavor{n}": {} for n in range(50)}}, "and 32 more; only"),
        ({"signature": "inputs"}, "signature is no mapping"),
        ({"signature": {"inputs": "[{]"}}, "inputs of its signature is no JSON"),
        ({"signature": {"inputs": "[" * 100_000}}, "inputs of its signature is no JSON"),
        ({"signature": {"inputs": "{}"}}, "no JSON text of a list"),
        ({"signature": {"inputs": [{"type": "double"}]}}, "no JSON text of a list"),
        ({"signature": {"inputs": '[{"name": "a"}]'}}, "has no type"),
        ({"signature": {"inputs": TWICE}}, "names a column twice"),
        ({"signature": {"outputs": '[{"x": NaN}]'}}, "NaN is no number"),
        ({"signature": {**NAMED, "outputs": '[{"x": 1e999}]'}}, "NaN or infinite numbers"),
        ({"signature": {"outputs": '[{"x": ' + "[" * 70 + "]" * 70 + "}]"}}, "deeper than"),
        ({"signature": {"inputs": r'[{"name": "\u0000", "type": "long"}]'}}, "NUL characters"),
        ({"signature": {"inputs": r'[{"name": "\ud800", "type": "long"}]'}}, "lone surrogates"),
    ],
)  # fmt: skip
def test_a_crooked_mlmodel_file_is_refused_with_the_reason(
    changes: dict[str, Any], reason: str, model: Callable[..., Path]
) -> None:
    package = model(**changes)
    with pytest.raises(ModelPackageError, match=reason) as caught:
        load_model(package, allow_pickle=True, check_environment="ignore", where="models:/credit/1")
    assert "models:/credit/1" in str(caught.value)
    assert len(str(caught.value)) < 5000


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"", "0 documents"),
        (b"a list", "no mapping of keys"),
        (b"- a\n- b", "no mapping of keys"),
        (b"flavors: null", "no flavors"),
        (b"flavors: {}", r"the flavors \(none\); only sklearn and lightgbm"),
        (b"mlflow_version: 3.17.2", "no flavors"),
        (b"flavors: !!python/object/apply:os.system [id]", "no plain data"),
        (b"flavors: &f {sklearn: *f}", "before what it names is whole"),
        (b"flavors: {sklearn: {pickled_model: a}}\nflavors: {}", "stands twice"),
        (b"\xff\xfe", "utf-8"),
        (b"a: @", "no YAML"),
        (b"#" * (BYTES + 1), f"more than {BYTES} are not read"),
    ],
)
def test_what_is_no_mlmodel_file_is_refused(text: bytes, reason: str, tmp_path: Path) -> None:
    (tmp_path / "MLmodel").write_bytes(text)
    with pytest.raises(ModelPackageError, match=reason):
        read_manifest(tmp_path)


def test_a_long_line_of_requirements_costs_time_in_proportion(model: Callable[..., Path]) -> None:
    package = model()
    line = "numpy" + " " * 200_000
    (package / "requirements.txt").write_text(f"{line}\n{line}[a]{line}\nscipy [x] == 1.0\n")
    began = time.monotonic()
    required = read_manifest(package).environment["required"]
    assert required == {"scikit-learn": "1.9.1", "scipy": "1.0"}
    assert time.monotonic() - began < 5


def test_a_tensorflow_model_is_named_with_what_to_do(tmp_path: Path) -> None:
    flavors = {
        "python_function": {"loader_module": "mlflow.tensorflow", "data": "data"},
        "tensorflow": {"model_type": "keras"},
    }
    with pytest.raises(ModelPackageError) as caught:
        read_manifest(write_mlmodel(tmp_path, flavors))
    said = str(caught.value)
    assert "python_function (mlflow.tensorflow), tensorflow; only sklearn and lightgbm" in said
    assert "Log it with mlflow.sklearn.log_model or mlflow.lightgbm.log_model" in said


def test_the_list_of_trusted_types_in_it_counts_for_nothing(model: Callable[..., Path]) -> None:
    package = model(sklearn={"skops_trusted_types": ["posix.mkdir", "posix.mkdir()"]})
    members = {
        "__class__": "mkdir",
        "__module__": "posix",
        "__loader__": "FunctionNode",
        "__id__": 1,
        "content": "x",
    }
    with zipfile.ZipFile(package / "model.skops", "w") as archive:
        archive.writestr("schema.json", json.dumps({**members, "protocol": 2}))
    with pytest.raises(UntrustedPackage, match=r"posix\.mkdir"):
        load_model(package, check_environment="ignore")


def test_a_pickle_that_calls_itself_skops_does_not_run(
    model: Callable[..., Path], tmp_path: Path
) -> None:
    package = model()
    proof = tmp_path / "proof"

    class Exploit:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.mkdir, (proof,)

    honest = (package / "model.skops").read_bytes()
    # Before a whole archive, too: MLflow before skops would unpickle such a file when it serves.
    for rest in (b"", honest):
        (package / "model.skops").write_bytes(pickle.dumps(Exploit()) + rest)
        with pytest.raises(UntrustedPackage, match="no plain skops file"):
            load_model(package, allow_pickle=True, check_environment="ignore")
    assert not proof.exists()


def test_facts_of_an_odd_kind_are_left_out(model: Callable[..., Path]) -> None:
    manifest = read_manifest(
        model(
            utc_time_created="yesterday",
            run_id=["x"],
            mlflow_version=3.17,
            metadata=["a"],
            saved_input_example_info={"artifact_path": "../../secret"},
        )
    )
    assert manifest.created_at == ""
    assert manifest.metadata == {}
    assert manifest.mlflow is not None
    assert (manifest.mlflow.run_id, manifest.mlflow.version) == ("", "3.17")
    assert manifest.mlflow.example == ""


def test_a_time_with_a_zone_keeps_it(model: Callable[..., Path]) -> None:
    manifest = read_manifest(model(utc_time_created="2026-01-02T03:04:05+00:00"))
    assert manifest.created_at == "2026-01-02T03:04:05+00:00"


@pytest.mark.parametrize(
    ("name", "text", "python"),
    [
        ("python_env.yaml", "python: 3.10.2\n", "3.10.2"),
        ("python_env.yaml", "- python\n", ""),
        ("other.yaml", "python: 3.10.2\n", ""),
    ],
)
def test_python_s_version_comes_from_its_own_file_where_nothing_else_says(
    name: str, text: str, python: str, model: Callable[..., Path]
) -> None:
    package = model(pyfunc={"python_version": None})
    (package / name).write_text(text)
    assert read_manifest(package).environment["python"] == python


def test_a_crooked_file_of_the_environment_is_named(model: Callable[..., Path]) -> None:
    package = model()
    (package / "conda.yaml").write_text("dependencies: [a, {pip: [b==1.0, 7]}, {pip: no}]\n")
    assert "b" in str(read_manifest(package).environment["listed"])
    (package / "conda.yaml").write_text("a: *b")
    with pytest.raises(ModelPackageError, match=r"conda\.yaml cannot be read"):
        read_manifest(package)
    (package / "conda.yaml").write_bytes(b"#" * (BYTES + 1))
    with pytest.raises(ModelPackageError, match=r"conda\.yaml of the model package"):
        read_manifest(package)


def in_a_store(directory: Path) -> PackageFiles:
    files = [
        hash_file(directory, file.relative_to(directory).as_posix())
        for file in sorted(directory.rglob("*"))
        if file.is_file()
    ]
    return PackageFiles("models:/m-1", tuple(files), lambda path: (directory / path).read_bytes())


def test_a_package_in_a_store_is_described_as_one_in_a_directory(
    model: Callable[..., Path], logistic: Any, table: pd.DataFrame, tmp_path: Path
) -> None:
    package = model()
    assert describe_package(in_a_store(package)) == read_manifest(package)
    write_package(logistic, tmp_path / "ours", training_data=table)
    assert describe_package(in_a_store(tmp_path / "ours")) == read_manifest(tmp_path / "ours")
    (tmp_path / "ours" / "more.txt").write_text("more")
    with pytest.raises(ModelPackageError, match="does not list the files that are there"):
        describe_package(in_a_store(tmp_path / "ours"))
    with pytest.raises(ModelPackageError, match=r"neither mltrack\.json nor MLmodel"):
        describe_package(PackageFiles("x", (PackageFile("a", 1, "f" * 64),), lambda _: b""))


def test_our_own_mlmodel_files_are_read_as_mlflow_s(
    logistic: Any, table: pd.DataFrame, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows = table[["age", "balance"]]
    booster = LGBMClassifier(n_estimators=3, verbose=-1).fit(rows, table["age"] > 40)
    for name, original, seen in (
        ("pipeline", logistic, table),
        ("estimator", booster, rows),
        ("booster", booster.booster_, rows),
    ):
        package = tmp_path / name
        ours = write_package(original, package, training_data=seen)
        (package / "mltrack.json").unlink()
        with caplog.at_level(logging.WARNING):
            loaded = load_model(package, check_environment="error")
        assert not caplog.records
        assert np.array_equal(loaded.predict(seen), original.predict(seen))
        assert (loaded.manifest.format, loaded.manifest.model_class) == (
            ours.format,
            ours.model_class,
        )
        assert yaml.safe_load((package / "MLmodel").read_text())["flavors"].keys()
