"""Split rows three ways: fit, validate (both for trials), and test rows that no trial ever sees."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING

from airflow_mltrack.exceptions import InvalidInput
from airflow_mltrack.training.close_names import check_known_keys

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from airflow_mltrack.training.dataset import Dataset

    Rows = NDArray[np.int64]

HOLDOUT, CROSS_VALIDATION = "holdout", "cv"


@dataclass(frozen=True, slots=True)
class SplitSpec:
    """How to split. Plain data, so that it can travel as JSON."""

    test_size: float = 0.3
    """Share of all rows that only the final evaluation sees, above 0 and below 1."""
    validation: str = HOLDOUT
    """``holdout`` (one part of the training rows) or ``cv`` (folds)."""
    validation_size: float = 0.25
    """Share of the training rows that a hold-out validation takes."""
    folds: int = 3
    """Number of folds of ``cv``."""
    repeats: int = 1
    """How often ``cv`` is repeated with other folds."""
    seed: int = 42
    time_column: str | None = None
    """Split by time: the latest rows are the test rows, and validation follows what is fitted."""

    def __post_init__(self) -> None:
        for name in ("test_size", "validation_size"):
            share = getattr(self, name)
            if isinstance(share, bool) or not isinstance(share, (int, float)) or not 0 < share < 1:
                raise InvalidInput(f"split {name}", share, "it lies between 0 and 1.")
        for name, least in (("folds", 2), ("repeats", 1), ("seed", 0)):
            number = getattr(self, name)
            if isinstance(number, bool) or not isinstance(number, int) or number < least:
                raise InvalidInput(f"split {name}", number, f"it is a whole number from {least}.")
        if self.validation not in (HOLDOUT, CROSS_VALIDATION):
            raise InvalidInput("split validation", self.validation, "it is holdout or cv.")
        if self.time_column is not None and self.repeats > 1:
            raise InvalidInput("split repeats", self.repeats, "time has one order: it must be 1.")

    @property
    def n_folds(self) -> int:
        """How many times a trial is fitted and scored."""
        return 1 if self.validation == HOLDOUT else self.folds * self.repeats

    def to_json(self) -> dict[str, object]:
        """Give plain data that :meth:`from_json` reads back."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, object]) -> SplitSpec:
        """Read the spec from plain data.

        :raises InvalidInput: when a key is unknown or a value is not allowed.
        """
        check_known_keys("split", data, [spec.name for spec in fields(cls)])
        return cls(**data)  # type: ignore[arg-type]  # __post_init__ checks the values


@dataclass(frozen=True, slots=True)
class Split:
    """Row positions. Test rows are in no fold."""

    test_rows: Rows
    train_rows: Rows
    """Everything that is not test."""
    folds: tuple[tuple[Rows, Rows], ...]
    """(fit rows, validation rows) pairs inside ``train_rows``."""
    digest: str
    """sha256 over all positions: equal digests mean the same split."""


def make_split(dataset: Dataset, spec: SplitSpec) -> Split:
    """Split a data set's rows; the same data and spec give the same rows.

    Without a time column the parts have the same share of events. With one, no moment is in two
    parts.

    :raises InvalidInput: when a part would have no row of a class.
    """
    time_column = spec.time_column or dataset.spec.time_column
    if time_column is None:
        train, test = _stratified(dataset.target, _everything(dataset), spec.test_size, spec.seed)
        folds = tuple(_shuffled_folds(dataset.target, train, spec))
    else:
        moments = _moments(dataset, time_column)
        order = moments.argsort(kind="stable")
        train, test = _cut(order, moments, spec.test_size)
        folds = tuple(_time_folds(train, moments, spec))
    parts = {"test": test, "training": train}
    for number, (fit, validation) in enumerate(folds):
        parts |= {f"fold {number} fit": fit, f"fold {number} validation": validation}
    for name, rows in parts.items():
        _check_classes(name, dataset.target[rows])
    return Split(test, train, folds, _digest([test, *(rows for fold in folds for rows in fold)]))


