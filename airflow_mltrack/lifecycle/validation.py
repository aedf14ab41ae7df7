"""Judge a model version: score held-out rows, ask every gate, write the verdict."""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_mltrack.entities.lineage import LineageEdge, LineageNode
from airflow_mltrack.entities.verdicts import Verdict
from airflow_mltrack.exceptions import InvalidInput, NotFound
from airflow_mltrack.lifecycle.gates.check_fields import find_column
from airflow_mltrack.lifecycle.gates.gate import Champion, Evidence
from airflow_mltrack.lifecycle.held_out import (
    HeldOutRows,
    choose_rows,
    refuse_training_rows,
    run_that_learned_from,
)
from airflow_mltrack.lifecycle.judged_version import (
    event_scores,
    load_version,
    registered_digest,
    size_of,
    stored_threshold,
)
from airflow_mltrack.lifecycle.policy import parse_policy, policy_digest
from airflow_mltrack.lifecycle.registration import version_node
from airflow_mltrack.lifecycle.verdict_evidence import log_checks, log_verdict
from airflow_mltrack.store.canonical_json import canonical_value

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from airflow_mltrack.entities.registry import ModelVersion
    from airflow_mltrack.lifecycle.gates.gate import Outcome
    from airflow_mltrack.lifecycle.policy import Policy
    from airflow_mltrack.model_package.reader import LoadedModel
    from airflow_mltrack.store.tracking_store import Transaction
    from airflow_mltrack.tracking.active_run import ActiveRun
    from airflow_mltrack.tracking.client import TrackingClient
    from airflow_mltrack.training.dataset import DatasetSpec
    from airflow_mltrack.training.splits import SplitSpec
    from airflow_mltrack.training.table_file import Opener

EXPERIMENT = "validation"
"""Experiment of the runs that hold evidence where the caller has no run."""


@dataclass(frozen=True, slots=True)
class _Case:
    """Who is judged, by what, against whom, and when."""

    candidate: ModelVersion
    live: ModelVersion | None
    policy: dict[str, object]
    parsed: Policy
    now: datetime

    @property
    def opponent(self) -> ModelVersion | None:
        """The live version, where a gate compares with it and it is another one."""
        if self.live is None or not self.parsed.needs_champion:
            return None
        return None if self.live.version == self.candidate.version else self.live


@dataclass(frozen=True, slots=True)
class _Judged:
    """What the gates found out."""

    rows: HeldOutRows
    outcomes: tuple[Outcome, ...]
    details: dict[str, object]


def validate_version(
    client: TrackingClient,
    name: str,
    version: int,
    *,
    actor: str,
    dataset: DatasetSpec | HeldOutRows | None = None,
    split: SplitSpec | None = None,
    policy: Mapping[str, object] | None = None,
    run: ActiveRun | None = None,
    opener: Opener | None = None,
    check_environment: str = "warn",
    details: Mapping[str, object] | None = None,
) -> Verdict:
    """Judge a version by a policy on held-out rows and write the verdict, passed or not.

    The version's bytes are read and checked against the registered digest. Where a gate compares
    with the live version, that one is loaded and scored on the same rows. The verdict counts only
    for this package, this policy and this live version, and until it expires. Rows that the
    version's own training used are refused; where the live version learned from them, which
    favours it, checks and details say so.

    :param actor: who asks.
    :param dataset: the table, or rows that are held out already. None takes data set and split from
        the package, which knows them when :func:`~airflow_mltrack.lifecycle.training.train_model`
        made it: the test rows, which no trial ever saw.
    :param split: scores the test rows of this split; None: all rows of ``dataset``.
    :param policy: see :mod:`airflow_mltrack.lifecycle.policy`; None takes the model's own gates.
    :param run: gets the evidence: artifacts ``verdict.json`` and ``verdict/CHECK.json``, the data
        set as input and what was observed as metrics. None opens a run for it in the experiment
        ``validation``, which ends with the judgement.
    :param opener: opens the data set's URI.
    :param check_environment: what to do where the packages were made with other libraries than
        those here: ``error``, ``warn`` or ``ignore``.
    :param details: JSON-able facts for the record, for example Dag and Dag run.
    :raises NotFound: when there is no such model or version, or the data set cannot be read.
    :raises InvalidInput: when the policy or the data set breaks a rule, a check names a column
        that the rows lack, there is no policy, or ``details`` are not JSON-able.
    :raises ArtifactCorrupt: when the package's bytes are not the recorded ones.
    :raises Conflict: when the package is not the registered one.
    """
    facts = _facts(details)  # refused before any work is done
    case = _case(client, name, version, policy)
    with _run_for_evidence(client, case, run, actor) as evidence_run:
        judged = _judge(client, case, dataset, split, opener, check_environment)
        verdict_id = uuid.uuid4().hex
        checks = log_checks(evidence_run, verdict_id, judged.outcomes)
        verdict = Verdict(
            verdict_id=verdict_id,
            name=name,
            version=version,
            passed=not any(check.blocks for check in checks),
            package_digest=registered_digest(case.candidate),
            policy=case.policy,
            policy_digest=policy_digest(case.policy),
            dataset_name=judged.rows.record.name,
            dataset_digest=judged.rows.record.digest,
            checks=checks,
            champion_version=None if case.live is None else case.live.version,
            actor=actor,
            created_at=case.now,
            valid_until=_valid_until(case.now, case.parsed),
            run_id=evidence_run.run_id,
            details={**facts, **judged.details},
        )
        log_verdict(evidence_run, verdict, judged.rows)
        return _record(client, verdict)


def list_verdicts(client: TrackingClient, name: str, version: int | None = None) -> list[Verdict]:
    """Return the verdicts about a model or one of its versions, newest first."""
    with client.store.transaction() as tx:
        return tx.verdicts.list(name, version)


