"""An export holds what the store holds: exactly, from one moment, in bounded memory."""

from __future__ import annotations

import hashlib
import json
import math
import tracemalloc
import uuid
from array import array
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import ipc, parquet

from airflow_mltrack.entities.approvals import Approval, Decision
from airflow_mltrack.entities.inputs import DatasetRecord, RunInput
from airflow_mltrack.entities.metrics import MetricBatch, MetricPoint
from airflow_mltrack.entities.models import LoggedModelMetric, RunModel
from airflow_mltrack.entities.runs import task_identity
from airflow_mltrack.exceptions import ArtifactError, InvalidInput, NotFound
from airflow_mltrack.lifecycle import export_files
from airflow_mltrack.lifecycle.export import MANIFEST, export_records
from airflow_mltrack.store.history import event_hash
from airflow_mltrack.store.schema import HEAD
from airflow_mltrack.tracking.client import TrackingClient
from tests.lifecycle.conftest import AddVerdict, AddVersion

POINTS = [
    MetricPoint("loss", math.nan, step=2**63 - 1, timestamp=1_700_000_000_001),
    MetricPoint("loss", math.inf, step=-(2**63), timestamp=0),
    MetricPoint("loss", -math.inf, step=0, timestamp=1),
    MetricPoint("loss", 5e-324, step=1, timestamp=1),
    MetricPoint("auc", 0.1 + 0.2, step=7, timestamp=1_700_000_000_000),
]
EVERYTHING = {
    *("experiments", "runs", "attempts", "params", "tags", "metrics", "latest_metrics"),
    *("inputs", "datasets", "logged_models", "logged_model_metrics", "run_models"),
    *("registered_models", "model_versions", "aliases", "verdicts", "approvals", "history"),
}


def read(directory: Path, table: str) -> pd.DataFrame:
    """Read one table of an export as others would."""
    found = read_arrow(directory, table).to_pandas()
    assert isinstance(found, pd.DataFrame)
    return found


def read_arrow(directory: Path, table: str) -> Any:
    path = directory / f"{table}.arrow"
    if not path.exists():
        return parquet.read_table(directory / f"{table}.parquet")
    with pa.memory_map(str(path)) as source:
        return ipc.open_file(source).read_all()


def records(directory: Path, table: str) -> list[dict[str, Any]]:
    """Rows with missing values as None; NaN stays."""
    found: list[dict[str, Any]] = read_arrow(directory, table).to_pylist()
    return found


@pytest.fixture
def recorded(client: TrackingClient) -> str:
    """Two attempts of a task under a parent, with everything that a run can have."""
    with client.store.transaction() as tx:
        experiment = tx.experiments.create("credit", tags={"team": "risk"}).experiment_id
        parent, _ = tx.runs.open(experiment_id=experiment, name="sweep")
        for try_number in (1, 2):
            identity = task_identity(
                ti_id=f"ti-{try_number}",
                dag_id="credit",
                dag_run_id="manual__1",
                task_id="train",
                map_index=3,
                try_number=try_number,
                details={"host": "worker-1"},
            )
            run, attempt = tx.runs.open(
                experiment_id=experiment,
                name="Trial “ü” 1",
                identity=identity,
                parent_run_id=parent.run_id,
                user="ada",
                tags={"a": "1", "b": ""},
            )
            tx.runs.log_params(attempt.attempt_id, {"depth": str(try_number), "long": "x" * 6000})
        tx.metrics.log_points(attempt.attempt_id, POINTS)
        dataset = DatasetRecord("table", "e" * 64, "uri", "s3://b/t", {"age": "long"}, {"rows": 3})
        tx.inputs.log(attempt.attempt_id, [RunInput(dataset, "training", {"k": "v"})])
        model = tx.models.create(experiment_id=experiment, name="model", run_id=run.run_id)
        tx.models.finalize(model.model_id, digest="d" * 64, size=9, manifest={"format": "skops"})
        tx.models.log_params(model.model_id, {"p": "1"})
        measured = LoggedModelMetric(
            "auc", 0.5, 3, 1_700_000_000_000, run.run_id, "table", "e" * 64
        )
        tx.models.log_metrics([(model.model_id, measured)])
        tx.run_models.log(attempt.attempt_id, [RunModel(model.model_id, 4)], direction="output")
    return run.run_id


