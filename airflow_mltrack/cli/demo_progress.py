"""Show how far a Dag run with a sweep is, until it ends."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from typing import TYPE_CHECKING, Any

from airflow_mltrack.cli.airflow_processes import check_alive
from airflow_mltrack.cli.output import make_console
from airflow_mltrack.entities.sweeps import TrialState
from airflow_mltrack.exceptions import NotFound

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from airflow_mltrack.cli.local_airflow import LocalAirflow
    from airflow_mltrack.entities.sweeps import Sweep, Trial
    from airflow_mltrack.store.tracking_store import Transaction
    from airflow_mltrack.tracking.client import TrackingClient

DATA_TASK = "choose_data"
ENDED = ("success", "failed")
_POLL_SECONDS = 1.0
_PLAIN_SECONDS = 10.0
_QUIET = {"waiting", "scheduled", "queued"}
_LOST = (TrialState.FAILED, TrialState.PRUNED)
_MARKS = {
    "success": "[green]done[/green]",
    "running": "[cyan]running[/cyan]",
    "failed": "[red]failed[/red]",
    "upstream_failed": "[red]not run[/red]",
    "skipped": "[dim]skipped[/dim]",
    "up_for_retry": "[yellow]to be retried[/yellow]",
}


@dataclass(frozen=True, slots=True)
class SweepProgress:
    """How far a sweep is."""

    n_trials: int
    counts: Mapping[str, int]
    """Number of trials by state."""
    metric: str
    best: float | None = None
    best_name: str = ""

    @property
    def done(self) -> int:
        """Trials that have ended."""
        return sum(self.counts.get(state.value, 0) for state in TrialState if state.is_terminal)

    def words(self) -> str:
        """Say it in one line."""
        running = self.counts.get(TrialState.RUNNING.value, 0)
        parts = [f"{self.done} of {self.n_trials} trials", f"{running} running"]
        lost = ((state, self.counts.get(state.value, 0)) for state in _LOST)
        parts += [f"{number} {state.value.lower()}" for state, number in lost if number]
        if self.best is not None:
            parts.append(f"best {self.metric} {self.best:.4f} ({self.best_name})")
        return ", ".join(parts)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a Dag run is."""

    state: str
    """Of the Dag run, in Airflow's words."""
    seconds: float
    tasks: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """Task id to the number of its task instances by state, in the order of the Dag."""
    sweep: SweepProgress | None = None

    def task_words(self, task_id: str) -> str:
        """Name the states of a task's instances."""
        states = self.tasks[task_id]
        if sum(states.values()) == 1:
            return _MARKS.get(next(iter(states)), f"[dim]{next(iter(states))}[/dim]")
        return ", ".join(f"{number} {_MARKS.get(s, s)}" for s, number in sorted(states.items()))


def follow(airflow: LocalAirflow, client: TrackingClient, dag_id: str, run_id: str) -> str:
    """Show progress until the Dag run ends and return the state it ended in.

    On a terminal one display is kept up to date; elsewhere a line is printed when something has
    happened.

    :raises AirflowFailed: when a component of Airflow ends meanwhile.
    """
    console = make_console()
    show = _LiveDisplay(console) if console.is_terminal else _Lines(console)
    started = time.monotonic()
    order = _task_order(airflow.api.get(f"/dags/{dag_id}/tasks")["tasks"])
    data_is_known = False
    with show:
        while True:
            check_alive(airflow.components)
            progress = _look(airflow, client, dag_id, run_id, order, time.monotonic() - started)
            if not data_is_known and progress.tasks.get(DATA_TASK, {}).get("success"):
                data_is_known = True
                console.print(_data_words(airflow, dag_id, run_id), markup=False)
            show(progress)
            if progress.state in ENDED:
                return progress.state
            time.sleep(_POLL_SECONDS)


def find_sweep(tx: Transaction, run_id: str) -> Sweep | None:
    """Find the sweep that a Dag run has planned."""
    experiment_ids = [item.experiment_id for item in tx.experiments.list()]
    page = tx.search.runs(
        experiment_ids=experiment_ids,
        filter=f"attributes.dag_run_id = '{run_id}' AND attributes.parent_run_id IS NULL",
    )
    for data in page.runs:
        try:
            return tx.sweeps.get(data.run.run_id)
        except NotFound:  # noqa: PERF203 - most runs are no sweep, and that costs one small query
            continue
    return None


