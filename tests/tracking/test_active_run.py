"""A run records what it is told, ends as its block does, and keeps bytes and rows together."""

from __future__ import annotations

import io
import json
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
import yaml

from airflow_mltrack.entities.inputs import DatasetRecord
from airflow_mltrack.entities.lineage import LineageNode
from airflow_mltrack.entities.runs import RunIdentity, RunStatus
from airflow_mltrack.exceptions import Conflict, InvalidInput, NotFound, StoreError
from airflow_mltrack.store.artifacts import Artifacts
from airflow_mltrack.tracking import run_files
from airflow_mltrack.tracking.client import TrackingClient
from tests.tracking.conftest import UnsteadyStore


def keys(client: TrackingClient) -> list[str]:
    return [stored.key for stored in client.artifact_store.list()]


def test_params_are_text_and_never_change(client: TrackingClient) -> None:
    with client.start_run() as run:
        run.log_params({"rate": 0.1, "flag": True, "none": None, "list": [1, 2]})
        run.log_param("rate", 0.1)
        with pytest.raises(Conflict, match="rate"):
            run.log_param("rate", 0.2)
    assert client.run(run.run_id).params == {
        "rate": "0.1",
        "flag": "True",
        "none": "None",
        "list": "[1, 2]",
    }


def test_ten_thousand_params_and_long_names(client: TrackingClient) -> None:
    with client.start_run("名" * 500) as run:
        run.log_params({f"p{number}": number for number in range(10_000)})
        with pytest.raises(InvalidInput):
            run.log_param("k" * 5000, 1)
    assert len(client.run(run.run_id).params) == 10_000
    with pytest.raises(InvalidInput):
        client.start_run("n" * 5000)


def test_tags_may_change(client: TrackingClient) -> None:
    with client.start_run(tags={"a": "1"}) as run:
        run.set_tag("a", 2)
        run.set_tags({"b": "x"})
    tags = client.run(run.run_id).run.tags
    assert (tags["a"], tags["b"]) == ("2", "x")


@pytest.mark.parametrize(
    ("error", "status", "text"),
    [
        (ValueError("wrong\nsecond"), RunStatus.FAILED, "ValueError: wrong\nsecond"),
        (KeyboardInterrupt(), RunStatus.KILLED, "KeyboardInterrupt"),
        (SystemExit(3), RunStatus.KILLED, "SystemExit: 3"),
    ],
)
def test_a_run_ends_as_its_block_does(
    client: TrackingClient, error: BaseException, status: RunStatus, text: str
) -> None:
    run = client.start_run()
    run.log_metric("m", 1.0)
    with pytest.raises(type(error)), run:
        raise error
    data = client.run(run.run_id)
    assert (data.attempt.status, data.attempt.error) == (status, text)
    assert data.metrics == {"m": 1.0}


def test_an_ended_run_refuses_everything(client: TrackingClient, tmp_path: Path) -> None:
    with client.start_run() as run:
        pass
    for call in (
        lambda: run.log_param("a", 1),
        lambda: run.set_tag("a", 1),
        lambda: run.log_text("x", "x.txt"),
        run.child,
        lambda: run.log_model(object(), "m"),
    ):
        with pytest.raises(Conflict, match="has ended here"):
            call()
    assert keys(client) == []
    run.end(RunStatus.FAILED)
    assert client.run(run.run_id).run.status is RunStatus.FINISHED


def test_a_run_ends_with_an_end(client: TrackingClient) -> None:
    with client.start_run() as run, pytest.raises(InvalidInput):
        run.end(RunStatus.RUNNING)


def test_the_error_of_the_block_is_not_hidden_by_one_of_the_database(
    unsteady: TrackingClient, caplog: pytest.LogCaptureFixture
) -> None:
    assert isinstance(unsteady.store, UnsteadyStore)
    run = unsteady.start_run(heartbeat=False)
    unsteady.store.error = StoreError("second")
    with pytest.raises(ValueError, match="first"), run:
        raise ValueError("first")
    assert "could not be closed" in caplog.text


def test_children_know_their_parent(client: TrackingClient) -> None:
    with client.start_run(experiment="sweep") as parent, parent.child("kid") as child:
        child.log_metric("m", 1)
    found = client.run(child.run_id).run
    assert found.parent_run_id == parent.run_id
    assert found.experiment_id == parent.experiment_id


