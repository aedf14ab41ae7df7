"""Verdicts in real Postgres."""

from __future__ import annotations

import math
from dataclasses import fields, replace
from datetime import datetime, timedelta, timezone

import pytest
from sqlalchemy import text

from airflow_mltrack.entities.verdicts import CheckResult, Verdict
from airflow_mltrack.exceptions import InvalidInput, NotFound
from airflow_mltrack.store.tracking_store import TrackingStore

NOW = datetime(2026, 3, 4, 5, 6, 7, 891011, tzinfo=timezone.utc)
CHECK = CheckResult(
    name="auc_floor",
    kind="threshold",
    metric="auc",
    passed=True,
    observed=0.75,
    threshold=0.7,
    comparison=">=",
    interval=(0.72, 0.78),
    rows=900,
    message="fine",
)
VERDICT = Verdict(
    verdict_id="v1",
    name="credit",
    version=3,
    passed=True,
    package_digest="a" * 64,
    policy={"checks": [{"metric": "auc", "min": 0.7}]},
    policy_digest="b" * 64,
    dataset_name="uci",
    dataset_digest="c" * 64,
    checks=(CHECK, replace(CHECK, name="ks", observed=None, interval=None, passed=False)),
    champion_version=2,
    actor="ada",
    created_at=NOW,
    valid_until=NOW + timedelta(days=30),
    run_id="r1",
    details={"dag_id": "credit_sweep"},
)


def test_a_verdict_comes_back_as_it_was_written(store: TrackingStore) -> None:
    with store.transaction() as tx:
        assert tx.verdicts.add(VERDICT) == VERDICT
        bare = replace(
            VERDICT, verdict_id="v2", valid_until=None, run_id=None, champion_version=None
        )
        assert tx.verdicts.add(bare) == bare
    with store.transaction() as tx:
        assert tx.verdicts.get("v1") == VERDICT


def test_the_latest_verdict_is_the_one_written_last_whatever_its_clock_said(
    store: TrackingStore,
) -> None:
    with store.transaction() as tx:
        tx.verdicts.add(VERDICT)
        late = replace(VERDICT, verdict_id="v2", created_at=NOW - timedelta(days=1))
        tx.verdicts.add(late)
        tx.verdicts.add(replace(VERDICT, verdict_id="v3", version=4))
        assert tx.verdicts.latest("credit", 3) == late
        assert tx.verdicts.latest("credit", 9) is None
        assert [item.verdict_id for item in tx.verdicts.list("credit")] == ["v3", "v2", "v1"]
        assert [item.verdict_id for item in tx.verdicts.list("credit", 3)] == ["v2", "v1"]


def test_an_unknown_verdict_is_not_found(store: TrackingStore) -> None:
    with store.transaction() as tx, pytest.raises(NotFound, match="verdict 'nope'"):
        tx.verdicts.get("nope")


@pytest.mark.parametrize("bad", [{"observed": math.nan}, {"interval": (0.1, math.inf)}])
def test_a_number_that_json_cannot_hold_is_refused(
    store: TrackingStore, bad: dict[str, object]
) -> None:
    check = replace(CHECK, **bad)  # type: ignore[arg-type]
    with store.transaction() as tx, pytest.raises(InvalidInput, match="auc_floor"):
        tx.verdicts.add(replace(VERDICT, checks=(check,)))


def test_fields_of_another_release_do_not_break_reading(store: TrackingStore) -> None:
    changed = {
        "verdict_id": "'v2'",
        "checks": """jsonb_set(
            checks, '{0}', (checks -> 0) - 'metric' - 'severity' || jsonb_build_object('new', 1)
        )""",
    }
    columns = [spec.name for spec in fields(Verdict)]
    values = ", ".join(changed.get(name, name) for name in columns)
    with store.transaction() as tx:
        tx.verdicts.add(VERDICT)
        tx.connection.execute(
            text(f"INSERT INTO verdicts ({', '.join(columns)}) SELECT {values} FROM verdicts")
        )
        read = tx.verdicts.get("v2").checks[0]
    assert read == replace(CHECK, metric="", severity="error")


def test_everything_a_check_says_comes_back(store: TrackingStore) -> None:
    check = replace(
        CHECK,
        threshold=None,
        comparison="",
        severity="warning",
        method="delong",
        confidence=0.9,
        p_value=0.04,
        evidence="verdict/auc_floor.json",
        evidence_sha256="e" * 64,
    )
    with store.transaction() as tx:
        tx.verdicts.add(replace(VERDICT, checks=(check,)))
        assert tx.verdicts.get("v1").checks == (check,)


@pytest.mark.parametrize(
    ("passed", "severity", "blocks", "warns"),
    [
        (True, "error", False, False),
        (False, "error", True, False),
        (True, "warning", False, False),
        (False, "warning", False, True),
    ],
)
def test_only_a_failed_error_blocks(passed: bool, severity: str, blocks: bool, warns: bool) -> None:
    check = replace(CHECK, passed=passed, severity=severity)
    assert (check.blocks, check.warns) == (blocks, warns)
