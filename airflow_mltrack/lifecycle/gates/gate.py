"""What a gate is, and what it may look at."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Protocol

from airflow_mltrack.entities.verdicts import CheckResult
from airflow_mltrack.exceptions import InvalidInput
from airflow_mltrack.store.key_rules import check_key
from airflow_mltrack.training.close_names import check_known_keys, did_you_mean
from airflow_mltrack.training.metrics import METRICS, MetricOptions

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from typing_extensions import Self

AT_LEAST, AT_MOST = ">=", "<="
_LARGEST = 1e300  # keeps NaN, infinities and whole numbers beyond floats out


@dataclass(frozen=True, slots=True)
class Champion:
    """The version that is live while another one is judged."""

    version: int
    score: NDArray[np.float64]
    """Its scores of the same rows."""
    knows_rows: bool = False
    """Whether it learned from these rows, which makes it look better than it is."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What all gates of one evaluation look at."""

    target: NDArray[np.int64]
    """Shape (rows,), 1 is the event."""
    score: NDArray[np.float64]
    """Shape (rows,), the candidate's probability of the event."""
    champion: Champion | None
    """None when no other version is live, or no gate asks for it."""
    options: MetricOptions
    """Constants of some metrics."""


class Gate(Protocol):
    """One check of a policy: reads its own plain data, and judges."""

    KIND: ClassVar[str]
    """Name of the kind."""
    NEEDS_CHAMPION: ClassVar[bool]
    """Whether the live version must be scored as well."""

    @property
    def name(self) -> str:
        """What the policy calls the check; unique within it."""

    @classmethod
    def from_json(cls, check: Mapping[str, object]) -> Self:
        """Read a check.

        :raises InvalidInput: when a key is unknown or a value is not allowed.
        """

    def judge(self, evidence: Evidence) -> CheckResult:
        """Look and decide. What cannot be measured fails; it never passes."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What a gate found out about the candidate."""

    value: float
    interval: tuple[float, float]
    """95% interval."""
    message: str
    """One sentence for people, without the limit."""
    champion_value: float | None = None
    """The metric of the live version, where it was compared."""


@dataclass(frozen=True, slots=True)
class Bound:
    """A limit that an observed value must keep."""

    comparison: str
    """``>=`` or ``<=``."""
    limit: float
    confident: bool = False
    """Whether the whole 95% interval must keep it, not only the observed value."""

    def holds(self, observed: float, interval: tuple[float, float]) -> bool:
        """Say whether the limit is kept."""
        low, high = interval
        if self.comparison == AT_LEAST:
            return (low if self.confident else observed) >= self.limit
        return (high if self.confident else observed) <= self.limit

    def __str__(self) -> str:
        """Word it, for example ``>= 0.7 with 95% confidence``."""
        return f"{self.comparison} {self.limit:g}" + (
            " with 95% confidence" if self.confident else ""
        )


def check_keys(what: str, check: Mapping[str, object], own: tuple[str, ...]) -> None:
    """Refuse keys that the kind does not read.

    :param own: keys of this kind, beside those that every check has.
    """
    check_known_keys(what, check, ("kind", "name", "metric", *own, "confident"))


def read_metric(check: Mapping[str, object]) -> str:
    """Return the metric that a check names.

    :raises InvalidInput: when it is missing or unknown; names those that there are.
    """
    metric = check.get("metric")
    if not isinstance(metric, str) or metric not in METRICS:
        close = did_you_mean(metric, METRICS) if isinstance(metric, str) else ""
        raise InvalidInput("check metric", metric, f"known are {', '.join(METRICS)}.", close)
    return metric


def read_name(check: Mapping[str, object], default: str) -> str:
    """Return what a check is called."""
    name = check.get("name", default)
    if not isinstance(name, str):
        raise InvalidInput("check name", name, "it is text.")
    return check_key("check name", name)  # what it observes is logged as a metric of that name


def read_bound(check: Mapping[str, object], at_least: str, at_most: str) -> Bound:
    """Read a limit: exactly one of two keys holds it.

    :param at_least: key of a lower limit, for example ``min``.
    :param at_most: key of an upper limit, for example ``max``.
    """
    given = [key for key in (at_least, at_most) if key in check]
    if len(given) != 1:
        raise InvalidInput(
            "check", dict(check), f"it has exactly one of the keys {at_least} and {at_most}."
        )
    limit = check[given[0]]
    if (
        isinstance(limit, bool)
        or not isinstance(limit, (int, float))
        or not -_LARGEST <= limit <= _LARGEST
    ):
        raise InvalidInput(f"check {given[0]}", limit, "it is a finite number.")
    confident = check.get("confident", False)
    if not isinstance(confident, bool):
        raise InvalidInput("check confident", confident, "it is true or false.")
    return Bound(AT_LEAST if given[0] == at_least else AT_MOST, float(limit), confident)


@dataclass(frozen=True, slots=True)
class MetricGate:
    """What every gate has that holds one measured value against one limit."""

    KIND: ClassVar[str]

    name: str
    metric: str
    bound: Bound

    def decide(self, evidence: Evidence, measure: Callable[[], Measured]) -> CheckResult:
        """Measure and hold it against the limit; what cannot be measured fails, with the reason."""
        try:
            found = measure()
        except InvalidInput as error:
            return self.result(evidence, f"it could not be measured: {error}", passed=False)
        return replace(
            self.result(
                evidence,
                f"{found.message}, asked for {self.bound}",
                passed=self.bound.holds(found.value, found.interval),
            ),
            observed=found.value,
            interval=found.interval,
            champion_value=found.champion_value,
        )

    def result(self, evidence: Evidence, message: str, *, passed: bool) -> CheckResult:
        """Return an outcome without a measured value."""
        return CheckResult(
            name=self.name,
            kind=self.KIND,
            metric=self.metric,
            passed=passed,
            observed=None,
            threshold=self.bound.limit,
            comparison=self.bound.comparison,
            rows=len(evidence.target),
            message=message,
        )