def test_an_identity_resumes_its_attempt_and_a_new_try_opens_another(
    client: TrackingClient,
) -> None:
    first = client.start_run(identity=RunIdentity("work", "try-1"))
    again = client.start_run(identity=RunIdentity("work", "try-1"))
    assert again.attempt_id == first.attempt_id
    assert client.resume(first.run_id).attempt_id == first.attempt_id
    second = client.start_run(identity=RunIdentity("work", "try-2"))
    assert (second.run_id, second.attempt_number) == (first.run_id, 2)
    second.end()
    with pytest.raises(Conflict, match="ended as FINISHED"):
        client.start_run(identity=RunIdentity("work", "try-2"))
    with pytest.raises(Conflict, match="ended as FINISHED"):
        client.resume(first.run_id)


def test_files_are_stored_and_read_back(client: TrackingClient, tmp_path: Path) -> None:
    (tmp_path / "src/sub").mkdir(parents=True)
    (tmp_path / "src/a.txt").write_text("a")
    (tmp_path / "src/sub/b.bin").write_bytes(b"b")
    with client.start_run() as run:
        run.log_artifact(tmp_path / "src/a.txt")
        run.log_artifact(tmp_path / "src", "deep/er")
        run.log_artifacts(tmp_path / "src", "flat")
    paths = [file.path for file in run_files.walk_files(client, run.run_id)]
    assert paths == [
        "a.txt",
        "deep/er/src/a.txt",
        "deep/er/src/sub/b.bin",
        "flat/a.txt",
        "flat/sub/b.bin",
    ]
    top = [(entry.path, entry.is_dir) for entry in run_files.list_files(client, run.run_id)]
    assert top == [("a.txt", False), ("deep", True), ("flat", True)]
    target = run_files.download_files(client, run.run_id, tmp_path / "out", "flat")
    assert (target / "sub/b.bin").read_bytes() == b"b"
    with run_files.open_file(client, run.run_id, "a.txt") as source:
        assert source.read() == b"a"
    assert run_files.read_file(client, run.run_id, "flat/a.txt", limit=1) == b"a"
    with pytest.raises(NotFound):
        run_files.read_file(client, run.run_id, "missing")
    with pytest.raises(NotFound):
        run_files.download_files(client, run.run_id, tmp_path / "out", "missing")


@pytest.mark.parametrize("path", ["../x", "/x", "a/../../x", "a\x00b", "a\\b", ""])
def test_a_path_that_climbs_out_is_refused(client: TrackingClient, path: str) -> None:
    with client.start_run() as run, pytest.raises(InvalidInput):
        run.log_text("x", path)
    assert keys(client) == []


def test_missing_local_files_are_refused(client: TrackingClient, tmp_path: Path) -> None:
    with client.start_run() as run:
        with pytest.raises(InvalidInput, match="local file"):
            run.log_artifact(tmp_path / "missing")
        with pytest.raises(InvalidInput, match="local directory"):
            run.log_artifacts(tmp_path / "missing")


def test_a_file_that_is_logged_again_replaces_row_and_bytes(client: TrackingClient) -> None:
    with client.start_run() as run:
        run.log_text("old", "dir/x.txt")
        (before,) = keys(client)
        run.log_text("new", "dir/x.txt")
        (after,) = keys(client)
        assert before != after
        assert run_files.read_file(client, run.run_id, "dir/x.txt") == b"new"


def test_bytes_without_a_row_are_removed(
    client: TrackingClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Artifacts, **_: object) -> None:
        raise StoreError("no rows today")

    with client.start_run() as run:
        run.log_text("old", "x.txt")
        monkeypatch.setattr(Artifacts, "record", refuse)
        for path in ("x.txt", "y.txt"):
            with pytest.raises(StoreError):
                run.log_text("new", path)
        monkeypatch.undo()
        assert len(keys(client)) == 1
        assert run_files.read_file(client, run.run_id, "x.txt") == b"old"


def test_a_lost_answer_deletes_no_bytes_that_a_row_names(unsteady: TrackingClient) -> None:
    assert isinstance(unsteady.store, UnsteadyStore)
    with unsteady.start_run(heartbeat=False) as run:
        unsteady.store.lose_answers = 1
        run.log_text("kept", "x.txt")
        assert run_files.read_file(unsteady, run.run_id, "x.txt") == b"kept"


