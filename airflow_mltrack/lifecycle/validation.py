"""Judge a model version: score held-out rows, ask every gate, write the verdict."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from airflow_mltrack.entities.lineage import LineageEdge, LineageNode
from airflow_mltrack.entities.verdicts import Verdict
from airflow_mltrack.exceptions import Conflict, InvalidInput, NotFound
from airflow_mltrack.lifecycle.gates.gate import Champion, Evidence
from airflow_mltrack.lifecycle.held_out import (
    HeldOutRows,
    choose_rows,
    refuse_training_rows,
    run_that_learned_from,
)
from airflow_mltrack.lifecycle.policy import parse_policy, policy_digest
from airflow_mltrack.lifecycle.registration import version_node
from airflow_mltrack.store.canonical_json import canonical_value, digest_of
from airflow_mltrack.tracking.model_uri import load_model

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from airflow_mltrack.entities.registry import ModelVersion
    from airflow_mltrack.lifecycle.policy import Policy
    from airflow_mltrack.model_package.reader import LoadedModel
    from airflow_mltrack.store.tracking_store import Transaction
    from airflow_mltrack.tracking.active_run import ActiveRun
    from airflow_mltrack.tracking.client import TrackingClient
    from airflow_mltrack.training.dataset import DatasetSpec
    from airflow_mltrack.training.splits import SplitSpec
    from airflow_mltrack.training.table_file import Opener

EVIDENCE_FILE = "verdict.json"


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
    :param run: gets the evidence as artifact ``verdict.json``, the data set as input and what was
        observed as metrics.
    :param opener: opens the data set's URI.
    :param check_environment: what to do where the packages were made with other libraries than
        those here: ``error``, ``warn`` or ``ignore``.
    :param details: JSON-able facts for the record, for example Dag and Dag run.
    :raises NotFound: when there is no such model or version, or the data set cannot be read.
    :raises InvalidInput: when the policy or the data set breaks a rule, there is no policy, or
        ``details`` are not JSON-able.
    :raises ArtifactCorrupt: when the package's bytes are not the recorded ones.
    :raises Conflict: when the package is not the registered one.
    """
    facts = _facts(details)  # refused before any work is done
    candidate, live, judged_by, now = _circumstances(client, name, version, policy)
    parsed = parse_policy(judged_by)
    loaded = _load(client, candidate, check_environment)
    rows = choose_rows(dataset, split, loaded.manifest.metadata, opener=opener)
    refuse_training_rows(client, candidate, rows)
    score = _event_scores(loaded, rows)
    champion = None
    if parsed.needs_champion and live is not None and live.version != version:
        champion = Champion(
            live.version,
            _event_scores(_load(client, live, check_environment), rows),
            knows_rows=run_that_learned_from(client, live, rows) is not None,
        )
    evidence = Evidence(rows.target, score, champion, parsed.options)
    checks = tuple(gate.judge(evidence) for gate in parsed.gates)
    verdict = Verdict(
        verdict_id=uuid.uuid4().hex,
        name=name,
        version=version,
        passed=all(check.passed for check in checks),
        package_digest=_digest(candidate),
        policy=judged_by,
        policy_digest=policy_digest(judged_by),
        dataset_name=rows.record.name,
        dataset_digest=rows.record.digest,
        checks=checks,
        champion_version=None if live is None else live.version,
        actor=actor,
        created_at=now,
        valid_until=_valid_until(now, parsed),
        run_id=None if run is None else run.run_id,
        details={**facts, **_rows_details(rows, champion)},
    )
    if run is not None:
        _log_evidence(run, verdict, rows)
    return _record(client, verdict)


def list_verdicts(client: TrackingClient, name: str, version: int | None = None) -> list[Verdict]:
    """Return the verdicts about a model or one of its versions, newest first."""
    with client.store.transaction() as tx:
        return tx.verdicts.list(name, version)


def verdict_json(verdict: Verdict) -> dict[str, object]:
    """Return a verdict as JSON-able data."""
    data = asdict(verdict)
    for key in ("created_at", "valid_until"):
        moment = data[key]
        data[key] = None if moment is None else moment.isoformat()
    return data


def _circumstances(
    client: TrackingClient, name: str, version: int, policy: Mapping[str, object] | None
) -> tuple[ModelVersion, ModelVersion | None, dict[str, object], datetime]:
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
    return candidate, live, judged_by, now


def _load(client: TrackingClient, version: ModelVersion, check_environment: str) -> LoadedModel:
    """Load a version's package, which must be the registered one."""
    loaded = load_model(
        client,
        f"models:/{version.name}/{version.version}",
        check_environment=check_environment,
    )
    if loaded.manifest.digest != _digest(version):
        raise Conflict(
            "model version",
            f"{version.name}/{version.version}",
            f"its package has digest {loaded.manifest.digest}, registered was {version.digest}.",
            "Register the package that you mean as a new version.",
        )
    return loaded


def _event_scores(loaded: LoadedModel, rows: HeldOutRows) -> NDArray[np.float64]:
    """Return the probability of the event for every row."""
    import numpy as np

    # Gates judge the scores; rows outside the learned ranges are part of what is judged.
    found = np.asarray(loaded.predict_proba(rows.features, constraints="ignore"), dtype=float)
    if found.shape != (rows.target.size, 2):
        raise InvalidInput(
            "model",
            loaded.manifest.model_class,
            f"it gives probabilities of shape {found.shape}, gates need two classes for "
            f"{rows.target.size} rows.",
        )
    return found[:, 1]


def _digest(version: ModelVersion) -> str:
    if version.digest is None:
        raise Conflict(
            "model version",
            f"{version.name}/{version.version}",
            "it was registered without a package digest, so no verdict can be bound to it.",
            "Log the model with this package and register it again.",
        )
    return version.digest


def _facts(details: Mapping[str, object] | None) -> dict[str, object]:
    facts = canonical_value(details or {})
    if not isinstance(facts, dict):
        raise InvalidInput("details", details, "it is a mapping of names to JSON-able facts.")
    return facts


def _rows_details(rows: HeldOutRows, champion: Champion | None) -> dict[str, object]:
    found: dict[str, object] = {"split_digest": rows.split_digest}
    if rows.record.profile.get("synthetic"):
        found["synthetic"] = True
    if champion is not None and champion.knows_rows:
        found["champion_knows_rows"] = True
    return found


def _valid_until(now: datetime, policy: Policy) -> datetime | None:
    return None if policy.valid_days is None else now + timedelta(days=policy.valid_days)


def _log_evidence(run: ActiveRun, verdict: Verdict, rows: HeldOutRows) -> None:
    """Put the evidence on the run, before the verdict's row names the run."""
    run.log_input(rows.record, "validation")
    run.log_dict(verdict_json(verdict), EVIDENCE_FILE)
    observed = {f"verdict_{check.name}": check.observed for check in verdict.checks}
    run.log_metrics({key: value for key, value in observed.items() if value is not None})
    run.flush()


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
                "sha256": digest_of(verdict_json(verdict)),
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
