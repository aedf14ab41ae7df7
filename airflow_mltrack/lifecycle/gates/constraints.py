"""How many judged rows hold values that the candidate's training did not have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from airflow_mltrack.exceptions import InvalidInput, shorten
from airflow_mltrack.lifecycle.gates.check_fields import (
    CONFIDENCE_KEYS,
    check_keys,
    read_bound,
    read_name,
    read_number,
    read_severity,
)
from airflow_mltrack.lifecycle.gates.gate import BoundGate, Evidence, Measured, Outcome
from airflow_mltrack.model_package.signature_check import violating_rows

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from airflow_mltrack.model_package.reader import LoadedModel
    from airflow_mltrack.model_package.signature import Column, Signature

    Masks = Mapping[tuple[str, str], NDArray[np.bool_]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConstraintsGate(BoundGate):
    """``{"kind": "constraints", "max_share": 0.01}``: few rows are unlike the training data.

    Observed is the share of judged rows with at least one number outside the range that training
    saw, one category that it did not see, or one missing value where it had none. A package that
    was logged without training data has no such constraints: the check fails and says so.
    """

    KIND: ClassVar[str] = "constraints"

    @property
    def observes(self) -> str:
        """Name of the share."""
        return "violating_share"

    @classmethod
    def from_json(cls, check: Mapping[str, object]) -> ConstraintsGate:
        """Read a check; see :class:`~airflow_mltrack.lifecycle.gates.gate.Gate`."""
        check_keys("constraints check", check, ("max_share", *CONFIDENCE_KEYS))
        bound = read_bound(check, None, "max_share")
        read_number(check, "max_share", low=0, high=1)
        return cls(name=read_name(check, "constraints"), severity=read_severity(check), bound=bound)

    def judge(self, evidence: Evidence) -> Outcome:
        """Count violating rows, with an exact binomial interval of their share."""
        return self.decide(evidence, lambda: self._measure(evidence))

    def _measure(self, evidence: Evidence) -> Measured:
        masks = violating_rows(_constrained(evidence.candidate), evidence.features)
        rows, broken = len(evidence.features), _count_any(masks)
        share = broken / rows
        low, high = _binomial_interval(broken, rows, self.bound.confidence)
        counts = _by_column(masks)
        message = (
            f"{broken} of {rows} rows ({share:.2%}, {self.bound.percent} {low:.2%} to {high:.2%}) "
            "hold values that training did not have"
        )
        if counts:
            worst = max(counts, key=lambda name: sum(counts[name].values()))
            message += f", most in column {shorten(worst)}"
        data = {"rows": rows, "violating_rows": broken, "columns": counts}
        return Measured(share, (low, high), message, method="clopper-pearson", data=data)


def _constrained(model: LoadedModel) -> Signature:
    signature = model.manifest.signature
    if signature is None or not any(map(_is_constrained, signature.columns)):
        raise InvalidInput(
            "signature",
            model.manifest.model_class,
            "the package has recorded no values of its training data.",
            "Log the model with training_data.",
        )
    return signature


def _is_constrained(column: Column) -> bool:
    return not column.nullable or column.minimum is not None or column.categories is not None


def _count_any(masks: Masks) -> int:
    import numpy as np

    return int(np.logical_or.reduce(list(masks.values())).sum()) if masks else 0


def _by_column(masks: Masks) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for (column, rule), broken in masks.items():
        found.setdefault(column, {})[rule] = int(broken.sum())
    return found


def _binomial_interval(successes: int, rows: int, level: float) -> tuple[float, float]:
    """Clopper and Pearson's interval of a share (Biometrika 26, 1934)."""
    from scipy.stats import binomtest

    found = binomtest(successes, rows).proportion_ci(level, method="exact")
    return float(found.low), float(found.high)
