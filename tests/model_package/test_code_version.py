"""Which code made a model is known, without running anything of the repository."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from airflow_mltrack.model_package import code_version
from airflow_mltrack.model_package.code_version import DIFF_LIMIT, capture_code_version


def git(directory: Path, *arguments: str) -> str:
    environment = {name: value for name, value in os.environ.items() if name[:4] != "GIT_"}
    done = subprocess.run(
        ["git", "-c", "user.name=t", "-c", "user.email=t@example.com", *arguments],
        cwd=directory,
        env={**environment, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull},
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Give a repository with one commit on ``main``."""
    root = tmp_path / "repository"
    (root / "dags").mkdir(parents=True)
    (root / "dags" / "train.py").write_text("print('one')\n")
    git(root, "init", "-q", "-b", "main")
    git(root, "add", ".")
    git(root, "commit", "-q", "-m", "first")
    return root


def test_a_clean_repository_gives_commit_and_branch(repository: Path) -> None:
    found = capture_code_version(repository / "dags" / "train.py", "dags", "v3")
    assert found.commit == git(repository, "rev-parse", "HEAD")
    assert (found.branch, found.dirty, found.diff, found.untracked) == ("main", False, "", ())
    assert (found.bundle_name, found.bundle_version) == ("dags", "v3")
    assert found.repo_url is None
    assert found.reason == ""


def test_changes_of_the_whole_repository_are_in_the_diff(repository: Path) -> None:
    (repository / "dags" / "train.py").write_text("print('two')\n")
    (repository / "new file.py").write_text("secret of an untracked file")
    git(repository, "add", "dags")
    (repository / "dags" / "train.py").write_text("print('three')\n")
    found = capture_code_version(repository / "dags")
    assert found.dirty
    assert "+print('three')" in found.diff
    assert "untracked file" not in found.diff
    assert found.untracked == ("new file.py",)
    assert "diff" not in found.to_json()


def test_a_long_diff_is_cut_and_says_so(repository: Path) -> None:
    (repository / "dags" / "train.py").write_text("x = 1\n" * 300_000)
    found = capture_code_version(repository)
    assert len(found.diff) < DIFF_LIMIT + 200
    assert f"{DIFF_LIMIT} kept]" in found.diff.splitlines()[-1]


def test_a_detached_head_has_no_branch(repository: Path) -> None:
    git(repository, "checkout", "-q", "--detach")
    found = capture_code_version(repository)
    assert found.branch is None
    assert found.commit


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (
            "https://bob:s3cret@example.com:8443/team/dags.git",
            "https://example.com:8443/team/dags.git",
        ),
        ("https://token@example.com/dags.git?key=s3cret", "https://example.com/dags.git"),
        ("ssh://git@example.com/dags.git", "ssh://example.com/dags.git"),
        ("git@example.com:team/dags.git", "example.com:team/dags.git"),
    ],
)
def test_the_remote_is_shown_without_credentials(repository: Path, url: str, shown: str) -> None:
    git(repository, "remote", "add", "origin", url)
    assert capture_code_version(repository).repo_url == shown


def test_no_program_of_the_repositorys_choosing_is_run(repository: Path, tmp_path: Path) -> None:
    proof = tmp_path / "proof"
    script = tmp_path / "evil.sh"
    script.write_text(f"#!/bin/sh\ntouch {proof}\n")
    script.chmod(0o755)
    (repository / ".gitattributes").write_text("*.py diff=evil\n")
    for setting in (
        "core.fsmonitor",
        "core.pager",
        "diff.external",
        "diff.evil.textconv",
        "diff.evil.command",
    ):
        git(repository, "config", setting, str(script))
    (repository / "dags" / "train.py").write_text("print('two')\n")
    found = capture_code_version(repository)
    assert "+print('two')" in found.diff
    assert not proof.exists()
    subprocess.run(["git", "diff"], cwd=repository, check=False, capture_output=True)
    assert proof.exists(), "the trap must be a real one"


def test_outside_a_repository_there_is_a_reason(tmp_path: Path) -> None:
    found = capture_code_version(tmp_path, "bundle")
    assert found.commit is None
    assert "not a git repository" in found.reason
    assert found.bundle_name == "bundle"


def test_a_repository_without_commits_says_so(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "-b", "main")
    (tmp_path / "a").write_text("")
    found = capture_code_version(tmp_path)
    assert (found.commit, found.dirty) == (None, True)
    assert "no commit yet" in found.reason


def test_without_git_there_is_a_reason(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    assert capture_code_version(repository).reason == "git is not installed."


def test_a_place_that_does_not_exist_is_named(tmp_path: Path) -> None:
    assert "does not exist" in capture_code_version(tmp_path / "a" / "b").reason


def test_a_silent_git_is_given_up(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(code_version, "_TIMEOUT", 0.000001)
    assert "TimeoutExpired" in capture_code_version(repository).reason


def test_the_place_decides_and_not_a_surrounding_git_hook(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    assert capture_code_version(repository).commit


def test_without_a_place_the_current_directory_counts(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repository)
    assert capture_code_version().branch == "main"
