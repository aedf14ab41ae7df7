"""The work on a sweep's trials: take one, run it, say how it ended.

Any number of workers, in any number of processes, work on one sweep: the store hands each trial to
one of them. What a worker held when it died is taken again by its next try, or by others once its
signs of life have stopped.
"""

from __future__ import annotations

import functools
import json
import logging
import math
import secrets
import time
import traceback
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow_mltrack.entities.runs import RunStatus
from airflow_mltrack.entities.sweeps import Sweep, Trial, TrialState
from airflow_mltrack.exceptions import ArtifactUnavailable, DataUnavailable, StoreUnavailable
from airflow_mltrack.lifecycle.samplers import Study, is_planned, sampler_notes

if TYPE_CHECKING:
    from airflow_mltrack.entities.runs import Run, RunIdentity
    from airflow_mltrack.store.tracking_store import Transaction
    from airflow_mltrack.tracking.active_run import ActiveRun
    from airflow_mltrack.tracking.client import TrackingClient

logger = logging.getLogger(__name__)

SILENT_FOR = timedelta(minutes=5)
"""After this long without a sign of life other workers take a trial over."""
SWEEP_TAG, TRIAL_TAG, PRUNED_TAG = "mltrack.sweep", "mltrack.trial", "mltrack.pruned"
_RETRYABLE = (StoreUnavailable, ArtifactUnavailable, DataUnavailable)
_LONGEST_PAUSE = 30.0

Report = Callable[[int, float], None]
"""Takes (step, value) of the sweep's metric; raises :class:`TrialPruned` when it is hopeless."""
Objective = Callable[["ActiveRun", Trial, Report], float]
"""Runs one trial and returns the sweep's metric."""


class TrialPruned(Exception):
    """Ends a trial early, because what it reported is not worth going on. Not an error."""


def ask(
    client: TrackingClient,
    sweep_run_id: str,
    identity: RunIdentity,
    *,
    number: int | None = None,
    silent_for: timedelta = SILENT_FOR,
) -> Trial | None:
    """Take the next trial, or this one, with its params decided.

    :param identity: the worker. Its logical key says which trials an earlier try of it left
        behind, so two workers that run at once need different ones.
    :param silent_for: take over trials whose worker gave no sign of life for that long.
    :return: None when there is nothing to take: all are done, or others hold them.
    :raises NotFound: the run is no sweep.
    """

    def work(tx: Transaction) -> Trial | None:
        sweep = tx.sweeps.get(sweep_run_id)
        if not is_planned(_part(sweep, "sampler")):
            tx.sweeps.lock(sweep_run_id)  # one suggestion at a time: each sees the ones before
        trial = tx.sweeps.claim(
            sweep_run_id,
            claimed_by=identity.attempt_key,
            worker=identity.logical_key,
            number=number,
            silent_for=silent_for,
        )
        if trial is None or trial.params:
            return trial if trial is None else _begin_anew(tx, trial)
        return _decide(tx, sweep, trial)

    return client.transact(work)


def tell(
    client: TrackingClient,
    trial: Trial,
    *,
    state: TrialState = TrialState.COMPLETE,
    value: float | None = None,
    error: str | None = None,
) -> bool:
    """End a trial that :func:`ask` gave. Telling the same twice is fine.

    :param value: the sweep's metric; NaN makes the trial FAILED.
    :return: False when another worker holds the trial by now; its outcome counts then.
    """
    told, _ = client.transact(lambda tx: _finish(tx, trial, state, value, error))
    return told


def report(client: TrackingClient, trial: Trial, step: int, value: float) -> bool:
    """Note an intermediate value of a running trial; return whether it should be given up."""

    def work(tx: Transaction) -> bool:
        tx.sweeps.report(trial.sweep_run_id, trial.number, step, value)
        sweep = tx.sweeps.get(trial.sweep_run_id)
        if sweep.spec.get("pruner") is None:
            return False
        study = _up_to_date_study(tx, sweep, trial.number)
        with study.lock:
            pruned, notes = study.should_prune(trial.number)
        tx.sweeps.note(trial.sweep_run_id, trial.number, notes)
        return pruned

    return client.transact(work)


