"""Samplers, and the rows they remember, never reach a package."""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from imblearn import FunctionSampler
from imblearn.combine import SMOTEENN
from imblearn.ensemble import (
    BalancedBaggingClassifier,
    BalancedRandomForestClassifier,
    EasyEnsembleClassifier,
    RUSBoostClassifier,
)
from imblearn.over_sampling import SMOTE, RandomOverSampler
from imblearn.pipeline import Pipeline as ImblearnPipeline
from imblearn.under_sampling import RandomUnderSampler
from lightgbm import LGBMClassifier
from sklearn.calibration import CalibratedClassifierCV
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.tree import DecisionTreeClassifier

from airflow_mltrack.exceptions import InvalidInput, UnsupportedModel
from airflow_mltrack.model_package.object_graph import walk
from airflow_mltrack.model_package.reader import load_model
from airflow_mltrack.model_package.resampling import is_sampler, strip_resampling
from airflow_mltrack.model_package.writer import write_package

MARKER = 123456.78901234567


def package_bytes(directory: Path) -> bytes:
    """Every byte of a package, archives opened."""
    found = []
    for file in sorted(directory.iterdir()):
        found.append(file.read_bytes())
        if zipfile.is_zipfile(file):
            with zipfile.ZipFile(file) as archive:
                found.extend(archive.read(name) for name in archive.namelist())
    return b"\n".join(found)


def traces_of(value: float) -> list[bytes]:
    """The ways in which a number could stand in a file."""
    return [np.float64(value).tobytes(), np.float32(value).tobytes(), repr(value)[:12].encode()]


class KeepsRows(SMOTE):  # type: ignore[misc]
    """A sampler that openly remembers what it was fitted on."""

    def _fit_resample(self, rows: Any, target: Any) -> Any:
        self.rows_ = np.asarray(rows)[np.asarray(target) == 1].copy()
        return super()._fit_resample(rows, target)


@pytest.fixture
def marked() -> tuple[pd.DataFrame, Any]:
    """A table in which one row of the minority class holds the marker."""
    random = np.random.default_rng(3)
    frame = pd.DataFrame(random.normal(size=(200, 3)), columns=["a", "b", "c"])
    target = (random.random(200) < 0.2).astype(int)
    frame.loc[np.flatnonzero(target)[3], "b"] = MARKER
    # Above the marker, so that neither a range nor a split threshold gives it away.
    frame.loc[np.flatnonzero(target)[4], "b"] = 2 * MARKER
    return frame, target


@pytest.mark.parametrize("format_", ["skops", "pickle"])
def test_no_byte_of_a_minority_row_survives(
    format_: str, marked: tuple[pd.DataFrame, Any], tmp_path: Path
) -> None:
    frame, target = marked
    model = ImblearnPipeline(
        [("resample", KeepsRows(random_state=0)), ("classify", LogisticRegression())]
    ).fit(frame, target)
    original = pickle.dumps(model.named_steps["resample"].rows_)
    assert traces_of(MARKER)[0] in original, "the test's own premise"

    manifest = write_package(model, tmp_path / "m", training_data=frame, format=format_)
    stored = package_bytes(tmp_path / "m")
    assert not [trace for trace in traces_of(MARKER) if trace in stored]
    assert len(manifest.stripped_steps) == 1
    assert manifest.stripped_steps[0].startswith("resample (")
    assert manifest.proof["max_difference"] == 0.0


def test_a_fitted_smote_really_keeps_rows(marked: tuple[pd.DataFrame, Any]) -> None:
    frame, target = marked
    model = ImblearnPipeline(
        [("resample", SMOTE(random_state=0)), ("classify", LogisticRegression())]
    ).fit(frame, target)
    assert traces_of(MARKER)[0] in pickle.dumps(model)


