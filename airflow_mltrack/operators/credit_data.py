"""Choose the demonstration's data."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_mltrack.exceptions import InvalidInput
from airflow_mltrack.operators.inputs import dataset_spec
from airflow_mltrack.operators.mltrack_operator import MltrackOperator
from airflow_mltrack.settings import default_home

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_mltrack.hooks.mltrack import MltrackHook
    from airflow_mltrack.training.dataset import DatasetSpec


_MODEL = "credit-default"
_LONGEST_NAME = 100


class ChooseCreditDataOperator(MltrackOperator):
    """Name the table that a Dag's params ask for, else the demonstration's credit data.

    With no URI given, UCI's data set 350 is downloaded, verified and kept under
    ``$AIRFLOW_HOME/mltrack/data``. Where the archive cannot be reached, a generated loan portfolio
    is named instead, and everything that is measured on it is marked synthetic. Returns the keys
    of :class:`~airflow_mltrack.training.dataset.DatasetSpec`, for the tasks that follow, and pushes
    ``model_name``: ``credit-default`` for UCI's data, with the table's name behind it for others.

    :param uri: CSV, gzip CSV or Parquet (templated); empty means the demonstration's data.
    :param target: column with the outcome (templated); needed with ``uri``.
    :param positive: value of the target that is the event (templated); empty where it is 0/1.
    :param drop: columns to leave out, comma separated (templated).
    :param rows: size of the generated portfolio, if it comes to that.
    :param timeout: seconds to wait for the archive's answer.
    """

    template_fields: Sequence[str] = ("uri", "target", "positive", "drop", "mltrack_conn_id")

    def __init__(
        self,
        *,
        uri: str | None = None,
        target: str | None = None,
        positive: str | None = None,
        drop: str | None = None,
        rows: int = 10_000,
        timeout: float = 5.0,
        mltrack_conn_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(mltrack_conn_id=mltrack_conn_id, **kwargs)
        self.uri = uri
        self.target = target
        self.positive = positive
        self.drop = drop
        self.rows = rows
        self.timeout = timeout

    def perform(self, hook: MltrackHook, context: Context) -> dict[str, object]:
        """Choose, and return the data set's description."""
        del hook
        spec = self._given() if self.uri else self._demonstration()
        context["ti"].xcom_push(key="model_name", value=self._model_name(spec))
        return spec.to_json()

    def _model_name(self, spec: DatasetSpec) -> str:
        """Name the model so that no two tables compete under one name."""
        from airflow_mltrack.training.dataset import is_generated

        if is_generated(spec.uri):
            return f"{_MODEL}-synthetic"
        if not self.uri:
            return _MODEL
        words = re.sub(r"[^a-z0-9]+", "-", spec.title.lower()).strip("-")
        return f"{_MODEL}-{words}"[:_LONGEST_NAME]

    def _given(self) -> DatasetSpec:
        if not self.target:
            raise InvalidInput(
                "TARGET", self.target, "a table needs the name of its outcome column."
            )
        spec = dataset_spec(
            {
                "uri": self.uri,
                "target": self.target,
                "positive": self.positive,
                "drop": self.drop,
            }
        )
        self.log.info("Data: %s, target %s", spec.title, spec.target)
        return spec

    def _demonstration(self) -> DatasetSpec:
        from airflow_mltrack.training.credit_data import fetch_credit_data

        found = fetch_credit_data(default_home() / "data", timeout=self.timeout, rows=self.rows)
        (self.log.warning if found.synthetic else self.log.info)("%s", found.message)
        return found.spec
