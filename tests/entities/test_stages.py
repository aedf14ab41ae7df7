"""Stage graphs: every rule of the plain form, and that it says all there is."""

from __future__ import annotations

import json
import math
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_mltrack.entities.registry import Stage
from airflow_mltrack.entities.stages import (
    DEFAULT_APPROVAL_DAYS,
    GATED,
    OPEN,
    StageEdge,
    StageGraph,
    profile_name,
    stage_graph,
)
from airflow_mltrack.exceptions import InvalidInput

EDGE: dict[str, object] = {"from": "New", "to": "Live"}
GRAPH: dict[str, object] = {
    "stages": ["New", "Live", "Gone"],
    "exclusive": "Live",
    "displaced_to": "Gone",
    "edges": [EDGE],
}


def refused(data: object) -> str:
    with pytest.raises(InvalidInput) as caught:
        StageGraph.from_json(data)  # type: ignore[arg-type]
    return str(caught.value)


def refused_edge(**changes: object) -> str:
    return refused({**GRAPH, "edges": [{**EDGE, **changes}]})


def test_a_graph_is_read_as_it_is_written() -> None:
    graph = StageGraph.from_json(GRAPH)
    assert graph == StageGraph(
        stages=("New", "Live", "Gone"),
        exclusive="Live",
        displaced_to="Gone",
        edges=(StageEdge("New", "Live"),),
    )
    assert graph.edges[0].approval_days == DEFAULT_APPROVAL_DAYS
    assert graph.to_json() == GRAPH


def test_names_are_read_in_any_case_and_written_in_one() -> None:
    edge = {"from": "new ", "to": "LIVE"}
    graph = StageGraph.from_json({**GRAPH, "exclusive": " live", "edges": [edge]})
    assert graph.to_json() == GRAPH
    assert graph.canonical(" lIVE ") == "Live"
    assert OPEN.canonical(Stage.PRODUCTION) == "Production"


@pytest.mark.parametrize("stage", ["Production", "", "Liv", 3, None])
def test_an_unknown_stage_is_refused_with_those_that_there_are(stage: str) -> None:
    with pytest.raises(InvalidInput, match="it is one of New, Live, Gone"):
        StageGraph.from_json(GRAPH).canonical(stage)


def test_who_has_to_leave_goes_to_the_last_stage_unless_told_otherwise() -> None:
    graph = {key: value for key, value in GRAPH.items() if key != "displaced_to"}
    assert StageGraph.from_json(graph).displaced_to == "Gone"
    last_is_live = {**graph, "stages": ["New", "Gone", "Live"]}
    assert StageGraph.from_json(last_is_live).displaced_to == "Gone"


@pytest.mark.parametrize("data", [None, 3, "open", ["New"], [("stages", ["New", "Live"])]])
def test_what_is_no_mapping_is_refused(data: object) -> None:
    assert "it is a mapping" in refused(data)


def test_an_unknown_key_is_named_with_those_that_are_known() -> None:
    message = refused({**GRAPH, "exclusiv": "Live"})
    assert "'exclusiv'" in message
    assert "known are stages, exclusive, displaced_to, edges" in message
    assert "known are from, to, verdict, approvals" in refused_edge(veridct=True)
    assert "'source'" in refused_edge(source="New")


@pytest.mark.parametrize(
    "stages", [None, "New", ["Live"], [], ["s" + str(number) for number in range(51)], {"a": 1}]
)
def test_a_graph_has_between_two_and_fifty_stages(stages: object) -> None:
    assert "it is a list of 2 to 50 names" in refused({**GRAPH, "stages": stages})


BAD_NAMES = ["", " ", "Live ", "a/b", "a:b", "a@b", "7", "٣", "latest", "LATEST", "a\nb", "a\x00"]


@pytest.mark.parametrize("name", [*BAD_NAMES, "x" * 101, 3, None, True])
def test_a_stage_that_a_uri_could_not_name_is_refused(name: object) -> None:
    message = refused({**GRAPH, "stages": ["New", "Live", name], "displaced_to": "New"})
    assert "stage name" in message
    assert "neither a number nor 'latest'" in message


def test_two_stages_of_one_name_are_refused_in_any_case() -> None:
    assert "two of them have the same name" in refused({**GRAPH, "stages": ["New", "Live", "NEW"]})


@pytest.mark.parametrize("exclusive", [None, "", "Production", 3, ["Live"]])
def test_the_live_stage_is_one_of_them(exclusive: object) -> None:
    message = refused({**GRAPH, "exclusive": exclusive})
    assert "exclusive stage" in message
    assert "it is one of New, Live, Gone" in message


def test_new_versions_are_not_live() -> None:
    message = refused({**GRAPH, "exclusive": "New", "displaced_to": "Gone"})
    assert "new versions do not start in it" in message


@pytest.mark.parametrize("displaced_to", [None, "Live", "live", "Nowhere", 3])
def test_who_has_to_leave_goes_to_another_stage(displaced_to: object) -> None:
    message = refused({**GRAPH, "displaced_to": displaced_to})
    assert "displaced_to" in message
    assert "it is one of New, Gone" in message


@pytest.mark.parametrize("edges", [None, [], {}, "New", 3])
def test_a_graph_has_moves(edges: object) -> None:
    assert "at least one move" in refused({**GRAPH, "edges": edges})


