"""An export leaves nothing out by accident, and puts points in order as a history does."""

from __future__ import annotations

from array import array

from hypothesis import given
from hypothesis import strategies as st

import airflow_mltrack.store.registry_tables
import airflow_mltrack.store.tables  # noqa: F401 - both fill the metadata
from airflow_mltrack.entities.exports import ColumnKind
from airflow_mltrack.entities.metrics import MetricSeries
from airflow_mltrack.store.export_rows import METRICS, put_in_order
from airflow_mltrack.store.export_tables import TABLES
from airflow_mltrack.store.metric_history import in_order
from airflow_mltrack.store.table_columns import metadata

LEFT_OUT = {
    *("artifacts", "lineage", "sweeps", "trials", "trial_reports"),
    *("webhooks", "webhook_deliveries", "create_requests"),
}
"""Tables that no export holds; the page about exports says so."""
INSIDE = {
    "metric_chunks": "metrics",
    "run_tags": "tags",
    "experiment_tags": "experiments",
    "registered_model_tags": "registered_models",
    "model_version_tags": "model_versions",
    "logged_model_tags": "logged_models",
    "logged_model_params": "logged_models",
}
"""Tables that another name stands for, or that are columns of another table."""
UNSEEN = {
    "id": "surrogate number",
    **dict.fromkeys(("run", "attempt", "dataset", "logged_model", "model"), "by the ids seen"),
    "parent_id": "parent_run_id",
    **dict.fromkeys(("attempt_id", "attempt_number", "number"), "attempt"),
    "logical_key": "dag, Dag run, task and map index",
    "deleted_with_experiment": "what restoring needs",
    "experiment_id": "that of the run",
}
"""Columns that stand in an export in another form, or mean nothing outside."""

POINTS = st.lists(
    st.tuples(
        st.integers(-3, 3),
        st.integers(0, 2),
        st.sampled_from([0.0, -0.0, 1.5, -2.0, float("nan"), float("inf"), float("-inf")]),
    ),
    max_size=30,
)


def test_every_table_of_the_schema_is_exported_or_left_out_on_purpose() -> None:
    exported = {INSIDE.get(name, name) for name in metadata.tables} - LEFT_OUT
    assert exported == {*TABLES, METRICS.name}


def test_every_column_is_exported_or_left_out_on_purpose() -> None:
    missing = {
        f"{name}.{column}"
        for name, query in TABLES.items()
        if name in metadata.tables
        for column in set(metadata.tables[name].columns.keys()) - {*query.fields, *UNSEEN}
    }
    assert missing == set()


def test_times_and_json_leave_the_database_as_numbers_and_text() -> None:
    fields = [field for query in TABLES.values() for field in query.fields.values()]
    kinds = {(field.kind, str(field.expression.type)) for field in fields}
    assert {kind for kind, _ in kinds} == set(ColumnKind)
    assert {type_ for kind, type_ in kinds if kind is ColumnKind.TIME} == {"BIGINT"}
    assert {type_ for kind, type_ in kinds if kind is ColumnKind.JSON} == {"TEXT"}


@given(points=POINTS)
def test_points_are_put_in_order_as_in_a_history(points: list[tuple[int, int, float]]) -> None:
    series = MetricSeries(
        array("q", [step for step, _, _ in points]),
        array("q", [time for _, time, _ in points]),
        array("d", [value for _, _, value in points]),
    )
    expected = [list(piece.points("m")) for piece in in_order([series])]
    found = [list(piece.points("m")) for piece in in_order([series], sort=put_in_order)]
    assert repr(found).replace("-0.0", "0.0") == repr(expected).replace("-0.0", "0.0")
