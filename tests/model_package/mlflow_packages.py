"""Packages as MLflow writes them, and ones made by hand."""

from __future__ import annotations

import hashlib
import json
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml


def sklearn_flavor(**changes: object) -> dict[str, object]:
    """Give the sklearn flavor of a skops model; None removes a key."""
    found = {
        "code": "",
        "pickled_model": "model.skops",
        "serialization_format": "skops",
        "sklearn_version": "1.9.1",
        "skops_trusted_types": ["posix.system"],
        **changes,
    }
    return {key: value for key, value in found.items() if value is not None}


def pyfunc_flavor(**changes: object) -> dict[str, object]:
    """Give the python_function flavor of a skops model; None removes a key."""
    found = {
        "env": {"conda": "conda.yaml", "virtualenv": "python_env.yaml"},
        "loader_module": "mlflow.sklearn",
        "model_path": "model.skops",
        "python_version": "3.11.7",
        **changes,
    }
    return {key: value for key, value in found.items() if value is not None}


def write_mlmodel(directory: Path, flavors: Mapping[str, object], **more: object) -> Path:
    """Write an MLmodel file, and return its directory."""
    directory.mkdir(exist_ok=True)
    content = {"flavors": dict(flavors), "mlflow_version": "3.17.2", **more}
    (directory / "MLmodel").write_text(yaml.safe_dump(content))
    return directory


def write_pickle(model: Any, directory: Path, name: str = "model.pkl") -> Path:
    """Pickle a model into a directory, and return it."""
    directory.mkdir(exist_ok=True)
    (directory / name).write_bytes(pickle.dumps(model))
    return directory


def digest_by_hand(directory: Path) -> str:
    """Digest a package as the documentation says."""
    digests = {
        file.relative_to(directory).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in directory.rglob("*")
        if file.is_file()
    }
    text = json.dumps(digests, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