@pytest.mark.parametrize("edge", [None, "New", ["New", "Live"], 3])
def test_a_move_is_a_mapping(edge: object) -> None:
    assert '"from" and "to"' in refused({**GRAPH, "edges": [edge]})


def test_a_move_leads_from_one_stage_to_another() -> None:
    assert "edge from 'Old' is not valid" in refused_edge(**{"from": "Old"})
    assert "edge to 'None' is not valid" in refused_edge(to=None)
    assert "New -> New" in refused_edge(to="new")
    assert "listed twice" in refused({**GRAPH, "edges": [EDGE, {"from": "NEW", "to": "live"}]})


@pytest.mark.parametrize("value", ["true", 1, None, 0.0])
def test_what_a_move_asks_for_is_true_or_false(value: object) -> None:
    assert "edge verdict" in refused_edge(verdict=value)
    assert "edge reason" in refused_edge(reason=value)


@pytest.mark.parametrize("value", [-1, 21, 1.0, "1", True, None, math.nan])
def test_approvals_are_a_whole_number_of_people(value: object) -> None:
    assert "it is a whole number from 0 to 20" in refused_edge(approvals=value)


@pytest.mark.parametrize("value", [0, -1, -0.5, math.nan, math.inf, -math.inf, 36_501])
def test_approvals_count_for_a_time_that_can_be_told(value: object) -> None:
    assert "it lies above 0 and is at most 36500" in refused_edge(approval_days=value)


@pytest.mark.parametrize("value", ["30", True, [30]])
def test_days_are_a_number_or_for_ever(value: object) -> None:
    assert "it is a number, or null for ever" in refused_edge(approval_days=value)


def test_approvals_may_count_for_ever() -> None:
    graph = StageGraph.from_json({**GRAPH, "edges": [{**EDGE, "approval_days": None}]})
    assert graph.edges[0].approval_days is None
    assert graph.to_json()["edges"] == [{**EDGE, "approval_days": None}]


NAMES = st.lists(
    st.text(st.characters(codec="ascii", categories=["L"]), min_size=1, max_size=8).filter(
        lambda name: name.lower() != "latest"
    ),
    min_size=2,
    max_size=6,
    unique_by=str.lower,
)


@st.composite
def graphs(draw: st.DrawFn) -> StageGraph:
    stages = draw(NAMES)
    exclusive = draw(st.sampled_from(stages[1:]))
    pairs = [(a, b) for a in stages for b in stages if a != b]
    edges = [
        StageEdge(
            *pair,
            verdict=draw(st.booleans()),
            approvals=draw(st.integers(0, 20)),
            approval_days=draw(st.none() | st.floats(1e-9, 36_500) | st.just(1.0)),
            reason=draw(st.booleans()),
        )
        for pair in draw(st.lists(st.sampled_from(pairs), min_size=1, unique=True))
    ]
    displaced_to = draw(st.sampled_from([stage for stage in stages if stage != exclusive]))
    return StageGraph(tuple(stages), exclusive, displaced_to, tuple(edges))


@given(graph=graphs())
def test_the_plain_form_says_all_of_a_graph(graph: StageGraph) -> None:
    data = graph.to_json()
    assert StageGraph.from_json(data) == graph
    assert StageGraph.from_json(json.loads(json.dumps(data))) == graph
    assert stage_graph(data) == stage_graph(graph) == graph


@given(graph=graphs())
def test_edges_are_found_by_their_ends(graph: StageGraph) -> None:
    for source in graph.stages:
        for target in graph.stages:
            edge = graph.edge(source, target)
            assert (edge is not None) == (target in graph.targets(source))
            assert edge is None or (edge.source, edge.target) == (source, target)
    asks = any(edge.verdict or edge.approvals > 0 for edge in graph.edges)
    assert graph.is_governed == asks


@pytest.mark.parametrize("graph", [OPEN, GATED])
def test_the_profiles_keep_the_rules(graph: StageGraph) -> None:
    assert StageGraph.from_json(graph.to_json()) == graph


def test_profiles_go_by_their_names() -> None:
    assert (stage_graph("open"), stage_graph(" GATED ")) == (OPEN, GATED)
    assert [profile_name(graph) for graph in (OPEN, GATED, StageGraph.from_json(GRAPH))] == [
        "open",
        "gated",
        "custom",
    ]
    with pytest.raises(InvalidInput, match="known are open, gated"):
        stage_graph("strict")
    for bad in (None, 3, ["open"]):
        with pytest.raises(InvalidInput, match="stage graph"):
            stage_graph(bad)  # type: ignore[arg-type]


def test_an_open_model_is_one_of_mlflows() -> None:
    assert OPEN.stages == tuple(stage.value for stage in Stage)
    assert len(OPEN.edges) == 12
    assert not OPEN.is_governed
    assert (OPEN.exclusive, OPEN.displaced_to) == ("Production", "Archived")


def test_one_way_leads_into_production_of_a_gated_model_and_it_asks_for_all() -> None:
    assert [edge for edge in GATED.edges if edge.target == GATED.exclusive] == [
        StageEdge("Staging", "Production", verdict=True, approvals=1, reason=True)
    ]
    assert GATED.targets("Archived") == ()
    assert GATED.is_governed


def test_a_mapping_of_any_kind_is_read() -> None:
    assert stage_graph(MappingProxyType(GRAPH)).to_json() == GRAPH
