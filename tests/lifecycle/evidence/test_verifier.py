"""``verify.py`` checks an unpacked archive with Python alone, and finds every change."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_mltrack.lifecycle.evidence.verifier import canonical, find_faults
from airflow_mltrack.store.canonical_json import canonical_json
from tests.lifecycle.evidence.packs import make_pack, unpack
from tests.lifecycle.governed_model import governed_client

Change = Callable[[Path], None]


@pytest.fixture(scope="module")
def whole(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Give an unpacked archive that nobody has touched; tests copy it."""
    directory = tmp_path_factory.mktemp("verified")
    with governed_client(postgres_url, directory) as made:
        pack = make_pack(made.client, made.second, directory, include_package=True)
        yield unpack(pack, directory / "unpacked")


@pytest.fixture
def archive(whole: Path, tmp_path: Path) -> Path:
    """Give a copy of the archive."""
    return Path(shutil.copytree(whole, tmp_path / "archive"))


def _verify(archive: Path, *options: str) -> subprocess.CompletedProcess[str]:
    # Isolated: neither this package nor anything else that is installed can be imported.
    command = [sys.executable, "-I", "-S", "-W", "error", str(archive / "verify.py"), *options]
    return subprocess.run(command, check=False, capture_output=True, text=True, cwd="/")


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _write(archive: Path, path: str, data: bytes) -> None:
    """Change a file as somebody does who mends the manifest, too."""
    (archive / path).write_bytes(data)
    manifest = _read(archive / "manifest.json")
    manifest["files"][path] = {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
    (archive / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")


def _lines(archive: Path) -> list[Any]:
    text = (archive / "history.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def _write_lines(archive: Path, events: list[Any]) -> None:
    _write(archive, "history.jsonl", "".join(f"{canonical(item)}\n" for item in events).encode())


def test_a_whole_archive_passes_without_us(archive: Path) -> None:
    head = _lines(archive)[-1]["hash"]
    manifest = hashlib.sha256((archive / "manifest.json").read_bytes()).hexdigest()
    found = _verify(archive, "--head", head, "--manifest", manifest.upper())
    assert (found.returncode, found.stderr) == (0, "")
    assert found.stdout.splitlines() == [
        f"manifest  {manifest}",
        f"head      {head}",
        "whole: nothing was changed",
    ]


def test_it_checks_another_directory_when_told(archive: Path, tmp_path: Path) -> None:
    script = tmp_path / "verify.py"
    shutil.copy(archive / "verify.py", script)
    assert _verify(tmp_path).returncode == 1
    assert _verify(tmp_path, str(archive)).returncode == 0


def _edit_report(archive: Path) -> None:
    path = archive / "report.html"
    path.write_bytes(path.read_bytes().replace(b"passed", b"failed"))


def _lose_a_plot(archive: Path) -> None:
    (archive / "plots" / "test_roc.png").unlink()


def _add_a_file(archive: Path) -> None:
    (archive / "verdicts" / "another.json").write_text("{}", encoding="utf-8")


def _edit_a_reason(archive: Path) -> None:
    events = _lines(archive)
    events[-2]["payload"]["reason"] = "another one"
    _write_lines(archive, events)


def _edit_and_hash_again(archive: Path) -> None:
    events = _lines(archive)
    events[3]["actor"] = "somebody else"
    facts = {key: value for key, value in events[3].items() if key not in ("hash", "event_id")}
    events[3]["hash"] = hashlib.sha256(canonical(facts).encode()).hexdigest()
    _write_lines(archive, events)


def _drop_the_first_event(archive: Path) -> None:
    _write_lines(archive, _lines(archive)[1:])


def _drop_one_between(archive: Path) -> None:
    events = _lines(archive)
    _write_lines(archive, [*events[:4], *events[5:]])


def _swap_two(archive: Path) -> None:
    events = _lines(archive)
    _write_lines(archive, [events[1], events[0], *events[2:]])


def _hide_a_key(archive: Path) -> None:
    text = (archive / "history.jsonl").read_text(encoding="utf-8")
    told = text.replace('{"actor":', '{"actor":"eve","actor":', 1)
    _write(archive, "history.jsonl", told.encode())


def _edit_the_verdict(archive: Path) -> None:
    (path,) = (archive / "verdicts").glob("*.json")
    record = _read(path)
    record["checks"][0]["observed"] = 0.99
    _write(archive, f"verdicts/{path.name}", canonical(record).encode())


def _remove_the_verdict(archive: Path) -> None:
    (path,) = (archive / "verdicts").glob("*.json")
    path.unlink()
    manifest = _read(archive / "manifest.json")
    del manifest["files"][f"verdicts/{path.name}"]
    (archive / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")


def _add_an_approval(archive: Path) -> None:
    (approval,) = _read(archive / "approvals.json")
    answers = [approval, {**approval, "approval_id": "0" * 32, "approver": "eve"}]
    _write(archive, "approvals.json", json.dumps(answers).encode())


def _edit_the_approval(archive: Path) -> None:
    (approval,) = _read(archive / "approvals.json")
    _write(archive, "approvals.json", json.dumps([{**approval, "approver": "eve"}]).encode())


def _swap_the_model(archive: Path) -> None:
    _write(archive, "package/model.skops", b"another model")


def _name_another_digest(archive: Path) -> None:
    told = _read(archive / "evidence.json")
    told["version"]["digest"] = "0" * 64
    _write(archive, "evidence.json", json.dumps(told).encode())


def _hide_a_file_of_the_package(archive: Path) -> None:
    told = _read(archive / "evidence.json")
    told["package"]["files"].pop()
    _write(archive, "evidence.json", json.dumps(told).encode())


def _break_the_json(archive: Path) -> None:
    _write(archive, "evidence.json", b"{")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_edit_report, "report.html has sha256"),
        (_lose_a_plot, "plots/test_roc.png is missing"),
        (_add_a_file, "verdicts/another.json was added"),
        (_edit_a_reason, "was changed: its hash is not that of its content"),
        (_edit_and_hash_again, "history.jsonl line 5 does not follow"),
        (_drop_the_first_event, "history.jsonl line 1 does not follow"),
        (_drop_one_between, "history.jsonl line 5 does not follow"),
        (_swap_two, "does not follow"),
        (_hide_a_key, "history.jsonl line 1 is not in canonical form"),
        (_edit_the_verdict, "is not the one that was recorded"),
        (_remove_the_verdict, "of the history is not in the archive"),
        (_add_an_approval, f"approval {'0' * 32} is not in the history"),
        (_edit_the_approval, "is not the one that was recorded"),
        (_swap_the_model, "package/model.skops is not the file of the package"),
        (_name_another_digest, "the version has digest 000"),
        (_hide_a_file_of_the_package, "the files of the package make digest"),
        (_break_the_json, "the archive cannot be read: JSONDecodeError"),
    ],
    ids=lambda value: getattr(value, "__name__", "").strip("_"),
)
def test_what_was_changed_is_named(archive: Path, change: Change, said: str) -> None:
    assert find_faults(archive) == []
    change(archive)
    found = _verify(archive)
    assert found.returncode == 1
    assert said in found.stdout
    assert "whole" not in found.stdout


def test_a_chain_whose_end_was_cut_off_needs_a_head_that_was_kept(archive: Path) -> None:
    events = _lines(archive)
    _write_lines(archive, events[:-1])
    assert _verify(archive).returncode == 0
    found = _verify(archive, "--head", events[-1]["hash"])
    assert found.returncode == 1
    assert "the chain was cut off or rewritten" in found.stdout


def test_another_manifest_than_the_one_that_was_kept_is_named(archive: Path) -> None:
    found = _verify(archive, "--manifest", "0" * 64)
    assert found.returncode == 1
    assert f"not {'0' * 64}" in found.stdout


@pytest.mark.parametrize(
    "value",
    [
        {"b": 1, "a": [1.5, 1e-7, 0.1, None, True], "é": 'ü\u2028\x7f\x01\n"\\'},
        {"\U0001f600": 1, "\ue000": 2, "whole": 3.0, "large": 1e22},
        {"z": {"y": {}, "x": []}},
    ],
)
def test_its_canonical_form_is_the_stores(value: object) -> None:
    text = canonical_json(value)
    assert canonical(json.loads(text)) == text