@pytest.mark.parametrize("form", ["parquet", "arrow"])
def test_runs_come_back_as_they_are_in_the_store(
    client: TrackingClient, recorded: str, tmp_path: Path, form: str
) -> None:
    export_records(client, tmp_path / "out", form=form)
    out = tmp_path / "out"
    with client.store.transaction() as tx:
        data = tx.runs.data(recorded)
        tries = tx.runs.attempts(recorded)
        first = tx.runs.data(recorded, attempt=1)
    run = data.run
    [found] = [row for row in records(out, "runs") if row["run_id"] == recorded]
    assert found["started_at"] == run.started_at
    assert found["parent_run_id"] == run.parent_run_id
    assert {key: found[key] for key in ("name", "user", "dag_id", "dag_run_id", "task_id")} == {
        "name": "Trial “ü” 1",
        "user": "ada",
        "dag_id": "credit",
        "dag_run_id": "manual__1",
        "task_id": "train",
    }
    assert (found["experiment"], found["map_index"]) == ("credit", 3)
    assert (found["attempt"], found["try_number"]) == (2, 2)
    assert (found["status"], found["ended_at"], found["deleted_at"]) == ("RUNNING", None, None)
    attempts = [row for row in records(out, "attempts") if row["run_id"] == recorded]
    assert [(row["attempt"], row["latest"], row["started_at"]) for row in attempts] == [
        (item.number, item.number == 2, item.started_at) for item in tries
    ]
    assert json.loads(attempts[0]["details"]) == {"host": "worker-1"}
    params = [(row["attempt"], row["key"], row["value"]) for row in records(out, "params")]
    assert params == [
        (number, key, value)
        for number, one in ((1, first), (2, data))
        for key, value in sorted(one.params.items())
    ]
    assert [row["current"] for row in records(out, "params")] == [False, False, True, True]
    assert [(row["key"], row["value"]) for row in records(out, "tags")] == [("a", "1"), ("b", "")]


def test_every_point_comes_back_bit_for_bit(
    client: TrackingClient, recorded: str, tmp_path: Path
) -> None:
    out = export_records(client, tmp_path / "out").directory
    with client.store.transaction() as tx:
        attempt = tx.runs.get(recorded).attempt_id
        history = [point for key in ("auc", "loss") for point in tx.metrics.history(attempt, key)]
        latest = {metric.key: metric for metric in tx.metrics.latest(attempt)}
    frame = read(out, "metrics")
    assert frame["run_id"].unique().tolist() == [recorded]
    assert frame["attempt"].unique().tolist() == [2]
    assert frame["key"].tolist() == [point.key for point in history]
    assert frame["step"].tolist() == [point.step for point in history]
    millis = frame["timestamp"].astype("int64") // 1000
    assert millis.tolist() == [point.timestamp for point in history]
    values = read_arrow(out, "metrics")["value"]
    assert values.null_count == 0
    assert values.to_numpy().tobytes() == np.array([p.value for p in history]).tobytes()
    found = {row["key"]: row for row in records(out, "latest_metrics")}
    assert found["loss"]["step"] == latest["loss"].step == 2**63 - 1
    assert math.isnan(found["loss"]["value"])
    assert found["auc"]["value"] == latest["auc"].value
    assert found["auc"]["timestamp"] == datetime.fromtimestamp(1_700_000_000, tz=timezone.utc)


def test_types_are_exact(client: TrackingClient, tmp_path: Path) -> None:
    out = export_records(client, tmp_path / "out").directory
    expected = {
        "run_id": pa.string(),
        "attempt": pa.int64(),
        "key": pa.string(),
        "step": pa.int64(),
        "timestamp": pa.timestamp("us", tz="UTC"),
        "value": pa.float64(),
    }
    schema = parquet.read_schema(out / "metrics.parquet")
    assert dict(zip(schema.names, schema.types, strict=True)) == expected
    runs = parquet.read_schema(out / "runs.parquet")
    assert runs.field("started_at").type == pa.timestamp("us", tz="UTC")
    versions = parquet.read_schema(out / "model_versions.parquet")
    assert versions.field("live").type == pa.bool_()


