"""Alembic's environment: works on the connection that ``store.schema`` hands over."""

from __future__ import annotations

from alembic import context

from airflow_mltrack.store import registry_tables, tables  # noqa: F401 - they fill the metadata
from airflow_mltrack.store.table_columns import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=context.config.get_main_option("version_table"),
    transactional_ddl=True,
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