def run_trials(
    client: TrackingClient,
    sweep_run_id: str,
    *,
    identity: RunIdentity,
    objective: Objective,
    numbers: Sequence[int] | None = None,
    silent_for: timedelta = SILENT_FOR,
    pause: Callable[[float], None] = time.sleep,
) -> list[Trial]:
    """Work on trials until none is left to take, each in a child run of the sweep.

    An exception of one trial fails that trial, and the work goes on. A database, artifact store or
    data source that is away puts it back, to be tried again. When the worker itself is stopped, the
    trial is put back and the exception passed on.

    :param identity: the worker; see :func:`ask`.
    :param objective: called with the child run, the trial and a ``report(step, value)``, which
        raises :class:`TrialPruned` when the trial should be given up.
    :param numbers: work on these trials only; None takes the next one until none is left.
    :param pause: waits before a trial that was put back may be taken again.
    :return: the trials that this call ended, as they ended; none when the sweep is closed.
    :raises NotFound: the run is no sweep.
    """
    parent, sweep = client.transact(
        lambda tx: (tx.runs.get(sweep_run_id), tx.sweeps.get(sweep_run_id))
    )
    if sweep.closed:
        logger.warning(
            "Sweep %s is closed and hands out no trial. To run its failed trials again, clear the "
            "task that planned it together with its downstream tasks.",
            sweep_run_id,
        )
    ended: list[Trial] = []
    for number in [None] if numbers is None else numbers:
        while trial := ask(client, sweep_run_id, identity, number=number, silent_for=silent_for):
            outcome = _run_one(client, sweep, parent, identity, trial, objective)
            if outcome.state.is_terminal:
                ended.append(outcome)
            else:
                pause(min(2.0**trial.attempts, _LONGEST_PAUSE))
    return ended


def trial_name(number: int, params: Mapping[str, object]) -> str:
    """Name a child run after what it tries, for example ``017 lightgbm + smote``."""
    named = [params[key] for key in ("classifier", "resampler") if key in params]
    if named:
        words = " + ".join(_short(one) for one in named if one not in (None, "none"))
    else:
        words = " ".join(f"{key}={_short(value)}" for key, value in list(params.items())[:4])
    return f"{number:03} {words}"[:200].strip()


def _run_one(
    client: TrackingClient,
    sweep: Sweep,
    parent: Run,
    identity: RunIdentity,
    trial: Trial,
    objective: Objective,
) -> Trial:
    """Run a trial that was taken; return it as it ended, WAITING when it was put back."""
    most = int(str(sweep.spec["max_trial_attempts"]))
    if trial.attempts > most:
        error = f"started {most} times without coming to an end; last: {trial.error or 'no error'}"
        return _give_up(client, trial, error)
    child = client.start_run(
        trial_name(trial.number, trial.params),
        experiment=parent.experiment_id,
        # Not the count of starts alone: that begins again when the sweep is planned again.
        identity=identity.trial(
            sweep.run_id, trial.number, attempt=f"{trial.attempts}-{secrets.token_hex(4)}"
        ),
        parent=sweep.run_id,
        tags={SWEEP_TAG: sweep.run_id, TRIAL_TAG: str(trial.number)},
        patience=client.patience,  # in the middle of a sweep: the worker waits as its runs do
    )
    client.transact(
        lambda tx: tx.sweeps.start(
            sweep.run_id, trial.number, child.run_id, claimed_by=trial.claimed_by
        )
    )
    trial = replace(trial, run_id=child.run_id)
    try:
        value = float(objective(child, trial, _reporter(client, trial)))
        child.flush()
    except TrialPruned:
        return _prune(client, child, trial)
    except _RETRYABLE as error:
        return _put_back(client, child, trial, error, RunStatus.FAILED)
    except Exception as error:  # noqa: BLE001 - one trial's error, whatever it is, ends that trial
        return _fail(client, child, trial, error)
    except BaseException as error:
        _put_back(client, child, trial, error, RunStatus.KILLED)
        raise
    return _complete(client, child, trial, value)


def _complete(client: TrackingClient, child: ActiveRun, trial: Trial, value: float) -> Trial:
    return _ended(client, child, trial, TrialState.COMPLETE, value=value)


def _prune(client: TrackingClient, child: ActiveRun, trial: Trial) -> Trial:
    reports = client.transact(lambda tx: tx.sweeps.trial(trial.sweep_run_id, trial.number).reports)
    value = reports[max(reports)] if reports else None
    child.set_tag(PRUNED_TAG, "true")
    child.flush()
    return _ended(client, child, trial, TrialState.PRUNED, value=value)


def _fail(client: TrackingClient, child: ActiveRun, trial: Trial, error: Exception) -> Trial:
    logger.warning("Trial %d failed; the sweep goes on.", trial.number, exc_info=error)
    return _ended(client, child, trial, TrialState.FAILED, error=_words(error))