def _case(
    client: TrackingClient, name: str, version: int, policy: Mapping[str, object] | None
) -> _Case:
    """Read the version, the one that is live, the policy to judge by, and the time."""
    model, candidate, live, now = client.transact(
        lambda tx: (
            tx.registry.get_model(name),
            tx.registry.get_version(name, version),
            tx.registry.holder(name),
            tx.now(),
        )
    )
    judged_by = dict(model.gates if policy is None else policy)
    if not judged_by:
        raise InvalidInput(
            "policy",
            judged_by,
            f"registered model {name} has no gates to judge by.",
            "Pass a policy, or give the model gates when it is registered.",
        )
    registered_digest(candidate)
    return _Case(candidate, live, judged_by, parse_policy(judged_by), now)


def _run_for_evidence(
    client: TrackingClient, case: _Case, run: ActiveRun | None, actor: str
) -> AbstractContextManager[ActiveRun]:
    """Return the caller's run, which stays open, or one that ends with its block."""
    if run is not None:
        return nullcontext(run)
    title = f"validate {case.candidate.name}/{case.candidate.version}"
    return client.start_run(title, experiment=EXPERIMENT, user=actor)


def _judge(
    client: TrackingClient,
    case: _Case,
    dataset: DatasetSpec | HeldOutRows | None,
    split: SplitSpec | None,
    opener: Opener | None,
    check_environment: str,
) -> _Judged:
    """Load the version, score the rows, ask every gate."""
    with tempfile.TemporaryDirectory(prefix="mltrack-validate-") as directory:
        package = Path(directory) / "package"
        loaded = load_version(client, case.candidate, package, check_environment)
        metadata = loaded.manifest.metadata
        rows = choose_rows(dataset, split, metadata, opener=opener)
        refuse_training_rows(client, case.candidate, rows)
        _check_columns(case.parsed, rows)
        score = event_scores(loaded, rows)
        champion = _champion(client, case, rows, Path(directory) / "live", check_environment)
        evidence = Evidence(
            rows.target,
            score,
            champion,
            case.parsed.options,
            features=rows.features,
            candidate=loaded,
            record=rows.record,
            package_dir=package,
            package_bytes=size_of(package),
            now=case.now,
            trusted_modules=client.settings.trusted_modules,
            trusted_types=client.settings.trusted_types,
            threshold=stored_threshold(client, case.candidate, metadata),
        )
        outcomes = tuple(gate.judge(evidence) for gate in case.parsed.gates)
    return _Judged(rows, outcomes, _rows_details(rows, champion))


def _check_columns(policy: Policy, rows: HeldOutRows) -> None:
    """Refuse a policy whose checks name columns that are not there, before the work is done."""
    for gate in policy.gates:
        for column in gate.columns:
            find_column(rows.features, column)


def _champion(
    client: TrackingClient,
    case: _Case,
    rows: HeldOutRows,
    directory: Path,
    check_environment: str,
) -> Champion | None:
    live = case.opponent
    if live is None:
        return None
    loaded = load_version(client, live, directory, check_environment)
    return Champion(
        live.version,
        _scores_or_reason(loaded, rows),
        model=loaded,
        knows_rows=run_that_learned_from(client, live, rows) is not None,
        threshold=stored_threshold(client, live, loaded.manifest.metadata),
    )


def _scores_or_reason(loaded: LoadedModel, rows: HeldOutRows) -> NDArray[np.float64] | InvalidInput:
    """Score with the live version; rows that do not fit it fail the checks that compare."""
    try:
        return event_scores(loaded, rows)
    except InvalidInput as error:
        return error


def _facts(details: Mapping[str, object] | None) -> dict[str, object]:
    facts = canonical_value(details or {})
    if not isinstance(facts, dict):
        raise InvalidInput("details", details, "it is a mapping of names to JSON-able facts.")
    return facts


def _rows_details(rows: HeldOutRows, champion: Champion | None) -> dict[str, object]:
    found: dict[str, object] = {"split_digest": rows.split_digest}
    if rows.record.profile.get("synthetic"):
        found["synthetic"] = True
    if champion is not None:
        found["champion_digest"] = champion.model.manifest.digest
        if champion.knows_rows:
            found["champion_knows_rows"] = True
    return found


def _valid_until(now: datetime, policy: Policy) -> datetime | None:
    return None if policy.valid_days is None else now + timedelta(days=policy.valid_days)


def _record(client: TrackingClient, verdict: Verdict) -> Verdict:
    version = version_node(verdict.name, verdict.version)
    dataset = LineageNode("dataset", f"{verdict.dataset_name}@{verdict.dataset_digest}")
    edges = [LineageEdge(dataset, version, "judged")]
    if verdict.run_id is not None:
        edges.append(LineageEdge(LineageNode("run", verdict.run_id), version, "judged"))

    def work(tx: Transaction) -> Verdict:
        tx.registry.lock(verdict.name)
        tx.registry.get_version(verdict.name, verdict.version)
        if (known := _known(tx, verdict)) is not None:
            return known  # the answer to an earlier commit was lost
        written = tx.verdicts.add(verdict)
        tx.history.append(
            name=verdict.name,
            version=verdict.version,
            kind="verdict",
            actor=verdict.actor,
            payload={
                "verdict_id": verdict.verdict_id,
                "passed": verdict.passed,
                "sha256": tx.verdicts.digests(verdict.name, verdict.verdict_id)[verdict.verdict_id],
            },
        )
        tx.lineage.add(edges)
        return written

    return client.transact(work)


def _known(tx: Transaction, verdict: Verdict) -> Verdict | None:
    try:
        return tx.verdicts.get(verdict.verdict_id)
    except NotFound:
        return None
