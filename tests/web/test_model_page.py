"""The page of a registered model tells what is live, why, and what is missing for more."""

from __future__ import annotations

import html
import re

import httpx
import psycopg

from airflow_mltrack.entities.runs import task_identity
from airflow_mltrack.entities.stages import GATED
from airflow_mltrack.lifecycle.approval import approve, request_approval
from airflow_mltrack.lifecycle.policy_words import edge_words
from airflow_mltrack.lifecycle.promotion import promote
from airflow_mltrack.lifecycle.registration import create_model, set_alias
from airflow_mltrack.lifecycle.rollback import rollback
from airflow_mltrack.settings import Settings
from airflow_mltrack.tracking.client import TrackingClient
from tests.lifecycle.conftest import AddVerdict
from tests.web.conftest import POLICY, AddModelVersion


def _text(page: httpx.Response) -> str:
    """Return what a reader sees."""
    assert page.status_code == 200, page.text
    body = page.text.split("</style>")[1]
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", body)))


def test_gated_model_shows_what_each_move_asks_and_what_is_missing(
    client: TrackingClient,
    browser: httpx.Client,
    register: AddModelVersion,
    add_verdict: AddVerdict,
) -> None:
    version = register(stages="gated", gates=POLICY)
    promote(client, "credit", 1, "Staging", actor="olga")

    page = _text(browser.get("/models/credit"))
    asked = edge_words(GATED.edges[1])
    assert "1 approval" in asked
    assert f"→ Production: {asked}" in page
    assert "auc: at least 0.7" in page
    assert "no verdict exists for this version" in page
    assert "1 approval is needed, 0 count" in page
    assert "ada registered this version" in page or "ada trained this version" in page

    add_verdict(version)
    request_approval(client, "credit", 1, "Production", actor="olga")
    approve(client, "credit", 1, "Production", approver="bob", reason="Calibrated.")
    page = _text(browser.get("/models/credit"))
    assert "✓ nothing but a reason" in page
    assert "olga asked for the approval" in page
    assert "approved bob Calibrated. olga" in page
    assert "counts now" in page


def test_page_tells_when_each_version_was_live_and_how_it_came(
    client: TrackingClient, browser: httpx.Client, register: AddModelVersion
) -> None:
    for version in (1, 2):
        register()
        promote(client, "credit", version, "Production", actor="olga", reason=f"Try {version}.")
    rollback(client, "credit", actor="olga", reason="Wrong scores.", emergency=True)
    set_alias(client, "credit", "challenger", 2, actor="olga")

    page = _text(browser.get("/models/credit"))

    assert "version 1 in Production" in page
    assert "challenger is version 2" in page
    periods = page.split("When it was live")[1].split("History")[0]
    told = [
        "Emergency rollback: Archived → Production, in place of version 2. Wrong scores.",
        "None → Production, in place of version 1. Try 2.",
        "None → Production. Try 1.",
    ]
    assert sorted(told, key=periods.index) == told
    assert "Every move is allowed and asks for nothing." in page
    assert "What is missing" not in page


def test_page_says_whether_the_history_is_whole(
    client: TrackingClient, browser: httpx.Client, settings: Settings
) -> None:
    create_model(client, "credit", actor="ada")
    assert "✓ history whole: 1 event" in _text(browser.get("/models/credit"))

    url = settings.database_url.replace("postgresql+psycopg://", "postgresql://")
    with psycopg.connect(url) as connection:
        connection.execute("ALTER TABLE history DISABLE TRIGGER ALL")
        connection.execute("UPDATE history SET actor = 'eve'")
        connection.execute("ALTER TABLE history ENABLE TRIGGER ALL")

    page = _text(browser.get("/models/credit"))
    assert "The records are not as they were written." in page
    assert "history whole" not in page


def test_former_holder_shows_what_going_back_lacks(
    client: TrackingClient,
    browser: httpx.Client,
    register: AddModelVersion,
    add_verdict: AddVerdict,
) -> None:
    for number in (1, 2):
        version = register(stages="gated", gates=POLICY)
        promote(client, "credit", number, "Staging", actor="olga")
        add_verdict(version)
        approve(client, "credit", number, "Production", approver="bob", reason="Good.")
        promote(client, "credit", number, "Production", actor="olga", reason="Good.")

    missing = _text(browser.get("/models/credit")).split("What is missing")[1].split("Verdict")[0]

    assert "1 Archived → Production rollback" in missing
    assert "when no version was in Production, now it is version 2" in missing


def test_own_stage_names_are_shown_and_escaped(
    client: TrackingClient, browser: httpx.Client, register: AddModelVersion
) -> None:
    shadow = "<b>shadow<b>"
    register(
        stages={
            "stages": ["new", shadow, "live"],
            "exclusive": "live",
            "displaced_to": "new",
            "edges": [{"from": "new", "to": shadow}, {"from": shadow, "to": "live"}],
        }
    )
    promote(client, "credit", 1, "<B>shadow<b>", actor="olga")
    promote(client, "credit", 1, "live", actor="olga")

    page = browser.get("/models/credit")

    assert "<b>shadow" not in page.text
    assert "&lt;b&gt;shadow" in page.text
    assert "version 1 in live" in _text(page)
    assert "version 1 in live" in _text(browser.get("/"))


def test_evidence_is_offered_to_those_who_may_have_it(
    client: TrackingClient, browser: httpx.Client
) -> None:
    identity = task_identity(ti_id="1", dag_id="secret", dag_run_id="r", task_id="fit")
    with client.start_run("fit", identity=identity) as run:
        pass
    create_model(client, "a b", actor="ada")
    with client.store.transaction() as tx:
        tx.registry.create_version("a b", source="x", run_id=run.run_id)
    link = 'href="/mltrack/api/v1/models/a%20b/versions/1/evidence"'

    assert link not in browser.get("/models/a%20b").text
    assert link in browser.get("/models/a%20b", headers={"x-dags": "secret"}).text
