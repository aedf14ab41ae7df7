"""The store's front: owns the engine, opens transactions, hands out the groups of functions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING

from sqlalchemy import func, select, text

from airflow_mltrack.store.approvals import Approvals
from airflow_mltrack.store.artifacts import Artifacts
from airflow_mltrack.store.create_requests import CreateRequests
from airflow_mltrack.store.engine import begin, make_engine
from airflow_mltrack.store.experiments import Experiments
from airflow_mltrack.store.export_rows import ExportRows
from airflow_mltrack.store.history import History
from airflow_mltrack.store.inputs import Inputs
from airflow_mltrack.store.lineage import Lineage
from airflow_mltrack.store.metrics import Metrics
from airflow_mltrack.store.models import Models
from airflow_mltrack.store.registry import Registry
from airflow_mltrack.store.run_models import RunModels
from airflow_mltrack.store.runs import Runs
from airflow_mltrack.store.schema import HEAD, check_schema, current_revision, upgrade_schema
from airflow_mltrack.store.search import Search
from airflow_mltrack.store.sweeps import Sweeps
from airflow_mltrack.store.verdicts import Verdicts
from airflow_mltrack.store.webhooks import Webhooks

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.engine import Connection, Engine

    from airflow_mltrack.settings import Settings


class Transaction:
    """One database transaction and what can be done in it. Nothing in here commits."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def now(self) -> datetime:
        """Return the database's clock: one for all workers."""
        now: datetime = self.connection.execute(select(func.clock_timestamp())).scalar_one()
        return now

    def freeze(self) -> None:
        """See one state of the database from here on, and write nothing.

        It is the first call in its transaction.
        """
        self.connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))

    @cached_property
    def experiments(self) -> Experiments:
        """Experiments and their tags."""
        return Experiments(self.connection)

    @cached_property
    def runs(self) -> Runs:
        """Runs, attempts, params and tags."""
        return Runs(self.connection)

    @cached_property
    def create_requests(self) -> CreateRequests:
        """Requests that made runs and logged models, in case one comes again."""
        return CreateRequests(self.connection)

    @cached_property
    def metrics(self) -> Metrics:
        """Metric histories and latest values."""
        return Metrics(self.connection)

    @cached_property
    def search(self) -> Search:
        """Runs by filter and order."""
        return Search(self.connection)

    @cached_property
    def inputs(self) -> Inputs:
        """Data sets and who read them."""
        return Inputs(self.connection)

    @cached_property
    def artifacts(self) -> Artifacts:
        """Records of files."""
        return Artifacts(self.connection)

    @cached_property
    def models(self) -> Models:
        """Logged models (model packages)."""
        return Models(self.connection)

    @cached_property
    def run_models(self) -> RunModels:
        """Logged models that attempts read or produced."""
        return RunModels(self.connection)

    @cached_property
    def registry(self) -> Registry:
        """Registered models, versions, stages, aliases."""
        return Registry(self.connection)

    @cached_property
    def verdicts(self) -> Verdicts:
        """Outcomes of evaluations."""
        return Verdicts(self.connection)

    @cached_property
    def approvals(self) -> Approvals:
        """Answers of people who were asked to approve a move."""
        return Approvals(self.connection)

    @cached_property
    def history(self) -> History:
        """The append-only history of registered models."""
        return History(self.connection)

    @cached_property
    def webhooks(self) -> Webhooks:
        """Addresses outside, and what they are to hear."""
        return Webhooks(self.connection)

    @cached_property
    def lineage(self) -> Lineage:
        """What was made from what."""
        return Lineage(self.connection)

    @cached_property
    def sweeps(self) -> Sweeps:
        """Sweeps and their trials."""
        return Sweeps(self.connection)

    @cached_property
    def export(self) -> ExportRows:
        """Everything, table by table, for analysis elsewhere."""
        return ExportRows(self.connection)


class TrackingStore:
    """The tracking database of one :class:`~airflow_mltrack.settings.Settings`.

    Safe to share between threads. After a fork the child makes its own connections.

    :param settings: where the database is.
    :param pool_size: connections to keep open; 0 opens one for each transaction.
    """

    def __init__(self, settings: Settings, *, pool_size: int = 0) -> None:
        self._settings = settings
        self._pool_size = pool_size
        self._checked = False

    @cached_property
    def engine(self) -> Engine:
        """The engine, made at first use."""
        return make_engine(self._settings, pool_size=self._pool_size)

    @property
    def address(self) -> str:
        """The database's address without credentials."""
        return self._settings.safe_database_url

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Open a transaction: commits at the end, rolls back on any exception.

        The first one checks the schema; an embedded database upgrades itself.

        :raises StoreUnavailable: a retry may help.
        :raises SchemaOutOfDate: holds the command that helps.
        """
        if not self._checked:
            self._check()
        with begin(self.engine, self.address) as connection:
            yield Transaction(connection)

    def revision(self) -> tuple[str | None, str]:
        """Return the schema's revision in the database and the one this code needs."""
        with begin(self.engine, self.address) as connection:
            return current_revision(connection), HEAD

    def upgrade(self) -> tuple[str | None, str]:
        """Create or upgrade the schema; return the revision before and after."""
        with begin(self.engine, self.address) as connection:
            before = upgrade_schema(connection)
        self._checked = True
        return before, HEAD

    def close(self) -> None:
        """Give the connections back; the store can still be used and opens new ones."""
        if "engine" in self.__dict__:
            self.engine.dispose()

    def _check(self) -> None:
        with begin(self.engine, self.address) as connection:
            if self._settings.is_embedded and current_revision(connection) != HEAD:
                upgrade_schema(connection)
            check_schema(connection)
        self._checked = True
