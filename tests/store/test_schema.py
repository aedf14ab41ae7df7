"""The schema: created, upgraded and checked on a real, empty database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import CheckConstraint, text

from airflow_mltrack.exceptions import SchemaOutOfDate, StoreError
from airflow_mltrack.settings import Settings, embedded_settings
from airflow_mltrack.store import schema
from airflow_mltrack.store.engine import stop_embedded
from airflow_mltrack.store.table_columns import metadata
from airflow_mltrack.store.tracking_store import TrackingStore
from tests.store.processes import at_once


@pytest.fixture
def empty(settings: Settings, database_url: str) -> Iterator[TrackingStore]:
    """Give a store on a database that holds nothing at all."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")
    store = TrackingStore(settings)
    yield store
    store.close()


def test_head_is_alembics_head() -> None:
    script = ScriptDirectory.from_config(schema._config())
    assert script.get_heads() == [schema.HEAD]
    assert schema.known_revisions()[-1] == schema.HEAD


def test_upgrading_from_nothing_gives_exactly_our_tables(empty: TrackingStore) -> None:
    assert empty.revision() == (None, schema.HEAD)
    assert empty.upgrade() == (None, schema.HEAD)
    assert empty.revision() == (schema.HEAD, schema.HEAD)
    with empty.transaction() as tx:
        context = MigrationContext.configure(
            tx.connection,
            opts={
                "compare_type": True,
                "compare_server_default": True,
                "include_name": lambda name, kind, _: (
                    kind != "table" or name != schema.VERSION_TABLE
                ),
            },
        )
        assert compare_metadata(context, metadata) == []


def test_check_constraints_are_those_of_the_tables(store: TrackingStore) -> None:
    expected = {
        str(constraint.name)
        for table in metadata.tables.values()
        for constraint in table.constraints
        if isinstance(constraint, CheckConstraint)
    }
    with store.transaction() as tx:
        found = tx.connection.scalars(
            text(
                "SELECT conname FROM pg_constraint "
                "WHERE contype = 'c' AND connamespace = 'public'::regnamespace"
            )
        )
        assert set(found) == expected


def test_upgrading_again_changes_nothing(empty: TrackingStore) -> None:
    empty.upgrade()
    with empty.transaction() as tx:
        tx.experiments.create("kept")
    assert empty.upgrade() == (schema.HEAD, schema.HEAD)
    with empty.transaction() as tx:
        assert [one.name for one in tx.experiments.list()] == ["Default", "kept"]


def upgrade(settings: Settings) -> str | None:
    store = TrackingStore(settings)
    before, _ = store.upgrade()
    store.close()
    return before


def test_of_processes_that_upgrade_at_once_one_does_it(
    settings: Settings, empty: TrackingStore
) -> None:
    found = at_once(upgrade, [(settings,)] * 3)
    assert sorted(found, key=str) == [schema.HEAD, schema.HEAD, None]
    with empty.transaction() as tx:
        assert len(tx.experiments.list()) == 1


def test_a_database_without_schema_is_refused_with_the_command(empty: TrackingStore) -> None:
    match = "schema none.*mltrack db upgrade"
    with pytest.raises(SchemaOutOfDate, match=match) as info, empty.transaction():
        pass
    assert info.value.command == "mltrack db upgrade"


def test_a_newer_schema_is_refused_and_left_alone(settings: Settings, store: TrackingStore) -> None:
    with store.transaction() as tx:
        tx.connection.execute(text("UPDATE mltrack_schema SET version_num = '9999'"))
    late = TrackingStore(settings)
    match = "schema 9999.*pip install --upgrade"
    with pytest.raises(SchemaOutOfDate, match=match), late.transaction():
        pass
    with pytest.raises(SchemaOutOfDate, match="newer airflow-mltrack"):
        late.upgrade()
    assert late.revision() == ("9999", schema.HEAD)


def test_the_embedded_database_makes_its_own_schema(server_directory: Path) -> None:
    settings = embedded_settings(server_directory)
    store = TrackingStore(settings)
    try:
        with store.transaction() as tx:
            assert tx.experiments.get(0).name == "Default"
    finally:
        store.close()
        stop_embedded(settings.embedded_directory)


@pytest.mark.parametrize(
    "sql",
    ["UPDATE history SET actor = 'x'", "DELETE FROM history", "TRUNCATE history CASCADE"],
)
def test_the_database_refuses_to_change_history(store: TrackingStore, sql: str) -> None:
    with store.transaction() as tx:
        tx.connection.exec_driver_sql(
            "INSERT INTO history (name, kind, actor, at, previous_hash, hash) "
            "VALUES ('m', 'created', 'a', now(), repeat('0', 64), repeat('1', 64))"
        )
    with pytest.raises(StoreError, match="append-only"), store.transaction() as tx:
        tx.connection.exec_driver_sql(sql)
