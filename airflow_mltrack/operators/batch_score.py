"""Score a table with a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import unquote, urlsplit

from airflow_mltrack.exceptions import InvalidInput
from airflow_mltrack.hooks.run_link import RunLink
from airflow_mltrack.operators.inputs import choice, decision_threshold
from airflow_mltrack.operators.mltrack_operator import MltrackOperator

if TYPE_CHECKING:
    import pandas as pd
    from airflow.sdk import Context

    from airflow_mltrack.hooks.mltrack import MltrackHook
    from airflow_mltrack.tracking.active_run import ActiveRun

CONSTRAINTS = ("error", "warn", "ignore")
SHOWN_VIOLATIONS = 20


class BatchScoreOperator(MltrackOperator):
    """Score every row of a table and write ``score`` (probability of the event) for each.

    The package is verified and its types are audited before it is loaded, and the rows are checked
    against its signature. The task instance is a run: it records the table, the model, the output
    and who was made from what. Pushes ``run_id``, ``model_uri``, ``rows``,
    ``mean_score``, ``violations`` and ``output`` to XCom, each also under its own key.

    :param model_uri: ``models:/NAME/Production``, ``models:/NAME/7``, ... (templated).
    :param data: CSV, gzip CSV or Parquet (templated).
    :param output_uri: where to write CSV or Parquet, by its ending: a path or a URI of Airflow's
        object storage (templated); None keeps it as artifact ``scores.csv`` of the run.
    :param keep: columns to copy into the output (templated), for example the row's id.
    :param threshold: scores from this one on get ``decision`` 1, others 0 (templated); None writes
        no decision.
    :param constraints: what to do about values that training never saw (templated): ``error``,
        ``warn`` (and count them) or ``ignore``.
    :param experiment: experiment of the run (templated); None means the Dag's id.
    :param run_tags: tags of the run (templated).
    :param mltrack_conn_id: Airflow connection (templated).
    """

    template_fields: Sequence[str] = (
        "model_uri",
        "data",
        "output_uri",
        "keep",
        "threshold",
        "constraints",
        "experiment",
        "run_tags",
        "mltrack_conn_id",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {"run_tags": "json"}
    operator_extra_links = (RunLink(),)

    def __init__(
        self,
        *,
        model_uri: str,
        data: str,
        output_uri: str | None = None,
        keep: Sequence[str] = (),
        threshold: float | str | None = None,
        constraints: str = "warn",
        experiment: str | None = None,
        run_tags: Mapping[str, str] | None = None,
        mltrack_conn_id: str | None = None,
        multiple_outputs: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            mltrack_conn_id=mltrack_conn_id, multiple_outputs=multiple_outputs, **kwargs
        )
        self.model_uri = model_uri
        self.data = data
        self.output_uri = output_uri
        self.keep = keep
        self.threshold = threshold
        self.constraints = constraints
        self.experiment = experiment
        self.run_tags = run_tags

    def perform(self, hook: MltrackHook, context: Context) -> dict[str, object]:
        """Score, write, and return what was done."""
        from airflow_mltrack.hooks.current_run import task_run
        from airflow_mltrack.hooks.data import make_opener
        from airflow_mltrack.lifecycle.batch_scoring import record_output, score_table

        constraints = choice("constraints", self.constraints, CONSTRAINTS)
        threshold = decision_threshold(self.threshold)
        with task_run(context, hook, experiment=self.experiment, tags=self.run_tags) as run:
            found = score_table(
                hook.client,
                run,
                self.model_uri,
                self.data,
                keep=self.keep,
                threshold=threshold,
                constraints=constraints,
                opener=make_opener(hook),
            )
            output = self._write(run, found.frame)
            record_output(run, output)
        for violation in found.violations[:SHOWN_VIOLATIONS]:
            self.log.warning("%s", violation.message)
        self.log.info("Scored %d rows with %s, wrote %s", found.rows, found.model_uri, output)
        return {
            "run_id": run.run_id,
            "model_uri": found.model_uri,
            "rows": found.rows,
            "mean_score": found.mean_score,
            "violations": len(found.violations),
            "output": output,
        }

    def _write(self, run: ActiveRun, scored: pd.DataFrame) -> str:
        if not self.output_uri:
            run.log_bytes(_encode(scored, "scores.csv"), "scores.csv", content_type="text/csv")
            return f"runs:/{run.run_id}/scores.csv"
        data = _encode(scored, self.output_uri)
        from airflow.sdk import ObjectStoragePath

        path = ObjectStoragePath(self.output_uri)
        if urlsplit(self.output_uri).scheme in ("", "file"):
            path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return self.output_uri


def _encode(scored: pd.DataFrame, name: str) -> bytes:
    """Write the table in the form that the name's ending asks for."""
    import io

    path = unquote(urlsplit(name).path)
    if path.endswith(".parquet"):
        buffer = io.BytesIO()
        scored.to_parquet(buffer, index=False)
        return buffer.getvalue()
    if path.endswith(".csv"):
        return scored.to_csv(index=False).encode()
    raise InvalidInput("output_uri", name, "it ends in .csv or .parquet.")
