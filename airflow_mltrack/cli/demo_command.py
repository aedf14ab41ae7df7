"""``mltrack demo``: the credit sweep through a real Airflow, from data to Production."""

from __future__ import annotations

import argparse
import os
import time
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_mltrack.cli.airflow_command import add_home_options
from airflow_mltrack.cli.arguments import add_command, names
from airflow_mltrack.cli.exit_codes import ExitCode
from airflow_mltrack.cli.output import say
from airflow_mltrack.exceptions import InvalidInput

if TYPE_CHECKING:
    from airflow_mltrack.cli.arguments import Commands
    from airflow_mltrack.cli.local_airflow import LocalAirflow

DAG_ID = "credit_sweep"
RUN_PREFIX = "demo__"
_COMPONENTS = ("api-server", "scheduler", "dag-processor")
_PARSE_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class DemoData:
    """The table to work on; all empty means the data that the Dag brings itself."""

    data: str = ""
    """Path or URI of a table: CSV, CSV.gz or Parquet."""
    target: str = ""
    """Name of the column to predict."""
    positive: str = ""
    """The target's value that counts as 1, for a target that is not 0/1."""
    drop: tuple[str, ...] = ()
    """Columns to leave out."""

    def conf(self) -> dict[str, str]:
        """Return the Dag's params that these settings change.

        :raises InvalidInput: when a table is named without its target, or does not exist.
        """
        if not self.data:
            if self.target or self.positive or self.drop:
                raise InvalidInput("--data", "", "--target, --positive and --drop need a table.")
            return {}
        if not self.target:
            raise InvalidInput("--target", "", "name the column that is to be predicted.")
        return {
            "DATA": _located(self.data),
            "TARGET": self.target,
            "POSITIVE": self.positive,
            "DROP": ",".join(self.drop),
        }


def register(commands: Commands) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "demo",
        "run the credit sweep through a real, local Airflow, from data to Production",
        _demo,
        backend=False,
        formats=(),
    )
    add_home_options(parser)
    parser.add_argument("--data", default="", metavar="PATH", help="table, path or URI")
    parser.add_argument("--target", default="", metavar="COLUMN", help="column to predict")
    parser.add_argument(
        "--positive", default="", metavar="VALUE", help="value of the target that counts as 1"
    )
    parser.add_argument(
        "--drop", type=names, default=(), metavar="A,B", help="columns to leave out"
    )


def run_demo(home: Path, data: DemoData, *, port: int | None = None) -> ExitCode:
    """Run the Dag, show its progress and its result, and stop everything that was started.

    :param home: directory of the local Airflow; made when it does not exist.
    :param port: port of its web interface; None takes 8080 or a free one.
    :raises InvalidInput: when the table cannot be used as it is described.
    """
    from airflow_mltrack.cli.local_airflow import local_airflow
    from airflow_mltrack.cli.process_sessions import Stopped, raise_on_signals

    conf = data.conf()
    with raise_on_signals():
        try:
            with local_airflow(home, _COMPONENTS, port=port, say=say) as airflow:
                return _run_dag(airflow, conf)
        except Stopped as stopped:
            say(f"{stopped}: the demo and its Airflow are stopped.")
            return ExitCode.INTERRUPTED


def _run_dag(airflow: LocalAirflow, conf: dict[str, str]) -> ExitCode:
    from airflow_mltrack.cli.airflow_processes import wait_until
    from airflow_mltrack.cli.demo_progress import follow
    from airflow_mltrack.cli.demo_report import report_failure, report_success
    from airflow_mltrack.tracking.client import TrackingClient

    started = time.monotonic()
    wait_until(
        lambda: airflow.api.has_dag(DAG_ID), airflow.components[::-1], seconds=_PARSE_SECONDS
    )
    run_id = _trigger(airflow, conf)
    say(f"{DAG_ID} runs: {airflow.home.url}/dags/{DAG_ID}/runs/{run_id}")
    client = TrackingClient(airflow.settings)
    try:
        state = follow(airflow, client, DAG_ID, run_id)
        if state != "success":
            report_failure(airflow, client, DAG_ID, run_id)
            return ExitCode.FAILURE
        report_success(airflow, client, run_id, seconds=time.monotonic() - started)
        return ExitCode.OK
    finally:
        client.close()


def _trigger(airflow: LocalAirflow, conf: dict[str, str]) -> str:
    """Start the Dag; runs of an earlier demo that was stopped do not go on beside it."""
    runs = f"/dags/{DAG_ID}/dagRuns"
    unfinished = airflow.api.get(runs, state=["queued", "running"], limit=100)["dag_runs"]
    for run in unfinished:
        if run["dag_run_id"].startswith(RUN_PREFIX):
            airflow.api.patch(f"{runs}/{run['dag_run_id']}", {"state": "failed"})
    airflow.api.patch(f"/dags/{DAG_ID}", {"is_paused": False})
    run_id = f"{RUN_PREFIX}{datetime.now(timezone.utc):%Y-%m-%dT%H-%M-%S}"
    workers = max(2, min(8, os.cpu_count() or 2))
    body = {"dag_run_id": run_id, "logical_date": None, "conf": {"workers": workers, **conf}}
    airflow.api.post(runs, body)
    return run_id


def _located(data: str) -> str:
    """Make a path absolute: the tasks run in another directory."""
    if "://" in data:
        return data
    path = Path(data).expanduser().absolute()
    if not path.is_file():
        raise InvalidInput("--data", data, "there is no such file.")
    return str(path)


def _demo(args: argparse.Namespace) -> ExitCode:
    data = DemoData(args.data, args.target, args.positive, args.drop)
    return run_demo(args.home, data, port=args.port)
