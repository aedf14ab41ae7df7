"""The facts of an evidence pack as one JSON-able document: report and model card are made of it.

The form is described in ``docs/how-to/evidence.md``; :data:`SCHEMA_VERSION` changes when a key goes
away or means something else.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import airflow_mltrack
from airflow_mltrack.entities.stages import profile_name
from airflow_mltrack.lifecycle.evidence.files import (
    diff_files,
    doubtful_evidence,
    environment_files,
    expected_files,
    package_files,
    plot_files,
)
from airflow_mltrack.lifecycle.evidence.governance import (
    aliases_json,
    approvals_json,
    chain_json,
    deployments_json,
    requests_json,
    summary_json,
    transitions_json,
    verdicts_json,
)
from airflow_mltrack.lifecycle.evidence.metrics import (
    REPORT_FILES,
    measured_metrics,
    read_report,
)
from airflow_mltrack.lifecycle.evidence.values import mapping, plain
from airflow_mltrack.store.canonical_json import digest_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from airflow_mltrack.lifecycle.evidence.archive import ArchiveFolder
    from airflow_mltrack.lifecycle.evidence.facts import EvidenceFacts, TrainingFacts
    from airflow_mltrack.lifecycle.evidence.files import Collected

SCHEMA_NAME = "mltrack-evidence"
SCHEMA_VERSION = 1

Document = dict[str, object]
"""JSON-able: text, finite numbers, flags, lists, mappings, None."""


def evidence_document(
    facts: EvidenceFacts, collected: Collected, folder: ArchiveFolder, *, actor: str, at: datetime
) -> Document:
    """Put the facts into the form of ``evidence.json``.

    :param folder: holds the stored files already; the document lists them.
    :param actor: who asked for the archive.
    :param at: the time to state.
    """
    missing = [*facts.missing, *expected_files(facts), *collected.missing]
    missing += doubtful_evidence(facts)
    document: dict[str, object] = {
        "schema": {"name": SCHEMA_NAME, "version": SCHEMA_VERSION},
        "made": {"at": at, "by": actor, "with": f"airflow-mltrack {airflow_mltrack.__version__}"},
        "summary": {**summary_json(facts, at), "missing": len(missing)},
        "model": _model(facts),
        "version": _version(facts),
        "datasets": _datasets(facts),
        "training": None if facts.training is None else _training(facts.training, collected),
        "plots": _plots(facts, collected),
        "signature": mapping(_manifest(facts).get("signature")) or None,
        "package": _package(facts, collected),
        "code": _code(facts, collected),
        "environment": _environment(facts, collected),
        "verdicts": verdicts_json(facts, collected, at),
        "approvals": approvals_json(facts, at),
        "approval_requests": requests_json(facts),
        "transitions": transitions_json(facts),
        "deployments": deployments_json(facts, at),
        "aliases": aliases_json(facts),
        "lineage": [asdict(edge) for edge in facts.lineage],
        "chain": chain_json(facts),
        "missing": [asdict(item) for item in missing],
        "files": [
            {"path": file.path, "size": file.size, "sha256": file.sha256, "source": file.source}
            for file in folder.listing()
        ],
    }
    return {key: plain(value) for key, value in document.items()}


def _model(facts: EvidenceFacts) -> Document:
    model = facts.model
    return {
        "name": model.name,
        "description": model.description,
        "created_at": model.created_at,
        "tags": model.tags,
        "gates": model.gates,
        "gates_sha256": digest_of(dict(model.gates)) if model.gates else None,
        "stage_profile": profile_name(model.stages),
        "stages": model.stages.to_json(),
    }


def _version(facts: EvidenceFacts) -> Document:
    version = facts.version
    return {
        "number": version.version,
        "stage": version.stage,
        "source": version.source,
        "model_id": version.model_id,
        "run_id": version.run_id,
        "digest": version.digest,
        "registered_by": version.user,
        "registered_at": version.created_at,
        "description": version.description,
        "tags": version.tags,
        "aliases": version.aliases,
    }


def _datasets(facts: EvidenceFacts) -> list[Document]:
    """List every data set once, with what it was read for and by which run."""
    found: dict[tuple[str, str], Document] = {}

    def use(name: str, digest: str, context: str, run_id: str | None) -> Document:
        entry = found.setdefault(
            (name, digest), {"name": name, "digest": digest, "uses": [], "details": None}
        )
        uses: list[object] = entry["uses"]  # type: ignore[assignment]  # made above
        use = {"context": context, "run_id": run_id}
        if use not in uses:
            uses.append(use)
        return entry

    reads = (
        []
        if facts.training is None
        else [(item, facts.training.data.run.run_id) for item in facts.training.inputs]
    )
    for judged in facts.verdicts:
        reads += [(item, str(judged.verdict.run_id)) for item in judged.inputs]
    for item, run_id in reads:
        record = item.dataset
        entry = use(record.name, record.digest, item.context, run_id)
        entry["details"] = {
            "source_type": record.source_type,
            "source": record.source,
            "schema": record.schema,
            "profile": record.profile,
        }
    for judged in facts.verdicts:
        verdict = judged.verdict
        use(verdict.dataset_name, verdict.dataset_digest, "validation", verdict.run_id)
    return list(found.values())


def _training(training: TrainingFacts, collected: Collected) -> Document:
    run, attempt = training.data.run, training.data.attempt
    reports = _reports(training, collected)
    return {
        "run_id": run.run_id,
        "run_name": run.name,
        "experiment": training.experiment,
        "user": run.user,
        "status": attempt.status,
        "attempt": attempt.number,
        "started_at": attempt.started_at,
        "ended_at": attempt.ended_at,
        "airflow": {
            "dag_id": run.dag_id,
            "dag_run_id": run.dag_run_id,
            "task_id": run.task_id,
            "map_index": run.map_index if run.dag_id else None,
            "try_number": attempt.try_number,
            "details": attempt.details,
        },
        "parent": None
        if training.parent is None
        else {"run_id": training.parent.run_id, "run_name": training.parent.name},
        "params": training.data.params,
        "metrics": [asdict(item) for item in measured_metrics(training.data.metrics, reports)],
        "tags": run.tags,
        "split_digest": training.data.params.get("split.digest"),
    }


def _reports(training: TrainingFacts, collected: Collected) -> dict[str, Mapping[str, object]]:
    """Read the intervals from the run's own reports, where they came into the archive."""
    rows_of = {path: rows for rows, path in REPORT_FILES.items()}
    return {
        rows_of[wanted.record.path]: read_report(staged.local)
        for wanted in plot_files(training)
        if wanted.record.path in rows_of and (staged := collected.find(wanted)) is not None
    }


