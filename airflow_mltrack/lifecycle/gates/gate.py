"""What a gate is, what it may look at, and what it answers."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from airflow_mltrack.entities.verdicts import ERROR, CheckResult
from airflow_mltrack.exceptions import InvalidInput

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray
    from typing_extensions import Self

    from airflow_mltrack.entities.inputs import DatasetRecord
    from airflow_mltrack.model_package.reader import LoadedModel
    from airflow_mltrack.training.metrics import MetricOptions

AT_LEAST, AT_MOST = ">=", "<="
CONFIDENCE = 0.95
"""Level of intervals where a check names none."""


@dataclass(frozen=True, slots=True)
class Champion:
    """The version that is live while another one is judged."""

    version: int
    scored: NDArray[np.float64] | InvalidInput
    """Its scores of the same rows, or why it cannot score them."""
    _: KW_ONLY
    model: LoadedModel
    knows_rows: bool = False
    """Whether it learned from these rows, which makes it look better than it is."""
    threshold: float | None = None
    """The decision threshold that its training stored, None when there is none."""

    @property
    def score(self) -> NDArray[np.float64]:
        """Its scores of the same rows.

        :raises InvalidInput: when it cannot score them, for example because a column is missing.
        """
        if isinstance(self.scored, InvalidInput):
            raise InvalidInput(
                f"live version {self.version}", self.scored.what, f"{self.scored}"
            ) from self.scored
        return self.scored


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
    _: KW_ONLY
    features: pd.DataFrame
    """Every column of the judged rows but the target, also those that the model ignores."""
    candidate: LoadedModel
    record: DatasetRecord
    """The whole data set that the rows come from."""
    package_dir: Path
    """The candidate's package, every byte verified; it is there only while gates judge."""
    package_bytes: int
    """Size of all files of the package."""
    now: datetime
    """Time of the evaluation, by the database's clock."""
    trusted_modules: tuple[str, ...] = ()
    """Top-level modules whose code may be imported by name."""
    trusted_types: tuple[str, ...] = ()
    """Types that packages may hold, beside the registry's own."""
    threshold: float | None = None
    """The decision threshold that the candidate's training stored, None when there is none."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a gate decided, and what it saw."""

    check: CheckResult
    data: Mapping[str, object] = field(default_factory=dict)
    """JSON-able evidence, for example a table of slices; it becomes an artifact of the run. NaN and
    infinities become null there."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What a gate found out about the candidate."""

    value: float | None
    """None when it could not be measured; ``message`` is then the reason."""
    interval: tuple[float, float] | None
    """Confidence interval, None where the kind gives none."""
    message: str
    """One sentence for people, without the limit."""
    champion_value: float | None = None
    """The metric of the live version, where it was compared."""
    method: str = ""
    """How the interval was found."""
    p_value: float | None = None
    rows: int | None = None
    """Rows that were used; None means all."""
    data: Mapping[str, object] = field(default_factory=dict)
    """Evidence, see :class:`Outcome`."""