def test_data_sets_and_logged_models_come_along(
    client: TrackingClient, recorded: str, tmp_path: Path
) -> None:
    out = export_records(client, tmp_path / "out").directory
    [read_set] = records(out, "inputs")
    assert (read_set["run_id"], read_set["attempt"], read_set["context"]) == (
        recorded,
        2,
        "training",
    )
    assert (read_set["name"], read_set["digest"]) == ("table", "e" * 64)
    assert json.loads(read_set["tags"]) == {"k": "v"}
    [dataset] = records(out, "datasets")
    assert (json.loads(dataset["schema"]), json.loads(dataset["profile"])) == (
        {"age": "long"},
        {"rows": 3},
    )
    [model] = records(out, "logged_models")
    assert (model["run_id"], model["digest"], model["size"]) == (recorded, "d" * 64, 9)
    assert (json.loads(model["manifest"]), json.loads(model["params"])) == (
        {"format": "skops"},
        {"p": "1"},
    )
    [measured] = records(out, "logged_model_metrics")
    assert (measured["model_id"], measured["value"], measured["step"]) == (
        model["model_id"],
        0.5,
        3,
    )
    [link] = records(out, "run_models")
    assert (link["direction"], link["model_id"], link["step"]) == ("output", model["model_id"], 4)
    [experiment] = [row for row in records(out, "experiments") if row["name"] == "credit"]
    assert json.loads(experiment["tags"]) == {"team": "risk"}


def test_the_registry_comes_along_and_its_chain_can_be_verified(
    client: TrackingClient, add_version: AddVersion, add_verdict: AddVerdict, tmp_path: Path
) -> None:
    version = add_version("credit", user="ada")
    verdict = add_verdict(version)
    with client.store.transaction() as tx:
        tx.registry.set_alias("credit", "challenger", 1)
        tx.registry.set_version_tags("credit", 1, {"k": "v"})
        approval = Approval(
            approval_id=uuid.uuid4().hex,
            name="credit",
            version=1,
            stage="Production",
            decision=Decision.APPROVED,
            approver="grace",
            reason="good",
            package_digest=version.digest,
            verdict_id=verdict.verdict_id,
            created_at=tx.now(),
        )
        tx.approvals.add(approval)
        tx.history.append(
            name="credit", version=1, kind="note", actor="ada", payload={"n": 0.1, "big": 10**22}
        )
        chain = tx.history.list("credit")
    out = export_records(client, tmp_path / "out").directory
    [model] = records(out, "registered_models")
    assert (model["name"], model["last_version"], model["deleted"]) == ("credit", 1, False)
    [row] = records(out, "model_versions")
    assert (row["digest"], row["user"], row["stage"]) == (version.digest, "ada", "None")
    assert json.loads(row["tags"]) == {"k": "v"}
    assert records(out, "aliases") == [{"name": "credit", "alias": "challenger", "version": 1}]
    [judged] = records(out, "verdicts")
    assert (judged["verdict_id"], judged["created_at"]) == (verdict.verdict_id, verdict.created_at)
    assert [check["observed"] for check in json.loads(judged["checks"])] == [0.6]
    [said] = records(out, "approvals")
    assert (said["approver"], said["decision"]) == ("grace", "approved")
    events = records(out, "history")
    assert [event["hash"] for event in events] == [event.hash for event in chain]
    for event in events:
        assert event_hash({**event, "payload": json.loads(event["payload"])}) == event["hash"]


def test_an_empty_database_gives_empty_tables_with_all_columns(
    client: TrackingClient, tmp_path: Path
) -> None:
    found = export_records(client, tmp_path / "deep" / "out")
    assert {file.table for file in found.files} == EVERYTHING
    for file in found.files:
        frame = read(found.directory, file.table)
        assert list(frame.columns) == list(file.columns)
        assert file.rows == len(frame) == (1 if file.table == "experiments" else 0)


