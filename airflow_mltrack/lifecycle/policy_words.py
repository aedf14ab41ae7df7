"""A model's rules in words: what its checks ask, what each move asks for, and what has changed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_mltrack.entities.stages import StageGraph, profile_name
from airflow_mltrack.entities.verdicts import ERROR
from airflow_mltrack.exceptions import InvalidInput
from airflow_mltrack.lifecycle.gates.gate import CONFIDENCE
from airflow_mltrack.lifecycle.policy import parse_policy

if TYPE_CHECKING:
    from airflow_mltrack.entities.stages import StageEdge

Data = Mapping[str, object]
Fact = tuple[str, str]
"""Name and value, both for people."""

_LIMITS = {
    "min": "at least",
    "max": "at most",
    "min_difference": "difference at least",
    "max_difference": "difference at most",
    "versus": "against the",
}
_SAID_ELSEWHERE = ("kind", "name", "metric", "severity", "confident", "confidence")
_GRAPH_FACTS = ("stages", "exclusive", "displaced_to")


@dataclass(frozen=True, slots=True)
class RuleChange:
    """What a change of a model's rules was."""

    parts: tuple[str, ...]
    """A few words for each thing that changed; empty when nothing is known to have."""
    facts: tuple[Fact, ...]
    """Each of them as it is now, and as it was before."""


def gate_lines(gates: Data) -> list[str]:
    """Say in one line for each check what a version must pass, then what else the policy says."""
    lines = [f"{name}: {words.removeprefix(f'{name} ')}" for name, words in _checks(gates).items()]
    return [*lines, *(f"{key}: {value}" for key, value in _settings(gates).items())]


def check_words(check: Data) -> str:
    """Say what a check asks, without its name."""
    kind = "" if check.get("kind") in (None, "threshold", "champion") else _text(check["kind"])
    head = " ".join(part for part in (kind, _text(check.get("metric", ""))) if part)
    asked = [
        f"{_LIMITS.get(key, key)} {_text(value)}"
        for key, value in check.items()
        if key not in _SAID_ELSEWHERE
    ]
    if check.get("confident"):
        level = check.get("confidence", CONFIDENCE)
        percent = f"{100 * level:g}% " if isinstance(level, (int, float)) else ""
        asked.append(f"with {percent}confidence")
    if check.get("severity", ERROR) != ERROR:
        asked.append(f"only a {_text(check['severity'])}")
    if head and asked and not kind:  # the usual check: one metric and one limit
        asked[0] = f"{head} {asked[0]}"
        return ", ".join(asked)
    return ", ".join([head, *asked] if head else asked)


def edge_name(edge: StageEdge) -> str:
    """Name a move."""
    return f"{edge.source} → {edge.target}"


def edge_words(edge: StageEdge) -> str:
    """Say what a move asks for."""
    asked = ["a verdict"] if edge.verdict else []
    if edge.approvals:
        count = "1 approval" if edge.approvals == 1 else f"{edge.approvals} approvals"
        days = edge.approval_days
        asked.append(f"{count} of the last {days:g} days" if days is not None else count)
    if edge.reason:
        asked.append("a reason")
    return ", ".join(asked) or "nothing"


def rule_change(before: Data, after: Data) -> RuleChange:
    """Word the change from one set of rules to another.

    :param before: ``gates`` and ``stages`` as plain data; a key that is missing has no rules.
    :param after: the same, after the change.
    """
    gates = _gate_change(_mapping(before.get("gates")), _mapping(after.get("gates")))
    stages = _stage_change(_mapping(before.get("stages")), _mapping(after.get("stages")))
    others = _differences(_others(before), _others(after))
    changes = (gates, stages, others)
    return RuleChange(
        tuple(part for change in changes for part in change.parts),
        tuple(fact for change in changes for fact in change.facts),
    )


def _gate_change(before: Data, after: Data) -> RuleChange:
    checks = _differences(_checks(before), _checks(after), "check")
    settings = _differences(_settings(before), _settings(after))
    # Where the whole policy came or went, its settings came and went with it.
    told = settings.parts if before and after else ()
    return RuleChange((*checks.parts, *told), (*checks.facts, *settings.facts))


def _stage_change(before: Data, after: Data) -> RuleChange:
    if before == after:
        return RuleChange((), ())
    old, new = _graph(before), _graph(after)
    if old is None or new is None:
        return RuleChange(("stage graph changed",), (_fact("stages", _text(before), _text(after)),))
    lists = _differences(
        {key: _text(before.get(key)) for key in _GRAPH_FACTS},
        {key: _text(after.get(key)) for key in _GRAPH_FACTS},
    )
    edges = _differences(_edges(old), _edges(new), "edge")
    was, is_now = profile_name(old), profile_name(new)
    words = "stage graph changed" if was == is_now else f"stages {was} → {is_now}"
    return RuleChange((words,), (*lists.facts, *edges.facts))


def _differences(before: Mapping[str, str], after: Mapping[str, str], what: str = "") -> RuleChange:
    """Name what was added, removed and changed, and tell each with what it was."""
    deeds = {
        "added": [name for name in after if name not in before],
        "removed": [name for name in before if name not in after],
        "changed": [name for name in after if before.get(name, after[name]) != after[name]],
    }
    parts = [_part(what, names, deed) for deed, names in deeds.items() if names]
    facts = [
        _fact(f"{what} {name}".strip(), before.get(name), after.get(name))
        for names in deeds.values()
        for name in names
    ]
    return RuleChange(tuple(parts), tuple(facts))


def _part(what: str, names: Sequence[str], deed: str) -> str:
    several = "s" if what and len(names) > 1 else ""
    return f"{what}{several} {', '.join(names)} {deed}".strip()


def _fact(name: str, before: str | None, after: str | None) -> Fact:
    if before is None:
        return name, f"{after} (new)"
    if after is None:
        return name, f"removed (it was: {before})"
    return name, f"{after} (before: {before})"


def _checks(gates: Data) -> dict[str, str]:
    """Return what each check of a policy asks, by its name."""
    given = gates.get("checks")
    checks = given if isinstance(given, (list, tuple)) else ()
    found = [check for check in checks if isinstance(check, Mapping)]
    return dict(zip(_names(gates, found), map(check_words, found), strict=True))


def _names(gates: Data, checks: Sequence[Data]) -> list[str]:
    try:
        return [gate.name for gate in parse_policy(gates).gates]
    except InvalidInput:  # a policy of another release
        return list(_numbered(checks))


def _numbered(checks: Sequence[Data]) -> Iterator[str]:
    seen: set[str] = set()
    for number, check in enumerate(checks, start=1):
        name = _text(check.get("name") or check.get("metric") or check.get("kind") or number)
        name = f"{name} ({number})" if name in seen else name
        seen.add(name)
        yield name


def _settings(gates: Data) -> dict[str, str]:
    return {key: _text(value) for key, value in gates.items() if key != "checks"}


def _others(rules: Data) -> dict[str, str]:
    return {key: _text(value) for key, value in rules.items() if key not in ("gates", "stages")}


def _edges(graph: StageGraph) -> dict[str, str]:
    return {edge_name(edge): f"asks for {edge_words(edge)}" for edge in graph.edges}


def _graph(data: Data) -> StageGraph | None:
    try:
        return StageGraph.from_json(data)
    except InvalidInput:  # a graph of another release, or none
        return None


def _mapping(value: object) -> Data:
    return value if isinstance(value, Mapping) else {}


def _text(value: object) -> str:
    if isinstance(value, (list, tuple)) and all(isinstance(item, str) for item in value):
        return ", ".join(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
