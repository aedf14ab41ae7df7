"""What is missing, damaged or touched is named in an evidence pack, and does not stop it."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from sqlalchemy import text

from airflow_mltrack.entities.runs import RunIdentity
from airflow_mltrack.entities.verdicts import CheckResult
from airflow_mltrack.exceptions import ArtifactUnavailable
from airflow_mltrack.lifecycle.evidence.verifier import find_faults
from airflow_mltrack.lifecycle.promotion import promote
from airflow_mltrack.lifecycle.registration import create_model
from airflow_mltrack.lifecycle.verdict_evidence import verdict_json
from airflow_mltrack.store.canonical_json import digest_of
from airflow_mltrack.tracking.client import TrackingClient
from tests.lifecycle.conftest import AddVerdict, AddVersion
from tests.lifecycle.evidence.packs import (
    logged_version,
    make_pack,
    missing_in,
    report_of,
    told_by,
    unpack,
)
from tests.lifecycle.governed_model import governed_client


def test_a_version_about_which_little_is_known_says_so(
    client: TrackingClient, tmp_path: Path
) -> None:
    create_model(client, "bare", actor="ada")
    with client.store.transaction() as tx:
        version = tx.registry.create_version("bare", source="s3://elsewhere/model")
    pack = make_pack(client, version, tmp_path)
    assert set(missing_in(pack)) == {"model package", "training run", "verdict"}
    told = told_by(pack)
    assert (told["training"], told["package"], told["code"]) == (None, None, None)
    assert told["summary"]["verdict"] is None
    report = report_of(pack)
    for item in missing_in(pack):
        assert f"<td>{item}</td>" in report
    assert find_faults(unpack(pack, tmp_path / "bare")) == []


def test_bytes_that_are_gone_or_changed_are_named_with_their_digests(
    postgres_url: str, tmp_path: Path
) -> None:
    with governed_client(postgres_url, tmp_path) as made:
        with made.client.store.transaction() as tx:
            files = tx.artifacts.walk(model_id=made.second.model_id)
            data = tx.runs.data(str(made.second.run_id))
            plots = tx.artifacts.walk(attempt_id=data.attempt.attempt_id, under="plots")
            (verdict,) = tx.verdicts.list("credit", 2)
            judged = tx.runs.get(str(verdict.run_id)).attempt_id
            proof = tx.artifacts.get(path="verdict/auc.json", attempt_id=judged)
        model = next(file for file in files if file.path == "model.skops")
        store = made.client.artifact_store
        changed = store.put_bytes(model.key, b"another model")
        store.delete(plots[0].key)
        store.put_bytes(proof.key, b"{}")
        pack = make_pack(made.client, made.second, tmp_path)
        missing = missing_in(pack)
        of_model = missing.pop(f"file model.skops of package {made.second.model_id}")
        assert of_model["expected_sha256"] == model.sha256
        assert of_model["found_sha256"] == changed.sha256
        of_plot = missing.pop(f"file {plots[0].path} of run {made.second.run_id}, attempt 1")
        assert of_plot["reason"] == "its bytes are gone from the artifact store"
        of_proof = missing.pop(f"file verdict/auc.json of run {verdict.run_id}")
        assert of_proof["found_sha256"] == hashlib.sha256(b"{}").hexdigest()
        assert missing == {}
        told = told_by(pack)
        whole = {file["path"]: file["is_whole"] for file in told["package"]["files"]}
        assert [path for path, found in whole.items() if not found] == ["model.skops"]
        assert told["verdicts"][0]["checks"][0]["evidence_copy"] is None
        assert changed.sha256 in report_of(pack)
        assert find_faults(unpack(pack, tmp_path / "unpacked")) == []


def test_runs_that_were_removed_for_good_are_named(
    client: TrackingClient, add_version: AddVersion, add_verdict: AddVerdict, tmp_path: Path
) -> None:
    version = add_version()
    verdict = add_verdict(version, run_id="f" * 32)
    with client.store.transaction() as tx:
        tx.connection.execute(text("UPDATE model_versions SET run_id = :id"), {"id": "e" * 32})
    missing = missing_in(make_pack(client, version, tmp_path))
    assert missing[f"training run {'e' * 32}"]["reason"] == "it was removed for good"
    assert f"run {'f' * 32} of verdict {verdict.verdict_id}" in missing


def test_a_run_that_is_marked_as_deleted_is_shown_and_named(
    client: TrackingClient, tmp_path: Path
) -> None:
    version = logged_version(client)
    with client.store.transaction() as tx:
        tx.runs.delete(str(version.run_id))
    pack = make_pack(client, version, tmp_path)
    assert f"training run ({version.run_id})" in missing_in(pack)
    assert told_by(pack)["training"]["params"] == {"depth": "3"}


def test_the_attempt_that_made_the_package_is_told_not_a_later_one(
    client: TrackingClient, tmp_path: Path
) -> None:
    version = logged_version(client)
    with client.start_run(identity=RunIdentity("task", "second try"), heartbeat=False) as run:
        run.log_param("depth", 9)
    assert run.run_id == version.run_id
    training = told_by(make_pack(client, version, tmp_path))["training"]
    assert (training["attempt"], training["params"]) == (1, {"depth": "3"})


def test_evidence_of_another_attempt_than_the_verdicts_is_not_taken_for_it(
    client: TrackingClient, add_version: AddVersion, add_verdict: AddVerdict, tmp_path: Path
) -> None:
    version = add_version()
    with client.start_run("validate", heartbeat=False) as run:
        run.log_bytes(b"new", "verdict/auc.json")
    recorded = hashlib.sha256(b"old").hexdigest()
    check = CheckResult(
        name="auc",
        kind="threshold",
        passed=True,
        observed=0.8,
        threshold=0.7,
        comparison=">=",
        evidence="verdict/auc.json",
        evidence_sha256=recorded,
    )
    add_verdict(version, run_id=run.run_id, checks=(check,))
    (doubt,) = [
        item
        for what, item in missing_in(make_pack(client, version, tmp_path)).items()
        if "auc" in what
    ]
    assert doubt["expected_sha256"] == recorded
    assert doubt["found_sha256"] == hashlib.sha256(b"new").hexdigest()


def test_an_artifact_store_that_does_not_answer_makes_no_archive(
    client: TrackingClient,
    add_version: AddVersion,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    version = add_version()

    def away(key: str, *, sha256: str | None = None) -> None:
        raise ArtifactUnavailable(key, "it does not answer.")

    monkeypatch.setattr(client.artifact_store, "open", away)
    target = tmp_path / "out"
    target.mkdir()
    with pytest.raises(ArtifactUnavailable):
        make_pack(client, version, target)
    assert list(target.iterdir()) == []


def test_an_archive_that_cannot_be_written_leaves_the_old_one(
    client: TrackingClient,
    add_version: AddVersion,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    version = add_version()
    target = tmp_path / "out" / "pack.zip"
    target.parent.mkdir()
    before = make_pack(client, version, target)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("shutil.copyfileobj", full)
    with pytest.raises(ArtifactUnavailable, match="no space left"):
        make_pack(client, version, target)
    assert [path.name for path in target.parent.iterdir()] == ["pack.zip"]
    assert hashlib.sha256(target.read_bytes()).hexdigest() == before.sha256


def test_a_history_that_was_touched_is_told_first(
    client: TrackingClient, add_version: AddVersion, tmp_path: Path
) -> None:
    version = add_version()
    promote(client, version.name, version.version, "Production", actor="ada", reason="good")
    with client.store.transaction() as tx:
        tx.connection.execute(text("SET session_replication_role = replica"))
        tx.connection.execute(
            text("""UPDATE history SET payload = payload || '{"reason": "better"}'""")
        )
    pack = make_pack(client, version, tmp_path)
    told = told_by(pack)
    assert (told["summary"]["chain_is_whole"], told["chain"]["is_whole"]) == (False, False)
    assert told["chain"]["chains"][0]["findings"][0]["what"] == "event"
    assert "does not follow from the one before" in report_of(pack)
    assert ">touched<" in report_of(pack)
    assert find_faults(unpack(pack, tmp_path / "unpacked")) == [
        "history.jsonl line 1 was changed: its hash is not that of its content"
    ]


def test_an_event_that_was_made_into_something_else_does_not_stop_the_auditor(
    client: TrackingClient, add_version: AddVersion, add_verdict: AddVerdict, tmp_path: Path
) -> None:
    version = add_version()
    add_verdict(version)
    promote(client, version.name, version.version, "Production", actor="ada")
    with client.store.transaction() as tx:
        tx.connection.execute(text("SET session_replication_role = replica"))
        tx.connection.execute(text("""UPDATE history SET payload = '["nothing"]'"""))
    pack = make_pack(client, version, tmp_path)
    assert not told_by(pack)["summary"]["chain_is_whole"]
    assert "verdict" in " ".join(find_faults(unpack(pack, tmp_path / "unpacked")))


def test_a_verdict_of_the_first_release_is_written_as_its_digest_was_made(
    client: TrackingClient, add_version: AddVersion, add_verdict: AddVerdict, tmp_path: Path
) -> None:
    version = add_version()
    with client.store.transaction() as tx:
        verdict = add_verdict(version)
        sha256 = digest_of(verdict_json(verdict))
        tx.connection.execute(text("SET session_replication_role = replica"))
        tx.connection.execute(text("DELETE FROM history"))
        tx.history.append(
            name=version.name,
            version=version.version,
            kind="verdict",
            actor="ada",
            payload={"verdict_id": verdict.verdict_id, "passed": True, "sha256": sha256},
        )
    pack = make_pack(client, version, tmp_path)
    assert told_by(pack)["verdicts"][0]["record_sha256"] == sha256
    assert find_faults(unpack(pack, tmp_path / "unpacked")) == []


def test_large_files_pass_through_little_memory(client: TrackingClient, tmp_path: Path) -> None:
    import tracemalloc

    version = logged_version(client)
    picture = tmp_path / "huge.png"
    with picture.open("wb") as file:
        file.write(b"\x89PNG")
        file.truncate(200 * 1024 * 1024)
    with client.store.transaction() as tx:
        run = tx.runs.get(str(version.run_id))
        stored = client.artifact_store.put_file(f"{run.artifact_root}/huge.png", picture)
        tx.artifacts.record(attempt_id=run.attempt_id, path="plots/huge.png", stored=stored)
    tracemalloc.start()
    try:
        pack = make_pack(client, version, tmp_path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 24 * 1024 * 1024
    assert "plots/huge.png" in pack.files
    assert "Not shown here." in report_of(pack)
    assert len(report_of(pack)) < 200_000
