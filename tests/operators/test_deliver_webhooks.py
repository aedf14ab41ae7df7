from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from airflow_mltrack.hooks.mltrack import MltrackHook
from airflow_mltrack.lifecycle.webhooks.registration import create_webhook
from airflow_mltrack.operators.deliver_webhooks import DeliverWebhooksOperator
from airflow_mltrack.settings import Settings
from airflow_mltrack.tracking.client import TrackingClient
from tests.hooks.conftest import make_context
from tests.lifecycle.webhook_receiver import SECRET, Answer, Receiver, running_receiver


@pytest.fixture
def receiver(settings: Settings) -> Iterator[Receiver]:
    """Give a receiver for which two events wait."""
    with running_receiver() as receiver:
        with TrackingClient(replace(settings, webhook_secret=SECRET)) as client:
            create_webhook(client, url=receiver.url, actor="ada")
            with client.store.transaction() as tx:
                for number in range(2):
                    tx.history.append(
                        name="credit",
                        version=number,
                        kind="transition",
                        actor="ada",
                        payload={},
                    )
        yield receiver


def deliver(**arguments: Any) -> Any:
    return DeliverWebhooksOperator(task_id="deliver", **arguments).execute(make_context())  # type: ignore[arg-type]


def report(**numbers: int) -> dict[str, int]:
    return {"delivered": 0, "postponed": 0, "failed": 0, "waiting": 0} | numbers


@pytest.mark.usefixtures("hook")
def test_what_is_due_is_delivered_and_counted(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLTRACK_WEBHOOK_SECRET", SECRET)
    assert deliver(limit="1") == report(delivered=1, waiting=1)
    receiver.answers = [Answer(500)]
    assert deliver() == report(postponed=1, waiting=1)
    assert [request.json["version"] for request in receiver.received] == [0, 1]


@pytest.mark.usefixtures("hook", "receiver")
def test_a_missing_secret_fails_the_task_with_the_next_step() -> None:
    with pytest.raises(AirflowFailException, match="MLTRACK_WEBHOOK_SECRET"):
        deliver()


@pytest.mark.usefixtures("hook")
def test_without_webhooks_there_is_nothing_to_do() -> None:
    assert deliver() == report()


@pytest.mark.usefixtures("hook")
@pytest.mark.parametrize("limit", ["many", "0", "-1"])
def test_a_limit_that_is_no_number_is_refused(limit: str) -> None:
    with pytest.raises(AirflowFailException, match="limit"):
        deliver(limit=limit)


def test_the_hook_reads_the_secret(hook: MltrackHook, monkeypatch: pytest.MonkeyPatch) -> None:
    assert hook.client.settings.webhook_secret is None
    monkeypatch.setenv("MLTRACK_WEBHOOK_SECRET", SECRET)
    with MltrackHook(None) as other:
        assert other.client.settings.webhook_secret == SECRET
