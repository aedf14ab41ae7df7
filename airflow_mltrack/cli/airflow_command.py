"""``mltrack airflow``: Airflow's components on a home of their own, until Ctrl-C or SIGTERM."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_mltrack.cli.arguments import add_command
from airflow_mltrack.cli.output import say

if TYPE_CHECKING:
    from airflow_mltrack.cli.arguments import Commands

DEFAULT_HOME = Path(".demo")


def register(commands: Commands) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "airflow",
        "run a local Airflow on this machine only, until Ctrl-C",
        _airflow,
        backend=False,
        formats=(),
    )
    add_home_options(parser)


def add_home_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say where a local Airflow lives."""
    parser.add_argument(
        "--home", type=Path, default=DEFAULT_HOME, metavar="DIR", help=f"default: {DEFAULT_HOME}"
    )
    parser.add_argument(
        "--port", type=int, metavar="N", help="of its web interface; default: 8080, or a free one"
    )


def serve_airflow(home: Path, *, port: int | None = None) -> None:
    """Run every component until a signal comes; then stop all of them.

    :param home: directory of everything it writes; made when it does not exist.
    :param port: port of the API server on 127.0.0.1; None takes 8080 or a free one.
    :raises Conflict: when the port is taken or an Airflow runs on this home already.
    :raises AirflowFailed: when a component ends by itself.
    """
    from airflow_mltrack.cli.airflow_processes import COMPONENTS, check_alive
    from airflow_mltrack.cli.local_airflow import local_airflow
    from airflow_mltrack.cli.process_sessions import Stopped, raise_on_signals

    with raise_on_signals():
        try:
            with local_airflow(home, tuple(COMPONENTS), port=port, say=say) as airflow:
                say(f"Airflow is ready: {airflow.home.url}  (Ctrl-C stops all of it)")
                while True:
                    check_alive(airflow.components)
                    time.sleep(1.0)
        except Stopped as stopped:
            say(f"{stopped}: Airflow is stopped.")


def _airflow(args: argparse.Namespace) -> None:
    serve_airflow(args.home, port=args.port)
