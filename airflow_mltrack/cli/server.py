"""``mltrack server``: the web app without Airflow, for workers outside of it and for tests."""

from __future__ import annotations

import argparse
import errno
import socket
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_mltrack.cli.arguments import add_command
from airflow_mltrack.cli.backend import resolve_settings
from airflow_mltrack.cli.output import say
from airflow_mltrack.exceptions import Conflict, InvalidInput

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from airflow_mltrack.cli.arguments import Commands
    from airflow_mltrack.tracking.client import TrackingClient
    from airflow_mltrack.web.tokens import TokenHolder

_CONNECTIONS = 5
_PATIENCE = 5.0
"""Seconds that a change waits for a database that has gone away: somebody waits for the answer."""
_GRACE_SECONDS = 10
"""For requests that are being answered when a signal comes."""


def register(commands: Commands) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "server",
        "serve MLflow's protocol, the JSON API and the pages without Airflow",
        _server,
        formats=(),
    )
    parser.add_argument("--host", default="127.0.0.1", help="default: 127.0.0.1")
    parser.add_argument(
        "--port", type=_port, default=5000, metavar="N", help="default: 5000; 0 takes a free one"
    )
    parser.add_argument(
        "--tokens",
        type=Path,
        metavar="FILE",
        help="tokens that may log in, from: mltrack token create; without it every program of this "
        "machine may do everything, and nobody else is served",
    )


def build_server(client: TrackingClient, holders: dict[str, TokenHolder] | None) -> ASGIApp:
    """Build the app: under ``/mltrack`` as in Airflow, and at the root for short addresses.

    :param holders: who may log in, by the sha256 of a token; None lets in this machine's programs.
    """
    from fastapi import FastAPI

    from airflow_mltrack.web.app import create_app
    from airflow_mltrack.web.mounts import mount
    from airflow_mltrack.web.standalone import LocalCallers, OpenAccess, TokenAccess

    access = OpenAccess() if holders is None else TokenAccess(holders)
    inner = create_app(lambda: client, access)
    outer = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    mount(outer, "/mltrack", inner)
    mount(outer, "", inner)
    return LocalCallers(outer) if holders is None else outer


def check_host(host: str) -> None:
    """Refuse to serve to a network without a login.

    :raises InvalidInput: when the address is not one of loopback.
    """
    from airflow_mltrack.web.standalone import is_loopback

    if not is_loopback(host):
        raise InvalidInput(
            "host",
            host,
            "without --tokens it is an address of loopback.",
            "Add --tokens FILE, or leave --host out.",
        )


def _server(args: argparse.Namespace) -> None:
    from airflow_mltrack.cli.process_sessions import Stopped, raise_on_signals
    from airflow_mltrack.tracking.client import TrackingClient
    from airflow_mltrack.web.tokens import read_tokens

    host = args.host.strip("[]")
    if args.tokens is None:
        check_host(host)
    holders = None if args.tokens is None else read_tokens(args.tokens)
    settings = resolve_settings(args.conn_id)
    with raise_on_signals():
        try:
            with (
                _listen(host, args.port) as listener,
                TrackingClient(settings, pool_size=_CONNECTIONS) as client,
            ):
                client.patience = _PATIENCE
                with client.store.transaction():
                    pass  # complains about a database that is away before anybody calls
                _serve(build_server(client, holders), listener)
        except Stopped as stopped:
            say(f"{stopped}: the server is stopped.")


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise Conflict(
                "port", port, "another program listens on it.", "Choose another with --port."
            ) from error
        raise InvalidInput(
            "address", f"{host}:{port}", f"nothing can be served there ({error.strerror})."
        ) from error


def _serve(app: ASGIApp, listener: socket.socket) -> None:
    import uvicorn

    host, port = listener.getsockname()[:2]
    say(f"Tracking URI: http://{f'[{host}]' if ':' in host else host}:{port}  (Ctrl-C stops it)")
    config = uvicorn.Config(
        app,
        log_level="warning",
        lifespan="off",
        ws="none",
        server_header=False,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    # It ends by raising the signal that stopped it once more.
    uvicorn.Server(config).run(sockets=[listener])


def _port(text: str) -> int:
    value = int(text)
    if not 0 <= value < 1 << 16:
        raise argparse.ArgumentTypeError(f"{value} is not between 0 and 65535")
    return value