def _put_back(
    client: TrackingClient,
    child: ActiveRun,
    trial: Trial,
    error: BaseException,
    status: RunStatus,
) -> Trial:
    # The trial first: were the child closed and the trial still held, another worker would take
    # the trial for abandoned, which is right too, but counts a start more.
    client.transact(
        lambda tx: tx.sweeps.release(
            trial.sweep_run_id, trial.number, _words(error), claimed_by=trial.claimed_by
        )
    )
    child.end(status, error=_words(error))
    return replace(trial, state=TrialState.WAITING, error=_words(error))


def _ended(
    client: TrackingClient,
    child: ActiveRun,
    trial: Trial,
    state: TrialState,
    *,
    value: float | None = None,
    error: str | None = None,
) -> Trial:
    """End the trial and its run, both or none: nobody looks after the run of a trial that ended."""

    def work(tx: Transaction) -> tuple[bool, Trial]:
        told, ended = _finish(tx, trial, state, value, error)
        if told:
            tx.runs.set_status(child.attempt_id, _run_status(ended), error=ended.error)
        return told, ended

    told, ended = client.transact(work)
    if told:
        child.end(_run_status(ended), error=ended.error)
    else:
        logger.warning("Trial %d is held by another worker by now, which decides.", trial.number)
        child.end(RunStatus.KILLED, error="the trial is not this worker's any more")
    return ended


def _run_status(ended: Trial) -> RunStatus:
    return RunStatus.FAILED if ended.state is TrialState.FAILED else RunStatus.FINISHED


def _give_up(client: TrackingClient, trial: Trial, error: str) -> Trial:
    """Fail a trial that is not started again, and close what its last start left open."""

    def work(tx: Transaction) -> Trial:
        if trial.run_id is not None:
            attempt = tx.runs.attempt(tx.runs.get(trial.run_id).attempt_id)
            if not attempt.status.is_terminal:
                tx.runs.set_status(attempt.attempt_id, RunStatus.KILLED, error=error)
        return _finish(tx, trial, TrialState.FAILED, None, error)[1]

    return client.transact(work)


def _finish(
    tx: Transaction, trial: Trial, state: TrialState, value: float | None, error: str | None
) -> tuple[bool, Trial]:
    if state is TrialState.COMPLETE and value is not None and math.isnan(value):
        state, value, error = TrialState.FAILED, None, "the metric is not a number (NaN)"
    told = tx.sweeps.finish(
        trial.sweep_run_id,
        trial.number,
        state=state,
        value=value,
        error=error,
        claimed_by=trial.claimed_by,
    )
    return told, tx.sweeps.trial(trial.sweep_run_id, trial.number)


def _reporter(client: TrackingClient, trial: Trial) -> Report:
    def report_or_stop(step: int, value: float) -> None:
        if report(client, trial, step, value):
            raise TrialPruned(f"trial {trial.number} at step {step} with {value:g}")

    return report_or_stop


def _decide(tx: Transaction, sweep: Sweep, trial: Trial) -> Trial:
    study = _up_to_date_study(tx, sweep, trial.number)
    with study.lock:
        params, notes = study.suggest(trial.number)
    tx.sweeps.decide(sweep.run_id, trial.number, params, notes)
    return replace(trial, params=params, notes=notes)


def _begin_anew(tx: Transaction, trial: Trial) -> Trial:
    kept = sampler_notes(trial.notes)
    if kept != trial.notes:
        tx.sweeps.note(trial.sweep_run_id, trial.number, kept)
    return replace(trial, notes=kept)


def _up_to_date_study(tx: Transaction, sweep: Sweep, number: int) -> Study:
    """Return this process's copy of the sweep's trials, ready to speak about trial ``number``."""
    study = _study(sweep.run_id, json.dumps(sweep.spec, sort_keys=True))
    with study.lock:
        fresh = _known_trials(tx, sweep, study.ended)
        if number in study.ended or study.contradicts(fresh):
            study.forget()
            fresh = _known_trials(tx, sweep, ())
        study.update(fresh)
    return study


def _known_trials(tx: Transaction, sweep: Sweep, ended: Collection[int]) -> list[Trial]:
    return tx.sweeps.trials(
        sweep.run_id,
        include_reports=True,
        except_numbers=ended,
        except_states=[TrialState.WAITING],
    )


@functools.lru_cache(maxsize=4)
def _study(run_id: str, spec: str) -> Study:
    return Study(run_id, json.loads(spec))


def _part(sweep: Sweep, name: str) -> Mapping[str, Any]:
    part = sweep.spec[name]
    return part if isinstance(part, Mapping) else {}


def _words(error: BaseException) -> str:
    return "".join(traceback.format_exception_only(type(error), error)).strip()


def _short(value: object) -> str:
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    return text.rpartition(".")[2] if "." in text and not isinstance(value, float) else text
