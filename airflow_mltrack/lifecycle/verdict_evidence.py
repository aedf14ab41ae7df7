"""What stands behind a verdict: files of its run, written before the verdict's own row."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, fields, replace
from typing import TYPE_CHECKING

from airflow_mltrack.entities.verdicts import CheckResult
from airflow_mltrack.exceptions import InvalidInput
from airflow_mltrack.lifecycle.gates.evidence_json import evidence_bytes
from airflow_mltrack.tracking.run_artifacts import FileOwner, find_file

if TYPE_CHECKING:
    from airflow_mltrack.entities.verdicts import Verdict
    from airflow_mltrack.lifecycle.gates.gate import Outcome
    from airflow_mltrack.lifecycle.held_out import HeldOutRows
    from airflow_mltrack.tracking.active_run import ActiveRun

EVIDENCE_FILE = "verdict.json"
"""The whole verdict."""
EVIDENCE_FOLDER = "verdict"
"""One file for each check."""
_ADDED_LATER = ("severity", "method", "confidence", "p_value", "evidence", "evidence_sha256")


def verdict_json(verdict: Verdict) -> dict[str, object]:
    """Return a verdict as JSON-able data.

    Fields that the first release did not have are left out while they say nothing, so that a
    verdict which that release wrote keeps the digest that the history holds.
    """
    data = asdict(verdict)
    for key in ("created_at", "valid_until"):
        moment = data[key]
        data[key] = None if moment is None else moment.isoformat()
    data["checks"] = [_check_json(check) for check in verdict.checks]
    return data


def log_checks(
    run: ActiveRun, verdict_id: str, outcomes: Sequence[Outcome]
) -> tuple[CheckResult, ...]:
    """Put what every gate saw on the run.

    :return: the checks, each with path and sha256 of its file. Evidence that cannot be written
        fails its check.
    """
    folder = f"{_place(run, verdict_id)}{EVIDENCE_FOLDER}"
    return tuple(_log_check(run, folder, verdict_id, outcome) for outcome in outcomes)


def log_verdict(run: ActiveRun, verdict: Verdict, rows: HeldOutRows) -> None:
    """Put the verdict, the data set and what was observed on the run."""
    run.log_input(rows.record, "validation")
    place = _place(run, verdict.verdict_id)
    run.log_bytes(evidence_bytes(verdict_json(verdict)), f"{place}{EVIDENCE_FILE}")
    observed = {f"verdict_{check.name}": check.observed for check in verdict.checks}
    run.log_metrics({key: value for key, value in observed.items() if value is not None})
    run.flush()


def _check_json(check: CheckResult) -> dict[str, object]:
    silent = {spec.name: spec.default for spec in fields(CheckResult) if spec.name in _ADDED_LATER}
    return {
        key: value
        for key, value in asdict(check).items()
        if key not in silent or value != silent[key]
    }


def _place(run: ActiveRun, verdict_id: str) -> str:
    """Return where files go: a second verdict in one run leaves those of the first alone."""
    owner = FileOwner(attempt_id=run.attempt_id)
    taken = find_file(run.client, EVIDENCE_FILE, owner)
    return "" if taken is None else f"verdicts/{verdict_id}/"


def _log_check(run: ActiveRun, folder: str, verdict_id: str, outcome: Outcome) -> CheckResult:
    check = outcome.check
    path = f"{folder}/{check.name}.json"
    try:
        content = evidence_bytes(_check_file(verdict_id, check, outcome.data))
    except InvalidInput as error:
        message = f"its evidence cannot be kept: {error}"
        check = replace(check, passed=False, message=message)
        content = evidence_bytes(_check_file(verdict_id, check, {}))
    run.log_bytes(content, path)
    return replace(check, evidence=path, evidence_sha256=hashlib.sha256(content).hexdigest())


def _check_file(verdict_id: str, check: CheckResult, data: object) -> dict[str, object]:
    return {"verdict_id": verdict_id, "check": _check_json(check), "data": data}
