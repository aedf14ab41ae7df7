"""What was judged, approved and decided about a version, as parts of an evidence pack's JSON."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from typing import TYPE_CHECKING

from airflow_mltrack.entities.approvals import Decision
from airflow_mltrack.lifecycle.approval_rules import REQUESTED
from airflow_mltrack.lifecycle.deployments import deployments
from airflow_mltrack.lifecycle.evidence.archive import archive_path
from airflow_mltrack.lifecycle.evidence.files import evidence_file
from airflow_mltrack.lifecycle.holders import facts_of
from airflow_mltrack.lifecycle.training import SYNTHETIC_TAG

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from airflow_mltrack.entities.history import HistoryEvent
    from airflow_mltrack.entities.verdicts import CheckResult
    from airflow_mltrack.lifecycle.deployments import Deployment
    from airflow_mltrack.lifecycle.evidence.facts import EvidenceFacts, VerdictFacts
    from airflow_mltrack.lifecycle.evidence.files import Collected

Part = dict[str, object]


def summary_json(facts: EvidenceFacts, at: datetime) -> Part:
    """Say in a few facts where the version stands, and on what grounds."""
    periods = deployments(facts.events, facts.version.version)
    current = periods[-1] if periods and periods[-1].ended is None else None
    judged = _verdict_to_show(facts, current)
    return {
        "model": facts.model.name,
        "version": facts.version.version,
        "stage": facts.version.stage,
        "digest": facts.version.digest,
        "is_live": current is not None,
        "live_since": None if current is None else current.began,
        "times_live": len(periods),
        "live_version": None if facts.live is None else facts.live.version,
        "verdict": None if judged is None else _verdict_in_short(facts, judged, at),
        "approved_by": _approvers(facts, periods, judged),
        "registered_by": facts.version.user,
        "trained_by": facts.training.data.run.user if facts.training else None,
        "is_synthetic": _is_synthetic(facts),
        "chain_is_whole": all(chain.is_whole for chain in facts.chains),
    }


def verdicts_json(facts: EvidenceFacts, collected: Collected, at: datetime) -> list[Part]:
    """Return every verdict with all checks, newest first."""
    return [_verdict(facts, judged, collected, at) for judged in facts.verdicts]


def approvals_json(facts: EvidenceFacts, at: datetime) -> list[Part]:
    """Return every answer, newest first, with the moves it was counted for."""
    return [
        {
            **asdict(approval),
            "is_expired": approval.valid_until is not None and approval.valid_until <= at,
            "is_for_this_package": approval.package_digest == facts.version.digest,
            "record_sha256": _sha256(text),
            "recorded_by": _recorded_by(facts, "approval", approval.approval_id),
            "counted_for": [
                event.event_id
                for event in _transitions(facts)
                if approval.approval_id in _list(facts_of(event).get("approvals"))
            ],
        }
        for approval, text in facts.approvals
    ]


def requests_json(facts: EvidenceFacts) -> list[Part]:
    """Return who asked for approval, oldest first."""
    return [_event(event) for event in _of_version(facts, REQUESTED)]


def transitions_json(facts: EvidenceFacts) -> list[Part]:
    """Return every move of the version, oldest first."""
    return [_event(event) for event in _transitions(facts)]


def deployments_json(facts: EvidenceFacts, at: datetime) -> list[Part]:
    """Return when the version was live, oldest first."""
    return [_deployment(period, at) for period in deployments(facts.events, facts.version.version)]


def aliases_json(facts: EvidenceFacts) -> Part:
    """Return the aliases that the version has now, and every change that touched it."""
    number = facts.version.version
    changes = [
        _event(event)
        for event in facts.events
        if event.kind == "alias"
        and number in (facts_of(event).get("from"), facts_of(event).get("to"))
    ]
    return {"now": list(facts.version.aliases), "changes": changes}


def chain_json(facts: EvidenceFacts) -> Part:
    """Return what walking the chain in the database has shown, and where it ends."""
    return {
        "is_whole": all(chain.is_whole for chain in facts.chains),
        "file": "history.jsonl",
        "events": len(facts.events),
        "chains": [
            {
                "name": chain.name,
                "events": chain.events,
                "head": None if chain.head is None else asdict(chain.head),
                "findings": [asdict(finding) for finding in chain.findings],
            }
            for chain in facts.chains
        ],
    }


def _verdict_to_show(facts: EvidenceFacts, current: Deployment | None) -> VerdictFacts | None:
    """Return the verdict that a live version went live on, else the latest one."""
    if current is not None:
        grounds = facts_of(current.arrival).get("verdict_id")
        for judged in facts.verdicts:
            if judged.verdict.verdict_id == grounds:
                return judged
    return next(iter(facts.verdicts), None)


def _verdict_in_short(facts: EvidenceFacts, judged: VerdictFacts, at: datetime) -> Part:
    verdict = judged.verdict
    return {
        "verdict_id": verdict.verdict_id,
        "passed": verdict.passed,
        "created_at": verdict.created_at,
        "valid_until": verdict.valid_until,
        "is_expired": verdict.valid_until is not None and verdict.valid_until <= at,
        "is_for_this_package": verdict.package_digest == facts.version.digest,
        "failed_checks": [check.name for check in verdict.checks if check.blocks],
        "warnings": [check.name for check in verdict.checks if check.warns],
    }


def _approvers(
    facts: EvidenceFacts, periods: Sequence[Deployment], judged: VerdictFacts | None
) -> list[str]:
    """Name whose approval was counted when the version last went live, else who approved it."""
    counted = _list(facts_of(periods[-1].arrival).get("approvals")) if periods else ()
    verdict_id = None if judged is None else judged.verdict.verdict_id
    names = [one.approver for one, _ in facts.approvals if one.approval_id in counted] or [
        one.approver
        for one, _ in facts.approvals
        if one.decision is Decision.APPROVED
        and (one.package_digest, one.verdict_id) == (facts.version.digest, verdict_id)
    ]
    return sorted(set(names))


def _is_synthetic(facts: EvidenceFacts) -> bool:
    trained = facts.training is not None and (
        facts.training.data.run.tags.get(SYNTHETIC_TAG) == "true"
    )
    return trained or any(one.verdict.details.get("synthetic") is True for one in facts.verdicts)


def _verdict(
    facts: EvidenceFacts, judged: VerdictFacts, collected: Collected, at: datetime
) -> Part:
    verdict = judged.verdict
    return {
        **asdict(verdict),
        "checks": [_check(check, judged, collected) for check in verdict.checks],
        "is_expired": verdict.valid_until is not None and verdict.valid_until <= at,
        "is_for_this_package": verdict.package_digest == facts.version.digest,
        "record_copy": record_path(verdict.verdict_id),
        "record_sha256": _sha256(judged.text),
        "recorded_by": _recorded_by(facts, "verdict", verdict.verdict_id),
    }


def _check(check: CheckResult, judged: VerdictFacts, collected: Collected) -> Part:
    staged = None
    if check.name in judged.evidence:
        staged = collected.find(evidence_file(judged, check.name))
    copy = None if staged is None else staged.path
    return {**asdict(check), "blocks": check.blocks, "evidence_copy": copy}


def record_path(verdict_id: str) -> str:
    """Return where a verdict's record stands in the archive."""
    return archive_path(f"verdicts/{verdict_id}.json")


