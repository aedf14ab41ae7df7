"""Sweeps and the queue of their trials."""

from __future__ import annotations

import builtins
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from sqlalchemy import Row, Select, bindparam, func, select, text, update
from sqlalchemy.dialects.postgresql import JSONB

from airflow_mltrack.entities.sweeps import Sweep, Trial, TrialState
from airflow_mltrack.exceptions import Conflict, InvalidInput, NotFound
from airflow_mltrack.store.attempts import storable_error
from airflow_mltrack.store.key_rules import check_key
from airflow_mltrack.store.tables import runs, sweeps, trial_reports, trials

if TYPE_CHECKING:
    from datetime import timedelta
    from typing import Any

    from sqlalchemy.engine import Connection

_CREATE = text(
    """
    INSERT INTO sweeps (run, spec, metric, direction, n_trials)
    SELECT id, :spec, :metric, :direction, :n_trials FROM runs WHERE run_id = :run_id
    ON CONFLICT (run) DO NOTHING
    """
).bindparams(bindparam("spec", type_=JSONB))

_ADD = text(
    """
    INSERT INTO trials (sweep, number, params)
    SELECT :sweep, :first + given.position - 1, given.params
    FROM jsonb_array_elements(:params) WITH ORDINALITY AS given (params, position)
    """
).bindparams(bindparam("params", type_=JSONB))

# Besides waiting trials, those whose worker is gone: they are this worker's own (it was started
# anew) or an earlier try's of it; or their child run was closed after they were claimed (by the
# listener or the reaper); or nothing was heard of them for too long.
_CLAIM = text(
    """
    WITH next AS (
        SELECT trials.sweep, trials.number
        FROM trials JOIN sweeps ON sweeps.run = trials.sweep
            JOIN runs parent ON parent.id = sweeps.run
            LEFT JOIN runs child ON child.id = trials.run
            LEFT JOIN attempts ON attempts.id = child.attempt_id
        WHERE parent.run_id = :run_id AND NOT sweeps.closed
            AND (CAST(:number AS int) IS NULL OR trials.number = :number)
            AND (
                trials.state = 'WAITING'
                OR trials.state = 'RUNNING' AND (
                    trials.claimed_by = :claimed_by
                    OR trials.worker = :worker
                    OR attempts.ended_at > trials.claimed_at
                    OR GREATEST(trials.claimed_at, attempts.heartbeat_at)
                        < clock_timestamp() - CAST(:silent_for AS interval)
                )
            )
        ORDER BY trials.state = 'WAITING', trials.number
        LIMIT 1
        FOR UPDATE OF trials SKIP LOCKED
    ), forgotten AS (
        DELETE FROM trial_reports USING next
        WHERE trial_reports.sweep = next.sweep AND trial_reports.number = next.number
    )
    UPDATE trials SET state = 'RUNNING', attempts = trials.attempts + 1, claimed_by = :claimed_by,
        worker = :worker, claimed_at = clock_timestamp()
    FROM next WHERE trials.sweep = next.sweep AND trials.number = next.number
    RETURNING trials.number
    """
)


