"""The environment lock names what the model needs, in real versions."""

from __future__ import annotations

import importlib.metadata
import json
import platform
import types
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from imblearn.ensemble import RUSBoostClassifier
from imblearn.over_sampling import SMOTE
from lightgbm import LGBMClassifier

from airflow_mltrack.exceptions import UnsupportedModel
from airflow_mltrack.model_package.environment import capture_environment, differences
from airflow_mltrack.model_package.writer import write_package


def version(name: str) -> str:
    return importlib.metadata.version(name)


def test_only_what_the_model_needs_is_required(logistic: Any) -> None:
    found = capture_environment(logistic)
    assert set(found.required) == {"numpy", "pandas", "scikit-learn", "skops"}
    assert found.required["scikit-learn"] == version("scikit-learn")
    assert found.python == platform.python_version()


def test_stripped_samplers_need_no_imblearn(
    pipeline_of: Any, table: pd.DataFrame, tmp_path: Path
) -> None:
    model = pipeline_of(SMOTE(), LGBMClassifier(n_estimators=2, verbose=-1))
    write_package(model, tmp_path / "m", training_data=table)
    lines = (tmp_path / "m" / "requirements.txt").read_text().splitlines()
    assert f"lightgbm=={version('lightgbm')}" in lines
    assert not [line for line in lines if line.startswith("imbalanced-learn")]
    ensemble = pipeline_of(RUSBoostClassifier(n_estimators=2))
    assert "imbalanced-learn" in capture_environment(ensemble).required


def test_a_pickle_requires_what_its_file_refers_to(table: pd.DataFrame, tmp_path: Path) -> None:
    import yaml as some_library

    manifest = write_package(some_library.safe_load, tmp_path / "m", format="pickle")
    required = manifest.environment["required"]
    assert isinstance(required, dict)
    assert required["pyyaml"] == version("pyyaml")


def test_code_that_is_in_no_library_is_refused_outside_pickles() -> None:
    module = types.ModuleType("dag_code")
    exec("class Own: pass", module.__dict__)  # noqa: S102
    own = module.__dict__["Own"]()
    type(own).__module__ = "dag_code"
    with pytest.raises(UnsupportedModel, match="dag_code"):
        capture_environment(own)
    assert "dag-code" not in capture_environment(own, format="pickle").required


def test_the_files_are_what_pip_conda_and_mlflow_read(logistic: Any) -> None:
    found = capture_environment(logistic)
    files = found.files()
    conda = yaml.safe_load(files["conda.yaml"])
    assert conda["dependencies"][0] == f"python={platform.python_version()}"
    assert conda["dependencies"][-1]["pip"] == files["requirements.txt"].splitlines()
    python = yaml.safe_load(files["python_env.yaml"])
    assert python["python"] == platform.python_version()
    assert python["dependencies"] == ["-r requirements.txt"]
    everything = json.loads(files["environment.json"])
    assert everything["installed"]["scikit-learn"] == version("scikit-learn")
    assert all("/" not in text and "@" not in text for text in everything["installed"].values())


def test_installed_libraries_are_listed_once_per_process(
    logistic: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = capture_environment(logistic)

    def again() -> Any:
        raise AssertionError("listing takes long; a sweep packages many models")

    monkeypatch.setattr("importlib.metadata.distributions", again)
    assert capture_environment(logistic) == first


def test_differences_follow_what_each_library_promises() -> None:
    major, minor, *_ = version("scikit-learn").split(".")
    numpy_major = version("numpy").split(".")[0]
    packaged = {
        "scikit-learn": f"{major}.{minor}.99",
        "numpy": f"{numpy_major}.999",
        "lightgbm": "3.0.0",
        "nowhere-at-all": "1.0",
    }
    assert differences({"required": packaged}) == {
        "lightgbm": ("3.0.0", version("lightgbm")),
        "nowhere-at-all": ("1.0", None),
    }
    assert differences({}) == {}
