"""A user's own check: a function from a trusted module.

The function gets one argument, a :class:`JudgedRows`, and returns one of

- a number, held against the check's ``min`` or ``max``;
- ``True`` or ``False``, where the check has neither;
- a mapping with ``value`` (a number), ``passed`` (true or false), ``message`` (one sentence) and
  ``evidence`` (a JSON-able mapping). ``passed`` or a ``value`` with a limit must be there; where
  both are, both count.

numpy's numbers and arrays are taken for Python's. A NaN, an infinity, another type, another key or
an exception fails the check, and its message says why.

::

    def check(rows: JudgedRows) -> dict[str, object]:
        approved = rows.score < rows.params["cutoff"]
        margin = rows.features.loc[approved, "margin"].sum()
        return {"value": margin, "evidence": {"approved": int(approved.sum())}}
"""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_mltrack.exceptions import InvalidInput, shorten
from airflow_mltrack.lifecycle.gates.check_fields import (
    check_keys,
    read_bound,
    read_name,
    read_severity,
    read_text,
)
from airflow_mltrack.lifecycle.gates.gate import Bound, Evidence, Gate, Outcome
from airflow_mltrack.store.canonical_json import canonical_value
from airflow_mltrack.training.close_names import check_known_keys
from airflow_mltrack.training.trusted_imports import check_import_path, import_function

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

_KEYS = ("value", "passed", "message", "evidence")
_LONGEST_MESSAGE = 500
_LARGEST_EVIDENCE = 1_000_000  # characters of JSON


@dataclass(frozen=True, slots=True)
class JudgedRows:
    """What a user's function may look at. All are copies: what it does to them stays with it."""

    target: NDArray[np.int64]
    """Shape (rows,), 1 is the event."""
    score: NDArray[np.float64]
    """Shape (rows,), the candidate's probability of the event."""
    features: pd.DataFrame
    """Every column of the rows but the target, also those that the model ignores."""
    champion_score: NDArray[np.float64] | None
    """The live version's probabilities of the same rows, None when no other version is live."""
    params: Mapping[str, Any]
    """The check's ``params``."""


@dataclass(frozen=True, slots=True)
class _Answer:
    """What a function returned, read and checked."""

    value: float | None = None
    passed: bool | None = None
    message: str = ""
    evidence: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionGate(Gate):
    """``{"kind": "function", "function": "my_checks.margin.check", "params": {...}, "min": 0}``.

    See the module for what the function gets and returns. Its top-level module must be among the
    trusted modules of the settings when the check is judged; nothing is imported before.
    """

    KIND: ClassVar[str] = "function"
    NEEDS_CHAMPION: ClassVar[bool] = True

    function: str
    params: Mapping[str, object]
    bound: Bound | None

    @property
    def observes(self) -> str:
        """Name of the function."""
        return self.function

    @classmethod
    def from_json(cls, check: Mapping[str, object]) -> FunctionGate:
        """Read a check; see :class:`~airflow_mltrack.lifecycle.gates.gate.Gate`."""
        check_keys("function check", check, ("function", "params", "min", "max"))
        function = read_text(check, "function")
        check_import_path(function, None, kind="function")
        params = check.get("params", {})
        if not isinstance(params, Mapping):
            raise InvalidInput("check params", params, "it is a mapping.")
        limited = "min" in check or "max" in check
        return cls(
            name=read_name(check, function),
            severity=read_severity(check),
            function=function,
            params=params,
            bound=read_bound(check, "min", "max") if limited else None,
        )

    def judge(self, evidence: Evidence) -> Outcome:
        """Import the function, ask it, and hold its answer against the limit."""
        try:
            function = import_function(self.function, evidence.trusted_modules)
            answer = self._ask(function, _judged_rows(evidence, self.params))
        except InvalidInput as error:
            return self._told(evidence, _Answer(), f"it could not be measured: {error}")
        return self._told(evidence, answer, self._words(answer))

    def _ask(self, function: Callable[..., object], rows: JudgedRows) -> _Answer:
        try:
            answer = _read_answer(function(rows))
        except InvalidInput as error:
            raise InvalidInput("function", self.function, f"{error}") from error
        except (Exception, SystemExit) as error:  # a user's code may raise anything
            reason = f"it raised {type(error).__name__}: {shorten(str(error), 300)}"
            raise InvalidInput("function", self.function, reason) from error
        if self.bound is not None and answer.value is None:
            rule = f"it returned no value, and the check asks for {self.bound}."
            raise InvalidInput("function", self.function, rule)
        if self.bound is None and answer.passed is None:
            rule = "it returned a value without passed, and the check has neither min nor max."
            raise InvalidInput("function", self.function, rule)
        return answer

    def _words(self, answer: _Answer) -> str:
        if answer.value is None:
            said = "says yes" if answer.passed else "says no"
        else:
            said = f"gives {answer.value:g}"
            if answer.passed is not None:
                said += " and says yes" if answer.passed else " and says no"
        limit = "" if self.bound is None else f", asked for {self.bound}"
        told = f": {answer.message}" if answer.message else ""
        return f"{self.function} {said}{limit}{told}"

    def _told(self, evidence: Evidence, answer: _Answer, message: str) -> Outcome:
        plain = self.outcome(evidence, message, passed=self._passes(answer), data=answer.evidence)
        check = replace(plain.check, observed=answer.value)
        if self.bound is not None:
            limit, comparison = self.bound.limit, self.bound.comparison
            check = replace(check, threshold=limit, comparison=comparison)
        return Outcome(check, plain.data)

    def _passes(self, answer: _Answer) -> bool:
        if self.bound is None:
            return answer.passed is True
        keeps = answer.value is not None and self.bound.holds(answer.value, None)
        return keeps and answer.passed is not False


