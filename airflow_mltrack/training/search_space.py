"""A search space as plain JSON: which params a sweep varies, and over what.

.. code-block:: json

    {
      "resampler": {"choices": ["none", "smote"]},
      "classifier": {"choices": ["lightgbm", "logistic_regression"]},
      "lightgbm.learning_rate": {"type": "float", "low": 0.01, "high": 0.3, "log": true},
      "lightgbm.num_leaves": {"type": "int", "low": 15, "high": 127, "step": 16}
    }

A key of the form ``SHORT_NAME.PARAM`` takes part only in trials whose classifier or resampler has
that short name.
"""

from __future__ import annotations

import itertools
import json
import math
import random as randomness
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_mltrack.exceptions import InvalidInput
from airflow_mltrack.training.close_names import check_known_keys
from airflow_mltrack.training.recipes import CLASSIFIERS, RESAMPLERS

if TYPE_CHECKING:
    from optuna.trial import Trial

Scalar = str | int | float | bool | None
_MOST_TRIALS = 100_000


@dataclass(frozen=True, slots=True)
class Dimension:
    """The values of one param."""

    kind: str
    """``choices``, ``float`` or ``int``."""
    choices: tuple[Scalar, ...] = ()
    low: float = 0.0
    high: float = 0.0
    step: float | None = None
    log: bool = False


@dataclass(frozen=True, slots=True)
class SearchSpace:
    """Every dimension by key, in the order given."""

    dimensions: Mapping[str, Dimension] = field(default_factory=dict)

    @classmethod
    def from_json(cls, data: Mapping[str, object]) -> SearchSpace:
        """Read a space from plain data.

        :raises InvalidInput: naming the key whose dimension is wrong.
        """
        plain: object = data  # it comes from JSON: anything is possible
        if not isinstance(plain, Mapping) or not plain:
            raise InvalidInput("search space", data, "it maps at least one param to its values.")
        return cls({key: _dimension(key, value) for key, value in data.items()})

    def active(self, chosen: Mapping[str, object], keys: Iterable[str]) -> list[str]:
        """List the keys that count, given the classifier and resampler chosen so far."""
        return [key for key in keys if self._counts(key, chosen)]

    def leading(self) -> list[str]:
        """List the keys in the order in which they must be decided: names before their params."""
        first = [key for key in ("classifier", "resampler") if key in self.dimensions]
        return first + [key for key in self.dimensions if key not in first]

    def _counts(self, key: str, chosen: Mapping[str, object]) -> bool:
        owner = key.partition(".")[0] if "." in key else ""
        role = _ROLE.get(owner)
        # Without the role in the space the recipe decides; the recipe ignores what is not chosen.
        return role is None or role not in self.dimensions or chosen.get(role) == owner


_ROLE = dict.fromkeys(RESAMPLERS, "resampler") | dict.fromkeys(CLASSIFIERS, "classifier")


def grid(space: SearchSpace) -> list[dict[str, Scalar]]:
    """List every combination, the last key varying fastest.

    :raises InvalidInput: when a dimension has no finite list of values, or there are more than
        100,000 combinations.
    """
    values = {key: _grid_values(key, dim) for key, dim in space.dimensions.items()}
    size = math.prod(len(listed) for listed in values.values())
    if size > _MOST_TRIALS:
        raise InvalidInput(
            "search space",
            f"{size} combinations",
            f"a grid has at most {_MOST_TRIALS}.",
            "Use the random or an Optuna sampler.",
        )
    found: dict[str, dict[str, Scalar]] = {}
    for combination in itertools.product(*values.values()):
        point = dict(zip(values, combination, strict=True))
        kept = {key: point[key] for key in space.active(point, point)}
        # Combinations that differ only in params nobody uses are one trial.
        found.setdefault(json.dumps(kept), kept)
    return list(found.values())


def random(space: SearchSpace, n: int, seed: int) -> list[dict[str, Scalar]]:
    """Draw ``n`` combinations; the same space, number and seed give the same list.

    :raises InvalidInput: when ``n`` is not between 1 and 100,000.
    """
    if not 1 <= n <= _MOST_TRIALS:
        raise InvalidInput("number of trials", n, f"it lies between 1 and {_MOST_TRIALS}.")
    generator = randomness.Random(seed)  # noqa: S311 - reproducible draws, no secrets
    return list(itertools.islice(_draws(space, generator), n))


def suggest(trial: Trial, space: SearchSpace) -> dict[str, Scalar]:
    """Ask an Optuna trial for one value per active key."""
    chosen: dict[str, Scalar] = {}
    for key in space.leading():
        if space.active(chosen, [key]):
            chosen[key] = _suggest_one(trial, key, space.dimensions[key])
    return chosen