def _everything(dataset: Dataset) -> Rows:
    import numpy as np

    return np.arange(dataset.target.size, dtype=np.int64)


def _stratified(target: Rows, rows: Rows, share: float, seed: int) -> tuple[Rows, Rows]:
    """Split rows in two with equal shares of events; exactly sklearn's train_test_split."""
    from sklearn.model_selection import train_test_split

    fewest = int(min(target[rows].sum(), (1 - target[rows]).sum()))
    if fewest < 2:
        raise InvalidInput(
            "data set",
            f"{fewest} rows of one class",
            "every part of a split needs rows of both classes.",
            "Use more rows.",
        )
    first, second = train_test_split(
        rows, test_size=share, random_state=seed, stratify=target[rows]
    )
    return first, second


def _shuffled_folds(target: Rows, train: Rows, spec: SplitSpec) -> Iterator[tuple[Rows, Rows]]:
    if spec.validation == HOLDOUT:
        yield _stratified(target, train, spec.validation_size, spec.seed)
        return
    from sklearn.model_selection import RepeatedStratifiedKFold

    fewest = int(min(target[train].sum(), (1 - target[train]).sum()))
    if fewest < spec.folds:
        raise InvalidInput(
            "split folds",
            spec.folds,
            f"the smaller class has only {fewest} training rows.",
            "Use fewer folds or more rows.",
        )
    folds = RepeatedStratifiedKFold(
        n_splits=spec.folds, n_repeats=spec.repeats, random_state=spec.seed
    )
    for fit, validation in folds.split(train, target[train]):
        yield train[fit], train[validation]


def _moments(dataset: Dataset, name: str) -> Rows:
    """Give every row the rank of its moment."""
    import numpy as np
    import pandas as pd

    if name not in dataset.frame.columns:
        raise InvalidInput("time column", name, "the table has no such column.")
    column = dataset.frame[name]
    if not pd.api.types.is_numeric_dtype(column):
        try:
            column = pd.to_datetime(column, format="ISO8601")
        except (ValueError, TypeError) as error:
            raise InvalidInput(
                "time column", name, "its values are neither numbers nor ISO 8601 dates."
            ) from error
    if column.hasnans:
        raise InvalidInput("time column", name, f"{int(column.isna().sum())} rows have no value.")
    return np.unique(column.to_numpy(), return_inverse=True)[1]


def _cut(ordered: Rows, moments: Rows, later_share: float) -> tuple[Rows, Rows]:
    """Cut rows in time order, never inside one moment."""
    import numpy as np

    if ordered.size == 0:
        return ordered, ordered  # make_split says which part is empty
    wanted = round(ordered.size * (1 - later_share))
    first_of_later = moments[ordered[min(max(wanted, 1), ordered.size - 1)]]
    at = int(np.searchsorted(moments[ordered], first_of_later, side="left"))
    return ordered[:at], ordered[at:]


def _time_folds(train: Rows, moments: Rows, spec: SplitSpec) -> Iterator[tuple[Rows, Rows]]:
    if spec.validation == HOLDOUT:
        yield _cut(train, moments, spec.validation_size)
        return
    for number in range(1, spec.folds + 1):
        past, rest = _cut(train, moments, 1 - number / (spec.folds + 1))
        following = 1 / (spec.folds + 1 - number)
        yield past, rest if following >= 1 else _cut(rest, moments, 1 - following)[0]


def _check_classes(part: str, target: Rows) -> None:
    positives = int(target.sum())
    if positives in (0, target.size):
        raise InvalidInput(
            f"{part} rows",
            f"{positives} events in {target.size} rows",
            "both classes must be there.",
            "Use more rows, fewer folds or other shares.",
        )


def _digest(parts: list[Rows]) -> str:
    sha = hashlib.sha256()
    for rows in parts:
        sha.update(rows.size.to_bytes(8, "little"))
        sha.update(rows.astype("<i8").tobytes())
    return sha.hexdigest()
