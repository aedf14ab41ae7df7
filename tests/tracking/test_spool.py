"""A spool gives back what it was given, also after its process or its machine died."""

from __future__ import annotations

import errno
import os
from array import array
from pathlib import Path

import pytest

from airflow_mltrack.entities.metrics import MetricBatch
from airflow_mltrack.settings import Settings
from airflow_mltrack.tracking.client import TrackingClient
from airflow_mltrack.tracking.spool import Spool, SpoolOwner, spool_directory
from airflow_mltrack.tracking.spool_delivery import deliver_spools

OWNER = SpoolOwner("a-run", 7)


def batch(number: int, points: int = 3, key: str = "löss/1") -> MetricBatch:
    return MetricBatch(
        7,
        key,
        number,
        array("q", range(points)),
        array("q", range(points)),
        array("d", [number / 2] * points),
    )


def read_all(spool: Spool) -> list[MetricBatch]:
    found = list(spool.read(10**9))
    return [item for item, _ in found]


def left_behind(directory: Path, batches: list[MetricBatch]) -> Path:
    spool = Spool.create(directory, OWNER)
    assert spool.append(batches)
    spool.close()
    return spool.path


def test_batches_come_back_in_order_and_unchanged(tmp_path: Path) -> None:
    batches = [batch(number) for number in range(5)] + [batch(2**63 - 1, points=0, key="x")]
    path = left_behind(tmp_path, batches)
    adopted = Spool.adopt(path)
    assert adopted is not None
    spool, owner = adopted
    assert owner == OWNER
    assert read_all(spool) == batches
    spool.remove()
    assert not path.exists()


def test_reading_goes_on_where_delivery_stopped(tmp_path: Path) -> None:
    spool = Spool.create(tmp_path, OWNER)
    spool.append([batch(number) for number in range(4)])
    (_, _), (_, position) = list(spool.read(4))
    spool.mark_delivered(position)
    spool.append([batch(4)])
    assert [item.batch for item in read_all(spool)] == [2, 3, 4]
    spool.close()


def test_a_living_owner_keeps_its_spool(tmp_path: Path) -> None:
    spool = Spool.create(tmp_path, OWNER)
    assert Spool.adopt(spool.path) is None
    spool.close()
    adopted = Spool.adopt(spool.path)
    assert adopted is not None
    assert Spool.adopt(spool.path) is None
    adopted[0].remove()
    assert Spool.adopt(spool.path) is None


@pytest.mark.parametrize("lost", [1, 8, 30, 60])
def test_a_torn_end_costs_only_the_last_batch(tmp_path: Path, lost: int) -> None:
    path = left_behind(tmp_path, [batch(1), batch(2)])
    path.write_bytes(path.read_bytes()[:-lost])
    adopted = Spool.adopt(path)
    assert adopted is not None
    assert [item.batch for item in read_all(adopted[0])] == [1]
    adopted[0].close()


def test_damage_is_noticed(tmp_path: Path) -> None:
    path = left_behind(tmp_path, [batch(1), batch(2)])
    data = bytearray(path.read_bytes())
    data[-5] ^= 0xFF
    path.write_bytes(data)
    adopted = Spool.adopt(path)
    assert adopted is not None
    assert [item.batch for item in read_all(adopted[0])] == [1]
    adopted[0].close()


@pytest.mark.parametrize("content", [b"", b"something else", b"airflow-mltrack spool 1\n\x05"])
def test_a_file_that_is_no_spool_is_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.spool"
    path.write_bytes(content)
    assert Spool.adopt(path) is None
    assert path.read_bytes() == content


def test_a_spool_does_not_grow_beyond_its_limit(tmp_path: Path) -> None:
    spool = Spool.create(tmp_path, OWNER, max_bytes=1000)
    taken = 0
    while spool.append([batch(taken)]):
        taken += 1
    assert 5 < taken < 20
    assert spool.path.stat().st_size <= 1000
    assert len(read_all(spool)) == taken
    spool.close()


def test_only_the_user_may_read_a_spool(tmp_path: Path) -> None:
    path = left_behind(tmp_path / "new", [batch(1)])
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_without_a_setting_the_directory_outlives_the_process() -> None:
    settings = Settings(database_url="postgresql://x/y", artifact_uri="/x")
    assert spool_directory(settings) == spool_directory(settings)
    assert spool_directory(settings).is_absolute()


def test_points_of_another_database_are_left_alone(
    client: TrackingClient, settings: Settings
) -> None:
    path = left_behind(spool_directory(settings), [batch(1)])
    with client.start_run(heartbeat=False) as run:
        wrong_run = Spool.create(
            spool_directory(settings), SpoolOwner("another-run", run.attempt_id)
        )
        wrong_run.append([batch(1)])
        wrong_run.close()
    done = deliver_spools(settings, client.store)
    assert done.points == 0
    assert set(done.foreign) == {path, wrong_run.path}
    assert path.exists()


def test_a_full_disk_leaves_no_empty_spools(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        Spool.create(tmp_path, OWNER)
    assert list(tmp_path.iterdir()) == []
