"""Databases of every earlier schema are upgraded: nothing is lost, and they end as a fresh one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from psycopg.rows import dict_row
from sqlalchemy import text

from airflow_mltrack.entities.stages import OPEN, StageGraph
from airflow_mltrack.exceptions import SchemaOutOfDate
from airflow_mltrack.settings import Settings
from airflow_mltrack.store import schema
from airflow_mltrack.store.table_columns import metadata
from airflow_mltrack.store.tracking_store import TrackingStore
from tests.conftest import fresh_database

ASSETS = sorted(Path(__file__).parents[1].joinpath("upgrade_assets").glob("*.sql"))
REVISIONS = [asset.stem for asset in ASSETS]

Rows = dict[str, list[dict[str, object]]]
Load = Callable[[str], None]


@pytest.fixture
def load(database_url: str) -> Load:
    """Give a function that makes the test's database one of an earlier schema."""

    def make(revision: str) -> None:
        (asset,) = (asset for asset in ASSETS if asset.stem == revision)
        with psycopg.connect(database_url, autocommit=True) as connection:
            connection.execute("DROP SCHEMA public CASCADE")
            connection.execute("CREATE SCHEMA public")
            connection.execute(asset.read_text().encode())

    return make


def all_rows(url: str) -> Rows:
    with psycopg.connect(url, row_factory=dict_row) as connection:
        tables = connection.execute(
            "SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public'"
        ).fetchall()
        return {
            table["name"]: connection.execute(f'SELECT * FROM "{table["name"]}"').fetchall()
            for table in tables
            if table["name"] != schema.VERSION_TABLE
        }


def of_columns(rows: list[dict[str, object]], columns: set[str]) -> list[str]:
    return sorted(str({key: row[key] for key in sorted(columns)}) for row in rows)


def guards(url: str) -> list[tuple[object, ...]]:
    """Read what SQLAlchemy's tables do not know: triggers with their functions, and indexes."""
    with psycopg.connect(url) as connection:
        return connection.execute(
            "SELECT pg_get_triggerdef(t.oid), p.prosrc FROM pg_trigger t "
            "JOIN pg_proc p ON p.oid = t.tgfoid WHERE NOT t.tgisinternal "
            "UNION ALL SELECT indexdef, '' FROM pg_indexes WHERE schemaname = 'public' "
            "UNION ALL SELECT c.conrelid::regclass || ' ' || pg_get_constraintdef(c.oid), '' "
            "FROM pg_constraint c JOIN pg_namespace n ON n.oid = c.connamespace "
            "WHERE n.nspname = 'public' AND c.contype <> 'n' ORDER BY 1, 2"
        ).fetchall()


def test_the_databases_to_upgrade_are_of_schemas_that_are_known() -> None:
    assert REVISIONS[0] == "0001"
    assert set(REVISIONS) <= set(schema.known_revisions())


@pytest.mark.parametrize("revision", REVISIONS)
def test_an_old_database_is_refused_with_the_command(
    settings: Settings, load: Load, revision: str
) -> None:
    load(revision)
    store = TrackingStore(settings)
    match = f"schema {revision}, .* needs {schema.HEAD}.*mltrack db upgrade"
    with pytest.raises(SchemaOutOfDate, match=match) as info, store.transaction():
        pass
    assert info.value.command == "mltrack db upgrade"
    assert store.revision() == (revision, schema.HEAD)
    store.close()


@pytest.mark.parametrize("revision", REVISIONS)
def test_an_upgraded_database_holds_what_it_held(
    settings: Settings, database_url: str, load: Load, revision: str
) -> None:
    load(revision)
    before = all_rows(database_url)
    assert sum(map(len, before.values())) > 100
    store = TrackingStore(settings)
    assert store.upgrade() == (revision, schema.HEAD)
    store.close()
    after = all_rows(database_url)
    for table, rows in before.items():
        columns = set(rows[0]) & set(after[table][0]) if rows else set()
        assert of_columns(rows, columns) == of_columns(after[table], columns), table


@pytest.mark.parametrize("revision", REVISIONS)
def test_an_upgraded_database_is_built_as_a_fresh_one(
    settings: Settings, database_url: str, postgres_url: str, load: Load, revision: str
) -> None:
    load(revision)
    store = TrackingStore(settings)
    store.upgrade()
    with store.transaction() as tx:
        context = MigrationContext.configure(
            tx.connection, opts={"compare_type": True, "compare_server_default": True}
        )
        assert [
            change
            for change in compare_metadata(context, metadata)
            if schema.VERSION_TABLE not in str(change)
        ] == []
    store.close()
    with fresh_database(postgres_url) as fresh:
        assert guards(database_url) == guards(fresh)


def test_schema_0001_gets_the_stage_graphs_that_it_went_by(settings: Settings, load: Load) -> None:
    load("0001")
    store = TrackingStore(settings)
    store.upgrade()
    with store.transaction() as tx:
        graphs = {model.name: model.stages for model in tx.registry.list_models()}
        gates = {model.name for model in tx.registry.list_models() if model.gates}
        live = {name: tx.registry.holder(name) for name in graphs}
        flags = tx.connection.execute(
            text("SELECT count(*) FROM model_versions WHERE live <> (stage = 'Production')")
        ).scalar_one()
    assert {name for name, graph in graphs.items() if graph == OPEN} == {
        "back",
        "fenced",
        "free",
        "latter",
    }
    assert gates == {"credit", "fenced"}
    assert graphs["credit"] == graphs["asked"] == asking_for_verdicts()
    assert {name: held.version for name, held in live.items() if held is not None} == {
        "credit": 2,
        "fenced": 1,
        "free": 2,
        "latter": 1,
    }
    assert flags == 0
    store.close()


def asking_for_verdicts() -> StageGraph:
    """Give what ``requires_verdict`` meant: every move into Production asks for one."""
    data = OPEN.to_json()
    edges: list[dict[str, object]] = data["edges"]  # type: ignore[assignment]
    for edge in edges:
        if edge["to"] == "Production":
            edge["verdict"] = True
    return StageGraph.from_json(data)
