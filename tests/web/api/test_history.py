from __future__ import annotations

import io
import zipfile
from datetime import datetime, timedelta, timezone

import httpx
import psycopg

from airflow_mltrack.lifecycle.promotion import promote
from airflow_mltrack.settings import Settings
from airflow_mltrack.tracking.client import TrackingClient
from tests.lifecycle.conftest import AddVerdict
from tests.web.conftest import POLICY, AddModelVersion


def test_history_comes_in_pages_also_of_one_version(
    api: httpx.Client, client: TrackingClient, register: AddModelVersion
) -> None:
    register()
    register()
    for version in (1, 2):
        promote(client, "credit", version, "Production", actor="olga", reason=f"Try {version}.")

    events, token = [], None
    for _ in range(10):
        params = {"limit": 2} | ({} if token is None else {"page_token": token})
        page = api.get("/models/credit/history", params=params).json()
        events += page["events"]
        token = page["next_page_token"]
        if token is None:
            break
    assert [event["kind"] for event in events] == [
        "created",
        "registered",
        "registered",
        "transition",
        "transition",
        "transition",
    ]
    assert events[3]["words"] == "None → Production"
    assert events[3]["previous_hash"] == events[2]["hash"]
    first = api.get("/models/credit/history", params={"version": 1}).json()["events"]
    assert {event["version"] for event in first} == {1}


def test_what_was_live_is_told_for_any_time(
    api: httpx.Client, client: TrackingClient, register: AddModelVersion
) -> None:
    before = datetime.now(timezone.utc) - timedelta(days=1)
    register()
    assert api.get("/models/credit/live").json()["version"] is None
    promote(client, "credit", 1, "Production", actor="olga")

    now = api.get("/models/credit/live").json()
    assert (now["version"], now["stage"], now["event"]["actor"]) == (1, "Production", "olga")
    then = api.get("/models/credit/live", params={"at": before.isoformat()}).json()
    assert (then["version"], then["event"]) == (None, None)
    assert then["at"].startswith(before.isoformat()[:19])


def test_a_year_is_not_taken_for_seconds_after_1970(
    api: httpx.Client, register: AddModelVersion
) -> None:
    register()
    for number in ("2026", "0", "0.5", "-1", "1e9"):
        refused = api.get("/models/credit/live", params={"at": number})
        assert refused.status_code == 400, number
        assert "2026-01-31T09:30Z" in refused.json()["error"]["reasons"][0]


def test_verdicts_and_approvals_are_listed(
    api: httpx.Client, register: AddModelVersion, add_verdict: AddVerdict
) -> None:
    version = register(gates=POLICY)
    verdict = add_verdict(version, passed=False)

    [shown] = api.get("/models/credit/versions/1/verdicts").json()["verdicts"]

    assert (shown["verdict_id"], shown["passed"]) == (verdict.verdict_id, False)
    assert (shown["checks"][0]["name"], shown["checks"][0]["threshold"]) == ("auc", 0.7)
    api.post(
        "/models/credit/versions/1/approvals",
        json={"stage": "Production", "decision": "rejected", "reason": "Bad."},
    )
    [answer] = api.get("/models/credit/versions/1/approvals").json()["approvals"]
    assert (answer["decision"], answer["approver"]) == ("rejected", "olga")


def test_audit_finds_the_row_that_was_touched(
    api: httpx.Client, client: TrackingClient, settings: Settings, register: AddModelVersion
) -> None:
    register()
    register("other")
    promote(client, "credit", 1, "Production", actor="olga")
    whole = api.get("/audit").json()
    assert whole["is_whole"]
    assert [chain["name"] for chain in whole["chains"]] == ["credit", "other"]
    heads = {head["name"]: head for head in api.get("/audit/heads").json()["heads"]}
    assert heads["credit"] == whole["chains"][0]["head"]

    url = settings.database_url.replace("postgresql+psycopg://", "postgresql://")
    with psycopg.connect(url) as connection:
        connection.execute("ALTER TABLE history DISABLE TRIGGER ALL")
        connection.execute("UPDATE history SET actor = 'eve' WHERE kind = 'transition'")
        connection.execute("ALTER TABLE history ENABLE TRIGGER ALL")

    touched = api.get("/audit").json()
    assert not touched["is_whole"]
    assert [chain["is_whole"] for chain in touched["chains"]] == [False, True]
    [finding] = api.get("/audit", params={"model": "credit"}).json()["chains"][0]["findings"]
    assert finding["event_id"] == heads["credit"]["event_id"]
    assert api.get("/audit", params={"model": "other"}).json()["is_whole"]


def test_chain_whose_end_was_cut_off_is_found_by_a_head_that_was_kept(
    api: httpx.Client, register: AddModelVersion
) -> None:
    register()
    [head] = api.get("/audit/heads").json()["heads"]

    kept = api.get("/audit", params={"model": "credit", "head": head["hash"]})
    assert kept.json()["is_whole"]
    lost = api.get("/audit", params={"model": "credit", "head": "0" * 64}).json()
    assert lost["chains"][0]["findings"][0]["what"] == "head"
    assert api.get("/audit", params={"head": "0" * 64}).status_code == 400


def test_evidence_is_one_archive_whose_digest_is_told(
    api: httpx.Client, register: AddModelVersion
) -> None:
    import base64
    import hashlib

    register("credit & é")

    answer = api.get("/models/credit%20%26%20%C3%A9/versions/1/evidence")

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/zip"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-disposition"] == (
        "attachment; filename*=UTF-8''credit%20%26%20%C3%A9-v1-evidence.zip"
    )
    digest = base64.b64encode(hashlib.sha256(answer.content).digest()).decode()
    assert answer.headers["repr-digest"] == f"sha-256=:{digest}:"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        assert archive.namelist()
    missing = api.get("/models/credit%20%26%20%C3%A9/versions/2/evidence")
    assert missing.status_code == 404
