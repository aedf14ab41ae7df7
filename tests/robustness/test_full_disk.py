"""The disk is full: what was stored stays, what was not is said, and nothing is half there."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from airflow_mltrack.entities.runs import RunStatus
from airflow_mltrack.exceptions import ArtifactUnavailable, StoreUnavailable
from airflow_mltrack.settings import Settings
from airflow_mltrack.tracking.client import TrackingClient
from tests.robustness.ledger import assert_rows_have_bytes
from tests.tracking.conftest import UnsteadyStore, history, spools

ROOM = 1024 * 1024
"""A little more than fits, beside another file."""


@pytest.fixture
def several(tmp_path: Path) -> Path:
    """Give a directory with a file that fits and one that does not."""
    directory = tmp_path / "several"
    directory.mkdir()
    (directory / "a.bin").write_bytes(bytes(1000))
    (directory / "b.bin").write_bytes(bytes(ROOM))
    return directory


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Give a directory that takes no megabyte: a small disk, or where that needs root, a limit."""
    directory = tmp_path / "disk"
    directory.mkdir()
    with _mounted(directory) if _may_mount(directory) else _largest_file(ROOM - 1):
        yield directory


def test_a_file_too_many_fails_the_run_and_leaves_no_row_without_bytes(
    several: Path, small_disk: Path, settings: Settings
) -> None:
    limited = replace(settings, artifact_uri=str(small_disk / "artifacts"))
    with TrackingClient(limited) as client:
        run = client.start_run()
        run.log_bytes(bytes(100_000), "first.bin")
        with pytest.raises(ArtifactUnavailable, match="no space left") as full, run:
            run.log_artifacts(several)
        assert str(small_disk) in str(full.value)
        assert "Free some space" in str(full.value)
        attempt = client.run(run.run_id).attempt
        assert attempt.status is RunStatus.FAILED
        assert "no space left" in str(attempt.error)
        assert_rows_have_bytes(client)
        with client.store.transaction() as tx:
            assert [file.path for file in tx.artifacts.walk(attempt_id=run.attempt_id)] == [
                "first.bin"
            ]
        (stored,) = client.artifact_store.list()
        assert stored.key.endswith("/first.bin"), "bytes without a row take room on a full disk"


def test_a_full_disk_under_the_spool_loses_no_point(small_disk: Path, settings: Settings) -> None:
    limited = replace(settings, spool_dir=str(small_disk / "spool"))
    points = 3 * ROOM // 24
    with TrackingClient(limited, patience=1) as client:
        client.store = store = UnsteadyStore(limited)
        run = client.start_run()
        store.go_away()
        for step in range(points):
            run.log_metric("m", float(step), step)
        with pytest.raises(StoreUnavailable, match="wait in memory"):
            run.flush()
        assert sum(path.stat().st_size for path in spools(limited)) < ROOM
        store.error = None
        run.flush(patience=30)
        run.end()
        assert history(client, run.attempt_id, "m") == [(n, float(n)) for n in range(points)]
        assert client.run(run.run_id).attempt.status is RunStatus.FINISHED
        assert spools(limited) == []


def _may_mount(directory: Path) -> bool:
    if os.geteuid() != 0 or shutil.which("mount") is None:
        return False
    with _mounted(directory) as mounted:
        return mounted


@contextmanager
def _mounted(directory: Path) -> Iterator[bool]:
    options = f"size={ROOM}"
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "mltrack-test", directory],
        capture_output=True,
        check=False,
    )
    try:
        yield done.returncode == 0
    finally:
        if done.returncode == 0:
            subprocess.run(["umount", "--lazy", directory], check=True)


@contextmanager
def _largest_file(size: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
