"""What the demo prints at its end: leaderboard, verdict, live version, where to look further."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_mltrack.cli.airflow_api import AirflowApiError
from airflow_mltrack.cli.demo_progress import find_sweep, short_name
from airflow_mltrack.cli.model_rows import check_listing
from airflow_mltrack.cli.output import Listing, print_listing, say
from airflow_mltrack.exceptions import SweepFailed

if TYPE_CHECKING:
    from airflow_mltrack.cli.local_airflow import LocalAirflow
    from airflow_mltrack.entities.registry import ModelVersion
    from airflow_mltrack.entities.verdicts import Verdict
    from airflow_mltrack.lifecycle.sweeps import LeaderboardRow, SweepResult
    from airflow_mltrack.store.tracking_store import Transaction
    from airflow_mltrack.tracking.client import TrackingClient

_METRICS = {
    "AUC": "auc",
    "PR-AUC": "pr_auc",
    "KS": "ks",
    "Brier": "brier",
    "fit seconds": "fit_seconds",
}
_LOG_LINES = 30
_FRAMES = 6
_TOP = 15
_SYNTHETIC = "mltrack.synthetic"


def report_success(
    airflow: LocalAirflow, client: TrackingClient, run_id: str, *, seconds: float
) -> None:
    """Print what a Dag run has found and what is live now."""
    result = _sweep_result(client, run_id)
    if result:
        _print_leaderboard(result)
    with client.store.transaction() as tx:
        verdict = _verdict_of(tx, run_id)
        live = tx.registry.holder(verdict.name) if verdict else None
    if verdict:
        _print_verdict(verdict)
        _print_live(verdict, live)
    print(f"\nDone in {seconds // 60:.0f} min {seconds % 60:.0f} s.")
    _print_commands(airflow, result, verdict)


def report_failure(airflow: LocalAirflow, client: TrackingClient, dag_id: str, run_id: str) -> None:
    """Print what there is of a Dag run that failed, and the end of the log of what failed."""
    result = _sweep_result(client, run_id)
    if result:
        _print_leaderboard(result)
    with client.store.transaction() as tx:
        verdict = _verdict_of(tx, run_id)
    if verdict:
        _print_verdict(verdict)
    run = f"/dags/{dag_id}/dagRuns/{run_id}"
    failed = airflow.api.get(f"{run}/taskInstances", state=["failed"], limit=100)["task_instances"]
    if failed:
        first = min(failed, key=lambda instance: str(instance["end_date"]))
        say(f"\nTask {first['task_id']} failed; the end of its log:")
        say("\n".join(_log_tail(airflow, run, first)))
    say(f"\nThe Dag run {run_id} failed. All logs: {airflow.home.airflow_home / 'logs'}")


def leaderboard_rows(rows: Sequence[LeaderboardRow]) -> list[dict[str, object]]:
    """Lay trials out as the demo's table shows them; trials on generated data are marked."""
    return [
        {
            "#": row.rank,
            "resampler": short_name(row.params.get("resampler")),
            "classifier": short_name(row.params.get("classifier")),
            **{title: row.metrics.get(name) for title, name in _METRICS.items()},
            "data": "SYNTHETIC" if row.tags.get(_SYNTHETIC) == "true" else None,
        }
        for row in rows
    ]


def _sweep_result(client: TrackingClient, run_id: str) -> SweepResult | None:
    from airflow_mltrack.lifecycle.sweeps import close_sweep

    with client.store.transaction() as tx:
        sweep = find_sweep(tx, run_id)
    if sweep is None or not sweep.closed:
        return None
    try:
        return close_sweep(client, sweep.run_id)
    except SweepFailed as error:
        say(str(error))
        return None


def _verdict_of(tx: Transaction, run_id: str) -> Verdict | None:
    """Find the verdict that a task of the Dag run has given."""
    for model in tx.registry.list_models():
        for verdict in tx.verdicts.list(model.name):
            if verdict.details.get("dag_run_id") == run_id:
                return verdict
    return None


