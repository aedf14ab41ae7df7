"""Who a task instance is to the tracking store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from airflow_mltrack.entities.runs import RunIdentity, task_identity

if TYPE_CHECKING:
    from airflow.sdk import Context


def identity_of(context: Context) -> RunIdentity:
    """Identify the run and the attempt of the task instance that this context belongs to."""
    ti = context["ti"]
    return task_identity(
        ti_id=str(ti.id),
        dag_id=ti.dag_id,
        dag_run_id=ti.run_id,
        task_id=ti.task_id,
        map_index=map_index_of(ti),
        try_number=ti.try_number,
        details=_details(context),
    )


def map_index_of(ti: Any) -> int:
    """Return the map index, -1 for a task that is not mapped (Airflow sometimes says None)."""
    return -1 if ti.map_index is None else int(ti.map_index)


def actor_of(context: Context) -> str:
    """Name who acts: the user who triggered the Dag run, else the Dag itself."""
    triggered_by = getattr(context.get("dag_run"), "triggering_user_name", None)
    return str(triggered_by or f"dag:{context['ti'].dag_id}")


def intent_of(context: Context, *decision: object) -> str:
    """Name what a task decides: the same for every try of it, also after it was cleared.

    :param decision: what tells this decision from another one of the same task, for example the
        version: a Dag run that is cleared from its first task on may train another one.
    """
    ti = context["ti"]
    place = (ti.dag_id, ti.run_id, ti.task_id, map_index_of(ti))
    return "airflow:" + "/".join(quote(str(part), safe=":+") for part in (*place, *decision))


def facts_of(context: Context) -> dict[str, object]:
    """Return which try of which task acts; goes into verdicts and the registry's history."""
    ti = context["ti"]
    return {
        "dag_id": ti.dag_id,
        "dag_run_id": ti.run_id,
        "task_id": ti.task_id,
        "map_index": map_index_of(ti),
        "try_number": ti.try_number,
    }


def source_tags_of(context: Context) -> dict[str, str]:
    """Say which Dag file the run comes from, in MLflow's tags, so that its clients show it."""
    dag = getattr(context["task"], "dag", None)
    file = getattr(dag, "relative_fileloc", None) or getattr(dag, "fileloc", None)
    found = {"mlflow.source.type": "JOB"}
    return found | ({"mlflow.source.name": str(file)} if file else {})


def _details(context: Context) -> dict[str, object]:
    ti = context["ti"]
    bundle = getattr(ti, "bundle_instance", None)
    dag_run = context.get("dag_run")
    found = {
        "ti_id": str(ti.id),
        "dag_version_id": _text(getattr(ti, "dag_version_id", None)),
        "bundle_name": _text(getattr(bundle, "name", None)),
        "bundle_version": _text(getattr(bundle, "version", None)),
        "hostname": _text(getattr(ti, "hostname", None)),
        "log_url": _text(getattr(ti, "log_url", None)),
        "run_type": _text(getattr(getattr(dag_run, "run_type", None), "value", None)),
        "logical_date": _moment(context.get("logical_date")),
        "partition_key": _text(context.get("partition_key")),
        "triggering_asset_events": _asset_events(context),
    }
    return {name: value for name, value in found.items() if value}


def _asset_events(context: Context) -> list[dict[str, object]]:
    events = context.get("triggering_asset_events") or {}
    return [
        {
            "uri": event.asset.uri,
            "source_dag_id": event.source_dag_id,
            "source_run_id": event.source_run_id,
            "source_task_id": event.source_task_id,
            "timestamp": _moment(event.timestamp),
        }
        for found in events.values()
        for event in found
    ]


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _moment(value: Any) -> str | None:
    return None if value is None else str(value.isoformat())
