"""Runs whenever a version of ``credit-default-governed`` comes to Production."""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, task

from airflow_mltrack.assets import model_asset

RELEASED = model_asset("credit-default-governed", "Production")

with DAG(
    "after_release",
    schedule=[RELEASED],
    catchup=False,
    tags=["test"],
):

    @task
    def deploy(triggering_asset_events: Any = None) -> list[Any]:
        """Return what the events told; those that came through an alias stand under it, too."""
        return [event.extra for event in triggering_asset_events[RELEASED]]

    deploy()
