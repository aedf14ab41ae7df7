"""What a move between two stages asks for, and what of it is missing. Asked by every verb."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from airflow_mltrack.entities.models import LoggedModelStatus
from airflow_mltrack.entities.stages import StageEdge
from airflow_mltrack.exceptions import PromotionRefused
from airflow_mltrack.lifecycle.approval_rules import count_approvals
from airflow_mltrack.lifecycle.policy import policy_digest

if TYPE_CHECKING:
    from airflow_mltrack.entities.approvals import Approval
    from airflow_mltrack.entities.registry import ModelVersion, RegisteredModel
    from airflow_mltrack.entities.verdicts import Verdict
    from airflow_mltrack.store.tracking_store import Transaction


@dataclass(frozen=True, slots=True)
class Grounds:
    """What a move rests on, or what it lacks."""

    verdict: Verdict | None
    """The version's latest verdict."""
    approvals: tuple[Approval, ...] = ()
    """Those that count."""
    reasons: tuple[str, ...] = ()
    """Everything that is missing, one sentence each; empty lets the move happen."""
    hint: str = ""
    """The next step."""


@dataclass(slots=True)
class _Missing:
    reasons: list[str] = field(default_factory=list)
    hint: str = ""

    def add(self, reasons: Sequence[str], hint: str = "") -> None:
        self.reasons += reasons
        if reasons and not self.hint:
            self.hint = hint


def find_edge(model: RegisteredModel, found: ModelVersion, stage: str) -> StageEdge:
    """Return the edge from where a version stands, with what gates add to it.

    :param stage: canonical name of the target.
    :raises PromotionRefused: when there is none; lists those that there are.
    """
    edge = model.stages.edge(found.stage, stage)
    if edge is None:
        allowed = model.stages.targets(found.stage)
        leads = f"only to {', '.join(allowed)}" if allowed else "nowhere"
        hint = (
            f"A former holder comes back by rolling back: mltrack models rollback {model.name}"
            if (found.stage, stage) == (model.stages.displaced_to, model.stages.exclusive)
            else "Go there step by step, or change the model's stage graph."
        )
        raise PromotionRefused(
            found.name,
            found.version,
            stage,
            [f"no edge leads from {found.stage} to {stage}; from {found.stage} one goes {leads}"],
            hint,
        )
    return _with_gates(model, edge)


def rollback_edge(model: RegisteredModel, found: ModelVersion) -> StageEdge:
    """Return what going back to the live stage asks for: the most that any way into it does."""
    live = model.stages.exclusive
    into = [edge for edge in model.stages.edges if edge.target == live]
    days = [
        edge.approval_days for edge in into if edge.approvals and edge.approval_days is not None
    ]
    edge = StageEdge(
        found.stage,
        live,
        verdict=any(edge.verdict for edge in into),
        approvals=max((edge.approvals for edge in into), default=0),
        approval_days=min(days, default=None),
        reason=True,
    )
    return _with_gates(model, edge)


def examine(
    tx: Transaction,
    model: RegisteredModel,
    found: ModelVersion,
    edge: StageEdge,
    *,
    reason: str,
    verdict_id: str | None = None,
) -> Grounds:
    """Find out what a move rests on and what it lacks: all of it, not only the first thing.

    :param edge: from :func:`find_edge` or :func:`rollback_edge`.
    :param reason: why, in the words of whoever does it.
    :param verdict_id: the verdict that the caller relies on; must then be the latest and hold, also
        where the edge asks for none.
    """
    live = tx.registry.holder(model.name)
    verdict = tx.verdicts.latest(found.name, found.version)
    missing = _Missing()
    if edge.target != model.stages.stages[0] and edge.target != model.stages.displaced_to:
        missing.add(_package_reasons(tx, found), "Log and register the model again.")
    relies = verdict_id is not None and edge.target == model.stages.exclusive
    if edge.verdict or relies:
        missing.add(
            _verdict_reasons(tx, model, found, live, verdict, verdict_id, asked=edge.verdict),
            f"Judge it, then try again: mltrack models validate {found.name} {found.version}",
        )
    counted = count_approvals(tx, found, edge, verdict)
    missing.add(
        counted.reasons,
        f"Ask for it: mltrack models approve {found.name} {found.version} {edge.target} --reason "
        "WHY, by somebody else than its author and whoever asks",
    )
    if edge.reason and not reason.strip():
        missing.add(["a reason is needed"], "Say why.")
    return Grounds(verdict, counted.approvals, tuple(missing.reasons), missing.hint)


def asks_for_verdict(model: RegisteredModel, source: str, target: str) -> bool:
    """Say whether a move asks for a verdict; False where there is no such edge."""
    edge = model.stages.edge(source, target)
    return edge is not None and _with_gates(model, edge).verdict


def _with_gates(model: RegisteredModel, edge: StageEdge) -> StageEdge:
    """Gates are there to be passed: with them, going live asks for a verdict."""
    if model.gates and edge.target == model.stages.exclusive:
        return replace(edge, verdict=True)
    return edge


def _package_reasons(tx: Transaction, found: ModelVersion) -> list[str]:
    reasons = []
    if found.status != "READY":
        reasons.append(f"the version is {found.status}, not READY")
    if found.model_id is not None:
        logged = tx.models.get(found.model_id)
        if logged.status is not LoggedModelStatus.READY:
            reasons.append(f"its package {logged.model_id} is {logged.status.value}, not READY")
        elif logged.digest != found.digest:
            reasons.append(f"its package has digest {logged.digest}, {found.digest} was registered")
    return reasons


def _verdict_reasons(
    tx: Transaction,
    model: RegisteredModel,
    found: ModelVersion,
    live: ModelVersion | None,
    verdict: Verdict | None,
    verdict_id: str | None,
    *,
    asked: bool,
) -> list[str]:
    """Say why the verdict does not open the stage; an empty list opens it."""
    reasons = []
    if asked and not model.gates:
        reasons.append("the model has no gates that a verdict could be given under")
    if verdict is None:
        return [*reasons, "no verdict exists for this version"]
    if not verdict.passed:
        reasons.append(_failed(verdict))
    if verdict.valid_until is not None and verdict.valid_until <= tx.now():
        reasons.append(f"its verdict expired at {verdict.valid_until:%Y-%m-%d %H:%M} UTC")
    if verdict.package_digest != found.digest:
        reasons.append(
            f"its verdict was made for package {verdict.package_digest}, this is {found.digest}"
        )
    if model.gates and verdict.policy_digest != policy_digest(model.gates):
        reasons.append("its verdict was made under another policy than the model's gates of today")
    champion = None if live is None else live.version
    if verdict.champion_version != champion:
        reasons.append(
            f"its verdict was made when {named(verdict.champion_version)} was in "
            f"{model.stages.exclusive}, now it is {named(champion)}"
        )
    if verdict_id not in (None, verdict.verdict_id):
        reasons.append(f"verdict {verdict_id} was followed by {verdict.verdict_id}")
    return reasons


def _failed(verdict: Verdict) -> str:
    failed = "; ".join(
        check.message or check.name
        for check in verdict.checks
        if not check.passed and check.severity == "error"
    )
    return f"verdict {verdict.verdict_id} did not pass: {failed}"


def named(version: int | None) -> str:
    """Name a version, or say that there is none."""
    return "no version" if version is None else f"version {version}"
