"""Access without Airflow: for ``mltrack server``, on loopback or with tokens from a file."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from fastapi import HTTPException, Request

from airflow_mltrack.tracking.source import current_user
from airflow_mltrack.web.basic_login import BROWSER_HEADERS
from airflow_mltrack.web.guards import REQUEST_HEADER
from airflow_mltrack.web.mlflow.errors import DENIED, error_response
from airflow_mltrack.web.tokens import TokenHolder, token_digest

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from airflow_mltrack.web.access import Reader
    from airflow_mltrack.web.basic_login import Exchange


@dataclass(frozen=True, slots=True)
class LocalReader:
    """Somebody who may see the runs of every Dag."""

    name: str
    may_write: bool = True

    def readable_dags(self, dag_ids: Iterable[str]) -> set[str]:
        """Return all of them."""
        return set(dag_ids)

    def writable_dags(self, dag_ids: Iterable[str]) -> set[str]:
        """Return all of them, to one who may write."""
        return set(dag_ids) if self.may_write else set()

    def teams(self) -> set[str]:
        """Return none: there is no Airflow."""
        return set()


def _anybody() -> LocalReader:
    return LocalReader(current_user() or "local")


def _nothing() -> None:
    """Keep no log: there is no Airflow that has one."""


class OpenAccess:
    """Lets everybody do everything, as the user of this process: behind :class:`LocalCallers`."""

    reader: Callable[..., Reader] = staticmethod(_anybody)
    writer: Callable[..., Reader] = staticmethod(_anybody)
    promoter: Callable[..., Reader] = staticmethod(_anybody)
    record: Callable[..., object] = staticmethod(_nothing)
    record_discreetly: Callable[..., object] = staticmethod(_nothing)
    in_airflow = False
    exchange: Exchange | None = None

    def login_url(self, back: str) -> str | None:
        """Return None: nobody logs in."""
        return None


class LocalCallers:
    """Middleware for a server that asks nobody who they are: lets in programs of this machine.

    A page of any site can make a browser of this machine send requests here, also under a name of
    that site's own that leads to loopback. So the host that a request names must be loopback's, and
    what a browser sends must be asked for as with a cookie; other programs need not prove it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, marked as meant where no browser has sent it."""
        if scope["type"] == "http":
            headers = dict(scope["headers"])
            host = headers.get(b"host", b"").decode("latin-1")
            if not is_loopback(_hostname(host)):
                words = "Without tokens this server is called by a name of loopback only."
                await error_response(DENIED, words)(scope, receive, send)
                return
            if not any(name in headers for name in BROWSER_HEADERS):
                meant = (REQUEST_HEADER.lower().encode(), b"1")
                scope = {**scope, "headers": [meant, *scope["headers"]]}
        await self.app(scope, receive, send)


def is_loopback(host: str) -> bool:
    """Say whether a name or an address leads to this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _hostname(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


class TokenAccess:
    """Lets in who sends a token that is known, and lets them do what its role may.

    The password of a Basic login may be the token: some clients send nothing else.

    :param holders: sha256 of each token to its holder, from
        :func:`~airflow_mltrack.web.tokens.read_tokens`.
    """

    record: Callable[..., object] = staticmethod(_nothing)
    record_discreetly: Callable[..., object] = staticmethod(_nothing)
    in_airflow = False

    def __init__(self, holders: Mapping[str, TokenHolder]) -> None:
        self._holders = dict(holders)
        self.reader: Callable[..., Reader] = self._demand("viewer")
        self.writer: Callable[..., Reader] = self._demand("user")
        self.promoter: Callable[..., Reader] = self._demand("promoter")
        self.exchange: Exchange | None = self._exchange

    def login_url(self, back: str) -> str | None:
        """Return None: there is no page to log in."""
        return None

    def _demand(self, role: str) -> Callable[[Request], LocalReader]:
        def check(request: Request) -> LocalReader:
            scheme, _, token = request.headers.get("authorization", "").partition(" ")
            holder = self._holder(token.strip()) if scheme.lower() == "bearer" else None
            if holder is None:
                raise HTTPException(HTTPStatus.UNAUTHORIZED, "Send a token that this server knows.")
            if not holder.may(role):
                raise HTTPException(
                    HTTPStatus.FORBIDDEN, f"{holder.name} is a {holder.role}; this asks for {role}."
                )
            return LocalReader(holder.name, may_write=holder.may("user"))

        return check

    def _holder(self, token: str) -> TokenHolder | None:
        # Looked up by digest: how long that takes tells nothing about a token.
        return self._holders.get(token_digest(token))

    async def _exchange(self, name: str, password: str, _scope: Scope) -> str | None:
        holder = self._holder(password)
        return password if holder is not None and holder.name == name else None