def test_the_manifest_tells_what_is_there(
    client: TrackingClient, recorded: str, tmp_path: Path
) -> None:
    since = datetime(2020, 1, 1, tzinfo=timezone.utc)
    found = export_records(client, tmp_path / "out", experiments=["credit"], since=since)
    manifest = json.loads((found.directory / MANIFEST).read_text())
    assert manifest["schema_revision"] == HEAD
    assert datetime.fromisoformat(manifest["created_at"]) == found.created_at
    assert (manifest["experiments"], manifest["since"]) == (["credit"], since.isoformat())
    assert set(manifest["files"]) | {MANIFEST} == {path.name for path in found.directory.iterdir()}
    for name, facts in manifest["files"].items():
        data = (found.directory / name).read_bytes()
        assert facts["sha256"] == hashlib.sha256(data).hexdigest()
        assert facts["size"] == len(data)
        assert facts["rows"] == len(read(found.directory, facts["table"]))
    assert manifest["files"]["runs.parquet"]["columns"]["ended_at"] == {
        "type": "timestamp[us, tz=UTC]",
        "missing": 2,
    }
    assert recorded in read(found.directory, "runs")["run_id"].tolist()


def test_experiments_and_start_times_choose_runs_and_what_belongs_to_them(
    client: TrackingClient, recorded: str, add_version: AddVersion, tmp_path: Path
) -> None:
    add_version("credit")  # its logged model has no run and belongs to Default
    with client.start_run("other", experiment="other", tags={"t": "1"}) as run:
        run.log_params({"p": "1"})
        run.log_metric("auc", 0.5)
    with client.store.transaction() as tx:
        started = tx.runs.get(run.run_id).started_at

    def export(name: str, **options: Any) -> dict[str, list[str]]:
        out = export_records(client, tmp_path / name, **options).directory
        tables = ("runs", "attempts", "params", "tags", "metrics", "latest_metrics", "inputs")
        return {
            table: sorted(set(read(out, table)["run_id"]))
            for table in (*tables, "logged_models", "run_models")
        } | {"experiments": read(out, "experiments")["name"].tolist()}

    credit = export("credit", experiments=["credit"])
    assert credit["experiments"] == ["credit"]
    assert all(recorded in credit[table] for table in credit if table != "experiments")
    assert not any(run.run_id in ids for ids in credit.values())
    both = export("both", experiments=["credit", "other"])
    assert both["experiments"] == ["credit", "other"]
    assert {recorded, run.run_id} <= set(both["runs"])
    late = export("late", since=started)
    empty = {"inputs", "logged_models", "run_models"}
    assert late.pop("experiments") == ["Default", "credit", "other"]
    assert late == {table: [] if table in empty else [run.run_id] for table in late}
    assert export("never", since=started + timedelta(microseconds=1))["runs"] == []
    assert len(read(tmp_path / "late", "model_versions")) == 1


def test_what_was_deleted_is_left_out_unless_asked_for(
    client: TrackingClient, recorded: str, tmp_path: Path
) -> None:
    with client.store.transaction() as tx:
        tx.runs.delete(recorded)
        gone = tx.experiments.create("gone").experiment_id
        tx.runs.open(experiment_id=gone)
        tx.experiments.delete(gone)
        tx.registry.create_model("old")
        tx.registry.delete_model("old")
    without = export_records(client, tmp_path / "without").directory
    assert read(without, "runs")["name"].tolist() == ["sweep"]
    assert (len(read(without, "metrics")), len(read(without, "registered_models"))) == (0, 0)
    everything = export_records(client, tmp_path / "all", include_deleted=True).directory
    runs = read(everything, "runs")
    assert runs["lifecycle"].tolist() == ["active", "deleted", "deleted"]
    assert len(read(everything, "metrics")) == len(POINTS)
    assert read(everything, "registered_models")["deleted"].tolist() == [True]
    with pytest.raises(InvalidInput, match="was deleted"):
        export_records(client, tmp_path / "gone", experiments=["gone"])


