"""Airflow's required actions: ask a person through Airflow's own pages and API.

A task asks, leaves the worker and comes back as the same try with the answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_mltrack.exceptions import InvalidInput

if TYPE_CHECKING:
    from uuid import UUID


@dataclass(frozen=True, slots=True)
class Answer:
    """What a person answered."""

    option: str
    user_id: str
    user_name: str
    """As Airflow names the user who triggers a Dag run, too."""
    params: Mapping[str, object]
    """What was typed in."""


def ask(
    ti_id: UUID,
    *,
    subject: str,
    body: str,
    options: Sequence[str],
    params: Mapping[str, Mapping[str, object]],
    assigned: Sequence[Mapping[str, str]],
) -> str:
    """Put a request among Airflow's required actions.

    :param body: Markdown.
    :param params: fields of the form, as ``Param.serialize()`` gives them.
    :param assigned: users who may answer, each with ``id`` and ``name``; empty means everybody who
        may answer requests of this Dag.
    :return: the body that Airflow shows, which is that of the first request of the task instance.
    """
    # Not Airflow's upsert_hitl_detail(): it keeps the answer to itself, and with it that a later
    # try (also of a cleared task) shows the words of the first request, whatever it sends:
    # https://github.com/apache/airflow/blob/3.3.2/airflow-core/src/airflow/api_fastapi/execution_api/routes/hitl.py
    from airflow.sdk.api.datamodels._generated import HITLUser
    from airflow.sdk.execution_time.comms import CreateHITLDetailPayload
    from airflow.sdk.execution_time.task_runner import SUPERVISOR_COMMS

    shown = SUPERVISOR_COMMS.send(
        msg=CreateHITLDetailPayload(
            ti_id=ti_id,
            options=list(options),
            subject=subject,
            body=body,
            params={key: dict(value) for key, value in params.items()},
            assigned_users=[HITLUser(id=user["id"], name=user["name"]) for user in assigned],
        )
    )
    return str(getattr(shown, "body", None) or "")


def missed_deadline(event: Mapping[str, Any]) -> bool:
    """Say whether nobody answered in time."""
    return event.get("error_type") == "timeout"


def read_answer(event: Mapping[str, Any], options: Sequence[str]) -> Answer:
    """Read what Airflow resumes the task with.

    :param options: what could be chosen.
    :raises InvalidInput: when it is no answer that a user of Airflow gave.
    """
    if "error" in event:
        raise InvalidInput(
            "answer", event["error"], "Airflow could not take it.", "Clear the task."
        )
    chosen, user = event.get("chosen_options") or [], event.get("responded_by_user")
    if len(chosen) != 1 or chosen[0] not in options:
        raise InvalidInput("answer", chosen, f"it is {' or '.join(options)}.", "Clear the task.")
    if not user:
        raise InvalidInput("answer", chosen[0], "no user gave it.", "Clear the task.")
    params = event.get("params_input") or {}
    return Answer(str(chosen[0]), str(user["id"]), str(user["name"]), dict(params))
