"""The score from which a row is called an event: given by the check, or the model's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from airflow_mltrack.lifecycle.gates.check_fields import read_number

DEFAULT_THRESHOLD = 0.5


class DecisionThreshold(NamedTuple):
    """A threshold, and where it comes from."""

    value: float
    source: str
    """``given`` by the check, ``stored`` by the training, or ``default``."""

    def __str__(self) -> str:
        """Word it."""
        words = {"given": "", "stored": ", its own", "default": ", as none is stored"}
        return f"{self.value:.4g}{words[self.source]}"

    def to_json(self) -> dict[str, object]:
        """Give it as evidence."""
        return {"threshold": self.value, "threshold_source": self.source}


def read_threshold(check: Mapping[str, object]) -> float | None:
    """Return the threshold that a check gives; None leaves it to the model."""
    return read_number(check, "threshold", low=0, high=1) if "threshold" in check else None


def choose_threshold(given: float | None, stored: float | None) -> DecisionThreshold:
    """Return the given threshold, else the stored one, else :data:`DEFAULT_THRESHOLD`."""
    if given is not None:
        return DecisionThreshold(given, "given")
    if stored is not None:
        return DecisionThreshold(stored, "stored")
    return DecisionThreshold(DEFAULT_THRESHOLD, "default")
