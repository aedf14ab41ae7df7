"""The evidence pack tells what is recorded, all of it, in files that can be checked."""

from __future__ import annotations

import hashlib
import json
import re
import zipfile
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from airflow_mltrack.exceptions import InvalidInput, NotFound
from airflow_mltrack.lifecycle.audit import list_history
from airflow_mltrack.lifecycle.evidence import facts
from airflow_mltrack.lifecycle.evidence.document import SCHEMA_NAME, SCHEMA_VERSION
from airflow_mltrack.lifecycle.evidence.pack import write_evidence
from airflow_mltrack.lifecycle.evidence.verifier import find_faults
from airflow_mltrack.lifecycle.promotion import promote
from airflow_mltrack.lifecycle.registration import create_model, rename_model
from airflow_mltrack.store.tracking_store import Transaction
from airflow_mltrack.tracking.client import TrackingClient
from tests.lifecycle.conftest import AddVersion
from tests.lifecycle.evidence.packs import (
    NOW,
    logged_version,
    make_pack,
    report_of,
    told_by,
    unpack,
)
from tests.lifecycle.governed_model import GATES, GovernedModel, governed_client

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def governed(
    postgres_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[GovernedModel]:
    """Give a governed model for tests that only read it."""
    with governed_client(postgres_url, tmp_path_factory.mktemp("governed")) as made:
        yield made


def test_every_file_has_the_digest_that_the_manifest_says(
    governed: GovernedModel, tmp_path: Path
) -> None:
    pack = make_pack(governed.client, governed.second, tmp_path)
    listed = told_by(pack, "manifest.json")["files"]
    with zipfile.ZipFile(pack.path) as archive:
        assert tuple(archive.namelist()) == pack.files
        assert {*listed, "manifest.json"} == set(pack.files)
        for path, entry in listed.items():
            data = archive.read(path)
            assert (hashlib.sha256(data).hexdigest(), len(data)) == (entry["sha256"], entry["size"])
    data = pack.path.read_bytes()
    assert (hashlib.sha256(data).hexdigest(), len(data)) == (pack.sha256, pack.size)
    assert pack.files[:2] == ("report.html", "evidence.json")


def test_the_same_facts_make_the_same_bytes(governed: GovernedModel, tmp_path: Path) -> None:
    packs = [
        make_pack(governed.client, governed.second, tmp_path / f"{number}.zip") for number in (1, 2)
    ]
    assert packs[0].sha256 == packs[1].sha256
    with zipfile.ZipFile(packs[0].path) as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    later = make_pack(governed.client, governed.second, tmp_path / "3.zip", now=NOW + timedelta(1))
    assert later.sha256 != packs[0].sha256
    stated = {"evidence.json", "report.html"}
    before, after = (told_by(pack, "manifest.json")["files"] for pack in (packs[0], later))
    assert {path for path in before if before[path] != after[path]} <= stated


def test_everything_that_was_decided_is_told(governed: GovernedModel, tmp_path: Path) -> None:
    told = told_by(make_pack(governed.client, governed.second, tmp_path))
    summary = told["summary"]
    assert told["schema"] == {"name": SCHEMA_NAME, "version": SCHEMA_VERSION}
    assert (summary["model"], summary["version"], summary["stage"]) == ("credit", 2, "Production")
    assert (summary["is_live"], summary["verdict"]["passed"]) == (True, True)
    assert (summary["approved_by"], summary["chain_is_whole"]) == (["grace"], True)
    assert (summary["digest"], summary["missing"]) == (governed.second.digest, 0)
    assert summary["verdict"]["warnings"] == ["brier"]
    assert summary["live_since"] == told["deployments"][0]["began"]
    moves = [(move["payload"]["from"], move["payload"]["to"]) for move in told["transitions"]]
    assert moves == [("None", "Staging"), ("Staging", "Production")]
    (approval,) = told["approvals"]
    assert (approval["approver"], approval["reason"]) == ("grace", "read the report")
    assert approval["counted_for"] == [told["transitions"][-1]["event_id"]]
    assert told["approval_requests"][0]["payload"]["reason"] == "better on all slices"
    assert told["aliases"]["now"] == ["champion"]
    assert told["aliases"]["changes"][0]["payload"]["reason"] == "best so far"
    assert told["model"]["gates"] == GATES
    assert told["model"]["stage_profile"] == "gated"
    assert {edge["relation"] for edge in told["lineage"]} >= {"judged", "registered_as", "produced"}


def test_a_version_that_was_replaced_says_by_which(governed: GovernedModel, tmp_path: Path) -> None:
    told = told_by(make_pack(governed.client, governed.first, tmp_path))
    (period,) = told["deployments"]
    assert (period["replaced_by"], told["summary"]["is_live"]) == (2, False)
    assert (told["summary"]["live_version"], told["summary"]["stage"]) == (2, "Archived")
    assert period["ended"] > period["began"]
    assert told["summary"]["approved_by"] == ["grace"]


def test_what_was_trained_is_told_with_intervals(governed: GovernedModel, tmp_path: Path) -> None:
    told = told_by(make_pack(governed.client, governed.second, tmp_path))
    training = told["training"]
    auc = next(metric for metric in training["metrics"] if metric["name"] == "auc")
    assert auc["rows"] == "test"
    assert auc["low"] < auc["value"] < auc["high"]
    assert (auc["confidence"], auc["source"]) == (0.95, "evaluation/test.json")
    assert training["params"]["classifier"] == "logistic_regression"
    assert training["split_digest"] == training["params"]["split.digest"]
    assert told["package"]["seeds"] == {"model": 42, "split": 42}
    (table,) = told["datasets"]
    assert {use["context"] for use in table["uses"]} == {"training", "validation"}
    assert table["details"]["profile"]["rows"] == 400
    columns = {column["name"]: column for column in told["signature"]["columns"]}
    assert columns["home"]["categories"] == ["own", "rent"]
    assert told["environment"]["required"]["scikit-learn"]
    assert {item["title"] for item in told["plots"]} >= {"Test roc", "Test calibration"}


def test_every_digest_leads_to_a_file_or_a_record(governed: GovernedModel, tmp_path: Path) -> None:
    pack = make_pack(governed.client, governed.second, tmp_path)
    files = {entry["sha256"] for entry in told_by(pack, "manifest.json")["files"].values()}
    with zipfile.ZipFile(pack.path) as archive:
        records = archive.read("history.jsonl").decode() + archive.read("approvals.json").decode()
        records += "".join(
            archive.read(path).decode() for path in pack.files if path.startswith("verdicts/")
        )
    with governed.client.store.transaction() as tx:
        rows = "artifacts", "datasets", "logged_models", "params", "verdicts"
        for table in rows:
            found = tx.connection.execute(text(f"SELECT to_jsonb(t) FROM {table} AS t"))
            records += json.dumps([row[0] for row in found])
    digests = set(re.findall(r"\b[0-9a-f]{64}\b", json.dumps(told_by(pack))))
    assert len(digests) > 20
    known = files | set(re.findall(r"\b[0-9a-f]{64}\b", records))
    gates = hashlib.sha256(json.dumps(GATES, sort_keys=True, separators=(",", ":")).encode())
    assert digests - known <= {gates.hexdigest()}


def test_the_records_in_it_have_the_digests_that_the_chain_holds(
    governed: GovernedModel, tmp_path: Path
) -> None:
    pack = make_pack(governed.client, governed.second, tmp_path)
    events = list_history(governed.client, "credit")
    held = {event.payload["sha256"] for event in events if event.kind == "verdict"}
    (verdict,) = told_by(pack)["verdicts"]
    with zipfile.ZipFile(pack.path) as archive:
        found = hashlib.sha256(archive.read(verdict["record_copy"])).hexdigest()
        for check in verdict["checks"]:
            evidence = archive.read(check["evidence_copy"])
            assert hashlib.sha256(evidence).hexdigest() == check["evidence_sha256"]
            assert json.loads(evidence)["verdict_id"] == verdict["verdict_id"]
    assert found in held
    assert found == verdict["record_sha256"] == verdict["recorded_by"]["sha256"]


def test_the_model_file_comes_only_when_asked_for(governed: GovernedModel, tmp_path: Path) -> None:
    lean = make_pack(governed.client, governed.second, tmp_path / "lean.zip")
    assert [path for path in lean.files if path.startswith("package/")] == [
        "package/MLmodel",
        "package/mltrack.json",
    ]
    full = make_pack(governed.client, governed.second, tmp_path / "full.zip", include_package=True)
    listed = told_by(full, "manifest.json")["files"]
    for file in told_by(full)["package"]["files"]:
        assert listed[f"package/{file['path']}"]["sha256"] == file["sha256"]
    assert "package/model.skops" in full.files
    assert find_faults(unpack(full, tmp_path / "full")) == []


def test_a_whole_archive_has_no_faults(governed: GovernedModel, tmp_path: Path) -> None:
    for version in (governed.first, governed.second):
        pack = make_pack(governed.client, version, tmp_path)
        assert find_faults(unpack(pack, tmp_path / f"v{version.version}")) == []


def test_the_report_needs_nothing_from_elsewhere(governed: GovernedModel, tmp_path: Path) -> None:
    report = report_of(make_pack(governed.client, governed.second, tmp_path))
    # The uncommitted changes of whoever runs this are text, whatever they say.
    report = re.sub(r"<details><summary>Uncommitted.*?</details>", "", report, flags=re.DOTALL)
    assert "default-src 'none'" in report
    assert not re.search(r"<(script|link|iframe|object|embed|base|form)\b", report)
    assert set(re.findall(r'(?:src|href)="(data:image/png;base64,|#|)', report)) == {
        "data:image/png;base64,",
        "#",
    }
    assert "url(" not in report
    assert report.count("<img ") == 6
    for words in ("live since", "grace", "Nothing: every record", "verify.py", "≥ 0.7", "@page"):
        assert words in report


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("credit", "credit-v1-evidence.zip"),
        ("..\\..\\évil <b>", "_.._évil_b_-v1-evidence.zip"),
        ("?" * 250, "_-v1-evidence.zip"),
    ],
)
def test_a_directory_gets_a_file_named_after_the_version(
    client: TrackingClient, add_version: AddVersion, tmp_path: Path, name: str, file: str
) -> None:
    target = tmp_path / "out"
    target.mkdir()
    pack = make_pack(client, add_version(name), target)
    assert pack.path == target / file
    assert [path.name for path in target.iterdir()] == [file]


