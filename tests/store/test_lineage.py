"""Lineage: a graph that is walked both ways and survives cycles."""

from __future__ import annotations

from random import Random

import pytest

from airflow_mltrack.entities.lineage import LineageEdge, LineageNode
from airflow_mltrack.exceptions import InvalidInput
from airflow_mltrack.store.tracking_store import TrackingStore


def node(name: str) -> LineageNode:
    return LineageNode("run", name)


def edge(source: str, target: str, relation: str = "produced") -> LineageEdge:
    return LineageEdge(node(source), node(target), relation)


CHAIN = [edge("a", "b"), edge("b", "c"), edge("c", "d")]


def test_both_directions_are_walked_from_the_nearest_on(store: TrackingStore) -> None:
    with store.transaction() as tx:
        tx.lineage.add([*CHAIN, edge("x", "c"), edge("other", "thing")])
        assert tx.lineage.upstream(node("d")) == [
            edge("c", "d"),
            edge("b", "c"),
            edge("x", "c"),
            edge("a", "b"),
        ]
        assert tx.lineage.downstream(node("a")) == CHAIN
        assert tx.lineage.upstream(node("a")) == []
        assert tx.lineage.downstream(LineageNode("model", "a")) == []


def test_depth_limits_the_walk(store: TrackingStore) -> None:
    with store.transaction() as tx:
        tx.lineage.add(CHAIN)
        assert tx.lineage.downstream(node("a"), depth=1) == CHAIN[:1]
        assert tx.lineage.downstream(node("a"), depth=2) == CHAIN[:2]
        for depth in (0, 101):
            with pytest.raises(InvalidInput, match="depth"):
                tx.lineage.upstream(node("a"), depth=depth)


def test_adding_again_changes_nothing_and_relations_are_apart(store: TrackingStore) -> None:
    with store.transaction() as tx:
        tx.lineage.add([edge("a", "b"), edge("a", "b")])
        tx.lineage.add([edge("a", "b"), edge("a", "b", "read")])
        tx.lineage.add([])
        assert tx.lineage.downstream(node("a")) == [edge("a", "b"), edge("a", "b", "read")]


def test_cycles_and_diamonds_end_and_name_each_edge_once(store: TrackingStore) -> None:
    layers = [
        edge(f"{layer}-{left}", f"{layer + 1}-{right}")
        for layer in range(9)
        for left in range(6)
        for right in range(6)
    ]
    with store.transaction() as tx:
        tx.lineage.add([*CHAIN, edge("d", "a")])
        around = tx.lineage.downstream(node("a"))
        assert sorted(one.source.id for one in around) == ["a", "b", "c", "d"]
        tx.lineage.add(layers)
        assert len(tx.lineage.downstream(node("0-0"), depth=100)) == 8 * 36 + 6


def test_long_names_are_kept_up_to_what_an_index_holds(store: TrackingStore) -> None:
    random = Random(1)  # what repeats itself would be compressed
    signs = [chr(random.randint(0x4E00, 0x9FFF)) for _ in range(1_000)]
    longest = edge("".join(signs[:800]), "b" * 178, "r" * 16)
    with store.transaction() as tx:
        tx.lineage.add([longest])
        assert tx.lineage.downstream(longest.source) == [longest]
        with pytest.raises(InvalidInput, match="2,600 bytes"):
            tx.lineage.add([edge("".join(signs[:800]), "b" * 195, "r" * 16)])
        with pytest.raises(InvalidInput, match="2,600 bytes"):
            tx.lineage.add([edge("".join(signs), "b")])


def test_a_bad_edge_is_refused(store: TrackingStore) -> None:
    with store.transaction() as tx:
        for wrong in (edge("", "b"), edge("a", "b" * 1_001), edge("a", "b", ""), edge("\x00", "b")):
            with pytest.raises(InvalidInput, match="lineage"):
                tx.lineage.add([wrong])
