from __future__ import annotations

import httpx
import pytest

from airflow_mltrack.entities.stages import GATED
from airflow_mltrack.tracking.client import TrackingClient
from tests.web.conftest import POLICY, AddModelVersion


def test_model_is_made_shown_and_listed(api: httpx.Client) -> None:
    made = api.post(
        "/models",
        json={"name": "credit default é", "description": "Scores.", "tags": {"team": "risk"}},
    )

    assert made.status_code == 201
    shown = api.get("/models/credit%20default%20%C3%A9")
    assert shown.status_code == 200
    assert shown.headers["cache-control"] == "no-store"
    assert shown.json() == made.json()
    assert (shown.json()["tags"], shown.json()["live_version"]) == ({"team": "risk"}, None)
    assert shown.json()["stages"]["profile"] == "open"
    assert [model["name"] for model in api.get("/models").json()["models"]] == ["credit default é"]
    again = api.post("/models", json={"name": "credit default é"})
    assert (again.status_code, again.json()["error"]["code"]) == (409, "CONFLICT")


@pytest.mark.parametrize("name", ["a/b", "a:b", "", " ", "x" * 251, "a\nb"])
def test_name_that_could_not_stand_in_an_address_is_refused(api: httpx.Client, name: str) -> None:
    assert api.post("/models", json={"name": name}).status_code == 400


def test_models_and_versions_come_in_pages_that_repeat_none(
    api: httpx.Client, client: TrackingClient
) -> None:
    with client.store.transaction() as tx:
        for number in range(5):
            tx.registry.create_model(f"m{number}")
            tx.registry.create_version("m0", source=f"models:/{number}")

    names, versions = [], []
    token: str | None = None
    for _ in range(3):
        page = api.get("/models", params={"limit": 2, **({"page_token": token} if token else {})})
        names += [model["name"] for model in page.json()["models"]]
        token = page.json()["next_page_token"]
    assert (names, token) == (["m0", "m1", "m2", "m3", "m4"], None)
    for _ in range(2):
        page = api.get(
            "/models/m0/versions", params={"limit": 3, **({"page_token": token} if token else {})}
        )
        versions += [version["version"] for version in page.json()["versions"]]
        token = page.json()["next_page_token"]
    assert (versions, token) == ([5, 4, 3, 2, 1], None)


def test_version_says_where_it_may_go_and_what_it_lacks(
    api: httpx.Client, register: AddModelVersion
) -> None:
    register(stages="gated", gates=POLICY)
    api.post("/models/credit/versions/1/transitions", json={"stage": "Staging"})

    version = api.get("/models/credit/versions/1").json()

    moves = {move["asks"]["to"]: move for move in version["next_moves"]}
    assert set(moves) == {"Production", "Archived"}
    live = moves["Production"]
    assert live["asks"] == {
        "from": "Staging",
        "to": "Production",
        "verdict": True,
        "approvals": 1,
        "approval_days": 30.0,
        "reason": True,
    }
    assert "no verdict exists for this version" in live["missing"]
    assert "ada registered this version" in str(live["may_not_approve"]) or "ada trained" in str(
        live["may_not_approve"]
    )
    assert moves["Archived"]["missing"] == []


def test_run_is_named_to_those_only_who_may_see_its_dag(
    api: httpx.Client, client: TrackingClient
) -> None:
    from airflow_mltrack.entities.runs import task_identity

    identity = task_identity(ti_id="1", dag_id="secret", dag_run_id="r", task_id="fit")
    with client.start_run("fit", identity=identity) as run:
        pass
    with client.store.transaction() as tx:
        tx.registry.create_model("m")
        tx.registry.create_version("m", source="x", run_id=run.run_id)

    for path in ("/models/m/versions", "/models/m/versions/1"):
        assert run.run_id not in api.get(path).text
        assert run.run_id in api.get(path, headers={"x-dags": "secret"}).text
    assert api.get("/models/m/versions/1/evidence").status_code == 404


def test_rules_are_changed_as_a_whole_and_recorded(api: httpx.Client) -> None:
    api.post("/models", json={"name": "m"})

    changed = api.patch(
        "/models/m/policy", json={"gates": POLICY, "stages": "gated", "reason": "New rules."}
    )
    assert changed.status_code == 200
    assert changed.json()["gates"] == POLICY
    assert changed.json()["stages"]["profile"] == "gated"
    again = api.patch("/models/m/policy", json={"stages": GATED.to_json()})
    assert again.json()["stages"] == changed.json()["stages"]
    events = api.get("/models/m/history").json()["events"]
    assert [event["kind"] for event in events] == ["created", "policy"]
    assert (events[1]["actor"], events[1]["reason"]) == ("olga", "New rules.")
    assert api.patch("/models/m/policy", json={"gates": {}}).json()["gates"] == {}


def test_stage_graph_that_is_shown_can_be_sent_back(api: httpx.Client) -> None:
    api.post("/models", json={"name": "m"})
    graph = api.get("/models/m").json()["stages"]
    profile = graph.pop("profile")
    graph["edges"][0]["reason"] = True

    changed = api.patch("/models/m/policy", json={"stages": graph}).json()["stages"]

    assert (profile, changed.pop("profile")) == ("open", "custom")
    assert changed == graph


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"gates": None},
        {"gates": {"checks": [{"metric": "auk", "min": 0.7}]}},
        {"gates": {"checks": []}},
        {"gates": "auc"},
        {"stages": "closed"},
        {"stages": {"stages": ["a", "b"], "exclusive": "c", "edges": []}},
        {"stages": ["open"]},
        {"gates": POLICY, "force": True},
    ],
)
def test_rules_that_are_none_are_refused(api: httpx.Client, body: object) -> None:
    api.post("/models", json={"name": "m"})

    assert api.patch("/models/m/policy", json=body).status_code == 400
    assert len(api.get("/models/m/history").json()["events"]) == 1


def test_rules_that_are_nested_without_end_are_refused(api: httpx.Client) -> None:
    api.post("/models", json={"name": "m"})
    for opened, closed in (('{"a":', "}"), ("[", "]")):
        text = '{"gates": {"checks": ' + opened * 900 + "1" + closed * 900 + "}}"
        answer = api.patch(
            "/models/m/policy", content=text, headers={"content-type": "application/json"}
        )
        assert answer.status_code == 400
        assert "levels deep" in answer.text


def test_alias_is_set_moved_and_taken_away(api: httpx.Client, client: TrackingClient) -> None:
    api.post("/models", json={"name": "m"})
    with client.store.transaction() as tx:
        for number in range(2):
            tx.registry.create_version("m", source=f"models:/{number}")

    for version in (1, 2):
        answer = api.put(
            "/models/m/aliases/champion", json={"version": version, "reason": "It is."}
        )
        assert answer.json() == {"name": "m", "alias": "champion", "version": version}
    assert api.get("/models/m").json()["aliases"] == {"champion": 2}
    gone = api.delete("/models/m/aliases/champion", params={"reason": "No more."})
    assert gone.json()["version"] is None
    assert api.get("/models/m").json()["aliases"] == {}
    events = api.get("/models/m/history").json()["events"]
    assert [event["reason"] for event in events[1:]] == ["It is.", "It is.", "No more."]
    for alias in ("v7", "latest", "a%20b"):
        assert api.put(f"/models/m/aliases/{alias}", json={"version": 1}).status_code == 400, alias
    assert api.put("/models/m/aliases/a", json={"version": 9}).status_code == 404
