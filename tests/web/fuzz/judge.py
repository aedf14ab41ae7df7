"""Says what is wrong with an answer: it failed, has the wrong shape, or tells a secret."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterable
from typing import Any

from airflow_mltrack.web.bodies.errors import ErrorResponse
from airflow_mltrack.web.mlflow.errors import STATUS
from tests.web.fuzz.wire import Answer, Sent

SECRET = "canary-7f3d not for you"
"""Stands in a file next to the artifact root, and in an object next to the prefix."""
LEAKS = (
    *(
        "Traceback",
        'File "',
        "site-packages",
        "airflow_mltrack/",
        "psycopg",
        "sqlalchemy",
        "botocore",
    ),
    *(
        "postgresql://",
        "SELECT ",
        "INSERT INTO",
        "UPDATE ",
        "DELETE FROM",
        "relation ",
        "constraint",
    ),
    *("pydantic", "asyncpg", "/usr/", "/home/", "/root/", "python3."),
)
_NOT_HTTP = b"Invalid HTTP request received."


class Judge:
    """Looks at every answer, and counts.

    :param secrets: texts that no answer may hold, for example where the files lie.
    """

    def __init__(self, *secrets: str) -> None:
        self._secrets = (SECRET, *secrets)
        self.statuses: Counter[int] = Counter()
        self.faults: list[str] = []
        self._began = time.monotonic()

    def look(self, kind: str, sent: Sent, answer: Answer) -> None:
        """Count an answer, and note what is wrong with it."""
        self.statuses[answer.status] += 1
        fault = self._fault(kind, sent, answer)
        if fault and len(self.faults) < 200:
            text = answer.body[:300].decode("utf-8", "replace")
            self.faults.append(f"{fault}\n  {sent}\n  -> {answer.status} {text}")

    def report(self, title: str) -> str:
        """Say what was counted."""
        listed = ", ".join(f"{status}: {count}" for status, count in sorted(self.statuses.items()))
        seconds = time.monotonic() - self._began
        return f"{title}: {sum(self.statuses.values())} requests in {seconds:.0f} s ({listed})\n"

    def _fault(self, kind: str, sent: Sent, answer: Answer) -> str | None:
        if answer.status == 0:
            return None if sent.cut_off else "no answer"
        if answer.status >= 500 and answer.status != 501:
            return "a server error"
        leak = self._leak(sent, answer)
        if leak:
            return f"tells {leak!r}"
        if answer.status < 400 or sent.method == "HEAD" or answer.body == _NOT_HTTP:
            return None
        return shape_fault(kind, answer)

    def _leak(self, sent: Sent, answer: Answer) -> str | None:
        text = answer.body.decode("utf-8", "replace")
        shown = self._secrets if answer.status < 400 else (*self._secrets, *LEAKS)
        given = (sent.target + sent.body).decode("utf-8", "replace")
        return next((words for words in shown if words in text and words not in given), None)


def shape_fault(kind: str, answer: Answer) -> str | None:
    """Say how an error differs from the one shape of errors."""
    if kind == "page":
        page = answer.headers.get("content-type", "").startswith("text/html")
        return None if page else "an error of a page that is no page"
    try:
        found = json.loads(answer.body)
    except ValueError:
        return "an error that is not JSON"
    return _protocol_fault(found, answer.status) if kind == "protocol" else _api_fault(found)


def _protocol_fault(found: Any, status: int) -> str | None:
    if not isinstance(found, dict) or set(found) != {"error_code", "message"}:
        return "not MLflow's shape"
    code, message = found["error_code"], found["message"]
    if not isinstance(message, str) or not message:
        return "an error without words"
    # BAD_REQUEST also stands for what HTTP itself has other statuses for.
    known = STATUS.get(code) == status or (code == "BAD_REQUEST" and 400 <= status < 500)
    return None if known else f"{code} with status {status}"


def _api_fault(found: Any) -> str | None:
    try:
        ErrorResponse.model_validate(found)
    except ValueError:
        return "not our shape"
    return None


def summary(faults: Iterable[str], seed: int) -> str:
    """Write what a failing test shows: each request can be sent again from it."""
    listed = list(faults)
    shown = "\n".join(listed[:15])
    return f"{len(listed)} faults with MLTRACK_TEST_FUZZ_SEED={seed}:\n{shown}"
