"""What was made from what: edges, and walks along them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from sqlalchemy import text

from airflow_mltrack.entities.lineage import LineageEdge, LineageNode
from airflow_mltrack.exceptions import InvalidInput
from airflow_mltrack.store.key_rules import check_text

if TYPE_CHECKING:
    from sqlalchemy import TextClause
    from sqlalchemy.engine import Connection

_LIMIT = 1_000
_EDGE_LIMIT = 2_600
"""Bytes of an edge: all of it is one entry of an index, which holds at most 2,704."""
_MAX_DEPTH = 100

_ADD = text(
    """
    INSERT INTO lineage (source_kind, source_id, target_kind, target_id, relation)
    SELECT * FROM unnest(
        CAST(:source_kinds AS text[]), CAST(:source_ids AS text[]),
        CAST(:target_kinds AS text[]), CAST(:target_ids AS text[]), CAST(:relations AS text[])
    )
    ON CONFLICT DO NOTHING
    """
)


def _walk(here: str, there: str) -> str:
    """Word the walk that leads from the ``here`` side of an edge to its ``there`` side.

    It collects nodes with their distance and only then their edges. UNION drops a node that is
    there already at the same distance, and the distance ends a cycle.
    """
    return f"""
    WITH RECURSIVE reached (kind, id, distance) AS (
        SELECT CAST(:kind AS text), CAST(:id AS text), 0
        UNION
        SELECT lineage.{there}_kind, lineage.{there}_id, reached.distance + 1
        FROM reached JOIN lineage
            ON lineage.{here}_kind = reached.kind AND lineage.{here}_id = reached.id
        WHERE reached.distance + 1 < :depth
    ), nearest AS (
        SELECT kind, id, MIN(distance) AS distance FROM reached GROUP BY kind, id
    )
    SELECT lineage.* FROM nearest JOIN lineage
        ON lineage.{here}_kind = nearest.kind AND lineage.{here}_id = nearest.id
    ORDER BY nearest.distance, source_kind, source_id, target_kind, target_id, relation
    """  # noqa: S608 - both arguments are constants of this module


_UPSTREAM = text(_walk("target", "source"))
_DOWNSTREAM = text(_walk("source", "target"))


class Lineage:
    """A directed graph of data sets, runs, models and versions. Cycles are harmless."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, edges: Iterable[LineageEdge]) -> None:
        """Add edges in one round trip; those that are there stay.

        :raises InvalidInput: when a part of an edge is empty or too long.
        """
        checked = sorted({_key(edge) for edge in edges})
        if not checked:
            return
        names = ("source_kinds", "source_ids", "target_kinds", "target_ids", "relations")
        columns = [list(column) for column in zip(*checked, strict=True)]
        self._connection.execute(_ADD, dict(zip(names, columns, strict=True)))

    def upstream(self, node: LineageNode, *, depth: int = 10) -> list[LineageEdge]:
        """Return the edges that lead to a node, the nearest first.

        :param depth: how many edges away, 1 to 100.
        """
        return self._edges(_UPSTREAM, node, depth)

    def downstream(self, node: LineageNode, *, depth: int = 10) -> list[LineageEdge]:
        """Return the edges that lead away from a node, the nearest first.

        :param depth: how many edges away, 1 to 100.
        """
        return self._edges(_DOWNSTREAM, node, depth)

    def _edges(self, walk: TextClause, node: LineageNode, depth: int) -> list[LineageEdge]:
        if not 1 <= depth <= _MAX_DEPTH:
            raise InvalidInput("lineage depth", depth, f"it is 1 to {_MAX_DEPTH}.")
        rows = self._connection.execute(walk, {"kind": node.kind, "id": node.id, "depth": depth})
        return [
            LineageEdge(
                source=LineageNode(row.source_kind, row.source_id),
                target=LineageNode(row.target_kind, row.target_id),
                relation=row.relation,
            )
            for row in rows
        ]


def _key(edge: LineageEdge) -> tuple[str, str, str, str, str]:
    key = (
        check_text("lineage kind", edge.source.kind, _LIMIT, at_least=1),
        check_text("lineage id", edge.source.id, _LIMIT, at_least=1),
        check_text("lineage kind", edge.target.kind, _LIMIT, at_least=1),
        check_text("lineage id", edge.target.id, _LIMIT, at_least=1),
        check_text("lineage relation", edge.relation, _LIMIT, at_least=1),
    )
    if sum(len(part.encode()) for part in key) > _EDGE_LIMIT:
        raise InvalidInput(
            "lineage edge",
            " ".join(key),
            f"its kinds, ids and relation have at most {_EDGE_LIMIT:,} bytes together in UTF-8.",
        )
    return key
