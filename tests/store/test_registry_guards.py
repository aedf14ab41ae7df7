"""What the database itself refuses, whoever writes to it: stages, verdicts, approvals, graphs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import psycopg
import pytest

from airflow_mltrack.entities.approvals import Approval, Decision
from airflow_mltrack.entities.stages import GATED, OPEN, StageEdge, StageGraph
from airflow_mltrack.exceptions import Conflict, StoreError
from airflow_mltrack.store.tracking_store import TrackingStore, Transaction
from tests.store.test_verdicts import NOW, VERDICT

Sql = psycopg.Connection[tuple[object, ...]]

LADDER = StageGraph(
    stages=("New", "Ready", "Live", "Gone"),
    exclusive="Live",
    displaced_to="Gone",
    edges=(StageEdge("New", "Ready"), StageEdge("Ready", "Live"), StageEdge("Live", "Gone")),
)


@pytest.fixture
def sql(database_url: str, store: TrackingStore) -> Iterator[Sql]:
    """Give a connection such as psql's, beside a model with two versions that stand nowhere."""
    with store.transaction() as tx:
        tx.registry.create_model("credit")
        for _ in range(2):
            tx.registry.create_version("credit", source="x")
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield connection


def tell(tx: Transaction, version: int, stage: str) -> None:
    tx.history.append(
        name="credit", version=version, kind="transition", actor="ada", payload={"to": stage}
    )


def promote(store: TrackingStore, version: int, stage: str) -> None:
    with store.transaction() as tx:
        tx.registry.move("credit", version, stage)
        tell(tx, version, stage)


def stands(sql: Sql) -> list[tuple[object, ...]]:
    return sql.execute(
        "SELECT version, stage, live FROM model_versions ORDER BY version"
    ).fetchall()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE model_versions SET stage = 'Production' WHERE version = 1",
        "UPDATE model_versions SET stage = 'Staging' WHERE version = 1",
        "UPDATE model_versions SET stage = 'Production', deleted = true WHERE version = 1",
    ],
)
def test_a_stage_is_not_moved_by_hand(store: TrackingStore, sql: Sql, statement: str) -> None:
    promote(store, 1, "Archived")
    with pytest.raises(psycopg.errors.RestrictViolation) as caught:
        sql.execute(statement)
    assert "version 1 of model credit moves to stage" in str(caught.value)
    assert "without its history" in str(caught.value)
    assert caught.value.diag.message_hint == "Stages are changed by promotion, not by hand."
    assert stands(sql)[0] == (1, "Archived", False)


def test_a_stage_is_not_moved_back_by_hand(store: TrackingStore, sql: Sql) -> None:
    for stage in ("Staging", "Production"):
        promote(store, 1, stage)
    for stage in ("None", "Staging", "Archived"):
        with pytest.raises(psycopg.errors.RestrictViolation):
            sql.execute("UPDATE model_versions SET stage = %s WHERE version = 1", (stage,))


@pytest.mark.parametrize(
    ("name", "version", "kind"),
    [("credit", 2, "transition"), ("other", 1, "transition"), ("credit", 1, "alias")],
)
def test_other_events_do_not_speak_for_a_move(
    store: TrackingStore, sql: Sql, name: str, version: int, kind: str
) -> None:
    def move_and_tell_of_something_else() -> None:
        with store.transaction() as tx:
            tx.registry.move("credit", 1, "Staging")
            tx.history.append(
                name=name, version=version, kind=kind, actor="", payload={"to": "Staging"}
            )

    with pytest.raises(StoreError, match="without its history"):
        move_and_tell_of_something_else()
    assert stands(sql)[0] == (1, "None", False)


def test_moves_are_compared_with_the_history_at_the_end_of_the_transaction(
    store: TrackingStore, sql: Sql
) -> None:
    with store.transaction() as tx:
        for stage in ("Staging", "Production", "Archived"):
            tx.registry.move("credit", 1, stage)
        for stage in ("Staging", "Production", "Archived"):
            tell(tx, 1, stage)
    assert stands(sql)[0] == (1, "Archived", False)


def test_a_version_does_not_come_into_the_world_live(sql: Sql) -> None:
    with pytest.raises(psycopg.errors.RestrictViolation, match="new version stands in stage None"):
        sql.execute(
            "INSERT INTO model_versions (model, version, stage, source) "
            "SELECT id, 7, 'Production', 'x' FROM registered_models"
        )


@pytest.mark.parametrize("stage", ["Live", "production", "", "none "])
def test_a_stage_that_the_model_does_not_have_is_refused(sql: Sql, stage: str) -> None:
    with pytest.raises(psycopg.errors.CheckViolation, match=f"the model has no stage {stage}"):
        sql.execute("UPDATE model_versions SET stage = %s WHERE version = 1", (stage,))
    with pytest.raises(psycopg.errors.CheckViolation, match=f"the model has no stage {stage}"):
        sql.execute(
            "INSERT INTO model_versions (model, version, stage, source) "
            "SELECT id, 7, %s, 'x' FROM registered_models",
            (stage,),
        )


def test_a_second_live_version_is_refused(store: TrackingStore, sql: Sql) -> None:
    promote(store, 1, "Production")
    with pytest.raises(Conflict, match="model_versions_one_holder"):
        promote(store, 2, "Production")
    with pytest.raises(psycopg.errors.UniqueViolation, match="model_versions_one_holder"):
        sql.execute("UPDATE model_versions SET stage = 'Production'")
    assert stands(sql) == [(1, "Production", True), (2, "None", False)]


