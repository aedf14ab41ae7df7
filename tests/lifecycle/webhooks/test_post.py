"""What no receiver can do to us."""

from __future__ import annotations

import socket
import threading
import time

import pytest

from airflow_mltrack.lifecycle.webhooks import outbox as delivering
from airflow_mltrack.lifecycle.webhooks.outbox import (
    DeliveryReport,
    deliver_due,
)
from airflow_mltrack.lifecycle.webhooks.post import post
from airflow_mltrack.tracking.client import TrackingClient
from tests.lifecycle.webhook_receiver import Answer, Receiver
from tests.lifecycle.webhooks.conftest import happen, hook, only


def test_a_slow_receiver_is_not_waited_for(
    client: TrackingClient, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivering, "REQUEST_SECONDS", 1.0)
    hook(client, receiver)
    happen(client)
    receiver.answers = [Answer(holds=True)]
    begun = time.monotonic()
    assert deliver_due(client) == DeliveryReport(postponed=1, waiting=1)
    assert time.monotonic() - begun < 5
    assert "no answer" in str(only(client).error)


@pytest.mark.parametrize("answer", [Answer(holds=True), Answer(drips=True)], ids=["holds", "drips"])
def test_a_request_takes_no_longer_than_it_may(receiver: Receiver, answer: Answer) -> None:
    receiver.answers = [answer]
    begun = time.monotonic()
    reply = post(receiver.url, b"{}", {}, seconds=0.6)
    assert time.monotonic() - begun < 5
    assert reply.status is None
    assert "no answer" in str(reply.error)
    for thread in threading.enumerate():
        if thread.name == "mltrack-webhook-post":
            thread.join(5)
            assert not thread.is_alive()  # although the receiver goes on


def test_a_redirect_is_not_followed(client: TrackingClient, receiver: Receiver) -> None:
    hook(client, receiver)
    happen(client)
    for status in (301, 302, 303, 307, 308):
        receiver.answers.append(Answer(status, headers={"Location": f"{receiver.url}/elsewhere"}))
        assert "redirect" in str(post(receiver.url, b"{}", {}).error)
    receiver.answers = [Answer(307, headers={"Location": f"{receiver.url}/elsewhere"})]
    assert deliver_due(client).postponed == 1
    assert only(client).error == "HTTP 307: a redirect, which is not followed"
    assert {request.path for request in receiver.received} == {"/hook"}


def test_an_answer_that_is_no_http_is_a_failure() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def babble() -> None:
            connection, _ = server.accept()
            with connection:
                connection.sendall(b"hello\r\n\r\n")

        thread = threading.Thread(target=babble)
        thread.start()
        reply = post(f"http://127.0.0.1:{server.getsockname()[1]}/", b"{}", {})
        thread.join()
    assert reply.status is None
    assert reply.error


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://127.0.0.1/x", "data:,x", "nonsense"])
def test_only_http_is_spoken_whatever_stands_in_the_database(url: str) -> None:
    try:
        reply = post(url, b"{}", {})
    except ValueError:
        return
    assert reply.status is None
    assert "unknown url type" in str(reply.error)


@pytest.mark.parametrize("status", [200, 302, 500])
def test_of_an_answer_at_most_the_beginning_is_read(receiver: Receiver, status: int) -> None:
    receiver.answers = [Answer(status, b"x" * 1_000, endless=True)]
    reply = post(receiver.url, b"{}", {}, seconds=20)
    assert reply.status == status
    assert len(reply.error or "") < 250
