"""Files of the stock client: what it logs it lists and reads again, and so does ours."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import requests
from sklearn.linear_model import LogisticRegression

from airflow_mltrack.tracking.client import TrackingClient
from airflow_mltrack.tracking.run_files import walk_files

NAMES = [
    "a b.txt",
    "größe.txt",
    "模型/重み.bin",
    "100%.txt",
    "a&b=c;d'e(f).txt",
    "what? really?.txt",
]


def paths(client: Any, run_id: str, under: str | None = None) -> list[str]:
    """List everything below a directory, at any depth."""
    found: list[str] = []
    for entry in client.list_artifacts(run_id, under):
        found += paths(client, run_id, entry.path) if entry.is_dir else [entry.path]
    return found


def test_every_way_to_log_a_file_works(mlflow: Any, tracking: TrackingClient) -> None:
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot

    table = pd.DataFrame({"a": [1, 2], "b": ["x", "y"]})
    with mlflow.start_run() as run:
        mlflow.log_text("hello", "notes/hello.txt")
        mlflow.log_dict({"a": [1, 2]}, "notes/data.json")
        mlflow.log_dict({"a": [1, 2]}, "notes/data.yaml")
        figure, axes = pyplot.subplots()
        axes.plot([1, 2])
        mlflow.log_figure(figure, "plots/line.png")
        pyplot.close(figure)
        mlflow.log_image(np.zeros((4, 4, 3), dtype=np.uint8), "plots/black.png")
        mlflow.log_image(np.zeros((4, 4, 3), dtype=np.uint8), key="steps", step=3)
        mlflow.log_table(table, "tables/rows.json")
        mlflow.log_table(table, "tables/rows.json")
    run_id = run.info.run_id
    root = f"runs:/{run_id}"
    assert mlflow.artifacts.load_text(f"{root}/notes/hello.txt") == "hello"
    assert mlflow.artifacts.load_dict(f"{root}/notes/data.json") == {"a": [1, 2]}
    assert mlflow.artifacts.load_image(f"{root}/plots/black.png").size == (4, 4)
    assert len(mlflow.load_table("tables/rows.json", run_ids=[run_id])) == 4
    seen = paths(mlflow.MlflowClient(), run_id)
    assert {"notes/data.yaml", "plots/line.png", "tables/rows.json"} <= set(seen)
    assert len([path for path in seen if path.startswith("images/steps")]) == 2
    assert sorted(file.path for file in walk_files(tracking, run_id)) == sorted(seen)


def test_a_directory_comes_back_as_it_was(mlflow: Any, tmp_path: Path) -> None:
    source = tmp_path / "source"
    for number, name in enumerate([*NAMES, "deep/er/and/deeper.txt"]):
        file = source / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(os.urandom(number * 1_000))
    with mlflow.start_run() as run:
        mlflow.log_artifacts(str(source), "some dir")
    fetched = mlflow.artifacts.download_artifacts(
        run_id=run.info.run_id, artifact_path="some dir", dst_path=str(tmp_path / "target")
    )
    for file in source.rglob("*"):
        if file.is_file():
            assert (Path(fetched) / file.relative_to(source)).read_bytes() == file.read_bytes()
    assert len([file for file in Path(fetched).rglob("*") if file.is_file()]) == len(NAMES) + 1


def test_listings_name_sizes_and_directories(mlflow: Any) -> None:
    with mlflow.start_run() as run:
        mlflow.log_text("four", "dir/a.txt")
        mlflow.log_text("", "dir/empty.txt")
    client, run_id = mlflow.MlflowClient(), run.info.run_id
    assert [(entry.path, entry.is_dir) for entry in client.list_artifacts(run_id)] == [
        ("dir", True)
    ]
    files = client.list_artifacts(run_id, "dir")
    assert [(entry.path, entry.file_size) for entry in files] == [
        ("dir/a.txt", 4),
        ("dir/empty.txt", 0),
    ]
    assert client.list_artifacts(run_id, "dir/a.txt") == []
    assert client.list_artifacts(run_id, "nothing") == []
    assert mlflow.artifacts.load_text(f"runs:/{run_id}/dir/empty.txt") == ""


def test_a_file_does_not_hide_a_directory(mlflow: Any, tracking: TrackingClient) -> None:
    with mlflow.start_run() as run:
        mlflow.log_text("one", "plots/a.txt")
        for taken in ("plots", "plots/a.txt/b.txt"):
            with pytest.raises(requests.HTTPError, match=r"400.*cannot have one name"):
                mlflow.log_text("two", taken)
    fetched = Path(mlflow.artifacts.download_artifacts(run_id=run.info.run_id))
    assert [file.read_text() for file in fetched.rglob("*") if file.is_file()] == ["one"]
    root = Path(tracking.settings.artifact_uri)
    assert len([file for file in root.rglob("*") if file.is_file()]) == 1


def test_a_path_that_is_logged_again_is_replaced(
    mlflow: Any, tracking: TrackingClient, tmp_path: Path
) -> None:
    with mlflow.start_run() as run:
        for words in ("old and longer", "new"):
            mlflow.log_text(words, "a.txt")
    assert mlflow.artifacts.load_text(f"runs:/{run.info.run_id}/a.txt") == "new"
    assert len(list(tracking.artifact_store.list())) == 1  # the old bytes are gone


def test_deleted_files_are_gone_with_their_bytes(mlflow: Any, tracking: TrackingClient) -> None:
    with mlflow.start_run() as run:
        for name in ("a.txt", "dir/b.txt", "dir/c.txt"):
            mlflow.log_text(name, name)
    repository = mlflow.MlflowClient()._tracking_client._get_artifact_repo(run.info.run_id)
    for _ in range(2):  # deleting again is no error
        repository.delete_artifacts("dir")
    assert paths(mlflow.MlflowClient(), run.info.run_id) == ["a.txt"]
    assert len(list(tracking.artifact_store.list())) == 1
    repository.delete_artifacts()
    assert paths(mlflow.MlflowClient(), run.info.run_id) == []
    assert list(tracking.artifact_store.list()) == []


def test_files_that_come_at_the_same_time_are_all_there(mlflow: Any) -> None:
    client = mlflow.MlflowClient()
    with mlflow.start_run() as run:
        run_id = run.info.run_id

    def log(number: int) -> None:
        client.log_text(run_id, f"file {number}", f"dir/{number:03}.txt")
        client.log_text(run_id, f"{number}", "same.txt")

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(log, range(60)))
    assert len(client.list_artifacts(run_id, "dir")) == 60
    assert mlflow.artifacts.load_text(f"runs:/{run_id}/dir/007.txt") == "file 7"
    assert int(mlflow.artifacts.load_text(f"runs:/{run_id}/same.txt")) in range(60)


def test_the_command_line_logs_lists_and_downloads(
    mlflow: Any, address: str, tmp_path: Path
) -> None:
    with mlflow.start_run() as run:
        pass
    (tmp_path / "some file.txt").write_text("words")

    def command(*arguments: str) -> str:
        environment = {**os.environ, "MLFLOW_TRACKING_URI": address}
        call = [sys.executable, "-m", "mlflow", "artifacts", *arguments]
        done = subprocess.run(
            call, env=environment, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    chosen = ["--run-id", run.info.run_id]
    local = str(tmp_path / "some file.txt")
    command("log-artifact", *chosen, "--local-file", local, "--artifact-path", "dir")
    listed = json.loads(command("list", *chosen, "--artifact-path", "dir"))
    assert [entry["path"] for entry in listed] == ["dir/some file.txt"]
    target = tmp_path / "target"
    command("download", *chosen, "--artifact-path", "dir", "--dst-path", str(target))
    assert (target / "dir" / "some file.txt").read_text() == "words"


def test_files_of_our_own_client_are_seen(
    mlflow: Any, tracking: TrackingClient, tmp_path: Path
) -> None:
    with tracking.start_run("ours", heartbeat=False) as run:
        run.log_text("hello", "notes/a b.txt")
        run.log_dict({"a": 1}, "notes/data.json")
    assert paths(mlflow.MlflowClient(), run.run_id) == ["notes/a b.txt", "notes/data.json"]
    fetched = mlflow.artifacts.download_artifacts(run_id=run.run_id, dst_path=str(tmp_path))
    assert (Path(fetched) / "notes" / "a b.txt").read_text() == "hello"


def test_a_model_of_our_own_client_is_listed_and_loaded(
    mlflow: Any, tracking: TrackingClient
) -> None:
    table = pd.DataFrame({"a": [1.0, 2.0, 3.0, 4.0], "b": [4.0, 1.0, 3.0, 2.0]})
    fitted = LogisticRegression().fit(table, [0, 0, 1, 1])
    with tracking.start_run("ours", heartbeat=False) as run:
        run.log_text("hello", "a.txt")
        run.log_model(fitted, "model", example=table)
    client = mlflow.MlflowClient()
    assert "model/MLmodel" in {entry.path for entry in client.list_artifacts(run.run_id, "model")}
    loaded = mlflow.pyfunc.load_model(f"runs:/{run.run_id}/model")
    assert list(loaded.predict(table)) == list(fitted.predict(table))


def test_a_logged_model_is_listed_below_the_run_that_made_it(mlflow: Any) -> None:
    table = pd.DataFrame({"a": [1.0, 2.0, 3.0, 4.0]})
    with mlflow.start_run() as run:
        mlflow.log_text("hello", "a.txt")
        mlflow.sklearn.log_model(LogisticRegression().fit(table, [0, 0, 1, 1]), name="model")
    client, run_id = mlflow.MlflowClient(), run.info.run_id
    assert [entry.path for entry in client.list_artifacts(run_id)] == ["a.txt"]
    assert "model/MLmodel" in paths(client, run_id, "model")


def test_a_file_that_is_not_there_is_named(mlflow: Any) -> None:
    with mlflow.start_run() as run:
        mlflow.log_text("a", "dir/a.txt")
    for path in ("dir/b.txt", "b.txt"):
        with pytest.raises(mlflow.exceptions.MlflowException, match=r"b\.txt"):
            mlflow.artifacts.load_text(f"runs:/{run.info.run_id}/{path}")
