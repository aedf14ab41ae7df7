"""Records as text: the very bytes whose digest the history holds."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime, timezone

from airflow_mltrack.entities.approvals import Approval, Decision
from airflow_mltrack.entities.verdicts import CheckResult, Verdict
from airflow_mltrack.store.record_texts import record_texts
from airflow_mltrack.store.tracking_store import TrackingStore

MOMENT = datetime(2026, 1, 31, 9, 30, tzinfo=timezone.utc)


def test_a_text_has_the_digest_of_its_row(store: TrackingStore) -> None:
    check = CheckResult("auc", "threshold", True, 0.8, 0.7, ">=", (0.75, 0.85), 100)
    verdict = Verdict(
        "v" * 32, "credit", 1, True, "p" * 64, {}, "q" * 64, "loans", "d" * 64, (check,), None,
        "ada", MOMENT,
    )  # fmt: skip
    approval = Approval(
        "a" * 32, "credit", 1, "Production", Decision.APPROVED, "grace", "good", None, None, MOMENT
    )
    with store.transaction() as tx:
        tx.verdicts.add(verdict)
        tx.approvals.add(approval)
        texts = record_texts(tx.connection, "credit")
        digests = tx.verdicts.digests("credit") | tx.approvals.digests("credit")
        assert record_texts(tx.connection, "other") == {}
    found = {key: hashlib.sha256(text.encode()).hexdigest() for key, text in texts.items()}
    assert found == digests
    told = json.loads(texts["v" * 32])
    assert (told["created_at"], told["checks"][0]["rows"]) == ("2026-01-31T09:30:00.000000Z", 100)
    assert "valid_until" not in told
