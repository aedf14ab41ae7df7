from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from airflow_mltrack.entities.runs import RunIdentity, task_identity
from airflow_mltrack.tracking.client import TrackingClient
from airflow_mltrack.web.app import create_app
from tests.web.conftest import HeaderAccess

HOSTILE = "<script>alert(1)</script>"


def _task(dag_id: str, task_id: str = "fit") -> RunIdentity:
    return task_identity(
        ti_id=f"{dag_id}-{task_id}", dag_id=dag_id, dag_run_id="manual__1", task_id=task_id
    )


def _logged_run(client: TrackingClient, dag_id: str = "train") -> str:
    with client.start_run("fit it", experiment="credit", identity=_task(dag_id)) as run:
        run.log_params({"classifier": "lightgbm"})
        run.log_metrics({"auc": 0.7712345678, "odd": float("nan")})
        run.log_text("plain words", "notes/read me.txt")
        run.set_tags({"note": HOSTILE})
        return str(run.run_id)


def test_run_page_shows_what_was_logged_and_escapes_it(
    client: TrackingClient, browser: httpx.Client
) -> None:
    page = browser.get(f"/runs/{_logged_run(client)}")

    assert page.status_code == 200
    for text in (
        "fit it",
        "FINISHED",
        "lightgbm",
        "0.7712<",
        "0.7712345678",
        "NaN",
        "notes/read me.txt",
    ):
        assert text in page.text
    assert "/dags/train/runs/manual__1/tasks/fit" in page.text
    assert HOSTILE not in page.text
    assert "&lt;script&gt;" in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]


def test_home_lists_runs_experiments_and_models(
    client: TrackingClient, browser: httpx.Client
) -> None:
    _logged_run(client)
    with client.store.transaction() as tx:
        tx.registry.create_model("credit / default".replace(" / ", "-"))

    page = browser.get("/")

    assert page.status_code == 200
    for text in ("fit it", "credit-default", 'href="/mltrack/models/credit-default"', "ada"):
        assert text in page.text


def test_experiment_page_filters_and_orders(client: TrackingClient, browser: httpx.Client) -> None:
    for number in range(3):
        with client.start_run(f"trial {number}", experiment="credit") as run:
            run.log_metric("auc", number / 10)
    with client.store.transaction() as tx:
        number = tx.experiments.get_by_name("credit").experiment_id

    page = browser.get(
        f"/experiments/{number}", params={"filter": "metrics.auc >= 0.1", "order_by": "metrics.auc"}
    )

    assert page.status_code == 200
    assert "trial 0" not in page.text
    assert page.text.index("trial 1") < page.text.index("trial 2")


def test_filter_that_is_no_filter_says_where_it_went_wrong(
    client: TrackingClient, browser: httpx.Client
) -> None:
    page = browser.get("/experiments/0", params={"filter": "metrics.auc >"})

    assert page.status_code == 400
    assert "character" in page.text


def test_artifact_is_sent_as_attachment_that_cannot_run(
    client: TrackingClient, browser: httpx.Client
) -> None:
    run_id = _logged_run(client)

    answer = browser.get(f"/runs/{run_id}/artifacts/notes/read%20me.txt")

    assert answer.text == "plain words"
    assert answer.headers["content-disposition"].startswith("attachment;")
    assert answer.headers["content-length"] == str(len("plain words"))
    assert "sandbox" in answer.headers["content-security-policy"]


def test_artifact_whose_bytes_were_changed_is_not_sent_whole(
    client: TrackingClient, browser: httpx.Client
) -> None:
    run_id = _logged_run(client)
    with client.store.transaction() as tx:
        data = tx.runs.data(run_id)
        record = tx.artifacts.get(attempt_id=data.attempt.attempt_id, path="notes/read me.txt")
    Path(client.settings.artifact_uri, record.key).write_text("other words")

    with pytest.raises(httpx.RemoteProtocolError):
        browser.get(f"/runs/{run_id}/artifacts/notes/read%20me.txt")


@pytest.mark.parametrize("path", ["/runs/{run_id}", "/runs/{run_id}/artifacts/notes/read%20me.txt"])
def test_run_of_a_dag_that_the_reader_may_not_see_does_not_exist(
    client: TrackingClient, browser: httpx.Client, path: str
) -> None:
    run_id = _logged_run(client, dag_id="secret")

    assert browser.get(path.format(run_id=run_id)).status_code == 404
    assert run_id not in browser.get("/").text
    allowed = browser.get(path.format(run_id=run_id), headers={"x-dags": "secret"})
    assert allowed.status_code == 200


@pytest.mark.parametrize(
    "path", ["/", "/experiments/0", "/runs/x", "/runs/x/artifacts/y", "/models/x"]
)
def test_browser_without_login_is_sent_to_log_in_and_a_program_gets_401(
    browser: httpx.Client, path: str
) -> None:
    browser.headers.pop("x-reader")

    page = browser.get(path)
    assert page.status_code == 302
    assert page.headers["location"] == f"/login?next=/mltrack{path}"
    assert browser.get(path, headers={"accept": "application/json"}).status_code == 401


def test_what_does_not_exist_is_404_in_words(browser: httpx.Client) -> None:
    for path in ("/runs/nope", "/models/nope", "/experiments/77"):
        page = browser.get(path)
        assert page.status_code == 404
        assert "does not exist" in page.text


def test_every_route_asks_who_is_reading(client: TrackingClient) -> None:
    app = create_app(lambda: client, HeaderAccess())

    routes = [route for route in app.routes if hasattr(route, "dependant")]
    assert routes
    for route in routes:
        names = {sub.call.__name__ for sub in route.dependant.dependencies}
        assert "guard" in names, route
