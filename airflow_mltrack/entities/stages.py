"""The stage graph of a registered model: its stages, and what each move between two of them asks.

As plain data, so that it travels::

    {"stages": ["None", "Staging", "Production", "Archived"],
     "exclusive": "Production",
     "displaced_to": "Archived",
     "edges": [{"from": "None", "to": "Staging"},
               {"from": "Staging", "to": "Production", "verdict": true, "approvals": 1,
                "approval_days": 30, "reason": true}]}

New versions stand in the first stage. ``exclusive`` is the stage that is live: it has at most one
holder, and the one that has to leave goes to ``displaced_to``. Stage names are read without regard
to case. An edge that is missing may not be gone; rolling back needs no edge.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields

from airflow_mltrack.exceptions import InvalidInput

DEFAULT_APPROVAL_DAYS = 30.0
_LONGEST_DAYS = 36_500
_MOST_APPROVALS = 20
_MOST_STAGES = 50
_NAME_LIMIT = 100
_RESERVED = ("latest",)
_GRAPH_KEYS = ("stages", "exclusive", "displaced_to", "edges")


@dataclass(frozen=True, slots=True)
class StageEdge:
    """A move that is allowed, and what it asks for."""

    source: str
    target: str
    verdict: bool = False
    """Whether a fresh passing verdict under the model's own gates is needed."""
    approvals: int = 0
    """How many people must have approved."""
    approval_days: float | None = DEFAULT_APPROVAL_DAYS
    """Days that an approval counts; None for ever."""
    reason: bool = False
    """Whether whoever does it must say why."""


@dataclass(frozen=True, slots=True)
class StageGraph:
    """Stages, the live one among them, and the moves between them."""

    stages: tuple[str, ...]
    exclusive: str
    displaced_to: str
    edges: tuple[StageEdge, ...]

    def canonical(self, stage: object) -> str:
        """Return a stage's name as it is written here.

        :param stage: a name in any case; comes from requests and files, so it may be anything.
        :raises InvalidInput: when there is no such stage; names those that there are.
        """
        wanted = stage.strip().lower() if isinstance(stage, str) else None
        for known in self.stages:
            if known.lower() == wanted:
                return known
        raise InvalidInput("stage", stage, f"it is one of {', '.join(self.stages)}.")

    def edge(self, source: str, target: str) -> StageEdge | None:
        """Return the edge between two stages, None when there is none."""
        for edge in self.edges:
            if (edge.source, edge.target) == (source, target):
                return edge
        return None

    def targets(self, source: str) -> tuple[str, ...]:
        """Return where one may go from a stage."""
        return tuple(edge.target for edge in self.edges if edge.source == source)

    @property
    def is_governed(self) -> bool:
        """Whether some edge asks for a verdict or an approval."""
        return any(edge.verdict or edge.approvals for edge in self.edges)

    def to_json(self) -> dict[str, object]:
        """Return the graph as plain data."""
        return {
            "stages": list(self.stages),
            "exclusive": self.exclusive,
            "displaced_to": self.displaced_to,
            "edges": [_edge_json(edge) for edge in self.edges],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, object]) -> StageGraph:
        """Read a graph.

        :raises InvalidInput: names the key, the value and the rule.
        """
        if not isinstance(data, Mapping):
            raise InvalidInput("stage graph", data, "it is a mapping.", "See the how-to on stages.")
        _check_keys("stage graph", data, _GRAPH_KEYS)
        stages = _stage_names(data.get("stages"))
        exclusive = _one_of("exclusive stage", data.get("exclusive"), stages)
        others = [stage for stage in stages if stage != exclusive]
        displaced_to = _one_of("displaced_to", data.get("displaced_to", others[-1]), others)
        if stages[0] == exclusive:
            raise InvalidInput("exclusive stage", exclusive, "new versions do not start in it.")
        edges = tuple(_edges(data.get("edges", ()), stages))
        return cls(stages, exclusive, displaced_to, edges)


def _edge_json(edge: StageEdge) -> dict[str, object]:
    """Give both ends, and what differs from an edge that asks for nothing."""
    plain = asdict(StageEdge(edge.source, edge.target))
    asked = {key: value for key, value in asdict(edge).items() if value != plain[key]}
    return {"from": edge.source, "to": edge.target, **asked}