def _deployment(period: Deployment, at: datetime) -> Part:
    lasted = (period.ended or at) - period.began
    return {
        "stage": period.stage,
        "began": period.began,
        "ended": period.ended,
        "days": max(0, round(lasted.total_seconds() / 86_400, 3)),
        "replaced_by": period.replaced_by,
        "arrival": _event(period.arrival),
        "departure": None if period.departure is None else _event(period.departure),
    }


def _event(event: HistoryEvent) -> Part:
    return {
        "event_id": event.event_id,
        "at": event.at,
        "actor": event.actor,
        "kind": event.kind,
        "version": event.version,
        "payload": facts_of(event),
        "hash": event.hash,
    }


def _recorded_by(facts: EvidenceFacts, kind: str, row_id: str) -> Part | None:
    """Return the event that holds the digest of a record, None when the chain does not know it."""
    for event in facts.events:
        if event.kind == kind and facts_of(event).get(f"{kind}_id") == row_id:
            return {"event_id": event.event_id, "sha256": facts_of(event).get("sha256")}
    return None


def _transitions(facts: EvidenceFacts) -> list[HistoryEvent]:
    return _of_version(facts, "transition")


def _of_version(facts: EvidenceFacts, kind: str) -> list[HistoryEvent]:
    number = facts.version.version
    return [event for event in facts.events if (event.kind, event.version) == (kind, number)]


def _list(value: object) -> Sequence[object]:
    return value if isinstance(value, (list, tuple)) else ()


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