@pytest.mark.parametrize(
    "steps",
    [
        [SMOTE(random_state=0), LGBMClassifier(n_estimators=5, verbose=-1)],
        [SMOTEENN(random_state=0), LogisticRegression()],
        [FunctionSampler(), LogisticRegression()],
        [RandomOverSampler(random_state=0), RandomUnderSampler(), DecisionTreeClassifier()],
        [BalancedRandomForestClassifier(5, random_state=0)],
        [EasyEnsembleClassifier(2, random_state=0)],
        [RUSBoostClassifier(n_estimators=3, random_state=0)],
        [BalancedBaggingClassifier(n_estimators=3, random_state=0)],
        [
            CalibratedClassifierCV(
                ImblearnPipeline([("r", SMOTE(random_state=0)), ("m", LogisticRegression())]), cv=2
            )
        ],
        [
            GridSearchCV(
                ImblearnPipeline([("r", SMOTE(random_state=0)), ("m", LogisticRegression())]),
                {"m__C": [1.0], "r": [SMOTE(random_state=1), None]},
                cv=2,
            )
        ],
    ],
    ids=lambda steps: "+".join(type(step).__name__ for step in steps),
)
def test_a_stripped_model_is_packaged_and_predicts_exactly_the_same(
    steps: list[Any], pipeline_of: Any, table: pd.DataFrame, tmp_path: Path
) -> None:
    original = pipeline_of(*steps)
    held_before = [path for path, obj in walk(original) if is_sampler(obj)]
    manifest = write_package(original, tmp_path / "m", training_data=table)
    loaded = load_model(tmp_path / "m")
    assert np.array_equal(loaded.predict_proba(table), original.predict_proba(table))
    assert manifest.stripped_steps
    assert manifest.proof["max_difference"] == 0.0
    assert not [obj for _, obj in walk(loaded.model) if is_sampler(obj)]
    assert not [name for name in manifest.types if "_sampling" in name or "combine" in name]
    assert held_before == [path for path, obj in walk(original) if is_sampler(obj)]


def test_stripping_leaves_a_plain_sklearn_pipeline(pipeline_of: Any) -> None:
    inner = ImblearnPipeline([("r", RandomOverSampler()), ("m", LogisticRegression())])
    original = pipeline_of(SMOTE(), inner)
    stripped, names = strip_resampling(original)
    assert type(stripped) is Pipeline
    assert [name for name, _ in stripped.steps] == ["prepare", "step1"]
    assert type(stripped.steps[-1][1]) is Pipeline
    assert stripped.steps[0][1] is original.steps[0][1], "what holds no sampler is shared"
    assert len(names) == 2


def test_a_model_without_samplers_is_left_as_it_is(logistic: Any) -> None:
    assert strip_resampling(logistic) == (logistic, ())


def test_a_sampler_alone_is_no_model(marked: tuple[pd.DataFrame, Any], tmp_path: Path) -> None:
    sampler = SMOTE()
    sampler.fit_resample(*marked)
    with pytest.raises(UnsupportedModel, match="only resamples"):
        write_package(sampler, tmp_path / "m", format="pickle")
    with pytest.raises(UnsupportedModel, match="nothing but samplers"):
        strip_resampling(ImblearnPipeline([("r", sampler)]))


def test_stripping_is_not_believed_without_rows(pipeline_of: Any, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="proven on rows"):
        write_package(pipeline_of(SMOTE(), LogisticRegression()), tmp_path / "m")


def test_shared_parts_cycles_and_arrays_survive_stripping() -> None:
    class Holder:
        pass

    first, second = Holder(), Holder()
    first.__dict__.update(
        next=second,
        pipelines=np.array([ImblearnPipeline([("m", LogisticRegression())]), None], dtype=object),
        named={"s": SMOTE()},
        pair=(SMOTE(), 1),
    )
    second.__dict__["numbers"] = np.arange(3)
    stripped, names = strip_resampling({"one": first, "two": first})
    assert stripped["one"] is stripped["two"]
    assert stripped["one"].next is second
    assert type(stripped["one"].pipelines[0]) is Pipeline
    assert stripped["one"].named == {"s": None}
    assert stripped["one"].pair == (None, 1)
    assert isinstance(first.__dict__["named"]["s"], SMOTE)
    assert names == ("imblearn.over_sampling._smote.base.SMOTE",)