class Sweeps:
    """Searches over configurations. Trials are numbered 0, 1, ... without gaps.

    A trial is held by the worker that claimed it. Whoever gives ``claimed_by`` changes it only
    while it holds it: a worker that lost its trial to another one decides nothing any more.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def create(
        self,
        run_id: str,
        *,
        spec: Mapping[str, object],
        metric: str,
        direction: str,
        n_trials: int,
    ) -> Sweep:
        """Make a run the parent of a sweep; one that it has already is returned as it is.

        :param spec: JSON-able: search space, sampler, pruner, training specification.
        :param direction: ``maximize`` or ``minimize``.
        :raises NotFound: there is no such run.
        """
        check_key("metric", metric)
        if direction not in ("maximize", "minimize"):
            raise InvalidInput("direction", direction, "it is maximize or minimize.")
        if n_trials < 1:
            raise InvalidInput("n_trials", n_trials, "it is 1 or more.")
        self._connection.execute(
            _CREATE,
            {
                "run_id": run_id,
                "spec": dict(spec),
                "metric": metric,
                "direction": direction,
                "n_trials": n_trials,
            },
        )
        return self.get(run_id)

    def get(self, run_id: str) -> Sweep:
        """Return the sweep of a parent run.

        :raises NotFound: the run does not exist or is no sweep.
        """
        return _sweep(self._row(run_id))

    def lock(self, run_id: str) -> Sweep:
        """Return the sweep and keep others from locking it until the transaction ends.

        :raises NotFound: the run does not exist or is no sweep.
        """
        return _sweep(self._row(run_id, lock=True))

    def add_trials(
        self, run_id: str, params: Sequence[Mapping[str, object]]
    ) -> builtins.list[Trial]:
        """Append waiting trials and return them.

        :raises Conflict: when there would be more than the sweep may have.
        """
        sweep = self._row(run_id, lock=True)
        first = self._count(sweep.run)
        if first + len(params) > sweep.n_trials:
            raise Conflict(
                "sweep",
                run_id,
                f"it has {first} of {sweep.n_trials} trials, {len(params)} are too many.",
            )
        values = [dict(one) for one in params]
        self._connection.execute(_ADD, {"sweep": sweep.run, "first": first, "params": values})
        return self.trials(run_id, except_numbers=range(first))

    def ensure_trials(
        self, run_id: str, params: Sequence[Mapping[str, object]]
    ) -> builtins.list[Trial]:
        """Append those of the planned trials that are not there yet; return all.

        Planning again after half of it was lost neither doubles nor changes a trial.
        """
        sweep = self._row(run_id, lock=True)
        self.add_trials(run_id, params[self._count(sweep.run) :])
        return self.trials(run_id)

    def claim(
        self,
        run_id: str,
        *,
        claimed_by: str,
        worker: str | None = None,
        number: int | None = None,
        silent_for: timedelta | None = None,
    ) -> Trial | None:
        """Take the next trial that waits or whose worker is gone; never one that another holds.

        What an earlier start of it reported is forgotten.

        :param claimed_by: attempt key of the worker.
        :param worker: logical key of the worker: what an earlier try of it held is taken back.
        :param number: take this trial or none.
        :param silent_for: take trials that gave no sign of life for that long; None: take none.
        :return: None when there is nothing to take now.
        """
        claimed = self._connection.scalar(
            _CLAIM,
            {
                "run_id": run_id,
                "claimed_by": claimed_by,
                "worker": worker,
                "number": number,
                "silent_for": silent_for,
            },
        )
        return None if claimed is None else self.trial(run_id, claimed)

    def start(
        self, run_id: str, number: int, child_run_id: str, *, claimed_by: str | None = None
    ) -> bool:
        """Note the child run of a running trial; see :meth:`finish` for ``claimed_by``."""
        child = select(runs.c.id).where(runs.c.run_id == child_run_id).scalar_subquery()
        return self._change(run_id, number, claimed_by, run=child)

    def finish(
        self,
        run_id: str,
        number: int,
        *,
        state: TrialState,
        value: float | None = None,
        error: str | None = None,
        claimed_by: str | None = None,
    ) -> bool:
        """End a running trial.

        :param claimed_by: who must hold it; None does not ask.
        :return: False when the trial is not running, or another worker holds it by now. The same
            end again by the same worker is fine: the answer to its first may have been lost.
        """
        if not state.is_terminal:
            raise InvalidInput(
                "trial state", state.value, "a trial ends COMPLETE, PRUNED or FAILED."
            )
        if state is TrialState.COMPLETE and value is None:
            raise InvalidInput("trial value", value, "a complete trial has one.")
        if self._change(
            run_id, number, claimed_by, state=state.value, value=value, error=storable_error(error)
        ):
            return True
        found = self.trial(run_id, number)
        return claimed_by is not None and (found.state, found.claimed_by) == (state, claimed_by)

    def release(
        self, run_id: str, number: int, error: str | None = None, *, claimed_by: str | None = None
    ) -> bool:
        """Put a running trial back to be claimed again; see :meth:`finish` for the rest."""
        return self._change(
            run_id,
            number,
            claimed_by,
            state=TrialState.WAITING.value,
            claimed_by=None,
            worker=None,
            error=storable_error(error),
        )

    def report(self, run_id: str, number: int, step: int, value: float) -> None:
        """Note an intermediate value; a later one for the same step replaces it.

        :raises NotFound: there is no such trial.
        """
        parameters = {"run_id": run_id, "number": number, "step": step, "value": value}
        if self._connection.execute(_REPORT, parameters).rowcount == 0:
            raise NotFound("trial", f"{run_id}/{number}")

    def decide(
        self,
        run_id: str,
        number: int,
        params: Mapping[str, object],
        notes: Mapping[str, object] | None = None,
    ) -> None:
        """Give params to a trial that was planned without; its sampler chose them only now."""
        self._connection.execute(
            update(trials)
            .where(*_is_trial(run_id, number))
            .values(params=dict(params), notes=dict(notes or {}))
        )

    def note(self, run_id: str, number: int, notes: Mapping[str, object]) -> None:
        """Replace the facts that sampler and pruner keep with a trial."""
        self._connection.execute(
            update(trials).where(*_is_trial(run_id, number)).values(notes=dict(notes))
        )

    def trial(self, run_id: str, number: int) -> Trial:
        """Return a trial with its reports.

        :raises NotFound: there is no such trial.
        """
        row = self._connection.execute(
            _select_trials(run_id, include_reports=True).where(trials.c.number == number)
        ).one_or_none()
        if row is None:
            raise NotFound("trial", f"{run_id}/{number}")
        return _trial(row)

    def running(self, run_id: str, child_run_id: str) -> Trial | None:
        """Return the trial that a child run is working on, None when it works on none."""
        query = _select_trials(run_id, include_reports=False).where(
            _CHILD.c.run_id == child_run_id, trials.c.state == TrialState.RUNNING.value
        )
        return next(map(_trial, self._connection.execute(query)), None)

    def trials(
        self,
        run_id: str,
        *,
        include_reports: bool = False,
        except_numbers: Collection[int] = (),
        except_states: Collection[TrialState] = (),
    ) -> builtins.list[Trial]:
        """Return trials by number.

        :param except_numbers: leave these out, for a caller that has them already.
        :param except_states: leave trials in these states out.
        """
        query = _select_trials(run_id, include_reports=include_reports)
        if except_states:
            query = query.where(trials.c.state.not_in([state.value for state in except_states]))
        if except_numbers:
            query = query.where(trials.c.number != func.all(list(except_numbers)))
        return [_trial(row) for row in self._connection.execute(query.order_by(trials.c.number))]

    def counts(self, run_id: str) -> dict[TrialState, int]:
        """Return how many trials are in each state; states without any are there with 0."""
        query = (
            select(trials.c.state, func.count())
            .join_from(trials, runs, runs.c.id == trials.c.sweep)
            .where(runs.c.run_id == run_id)
            .group_by(trials.c.state)
        )
        found = {TrialState(state): number for state, number in self._connection.execute(query)}
        return {state: found.get(state, 0) for state in TrialState}

    def retry_failed(self, run_id: str) -> int:
        """Open a sweep again and let its failed trials wait anew; return how many they are."""
        sweep = self._row(run_id, lock=True)
        self._connection.execute(
            update(sweeps).where(sweeps.c.run == sweep.run).values(closed=False)
        )
        return self._connection.execute(
            update(trials)
            .where(trials.c.sweep == sweep.run, trials.c.state == TrialState.FAILED.value)
            .values(
                state=TrialState.WAITING.value, attempts=0, claimed_by=None, worker=None, error=None
            )
        ).rowcount

    def close(self, run_id: str) -> None:
        """Hand out no more trials; those that have not ended become FAILED."""
        sweep = self._row(run_id, lock=True)
        self._connection.execute(
            update(sweeps).where(sweeps.c.run == sweep.run).values(closed=True)
        )
        open_states = [TrialState.WAITING.value, TrialState.RUNNING.value]
        self._connection.execute(
            update(trials)
            .where(trials.c.sweep == sweep.run, trials.c.state.in_(open_states))
            .values(
                state=TrialState.FAILED.value,
                error=func.coalesce(trials.c.error, "not finished when the sweep was closed"),
            )
        )

    def _row(self, run_id: str, *, lock: bool = False) -> Row[Any]:
        query = (
            select(sweeps, runs.c.run_id)
            .join_from(sweeps, runs, runs.c.id == sweeps.c.run)
            .where(runs.c.run_id == run_id)
        )
        if lock:
            query = query.with_for_update(of=sweeps, key_share=True)
        row = self._connection.execute(query).one_or_none()
        if row is None:
            raise NotFound("sweep", run_id, "Give the id of the sweep's parent run.")
        return row

    def _count(self, sweep: int) -> int:
        query = select(func.count()).select_from(trials).where(trials.c.sweep == sweep)
        return self._connection.scalar(query) or 0

    def _change(self, run_id: str, number: int, holder: str | None, **values: object) -> bool:
        statement = update(trials).where(
            *_is_trial(run_id, number), trials.c.state == TrialState.RUNNING.value
        )
        if holder is not None:
            statement = statement.where(trials.c.claimed_by == holder)
        if self._connection.execute(statement.values(**values)).rowcount:
            return True
        self.trial(run_id, number)
        return False


_REPORT = text(
    """
    INSERT INTO trial_reports (sweep, number, step, value)
    SELECT trials.sweep, trials.number, :step, :value
    FROM trials JOIN runs ON runs.id = trials.sweep
    WHERE runs.run_id = :run_id AND trials.number = :number
    ON CONFLICT (sweep, number, step) DO UPDATE SET value = excluded.value
    """
)

_CHILD = runs.alias("child")


def _is_trial(run_id: str, number: int) -> tuple[Any, ...]:
    sweep = select(runs.c.id).where(runs.c.run_id == run_id).scalar_subquery()
    return trials.c.sweep == sweep, trials.c.number == number


def _select_trials(run_id: str, *, include_reports: bool) -> Select[Any]:
    columns: list[Any] = [
        trials,
        runs.c.run_id.label("sweep_run_id"),
        _CHILD.c.run_id.label("child"),
    ]
    if include_reports:
        pairs = func.jsonb_object_agg(trial_reports.c.step, trial_reports.c.value, type_=JSONB)
        reports = select(pairs).where(
            trial_reports.c.sweep == trials.c.sweep, trial_reports.c.number == trials.c.number
        )
        columns.append(reports.scalar_subquery().label("reports"))
    return (
        select(*columns)
        .select_from(trials)
        .join(runs, runs.c.id == trials.c.sweep)
        .outerjoin(_CHILD, _CHILD.c.id == trials.c.run)
        .where(runs.c.run_id == run_id)
    )


def _sweep(row: Row[Any]) -> Sweep:
    return Sweep(
        run_id=row.run_id,
        spec=row.spec,
        metric=row.metric,
        direction=row.direction,
        n_trials=row.n_trials,
        closed=row.closed,
    )


def _trial(row: Row[Any]) -> Trial:
    reports = getattr(row, "reports", None) or {}
    return Trial(
        sweep_run_id=row.sweep_run_id,
        number=row.number,
        params=row.params,
        state=TrialState(row.state),
        run_id=row.child,
        value=row.value,
        attempts=row.attempts,
        claimed_by=row.claimed_by,
        error=row.error,
        reports=dict(sorted((int(step), float(value)) for step, value in reports.items())),
        notes=row.notes,
    )
