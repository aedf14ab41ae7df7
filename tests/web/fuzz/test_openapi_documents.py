"""Schemathesis makes requests from our OpenAPI documents: they are true, and nothing fails."""

from __future__ import annotations

import base64
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.web.fuzz.conftest import Target
from tests.web.fuzz.judge import Judge
from tests.web.fuzz.wire import Answer, Sent, request_budget, seed

if TYPE_CHECKING:
    from schemathesis.engine.recorder import ScenarioRecorder

pytestmark = [
    pytest.mark.skipif(sys.version_info < (3, 11), reason="schemathesis needs Python 3.11"),
    pytest.mark.filterwarnings("error::Warning:airflow_mltrack"),
    pytest.mark.filterwarnings("ignore"),
]
_SHARE = 35
"""Percent of all requests. What the coverage phase sends depends on the documents only."""
_OFF = (
    # An id may be of the right form and lead nowhere, a text may be no filter.
    "positive_data_acceptance",
    # Starlette names the methods of one route, not of all with this path.
    "allow_header_conformance",
)
_OFF_FOR_PROTOCOL = (
    # MLflow's clients take 404 and 405 alike; unknown fields are ignored, numbers come as text.
    *("unsupported_method", "negative_data_rejection", "missing_required_header"),
)


def test_the_document_of_the_json_api_is_true(local: Target) -> None:
    _attack(local, "/mltrack/api/v1/openapi.json", "api", _OFF)


def test_the_document_of_the_protocol_is_true(local: Target) -> None:
    _attack(local, "/mltrack/api/2.0/mlflow/openapi.json", "protocol", _OFF + _OFF_FOR_PROTOCOL)


def _attack(target: Target, place: str, kind: str, switched_off: tuple[str, ...]) -> None:
    from schemathesis.engine import events, from_schema
    from schemathesis.openapi import from_dict

    url = f"http://127.0.0.1:{target.port}"
    document = httpx.get(url + place, timeout=60).json()
    count = sum(len(path) for path in document["paths"].values())
    schema = from_dict(document, config=_config(url + document["servers"][0]["url"], switched_off))
    with target.attacked(f"schemathesis, {kind}, {count} operations") as (_, judge):
        untrue: list[str] = []
        for event in from_schema(schema).execute():
            if isinstance(event, events.ScenarioFinished):
                untrue += _look(kind, event.recorder, judge)
            elif isinstance(event, (events.NonFatalError, events.FatalError)):
                untrue.append(repr(event))
    assert untrue[:10] == []


def _config(base_url: str, switched_off: tuple[str, ...]) -> Any:
    from schemathesis.config import SchemathesisConfig

    # About 100 operations in all; an example of the fuzzing phase is a little over one request.
    examples = max(1, (request_budget() * _SHARE // 100 - 3_000) // 130)
    return SchemathesisConfig.from_dict(
        {
            "base-url": base_url,
            "seed": seed(),
            "continue-on-failure": True,
            "request-timeout": 60,
            "cache": {"enabled": False},
            "analysis": {"constants": {"enabled": False}},
            "generation": {"max-examples": examples, "database": "none", "no-shrink": True},
            "phases": {"stateful": {"enabled": False}},
            "checks": {
                # 501 says what is not done; the judge looks at its shape.
                "not_a_server_error": {"expected-statuses": ["2xx", "3xx", "4xx", "501"]},
                **{name: {"enabled": False} for name in switched_off},
            },
        }
    )


def _look(kind: str, recorder: ScenarioRecorder, judge: Judge) -> Iterator[str]:
    """Judge what was answered, and say where a document is not true."""
    for interaction in recorder.interactions.values():
        request, response = interaction.request, interaction.response
        split = urlsplit(request.uri)
        target = f"{split.path}?{split.query}" if split.query else split.path
        body = base64.b64decode(request.encoded_body or "")
        sent = Sent(request.method, target.encode(), body)
        if response is None:
            judge.look(kind, sent, Answer(0))
            continue
        headers = {name.lower(): values[0] for name, values in response.headers.items()}
        judge.look(kind, sent, Answer(response.status_code, headers, response.content or b""))
    for checks in recorder.checks.values():
        for check in checks:
            if check.failure_info is not None:
                failure = check.failure_info.failure
                words = f"{check.name}: {failure.title}: {failure.message}"
                yield f"{words}\n{check.failure_info.code_sample}"