def _suggest_one(trial: Trial, key: str, dim: Dimension) -> Scalar:
    if dim.kind == "choices":
        choice: Scalar = trial.suggest_categorical(key, dim.choices)
        return choice
    if dim.kind == "int":
        step = int(dim.step or 1)
        whole: int = trial.suggest_int(key, int(dim.low), int(dim.high), step=step, log=dim.log)
        return whole
    number: float = trial.suggest_float(key, dim.low, dim.high, step=dim.step, log=dim.log)
    return number


def _draws(space: SearchSpace, generator: randomness.Random) -> Iterator[dict[str, Scalar]]:
    while True:
        # Every key draws, active or not: a draw must not shift the ones after it.
        point = {key: _draw(dim, generator) for key, dim in space.dimensions.items()}
        yield {key: point[key] for key in space.active(point, point)}


def _draw(dim: Dimension, generator: randomness.Random) -> Scalar:
    if dim.kind == "choices":
        return generator.choice(dim.choices)
    if dim.log:
        wide = dim.kind == "int"
        low, high = math.log(dim.low - 0.5 * wide), math.log(dim.high + 0.5 * wide)
        value = math.exp(generator.uniform(low, high))
        return _clip(round(value) if wide else value, dim)
    if dim.step is not None or dim.kind == "int":
        return generator.choice(_steps(dim))
    return generator.uniform(dim.low, dim.high)


def _clip(value: float, dim: Dimension) -> Scalar:
    inside = min(max(value, dim.low), dim.high)
    return int(inside) if dim.kind == "int" else inside


def _steps(dim: Dimension) -> Sequence[Scalar]:
    step = dim.step or 1
    if dim.kind == "int":
        return range(int(dim.low), int(dim.high) + 1, int(step))
    count = math.floor((dim.high - dim.low) / step + 1e-9) + 1
    return [round(dim.low + index * step, 12) for index in range(count)]


def _grid_values(key: str, dim: Dimension) -> Sequence[Scalar]:
    if dim.kind == "choices":
        return dim.choices
    if (dim.kind == "float" and dim.step is None) or dim.log:
        raise InvalidInput(
            f"search space {key}",
            f"{dim.low} to {dim.high}",
            "a grid needs a finite list of values.",
            "Give choices, or a step without log.",
        )
    return _steps(dim)


def _dimension(key: str, value: object) -> Dimension:
    what = f"search space {key}"
    if isinstance(value, (list, tuple)):  # a bare list is short for choices
        value = {"choices": list(value)}
    if not isinstance(value, Mapping):
        raise InvalidInput(what, value, 'it is {"choices": [...]} or {"type": "float", ...}.')
    check_known_keys(what, value, ("type", "choices", "low", "high", "step", "log"))
    if "choices" in value:
        return Dimension("choices", choices=_choices(what, value))
    kind = value.get("type")
    if kind not in ("float", "int"):
        raise InvalidInput(what, kind, "type is float or int, or choices are given.")
    return _range(what, str(kind), value)


def _choices(what: str, value: Mapping[str, object]) -> tuple[Scalar, ...]:
    listed = value["choices"]
    if set(value) - {"choices", "type"}:
        raise InvalidInput(what, sorted(value), "choices stand alone.")
    if not isinstance(listed, (list, tuple)) or not listed:
        raise InvalidInput(what, listed, "choices is a list that is not empty.")
    for item in listed:
        if not isinstance(item, (str, int, float, bool, type(None))):
            raise InvalidInput(what, item, "a choice is text, a number, true, false or null.")
    if len({json.dumps(item) for item in listed}) < len(listed):
        raise InvalidInput(what, listed, "a choice stands there twice.")
    return tuple(listed)


def _range(what: str, kind: str, value: Mapping[str, Any]) -> Dimension:
    low, high = (_number(f"{what} {end}", kind, value.get(end)) for end in ("low", "high"))
    step = value.get("step")
    log = value.get("log", False)
    if step is not None and _number(f"{what} step", kind, step) <= 0:
        raise InvalidInput(f"{what} step", step, "it is above 0.")
    if not isinstance(log, bool):
        raise InvalidInput(f"{what} log", log, "it is true or false.")
    if low > high:
        raise InvalidInput(what, f"{low} to {high}", "low is not above high.")
    if log and (low <= 0 or step is not None):
        raise InvalidInput(what, value, "log needs low above 0 and takes no step.")
    return Dimension(kind, low=low, high=high, step=step, log=log)


def _number(what: str, kind: str, value: object) -> float:
    good = isinstance(value, int) if kind == "int" else isinstance(value, (int, float))
    if not good or isinstance(value, bool) or not math.isfinite(value):  # type: ignore[arg-type]
        raise InvalidInput(
            what, value, f"it is {'a whole' if kind == 'int' else 'a finite'} number."
        )
    return value  # type: ignore[return-value]
