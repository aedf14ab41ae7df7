"""Who may see what: the questions that the web app asks, without knowing who answers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol


class Reader(Protocol):
    """A user who may read."""

    @property
    def name(self) -> str:
        """The name to show."""
        ...

    def readable_dags(self, dag_ids: Iterable[str]) -> set[str]:
        """Return those of ``dag_ids`` whose runs this user may see."""
        ...


class Access(Protocol):
    """Answers for one kind of login."""

    reader: Callable[..., Reader]
    """FastAPI dependency: the caller as a reader; 401 when anonymous, 403 when not allowed."""

    def login_url(self, back: str) -> str | None:
        """Return where a browser can log in, None when there is no such page.

        :param back: path, with query, to return to.
        """
        ...
