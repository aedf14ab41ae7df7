"""What the records say about a version, read in one transaction that sees one state of them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airflow_mltrack.exceptions import NotFound
from airflow_mltrack.lifecycle.audit import verify_in
from airflow_mltrack.lifecycle.holders import facts_of, whole_history
from airflow_mltrack.lifecycle.registration import version_node
from airflow_mltrack.lifecycle.verdict_evidence import verdict_json
from airflow_mltrack.store.canonical_json import canonical_json
from airflow_mltrack.store.record_texts import record_texts

if TYPE_CHECKING:
    from datetime import datetime

    from airflow_mltrack.entities.approvals import Approval
    from airflow_mltrack.entities.artifacts import Artifact
    from airflow_mltrack.entities.history import HistoryEvent
    from airflow_mltrack.entities.inputs import RunInput
    from airflow_mltrack.entities.lineage import LineageEdge
    from airflow_mltrack.entities.models import LoggedModel
    from airflow_mltrack.entities.registry import ModelVersion, RegisteredModel
    from airflow_mltrack.entities.runs import Run, RunData
    from airflow_mltrack.entities.verdicts import CheckResult, Verdict
    from airflow_mltrack.lifecycle.audit import ChainReport
    from airflow_mltrack.store.tracking_store import Transaction


@dataclass(frozen=True, slots=True)
class Missing:
    """Something that belongs into the archive and is not there."""

    what: str
    reason: str
    expected_sha256: str | None = None
    found_sha256: str | None = None


@dataclass(frozen=True, slots=True)
class TrainingFacts:
    """The attempt that trained a version."""

    data: RunData
    experiment: str
    inputs: Sequence[RunInput]
    files: Sequence[Artifact]
    parent: Run | None


@dataclass(frozen=True, slots=True)
class VerdictFacts:
    """A verdict and what lies behind it."""

    verdict: Verdict
    text: str
    """The record as canonical JSON."""
    run: Run | None
    inputs: Sequence[RunInput] = ()
    evidence: Mapping[str, Artifact] = field(default_factory=dict)
    """Name of the check to the record of its file."""


@dataclass(frozen=True, slots=True)
class EvidenceFacts:
    """All records about a version."""

    now: datetime
    """By the database's clock."""
    model: RegisteredModel
    version: ModelVersion
    live: ModelVersion | None
    events: Sequence[HistoryEvent]
    """The model's whole chain, before it those of the names that it had earlier."""
    chains: Sequence[ChainReport]
    """One for each name, the present one last."""
    verdicts: Sequence[VerdictFacts]
    """Newest first."""
    approvals: Sequence[tuple[Approval, str]]
    """Newest first, each with its record as canonical JSON."""
    package: LoggedModel | None
    package_files: Sequence[Artifact]
    training: TrainingFacts | None
    lineage: Sequence[LineageEdge]
    missing: Sequence[Missing]


def read_facts(tx: Transaction, name: str, version: int) -> EvidenceFacts:
    """Read everything that is recorded of a version.

    :param tx: a new one: nothing was read in it yet.
    :raises NotFound: when there is no such model or version.
    """
    tx.freeze()
    missing: list[Missing] = []
    found = tx.registry.get_version(name, version)
    events = chain_of(tx, name)
    names = list(dict.fromkeys([*(event.name for event in events), name]))
    texts = {key: text for one in names for key, text in record_texts(tx.connection, one).items()}
    package = _package(tx, found, missing)
    return EvidenceFacts(
        now=tx.now(),
        model=tx.registry.get_model(name),
        version=found,
        live=tx.registry.holder(name),
        events=events,
        chains=[verify_in(tx, one) for one in names],
        verdicts=_verdicts(tx, names, version, events, texts, missing),
        approvals=_approvals(tx, names, version, events, texts),
        package=package,
        package_files=[] if package is None else tx.artifacts.walk(model_id=package.model_id),
        training=_training(tx, found, package, missing),
        lineage=tx.lineage.upstream(version_node(name, version)),
        missing=missing,
    )


def chain_of(tx: Transaction, name: str) -> list[HistoryEvent]:
    """Return a model's chain, before it those of its earlier names, each to its renaming."""
    found: list[HistoryEvent] = []
    for event in whole_history(tx, name):
        if found and found[-1].name != event.name:
            found += _renaming(tx, found[-1].name, event.name)
        found.append(event)
    return found


def _renaming(tx: Transaction, before: str, after: str) -> list[HistoryEvent]:
    """Return the event in the old name's chain that led to the new name."""
    events = tx.history.list(before, kinds=("renamed",))
    return [event for event in events if facts_of(event).get("to") == after][-1:]


def _package(tx: Transaction, version: ModelVersion, missing: list[Missing]) -> LoggedModel | None:
    if version.model_id is None:
        reason = f"the version was registered without one of ours; its source is {version.source}"
        missing.append(Missing("model package", reason))
        return None
    return tx.models.get(version.model_id)


