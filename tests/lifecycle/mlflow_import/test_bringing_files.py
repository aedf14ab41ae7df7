"""Files of a run that cannot all be kept here: the rest comes, and what does not is reported."""

from __future__ import annotations

import io
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, cast

from airflow_mltrack.lifecycle.mlflow_import.job import Job, bring_files
from airflow_mltrack.lifecycle.mlflow_import.report import ImportReport
from airflow_mltrack.settings import Settings
from airflow_mltrack.tracking.client import TrackingClient
from airflow_mltrack.tracking.run_artifacts import FileOwner


@dataclass(frozen=True)
class Bucketed:
    """An object as S3 lists it: there, a name can be a file's and a directory's."""

    path: str
    size: int = 5

    def open(self) -> AbstractContextManager[io.BytesIO]:
        return io.BytesIO(b"bytes")


def test_a_file_that_is_named_like_a_directory_keeps_no_other_away(settings: Settings) -> None:
    with TrackingClient(settings) as client:
        with client.store.transaction() as tx:
            run, _ = tx.runs.open(experiment_id=0)
        report = ImportReport("sqlite:///mlflow.db")
        job = Job(client, cast("Any", None), "ada", report, lambda _: None)
        files = [Bucketed(path) for path in ("a", "a/b", "c", "d/e")]
        owner = FileOwner(attempt_id=run.attempt_id)
        assert not bring_files(job, "run 1", owner, run.artifact_root, files)
        with client.store.transaction() as tx:
            found = [file.path for file in tx.artifacts.walk(attempt_id=run.attempt_id)]
    assert found == ["a", "c", "d/e"]
    [problem] = report.problems
    assert problem.startswith("run 1, file a/b: ")
    assert "a file and a directory cannot have one name" in problem
    assert report.done["files"] == 3
