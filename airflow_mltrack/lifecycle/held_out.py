"""The rows on which verdicts are given: test rows that no trial ever saw."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_mltrack.exceptions import InvalidInput
from airflow_mltrack.lifecycle.training_spec import TrainingSpec
from airflow_mltrack.training.dataset import load_dataset
from airflow_mltrack.training.splits import make_split

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from airflow_mltrack.entities.inputs import DatasetRecord
    from airflow_mltrack.entities.registry import ModelVersion
    from airflow_mltrack.store.tracking_store import Transaction
    from airflow_mltrack.tracking.client import TrackingClient
    from airflow_mltrack.training.dataset import Dataset, DatasetSpec
    from airflow_mltrack.training.splits import SplitSpec
    from airflow_mltrack.training.table_file import Opener

SPLIT_PARAM = "split.digest"
"""Param under which a training records its split."""


@dataclass(frozen=True, slots=True)
class HeldOutRows:
    """Rows with known outcomes to judge a model on."""

    record: DatasetRecord
    """The whole data set that they come from."""
    features: pd.DataFrame
    """What a model may see."""
    target: NDArray[np.int64]
    """Shape (rows,), 1 is the event; both classes occur."""
    split_digest: str = ""
    """Digest of the split that held them out; empty when all rows of the data set are used."""

    def __post_init__(self) -> None:
        events = int(self.target.sum())
        if len(self.features) != self.target.size:
            raise InvalidInput(
                "held-out rows",
                f"{len(self.features)} rows and {self.target.size} outcomes",
                "every row has one outcome.",
            )
        if not 0 < events < self.target.size:
            raise InvalidInput(
                "held-out rows",
                f"{events} events in {self.target.size} rows",
                "both classes must occur, otherwise nothing can be judged.",
            )


def held_out_rows(
    dataset: DatasetSpec, split: SplitSpec | None, *, opener: Opener | None = None
) -> HeldOutRows:
    """Read a data set and return its test rows.

    :param dataset: which table.
    :param split: the split that training used, so that these rows were held out then; None takes
        all rows, for a table that no training has seen.
    :param opener: opens the URI; see :func:`~airflow_mltrack.training.dataset.load_dataset`.
    :raises NotFound: when the URI cannot be read.
    :raises InvalidInput: when the table or the split breaks a rule.
    """
    table = load_dataset(dataset, opener=opener)
    visible = _visible(table)
    if split is None:
        return HeldOutRows(table.record, visible, table.target)
    made = make_split(table, split)
    rows = made.test_rows
    features = visible.iloc[rows].reset_index(drop=True)
    return HeldOutRows(table.record, features, table.target[rows], made.digest)


def choose_rows(
    dataset: DatasetSpec | HeldOutRows | None,
    split: SplitSpec | None,
    metadata: Mapping[str, object],
    *,
    opener: Opener | None = None,
) -> HeldOutRows:
    """Return the rows that are asked for, or the test rows of the training that a package tells of.

    :param metadata: of the package.
    :raises InvalidInput: when nothing is asked for and the package tells of no training.
    """
    if isinstance(dataset, HeldOutRows):
        if split is not None:
            raise InvalidInput(
                "split", split, "rows that are held out already are not split again."
            )
        return dataset
    if dataset is not None:
        return held_out_rows(dataset, split, opener=opener)
    training = metadata.get("training")
    if not isinstance(training, Mapping):
        raise InvalidInput(
            "data set",
            None,
            "the package does not tell what it was trained on.",
            "Pass the data set to judge on.",
        )
    spec = TrainingSpec.from_json(training).timed()
    return held_out_rows(spec.dataset, split or spec.split, opener=opener)


def refuse_training_rows(client: TrackingClient, version: ModelVersion, rows: HeldOutRows) -> None:
    """Refuse rows of the table that the version learned from, unless its own split held them out.

    :raises InvalidInput: says which split to use.
    """
    run_id = run_that_learned_from(client, version, rows)
    if run_id is not None:
        raise InvalidInput(
            "held-out rows",
            f"data set {rows.record.name}",
            f"run {run_id} learned from this table, and these are not the rows it held out.",
            "Leave data set and split out, or give the split of that training.",
        )


def run_that_learned_from(
    client: TrackingClient, version: ModelVersion, rows: HeldOutRows
) -> str | None:
    """Return the run that trained a version on the table of these rows, if it held out others.

    :return: None when it did not, or nothing is known about it.
    """
    if version.model_id is None:
        return None
    model_id = version.model_id

    def learned(tx: Transaction) -> tuple[str, Mapping[str, str], set[str]] | None:
        logged = tx.models.get(model_id)
        if logged.run_id is None or logged.attempt_id is None:
            return None
        # The attempt that logged the package: a later one may have used other rows.
        number = tx.runs.attempt(logged.attempt_id).number
        params = tx.runs.data(logged.run_id, attempt=number).params
        inputs = tx.inputs.list(logged.attempt_id)
        return logged.run_id, params, {item.dataset.digest for item in inputs}

    found = client.transact(learned)
    if found is None or rows.record.digest not in found[2]:
        return None
    run_id, params, _ = found
    # A training of another make records no split: then the caller's split is believed.
    if rows.split_digest and rows.split_digest == params.get(SPLIT_PARAM, rows.split_digest):
        return None
    return run_id


def _visible(table: Dataset) -> pd.DataFrame:
    """Return every column but the target, cleaned where the data set cleaned it.

    A column that is constant or empty in this table is no feature of it, but a model that was
    trained on another table may ask for it.
    """
    import pandas as pd

    hidden = {table.spec.target, *table.features.columns}
    rest = table.frame[[column for column in table.frame.columns if column not in hidden]]
    return pd.concat([table.features, rest], axis=1)