@dataclass(frozen=True, slots=True)
class Bound:
    """A limit that an observed value must keep."""

    comparison: str
    """``>=`` or ``<=``."""
    limit: float
    confident: bool = False
    """Whether the whole confidence interval must keep it, not only the observed value."""
    confidence: float = CONFIDENCE
    """Level of the interval."""

    @property
    def percent(self) -> str:
        """The level in words, for example ``95%``."""
        return f"{100 * self.confidence:g}%"

    def holds(self, observed: float, interval: tuple[float, float] | None) -> bool:
        """Say whether the limit is kept; where an interval is asked for, no interval keeps none."""
        if self.confident:
            if interval is None:
                return False
            observed = interval[0] if self.comparison == AT_LEAST else interval[1]
        return observed >= self.limit if self.comparison == AT_LEAST else observed <= self.limit

    def __str__(self) -> str:
        """Word it, for example ``>= 0.7 with 95% confidence``."""
        return f"{self.comparison} {self.limit:g}" + (
            f" with {self.percent} confidence" if self.confident else ""
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate(ABC):
    """One check of a policy: reads its own plain data, and judges.

    A kind whose answer is yes or no builds on this class, one that holds a number against a limit
    on :class:`BoundGate`, one that measures a metric on :class:`MetricGate`.
    """

    KIND: ClassVar[str]
    """Name of the kind."""
    NEEDS_CHAMPION: ClassVar[bool] = False
    """Whether every check of the kind compares with the live version."""

    name: str
    """What the policy calls the check; unique within it."""
    severity: str = ERROR
    """One of :data:`~airflow_mltrack.entities.verdicts.SEVERITIES`."""

    @property
    def needs_champion(self) -> bool:
        """Whether the live version must be loaded and scored for this check."""
        return self.NEEDS_CHAMPION

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns that the judged rows must have."""
        return ()

    @property
    def observes(self) -> str:
        """Name of what is measured, for example ``auc``; empty for yes or no."""
        return ""

    def check_options(self, options: MetricOptions) -> None:  # noqa: B027 - most read none
        """Refuse constants of the policy that contradict the check.

        :raises InvalidInput: says which.
        """

    @classmethod
    @abstractmethod
    def from_json(cls, check: Mapping[str, object]) -> Self:
        """Read a check.

        :raises InvalidInput: when a key is unknown or a value is not allowed.
        """

    @abstractmethod
    def judge(self, evidence: Evidence) -> Outcome:
        """Look and decide. What cannot be measured fails; it never passes."""

    def outcome(
        self,
        evidence: Evidence,
        message: str,
        *,
        passed: bool,
        data: Mapping[str, object] | None = None,
    ) -> Outcome:
        """Return an outcome without a measured value: yes, or no."""
        check = CheckResult(
            name=self.name,
            kind=self.KIND,
            passed=passed,
            observed=None,
            threshold=None,
            comparison="",
            rows=len(evidence.target),
            metric=self.observes,
            message=message,
            severity=self.severity,
        )
        return Outcome(check, data or {})

    def unopposed(self, evidence: Evidence) -> Outcome:
        """Pass: there is nothing to compare with."""
        message = "no other version is in Production, so there is nothing to compare with"
        return self.outcome(evidence, message, passed=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class BoundGate(Gate):
    """A check that holds one observed value against one limit."""

    bound: Bound

    def decide(self, evidence: Evidence, measure: Callable[[], Measured]) -> Outcome:
        """Measure and hold it against the limit; what cannot be measured fails, with the reason."""
        try:
            found = measure()
        except InvalidInput as error:
            return self._unmeasured(evidence, f"{error}")
        if found.value is None:
            return self._unmeasured(evidence, found.message, found)
        if not math.isfinite(found.value):
            return self._unmeasured(evidence, f"{found.message}, which is no number.", found)
        interval = found.interval
        if interval is not None and not all(math.isfinite(end) for end in interval):
            interval = None
        passed = self.bound.holds(found.value, interval)
        plain = self.outcome(evidence, f"{found.message}, asked for {self.bound}", passed=passed)
        check = replace(
            self._limited(plain.check),
            observed=found.value,
            interval=interval,
            champion_value=found.champion_value,
            method=found.method,
            p_value=found.p_value,
            rows=plain.check.rows if found.rows is None else found.rows,
        )
        return Outcome(check, found.data)

    def unopposed(self, evidence: Evidence) -> Outcome:
        """Pass: there is nothing to compare with."""
        plain = Gate.unopposed(self, evidence)
        return Outcome(self._limited(plain.check), plain.data)

    def _unmeasured(
        self, evidence: Evidence, reason: str, found: Measured | None = None
    ) -> Outcome:
        message = f"it could not be measured: {reason}"
        plain = self.outcome(evidence, message, passed=False)
        return Outcome(self._limited(plain.check), found.data if found else {})

    def _limited(self, check: CheckResult) -> CheckResult:
        return replace(
            check,
            threshold=self.bound.limit,
            comparison=self.bound.comparison,
            confidence=self.bound.confidence,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricGate(BoundGate):
    """A check that holds a metric against a limit."""

    metric: str

    @property
    def observes(self) -> str:
        """Name of the metric."""
        return self.metric
