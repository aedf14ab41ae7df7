"""Who may see, log and promote: Dags that a caller may not see are not there for him."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from airflow_mltrack.entities.runs import RunIdentity
from airflow_mltrack.tracking.client import TrackingClient
from tests.web.conftest import HeaderAccess
from tests.web.mlflow.conftest import House, Rest, serving_protocol

Who = Callable[..., Rest]


@dataclass(frozen=True)
class Secret:
    """A run of Dag ``secret`` and what it left."""

    run_id: str
    model_id: str
    experiment_id: int


@pytest.fixture(scope="module")
def closed(house: House) -> Iterator[str]:
    """Serve with a login; gives the tracking URI."""
    with serving_protocol(house.tracking, HeaderAccess()) as uri:
        yield uri


@pytest.fixture
def who(closed: str) -> Iterator[Who]:
    """Give a function that lets somebody in, with a role, who may see some Dags."""
    opened: list[Rest] = []

    def enter(*dags: str, role: str = "promoter") -> Rest:
        headers = {"x-reader": "eve", "x-dags": ",".join(dags), "x-role": role}
        opened.append(Rest(closed, **headers))
        return opened[-1]

    yield enter
    for rest in opened:
        rest.close()


def log_in_dag(tracking: TrackingClient, dag_id: str, experiment: str) -> Secret:
    key = uuid.uuid4().hex
    identity = RunIdentity(key, f"{key}-1", dag_id=dag_id, dag_run_id="r", task_id="t")
    with tracking.start_run(
        "hidden", experiment=experiment, identity=identity, heartbeat=False
    ) as run:
        run.log_metric("auc", 0.9)
        run.log_text("customers", "data/rows.txt")
        with tracking.store.transaction() as tx:
            found = tx.runs.get(run.run_id)
            made = tx.models.create(
                experiment_id=found.experiment_id,
                name="model",
                run_id=run.run_id,
                attempt_id=tx.runs.data(run.run_id).attempt.attempt_id,
            )
        stored = tracking.artifact_store.put_bytes(f"{made.artifact_root}/MLmodel", b"{}")
        with tracking.store.transaction() as tx:
            tx.artifacts.record(model_id=made.model_id, path="MLmodel", stored=stored)
            tx.models.finalize(made.model_id, digest="a" * 64, size=2, manifest={})
    return Secret(run.run_id, made.model_id, found.experiment_id)


@pytest.fixture
def secret(house: House, name: str) -> Secret:
    return log_in_dag(house.tracking, "secret", name)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/runs/get", {"run_id": "{run}"}),
        ("POST", "/runs/update", {"run_id": "{run}", "status": "FAILED"}),
        ("POST", "/runs/delete", {"run_id": "{run}"}),
        ("POST", "/runs/restore", {"run_id": "{run}"}),
        ("POST", "/runs/set-tag", {"run_id": "{run}", "key": "k", "value": "v"}),
        ("POST", "/runs/log-parameter", {"run_id": "{run}", "key": "k", "value": "v"}),
        ("POST", "/runs/log-batch", {"run_id": "{run}"}),
        ("POST", "/runs/log-inputs", {"run_id": "{run}"}),
        ("POST", "/runs/log-metric", {"run_id": "{run}", "key": "k", "value": 1, "timestamp": 1}),
        ("POST", "/runs/outputs", {"run_id": "{run}", "models": [{"model_id": "{model}"}]}),
        ("POST", "/runs/outputs", {"run_id": "{own}", "models": [{"model_id": "{model}"}]}),
        ("POST", "/runs/log-inputs", {"run_id": "{own}", "models": [{"model_id": "{model}"}]}),
        (
            "POST",
            "/runs/log-metric",
            {"run_id": "{own}", "key": "k", "value": 1, "timestamp": 1, "model_id": "{model}"},
        ),
        ("GET", "/metrics/get-history", {"run_id": "{run}", "metric_key": "auc"}),
        ("GET", "/metrics/get-history-bulk", {"run_id": ["{run}"], "metric_key": "auc"}),
        ("GET", "/artifacts/list", {"run_id": "{run}"}),
        ("GET", "/logged-models/{model}", {}),
        ("PATCH", "/logged-models/{model}", {"status": "LOGGED_MODEL_READY"}),
        ("PATCH", "/logged-models/{model}/tags", {"tags": [{"key": "k", "value": "v"}]}),
        ("POST", "/logged-models/{model}/params", {"params": [{"key": "k", "value": "v"}]}),
        ("DELETE", "/logged-models/{model}", {}),
        ("GET", "/logged-models/{model}/artifacts/directories", {}),
        ("POST", "/logged-models", {"experiment_id": "0", "source_run_id": "{run}"}),
        ("POST", "/model-versions/create", {"name": "{name}", "source": "models:/{model}"}),
        ("POST", "/model-versions/create", {"name": "{name}", "source": "runs:/{run}/model"}),
        ("POST", "/model-versions/create", {"name": "{name}", "source": "runs:/{run}/data"}),
        (
            "POST",
            "/model-versions/create",
            {"name": "{name}", "source": "mlflow-artifacts:/0/models/{model}/artifacts"},
        ),
    ],
)
def test_what_belongs_to_a_dag_that_one_may_not_see_is_not_found(
    who: Who, secret: Secret, name: str, method: str, path: str, body: dict[str, Any]
) -> None:
    eve = who("other")
    eve.post("/registered-models/create", {"name": name})
    own = eve.post("/runs/create", {"experiment_id": "0"})["run"]["info"]["run_id"]

    def filled(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: filled(item) for key, item in value.items()}
        if isinstance(value, list):
            return [filled(item) for item in value]
        if not isinstance(value, str):
            return value
        return value.format(run=secret.run_id, model=secret.model_id, own=own, name=name)

    sent = {"params": filled(body)} if method == "GET" else {"body": filled(body)}
    status, words = eve.refused(method, filled(path), **sent)
    assert status == 404, words
    assert words.startswith("RESOURCE_DOES_NOT_EXIST: ")
    assert "secret" not in words


def test_searches_leave_them_out(who: Who, secret: Secret) -> None:
    experiments = {"experiment_ids": [str(secret.experiment_id)]}
    for dags, expected in ((("other",), 0), (("secret",), 1)):
        caller = who(*dags)
        assert len(caller.post("/runs/search", experiments)["runs"]) == expected
        assert len(caller.post("/logged-models/search", experiments)["models"]) == expected


def test_data_sets_of_an_experiment_are_those_of_runs_that_one_may_see(
    house: House, who: Who, secret: Secret
) -> None:
    experiments = {"experiment_ids": [str(secret.experiment_id)]}
    body = {"experiment_id": str(secret.experiment_id)}
    ada, eve = who("secret"), who("other")
    for run_id in (secret.run_id, eve.post("/runs/create", body)["run"]["info"]["run_id"]):
        name = "hidden" if run_id == secret.run_id else "open"
        for context in ("train", "eval", "train"):
            read = {
                "dataset": {"name": name, "digest": "d"},
                "tags": [{"key": "mlflow.data.context", "value": context}],
            }
            ada.post("/runs/log-inputs", {"run_id": run_id, "datasets": [read]})
    expected = [
        {"experiment_id": body["experiment_id"], "name": name, "digest": "d", "context": context}
        for name in ("hidden", "open")
        for context in ("eval", "train")
    ]
    path = "/experiments/search-datasets"
    assert ada.post(path, experiments)["dataset_summaries"] == expected
    assert eve.post(path, experiments)["dataset_summaries"] == expected[2:]
    ada.post("/runs/delete", {"run_id": secret.run_id})
    assert ada.post(path, experiments)["dataset_summaries"] == expected[2:]
    status, words = ada.refused("POST", path, {"experiment_ids": ["0"] * 21})
    assert (status, "at most 20" in words) == (400, True)


def test_who_may_see_the_dag_sees_its_run(who: Who, secret: Secret) -> None:
    ada = who("secret")
    run = ada.get("/runs/get", run_id=secret.run_id)["run"]
    assert run["data"]["metrics"][0]["value"] == 0.9
    assert ada.get(f"/logged-models/{secret.model_id}")["model"]["info"]["name"] == "model"


def test_an_experiment_goes_only_with_runs_that_one_may_edit(who: Who, secret: Secret) -> None:
    body = {"experiment_id": str(secret.experiment_id)}
    for path in ("/experiments/delete", "/experiments/restore"):
        if path.endswith("restore"):
            who("secret").post("/experiments/delete", body)
        status, words = who("other").refused("POST", path, body)
        assert status == 403
        assert words.startswith("PERMISSION_DENIED: ")
        assert "secret" not in words
    who("secret").post("/experiments/restore", body)


def test_a_child_of_a_run_that_one_may_not_see_is_a_run_with_a_tag(
    who: Who, secret: Secret
) -> None:
    tags = [{"key": "mlflow.parentRunId", "value": secret.run_id}]
    made = who("other").post("/runs/create", {"experiment_id": "0", "tags": tags})["run"]
    assert tags[0] in made["data"]["tags"]
    hidden = who("secret").post("/runs/search", {"experiment_ids": [str(secret.experiment_id)]})
    assert [run["info"]["run_id"] for run in hidden["runs"]] == [secret.run_id]


@pytest.mark.parametrize(
    ("role", "path", "allowed"),
    [
        ("", "/runs/create", False),
        ("writer", "/runs/create", True),
        ("writer", "/registered-models/alias", False),
        ("writer", "/model-versions/transition-stage", False),
        ("promoter", "/model-versions/transition-stage", True),
    ],
)
def test_logging_and_promoting_are_permissions(
    who: Who, role: str, path: str, allowed: bool
) -> None:
    answer = who(role=role).ask("POST", path, {})
    assert (answer.status_code == 403) is not allowed
    if not allowed:
        assert answer.json()["error_code"] == "PERMISSION_DENIED"


def test_nobody_is_let_in_without_a_login(closed: str) -> None:
    stranger = Rest(closed)
    for method, path in (("GET", "/runs/get"), ("POST", "/runs/create"), ("GET", "/traces")):
        status, words = stranger.refused(method, path)
        assert status == 401
        assert words.startswith("UNAUTHENTICATED: ")
    stranger.close()
