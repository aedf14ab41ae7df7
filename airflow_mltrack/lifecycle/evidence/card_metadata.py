"""The metadata of a model card, as the Hugging Face hub reads it: YAML before the text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from airflow_mltrack.lifecycle.evidence.markdown_text import one_line
from airflow_mltrack.lifecycle.evidence.values import items, mapping, texts
from airflow_mltrack.model_package.manifest import MODEL_FILES

if TYPE_CHECKING:
    from airflow_mltrack.lifecycle.evidence.document import Document

CLASSIFICATION = "tabular-classification"
"""The hub's name of the task."""


def front_matter(document: Document) -> str:
    """Write the metadata as YAML; every text in it is one line."""
    import yaml

    package = mapping(document["package"])
    library, form = _library(document), package.get("format")
    facts: dict[str, object] = {
        "library_name": library,
        "license": card_tag(document, "license"),
        "model_name": mapping(document["summary"])["model"],
        "model_format": form or None,
        "model_file": mapping(package.get("mlflow")).get("model_file")
        or MODEL_FILES.get(str(form)),
        "tags": [item for item in (library, form, _task(document), "mltrack") if item],
        "datasets": list(dict.fromkeys(item["name"] for item in items(document["datasets"]))),
        "metrics": list(dict.fromkeys(item["name"] for item in _metrics(document) if item["rows"])),
        "model-index": _model_index(document),
    }
    known = {key: _clean(value) for key, value in facts.items() if value}
    text: str = yaml.safe_dump(
        known, sort_keys=False, allow_unicode=True, width=1_000_000, default_flow_style=False
    )
    return text


def _model_index(document: Document) -> list[object]:
    results = [*_training_results(document), *_verdict_results(document)]
    return [{"name": mapping(document["summary"])["model"], "results": results}] if results else []


def _training_results(document: Document) -> Iterator[dict[str, object]]:
    """Give what the training measured on its test rows."""
    trained_on = [
        item
        for item in items(document["datasets"])
        if any(use["context"] == "training" for use in items(item["uses"]))
    ]
    metrics = [
        {"type": item["name"], "value": item["value"], "name": f"{item['name']} on test rows"}
        for item in _metrics(document)
        if item["rows"] == "test" and isinstance(item["value"], (int, float))
    ]
    if trained_on and metrics:
        yield _result(document, trained_on[0], "test", metrics)


def _verdict_results(document: Document) -> Iterator[dict[str, object]]:
    """Give what the latest verdict has measured."""
    for verdict in items(document["verdicts"])[:1]:
        metrics = [
            {
                "type": check["metric"],
                "value": check["observed"],
                "name": f"{check['name']} in the verdict",
            }
            for check in items(verdict["checks"])
            if check["metric"] and isinstance(check["observed"], (int, float))
        ]
        judged_on = {"name": verdict["dataset_name"], "digest": verdict["dataset_digest"]}
        if metrics:
            yield _result(document, judged_on, "validation", metrics)


def _result(
    document: Document, dataset: Mapping[str, object], split: str, metrics: list[dict[str, object]]
) -> dict[str, object]:
    return {
        "task": {"type": _task(document) or "other"},
        "dataset": {
            "type": dataset["name"],
            "name": dataset["name"],
            "revision": dataset["digest"],
            "split": split,
        },
        "metrics": metrics,
    }


def _library(document: Document) -> str | None:
    """Return the library that loads the model, as the hub calls it; None when nothing says."""
    package = mapping(document["package"])
    if package.get("format") == "lightgbm":
        return "lightgbm"
    required = mapping(mapping(document["environment"]).get("required"))
    return "sklearn" if "scikit-learn" in required else None


def _task(document: Document) -> str | None:
    """Return the hub's task, where the package has shown that it gives probabilities."""
    methods = texts(mapping(mapping(document["package"]).get("proof")).get("methods"))
    return CLASSIFICATION if "predict_proba" in methods else None


def card_tag(document: Document, tag: str) -> object:
    """Return a tag of the version, else of the model; None when neither has it."""
    for owner in (document["version"], document["model"]):
        value = mapping(mapping(owner)["tags"]).get(tag)
        if value:
            return value
    return None


def _metrics(document: Document) -> Sequence[Mapping[str, object]]:
    return items(mapping(document["training"]).get("metrics"))


def _clean(value: object) -> object:
    """Return plain data whose texts are one line each."""
    if isinstance(value, str):
        return one_line(value)
    if isinstance(value, Mapping):
        return {str(key): _clean(item) for key, item in value.items()}
    return [_clean(item) for item in value] if isinstance(value, list) else value