def test_bad_input_is_named_before_anything_is_read(
    client: TrackingClient, add_version: AddVersion, tmp_path: Path
) -> None:
    version = add_version()
    with pytest.raises(InvalidInput, match="there is no directory"):
        make_pack(client, version, tmp_path / "nowhere" / "pack.zip")
    with pytest.raises(InvalidInput, match="time zone"):
        make_pack(client, version, tmp_path, now=datetime(2026, 5, 1))  # noqa: DTZ001 - the case
    with pytest.raises(NotFound, match="credit/9"):
        write_evidence(client, "credit", 9, tmp_path)
    with pytest.raises(NotFound, match="nothing"):
        write_evidence(client, "nothing", 1, tmp_path)


def test_all_facts_are_of_one_moment(
    client: TrackingClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = logged_version(client)
    read_chain = facts.chain_of

    def meanwhile(tx: Transaction, name: str) -> object:
        promote(client, name, version.version, "Production", actor="ada")
        return read_chain(tx, name)

    monkeypatch.setattr(facts, "chain_of", meanwhile)
    told = told_by(make_pack(client, version, tmp_path))
    assert (told["version"]["stage"], told["transitions"]) == ("None", [])
    assert told["chain"]["is_whole"]
    monkeypatch.undo()
    assert told_by(make_pack(client, version, tmp_path))["version"]["stage"] == "Production"


def test_a_renamed_model_brings_the_chain_of_its_old_name(
    postgres_url: str, tmp_path: Path
) -> None:
    with governed_client(postgres_url, tmp_path) as made:
        rename_model(made.client, "credit", "loans", actor="ada")
        create_model(made.client, "credit", actor="eve")
        with made.client.store.transaction() as tx:
            version = tx.registry.get_version("loans", 2)
        pack = make_pack(made.client, version, tmp_path)
        told = told_by(pack)
        assert [chain["name"] for chain in told["chain"]["chains"]] == ["credit", "loans"]
        assert (told["summary"]["is_live"], len(told["verdicts"])) == (True, 1)
        assert told["summary"]["approved_by"] == ["grace"]
        with zipfile.ZipFile(pack.path) as archive:
            lines = archive.read("history.jsonl").decode().splitlines()
        names = [json.loads(line)["name"] for line in lines]
        assert (names[0], names[-1], names.count("loans")) == ("credit", "loans", 1)
        assert not any(json.loads(line)["actor"] == "eve" for line in lines)
        assert find_faults(unpack(pack, tmp_path / "unpacked")) == []


def test_the_docs_name_every_key(governed: GovernedModel, tmp_path: Path) -> None:
    page = (ROOT / "docs" / "how-to" / "evidence.md").read_text(encoding="utf-8")
    told = told_by(make_pack(governed.client, governed.second, tmp_path))
    assert [key for key in told if f"| `{key}` |" not in page] == []
