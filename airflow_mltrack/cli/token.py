"""``mltrack token``: get a token from Airflow, or make one for ``mltrack server``."""

from __future__ import annotations

import argparse
import getpass
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from airflow_mltrack.cli.arguments import add_command, add_group
from airflow_mltrack.cli.output import say
from airflow_mltrack.exceptions import InvalidInput, MltrackError

if TYPE_CHECKING:
    from airflow_mltrack.cli.arguments import Commands

_TIMEOUT = 30.0
_WRONG_LOGIN = (400, 401, 403, 422)


def register(commands: Commands) -> None:
    """Add the commands of this noun."""
    group = add_group(commands, "token", "tokens for MLflow's clients and the JSON API")
    get = add_command(
        group, "get", "get a token from Airflow, and print it", _get, backend=False, formats=()
    )
    get.add_argument("url", help="of Airflow, or a tracking URI: http://airflow:8080/mltrack")
    get.add_argument("--username", default=None, help="default: the user of this process")
    get.add_argument(
        "--password-stdin", action="store_true", help="read the password from standard input"
    )
    create = add_command(
        group,
        "create",
        "make a token for mltrack server, and print it once",
        _create,
        backend=False,
        formats=(),
    )
    create.add_argument("name", help="whose token it is")
    create.add_argument("--role", required=True, help="viewer, user or promoter")
    create.add_argument("--file", required=True, type=Path, help="the server's token file")


def get_token(url: str, username: str, password: str) -> str:
    """Log in at Airflow and return a token.

    :param url: of Airflow; a tracking URI, with ``/mltrack`` at its end, will do.
    :raises InvalidInput: when the address is none, or name and password are wrong.
    :raises MltrackError: when Airflow does not answer.
    """
    import httpx

    host = _host_of(url)
    address = url.rstrip("/").removesuffix("/mltrack") + "/auth/token"
    login = {"username": username, "password": password}
    try:
        answer = httpx.post(address, json=login, timeout=_TIMEOUT)
    except httpx.HTTPError as error:
        raise MltrackError(
            f"Airflow at {host} does not answer ({type(error).__name__}). Check the address."
        ) from error
    if answer.status_code in _WRONG_LOGIN:
        raise InvalidInput("login", username, "Airflow does not know this name and password.")
    try:
        return str(answer.json()["access_token"])
    except (ValueError, KeyError, TypeError) as error:
        raise MltrackError(
            f"{host} answers with status {answer.status_code} and no token. Is it Airflow 3?"
        ) from error


def _host_of(url: str) -> str:
    """Check an address; only its host goes into messages, because the rest may hold a password."""
    try:
        parts = urlsplit(url)
        host = f"{parts.hostname}:{parts.port}" if parts.port else parts.hostname
    except ValueError:
        host = None
    if not host or parts.scheme not in ("http", "https") or not url.isprintable():
        raise InvalidInput(
            "URL", url.rpartition("@")[2], "it is like http://airflow:8080 or https://airflow."
        )
    return host


def _get(args: argparse.Namespace) -> None:
    username = args.username or getpass.getuser()
    if args.password_stdin:
        password = sys.stdin.readline().rstrip("\n")
    else:
        password = getpass.getpass(f"Password of {username}: ")
    sys.stdout.write(get_token(args.url, username, password) + "\n")


def _create(args: argparse.Namespace) -> None:
    from airflow_mltrack.web.tokens import create_token

    sys.stdout.write(create_token(args.file, args.name, args.role) + "\n")
    say("It is shown once. Clients take it as MLFLOW_TRACKING_TOKEN.")
