"""Names and values in an evidence pack were chosen by whoever logs runs: they stay text."""

from __future__ import annotations

import zipfile
from html.parser import HTMLParser
from pathlib import Path

import pytest
import yaml
from markdown_it import MarkdownIt

from airflow_mltrack.entities.inputs import DatasetRecord
from airflow_mltrack.entities.registry import ModelVersion
from airflow_mltrack.entities.verdicts import CheckResult
from airflow_mltrack.lifecycle.approval import approve
from airflow_mltrack.lifecycle.evidence.verifier import find_faults
from airflow_mltrack.lifecycle.promotion import promote
from airflow_mltrack.lifecycle.registration import register_model, set_alias
from airflow_mltrack.tracking.client import TrackingClient
from tests.lifecycle.conftest import AddVerdict
from tests.lifecycle.evidence.packs import make_pack, missing_in, report_of, told_by, unpack

EVIL = "\"'><script>alert(1)</script><img src=x onerror=alert(2)>{{ 7*7 }}{% raw %}"
NAME = "`c` <b>|*x*_y_[l](javascript&colon;alert) www.evil.example #1"
LINES = (
    "first\n---\n# Title\n```\n- item\n<script>alert(3)</script>\n| a | b |\nhttps://evil.example"
)
TURNED = "safe\u202egnp.exe"


class _Page(HTMLParser):
    """Collects what could run or load something."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.addresses: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            self.attributes.add(name)
            if name in ("href", "src"):
                self.addresses.add((value or "").partition(",")[0])


@pytest.fixture
def hostile(client: TrackingClient, add_verdict: AddVerdict) -> ModelVersion:
    """Give a version of which every name and value is an attack."""
    from sklearn.linear_model import LinearRegression

    with client.start_run(EVIL, experiment=EVIL, user=EVIL, heartbeat=False) as run:
        run.log_params({"evil": EVIL, "lines": LINES, "turned": TURNED, "marks": "`` | `"})
        run.log_metrics({"auc": float("nan"), "gain": float("inf"), "test_auc": 0.7})
        run.log_input(DatasetRecord(EVIL[:400], "d" * 64, "uri", LINES, {}, {EVIL: EVIL}), EVIL)
        run.set_tag("evil", EVIL)
        run.log_bytes(b"<svg onload=alert(4)>", f"plots/{EVIL.replace('/', '')}.svg")
        run.log_bytes(b"\x89PNG<script>", "plots/<img onerror=x>.png")
        run.log_bytes(b"<html>no picture", "plots/page.png")
        run.log_bytes(b'{"intervals": {"auc": ["<b>", 1]}}', "evaluation/test.json")
        run.log_bytes(EVIL.encode(), "verdict/evil.json")
        model = LinearRegression().fit([[0.0], [1.0]], [0.0, 1.0])
        seeds, metadata = {EVIL: EVIL}, {"recipe": {"classifier": LINES, "resampler": EVIL}}
        logged = run.log_model(model, "model", seeds=seeds, metadata=metadata)
    version = register_model(
        client,
        NAME,
        f"models:/{logged.model_id}",
        actor=EVIL,
        description=LINES,
        tags={"license": LINES, "contact": EVIL, "citation": LINES, "limitations": TURNED},
    )
    check = CheckResult(
        name=EVIL,
        kind="<u>",
        passed=False,
        observed=0.5,
        threshold=0.7,
        comparison="<script>",
        metric=EVIL,
        message=LINES,
        method=EVIL,
        evidence="verdict/evil.json",
    )
    add_verdict(version, run_id=run.run_id, checks=(check,), actor=EVIL, dataset_name=EVIL)
    approve(client, NAME, 1, "Production", approver="eve", reason=LINES, details={EVIL: EVIL})
    promote(client, NAME, 1, "Production", actor=EVIL, reason=EVIL, details={"dag_id": EVIL})
    set_alias(client, NAME, "champion", 1, actor=EVIL, reason=LINES)
    return version


def test_nothing_in_the_report_can_run_or_load(
    client: TrackingClient, hostile: ModelVersion, tmp_path: Path
) -> None:
    page = _Page()
    report = report_of(make_pack(client, hostile, tmp_path, actor=EVIL))
    page.feed(report)
    assert page.tags & {"script", "svg", "iframe", "object", "link", "base", "i", "u"} == set()
    assert not [name for name in page.attributes if name.startswith("on")]
    inside = {address for address in page.addresses if not address.startswith("#")}
    assert inside == {"data:image/png;base64"}
    assert report.count("<img ") == 1
    assert "49" not in report.partition("raw %}")[0].rpartition("alert(2)")[2]
    assert "\u202e" not in report
    assert r"safe\u202egnp.exe" in report


def test_an_archive_of_hostile_names_is_whole(
    client: TrackingClient, hostile: ModelVersion, tmp_path: Path
) -> None:
    pack = make_pack(client, hostile, tmp_path)
    assert find_faults(unpack(pack, tmp_path / "unpacked")) == []
    assert missing_in(pack) == {}
    metrics = {item["name"]: item["value"] for item in told_by(pack)["training"]["metrics"]}
    assert (metrics["gain"], told_by(pack)["summary"]["model"]) == ("Infinity", NAME)


def _card(client: TrackingClient, version: ModelVersion, directory: Path) -> tuple[object, str]:
    """Return the front matter as a hub reads it, and the text."""
    pack = make_pack(client, version, directory, actor=EVIL)
    with zipfile.ZipFile(pack.path) as archive:
        card = archive.read("model_card.md").decode()
    _, front, text = card.split("\n---\n")[0][:4], *card[4:].split("\n---\n", 1)
    return yaml.safe_load(front), text


def test_the_front_matter_of_a_card_is_data(
    client: TrackingClient, hostile: ModelVersion, tmp_path: Path
) -> None:
    front, _ = _card(client, hostile, tmp_path)
    assert isinstance(front, dict)
    assert front["model_name"] == NAME
    assert front["license"] == " ".join(LINES.split())
    assert set(front) == {
        "library_name",
        "license",
        "model_name",
        "model_format",
        "model_file",
        "tags",
        "datasets",
        "metrics",
        "model-index",
    }


def test_the_text_of_a_card_reads_as_text(
    client: TrackingClient, hostile: ModelVersion, tmp_path: Path
) -> None:
    _, text = _card(client, hostile, tmp_path)
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    inline = [child for token in tokens for child in token.children or []]
    kinds = {token.type for token in [*tokens, *inline]}
    assert kinds & {"html_block", "html_inline", "link_open", "em_open", "strong_open"} == set()
    images = [child.attrs["src"] for child in inline if child.type == "image"]
    assert images
    assert all(str(address).startswith("plots/") for address in images)
    headings = [
        tokens[at + 1].content for at, token in enumerate(tokens) if token.type == "heading_open"
    ]
    assert headings[1:] == [
        "Model description",
        "Intended uses & limitations",
        "Training Procedure",
        "Hyperparameters",
        "Model Plot",
        "Evaluation Results",
        "How to Get Started with the Model",
        "Model Card Authors",
        "Model Card Contact",
        "Citation",
    ]
    assert sum(token.type == "fence" for token in tokens) == 1
    # Every row of a table has as many cells as its head.
    cells = [token.type for token in tokens if token.type in ("tr_open", "th_open", "td_open")]
    rows = " ".join(cells).split("tr_open")[1:]
    assert {row.count("_open") for row in rows} <= {2, 4, 5}
