"""What a sweep is asked to do, as plain data."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields

from airflow_mltrack.exceptions import InvalidInput
from airflow_mltrack.lifecycle.samplers import check_pruner, check_sampler, planned
from airflow_mltrack.training.close_names import check_known_keys
from airflow_mltrack.training.search_space import SearchSpace

MODES = ("mapped", "workers")
_MOST_TRIALS = 100_000


@dataclass(frozen=True, slots=True)
class SweepSpec:
    """Which configurations to try, how to choose them, and how to run them."""

    space: Mapping[str, object]
    """Search space as plain JSON; see :mod:`airflow_mltrack.training.search_space`."""
    sampler: Mapping[str, object] = field(default_factory=lambda: {"name": "random", "seed": 42})
    """``name`` (``grid``, ``random``, ``tpe``, ``cmaes``), ``seed``, and options of the sampler."""
    pruner: Mapping[str, object] | None = None
    """``name`` (``median``, ``hyperband``, ...) and options of the pruner; None prunes nothing."""
    n_trials: int | None = None
    """How many; None is allowed for a grid and means all of it."""
    metric: str = "auc"
    """The metric that ranks trials."""
    direction: str = "maximize"
    """``maximize`` or ``minimize``."""
    mode: str = "workers"
    """``mapped``: tasks with fixed trials; ``workers``: tasks that take the next trial."""
    trials_per_task: int = 1
    """Trials that one mapped task runs, in mode ``mapped``."""
    max_trial_attempts: int = 3
    """How often a trial may be started; one that ends none of these is FAILED."""
    training: Mapping[str, object] = field(default_factory=dict)
    """What a trial trains, as plain data; the sweep only hands it on."""

    def __post_init__(self) -> None:
        check_sampler(self.sampler)
        check_pruner(self.pruner)
        for name, allowed in (("mode", MODES), ("direction", ("maximize", "minimize"))):
            if getattr(self, name) not in allowed:
                raise InvalidInput(name, getattr(self, name), f"it is {' or '.join(allowed)}.")
        if not self.metric:
            raise InvalidInput("metric", self.metric, "it is the name of a metric.")
        for name in ("n_trials", "trials_per_task", "max_trial_attempts"):
            self._check_count(name)
        self.planned()
        _check_json(self.training)

    def to_json(self) -> dict[str, object]:
        """Give plain data that :meth:`from_json` reads back."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, object]) -> SweepSpec:
        """Read the spec from plain data.

        :raises InvalidInput: when a key is unknown, ``space`` is missing, or a value is wrong.
        """
        if not isinstance(data, Mapping):
            raise InvalidInput("sweep", data, "it is a mapping.")
        check_known_keys("sweep", data, [one.name for one in fields(cls)])
        if "space" not in data:
            raise InvalidInput("sweep", sorted(data), "the key space is missing.")
        return cls(**data)  # type: ignore[arg-type]  # __post_init__ checks the values

    def planned(self) -> list[dict[str, object]]:
        """List the params of every trial; empty ones are decided when the trial is taken."""
        return planned(SearchSpace.from_json(self.space), self.sampler, self.n_trials)

    def _check_count(self, name: str) -> None:
        count = getattr(self, name)
        if count is None and name == "n_trials":
            return
        if not isinstance(count, int) or isinstance(count, bool) or not 1 <= count <= _MOST_TRIALS:
            raise InvalidInput(name, count, f"it is a whole number from 1 to {_MOST_TRIALS}.")


def _check_json(training: Mapping[str, object]) -> None:
    try:
        json.dumps(training, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise InvalidInput("sweep training", str(error), "it is plain JSON.") from error
