"""Writes a model package: a directory with a model and all that is needed to trust and load it.

::

    MLmodel                      for mlflow
    requirements.txt conda.yaml python_env.yaml environment.json
    model.skops | model.lgb | model.pkl
    input_example.json serving_input_example.json
    code.diff                    when there were uncommitted changes
    mltrack.json                 the manifest

Packaging the same model twice gives the same bytes and the same digest when ``created_at`` is
passed and the environment and code are the same. Not so for pickles, whose bytes may depend on the
order in which objects were made, nor for an estimator that holds something random of its own.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from airflow_mltrack.exceptions import InvalidInput, UnsupportedModel
from airflow_mltrack.model_package.bounded_yaml import read_yaml
from airflow_mltrack.model_package.code_version import CodeVersion
from airflow_mltrack.model_package.comparison import prove_equal
from airflow_mltrack.model_package.environment import Environment, capture_environment
from airflow_mltrack.model_package.formats import lightgbm as lightgbm_format
from airflow_mltrack.model_package.formats import pickle as pickle_format
from airflow_mltrack.model_package.formats import skops as skops_format
from airflow_mltrack.model_package.input_example import (
    checked_example,
    example_files,
    example_info,
    synthetic_example,
)
from airflow_mltrack.model_package.manifest import (
    MANIFEST_FILE,
    MODEL_FILES,
    PackageManifest,
    hash_file,
    parse_manifest,
)
from airflow_mltrack.model_package.mlmodel import MLMODEL_FILE, mlmodel_text
from airflow_mltrack.model_package.object_graph import type_name
from airflow_mltrack.model_package.resampling import strip_resampling
from airflow_mltrack.model_package.signature import Signature, infer_signature
from airflow_mltrack.model_package.training_rows import find_training_rows

DIFF_FILE = "code.diff"

_PROOF_ROWS = 200
_BOOSTER = "lightgbm.basic.Booster"


def write_package(
    model: Any,
    directory: Path,
    *,
    example: Any = None,
    training_data: Any = None,
    format: str | None = None,  # noqa: A002 - the word users know from MLflow
    signature: Signature | None = None,
    code: CodeVersion | None = None,
    seeds: Mapping[str, object] | None = None,
    metadata: Mapping[str, object] | None = None,
    trusted_types: Iterable[str] = (),
    created_at: datetime | None = None,
) -> PackageManifest:
    """Package a fitted model.

    Samplers are stripped first. What was written is read back and must predict the same as the
    original on the example rows and up to 200 rows of the training data (which are not stored).

    :param model: a scikit-learn or LightGBM estimator, a pipeline (also imblearn's), a LightGBM
        booster, or, with ``format="pickle"``, any object. It is not changed.
    :param directory: where to write; made when it does not exist, otherwise it must be empty.
    :param example: up to 100 rows that may be seen by everyone who may read the package. Without
        them one synthetic row is made from ``training_data``; no real row is stored.
    :param training_data: the features the model was trained on: the signature, its constraints and
        the synthetic example are learned from it. Without it the signature comes from ``example``
        and has no constraints.
    :param format: ``skops`` (the default), ``lightgbm`` (the default for a booster) or ``pickle``
        (must be asked for, and again by whoever loads it).
    :param signature: in place of the one that would be learned.
    :param code: see :func:`.code_version.capture_code_version`.
    :param seeds: JSON-able: seed by name.
    :param metadata: JSON-able facts of your own, also written to the MLmodel file.
    :param trusted_types: dotted names that this package may hold besides the registry's.
    :param created_at: time to record (aware); now by default.
    :return: the manifest, with the package's digest.
    :raises UnsupportedModel: when no safe format can hold it, or the packaged model does not
        predict the same.
    :raises InvalidInput: for an unknown format, a directory that is not empty, too many example
        rows, metadata that are too large.
    """
    chosen = _choose_format(model, format)
    facts = _jsonable("metadata", metadata), _jsonable("seeds", seeds)
    created = _timestamp(created_at)
    _prepare(directory)
    rows = _example_rows(example, training_data)
    stripped, names = strip_resampling(model)
    if names and rows is None:
        raise InvalidInput(
            "example",
            None,
            "a model with training-only steps is packaged without them, which is proven on rows.",
            "Pass training_data= to log_model (or a few rows as example=).",
        )
    file = directory / MODEL_FILES[chosen]
    serialization, types = _save(stripped, file, chosen, trusted_types)
    proof = _prove(model, file, chosen, trusted_types, rows, training_data)
    manifest = PackageManifest(
        format=chosen,
        serialization=serialization,
        created_at=created,
        model_class=type_name(stripped),
        files=(hash_file(directory, file.name),),
        signature=signature or _learn_signature(model, rows, training_data),
        types=tuple(sorted(types)),
        code=code.to_json() if code else {},
        metadata=facts[0],
        seeds=facts[1],
        stripped_steps=names,
        proof=proof,
        holds_training_rows=find_training_rows(stripped, _length(training_data)),
    )
    environment = capture_environment(stripped, format=chosen, modules=types)
    texts = _texts(environment, rows, code, _mlmodel(stripped, manifest, environment, rows))
    return _finish(directory, replace(manifest, environment=environment.to_json()), texts)


def _choose_format(model: object, asked: str | None) -> str:
    if asked is not None and asked not in MODEL_FILES:
        raise InvalidInput("format", asked, f"it is one of {', '.join(MODEL_FILES)}.")
    is_booster = type_name(model) == _BOOSTER
    if asked == "lightgbm" and not is_booster:
        raise UnsupportedModel(
            type_name(model),
            "the lightgbm format holds boosters; an estimator's booster is its booster_, and the "
            "whole estimator goes into skops, with LightGBM's text inside.",
        )
    if asked == "skops" and is_booster:
        raise UnsupportedModel(type_name(model), 'a booster is stored as format="lightgbm".')
    return asked or ("lightgbm" if is_booster else "skops")


def _jsonable(what: str, facts: Mapping[str, object] | None) -> dict[str, object]:
    try:
        found = json.loads(json.dumps(dict(facts or {}), allow_nan=False))
    except (TypeError, ValueError) as error:
        raise InvalidInput(what, facts, f"it must be JSON-able: {error}.") from error
    return dict(found)


def _prepare(directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    if any(directory.iterdir()):
        raise InvalidInput("package directory", str(directory), "it must be empty.")


def _example_rows(example: Any, training_data: Any) -> Any:
    if example is not None:
        return checked_example(example)
    return None if training_data is None else synthetic_example(training_data)


def _save(
    model: Any, file: Path, chosen: str, trusted_types: Iterable[str]
) -> tuple[str, frozenset[str]]:
    if chosen == "pickle":
        return pickle_format.save(model, file)
    if chosen == "lightgbm":
        return "", lightgbm_format.save(model, file)
    return "", skops_format.save(model, file, trusted_types)


def _prove(
    model: Any,
    file: Path,
    chosen: str,
    trusted_types: Iterable[str],
    rows: Any,
    training_data: Any,
) -> dict[str, object]:
    """Read the model back and compare it with the original; without rows only read it back."""
    if chosen == "pickle":
        packaged = pickle_format.load(file, allow_pickle=True)
    elif chosen == "lightgbm":
        packaged = lightgbm_format.load(file)
    else:
        packaged = skops_format.load(file, trusted_types)
    if rows is None:
        return {}
    proof = prove_equal(model, packaged, rows)
    if training_data is None:
        return proof
    step = max(1, -(-len(training_data) // _PROOF_ROWS))
    sample = training_data.iloc[::step] if hasattr(training_data, "iloc") else training_data[::step]
    more = prove_equal(model, packaged, sample)
    largest = max(float(str(part["max_difference"])) for part in (proof, more))
    return {**more, "rows": len(rows) + len(sample), "max_difference": largest}


def _learn_signature(model: Any, rows: Any, training_data: Any) -> Signature | None:
    if rows is None:
        return None
    outputs = model.predict(rows) if hasattr(model, "predict") else None
    if training_data is not None:
        return infer_signature(training_data, outputs)
    return infer_signature(rows, outputs, constraints=False)


def _texts(
    environment: Environment, rows: Any, code: CodeVersion | None, mlmodel: str
) -> dict[str, str]:
    texts = {**environment.files(), MLMODEL_FILE: mlmodel}
    if rows is not None:
        texts.update(example_files(rows))
    if code is not None and code.diff:
        texts[DIFF_FILE] = code.diff
    return texts


def _mlmodel(model: Any, manifest: PackageManifest, environment: Environment, rows: Any) -> str:
    signature = manifest.signature
    if signature is not None and not _works_on_plain_columns(model, signature, rows):
        signature = None
    return mlmodel_text(
        format=manifest.format,
        model_file=manifest.model_file,
        model_class=manifest.model_class,
        predicts=hasattr(model, "predict"),
        environment=environment.required,
        python=environment.python,
        created_at=manifest.created_at,
        serialization=manifest.serialization,
        trusted_types=manifest.types,
        signature=signature.to_mlflow() if signature else None,
        example=example_info(rows) if rows is not None else None,
        size=manifest.size,
        metadata=manifest.metadata,
    )


def _works_on_plain_columns(model: Any, signature: Signature, rows: Any) -> bool:
    """Whether a model predicts without pandas' ``category`` type, which MLflow's check refuses.

    Such a model gets no signature in its MLmodel file: MLflow then hands rows on as they are.
    """
    typed = [column.name for column in signature.columns if column.dtype == "category"]
    if not typed or rows is None or not hasattr(model, "predict"):
        return True
    try:
        found = model.predict(rows.astype(dict.fromkeys(typed, object)))
    except (TypeError, ValueError):
        return False
    return bool((found == model.predict(rows)).all())


def _finish(
    directory: Path, manifest: PackageManifest, texts: Mapping[str, str]
) -> PackageManifest:
    """Write the remaining files; the manifest comes last, so a package with one is complete."""
    _check_readable(texts[MLMODEL_FILE])
    for name, text in texts.items():
        (directory / name).write_text(text, encoding="utf-8", newline="\n")
    listed = (*manifest.files, *(hash_file(directory, name) for name in texts))
    complete = replace(manifest, files=tuple(sorted(listed, key=lambda file: file.path)))
    text = json.dumps(complete.to_json(), indent=1, sort_keys=True, allow_nan=False)
    (directory / MANIFEST_FILE).write_bytes(text.encode())
    return parse_manifest(text.encode(), str(directory))


def _check_readable(mlmodel: str) -> None:
    """Refuse what readers would refuse: a reader bounds what it reads of a stranger."""
    try:
        read_yaml(mlmodel.encode())
    except ValueError as error:
        raise InvalidInput(
            "metadata",
            f"{len(mlmodel)} characters of MLmodel file",
            f"nobody could read it: {error}.",
            "Log large facts as files of the run.",
        ) from error


def _timestamp(created_at: datetime | None) -> str:
    when = created_at or datetime.now(timezone.utc)
    if when.tzinfo is None:
        raise InvalidInput("created_at", when.isoformat(), "it needs a time zone.")
    return when.astimezone(timezone.utc).isoformat()


def _length(data: Any) -> int | None:
    return None if data is None else len(data)
