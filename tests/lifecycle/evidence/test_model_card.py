"""The model card: metadata that hubs read, code that works, and nothing made up."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from airflow_mltrack.lifecycle.evidence.markdown_text import fenced, in_code, in_text
from airflow_mltrack.lifecycle.evidence.pack import EvidencePack
from airflow_mltrack.lifecycle.registration import create_model
from airflow_mltrack.tracking.client import TrackingClient
from tests.lifecycle.evidence.packs import logged_version, make_pack, told_by
from tests.lifecycle.governed_model import GovernedModel, governed_client


@pytest.fixture(scope="module")
def governed(
    postgres_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[GovernedModel]:
    """Give a governed model for tests that only read it."""
    with governed_client(postgres_url, tmp_path_factory.mktemp("governed")) as made:
        yield made


@pytest.fixture(scope="module")
def pack(governed: GovernedModel, tmp_path_factory: pytest.TempPathFactory) -> EvidencePack:
    """Give the pack of the version that is live."""
    return make_pack(governed.client, governed.second, tmp_path_factory.mktemp("pack"))


def _card(pack: EvidencePack) -> tuple[Any, str]:
    with zipfile.ZipFile(pack.path) as archive:
        card = archive.read("model_card.md").decode()
    assert card.startswith("---\n")
    front, _, text = card[4:].partition("\n---\n")
    return yaml.safe_load(front), text


def _section(text: str, title: str) -> str:
    """Return what stands below a heading, up to the next one."""
    return text.partition(f"# {title}\n")[2].partition("\n#")[0].strip()


def test_the_front_matter_is_what_hubs_read(pack: EvidencePack) -> None:
    front, _ = _card(pack)
    assert (front["library_name"], front["license"]) == ("sklearn", "apache-2.0")
    assert (front["model_format"], front["model_file"]) == ("skops", "model.skops")
    assert front["tags"] == ["sklearn", "skops", "tabular-classification", "mltrack"]
    assert front["datasets"] == ["loans"]
    assert "auc" in front["metrics"]
    assert "fit_seconds" not in front["metrics"]
    (model,) = front["model-index"]
    tested, judged = model["results"]
    assert tested["task"] == {"type": "tabular-classification"}
    assert (tested["dataset"]["name"], tested["dataset"]["split"]) == ("loans", "test")
    told = told_by(pack)
    values = {metric["type"]: metric["value"] for metric in tested["metrics"]}
    measured = {
        item["name"]: item["value"]
        for item in told["training"]["metrics"]
        if item["rows"] == "test"
    }
    assert values == measured
    observed = {metric["type"]: metric["value"] for metric in judged["metrics"]}
    checks = told["verdicts"][0]["checks"]
    assert observed == {check["metric"]: check["observed"] for check in checks}


def test_the_sections_are_those_of_skops_cards(pack: EvidencePack) -> None:
    from sklearn.linear_model import LogisticRegression
    from skops.card import Card

    theirs = Card(LogisticRegression(), model_diagram=False)
    place: list[str] = []
    ours = []
    for marks, title in re.findall(r"^(#+) (.+)$", _card(pack)[1], re.MULTILINE):
        place = [*place[: len(marks) - 1], title]
        ours.append("/".join(place))
    shared = [
        "Model description",
        "Model description/Intended uses & limitations",
        "Model description/Training Procedure",
        "Model description/Training Procedure/Hyperparameters",
        "Model description/Training Procedure/Model Plot",
        "Model description/Evaluation Results",
        "How to Get Started with the Model",
        "Model Card Authors",
        "Model Card Contact",
        "Citation",
    ]
    for path in shared:
        assert theirs.select(path) is not None  # raises when skops has no such section
    assert ours[1:] == shared


def test_what_is_recorded_is_told(pack: EvidencePack) -> None:
    _, text = _card(pack)
    assert "Chance that a loan is not paid back." in _section(text, "Model description")
    assert "Approved by: grace" in text
    assert "| `classifier` | `logistic_regression` |" in text
    assert "then `logistic_regression`." in _section(text, "Model Plot")
    assert re.search(r"\| `auc` \| test \| 0\.\d{4} \| 0\.\d{4} to [01]", text)
    assert "| `brier` | warned |" in text
    assert "![Test roc](plots/test_roc.png)" in text
    assert "plots/test_roc.png" in pack.files
    assert "risk" in _section(text, "Model Card Contact")


def test_what_nobody_told_is_said_to_be_not_provided(
    client: TrackingClient, tmp_path: Path
) -> None:
    create_model(client, "bare", actor="ada")
    with client.store.transaction() as tx:
        version = tx.registry.create_version("bare", source="s3://elsewhere/model")
    front, text = _card(make_pack(client, version, tmp_path))
    assert front == {"model_name": "bare", "tags": ["mltrack"]}
    for title in (
        "Hyperparameters",
        "Model Plot",
        "Evaluation Results",
        "How to Get Started with the Model",
        "Model Card Authors",
        "Model Card Contact",
        "Citation",
    ):
        assert _section(text, title) == "Not provided."
    assert "Intended uses: Not provided." in text
    assert "the version was never judged" in text


def test_a_model_that_gives_no_probabilities_is_not_called_a_classifier(
    client: TrackingClient, tmp_path: Path
) -> None:
    front, _ = _card(make_pack(client, logged_version(client), tmp_path))
    assert "tabular-classification" not in front["tags"]


def test_the_code_to_get_started_works(
    governed: GovernedModel,
    pack: EvidencePack,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    settings = governed.client.settings
    monkeypatch.setenv("MLTRACK_DATABASE_URL", settings.database_url)
    monkeypatch.setenv("MLTRACK_ARTIFACT_URI", settings.artifact_uri)
    (code,) = re.findall(r"```python\n(.*?)\n```", _card(pack)[1], re.DOTALL)
    exec(compile(code, "model_card.md", "exec"), {})  # noqa: S102 - our own text
    assert "name='home'" in capsys.readouterr().out


def test_a_card_warns_of_generated_data(client: TrackingClient, tmp_path: Path) -> None:
    version = logged_version(client)
    with client.store.transaction() as tx:
        tx.runs.set_tags(str(version.run_id), {"mltrack.synthetic": "true"})
    _, text = _card(make_pack(client, version, tmp_path))
    assert "generated data, not on real records" in text


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("plain words, 1.5%", "plain words, 1.5%"),
        ("*a* _b_ `c` [d](e)", r"\*a\* \_b\_ \`c\` \[d\]\(e\)"),
        ("<b> & |", r"&lt;b&gt; &amp; \|"),
        ("a\n\n# b\r\n- c", r"a \# b - c"),
        ("- a", r"\- a"),
        ("1. a", r"1\. a"),
        ("www.x.org https://x.org", r"www\.x.org https\://x.org"),
        ("a\u202eb\x00", r"a\\u202eb\\u0000"),
    ],
)
def test_text_in_markdown_has_no_effect(value: str, written: str) -> None:
    assert in_text(value) == written


def test_code_in_markdown_cannot_be_closed_from_inside() -> None:
    assert in_code("a`b``c") == "```a`b``c```"
    assert in_code("`a") == "`` `a ``"
    assert in_code("a|b") == r"`a\|b`"
    assert fenced("python", "a\n```\nb") == "````python\na\n```\nb\n````"