def _stage_names(given: object) -> tuple[str, ...]:
    if not isinstance(given, (list, tuple)) or not 2 <= len(given) <= _MOST_STAGES:
        raise InvalidInput("stages", given, f"it is a list of 2 to {_MOST_STAGES} names.")
    for name in given:
        if (
            not isinstance(name, str)
            or not 1 <= len(name) <= _NAME_LIMIT
            or not name.isprintable()
            or name != name.strip()
            or any(mark in name for mark in "/:@")
            or name.isdigit()
            or name.lower() in _RESERVED
        ):
            raise InvalidInput(
                "stage name",
                name,
                f"it has 1 to {_NAME_LIMIT} printable characters without / : @, and is neither a "
                "number nor 'latest'.",
            )
    if len({name.lower() for name in given}) != len(given):
        raise InvalidInput("stages", list(given), "two of them have the same name.")
    return tuple(given)


def _one_of(what: str, value: object, known: Sequence[str]) -> str:
    for name in known:
        if isinstance(value, str) and name.lower() == value.strip().lower():
            return name
    raise InvalidInput(what, value, f"it is one of {', '.join(known)}.")


def _edges(given: object, stages: Sequence[str]) -> Iterator[StageEdge]:
    if not isinstance(given, (list, tuple)) or not given:
        raise InvalidInput("edges", given, "it is a list of at least one move.")
    seen: set[tuple[str, str]] = set()
    for item in given:
        edge = _edge(item, stages)
        if (edge.source, edge.target) in seen:
            raise InvalidInput("edge", f"{edge.source} -> {edge.target}", "it is listed twice.")
        seen.add((edge.source, edge.target))
        yield edge


def _edge(item: object, stages: Sequence[str]) -> StageEdge:
    if not isinstance(item, Mapping):
        raise InvalidInput("edge", item, 'it is a mapping with the keys "from" and "to".')
    _check_keys("edge", item, ("from", "to", *(spec.name for spec in fields(StageEdge)[2:])))
    source = _one_of("edge from", item.get("from"), stages)
    target = _one_of("edge to", item.get("to"), stages)
    if source == target:
        raise InvalidInput("edge", f"{source} -> {target}", "it leads to another stage.")
    return StageEdge(
        source,
        target,
        verdict=_flag("edge verdict", item.get("verdict", False)),
        approvals=_approvals(item.get("approvals", 0)),
        approval_days=_days(item.get("approval_days", DEFAULT_APPROVAL_DAYS)),
        reason=_flag("edge reason", item.get("reason", False)),
    )


def _approvals(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _MOST_APPROVALS:
        raise InvalidInput(
            "edge approvals", value, f"it is a whole number from 0 to {_MOST_APPROVALS}."
        )
    return value


def _days(value: object) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise InvalidInput("edge approval_days", value, "it is a number, or null for ever.")
    if not 0 < value <= _LONGEST_DAYS:
        raise InvalidInput(
            "edge approval_days", value, f"it lies above 0 and is at most {_LONGEST_DAYS}."
        )
    return float(value)


def _flag(what: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise InvalidInput(what, value, "it is true or false.")
    return value


def _check_keys(what: str, data: Mapping[str, object], known: Sequence[str]) -> None:
    unknown = sorted(str(key) for key in data if key not in known)
    if unknown:
        raise InvalidInput(f"{what} key", unknown[0], f"known are {', '.join(known)}.")


_FOUR = ("None", "Staging", "Production", "Archived")

OPEN = StageGraph(
    stages=_FOUR,
    exclusive="Production",
    displaced_to="Archived",
    edges=tuple(StageEdge(a, b) for a in _FOUR for b in _FOUR if a != b),
)
"""MLflow's four names, every move allowed: code that was written for MLflow goes on working."""

GATED = StageGraph(
    stages=_FOUR,
    exclusive="Production",
    displaced_to="Archived",
    edges=(
        StageEdge("None", "Staging"),
        StageEdge("Staging", "Production", verdict=True, approvals=1, reason=True),
        StageEdge("Production", "Archived", reason=True),
        StageEdge("None", "Archived", reason=True),
        StageEdge("Staging", "Archived", reason=True),
    ),
)
"""One way to Production, with a verdict and an approval; back only by rolling back. A candidate can
be withdrawn to Archived at any time."""

PROFILES = {"open": OPEN, "gated": GATED}
"""Stage graphs by name."""


def stage_graph(given: str | Mapping[str, object] | StageGraph) -> StageGraph:
    """Return the graph that is meant by a profile's name, plain data, or a graph.

    :raises InvalidInput: when it is none of these.
    """
    if isinstance(given, StageGraph):
        return given
    if isinstance(given, str):
        found = PROFILES.get(given.strip().lower())
        if found is None:
            raise InvalidInput(
                "stage profile", given, f"known are {', '.join(PROFILES)}, or give a stage graph."
            )
        return found
    return StageGraph.from_json(given)


def profile_name(graph: StageGraph) -> str:
    """Return the name of the profile that a graph is, ``custom`` when it is none."""
    return next((name for name, known in PROFILES.items() if known == graph), "custom")
