"""How a sweep chooses its trials and gives up on bad ones.

Grid and random are planned up front. Optuna's samplers decide when a trial is taken, from the
trials that are in the store: those rows are the only storage, the study in memory copies them.
"""

from __future__ import annotations

import contextlib
import importlib
import inspect
import random as randomness
import threading
import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any

from airflow_mltrack.entities.sweeps import Trial, TrialState
from airflow_mltrack.exceptions import InvalidInput, MltrackError
from airflow_mltrack.training.close_names import check_known_keys, did_you_mean
from airflow_mltrack.training.search_space import Dimension, SearchSpace, grid, random, suggest

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.pruners import BasePruner
    from optuna.samplers import BaseSampler

PLANNED = ("grid", "random")
_SAMPLERS = {"tpe": "TPESampler", "cmaes": "CmaEsSampler"}
_PRUNERS = {
    "median": "MedianPruner",
    "percentile": "PercentilePruner",
    "hyperband": "HyperbandPruner",
    "successive_halving": "SuccessiveHalvingPruner",
    "threshold": "ThresholdPruner",
}
_SEED_SPAN = 2**31
_RUNG = "completed_rung_"


def check_sampler(sampler: Mapping[str, object]) -> None:
    """Refuse a sampler that is unknown or has options that it does not take.

    :raises InvalidInput: names what is wrong and what is known.
    """
    name = _known_name("sampler", sampler, (*PLANNED, *_SAMPLERS))
    seed = sampler.get("seed", 0)
    if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed < _SEED_SPAN:
        raise InvalidInput("sampler seed", seed, "it is a whole number from 0 to 2147483647.")
    if name in PLANNED:
        check_known_keys(f"sampler {name}", sampler, ("name", "seed"))


def check_pruner(pruner: Mapping[str, object] | None) -> None:
    """Refuse a pruner that is unknown.

    :raises InvalidInput: names what is known.
    """
    if pruner is not None:
        _known_name("pruner", pruner, tuple(_PRUNERS))


def is_planned(sampler: Mapping[str, object]) -> bool:
    """Whether a sampler lists all its trials before the first one runs."""
    return sampler["name"] in PLANNED


def planned(
    space: SearchSpace, sampler: Mapping[str, object], n_trials: int | None
) -> list[dict[str, object]]:
    """List the params of every trial; empty ones are decided when the trial is taken.

    The same space, sampler, seed and number give the same list.

    :raises InvalidInput: when a number of trials is needed and not given.
    """
    seed = int(str(sampler.get("seed", 0)))
    if sampler["name"] == "grid":
        points: Sequence[Mapping[str, object]] = grid(space)
        if n_trials is not None and n_trials < len(points):
            generator = randomness.Random(seed)  # noqa: S311 - reproducible choice, no secrets
            chosen = sorted(generator.sample(range(len(points)), n_trials))
            points = [points[index] for index in chosen]
        return [dict(point) for point in points]
    if n_trials is None:
        raise InvalidInput("n_trials", None, f"the sampler {sampler['name']} needs it.")
    if sampler["name"] == "random":
        return [dict(point) for point in random(space, n_trials, seed)]
    return [{} for _ in range(n_trials)]


def check_options(sampler: Mapping[str, Any], pruner: Mapping[str, Any] | None) -> None:
    """Try the options of Optuna's samplers and pruners by making one.

    :raises InvalidInput: when an option is unknown or has a wrong value.
    :raises MltrackError: when Optuna is needed and missing; holds the command that installs it.
    """
    if not is_planned(sampler):
        _make_sampler(sampler, 0)
    if pruner is not None:
        _make_pruner(pruner)


def sampler_notes(notes: Mapping[str, object]) -> dict[str, object]:
    """Keep of a trial's notes what its sampler wrote: a new start has reached no rung yet."""
    return {key: note for key, note in notes.items() if not key.startswith(_RUNG)}