def test_points_of_overlapping_chunks_come_in_order_and_once(
    client: TrackingClient, tmp_path: Path
) -> None:
    random = np.random.default_rng(5)
    with client.store.transaction() as tx:
        _, attempt = tx.runs.open(experiment_id=0)
        for _ in range(20):
            count = int(random.integers(1, 40))
            values = random.choice([0.0, -1.5, 2.0, np.nan, np.inf], count)
            points = [
                MetricPoint("m", float(value), int(step), int(at))
                for value, step, at in zip(
                    values,
                    random.integers(-3, 12, count),
                    random.integers(0, 2, count),
                    strict=True,
                )
            ]
            tx.metrics.log_points(attempt.attempt_id, points)
        expected = tx.metrics.history(attempt.attempt_id, "m")
    out = export_records(client, tmp_path / "out").directory
    found = records(out, "metrics")
    millis = [round(row["timestamp"].timestamp() * 1000) for row in found]
    assert [
        (row["step"], at, repr(row["value"])) for row, at in zip(found, millis, strict=True)
    ] == [(point.step, point.timestamp, repr(point.value)) for point in expected]


def test_a_time_that_microseconds_do_not_reach_is_missing_and_counted(
    client: TrackingClient, tmp_path: Path
) -> None:
    last = (2**63 - 1) // 1000
    with client.store.transaction() as tx:
        _, attempt = tx.runs.open(experiment_id=0)
        points = [MetricPoint("m", 1.0, 0, last), MetricPoint("m", 2.0, 1, last + 1)]
        tx.metrics.log_points(attempt.attempt_id, points)
    found = export_records(client, tmp_path / "out")
    metrics = read_arrow(found.directory, "metrics")
    assert metrics["timestamp"].cast(pa.int64()).to_pylist() == [last * 1000, None]
    assert metrics["value"].to_pylist() == [1.0, 2.0]
    assert read_arrow(found.directory, "latest_metrics")["timestamp"].null_count == 1
    [file] = [file for file in found.files if file.table == "metrics"]
    assert file.columns["timestamp"]["missing"] == 1


def test_nothing_that_is_written_meanwhile_is_in_it(
    client: TrackingClient, recorded: str, tmp_path: Path
) -> None:
    """Others commit before every single table, and compact histories under way."""
    other = TrackingClient(client.settings)
    before = export_records(client, tmp_path / "before")
    written = 0

    def write(table: str, rows: int) -> None:
        nonlocal written
        if rows:
            return
        written += 1
        with other.start_run(f"meanwhile {written}", experiment=f"new {written}") as run:
            run.log_params({"p": "1"})
            run.log_metric("auc", 0.5)
        with other.store.transaction() as tx:
            attempt = tx.runs.get(recorded).attempt_id
            tx.metrics.log_points(attempt, [MetricPoint("auc", 1.0, 10 + written)])
            tx.metrics.compact(attempt)
            tx.runs.set_tags(recorded, {"a": table})
            tx.registry.create_model(f"model-{written}")

    during = export_records(client, tmp_path / "during", progress=write)
    other.close()
    assert written == len(EVERYTHING)
    assert [(file.table, file.rows) for file in during.files] == [
        (file.table, file.rows) for file in before.files
    ]
    pd.testing.assert_frame_equal(
        read(during.directory, "metrics"), read(before.directory, "metrics")
    )
    assert read(during.directory, "tags")["value"].tolist() == ["1", ""]


