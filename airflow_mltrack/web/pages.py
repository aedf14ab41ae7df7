"""The pages: home, an experiment's runs, one run, one registered model, and a run's files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated
from urllib.parse import quote

from fastapi import APIRouter, Depends, Request, Response
from markupsafe import Markup

from airflow_mltrack.exceptions import NotFound
from airflow_mltrack.web import mlflow_links
from airflow_mltrack.web.access import Reader
from airflow_mltrack.web.files import INLINE, send_file
from airflow_mltrack.web.metric_rows import metric_rows
from airflow_mltrack.web.model_page import find_model
from airflow_mltrack.web.rendering import render
from airflow_mltrack.web.run_table import RunTable, check_readable, find_runs

if TYPE_CHECKING:
    from airflow_mltrack.entities.runs import RunData
    from airflow_mltrack.entities.sweeps import Sweep
    from airflow_mltrack.store.tracking_store import Transaction
    from airflow_mltrack.tracking.client import TrackingClient

SHOWN = 500
"""Most params, metrics, tags, artifacts, versions or events of one page; a note counts the rest."""
IMAGES = 24
"""Most images of one page."""


router = APIRouter()
_route = partial(router.api_route, methods=["GET", "HEAD"])


@dataclass(frozen=True, slots=True)
class Page:
    """What every page needs: the client, who is reading, and where things are mounted."""

    client: TrackingClient
    reader: Reader
    root: str
    """Path of this app, without a slash at the end."""
    in_airflow: bool

    def render(self, template: str, **facts: object) -> Response:
        """Render a template with the frame of every page."""
        return self.render_with("", template, facts)

    def render_with(self, script: str, template: str, facts: Mapping[str, object]) -> Response:
        """Render a template that holds a script; see :func:`~.rendering.render`."""
        frame = {
            "reader": self.reader.name,
            "root": self.root,
            "airflow_root": self.root.removesuffix("/mltrack") if self.in_airflow else None,
            "quote": partial(quote, safe=""),
            "shown": SHOWN,
        }
        return render(template, facts={**frame, **facts}, script=script)


def _open_page(request: Request) -> Page:
    """Collect what the app's guard has left; without a guard there is no reader and no page."""
    return Page(
        client=request.app.state.get_client(),
        reader=request.state.reader,
        root=str(request.scope.get("root_path", "")).rstrip("/"),
        in_airflow=request.app.state.in_airflow,
    )


PageDep = Annotated[Page, Depends(_open_page)]


@_route("/")
def home(page: PageDep) -> Response:
    """Show registered models, experiments and the latest runs."""
    with page.client.store.transaction() as tx:
        experiments = tx.experiments.list()
        models = tx.registry.list_models()
        facts = {
            "experiments": experiments[:SHOWN],
            "models": models[:SHOWN],
            "live": tx.registry.holders(),
            "table": find_runs(tx, page.reader, [e.experiment_id for e in experiments]),
        }
    facts |= {
        "names": {e.experiment_id: e.name for e in experiments},
        "model_count": len(models),
        "experiment_count": len(experiments),
        "links": Markup(mlflow_links.SCRIPT),  # noqa: S704 - our own fixed text
    }
    return page.render_with(mlflow_links.SOURCE, "home.html", facts)


@_route("/experiments/{experiment_id}")
def experiment(
    experiment_id: int,
    page: PageDep,
    filter: str = "",  # noqa: A002 - the name in the address
    order_by: str = "",
    page_token: str | None = None,
) -> Response:
    """Show the runs of an experiment, filtered and ordered as the address says."""
    with page.client.store.transaction() as tx:
        found = tx.experiments.get(experiment_id)
        table = find_runs(
            tx,
            page.reader,
            [experiment_id],
            filter=filter,
            order_by=order_by,
            page_token=page_token,
        )
    return page.render(
        "experiment.html", experiment=found, filter=filter, order_by=order_by, table=table
    )


@_route("/runs/{run_id}")
def run(run_id: str, page: PageDep, page_token: str | None = None) -> Response:
    """Show everything about one run, as its latest attempt left it."""
    with page.client.store.transaction() as tx:
        data = tx.runs.data(run_id)
        check_readable(page.reader, data.run)
        artifacts = tx.artifacts.walk(attempt_id=data.attempt.attempt_id)
        sweep = _sweep_of(tx, run_id)
        facts = {
            "data": data,
            "experiment": tx.experiments.get(data.run.experiment_id),
            "attempts": tx.runs.attempts(run_id),
            "inputs": tx.inputs.list(data.attempt.attempt_id),
            "models": tx.models.list(run_id=run_id),
            "artifacts": artifacts,
            "images": [a for a in artifacts if a.content_type in INLINE][:IMAGES],
            "sweep": sweep,
            "trials": {} if sweep is None else tx.sweeps.counts(run_id),
            "table": _children(tx, page.reader, data, sweep, page_token),
        }
    return page.render("run.html", metrics=metric_rows(data.metrics), **facts)


@_route("/runs/{run_id}/artifacts/{path:path}")
def artifact(run_id: str, path: str, page: PageDep, request: Request) -> Response:
    """Send one file of a run's latest attempt; its digest is verified on the way."""
    with page.client.store.transaction() as tx:
        data = tx.runs.data(run_id)
        check_readable(page.reader, data.run)
        record = tx.artifacts.get(attempt_id=data.attempt.attempt_id, path=path)
    return send_file(page.client.artifact_store, record, with_bytes=request.method != "HEAD")


@_route("/models/{name}")
def model(name: str, page: PageDep) -> Response:
    """Show a registered model: rules, versions and what they lack, evidence, history."""
    facts = find_model(page.client, page.reader, name, SHOWN)
    return page.render("model.html", facts=facts)


def _sweep_of(tx: Transaction, run_id: str) -> Sweep | None:
    try:
        return tx.sweeps.get(run_id)
    except NotFound:
        return None


def _children(
    tx: Transaction, reader: Reader, data: RunData, sweep: Sweep | None, page_token: str | None
) -> RunTable:
    """Find the children of a run; the best trial of a sweep comes first."""
    order = ""
    if sweep is not None:
        order = f"metrics.`{sweep.metric}` {'DESC' if sweep.direction == 'maximize' else 'ASC'}"
    return find_runs(
        tx,
        reader,
        [data.run.experiment_id],
        order_by=order,
        page_token=page_token,
        parent_run_id=data.run.run_id,
        ranked_by=None if sweep is None else sweep.metric,
    )