def _plots(facts: EvidenceFacts, collected: Collected) -> list[Document]:
    return [
        {
            "path": staged.path,
            "title": _title(wanted.record.path),
            "content_type": wanted.record.content_type,
            "size": staged.size,
            "sha256": staged.sha256,
        }
        for wanted in plot_files(facts.training)
        if (staged := collected.find(wanted)) is not None
    ]


def _title(path: str) -> str:
    """Word a file's name: ``plots/test_score_distribution.png`` is "Test score distribution"."""
    stem = path.rpartition("/")[2].rpartition(".")[0].replace("_", " ").strip()
    return stem[:1].upper() + stem[1:] or path


def _package(facts: EvidenceFacts, collected: Collected) -> Document | None:
    package = facts.package
    if package is None:
        return None
    manifest = _manifest(facts)
    told = (
        "model_class",
        "types",
        "stripped_steps",
        "proof",
        "holds_training_rows",
        "seeds",
        "mlflow",
    )
    copies = {wanted.record.path: wanted for wanted in package_files(facts, include_package=True)}
    return {
        "model_id": package.model_id,
        "digest": package.digest,
        "format": manifest.get("format") or package.model_type,
        "size": package.size,
        "created_at": package.created_at,
        **{key: manifest.get(key) for key in told},
        "metadata": mapping(manifest.get("metadata")),
        "files": [
            {
                "path": record.path,
                "size": record.size,
                "sha256": record.sha256,
                "is_whole": record.key not in collected.damaged,
                "copy": _copy(collected.find(copies[record.path])),
            }
            for record in facts.package_files
        ],
    }


def _code(facts: EvidenceFacts, collected: Collected) -> Document | None:
    """Return commit and state of the code; the run's own tag where the package says nothing."""
    code = dict(mapping(_manifest(facts).get("code")))
    if not code and facts.training is not None:
        commit = facts.training.data.run.tags.get("mlflow.source.git.commit")
        code = {"commit": commit} if commit else {}
    if not code:
        return None
    diffs = [_copy(collected.find(wanted)) for wanted in diff_files(facts)]
    return {**code, "diff": next(iter(diffs), None)}


def _environment(facts: EvidenceFacts, collected: Collected) -> Document | None:
    environment = dict(mapping(_manifest(facts).get("environment")))
    copies = [_copy(collected.find(wanted)) for wanted in environment_files(facts)]
    files = [path for path in copies if path]
    return {**environment, "files": files} if environment or files else None


def _copy(staged: object) -> str | None:
    path = getattr(staged, "path", None)
    return path if isinstance(path, str) else None


def _manifest(facts: EvidenceFacts) -> Mapping[str, object]:
    return {} if facts.package is None else facts.package.manifest
