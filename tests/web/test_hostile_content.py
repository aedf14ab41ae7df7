"""What people log is text and bytes, never markup, headers or places on the server's disk."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from airflow_mltrack.artifacts.artifact_key import guess_content_type
from airflow_mltrack.entities.artifacts import StoredObject
from airflow_mltrack.tracking.client import TrackingClient
from airflow_mltrack.web import mlflow_links

HOSTILE = "\"'><script>alert(1)</script><img src=x onerror=alert(2)>{{ 7*7 }}"


def _with_file(client: TrackingClient, path: str, content_type: str | None = None) -> str:
    """Log a file, and when asked give it a content type that no file name stands for."""
    with client.start_run("fit") as run:
        run.log_text("<svg onload=alert(1)>", path)
    if content_type is not None:
        with client.store.transaction() as tx:
            old = tx.artifacts.get(attempt_id=run.attempt_id, path=path)
            stored = StoredObject(old.key, old.size, old.sha256, content_type)
            tx.artifacts.record(attempt_id=run.attempt_id, path=path, stored=stored)
    return str(run.run_id)


def test_names_params_tags_and_users_cannot_become_markup(
    client: TrackingClient, browser: httpx.Client
) -> None:
    with client.start_run(HOSTILE, experiment="fit", user=HOSTILE) as parent:
        parent.set_tags({"note": HOSTILE})
        with client.start_run(HOSTILE, experiment="fit", parent=parent) as child:
            child.log_params({"p": HOSTILE})
            child.log_text("x", "a'\"><script>alert(1)<script>.txt")
    with client.store.transaction() as tx:
        tx.registry.create_model("m", description=HOSTILE)
        tx.history.append(
            name="m",
            version=None,
            kind=HOSTILE,
            actor=HOSTILE,
            payload={"reason": HOSTILE, HOSTILE: [HOSTILE]},
        )

    for path in ("/", "/experiments/1", f"/runs/{parent.run_id}", f"/runs/{child.run_id}"):
        page = browser.get(path)
        assert page.status_code == 200
        assert "&lt;script&gt;" in page.text
        ours = f"<script>{mlflow_links.SCRIPT}</script>"
        assert "<script" not in page.text.replace(ours, "", 1)
        assert ours in page.text or path != "/"
        assert "<img src=x" not in page.text
    page = browser.get("/models/m")
    assert "&lt;script&gt;" in page.text
    assert "<script" not in page.text


def test_what_was_typed_into_the_address_cannot_become_markup(browser: httpx.Client) -> None:
    for path in (f"/runs/{HOSTILE}", f"/models/{HOSTILE}", f"/experiments/{HOSTILE}"):
        assert "<script" not in browser.get(path).text
    page = browser.get("/experiments/0", params={"filter": HOSTILE, "order_by": HOSTILE})
    assert page.status_code == 400
    assert "<script" not in page.text


def test_pages_allow_no_foreign_script_and_are_kept_nowhere(browser: httpx.Client) -> None:
    for path in ("/", "/runs/nope", "/nope"):
        headers = browser.get(path).headers
        for part in ("default-src 'none'", "base-uri 'none'", "form-action 'self'"):
            assert part in headers["content-security-policy"]
        sources = headers["content-security-policy"].partition("script-src ")[2]
        assert sources == (mlflow_links.SOURCE if path == "/" else "")
        assert headers["cache-control"] == "no-store"
        assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("name", ["page.html", "image.svg", "doc.xml", "app.js", "x.pdf", "y"])
def test_file_that_could_run_is_downloaded(
    client: TrackingClient, browser: httpx.Client, name: str
) -> None:
    answer = browser.get(f"/runs/{_with_file(client, name)}/artifacts/{name}")

    assert answer.status_code == 200
    assert answer.headers["content-disposition"].startswith("attachment;")
    assert answer.headers["content-security-policy"] == "sandbox; default-src 'none'"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-type"].startswith(guess_content_type(name))


def test_image_is_shown_in_the_page(client: TrackingClient, browser: httpx.Client) -> None:
    run_id = _with_file(client, "plots/roc.png")

    assert (
        f'src="/mltrack/runs/{run_id}/artifacts/plots/roc.png"'
        in browser.get(f"/runs/{run_id}").text
    )
    answer = browser.get(f"/runs/{run_id}/artifacts/plots/roc.png")
    assert answer.headers["content-disposition"].startswith("inline;")
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "content_type",
    ["text/html\r\nSet-Cookie: a=b", "image/png, text/html", "image/png;x=y", "текст/html", ""],
)
def test_content_type_that_is_none_becomes_plain_bytes(
    client: TrackingClient, browser: httpx.Client, content_type: str
) -> None:
    run_id = _with_file(client, "x.bin", content_type)

    answer = browser.get(f"/runs/{run_id}/artifacts/x.bin")

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"].startswith("attachment;")
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    "name",
    [
        'a"; filename="b.exe.txt',
        "a;b'c.txt",
        "Größe 100%.txt",
        "报告.txt",
        "a%0d%0ab.txt",
        "..x.txt",
    ],
)
def test_file_name_stays_inside_its_header(
    client: TrackingClient, browser: httpx.Client, name: str
) -> None:
    run_id = _with_file(client, f"d/{name}")
    page = browser.get(f"/runs/{run_id}").text
    link = page.split(f'href="/mltrack/runs/{run_id}/artifacts/')[1].split('"')[0]

    answer = browser.get(f"/runs/{run_id}/artifacts/{link}")

    assert answer.status_code == 200
    start, quoted = answer.headers["content-disposition"].split("filename*=UTF-8''")
    assert start == "attachment; "
    assert httpx.URL(f"http://x/{quoted}").path == f"/{name}"
    assert not set(quoted) & set("\"'; \r\n")


@pytest.mark.parametrize(
    "path",
    [
        "..%2f..%2fetc%2fpasswd",
        "%2e%2e/%2e%2e/note.txt",
        "%2fetc%2fpasswd",
        "a%5c..%5cb",
        "a%00b",
        "d//note.txt",
        "d",
    ],
)
def test_path_reaches_only_what_the_run_has_logged(
    client: TrackingClient, browser: httpx.Client, path: str
) -> None:
    run_id = _with_file(client, "d/note.txt")

    answer = browser.get(f"/runs/{run_id}/artifacts/{path}")

    assert answer.status_code in (400, 404)
    assert "root:" not in answer.text


def test_head_of_a_file_reads_no_bytes(client: TrackingClient, browser: httpx.Client) -> None:
    run_id = _with_file(client, "note.txt")
    with client.store.transaction() as tx:
        record = tx.artifacts.get(attempt_id=tx.runs.get(run_id).attempt_id, path="note.txt")
    Path(client.settings.artifact_uri, record.key).unlink()

    answer = browser.head(f"/runs/{run_id}/artifacts/note.txt")

    assert answer.status_code == 200
    assert answer.headers["content-length"] == str(record.size)


def test_file_whose_bytes_are_gone_is_an_error_without_places(
    client: TrackingClient, browser: httpx.Client
) -> None:
    run_id = _with_file(client, "note.txt")
    with client.store.transaction() as tx:
        record = tx.artifacts.get(attempt_id=tx.runs.get(run_id).attempt_id, path="note.txt")
    Path(client.settings.artifact_uri, record.key).unlink()

    answer = browser.get(f"/runs/{run_id}/artifacts/note.txt")

    assert answer.status_code == 404
    assert "its bytes are gone" in answer.text
    assert client.settings.artifact_uri not in answer.text
