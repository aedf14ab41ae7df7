"""Which approvals count for a move, and who may not give one."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_mltrack.entities.approvals import Decision
from airflow_mltrack.exceptions import NotFound

if TYPE_CHECKING:
    from datetime import datetime

    from airflow_mltrack.entities.approvals import Approval
    from airflow_mltrack.entities.history import HistoryEvent
    from airflow_mltrack.entities.registry import ModelVersion
    from airflow_mltrack.entities.stages import StageEdge
    from airflow_mltrack.entities.verdicts import Verdict
    from airflow_mltrack.store.tracking_store import Transaction

REQUESTED = "approval_requested"
"""Kind of the history's events that ask for approval."""


@dataclass(frozen=True, slots=True)
class Counted:
    """The approvals that count, and why they are not enough."""

    approvals: tuple[Approval, ...]
    reasons: tuple[str, ...]


def count_approvals(
    tx: Transaction, found: ModelVersion, edge: StageEdge, verdict: Verdict | None
) -> Counted:
    """Count the approvals of a move.

    Of each person the latest answer is taken. It counts for the package and the verdict that it was
    given on, until it expires, and if the person is neither author nor requester. Rejecting the
    package on this verdict stops the move.
    """
    if not edge.approvals:
        return Counted((), ())
    barred = barred_people(tx, found, edge.target)
    now = tx.now()
    good, rejected, void = [], [], []
    for answer in _latest_answers(tx, found, edge.target):
        doubt = _doubt(answer, found, edge, verdict, now) or barred.get(person(answer.approver))
        if doubt is not None:
            void.append(f"the answer of {answer.approver} does not count: {doubt}")
        elif answer.decision is Decision.REJECTED:
            rejected.append(f"{answer.approver} rejected it: {answer.reason}")
        else:
            good.append(answer)
    lacking = []
    if len(good) < edge.approvals:
        needed = "1 approval is" if edge.approvals == 1 else f"{edge.approvals} approvals are"
        lacking = [f"{needed} needed, {len(good)} count", *void]
    return Counted(tuple(good), (*rejected, *lacking))


def barred_people(tx: Transaction, found: ModelVersion, stage: str) -> dict[str, str]:
    """Return who may not approve a move (by :func:`person`) and why: authors and requesters."""
    barred: dict[str, str] = {}
    for event in requests_for(tx, found, stage):
        barred[person(event.actor)] = f"{event.actor} asked for the approval"
    for author, deed in ((found.user, "registered"), (_author_of_run(tx, found), "trained")):
        if author:
            barred[person(author)] = f"{author} {deed} this version"
    return barred


def person(name: str) -> str:
    """Return what two spellings of one person's name have in common."""
    return unicodedata.normalize("NFKC", name).strip().casefold()


def requests_for(tx: Transaction, found: ModelVersion, stage: str) -> list[HistoryEvent]:
    """Return who asked to have this package approved for a stage, oldest first."""
    events = tx.history.list(found.name, version=found.version, kinds=(REQUESTED,))
    return [
        event
        for event in events
        if event.payload.get("stage") == stage and event.payload.get("digest") == found.digest
    ]


def _latest_answers(tx: Transaction, found: ModelVersion, stage: str) -> list[Approval]:
    latest: dict[str, Approval] = {}
    for answer in tx.approvals.list(found.name, found.version):
        if answer.stage == stage:
            latest.setdefault(person(answer.approver), answer)
    return list(latest.values())


def _doubt(
    answer: Approval,
    found: ModelVersion,
    edge: StageEdge,
    verdict: Verdict | None,
    now: datetime,
) -> str | None:
    """Say why an answer does not speak of what is there now, None when it does."""
    if answer.package_digest != found.digest:
        return f"it was given for package {answer.package_digest}, this is {found.digest}"
    if edge.verdict and (verdict is None or answer.verdict_id != verdict.verdict_id):
        return f"it was given on verdict {answer.verdict_id}, another one was made since"
    if answer.valid_until is not None and answer.valid_until <= now:
        return f"it expired at {answer.valid_until:%Y-%m-%d %H:%M} UTC"
    return None


def _author_of_run(tx: Transaction, found: ModelVersion) -> str:
    if found.run_id is None:
        return ""
    try:
        return tx.runs.get(found.run_id).user
    except NotFound:  # the run was removed for good; the version stays
        return ""
