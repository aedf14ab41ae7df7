"""Walks the routes of an app, mounted ones too, and asks them without a server."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx
from starlette.routing import Mount

CHANGING = {"POST", "PUT", "PATCH", "DELETE"}
VALUES: Mapping[str, object] = {
    "name": "credit",
    "version": 1,
    "alias": "champion",
    "webhook_id": "w",
    "run_id": "x",
    "experiment_id": 1,
}


@dataclass(frozen=True)
class FoundRoute:
    """A route, and all that stands before it."""

    method: str
    path: str
    asks: tuple[str, ...]
    """Names of its dependencies, those of dependencies too."""

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    def address(self, **values: object) -> str:
        """Fill the path in."""
        known = defaultdict(lambda: "x", {**VALUES, "path": "y", **values})
        return self.path.replace(":path", "").format_map(known)


def walk(app: Any, prefix: str = "") -> Iterator[FoundRoute]:
    """Find every route below an app."""
    for route in app.routes:
        behind = _behind(getattr(route, "app", None))
        if isinstance(route, Mount):
            assert behind is not None, route  # nothing is mounted whose routes cannot be seen
            yield from walk(behind, prefix + route.path)
        elif behind is not None:  # a whole app that answers at one path
            yield from (found for found in walk(behind, prefix) if found.path == route.path)
        else:
            asks = tuple(_asked(route.dependant)) if hasattr(route, "dependant") else ()
            for method in sorted(getattr(route, "methods", None) or ["ANY"]):
                yield FoundRoute(method, prefix + route.path, asks)


def _behind(app: Any) -> Any:
    """Return the app with routes behind middleware, None where there is none."""
    while app is not None and not hasattr(app, "routes"):
        app = getattr(app, "app", None)
    return app


def ask(
    app: Any, method: str, path: str, headers: Mapping[str, str] | None = None
) -> httpx.Response:
    """Ask an app in this process; an error that it answers is answered, not raised."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)

    async def wait() -> httpx.Response:
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as browser:
            return await browser.request(method, path, headers=headers)

    return asyncio.run(wait())


def _asked(dependant: Any) -> Iterator[str]:
    for sub in dependant.dependencies:
        yield getattr(sub.call, "__name__", repr(sub.call))
        yield from _asked(sub)