def _data_words(airflow: LocalAirflow, dag_id: str, run_id: str) -> str:
    """Say which table the Dag has chosen, and whether it is made up."""
    from airflow_mltrack.training.dataset import is_generated

    path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{DATA_TASK}/xcomEntries/return_value"
    chosen = airflow.api.get(path, deserialize="false", stringify="false")["value"]
    if not is_generated(chosen["uri"]):
        return f"Data: {chosen['uri']}, target {chosen['target']}"
    return (
        "Data: SYNTHETIC. The UCI data set could not be downloaded (the log of "
        f"{DATA_TASK} says why), so a generated loan portfolio is used instead."
    )


def _task_order(tasks: Sequence[Mapping[str, Any]]) -> list[str]:
    """Sort tasks as they follow each other."""
    follows: dict[str, set[str]] = {task["task_id"]: set() for task in tasks}
    for task in tasks:
        for later in task["downstream_task_ids"]:
            follows[later].add(task["task_id"])
    return list(TopologicalSorter(follows).static_order())


def _look(
    airflow: LocalAirflow,
    client: TrackingClient,
    dag_id: str,
    run_id: str,
    order: Sequence[str],
    seconds: float,
) -> Progress:
    run = f"/dags/{dag_id}/dagRuns/{run_id}"
    state = airflow.api.get(run)["state"]
    instances = airflow.api.get(f"{run}/taskInstances", limit=500)["task_instances"]
    with client.store.transaction() as tx:
        sweep = find_sweep(tx, run_id)
        progress = _sweep_progress(sweep, tx.sweeps.trials(sweep.run_id)) if sweep else None
    return Progress(state, seconds, _states(instances, order), progress)


def _states(
    instances: Sequence[Mapping[str, Any]], order: Sequence[str]
) -> dict[str, Mapping[str, int]]:
    found: dict[str, Counter[str]] = {task_id: Counter() for task_id in order}
    for instance in instances:
        counter = found.setdefault(instance["task_id"], Counter())
        counter[instance["state"] or "waiting"] += 1
    return {task_id: counter for task_id, counter in found.items() if counter}


def _sweep_progress(sweep: Sweep, trials: Sequence[Trial]) -> SweepProgress:
    complete = [trial for trial in trials if trial.value is not None]
    choose = max if sweep.direction == "maximize" else min
    best = choose(complete, key=lambda trial: trial.value or 0.0) if complete else None
    return SweepProgress(
        n_trials=sweep.n_trials,
        counts=Counter(trial.state.value for trial in trials),
        metric=sweep.metric,
        best=best.value if best else None,
        best_name=trial_words(best.params) if best else "",
    )


def trial_words(params: Mapping[str, object]) -> str:
    """Name a trial after its classifier and resampler."""
    parts = [short_name(params.get(key)) for key in ("classifier", "resampler")]
    return " + ".join(part for part in parts if part != "-")


def short_name(value: object) -> str:
    """Shorten a dotted path to its last part; nothing becomes a dash."""
    return str(value).rpartition(".")[2] if value not in (None, "", "none") else "-"


class _Lines:
    """Prints a line when a task changes its state, and now and then how far the sweep is."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._shown: dict[str, str] = {}
        self._done = -1
        self._next = 0.0

    def __enter__(self) -> _Lines:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def __call__(self, progress: Progress) -> None:
        clock = f"{progress.seconds:4.0f} s"
        for task_id in progress.tasks:
            words = progress.task_words(task_id)
            if set(progress.tasks[task_id]) <= _QUIET:
                continue
            if self._shown.get(task_id) != words:
                self._shown[task_id] = words
                self._console.print(f"{clock}  {task_id}: {words}")
        sweep = progress.sweep
        if sweep is None or sweep.done == self._done:
            return
        if progress.seconds >= self._next or sweep.done == sweep.n_trials:
            self._console.print(f"{clock}  {sweep.words()}", markup=False)
            self._done, self._next = sweep.done, progress.seconds + _PLAIN_SECONDS


class _LiveDisplay:
    """Keeps one display up to date on a terminal."""

    def __init__(self, console: Console) -> None:
        from rich.live import Live

        self._live = Live(console=console, refresh_per_second=4)

    def __enter__(self) -> _LiveDisplay:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def __call__(self, progress: Progress) -> None:
        self._live.update(_rendered(progress))


def _rendered(progress: Progress) -> RenderableType:
    from rich.console import Group
    from rich.markup import escape
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2))
    for task_id in progress.tasks:
        table.add_row(f"[bold]{escape(task_id)}[/bold]", progress.task_words(task_id))
    parts: list[RenderableType] = [Text(f"{progress.seconds:.0f} s", style="dim"), table]
    if progress.sweep:
        bar = ProgressBar(total=progress.sweep.n_trials, completed=progress.sweep.done, width=50)
        parts += [bar, Text(progress.sweep.words())]
    return Group(*parts)
