"""Which runs a command is about: the search options and what they mean."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_mltrack.cli.run_ids import full_run_id

if TYPE_CHECKING:
    from airflow_mltrack.entities.runs import RunData
    from airflow_mltrack.store.tracking_store import Transaction

_PAGE = 500


@dataclass(frozen=True, slots=True)
class RunQuery:
    """A search for runs."""

    experiment_names: tuple[str, ...] = ()
    """Names; empty means every active experiment."""
    filter: str = ""
    """A filter in the search grammar, for example ``metrics.auc > 0.7``."""
    order_by: tuple[str, ...] = ()
    """For example ``metrics.auc DESC``."""
    parent: str | None = None
    """Only children of this run: an id, or its first characters."""
    view: str = "active"
    """``active``, ``deleted`` or ``all``."""

    def experiments(self, tx: Transaction) -> dict[int, str]:
        """Return the names of the experiments to look into, by id.

        :raises NotFound: when a named experiment does not exist.
        """
        found = (
            [tx.experiments.get_by_name(name) for name in self.experiment_names]
            if self.experiment_names
            else tx.experiments.list()
        )
        return {item.experiment_id: item.name for item in found}

    def parent_id(self, tx: Transaction) -> str | None:
        """Return the full id of the parent run that was asked for."""
        return full_run_id(tx, self.parent) if self.parent else None

    def pages(self, tx: Transaction, experiments: dict[int, str]) -> Iterator[Sequence[RunData]]:
        """Walk through every run that matches."""
        token = None
        parent = self.parent_id(tx)
        while True:
            page = tx.search.runs(
                experiment_ids=list(experiments),
                filter=self.filter,
                order_by=self.order_by,
                max_results=_PAGE,
                page_token=token,
                view=self.view,
                parent_run_id=parent,
            )
            yield page.runs
            token = page.next_page_token
            if token is None:
                return


def add_search_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which runs."""
    parser.add_argument(
        "--experiment", action="append", default=[], metavar="NAME", help="may be repeated"
    )
    parser.add_argument(
        "--filter", default="", metavar="TEXT", help='for example "metrics.auc > 0.7"'
    )
    parser.add_argument(
        "--order-by",
        action="append",
        default=[],
        metavar="TEXT",
        help='for example "metrics.auc DESC"; may be repeated',
    )
    parser.add_argument("--parent", metavar="RUN_ID", help="only children (trials) of this run")
    parser.add_argument(
        "--view", choices=("active", "deleted", "all"), default="active", help="default: active"
    )


def read_query(args: argparse.Namespace) -> RunQuery:
    """Read the options of :func:`add_search_options`."""
    return RunQuery(
        experiment_names=tuple(args.experiment),
        filter=args.filter,
        order_by=tuple(args.order_by),
        parent=args.parent,
        view=args.view,
    )


def flat_row(data: RunData, experiment: str) -> dict[str, object]:
    """Lay a run out flat: one key for every attribute, param, metric and tag."""
    run = data.run
    ended = run.ended_at
    return {
        "run_id": run.run_id,
        "name": run.name,
        "experiment": experiment,
        "status": run.status,
        "started_at": run.started_at,
        "ended_at": ended,
        "seconds": (ended - run.started_at).total_seconds() if ended else None,
        "user": run.user,
        "parent_run_id": run.parent_run_id,
        "attempt": run.attempt_number,
        "dag_id": run.dag_id,
        "dag_run_id": run.dag_run_id,
        "task_id": run.task_id,
        "map_index": run.map_index,
        **{f"params.{key}": value for key, value in sorted(data.params.items())},
        **{f"metrics.{key}": value for key, value in sorted(data.metrics.items())},
        **{f"tags.{key}": value for key, value in sorted(run.tags.items())},
    }
