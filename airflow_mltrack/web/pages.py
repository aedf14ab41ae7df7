"""The pages: home, an experiment's runs, one run, one registered model, and a run's files."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated
from urllib.parse import quote

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import StreamingResponse

from airflow_mltrack.exceptions import NotFound
from airflow_mltrack.web.access import Reader
from airflow_mltrack.web.rendering import render

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_mltrack.entities.artifacts import Artifact
    from airflow_mltrack.entities.runs import Run
    from airflow_mltrack.store.tracking_store import Transaction
    from airflow_mltrack.tracking.client import TrackingClient

ROWS = 50
"""Runs on one page."""
_CHUNK = 1 << 20
_INLINE = {"image/png"}
"""Types that a browser may show; everything else is downloaded, because files share our origin."""


router = APIRouter()


@dataclass(frozen=True, slots=True)
class Page:
    """What every page needs: the client, who is reading, and where things are mounted."""

    client: TrackingClient
    reader: Reader
    root: str
    """Path of this app, without a slash at the end."""

    def render(self, template: str, **facts: object) -> Response:
        """Render a template with the frame of every page."""
        frame = {
            "reader": self.reader.name,
            "root": self.root,
            "airflow_root": self.root.removesuffix("/mltrack"),
            "quote": _quote,
        }
        return render(template, facts={**frame, **facts})


def _open_page(request: Request) -> Page:
    """Collect what the app's guard has left; without a guard there is no reader and no page."""
    return Page(
        client=request.app.state.get_client(),
        reader=request.state.reader,
        root=str(request.scope.get("root_path", "")).rstrip("/"),
    )


PageDep = Annotated[Page, Depends(_open_page)]


@router.get("/")
def home(page: PageDep) -> Response:
    """Show registered models, experiments and the latest runs."""
    with page.client.store.transaction() as tx:
        experiments = tx.experiments.list()
        models = tx.registry.list_models()
        live = {model.name: tx.registry.holder(model.name) for model in models}
        found_runs = _runs_page(tx, page.reader, [e.experiment_id for e in experiments])
    names = {e.experiment_id: e.name for e in experiments}
    return page.render(
        "home.html",
        experiments=experiments,
        models=models,
        live=live,
        names=names,
        **found_runs,
    )


@router.get("/experiments/{experiment_id}")
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
        found_runs = _runs_page(
            tx, page.reader, [experiment_id], filter=filter, order_by=order_by, token=page_token
        )
    return page.render(
        "experiment.html",
        experiment=found,
        filter=filter,
        order_by=order_by,
        **found_runs,
    )


@router.get("/runs/{run_id}")
def run(run_id: str, page: PageDep) -> Response:
    """Show everything about one run, as its latest attempt left it."""
    with page.client.store.transaction() as tx:
        data = tx.runs.data(run_id)
        _check_readable(page.reader, data.run)
        artifacts = tx.artifacts.walk(attempt_id=data.attempt.attempt_id)
        facts = {
            "data": data,
            "experiment": tx.experiments.get(data.run.experiment_id),
            "attempts": tx.runs.attempts(run_id),
            "inputs": tx.inputs.list(data.attempt.attempt_id),
            "models": tx.models.list(run_id=run_id),
            "artifacts": artifacts,
            "images": [a for a in artifacts if a.content_type in _INLINE],
        }
        children = _runs_page(tx, page.reader, [data.run.experiment_id], parent=run_id, rows=1000)
    return page.render("run.html", **facts, **children)


@router.get("/runs/{run_id}/artifacts/{path:path}")
def artifact(run_id: str, path: str, page: PageDep) -> Response:
    """Send one file of a run's latest attempt; its digest is verified on the way."""
    with page.client.store.transaction() as tx:
        data = tx.runs.data(run_id)
        _check_readable(page.reader, data.run)
        record = tx.artifacts.get(attempt_id=data.attempt.attempt_id, path=path)
    return _file_response(page.client, record)


@router.get("/models/{name}")
def model(name: str, page: PageDep) -> Response:
    """Show a registered model: versions, verdicts, history."""
    with page.client.store.transaction() as tx:
        found = tx.registry.get_model(name)
        versions = tx.registry.list_versions(name)
        run_ids = [v.run_id for v in versions if v.run_id]
        visible = {r.run_id for r in _visible(page.reader, tx.runs.get_many(run_ids))}
        facts = {
            "model": found,
            "versions": sorted(versions, key=lambda v: v.version, reverse=True),
            "verdicts": {v.version: tx.verdicts.latest(name, v.version) for v in versions},
            "visible_runs": visible,
            "history": list(reversed(tx.history.list(name))),
        }
    return page.render("model.html", **facts)


def _quote(text: str) -> str:
    return quote(text, safe="")


def _runs_page(
    tx: Transaction,
    reader: Reader,
    experiment_ids: list[int],
    *,
    filter: str = "",  # noqa: A002 - as the search calls it
    order_by: str = "",
    token: str | None = None,
    parent: str | None = None,
    rows: int = ROWS,
) -> dict[str, object]:
    """Find the runs that the reader may see, and the columns that a table of them needs."""
    page = tx.search.runs(
        experiment_ids=experiment_ids,
        filter=filter,
        order_by=[order_by] if order_by else [],
        max_results=rows,
        page_token=token,
        parent_run_id=parent,
        dag_ids=reader.readable_dags(tx.runs.dag_ids()),
    )
    return {
        "runs": page.runs,
        "next_page_token": page.next_page_token,
        "metric_columns": _columns((data.metrics for data in page.runs), 8),
        "param_columns": _columns((data.params for data in page.runs), 6),
    }


def _columns(rows: Iterable[Iterable[str]], most: int) -> list[str]:
    """Return the keys that most rows have, in the order in which they first appear."""
    counts: dict[str, int] = {}
    for row in rows:
        for key in row:
            counts[key] = counts.get(key, 0) + 1
    common = sorted(counts, key=lambda key: -counts[key])[:most]
    return [key for key in counts if key in common]


def _visible(reader: Reader, runs: Iterable[Run]) -> Iterator[Run]:
    known = list(runs)
    readable = reader.readable_dags({run.dag_id for run in known if run.dag_id})
    return (run for run in known if run.dag_id is None or run.dag_id in readable)


def _check_readable(reader: Reader, run: Run) -> None:
    """Answer as if the run did not exist: that it does is already more than the reader may know."""
    if not list(_visible(reader, [run])):
        raise NotFound("run", run.run_id)


def _file_response(client: TrackingClient, record: Artifact) -> Response:
    def chunks() -> Iterator[bytes]:
        with client.artifact_store.open(record.key, sha256=record.sha256) as stream:
            while chunk := stream.read(_CHUNK):
                yield chunk

    inline = record.content_type in _INLINE
    name = quote(record.path.rpartition("/")[2])
    headers = {
        "Content-Disposition": f"{'inline' if inline else 'attachment'}; filename*=UTF-8''{name}",
        "Content-Length": str(record.size),
        "Content-Security-Policy": "sandbox; default-src 'none'",
        "X-Content-Type-Options": "nosniff",
    }
    return StreamingResponse(chunks(), media_type=record.content_type, headers=headers)
