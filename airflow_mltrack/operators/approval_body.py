"""The text of a request for approval: Markdown in which no value can pass for ours."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timezone
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_mltrack.entities.verdicts import CheckResult, Verdict
    from airflow_mltrack.lifecycle.decision_basis import DecisionBasis

_LONGEST = 500
"""Characters of a value that are shown."""


def approval_subject(basis: DecisionBasis) -> str:
    """Return the headline; Airflow shows it as plain text."""
    version = basis.version
    return f"Approve {_one_line(version.name)} version {version.version} for {basis.edge.target}?"


def approval_body(basis: DecisionBasis, *, requested_by: str, reason: str, page: str) -> str:
    """Return the evidence for a decision.

    :param requested_by: who asks.
    :param reason: why, in their words.
    :param page: address of the model's page.
    """
    parts = [
        "\n".join(_facts(basis, requested_by, reason)),
        "\n".join(_verdict(basis)),
        "\n".join(_missing(basis)),
        f"[Everything about this model]({page})",
        binding_line(basis),
    ]
    return "\n\n".join(part for part in parts if part)


def binding_line(basis: DecisionBasis) -> str:
    """Say what an answer is about; two requests ask the same exactly if this line is the same.

    No value can hold a line of its own, so none can fake this one.
    """
    version = basis.version
    seen = "no verdict" if basis.verdict_id is None else f"verdict {code(basis.verdict_id)}"
    return (
        f"The answer counts for {code(version.name)} version {version.version} on its way to "
        f"{code(basis.edge.target)}, for package {code(version.digest)} and {seen}, "
        "and for nothing else."
    )


def code(value: object) -> str:
    """Show a value as it is, in one line: inside a code span Markdown means nothing."""
    text = _one_line(value)
    if not text:
        return "(empty)"
    fence = "`" * (max(map(len, re.findall("`+", text)), default=0) + 1)
    space = " " if "`" in (text[0], text[-1]) else ""
    return f"{fence}{space}{text}{space}{fence}"


def _one_line(value: object) -> str:
    """Drop line breaks, and characters that change how the others are read."""
    text = "".join(mark if mark.isprintable() else " " for mark in str(value))
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _facts(basis: DecisionBasis, requested_by: str, reason: str) -> Iterator[str]:
    version, edge, run = basis.version, basis.edge, basis.run
    yield (
        f"{code(version.name)} version **{version.version}**: "
        f"{code(edge.source)} → {code(edge.target)}"
    )
    yield ""
    if run is None:
        yield "- Trained: not recorded"
    else:
        where = f", Dag run {code(run.dag_run_id)} of {code(run.dag_id)}" if run.dag_id else ""
        yield f"- Trained by {code(run.user)} in run {code(run.run_id)}{where}"
    yield f"- Registered by {code(version.user)} at {_moment(version.created_at)}"
    yield f"- Code: {_commit(basis)}"
    yield f"- Package: {code(version.digest)}"
    live = "no version" if basis.live is None else f"version **{basis.live.version}**"
    yield f"- Live now: {live}"
    yield f"- Approval asked for by {code(requested_by)}" + (f": {code(reason)}" if reason else "")


def _commit(basis: DecisionBasis) -> str:
    commit, why = basis.code.get("commit"), basis.code.get("reason")
    if not commit:
        return f"no commit recorded ({code(why)})" if why else "no commit recorded"
    dirty = ", **with uncommitted changes**" if basis.code.get("dirty") else ""
    branch = basis.code.get("branch")
    return f"commit {code(commit)}{f', branch {code(branch)}' if branch else ''}{dirty}"


def _verdict(basis: DecisionBasis) -> Iterator[str]:
    verdict = basis.verdict
    if verdict is None:
        yield "**No verdict** exists for this version."
        return
    yield f"**Verdict: {'passed' if verdict.passed else 'DID NOT PASS'}**"
    yield ""
    made = _moment(verdict.created_at)
    yield f"- Verdict {code(verdict.verdict_id)}, made at {made}, {_until(verdict)}"
    yield f"- Data set {code(verdict.dataset_name)} with digest {code(verdict.dataset_digest)}"
    if verdict.details.get("synthetic"):
        yield "- **The data set is generated: these numbers say nothing about real customers**"
    champion = verdict.champion_version
    compared = "no version, none was live" if champion is None else f"version **{champion}**"
    yield f"- Compared with: {compared}"
    yield from (f"- {_check(check)}" for check in verdict.checks)


def _until(verdict: Verdict) -> str:
    if verdict.valid_until is None:
        return "does not expire"
    return f"counts until {_moment(verdict.valid_until)}"


def _check(check: CheckResult) -> str:
    mark = "passed" if check.passed else "**FAILED**" if check.blocks else "**warning**"
    facts = [
        f"observed **{_number(check.observed)}**" if check.observed is not None else "",
        f"{100 * check.confidence:g}% interval {_interval(check)}" if check.interval else "",
        f"asked for {_limit(check)}" if check.threshold is not None else "",
        f"live version {_number(check.champion_value)}" if check.champion_value is not None else "",
        f"p {_number(check.p_value)}" if check.p_value is not None else "",
        f"{check.rows} rows" if check.rows is not None else "",
        code(check.message) if check.message else "",
    ]
    listed = ", ".join(fact for fact in facts if fact)
    return f"{mark}: {code(check.name)}{f': {listed}' if listed else ''}"


def _limit(check: CheckResult) -> str:
    sign = {">=": "at least", "<=": "at most"}.get(check.comparison, "")
    return f"{sign} {_number(check.threshold)}".strip()


def _interval(check: CheckResult) -> str:
    low, high = check.interval or (None, None)
    return f"{_number(low)} to {_number(high)}"


def _number(value: float | None) -> str:
    return "?" if value is None else f"{value:.6g}"


def _missing(basis: DecisionBasis) -> Iterator[str]:
    yield from (f"- Approved by {code(item.approver)}" for item in basis.approvals)
    yield from (f"- Approvals: {code(sentence)}" for sentence in basis.lacking)
    yield from (f"- **Also missing:** {code(sentence)}" for sentence in basis.obstacles)


def _moment(moment: datetime) -> str:
    return f"{moment.astimezone(timezone.utc):%Y-%m-%d %H:%M} UTC"
