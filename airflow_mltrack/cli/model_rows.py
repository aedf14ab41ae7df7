"""Lays out what belongs to registered models: versions, verdicts, checks, approvals, moves."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from airflow_mltrack.cli.output import Listing, joined

if TYPE_CHECKING:
    from airflow_mltrack.entities.approvals import Approval
    from airflow_mltrack.entities.registry import ModelVersion
    from airflow_mltrack.entities.verdicts import CheckResult, Verdict
    from airflow_mltrack.lifecycle.next_moves import NextMove

_CHECK_COLUMNS = ("check", "result", "observed", "rule", "live_version", "message")
_VERSION_COLUMNS = ("version", "stage", "verdict", "aliases", "run", "user", "created_at")
_SHORT_ID = 8
_APPROVAL_COLUMNS = (
    "version",
    "stage",
    "decision",
    "counts",
    "approver",
    "created_at",
    "valid_until",
    "reason",
)
_MOVE_COLUMNS = ("move", "asks_for", "missing")


def check_row(check: CheckResult) -> dict[str, object]:
    """Lay one check of a verdict out."""
    failed = "warning" if check.warns else "failed"
    return {
        "check": check.name,
        "kind": check.kind,
        "result": "passed" if check.passed else failed,
        "passed": check.passed,
        "severity": check.severity,
        "metric": check.metric,
        "observed": check.observed,
        "rule": f"{check.comparison} {check.threshold:g}" if check.threshold is not None else None,
        "live_version": check.champion_value,
        "interval": [round(bound, 4) for bound in check.interval] if check.interval else None,
        "confidence": check.confidence,
        "method": check.method,
        "p_value": check.p_value,
        "rows": check.rows,
        "message": check.message,
        "evidence": check.evidence,
    }


def check_listing(verdict: Verdict | None) -> Listing:
    """List the checks of a verdict."""
    rows = [check_row(check) for check in verdict.checks] if verdict else []
    return Listing(
        _CHECK_COLUMNS,
        rows,
        droppable=("live_version", "rule", "observed"),
        labels={"live_version": "live"},
    )


def verdict_word(verdict: Verdict | None) -> str | None:
    """Say in one word what a verdict was."""
    return None if verdict is None else ("passed" if verdict.passed else "failed")


def verdict_facts(verdict: Verdict | None) -> dict[str, object]:
    """Lay a verdict out without its checks."""
    if verdict is None:
        return {"verdict": None}
    return {
        "verdict": verdict_word(verdict),
        "verdict_id": verdict.verdict_id,
        "judged_at": verdict.created_at,
        "valid_until": verdict.valid_until,
        "judged_by": verdict.actor,
        "judged_on": f"{verdict.dataset_name} @ {verdict.dataset_digest[:12]}",
        "judged_in_run": verdict.run_id,
        "live_then": verdict.champion_version,
    }


def version_row(version: ModelVersion, verdict: Verdict | None) -> dict[str, object]:
    """Lay one version of a list out."""
    return {
        "version": version.version,
        "stage": version.stage,
        "verdict": verdict_word(verdict),
        "aliases": joined(version.aliases) or None,
        "run": version.run_id[:_SHORT_ID] if version.run_id else None,
        "run_id": version.run_id,
        "digest": version.digest,
        "user": version.user,
        "created_at": version.created_at,
    }


def version_listing(rows: list[dict[str, object]]) -> Listing:
    """List versions, newest first."""
    newest_first = sorted(rows, key=lambda row: -int(str(row["version"])))
    return Listing(_VERSION_COLUMNS, newest_first, droppable=("created_at", "user", "run"))


def move_listing(moves: Collection[NextMove]) -> Listing:
    """List where a version may go, and what it lacks for it."""
    from airflow_mltrack.lifecycle.policy_words import edge_words

    rows = [
        {
            "move": f"{move.edge.target}{' (rollback)' if move.is_rollback else ''}",
            "to": move.edge.target,
            "rollback": move.is_rollback,
            "asks_for": edge_words(move.edge),
            "missing": list(move.missing),
            "approvals": [approval.approval_id for approval in move.approvals],
            "may_not_approve": list(move.barred),
        }
        for move in moves
    ]
    return Listing(_MOVE_COLUMNS, rows)


def approval_listing(
    approvals: Collection[Approval], counting: Collection[str], awaited: Collection[tuple[int, str]]
) -> Listing:
    """List answers, newest first.

    :param counting: ids of those that count now.
    :param awaited: version and stage of the moves that could be made now; an answer about another
        one has served its time.
    """
    from airflow_mltrack.lifecycle.approval import approval_json

    rows = []
    for approval in approvals:
        open_ = (approval.version, approval.stage) in awaited
        counts = approval.approval_id in counting if open_ else None
        times = {"created_at": approval.created_at, "valid_until": approval.valid_until}
        rows.append({**approval_json(approval), **times, "counts": counts})
    return Listing(
        _APPROVAL_COLUMNS,
        rows,
        empty="Nobody has approved or rejected anything.",
        droppable=("valid_until", "created_at", "stage"),
        labels={"created_at": "at"},
    )
