"""Mounts an app below another one, also for paths that hold line ends."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from starlette.routing import Mount

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.types import ASGIApp


def mount(app: FastAPI, path: str, inner: ASGIApp) -> None:
    """Mount an app, so that it answers everything below a path.

    Starlette's own mount stops at a line end (``%0A``): the app around answers then, in a shape
    that is not ours.
    """
    mounted = Mount(path, app=inner)
    mounted.path_regex = re.compile(mounted.path_regex.pattern, re.DOTALL)
    app.router.routes.append(mounted)
