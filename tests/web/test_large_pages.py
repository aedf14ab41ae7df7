"""Pages stay small and quick however much was logged."""

from __future__ import annotations

import httpx
import pytest

from airflow_mltrack.tracking.client import TrackingClient
from airflow_mltrack.web.pages import SHOWN
from airflow_mltrack.web.run_table import ROWS


def test_run_with_very_many_params_says_how_many_are_left_out(
    client: TrackingClient, browser: httpx.Client
) -> None:
    with client.start_run("wide", experiment="credit") as run:
        run.log_params({f"p{number:05}": "v" * 200 for number in range(10_000)})

    page = browser.get(f"/runs/{run.run_id}")

    assert page.status_code == 200
    assert len(page.text) < 400_000
    assert f"{SHOWN} of 10,000" in page.text
    assert "p00000" in page.text
    assert len(browser.get("/").text) < 100_000


def test_children_come_in_pages_that_repeat_none(
    client: TrackingClient, browser: httpx.Client
) -> None:
    with client.start_run("parent", experiment="credit") as parent:
        pass
    with client.store.transaction() as tx:
        experiment = parent.experiment_id
        ids = {
            tx.runs.open(experiment_id=experiment, parent_run_id=parent.run_id)[0].run_id
            for _ in range(ROWS + 20)
        }

    first = browser.get(f"/runs/{parent.run_id}").text
    link = first.split('href="?page_token=')[1].split('"')[0]
    second = browser.get(f"/runs/{parent.run_id}?page_token={link}").text

    on_first = {run_id for run_id in ids if run_id in first}
    on_second = {run_id for run_id in ids if run_id in second}
    assert (len(on_first), len(on_second)) == (ROWS, 20)
    assert on_first | on_second == ids
    assert "Next page" not in second


@pytest.mark.parametrize("token", ["x", "'; DROP TABLE runs", "%00"])
def test_page_token_that_is_none_is_the_readers_error(
    client: TrackingClient, browser: httpx.Client, token: str
) -> None:
    with client.start_run("parent") as parent:
        pass

    assert browser.get(f"/runs/{parent.run_id}", params={"page_token": token}).status_code == 400