def _training(
    tx: Transaction, version: ModelVersion, package: LoggedModel | None, missing: list[Missing]
) -> TrainingFacts | None:
    """Read the attempt that logged the package, or the latest one of the version's run."""
    run_id = version.run_id or (package.run_id if package else None)
    if run_id is None:
        missing.append(Missing("training run", "the version was registered without a run"))
        return None
    try:
        run = tx.runs.get(run_id)
    except NotFound:
        missing.append(Missing(f"training run {run_id}", "it was removed for good"))
        return None
    number = None
    if package is not None and package.attempt_id is not None and package.run_id == run_id:
        number = tx.runs.attempt(package.attempt_id).number
    data = tx.runs.data(run_id, attempt=number)
    _note_deleted(run, "training run", missing)
    owner = data.attempt.attempt_id
    return TrainingFacts(
        data=data,
        experiment=tx.experiments.get(run.experiment_id).name,
        inputs=tx.inputs.list(owner),
        files=tx.artifacts.walk(attempt_id=owner),
        parent=_run(tx, run.parent_run_id),
    )


def _verdicts(
    tx: Transaction,
    names: Sequence[str],
    version: int,
    events: Sequence[HistoryEvent],
    texts: Mapping[str, str],
    missing: list[Missing],
) -> list[VerdictFacts]:
    """Read the verdicts on a version, under every name that its model had."""
    told = recorded_digests(events, "verdict")
    found = [
        _verdict(tx, verdict, _recorded_text(verdict, texts, told), missing)
        for name in reversed(names)
        for verdict in tx.verdicts.list(name, version)
        if name == names[-1] or verdict.verdict_id in told
    ]
    if not found:
        missing.append(Missing("verdict", "the version was never judged"))
    return found


def _verdict(tx: Transaction, verdict: Verdict, text: str, missing: list[Missing]) -> VerdictFacts:
    if verdict.run_id is None:
        return VerdictFacts(verdict, text, None)
    run = _run(tx, verdict.run_id)
    if run is None:
        what = f"run {verdict.run_id} of verdict {verdict.verdict_id}"
        missing.append(Missing(what, "it was removed for good, and the evidence with it"))
        return VerdictFacts(verdict, text, None)
    _note_deleted(run, f"run of verdict {verdict.verdict_id}", missing)
    attempts = [attempt.attempt_id for attempt in reversed(tx.runs.attempts(run.run_id))]
    evidence = {}
    for check in verdict.checks:
        file = _evidence(tx, attempts, check)
        if file is not None:
            evidence[check.name] = file
        elif check.evidence:
            what = f"evidence {check.evidence} of verdict {verdict.verdict_id}"
            missing.append(Missing(what, "its run has no such file", check.evidence_sha256))
    inputs = [item for owner in attempts for item in tx.inputs.list(owner)]
    return VerdictFacts(verdict, text, run, inputs, evidence)


def recorded_digests(events: Sequence[HistoryEvent], kind: str) -> dict[object, object]:
    """Return id to sha256 of the verdicts or approvals that the chain names."""
    facts = [facts_of(event) for event in events if event.kind == kind]
    return {one.get(f"{kind}_id"): one.get("sha256") for one in facts}


def _recorded_text(
    verdict: Verdict, texts: Mapping[str, str], told: Mapping[object, object]
) -> str:
    """Return the record in the form that the chain holds the digest of."""
    first_form = canonical_json(verdict_json(verdict))  # what the first schema's chain was made of
    if told.get(verdict.verdict_id) == hashlib.sha256(first_form.encode()).hexdigest():
        return first_form
    return texts[verdict.verdict_id]


def _evidence(tx: Transaction, attempts: Sequence[int], check: CheckResult) -> Artifact | None:
    """Find a check's file: the one with the recorded digest, else the latest of that path."""
    if not check.evidence:
        return None
    files = [
        file
        for owner in attempts
        for file in tx.artifacts.walk(attempt_id=owner, under=check.evidence)
        if file.path == check.evidence
    ]
    recorded = [file for file in files if file.sha256 == check.evidence_sha256]
    return next(iter([*recorded, *files]), None)


def _approvals(
    tx: Transaction,
    names: Sequence[str],
    version: int,
    events: Sequence[HistoryEvent],
    texts: Mapping[str, str],
) -> list[tuple[Approval, str]]:
    told = recorded_digests(events, "approval")
    return [
        (approval, texts[approval.approval_id])
        for name in reversed(names)
        for approval in tx.approvals.list(name, version)
        if name == names[-1] or approval.approval_id in told
    ]


def _note_deleted(run: Run, what: str, missing: list[Missing]) -> None:
    if run.lifecycle.value == "deleted":
        reason = "it is marked as deleted; what is shown here may soon be gone"
        missing.append(Missing(f"{what} ({run.run_id})", reason))


def _run(tx: Transaction, run_id: str | None) -> Run | None:
    if run_id is None:
        return None
    try:
        return tx.runs.get(run_id)
    except NotFound:
        return None
