"""Requests as clients in other languages send them, and what is wrong with bad ones."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.web.mlflow.conftest import Rest


def run_of(rest: Rest, run_id: str) -> Any:
    return rest.get("/runs/get", run_id=run_id)["run"]


def test_whole_numbers_come_as_text_and_go_as_numbers(rest: Rest) -> None:
    made = rest.post("/runs/create", {"experiment_id": "0", "start_time": "1700000000123"})
    run_id = made["run"]["info"]["run_id"]
    assert made["run"]["info"]["start_time"] == 1700000000123
    point = {"run_id": run_id, "key": "auc", "value": "0.5", "timestamp": "17", "step": "-3"}
    rest.post("/runs/log-metric", point)
    [metric] = run_of(rest, run_id)["data"]["metrics"]
    assert metric == {"key": "auc", "value": 0.5, "timestamp": 17, "step": -3}


def test_clients_of_mlflow_1_find_models_below_preview(rest: Rest, name: str) -> None:
    place = "../../2.0/preview/mlflow/registered-models"
    assert rest.ask("POST", f"{place}/create", {"name": name}).status_code == 200
    found = rest.ask("GET", f"{place}/get", params={"name": name}).json()
    assert found == rest.get("/registered-models/get", name=name)
    status, words = rest.refused("GET", "../../2.0/preview/mlflow/nothing")
    assert (status, words.partition(":")[0]) == (404, "ENDPOINT_NOT_FOUND")


def test_names_come_in_both_spellings_but_not_at_once(rest: Rest, run_id: str) -> None:
    rest.post("/runs/log-metric", {"runId": run_id, "key": "a", "value": 1, "timestamp": 1})
    rest.post("/runs/set-tag", {"runUuid": run_id, "key": "t", "value": "v"})
    rest.post("/runs/search", {"experimentIds": ["0"], "runViewType": "ALL", "maxResults": "5"})
    status, words = rest.refused(
        "POST", "/runs/set-tag", {"runId": run_id, "run_id": run_id, "key": "t", "value": "v"}
    )
    assert status == 400
    assert "given twice, as run_id and as runId" in words


def test_get_reads_a_body_when_there_is_no_query(rest: Rest, run_id: str) -> None:
    found = rest.ask("GET", "/runs/get", {"run_id": run_id})
    assert found.status_code == 200
    assert found.json()["run"]["info"]["run_id"] == run_id


def test_delete_reads_a_body(rest: Rest, name: str) -> None:
    rest.post("/registered-models/create", {"name": name, "tags": [{"key": "k", "value": "v"}]})
    gone = rest.ask("DELETE", "/registered-models/delete-tag", {"name": name, "key": "k"})
    assert (gone.status_code, gone.json()) == (200, {})
    assert rest.get("/registered-models/get", name=name)["registered_model"]["tags"] == []
    assert rest.ask("DELETE", "/registered-models/delete", {"name": name}).status_code == 200
    assert rest.refused("GET", "/registered-models/get", params={"name": name})[0] == 404


def test_enums_come_as_names_and_as_numbers(rest: Rest, run_id: str) -> None:
    for sent, kept in ((4, "FAILED"), ("KILLED", "KILLED"), ("1", "RUNNING")):
        rest.post("/runs/update", {"run_id": run_id, "status": sent})
        assert run_of(rest, run_id)["info"]["status"] == kept
    rest.get("/experiments/search", max_results=5, view_type="3")
    status, words = rest.refused("POST", "/runs/update", {"run_id": run_id, "status": "BOGUS"})
    assert status == 400
    assert "'status'" in words
    assert "RUNNING, SCHEDULED" in words


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ('"NaN"', "NaN"),
        ("NaN", "NaN"),
        ('"Infinity"', "Infinity"),
        ("Infinity", "Infinity"),
        ('"-Infinity"', "-Infinity"),
        ("1e308", 1e308),
        ('"-2.5e-3"', -0.0025),
        ("3", 3),
    ],
)
def test_doubles_come_in_every_form(rest: Rest, run_id: str, sent: str, kept: object) -> None:
    body = f'{{"run_id": "{run_id}", "key": "v", "value": {sent}, "timestamp": 1}}'
    answer = rest.ask(
        "POST", "/runs/log-metric", content=body, headers={"content-type": "application/json"}
    )
    assert answer.status_code == 200, answer.text
    [metric] = run_of(rest, run_id)["data"]["metrics"]
    assert metric["value"] == kept


def test_unknown_fields_and_nulls_do_not_count(rest: Rest, run_id: str) -> None:
    body = {"run_id": run_id, "key": "auc", "value": 1, "timestamp": 1, "step": None}
    rest.post("/runs/log-metric", {**body, "model_id": None, "colour": {"deep": [1]}})
    rest.post("/runs/update", {"run_id": run_id, "status": None, "run_name": None})
    assert run_of(rest, run_id)["info"]["status"] == "RUNNING"
    status, words = rest.refused("POST", "/runs/log-metric", {**body, "value": None})
    assert status == 400
    assert "required parameter 'value'" in words


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/runs/log-metric", {"key": 7}, "key"),
        ("/runs/log-metric", {"value": "abc"}, "value"),
        ("/runs/log-metric", {"value": "1_000"}, "value"),
        ("/runs/log-metric", {"value": " 1"}, "value"),
        ("/runs/log-metric", {"value": True}, "value"),
        ("/runs/log-metric", {"value": [1]}, "value"),
        ("/runs/log-metric", {"timestamp": "soon"}, "timestamp"),
        ("/runs/log-metric", {"timestamp": 1.5}, "timestamp"),
        ("/runs/log-metric", {"timestamp": 2**63}, "timestamp"),
        ("/runs/log-metric", {"timestamp": -1}, "timestamp"),
        ("/runs/log-metric", {"step": "1e3"}, "step"),
        ("/runs/log-metric", {"step": False}, "step"),
        ("/runs/set-tag", {"key": "k", "value": {"a": 1}}, "value"),
        ("/runs/set-tag", {"key": "k\x00", "value": "v"}, "key"),
        ("/runs/set-tag", {"key": "", "value": "v"}, "key"),
        ("/runs/log-batch", {"metrics": {"key": "a"}}, "metrics"),
        ("/runs/log-batch", {"metrics": ["a"]}, "metrics[0]"),
        ("/runs/log-batch", {"params": [{"key": "a"}, {"value": "b"}]}, "params[1].key"),
        (
            "/runs/log-batch",
            {"metrics": [{"key": "a", "value": 1, "timestamp": 1}, {"key": "b", "value": 1}]},
            "metrics[1].timestamp",
        ),
        ("/runs/search", {"experiment_ids": "0"}, "experiment_ids"),
        ("/runs/search", {"experiment_ids": ["0"], "max_results": "many"}, "max_results"),
        ("/runs/search", {"experiment_ids": ["one"]}, "experiment_id"),
        ("/experiments/search", {}, "max_results"),
        ("/logged-models", {"experiment_id": "0", "name": "a/b"}, "name"),
    ],
)
def test_a_wrong_type_is_told_with_its_field(
    rest: Rest, run_id: str, path: str, body: dict[str, Any], field: str
) -> None:
    point = {"run_id": run_id, "key": "auc", "value": 1.0, "timestamp": 1, "step": 0}
    sent = {**point, **body} if "metric" in path else {"run_id": run_id, **body}
    status, words = rest.refused("POST", path, sent)
    assert status == 400
    assert words.startswith("INVALID_PARAMETER_VALUE: ")
    assert field in words
    assert run_of(rest, run_id)["data"]["metrics"] == []


@pytest.mark.parametrize(
    "body",
    [b"[]", b'"text"', b"{", b"\xff\xfe", b"7", b"[" * 100_000, b'{"a": ' * 50_000],
    ids=["list", "text", "cut off", "no UTF-8", "number", "deep list", "deep object"],
)
def test_a_body_that_is_no_object_is_refused(rest: Rest, body: bytes) -> None:
    status, words = rest.refused(
        "POST", "/runs/create", content=body, headers={"content-type": "application/json"}
    )
    assert status == 400
    assert words.startswith("BAD_REQUEST: ")


def test_a_form_is_no_json(rest: Rest) -> None:
    status, words = rest.refused("POST", "/runs/create", data={"experiment_id": "0"})
    assert status == 400
    assert "application/x-www-form-urlencoded" in words


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/nothing"),
        ("POST", "/runs/create/"),
        ("PUT", "/runs/create"),
        ("GET", "/runs/create"),
        ("POST", "/experiments"),
        ("DELETE", "/"),
    ],
)
def test_an_unknown_path_is_an_unknown_endpoint(rest: Rest, method: str, path: str) -> None:
    status, words = rest.refused(method, path)
    assert status == 404
    assert words.startswith("ENDPOINT_NOT_FOUND: ")


@pytest.mark.parametrize("family", ["traces", "prompts/x", "gateway/endpoints", "scorers/list"])
def test_parts_that_are_not_done_say_so(rest: Rest, family: str) -> None:
    status, words = rest.refused("POST", f"/{family}", {"anything": 1})
    assert status == 501
    assert words.startswith("NOT_IMPLEMENTED: ")


def test_a_batch_has_limits(rest: Rest, run_id: str) -> None:
    many = [{"key": f"k{number}", "value": "1"} for number in range(101)]
    points = [{**item, "timestamp": 1} for item in many * 10]
    for batch, fact in (
        ({"params": many}, "at most 100 params. Got 101"),
        ({"tags": many}, "at most 100 tags. Got 101"),
        ({"metrics": points}, "at most 1000 metrics. Got 1010"),
        ({"metrics": points[:1000], "tags": many[:1]}, "at most 1000 metrics, params and tags"),
        ({"params": [many[0], many[0]]}, "Duplicate parameter keys"),
    ):
        status, words = rest.refused("POST", "/runs/log-batch", {"run_id": run_id, **batch})
        assert status == 400
        assert fact in words


@pytest.mark.parametrize(
    ("path", "body", "facts"),
    [
        ("/runs/set-tag", {"key": "k" * 251, "value": ""}, ("250", "tag key")),
        ("/runs/log-parameter", {"key": "a/../b", "value": ""}, ("'..'", "param key")),
        ("/runs/log-metric", {"key": "a\nb", "value": 1, "timestamp": 1}, ("metric key",)),
        ("/experiments/create", {"name": "n" * 501}, ("500", "experiment")),
        ("/experiments/create", {"name": "   "}, ("experiment",)),
        ("/registered-models/create", {"name": "a/b"}, ("a/b",)),
        ("/registered-models/create", {"name": "n" * 251}, ("250",)),
        (
            "/experiments/create",
            {"name": "x", "artifact_location": "s3://b"},
            ("artifact_location",),
        ),
        (
            "/experiments/set-experiment-tag",
            {"experiment_id": "0", "key": "k", "value": "v" * 20_001},
            ("20000",),
        ),
    ],
)
def test_names_and_values_have_limits(
    rest: Rest, run_id: str, path: str, body: dict[str, Any], facts: tuple[str, ...]
) -> None:
    status, words = rest.refused("POST", path, {"run_id": run_id, **body})
    assert status == 400
    assert words.startswith("INVALID_PARAMETER_VALUE: ")
    for fact in facts:
        assert fact in words


def test_long_values_of_runs_are_cut_off_as_mlflow_does(rest: Rest, run_id: str) -> None:
    rest.post("/runs/log-parameter", {"run_id": run_id, "key": "p", "value": "v" * 7_000})
    rest.post("/runs/set-tag", {"run_id": run_id, "key": "t", "value": "v" * 9_000})
    data = run_of(rest, run_id)["data"]
    assert len(data["params"][0]["value"]) == 6_000
    assert {item["key"]: len(item["value"]) for item in data["tags"]}["t"] == 8_000


def test_answers_hold_no_number_that_json_does_not_know(rest: Rest, run_id: str) -> None:
    rest.post("/runs/log-metric", {"run_id": run_id, "key": "v", "value": "NaN", "timestamp": 1})
    answer = rest.ask("GET", "/metrics/get-history", params={"run_id": run_id, "metric_key": "v"})

    def refuse(word: str) -> None:
        raise AssertionError(word)

    assert json.loads(answer.text, parse_constant=refuse)["metrics"][0]["value"] == "NaN"


@pytest.mark.parametrize("token", ["-1", "x", "9" * 30, "1.5", "eyJvZmZzZXQiOiAxfQ==", "٣"])
@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/metrics/get-history", {"metric_key": "a"}),
        ("/registered-models/search", {}),
        ("/model-versions/search", {}),
        ("/experiments/search", {"max_results": 1}),
    ],
)
def test_a_forged_page_token_is_refused(
    rest: Rest, run_id: str, path: str, query: dict[str, Any], token: str
) -> None:
    status, words = rest.refused(
        "GET", path, params={"run_id": run_id, **query, "page_token": token}
    )
    assert status == 400
    assert "page_token" in words


def test_a_model_is_not_closed_without_a_status(rest: Rest) -> None:
    made = rest.post("/logged-models", {"experiment_id": "0"})["model"]["info"]
    status, words = rest.refused("PATCH", f"/logged-models/{made['model_id']}", {})
    assert status == 400
    assert "required parameter 'status'" in words
