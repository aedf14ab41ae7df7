"""What a route of the JSON API needs: the client, who is calling, and what an address may hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, TypeVar

from fastapi import BackgroundTasks, Depends, Path, Query, Request

from airflow_mltrack.lifecycle.webhooks.outbox import deliver_soon
from airflow_mltrack.web.access import Reader
from airflow_mltrack.web.announcing import Announce
from airflow_mltrack.web.bodies.shapes import HIGHEST_VERSION, MODEL_NAME_LIMIT
from airflow_mltrack.web.bodies.versions import VersionResponse
from airflow_mltrack.web.run_table import visible_runs

if TYPE_CHECKING:
    from airflow_mltrack.entities.registry import ModelVersion
    from airflow_mltrack.store.tracking_store import Transaction
    from airflow_mltrack.tracking.client import TrackingClient

Item = TypeVar("Item")

DETAILS = {"door": "rest"}
"""Goes into the history: through which door a decision came."""
_MOST_ITEMS = 1_000


@dataclass(frozen=True, slots=True)
class Call:
    """One request, past its guard."""

    client: TrackingClient
    reader: Reader
    announce: Announce

    @property
    def actor(self) -> str:
        """Who is calling."""
        return self.reader.name

    def version_response(self, tx: Transaction, version: ModelVersion) -> VersionResponse:
        """Write one version down; its run is named to those who may see it."""
        return self.version_responses(tx, [version])[0]

    def version_responses(
        self, tx: Transaction, versions: Sequence[ModelVersion]
    ) -> list[VersionResponse]:
        """Write versions down; their runs are named to those who may see them."""
        runs = tx.runs.get_many([version.run_id for version in versions if version.run_id])
        visible = {run.run_id for run in visible_runs(self.reader, runs)}
        return [
            VersionResponse.of(version, with_run=version.run_id in visible) for version in versions
        ]


def _open_call(request: Request) -> Call:
    """Collect what the guard has left; without a guard there is no reader and no call."""
    state = request.app.state
    return Call(state.get_client(), request.state.reader, state.announce)


CallDep = Annotated[Call, Depends(_open_call)]
Name = Annotated[
    str,
    Path(max_length=MODEL_NAME_LIMIT, description="Registered model.", examples=["credit-default"]),
]
Version = Annotated[int, Path(ge=1, le=HIGHEST_VERSION, description="Version number.")]
Limit = Annotated[int, Query(ge=1, le=_MOST_ITEMS, description="Most items of the page.")]
PageToken = Annotated[
    str | None, Query(max_length=MODEL_NAME_LIMIT, description="`next_page_token` of a page.")
]
NumberToken = Annotated[
    int | None, Query(ge=0, le=2**63 - 1, description="`next_page_token` of a page.")
]


def cut(items: Sequence[Item], limit: int) -> tuple[Sequence[Item], Item | None]:
    """Return the first items, and the last of these when there are more behind it."""
    page = items[:limit]
    return page, page[-1] if len(items) > limit else None


def tell_webhooks(call: CallDep, background: BackgroundTasks) -> None:
    """Let webhooks hear of a change as soon as it is answered."""
    background.add_task(deliver_soon, call.client)
