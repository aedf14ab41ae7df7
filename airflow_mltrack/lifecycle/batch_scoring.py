"""Score a table with a model, and record what was made from what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_mltrack.entities.lineage import LineageEdge, LineageNode
from airflow_mltrack.exceptions import InvalidInput
from airflow_mltrack.tracking.model_uri import load_model, resolve
from airflow_mltrack.training.dataset import load_table, table_record

if TYPE_CHECKING:
    import pandas as pd

    from airflow_mltrack.model_package.signature import Violation
    from airflow_mltrack.tracking.active_run import ActiveRun
    from airflow_mltrack.tracking.client import TrackingClient
    from airflow_mltrack.training.table_file import Opener

SCORE, DECISION = "score", "decision"
"""Columns that scoring writes."""


@dataclass(frozen=True, slots=True)
class ScoredTable:
    """Rows with their scores."""

    frame: pd.DataFrame
    """The columns that were kept, then ``score`` and, with a threshold, ``decision``."""
    model_uri: str
    """``models:/m-...``: what the given URI named at that moment."""
    violations: tuple[Violation, ...]
    """Values that training data did not have."""

    @property
    def rows(self) -> int:
        """Number of rows."""
        return len(self.frame)

    @property
    def mean_score(self) -> float:
        """Mean probability of the event."""
        return float(self.frame[SCORE].mean())


def score_table(
    client: TrackingClient,
    run: ActiveRun,
    model_uri: str,
    data: str,
    *,
    keep: Sequence[str] = (),
    threshold: float | None = None,
    constraints: str = "warn",
    opener: Opener | None = None,
) -> ScoredTable:
    """Score every row of a table; the run records table, model and what was found.

    The package is verified and its types are audited before it is loaded.

    :param model_uri: see :mod:`airflow_mltrack.tracking.model_uri`.
    :param data: URI of a CSV, gzip CSV or Parquet file.
    :param keep: columns to copy beside the scores.
    :param threshold: scores from this one on are decided 1, others 0; None decides nothing.
    :param constraints: ``error``, ``warn`` or ``ignore`` for values that training never saw.
    :raises NotFound: when model or table do not exist.
    :raises InvalidInput: when the rows do not fit the model, or a column to keep is missing.
    """
    exact_uri = f"models:/{resolve(client, model_uri).model_id}"
    run.log_params({"model": model_uri, "model_uri": exact_uri, "data": data})
    table = load_table(data, opener)
    run.log_input(table_record(data, table), "scoring")
    missing = [name for name in keep if name not in table.frame.columns]
    if missing:
        raise InvalidInput("keep", missing[0], "the table has no such column.")
    model = load_model(client, exact_uri)
    checked = model.check(table.frame, constraints=constraints)
    frame = table.frame[list(keep)].copy()
    frame[SCORE] = model.predict_proba(checked.data, constraints="ignore")[:, 1]
    if threshold is not None:
        frame[DECISION] = (frame[SCORE] >= threshold).astype("int64")
    found = ScoredTable(frame, exact_uri, checked.violations)
    run.log_metrics(
        {
            "rows": found.rows,
            "mean_score": found.mean_score,
            "violations": len(found.violations),
        }
    )
    _record_model(run, exact_uri)
    return found


def record_output(run: ActiveRun, output: str) -> None:
    """Record where the scores of a run were written.

    :param output: URI.
    """
    edge = LineageEdge(_node(run), LineageNode("asset", output), "produced")
    run.client.transact(lambda tx: tx.lineage.add([edge]))


def _record_model(run: ActiveRun, model_uri: str) -> None:
    model = LineageNode("model", model_uri.removeprefix("models:/"))
    run.client.transact(lambda tx: tx.lineage.add([LineageEdge(model, _node(run), "scored")]))


def _node(run: ActiveRun) -> LineageNode:
    return LineageNode("run", run.run_id)