def _log_many(client: TrackingClient, points: int) -> None:
    """Log to a few runs in chunks as writers make them."""
    size = 5_000
    with client.store.transaction() as tx:
        for number in range(points // 50_000):
            _, attempt = tx.runs.open(experiment_id=0)
            batches = [
                MetricBatch(
                    attempt.attempt_id,
                    "loss",
                    place + 1,
                    array("q", range(place * size, (place + 1) * size)),
                    array("q", [1_700_000_000_000 + number] * size),
                    array("d", [float(number)] * size),
                )
                for place in range(10)
            ]
            tx.metrics.log(batches)


def test_memory_does_not_grow_with_the_number_of_points(
    client: TrackingClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export_files, "ROWS_IN_GROUP", 10_000)
    monkeypatch.setattr("airflow_mltrack.store.export_rows._POINTS_AT_ONCE", 10_000)

    def peaks(name: str) -> tuple[int, int, int]:
        pool = pa.proxy_memory_pool(pa.default_memory_pool())
        previous = pa.default_memory_pool()
        pa.set_memory_pool(pool)
        tracemalloc.start()
        try:
            found = export_records(client, tmp_path / name)
            python = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
            pa.set_memory_pool(previous)
        [rows] = [file.rows for file in found.files if file.table == "metrics"]
        return rows, python, pool.max_memory()

    _log_many(client, 50_000)
    peaks("warm")  # imports and caches count once
    few, python_few, arrow_few = peaks("few")
    _log_many(client, 300_000)
    many, python_many, arrow_many = peaks("many")
    assert (few, many) == (50_000, 350_000)
    assert python_many < python_few * 1.5 + 1_000_000
    assert arrow_many < arrow_few * 1.5 + 1_000_000
    frame = read(tmp_path / "many", "metrics")
    assert frame.groupby("run_id")["step"].nunique().tolist() == [50_000] * 7


def test_rows_come_in_groups(
    client: TrackingClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export_files, "ROWS_IN_GROUP", 1_000)
    with client.store.transaction() as tx:
        _, attempt = tx.runs.open(experiment_id=0)
        tx.runs.log_params(attempt.attempt_id, {f"p{number}": "v" for number in range(100)})
        points = [MetricPoint("m", 1.0, step) for step in range(2_500)]
        tx.metrics.log_points(attempt.attempt_id, points)
    out = export_records(client, tmp_path / "out").directory
    file = parquet.ParquetFile(out / "metrics.parquet")
    assert file.metadata.num_rows == 2_500
    assert parquet.ParquetFile(out / "params.parquet").metadata.num_row_groups == 1


def test_a_directory_that_holds_something_is_refused(
    client: TrackingClient, tmp_path: Path
) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    with pytest.raises(InvalidInput, match=r"not empty \(it holds mine\.txt\)"):
        export_records(client, tmp_path / "full")
    with pytest.raises(InvalidInput, match="it is a file"):
        export_records(client, tmp_path / "full" / "mine.txt")
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["mine.txt"]


def test_an_empty_directory_is_filled(client: TrackingClient, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir(mode=0o750)
    out = export_records(client, tmp_path / "empty").directory
    assert (out / MANIFEST).exists()
    assert len(list(out.iterdir())) == len(EVERYTHING) + 1
    assert out.stat().st_mode & 0o777 == 0o750


@pytest.mark.parametrize("exists", [True, False])
def test_a_failed_export_leaves_nothing(
    client: TrackingClient, tmp_path: Path, exists: bool
) -> None:
    target = tmp_path / "parent" / "out"
    target.parent.mkdir()
    if exists:
        target.mkdir()

    def fail(table: str, rows: int) -> None:
        if table == "metrics":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export_records(client, target, progress=fail)
    assert list(target.parent.rglob("*")) == ([target] if exists else [])


def test_what_cannot_be_written_is_an_error_of_ours(client: TrackingClient, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ArtifactError, match="Not a directory"):
        export_records(client, tmp_path / "file" / "out")


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"form": "csv"}, InvalidInput, "parquet or arrow"),
        ({"since": datetime(2026, 1, 1)}, InvalidInput, "time zone"),  # noqa: DTZ001
        ({"experiments": ["nothing"]}, NotFound, "nothing"),
    ],
)
def test_wrong_options_are_named(
    client: TrackingClient,
    tmp_path: Path,
    options: dict[str, Any],
    error: type[Exception],
    message: str,
) -> None:
    with pytest.raises(error, match=message):
        export_records(client, tmp_path / "out", **options)
    assert list(tmp_path.glob("*out*")) == []
    assert list(tmp_path.glob(".mltrack-export*")) == []


def test_progress_names_tables_and_counts_rows(
    client: TrackingClient, recorded: str, tmp_path: Path
) -> None:
    heard: dict[str, int] = {}
    note: Callable[[str, int], None] = heard.__setitem__
    found = export_records(client, tmp_path / "out", progress=note)
    assert heard == {file.table: file.rows for file in found.files}
    assert heard["metrics"] == len(POINTS)
    assert recorded
