"""Webhooks of MLflow's format: create, list, change, delete, try out.

Webhooks of our own format have events and messages that this protocol has no words for: they are
not found here.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from airflow_mltrack.entities.webhooks import MlflowEvent, WebhookFormat
from airflow_mltrack.exceptions import NotFound
from airflow_mltrack.lifecycle.webhooks import registration
from airflow_mltrack.lifecycle.webhooks.trial import send_trial
from airflow_mltrack.web.mlflow.calls import Answer, Call, Needs, Route, get, post
from airflow_mltrack.web.mlflow.errors import MISSING, NOT_IMPLEMENTED, MlflowError, invalid
from airflow_mltrack.web.mlflow.fields import Field, Fields, Shape, choice, int64, message, text
from airflow_mltrack.web.mlflow.moments import milliseconds

if TYPE_CHECKING:
    from airflow_mltrack.entities.webhooks import Webhook

_ENTITIES = (
    *("REGISTERED_MODEL", "MODEL_VERSION", "MODEL_VERSION_TAG", "MODEL_VERSION_ALIAS"),
    *("PROMPT", "PROMPT_VERSION", "PROMPT_TAG", "PROMPT_VERSION_TAG", "PROMPT_ALIAS"),
    "BUDGET_POLICY",
)
_ACTIONS = ("CREATED", "UPDATED", "DELETED", "SET", "EXCEEDED")
_DONE = {event.value for event in MlflowEvent}
_NOT_DONE = {
    *("prompt.created", "prompt_version.created", "prompt_tag.set", "prompt_tag.deleted"),
    *("prompt_version_tag.set", "prompt_version_tag.deleted"),
    *("prompt_alias.created", "prompt_alias.deleted", "budget_policy.exceeded"),
}
"""Events of MLflow that nothing here brings about."""
_STATUS = {"ACTIVE": True, "DISABLED": False}
_MOST_RESULTS = 100


def webhook_out(webhook: Webhook) -> dict[str, Any]:
    """Write a webhook: never its secret, and its address without the query, which may be one."""
    found: dict[str, Any] = {
        "webhook_id": str(uuid.UUID(webhook.webhook_id)),
        "name": webhook.name,
        "url": webhook.safe_url,
        "events": [_event_out(event) for event in webhook.events],
        "status": "ACTIVE" if webhook.active else "DISABLED",
        "creation_timestamp": milliseconds(webhook.created_at),
        "last_updated_timestamp": milliseconds(webhook.updated_at),
    }
    return found | ({"description": webhook.description} if webhook.description else {})


def _event_out(event: str) -> dict[str, str]:
    entity, action = event.upper().split(".")
    return {"entity": entity, "action": action}


def _event(given: Fields) -> str:
    """Read one event.

    :raises MlflowError: when MLflow has no such event, or nothing here brings it about.
    """
    name = f"{given['entity']}.{given['action']}".lower()
    if name in _NOT_DONE:
        raise MlflowError(
            NOT_IMPLEMENTED,
            f"This server has no event {name}: prompts and budgets are no part of it. "
            f"Its events are {', '.join(sorted(_DONE))}.",
        )
    if name not in _DONE:
        raise invalid(
            f"Invalid action '{given['action'].lower()}' for entity '{given['entity'].lower()}'. "
            f"Events are {', '.join(sorted(_DONE))}."
        )
    return name


def _events(given: Iterable[Fields]) -> list[str]:
    return [_event(item) for item in given]


def _find(call: Call) -> Webhook:
    """Return the webhook that the path names, with or without dashes.

    :raises MlflowError: when there is none of MLflow's format.
    """
    given = str(call["webhook_id"])
    try:
        found = registration.get_webhook(call.client, uuid.UUID(given).hex)
    except (ValueError, NotFound):
        raise _missing(given) from None
    if found.format is not WebhookFormat.MLFLOW:
        raise _missing(given)
    return found


def _missing(webhook_id: str) -> MlflowError:
    return MlflowError(MISSING, f"Webhook with ID {webhook_id[:100]} not found.")


def _create(call: Call) -> dict[str, Any]:
    created = registration.create_webhook(
        call.client,
        name=call["name"],
        url=call["url"],
        events=_events(call["events"]),
        description=call.get("description", ""),
        format=WebhookFormat.MLFLOW,
        secret=call.get("secret") or None,
        active=_STATUS[call.get("status", "ACTIVE")],
        actor=call.actor,
    )
    return {"webhook": webhook_out(created)}


def _take_back(call: Call, answer: Answer) -> None:
    if isinstance(answer, Mapping):
        webhook_id = uuid.UUID(answer["webhook"]["webhook_id"]).hex
        registration.delete_webhook(call.client, webhook_id, actor=call.actor)


def _get(call: Call) -> dict[str, Any]:
    return {"webhook": webhook_out(_find(call))}


def _list(call: Call) -> dict[str, Any]:
    page = registration.page_of_webhooks(
        call.client,
        format=WebhookFormat.MLFLOW,
        max_results=call.get("max_results", _MOST_RESULTS),
        page_token=call.get("page_token"),
    )
    found: dict[str, Any] = {"webhooks": [webhook_out(webhook) for webhook in page.webhooks]}
    return found | ({"next_page_token": page.next_page_token} if page.next_page_token else {})


def _update(call: Call) -> dict[str, Any]:
    events = call.get("events")
    changed = registration.update_webhook(
        call.client,
        _find(call).webhook_id,
        name=call.get("name") or None,
        url=call.get("url") or None,
        events=_events(events) if events else None,
        description=call.get("description"),
        secret=call.get("secret"),
        active=_STATUS[call["status"]] if "status" in call.fields else None,
        actor=call.actor,
    )
    return {"webhook": webhook_out(changed)}


def _delete(call: Call) -> dict[str, Any]:
    registration.delete_webhook(call.client, _find(call).webhook_id, actor=call.actor)
    return {}


def _test(call: Call) -> dict[str, Any]:
    event = _event(call["event"]) if "event" in call.fields else None
    reply = send_trial(call.client, _find(call).webhook_id, event=event)
    result: dict[str, Any] = {"success": reply.is_success}
    if reply.status is None:
        result["error_message"] = f"Failed to test webhook: {reply.error}"
    else:
        result["response_status"] = reply.status
    if reply.said:
        result["response_body"] = reply.said
    return {"result": result}


def _read_hidden(place: str, value: object) -> str:
    """Read text that no error may show."""
    try:
        return str(text().read(place, value))
    except MlflowError:
        rule = "it is text without NUL characters and halves of surrogate pairs"
        raise invalid(f"Invalid value (hidden) for parameter '{place}' supplied: {rule}.") from None


def _hidden(*, required: bool = False) -> Field:
    return Field(_read_hidden, text().schema, required)


_ID: Shape = {"webhook_id": text(required=True)}
_EVENT: Shape = {
    "entity": choice(_ENTITIES, required=True),
    "action": choice(_ACTIONS, required=True),
}
_MORE: Shape = {"description": text(), "secret": _hidden(), "status": choice(tuple(_STATUS))}

ROUTES = (
    post(
        "/mlflow/webhooks",
        _create,
        {
            "name": text(required=True),
            "url": _hidden(required=True),
            "events": message(_EVENT, required=True, repeated=True),
            **_MORE,
        },
        Needs.PROMOTE,
        undo=_take_back,
    ),
    get(
        "/mlflow/webhooks",
        _list,
        {"max_results": int64(), "page_token": text()},
        Needs.PROMOTE,
    ),
    get("/mlflow/webhooks/{webhook_id}", _get, _ID, Needs.PROMOTE),
    Route(
        "PATCH",
        "/mlflow/webhooks/{webhook_id}",
        _update,
        {
            **_ID,
            "name": text(),
            "url": _hidden(),
            "events": message(_EVENT, repeated=True),
            **_MORE,
        },
        Needs.PROMOTE,
    ),
    Route("DELETE", "/mlflow/webhooks/{webhook_id}", _delete, _ID, Needs.PROMOTE),
    Route(
        "POST",
        "/mlflow/webhooks/{webhook_id}/test",
        _test,
        {**_ID, "event": message(_EVENT)},
        Needs.PROMOTE,
        slow=True,  # the receiver may take its time
    ),
)
