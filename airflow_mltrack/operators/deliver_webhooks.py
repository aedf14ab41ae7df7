"""Deliver to webhooks what is due."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from airflow_mltrack.exceptions import InvalidInput
from airflow_mltrack.operators.mltrack_operator import MltrackOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_mltrack.hooks.mltrack import MltrackHook


class DeliverWebhooksOperator(MltrackOperator):
    """Send what waits for webhooks and is due: also what a receiver did not take before.

    Whoever promotes tries to deliver at once; this sees to the rest. Put it into a small Dag of its
    own, every minute or so. A receiver that does not take a delivery does not fail the task: it is
    tried again later, and what is given up after the last attempt is logged as an error and stays
    listed (``mltrack webhooks deliveries --state failed``). The record of what arrived is deleted
    after the days that the settings keep it. Pushes the numbers ``delivered``, ``postponed``,
    ``failed`` and ``waiting`` to XCom, each also under its own key.

    :param limit: most deliveries of one task (templated).
    :param mltrack_conn_id: Airflow connection (templated).
    """

    template_fields: Sequence[str] = ("limit", "mltrack_conn_id")

    def __init__(
        self,
        *,
        limit: int | str = 100,
        mltrack_conn_id: str | None = None,
        multiple_outputs: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            mltrack_conn_id=mltrack_conn_id, multiple_outputs=multiple_outputs, **kwargs
        )
        self.limit = limit

    def perform(self, hook: MltrackHook, context: Context) -> dict[str, object]:
        """Deliver and return how many deliveries ended how."""
        from airflow_mltrack.lifecycle.webhooks.outbox import deliver_due

        report = deliver_due(hook.client, limit=_whole_number(self.limit))
        self.log.info(
            "%d delivered, %d to be tried again, %d given up; %d wait now.",
            report.delivered,
            report.postponed,
            report.failed,
            report.waiting,
        )
        return asdict(report)


def _whole_number(value: int | str) -> int:
    try:
        return int(value)
    except (TypeError, ValueError) as error:
        raise InvalidInput("limit", value, "it is a whole number.") from error
