"""Everything below our address is answered by us, also what has a line end in it."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_mltrack.cli.server import build_server
from tests.web.routes import ask

# Nobody holds a token: no request gets past the guards, so no client is ever asked for.
SERVER = build_server(None, {})  # type: ignore[arg-type]


@pytest.mark.parametrize("root", ["", "/mltrack"])
@pytest.mark.parametrize("end", ["%0A", "a%0Ab", "%0D%0A", "a/%0A/b", "%E2%80%A8", "%0B"])
def test_an_address_with_a_line_end_gets_our_errors(root: str, end: str) -> None:
    def found(path: str) -> Any:
        answer = ask(SERVER, "GET", f"{root}{path}{end}")
        assert answer.status_code in (401, 404)
        return answer

    for place in ("/api/2.0", "/ajax-api/2.0", "/api/3.0", "/ajax-api/3.0"):
        assert set(found(f"{place}/mlflow/logged-models/").json()) == {"error_code", "message"}
    assert set(found("/api/v1/models/").json()) == {"error"}
    assert found("/models/").headers["content-type"].startswith("text/html")


def test_a_key_with_a_line_end_leads_to_its_endpoint() -> None:
    answer = ask(SERVER, "DELETE", "/mltrack/api/2.0/mlflow/logged-models/m/tags/a%0Ab")
    assert answer.status_code == 401
    assert answer.json()["error_code"] == "UNAUTHENTICATED"