@pytest.mark.parametrize("live", [True, False])
def test_whether_a_version_is_live_is_not_set_by_hand(
    store: TrackingStore, sql: Sql, live: bool
) -> None:
    promote(store, 1, "Production")
    sql.execute("UPDATE model_versions SET live = %s", (live,))
    assert stands(sql) == [(1, "Production", True), (2, "None", False)]
    sql.execute(
        "INSERT INTO model_versions (model, version, source, live) "
        "SELECT id, 7, 'x', %s FROM registered_models",
        (live,),
    )
    assert stands(sql)[-1] == (7, "None", False)


def set_graph(store: TrackingStore, graph: StageGraph) -> None:
    with store.transaction() as tx:
        tx.registry.set_policy("credit", gates={}, stages=graph)
        tell_rules(tx, {"gates": {}, "stages": graph.to_json()})


def tell_rules(tx: Transaction, rules: dict[str, object]) -> None:
    tx.history.append(
        name="credit", version=None, kind="policy", actor="ada", payload={"to": rules}
    )


def test_a_graph_in_which_a_version_stands_nowhere_is_refused(
    store: TrackingStore, sql: Sql
) -> None:
    with pytest.raises(Conflict, match="version 1 stands in None, which the new graph does not"):
        set_graph(store, LADDER)
    with pytest.raises(psycopg.errors.CheckViolation, match="the model has no stage None"):
        sql.execute(
            "UPDATE registered_models SET stages = "
            """'{"stages": ["New", "Live"], "exclusive": "Live"}'"""
        )
    with store.transaction() as tx:
        assert tx.registry.stage_graph("credit") == OPEN
        tx.registry.delete_version("credit", 1)
        tx.registry.delete_version("credit", 2)
    set_graph(store, LADDER)  # what is deleted stands nowhere


def test_a_graph_with_two_live_versions_is_refused(store: TrackingStore, sql: Sql) -> None:
    for version in (1, 2):
        promote(store, version, "Staging")
    staging_is_live = StageGraph(OPEN.stages, "Staging", "Archived", OPEN.edges)
    with pytest.raises(Conflict, match="versions 1, 2 stand in Staging"):
        set_graph(store, staging_is_live)
    with pytest.raises(psycopg.errors.UniqueViolation, match="model_versions_one_holder"):
        sql.execute(
            "UPDATE registered_models SET stages = jsonb_set(stages, '{exclusive}', '\"Staging\"')"
        )


@pytest.mark.parametrize("order", [(1, 2), (2, 1)])
def test_another_live_stage_has_its_holder_at_once(
    store: TrackingStore, sql: Sql, order: Sequence[int]
) -> None:
    for version, stage in zip(order, ("Production", "Staging"), strict=True):
        promote(store, version, stage)
    set_graph(store, StageGraph(OPEN.stages, "Staging", "Archived", OPEN.edges))
    assert {row[:2]: row[2] for row in stands(sql)} == {
        (order[0], "Production"): False,
        (order[1], "Staging"): True,
    }
    set_graph(store, OPEN)
    assert {row[0]: row[2] for row in stands(sql)} == {order[0]: True, order[1]: False}


@pytest.mark.parametrize(
    "change",
    [
        "gates = '{\"checks\": []}'",
        "stages = jsonb_set(stages, '{displaced_to}', '\"Staging\"')",
        "stages = stages || '{\"edges\": []}'",
    ],
)
def test_rules_are_not_changed_by_hand(store: TrackingStore, sql: Sql, change: str) -> None:
    for told in (False, True):
        with pytest.raises(psycopg.errors.RestrictViolation) as caught:
            sql.execute(f"UPDATE registered_models SET {change}".encode())
        assert "the rules of model credit change without its history" in str(caught.value)
        assert caught.value.diag.message_hint is not None
        assert "not by hand" in caught.value.diag.message_hint
        if not told:  # what was told of other rules does not speak for these
            set_graph(store, GATED)
    with store.transaction() as tx:
        model = tx.registry.get_model("credit")
    assert (model.gates, model.stages) == ({}, GATED)


def test_rules_are_compared_as_values_whatever_their_spelling(store: TrackingStore) -> None:
    with store.transaction() as tx:
        tx.registry.create_model("other")
        graph = StageGraph(
            ("A", "B"), "B", "A", (StageEdge("A", "B", approvals=1, approval_days=7.0),)
        )
        gates: dict[str, object] = {"valid_days": 1e22, "a": 1.0, "b": 1e-7, "ü": [None, True]}
        tx.registry.set_policy("other", gates=gates, stages=graph)
        rules = {"gates": gates, "stages": graph.to_json()}
        tx.history.append(
            name="other", version=None, kind="policy", actor="ada", payload={"to": rules}
        )


APPROVAL = Approval(
    approval_id="a1",
    name="credit",
    version=1,
    stage="Production",
    decision=Decision.APPROVED,
    approver="bob",
    reason="fine",
    package_digest=None,
    verdict_id=None,
    created_at=NOW,
)


@pytest.mark.parametrize("table", ["verdicts", "approvals"])
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE {table} SET details = '{{}}'",
        "UPDATE {table} SET name = name",
        "DELETE FROM {table}",
        "TRUNCATE {table}",
        "TRUNCATE {table} CASCADE",
    ],
)
def test_what_was_said_is_neither_changed_nor_removed(
    store: TrackingStore, sql: Sql, table: str, statement: str
) -> None:
    with store.transaction() as tx:
        tx.verdicts.add(VERDICT)
        tx.approvals.add(APPROVAL)
    with pytest.raises(psycopg.errors.RestrictViolation, match=f"{table} is append-only"):
        sql.execute(statement.format(table=table))
    with store.transaction() as tx:
        assert tx.verdicts.get("v1") == VERDICT
        assert tx.approvals.get("a1") == APPROVAL
