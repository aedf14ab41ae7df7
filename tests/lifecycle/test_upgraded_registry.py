"""A registry that an earlier schema's code filled goes on as before after the upgrade."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import psycopg
import pytest

from airflow_mltrack.entities.webhooks import DeliveryState, WebhookFormat
from airflow_mltrack.exceptions import Conflict, PromotionRefused
from airflow_mltrack.lifecycle.audit import live_at, verify_all, verify_history
from airflow_mltrack.lifecycle.promotion import live_version, missing_for, promote
from airflow_mltrack.lifecycle.registration import delete_model, set_alias, set_policy
from airflow_mltrack.lifecycle.rollback import rollback_target
from airflow_mltrack.lifecycle.version_tags import set_version_tags
from airflow_mltrack.lifecycle.webhooks.deliveries import list_deliveries
from airflow_mltrack.lifecycle.webhooks.outbox import deliver_due
from airflow_mltrack.lifecycle.webhooks.registration import list_webhooks, update_webhook
from airflow_mltrack.settings import Settings
from airflow_mltrack.tracking.client import TrackingClient
from tests.lifecycle.webhook_receiver import SECRET, running_receiver

ASSETS = sorted(Path(__file__).parents[1].joinpath("upgrade_assets").glob("*.sql"))


@pytest.fixture
def upgraded(settings: Settings, request: pytest.FixtureRequest) -> Iterator[TrackingClient]:
    """Give a client on an upgraded database; the asset is the test's parameter, or 0001."""
    asset: Path = getattr(request, "param", ASSETS[0])
    with psycopg.connect(settings.database_url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")
        connection.execute(asset.read_text().encode())
    with TrackingClient(settings) as client:
        client.store.upgrade()
        yield client


@pytest.mark.parametrize("upgraded", ASSETS, indirect=True, ids=lambda asset: asset.stem)
def test_every_chain_is_whole_after_the_upgrade(upgraded: TrackingClient) -> None:
    reports = list(verify_all(upgraded))
    assert len(reports) > 3
    assert [finding for report in reports for finding in report.findings] == []


def test_a_verdict_of_the_first_schema_that_was_changed_is_found(
    upgraded: TrackingClient, database_url: str
) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute(
            "UPDATE verdicts SET checks = jsonb_set(checks, '{0,observed}', '0.99') "
            "WHERE name = 'fenced'"
        )
    (finding,) = verify_history(upgraded, "fenced").findings
    assert (finding.what, "was changed" in finding.message) == ("verdict", True)


def test_the_old_rules_go_on_and_so_do_the_chains(upgraded: TrackingClient) -> None:
    with pytest.raises(PromotionRefused, match="did not pass: auc is"):
        promote(upgraded, "credit", 3, "Production", actor="ada")
    assert missing_for(upgraded, "credit", 5, "Production") == (
        "no verdict exists for this version",
    )
    assert missing_for(upgraded, "free", 1, "Production") == ()
    assert missing_for(upgraded, "asked", 1, "Production")[0].startswith("the model has no gates")
    set_alias(upgraded, "credit", "champion", 5, actor="ada")
    set_policy(upgraded, "credit", actor="ada", stages="gated")
    promote(upgraded, "free", 1, "Staging", actor="ada")
    assert promote(upgraded, "credit", 5, "Staging", actor="ada").changed
    with pytest.raises(Conflict, match="version 1 is live"):
        delete_model(upgraded, "fenced", actor="ada")
    assert all(report.is_whole for report in verify_all(upgraded))


def test_what_was_live_before_the_upgrade_is_known(upgraded: TrackingClient) -> None:
    live = live_version(upgraded, "credit")
    assert live is not None
    assert live.version == 2
    target = rollback_target(upgraded, "credit")
    assert target is not None
    assert target.version == 1
    long_ago = datetime(2020, 1, 1, tzinfo=timezone.utc)
    assert live_at(upgraded, "credit", long_ago) is None
    now = live_at(upgraded, "latter", datetime.now(timezone.utc))
    assert now is not None
    assert (now.version, now.event.name) == (1, "former")


@pytest.mark.parametrize("upgraded", [ASSETS[1]], indirect=True, ids=lambda asset: asset.stem)
def test_webhooks_of_before_the_upgrade_go_on_with_what_waits(
    upgraded: TrackingClient, settings: Settings
) -> None:
    with_secret = replace(settings, webhook_secret=SECRET)
    with TrackingClient(with_secret) as client, running_receiver() as receiver:
        before = list_webhooks(client)
        assert [(item.format, item.name, item.sealed_secret) for item in before] == [
            (WebhookFormat.MLTRACK, "", None)
        ] * 4
        states = Counter(item.state for item in list_deliveries(client))
        assert set(states) == set(DeliveryState)
        for webhook in before:
            update_webhook(client, webhook.webhook_id, url=receiver.url, active=True, actor="olga")
        with client.store.transaction() as tx:
            later = tx.now() + timedelta(days=60)  # one had failed, and waits for its next attempt
        report = deliver_due(client, limit=500, now=later)
        assert (report.delivered, report.waiting) == (states[DeliveryState.WAITING], 0)
        receiver.received.clear()
        set_version_tags(client, "credit", 1, {"license": "mit"}, actor="ada")
        assert deliver_due(client).delivered == 1
        [request] = receiver.received
        assert (request.json["event"], request.json["payload"]["value"]) == ("tag", "mit")
    assert verify_history(upgraded, "credit").is_whole