def _print_leaderboard(result: SweepResult) -> None:
    rows = leaderboard_rows(result.leaderboard[:_TOP])
    synthetic = any(row["data"] for row in rows)
    columns = ["#", "resampler", "classifier", *_METRICS, *(["data"] if synthetic else [])]
    ended = ", ".join(f"{number} {state.lower()}" for state, number in result.counts.items())
    print(f"\nLeaderboard: the best {len(rows)} trials by {result.metric} ({ended})")
    print("Measured on validation folds, which is where trials are ranked.")
    if synthetic:
        print("SYNTHETIC DATA: a generated loan portfolio, not real customers.")
    print_listing(Listing(columns, rows))


def _print_verdict(verdict: Verdict) -> None:
    words = "passed" if verdict.passed else "did not pass"
    print(f"Verdict on {verdict.name} version {verdict.version}: {words}")
    print("Measured on test rows, which no trial has seen.")
    print_listing(check_listing(verdict))


def _print_live(verdict: Verdict, live: ModelVersion | None) -> None:
    if live is None:
        print(f"No version of {verdict.name} is in Production.")
        return
    made = "made by this run" if live.version == verdict.version else "kept, it is the better one"
    print(f"In Production now: {live.name} version {live.version} ({made})")
    print(f"Its URI: models:/{live.name}/Production")


def _print_commands(
    airflow: LocalAirflow, result: SweepResult | None, verdict: Verdict | None
) -> None:
    mltrack = shlex.quote(_shown(Path(sys.argv[0]).absolute()))
    lines = [f"export AIRFLOW_HOME={shlex.quote(str(airflow.home.airflow_home))}"]
    if result:
        order = f"--order-by 'metrics.{result.metric} DESC'"
        lines.append(f"{mltrack} runs list --parent {result.run_id[:8]} {order}")
        lines.append(f"{mltrack} runs show {str(result.best.run_id)[:8]}")
    if verdict:
        lines += registry_commands(mltrack, verdict.name, verdict.version)
    lines.append(f"{mltrack} airflow --home {shlex.quote(_shown(airflow.home.directory))}")
    print("\nLook further (the last one starts Airflow with its web interface):")
    for line in lines:
        print(f"  {line}")


def registry_commands(mltrack: str, name: str, version: int) -> list[str]:
    """Return the commands that show what the registry knows of a version, and that take it back.

    :param mltrack: how the program is called here.
    """
    model = shlex.quote(name)
    commands = {
        f"models show {model} {version}": "its verdict, where it may go, what it lacks",
        f"models history {model}": "who did what, when and why",
        "audit verify": "nobody touched what was recorded",
        f"models evidence {model} {version}": "all of it in one archive",
        f"models rollback {model} --reason WHY": "once a version was live before it",
    }
    width = max(map(len, commands))
    return [f"{mltrack} {words:{width}}  # {why}" for words, why in commands.items()]


def _shown(path: Path) -> str:
    """Show a path as short as it can be typed here."""
    return os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)


def _log_tail(airflow: LocalAirflow, run: str, instance: Mapping[str, Any]) -> list[str]:
    path = f"{run}/taskInstances/{instance['task_id']}/logs/{instance['try_number']}"
    try:
        answer = airflow.api.get(path, map_index=instance["map_index"], full_content="true")
    except AirflowApiError as error:
        return [str(error)]
    return [line for event in answer["content"] for line in _log_lines(event)][-_LOG_LINES:]


def _log_lines(event: str | Mapping[str, Any]) -> list[str]:
    """Word one event of a task's log, with the traceback it may hold."""
    if isinstance(event, str):
        return event.splitlines()
    errors = event.get("error_detail") or []
    return [
        f"{event.get('level', ''):8} {event.get('event', '')}",
        *(line for error in errors for line in _error_lines(error)),
    ]


def _error_lines(error: Mapping[str, Any]) -> list[str]:
    frames = error.get("frames") or []
    return [
        *(
            f"  {frame['filename']}:{frame['lineno']} {frame['name']}"
            for frame in frames[-_FRAMES:]
        ),
        f"{error.get('exc_type')}: {error.get('exc_value')}",
    ]
