"""The ``MLmodel`` file, so that stock mlflow loads a package.

What works where:

- ``mlflow.pyfunc.load_model`` and ``mlflow.sklearn.load_model`` (3.17) load skops packages with
  mlflow, scikit-learn, skops and the libraries in requirements.txt alone; airflow-mltrack is not
  needed. MLflow trusts the types that the package itself lists (``skops_trusted_types``); our
  reader does not look at that list. A bare LightGBM estimator also loads with
  ``mlflow.lightgbm.load_model``.
- LightGBM boosters load through MLflow's lightgbm flavor; ``predict`` gives probabilities.
- Pickles load through MLflow's sklearn flavor when the object has a ``predict`` method, otherwise
  only with our reader.
- ``predict`` of a classifier gives labels, as everywhere in MLflow; for probabilities use
  ``mlflow.sklearn.load_model(...).predict_proba``, or our reader.
- With ``MLFLOW_ALLOW_PICKLE_DESERIALIZATION=false`` MLflow refuses skops files too (it cannot audit
  them against a list of its own); our reader loads them.
- MLflow's signature check refuses columns of pandas' ``category`` type. A model that needs them
  (LightGBM's own categories) gets no signature in its MLmodel file, so that MLflow hands a frame on
  as it is; over MLflow's REST server, whose texts are never categories, it does not work. Our
  reader makes categories of texts by itself.
- requirements.txt does not name mlflow: ``mlflow models serve`` needs ``--env-manager local``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

MLMODEL_FILE = "MLmodel"
# The version whose file form this is; tests load with it.
MLFLOW_VERSION = "3.17.2"


def mlmodel_text(
    *,
    format: str,  # noqa: A002
    model_file: str,
    model_class: str,
    predicts: bool,
    environment: Mapping[str, str],
    python: str,
    created_at: str,
    serialization: str = "",
    trusted_types: Sequence[str] = (),
    signature: Mapping[str, str | None] | None = None,
    example: Mapping[str, object] | None = None,
    size: int = 0,
    metadata: Mapping[str, object] | None = None,
) -> str:
    """Give the text of a package's MLmodel file.

    :param predicts: whether the model has a ``predict`` method; without one there is no
        ``python_function`` flavor.
    :param environment: versions of the required libraries.
    :param signature: in MLflow's form.
    :param example: in MLflow's form.
    """
    import yaml

    serialization = serialization or format
    content: dict[str, Any] = {
        "flavors": _flavors(
            format,
            model_file,
            model_class,
            predicts,
            environment,
            python,
            serialization,
            trusted_types,
        ),
        "mlflow_version": MLFLOW_VERSION,
        "model_size_bytes": size,
        "utc_time_created": created_at.replace("T", " ").removesuffix("+00:00"),
    }
    if signature is not None:
        content["signature"] = dict(signature)
    if example is not None:
        content["saved_input_example_info"] = dict(example)
    if metadata:
        content["metadata"] = dict(metadata)
    return str(yaml.safe_dump(content, sort_keys=True, allow_unicode=True, width=100))


def _flavors(
    format: str,  # noqa: A002
    model_file: str,
    model_class: str,
    predicts: bool,
    environment: Mapping[str, str],
    python: str,
    serialization: str,
    trusted_types: Sequence[str],
) -> dict[str, dict[str, Any]]:
    flavors: dict[str, dict[str, Any]] = {}
    lightgbm = {
        "data": model_file,
        "lgb_version": environment.get("lightgbm"),
        "model_class": model_class,
        "code": None,
    }
    if format == "lightgbm":
        flavors["lightgbm"] = lightgbm
        loader: dict[str, Any] = {"loader_module": "mlflow.lightgbm", "data": model_file}
    else:
        stored = {
            "serialization_format": serialization,
            "skops_trusted_types": list(trusted_types) if format == "skops" else None,
        }
        flavors["sklearn"] = {
            "pickled_model": model_file,
            "sklearn_version": environment.get("scikit-learn"),
            "code": None,
            **stored,
        }
        if model_class.startswith("lightgbm.sklearn.") and format == "skops":
            flavors["lightgbm"] = {**lightgbm, **stored}
        loader = {
            "loader_module": "mlflow.sklearn",
            "model_path": model_file,
            "predict_fn": "predict",
        }
    if predicts:
        flavors["python_function"] = {
            **loader,
            "python_version": python,
            "env": {"conda": "conda.yaml", "virtualenv": "python_env.yaml"},
        }
    return flavors