class Study:
    """A copy of a sweep's trials in Optuna's terms, kept up to date from the store's rows.

    Trial ``n`` of the sweep is trial ``n`` of the study. Samplers and pruners keep facts of their
    own with a trial (CMA-ES its state, Hyperband its rungs); those are handed out as ``notes`` and
    come back with the rows, so that every worker knows them.
    """

    def __init__(self, sweep_run_id: str, spec: Mapping[str, Any]) -> None:
        self._name = sweep_run_id  # Hyperband derives brackets from it: the same in all workers
        self._space = SearchSpace.from_json(spec["space"])
        self._sampler: Mapping[str, Any] = spec["sampler"]
        self._pruner = _make_pruner(spec["pruner"])
        self._direction = spec["direction"]
        self.lock = threading.RLock()
        self.forget()

    def forget(self) -> None:
        """Begin again without any trial."""
        optuna = import_optuna()
        self._storage = optuna.storages.InMemoryStorage()
        optuna.create_study(study_name=self._name, storage=self._storage, direction=self._direction)
        self._study_id = self._storage.get_study_id_from_name(self._name)
        self._ids: list[int] = []
        self._attempts: dict[int, int] = {}
        self._ended: set[int] = set()

    @property
    def ended(self) -> Collection[int]:
        """Numbers of the trials that will not change any more."""
        return frozenset(self._ended)

    def contradicts(self, trials: Sequence[Trial]) -> bool:
        """Whether a trial was started again since it was taken over: what it reported is void."""
        return any(self._attempts.get(one.number, one.attempts) != one.attempts for one in trials)

    def update(self, trials: Sequence[Trial]) -> None:
        """Take over trials that are new or have changed."""
        for trial in trials:
            if trial.number not in self._ended and trial.params:
                self._take_over(trial)

    def suggest(self, number: int) -> tuple[dict[str, object], dict[str, object]]:
        """Choose the params of a trial; return them with the sampler's notes."""
        optuna = import_optuna()
        trial_id = self._id(number)
        self._start(trial_id)
        # A sampler of its own for each trial: workers that share a seed must not draw the same.
        study = self._open_study(_make_sampler(self._sampler, number))
        with _quiet():
            params = suggest(optuna.trial.Trial(study, trial_id), self._space)
        return dict(params), self._notes(trial_id)

    def should_prune(self, number: int) -> tuple[bool, dict[str, object]]:
        """Judge a running trial by what it reported; return that with the pruner's notes."""
        trial_id = self._id(number)
        study = self._open_study(None)
        pruned = bool(self._pruner.prune(study, self._storage.get_trial(trial_id)))
        return pruned, self._notes(trial_id)

    def _open_study(self, sampler: BaseSampler | None) -> Any:
        """Open the study anew: a study object remembers the trials that it has seen."""
        return import_optuna().load_study(
            study_name=self._name, storage=self._storage, sampler=sampler, pruner=self._pruner
        )

    def _take_over(self, trial: Trial) -> None:
        self._attempts[trial.number] = trial.attempts
        trial_id = self._id(trial.number)
        frozen = self._storage.get_trial(trial_id)
        self._start(trial_id)
        for key in [key for key in trial.params if key not in frozen.params]:
            distribution = _distribution(self._space.dimensions[key])
            value = distribution.to_internal_repr(trial.params[key])
            self._storage.set_trial_param(trial_id, key, value, distribution)
        for step, value in trial.reports.items():
            self._storage.set_trial_intermediate_value(trial_id, step, value)
        for key, note in trial.notes.items():
            self._storage.set_trial_system_attr(trial_id, key, note)
        if trial.state.is_terminal:
            self._end(trial_id, trial)

    def _end(self, trial_id: int, trial: Trial) -> None:
        from optuna.trial import TrialState as State

        ended = {
            TrialState.COMPLETE: State.COMPLETE,
            TrialState.PRUNED: State.PRUNED,
            TrialState.FAILED: State.FAIL,
        }
        values = None if trial.value is None else [trial.value]
        self._storage.set_trial_state_values(trial_id, ended[trial.state], values)
        self._ended.add(trial.number)

    def _id(self, number: int) -> int:
        """Return Optuna's id of a trial; trials up to it are made, they wait."""
        from optuna.trial import TrialState as State
        from optuna.trial import create_trial

        while len(self._ids) <= number:
            waiting = create_trial(state=State.WAITING)
            self._ids.append(self._storage.create_new_trial(self._study_id, waiting))
        return self._ids[number]

    def _start(self, trial_id: int) -> None:
        from optuna.trial import TrialState as State

        if self._storage.get_trial(trial_id).state is State.WAITING:
            self._storage.set_trial_state_values(trial_id, State.RUNNING)

    def _notes(self, trial_id: int) -> dict[str, object]:
        return dict(self._storage.get_trial_system_attrs(trial_id))


def import_optuna() -> ModuleType:
    """Return Optuna.

    :raises MltrackError: with the command that installs it.
    """
    try:
        import optuna
    except ImportError as error:
        raise MltrackError(
            "This sampler or pruner needs Optuna, which is not installed: "
            "pip install 'airflow-mltrack[optuna]'"
        ) from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    found: ModuleType = optuna
    return found


def _import_cmaes() -> None:
    try:
        importlib.import_module("cmaes")
    except ImportError as error:
        raise MltrackError(
            "The sampler cmaes needs the library of the same name: pip install cmaes"
        ) from error


def _make_sampler(sampler: Mapping[str, Any], number: int) -> BaseSampler:
    optuna = import_optuna()
    options = {key: value for key, value in sampler.items() if key not in ("name", "seed")}
    if sampler["name"] == "cmaes":
        _import_cmaes()
    if sampler["name"] == "tpe":
        # Constant liar: trials that run count as bad ones, so workers spread out.
        options.setdefault("constant_liar", True)
    seed = (int(sampler.get("seed", 0)) * 1_000_003 + number) % _SEED_SPAN
    return _make(
        "sampler", getattr(optuna.samplers, _SAMPLERS[sampler["name"]]), options, seed=seed
    )


def _make_pruner(pruner: Mapping[str, Any] | None) -> BasePruner:
    optuna = import_optuna()
    if pruner is None:
        return optuna.pruners.NopPruner()
    options = {key: value for key, value in pruner.items() if key != "name"}
    return _make("pruner", getattr(optuna.pruners, _PRUNERS[pruner["name"]]), options)


def _make(what: str, made: Any, options: Mapping[str, Any], **fixed: Any) -> Any:
    check_known_keys(f"{what} option", options, inspect.signature(made).parameters)
    try:
        with _quiet():
            return made(**options, **fixed)
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"{what} options", dict(options), str(error)) from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Optuna calls some options experimental; whoever names them in a sweep knows."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _distribution(dim: Dimension) -> BaseDistribution:
    optuna = import_optuna()
    if dim.kind == "choices":
        return optuna.distributions.CategoricalDistribution(dim.choices)
    if dim.kind == "int":
        return optuna.distributions.IntDistribution(
            int(dim.low), int(dim.high), log=dim.log, step=int(dim.step or 1)
        )
    return optuna.distributions.FloatDistribution(dim.low, dim.high, log=dim.log, step=dim.step)


def _known_name(what: str, given: Mapping[str, object], known: Sequence[str]) -> str:
    name = given.get("name") if hasattr(given, "get") else None
    if not isinstance(name, str):
        raise InvalidInput(what, given, f'it is {{"name": ...}}, one of {", ".join(known)}.')
    if name not in known:
        raise InvalidInput(what, name, f"known are {', '.join(known)}.", did_you_mean(name, known))
    return name
