"""What stands before a route: who is it, may they, and did they really ask for it."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, Header, HTTPException, Request

if TYPE_CHECKING:
    from airflow_mltrack.web.access import Reader

REQUEST_HEADER = "X-MLTrack"
"""A page of another origin cannot send it: a browser asks us first, and we do not allow it."""


def make_guard(asks: Callable[..., Reader]) -> Callable[..., None]:
    """Make the dependency that lets nobody through whom ``asks`` refuses, and keeps who it is."""

    def guard(request: Request, reader: Reader = Depends(asks)) -> None:  # noqa: B008
        request.state.reader = reader

    # FastAPI would look the name Reader up at run time; what matters to it is the dependency.
    guard.__annotations__ = {"request": Request}
    return guard


def check_intended(
    request: Request,
    x_mltrack: Annotated[
        str | None,
        Header(description="`1`; needed where the login comes from a cookie."),
    ] = None,
) -> None:
    """Refuse a change that another site may have made a browser ask for.

    A browser adds cookies, and a Basic login, by itself; a Bearer token is sent by who has it.
    """
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return
    if (x_mltrack or "").strip() != "1":
        raise HTTPException(
            HTTPStatus.FORBIDDEN,
            f"A change asked for with a cookie needs the header {REQUEST_HEADER}: 1, which other "
            "sites cannot send.",
        )
