"""A package that was changed, or does not fit this process, is refused."""

from __future__ import annotations

import hashlib
import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from airflow_mltrack.exceptions import (
    ArtifactCorrupt,
    EnvironmentMismatch,
    InvalidInput,
    ModelPackageError,
)
from airflow_mltrack.model_package.manifest import MANIFEST_FILE, package_digest
from airflow_mltrack.model_package.reader import load_model, read_manifest, verify_files
from airflow_mltrack.model_package.writer import write_package


@pytest.fixture
def package(logistic: Any, table: pd.DataFrame, tmp_path: Path) -> Path:
    """Give the directory of an honest package."""
    write_package(logistic, tmp_path / "package", training_data=table)
    return tmp_path / "package"


def rewrite_environment(package: Path, required: dict[str, str]) -> None:
    manifest = json.loads((package / MANIFEST_FILE).read_text())
    manifest["environment"]["required"] = required
    (package / MANIFEST_FILE).write_text(json.dumps(manifest))


def test_a_changed_file_is_noticed_with_both_digests(package: Path) -> None:
    file = package / "requirements.txt"
    recorded = hashlib.sha256(file.read_bytes()).hexdigest()
    file.write_text("evil==1.0\n")
    with pytest.raises(ArtifactCorrupt) as caught:
        verify_files(package)
    assert caught.value.key == "requirements.txt"
    assert caught.value.expected == recorded
    assert caught.value.found == hashlib.sha256(b"evil==1.0\n").hexdigest()


def test_a_missing_file_is_noticed(package: Path) -> None:
    (package / "conda.yaml").unlink()
    with pytest.raises(ArtifactCorrupt, match=r"conda\.yaml.*no such file"):
        load_model(package)


def test_an_added_file_is_noticed_also_in_a_folder(package: Path) -> None:
    (package / "code").mkdir()
    (package / "code" / "sklearn.py").write_text("raise SystemExit")
    with pytest.raises(ArtifactCorrupt, match=r"code/sklearn\.py.*not in the manifest"):
        load_model(package)


def test_a_link_in_place_of_a_file_is_noticed(package: Path, tmp_path: Path) -> None:
    (package / "conda.yaml").rename(tmp_path / "conda.yaml")
    (package / "conda.yaml").symlink_to(tmp_path / "conda.yaml")
    with pytest.raises(ArtifactCorrupt, match=r"conda\.yaml"):
        load_model(package)


def test_a_package_changed_with_its_manifest_fails_against_the_recorded_digest(
    package: Path,
) -> None:
    recorded = read_manifest(package).digest
    load_model(package, digest=recorded)
    rewrite_environment(package, {})
    load_model(package)
    with pytest.raises(ArtifactCorrupt, match=recorded):
        load_model(package, digest=recorded)


def test_the_digest_is_the_documented_one(package: Path) -> None:
    digests = {
        file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in package.iterdir()
    }
    text = json.dumps(digests, sort_keys=True, separators=(",", ":"))
    manifest = read_manifest(package)
    assert manifest.digest == hashlib.sha256(text.encode()).hexdigest()
    assert package_digest(manifest.files, (package / MANIFEST_FILE).read_bytes()) == manifest.digest


def test_a_directory_that_is_no_package_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelPackageError, match="is no model package"):
        load_model(tmp_path)


def test_rows_are_brought_into_the_form_of_training(
    package: Path, logistic: Any, table: pd.DataFrame
) -> None:
    shuffled = table[["purpose", "balance", "age", "income"]].assign(unknown=1)
    shuffled["age"] = shuffled["age"].astype("float64")
    loaded = load_model(package)
    assert np.array_equal(loaded.predict_proba(shuffled), logistic.predict_proba(table))
    checked = loaded.check(shuffled)
    assert checked.dropped == ("unknown",)
    assert list(checked.data.columns) == list(table.columns)


def test_constraints_warn_by_default_and_refuse_on_request(
    package: Path, table: pd.DataFrame, caplog: pytest.LogCaptureFixture
) -> None:
    odd = table.iloc[:2].assign(age=200)
    loaded = load_model(package)
    with caplog.at_level(logging.WARNING):
        loaded.predict(odd)
    assert "'age' is outside" in caplog.text
    caplog.clear()
    loaded.predict_proba(odd, constraints="ignore")
    assert not caplog.records
    with pytest.raises(InvalidInput, match="'age' is outside"):
        loaded.predict(odd, constraints="error")


def test_a_missing_library_is_refused(package: Path) -> None:
    rewrite_environment(package, {"nowhere-at-all": "1.0", "numpy": "0.1"})
    with pytest.raises(
        EnvironmentMismatch, match=r"nowhere-at-all 1\.0 \(here: missing\)"
    ) as found:
        load_model(package)
    assert set(found.value.differences) == {"nowhere-at-all"}
    load_model(package, check_environment="ignore")


def test_another_version_warns_or_is_refused(
    package: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rewrite_environment(package, {"scikit-learn": "1.1.0"})
    with caplog.at_level(logging.WARNING):
        load_model(package)
    assert "scikit-learn 1.1.0" in caplog.text
    with pytest.raises(EnvironmentMismatch, match=r"scikit-learn 1\.1\.0"):
        load_model(package, check_environment="error")
    with pytest.raises(InvalidInput, match="error, warn or ignore"):
        load_model(package, check_environment="strict")


def test_the_same_environment_is_silent(package: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        load_model(package, check_environment="error")
    assert not caplog.records


def test_without_a_signature_rows_are_taken_as_they_are(
    logistic: Any, table: pd.DataFrame, tmp_path: Path
) -> None:
    write_package(logistic, tmp_path / "m")
    assert load_model(tmp_path / "m").check(table).data is table
