"""What was made from what."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LineageNode:
    """A thing that lineage connects."""

    kind: str
    """``dataset``, ``run``, ``model``, ``model_version``, ``asset``, ``dag_run``."""
    id: str
    """Data set: ``name@digest``; run and model: their id; version: ``name/number``; asset: URI."""


@dataclass(frozen=True, slots=True)
class LineageEdge:
    """``source`` went into ``target``."""

    source: LineageNode
    target: LineageNode
    relation: str
    """``read``, ``produced``, ``registered_as``, ``judged``, ``triggered``, ``parent_of``."""
