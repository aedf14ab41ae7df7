"""Tell Airflow that a version has come to a stage: Dags are scheduled on it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from airflow_mltrack.assets import PROMOTIONS, model_asset

if TYPE_CHECKING:
    from airflow.sdk import Context


def emit_stage_event(context: Context, outlets: Sequence[object], facts: dict[str, object]) -> None:
    """Put the facts of a move on the event of its model and stage.

    Airflow emits it when the task succeeds: directly where the task has the asset as outlet, else
    through the alias :data:`~airflow_mltrack.assets.PROMOTIONS`.

    :param facts: from :func:`~airflow_mltrack.lifecycle.transition_facts.transition_facts`.
    """
    asset = model_asset(str(facts["name"]), str(facts["stage"]))
    if asset in outlets:
        context["outlet_events"][asset].extra = facts  # type: ignore[assignment]
    elif PROMOTIONS in outlets:
        context["outlet_events"][PROMOTIONS].add(asset, extra=facts)  # type: ignore[arg-type]
