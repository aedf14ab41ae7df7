"""Who may see and do what: the questions that the web app asks, without knowing who answers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from airflow_mltrack.web.basic_login import Exchange


class Reader(Protocol):
    """A user who may read."""

    @property
    def name(self) -> str:
        """The name to show, and to record as the one who did it."""
        ...

    def readable_dags(self, dag_ids: Iterable[str]) -> set[str]:
        """Return those of ``dag_ids`` whose runs this user may see."""
        ...

    def writable_dags(self, dag_ids: Iterable[str]) -> set[str]:
        """Return those of ``dag_ids`` whose runs this user may log to."""
        ...

    def teams(self) -> set[str]:
        """Return the teams that this user acts for; empty where there are no teams."""
        ...


class Access(Protocol):
    """Answers for one kind of login."""

    reader: Callable[..., Reader]
    """FastAPI dependency: the caller as a reader; 401 when anonymous, 403 when not allowed."""

    writer: Callable[..., Reader]
    """FastAPI dependency: the caller as one who may log runs and models; 401 when anonymous, 403
    when not allowed."""

    promoter: Callable[..., Reader]
    """FastAPI dependency: the caller as one who may change what is live and the rules for it; 401
    when anonymous, 403 when not allowed."""

    record: Callable[..., object]
    """FastAPI dependency: note in the host's own log who asked for which action."""

    record_discreetly: Callable[..., object]
    """As ``record``, without the request's body, which may hold a secret."""

    in_airflow: bool
    """Whether pages can lead to Airflow's own."""

    exchange: Exchange | None
    """Gives a token for a name and a password; None where only tokens are known."""

    def login_url(self, back: str) -> str | None:
        """Return where a browser can log in, None when there is no such page.

        :param back: path, with query, to return to.
        """
        ...
