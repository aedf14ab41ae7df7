"""Addresses that MLflow's client prints lead to our pages, in a real browser."""

from __future__ import annotations

import base64
import hashlib
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

from airflow_mltrack.tracking.client import TrackingClient
from airflow_mltrack.web.announcing import to_nobody
from airflow_mltrack.web.mlflow_links import SOURCE
from airflow_mltrack.web.standalone import OpenAccess
from tests.web.conftest import serve

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
NAME = "credit risk & more"


@pytest.fixture
def address(client: TrackingClient) -> Iterator[str]:
    """Give the address of a server that is open on loopback."""
    with serve(client, OpenAccess(), to_nobody) as address:
        yield address


def test_only_the_home_page_may_run_a_script_and_only_this_one(
    client: TrackingClient, address: str
) -> None:
    with client.start_run("fit", experiment="e"):
        pass
    home = httpx.get(f"{address}/")
    [script] = re.findall("<script>(.*?)</script>", home.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"'sha256-{digest}'" == SOURCE
    policy = home.headers["content-security-policy"]
    assert policy.endswith(f"; script-src {SOURCE}")
    assert "default-src 'none'" in policy
    other = httpx.get(f"{address}/experiments/1").headers["content-security-policy"]
    assert "script-src" not in other


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
@pytest.mark.parametrize(
    ("link", "title"),
    [
        ("#/experiments/1/runs/{run}/model-metrics", "fitted"),
        ("#/experiments/1/overview?a=b", "loans"),
        (f"#/models/{quote(NAME)}/versions/3", "credit risk &amp; more"),
        ("#/nothing", "MLTrack"),
        ("#/models/..%2f..%2fother", "404"),
    ],
)
def test_a_printed_link_opens_the_page_of_the_thing(
    client: TrackingClient, address: str, tmp_path: Path, link: str, title: str
) -> None:
    with client.start_run("fitted", experiment="loans") as run:
        pass
    with client.store.transaction() as tx:
        tx.registry.create_model(NAME)
    assert f"<h1>{title}" in opened(f"{address}/{link.format(run=run.run_id)}", tmp_path)


def opened(url: str, directory: Path) -> str:
    """Open an address in Chromium; return the page that is there in the end."""
    options = ("--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=3000")
    profile = f"--user-data-dir={directory / 'profile'}"
    return subprocess.run(
        [str(CHROMIUM), *options, profile, "--dump-dom", url],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    ).stdout
