"""The evidence pack of a version, kept with the run of the task that wrote it."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from airflow_mltrack.hooks.mltrack import MltrackHook
from airflow_mltrack.operators.evidence import ModelEvidenceOperator
from tests.lifecycle.conftest import AddVersion
from tests.operators.conftest import execute

pytestmark = pytest.mark.usefixtures("hook")


def _write(**arguments: Any) -> dict[str, Any]:
    operator = ModelEvidenceOperator(
        task_id="evidence", **{"name": "credit", "version": "1", **arguments}
    )
    found: dict[str, Any] = execute(operator)
    return found


def test_the_pack_is_an_artifact_of_the_tasks_run(
    hook: MltrackHook, add_version: AddVersion
) -> None:
    add_version()
    found = _write()
    with hook.client.store.transaction() as tx:
        run = tx.runs.get(found["run_id"])
        record = tx.artifacts.get(attempt_id=run.attempt_id, path=found["path"])
    assert run.task_id == "evidence"
    assert record is not None
    assert (record.sha256, record.size) == (found["sha256"], found["size"])
    assert found["artifact_uri"] == f"runs:/{run.run_id}/{found['path']}"
    assert found["output"] is None


@pytest.mark.parametrize("ending", ["", "pack.zip"])
def test_a_copy_goes_where_it_is_asked_for(
    add_version: AddVersion, tmp_path: Path, ending: str
) -> None:
    add_version()
    found = _write(output_uri=f"{tmp_path}/audit/{ending}")
    copy = Path(found["output"])
    assert copy.parent == tmp_path / "audit"
    assert copy.name == (ending or Path(found["path"]).name)
    assert hashlib.sha256(copy.read_bytes()).hexdigest() == found["sha256"]


def test_a_version_that_does_not_exist_fails_the_task(add_version: AddVersion) -> None:
    add_version()
    with pytest.raises(AirflowFailException, match="does not exist"):
        _write(version=7)