def test_dicts_become_json_or_yaml(client: TrackingClient) -> None:
    data = {"a": np.float64(0.5), "b": np.arange(2), "ü": [None, True]}
    plain = {"a": 0.5, "b": [0, 1], "ü": [None, True]}
    with client.start_run() as run:
        run.log_dict(data, "x.json")
        run.log_dict(data, "x.yaml")
        with pytest.raises(InvalidInput, match="no JSON form"):
            run.log_dict({"a": object()}, "y.json")
    assert json.loads(run_files.read_file(client, run.run_id, "x.json")) == plain
    assert yaml.safe_load(run_files.read_file(client, run.run_id, "x.yaml")) == plain


def test_figures_become_pictures(client: TrackingClient) -> None:
    mpl.use("agg")
    from matplotlib.figure import Figure

    figure = Figure()
    figure.subplots().plot([1, 2])
    with client.start_run() as run:
        run.log_figure(figure, "plots/x.png")
        run.log_figure(figure, "plots/x.svg")
        for wrong in ((figure, "x.txt"), ("no figure", "x.png")):
            with pytest.raises(InvalidInput):
                run.log_figure(*wrong)
    assert run_files.read_file(client, run.run_id, "plots/x.png").startswith(b"\x89PNG")
    assert run_files.find_file(client, run.run_id, "plots/x.svg").content_type == "image/svg+xml"


@pytest.mark.parametrize("path", ["t.json", "t.parquet"])
def test_tables_grow_by_rows(client: TrackingClient, path: str) -> None:
    with client.start_run() as run:
        run.log_table({"a": [1, 2], "b": ["x", "y"]}, path)
        run.log_table({"a": 3, "b": "z"}, path)
        run.log_table(pd.DataFrame({"a": [4], "b": ["w"]}), path)
        with pytest.raises(InvalidInput, match="table path"):
            run.log_table({"a": 1}, "t.csv")
        with pytest.raises(InvalidInput, match="table"):
            run.log_table([1, 2], path)  # type: ignore[arg-type]
        with pytest.raises(InvalidInput, match="table"):
            run.log_table({"a": [1, 2], "b": [1]}, path)
    data = run_files.read_file(client, run.run_id, path)
    if path.endswith("json"):
        assert json.loads(data)["data"] == [[1, "x"], [2, "y"], [3, "z"], [4, "w"]]
    else:
        assert list(pd.read_parquet(io.BytesIO(data))["a"]) == [1, 2, 3, 4]


def test_inputs_are_recorded_with_their_lineage(client: TrackingClient) -> None:
    record = DatasetRecord("credit", "ab" * 32, source="x.csv")
    with client.start_run() as run:
        run.log_input(record, "training")
    with client.store.transaction() as tx:
        (found,) = tx.inputs.list(run.attempt_id)
        (edge,) = tx.lineage.upstream(LineageNode("run", run.run_id))
    assert (found.dataset.name, found.context) == ("credit", "training")
    assert edge.source == LineageNode("dataset", f"credit@{'ab' * 32}")


def test_a_top_level_run_says_where_it_came_from(client: TrackingClient) -> None:
    with client.start_run(user="ada") as run, run.child() as child:
        pass
    tags = client.run(run.run_id).run.tags
    assert tags["mlflow.user"] == "ada"
    assert tags["mlflow.source.name"]
    assert tags["mlflow.source.type"] == "LOCAL"
    assert client.run(child.run_id).run.tags == {}


def test_runs_are_found_by_search(client: TrackingClient) -> None:
    with client.start_run("good", experiment="e") as run:
        run.log_metric("auc", 0.9)
    with client.start_run("bad", experiment="e") as bad:
        bad.log_metric("auc", 0.1)
    page = client.search_runs(experiments=["e"], filter="metrics.auc > 0.5")
    assert [data.run.run_id for data in page.runs] == [run.run_id]
    with pytest.raises(NotFound):
        client.search_runs(experiments=["nothing"])


def test_a_closed_client_leaves_its_runs_open(client: TrackingClient) -> None:
    run = client.start_run()
    run.log_metric("m", 1.0)
    client.close()
    data = client.run(run.run_id)
    assert (data.run.status, data.metrics) == (RunStatus.RUNNING, {"m": 1.0})
    with pytest.raises(Conflict):
        run.log_metric("m", 2.0)