def _judged_rows(evidence: Evidence, params: Mapping[str, object]) -> JudgedRows:
    champion = evidence.champion
    return JudgedRows(
        target=evidence.target.copy(),
        score=evidence.score.copy(),
        features=evidence.features.copy(),
        champion_score=None if champion is None else champion.score.copy(),
        params=copy.deepcopy(dict(params)),
    )


def _read_answer(returned: object) -> _Answer:
    plain = _plain(returned)
    if isinstance(plain, bool):
        return _Answer(passed=plain)
    if isinstance(plain, (int, float)):
        return _Answer(value=_number(plain))
    if not isinstance(plain, Mapping):
        raise InvalidInput(
            "answer", returned, "it is a number, True, False or a mapping.", _type_words(returned)
        )
    check_known_keys("answer", {str(key): None for key in plain}, _KEYS)
    value, passed = plain.get("value"), plain.get("passed")
    if passed is not None and not isinstance(passed, bool):
        raise InvalidInput("answer passed", passed, "it is True or False.")
    return _Answer(
        None if value is None else _number(value),
        passed,
        _message(plain.get("message", "")),
        _evidence(plain.get("evidence", {})),
    )


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise InvalidInput("answer value", value, "it is a number.")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise InvalidInput("answer value", value, "it is a finite number.")
    return number


def _message(message: object) -> str:
    if not isinstance(message, str):
        raise InvalidInput("answer message", message, "it is text.")
    return shorten(message, _LONGEST_MESSAGE)


def _evidence(evidence: object) -> Mapping[str, object]:
    kept = canonical_value(evidence)
    if not isinstance(kept, dict):
        raise InvalidInput("answer evidence", evidence, "it is a mapping.")
    size = len(json.dumps(kept))
    if size > _LARGEST_EVIDENCE:
        raise InvalidInput(
            "answer evidence", f"{size} characters", f"it has at most {_LARGEST_EVIDENCE} as JSON."
        )
    return kept


def _plain(value: object) -> object:
    """Turn numpy's scalars and arrays into Python's, at every level."""
    import numpy as np

    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return _plain(value.item()) if value.ndim == 0 else _plain(value.tolist())
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


def _type_words(value: object) -> str:
    return f"It returned a {type(value).__name__}."
