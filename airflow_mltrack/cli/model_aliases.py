"""``mltrack models alias`` and ``unalias``: names for versions."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from airflow_mltrack.cli.acting_user import acting_user
from airflow_mltrack.cli.arguments import add_command, positive_int
from airflow_mltrack.cli.backend import open_to_change
from airflow_mltrack.cli.output import Record, show
from airflow_mltrack.exceptions import NotFound

if TYPE_CHECKING:
    from airflow_mltrack.cli.arguments import Commands
    from airflow_mltrack.tracking.client import TrackingClient


def register(group: Commands) -> None:
    """Add the commands."""
    add = add_command(group, "alias", "point an alias at a version", _alias)
    add.add_argument("name")
    add.add_argument("alias")
    add.add_argument("version", type=positive_int)
    remove = add_command(group, "unalias", "remove an alias", _unalias)
    remove.add_argument("name")
    remove.add_argument("alias")
    for parser in (add, remove):
        parser.add_argument("--reason", default="", metavar="WHY", help="why, for the history")


def point_alias(
    client: TrackingClient, name: str, alias: str, version: int, *, actor: str, reason: str = ""
) -> Record:
    """Point an alias at a version.

    :raises NotFound: when there is no such model or version.
    :raises InvalidInput: when the alias breaks its rule.
    """
    from airflow_mltrack.lifecycle.registration import set_alias

    found = set_alias(client, name, alias, version, actor=actor, reason=reason)
    facts = {"name": name, "alias": alias, "version": version, "stage": found.stage}
    return Record({**facts, "uri": f"models:/{name}@{alias}"})


def remove_alias(
    client: TrackingClient, name: str, alias: str, *, actor: str, reason: str = ""
) -> Record:
    """Remove an alias.

    :raises NotFound: when there is no such model or alias.
    """
    from airflow_mltrack.lifecycle.registration import delete_alias

    before = delete_alias(client, name, alias, actor=actor, reason=reason)
    if before is None:
        raise NotFound(
            "model alias", f"{name}@{alias}", f"See what there is: mltrack models show {name}"
        )
    return Record({"name": name, "alias": alias, "was_version": before})


def _alias(args: argparse.Namespace) -> None:
    with open_to_change(args.conn_id) as client:
        found = point_alias(
            client, args.name, args.alias, args.version, actor=acting_user(), reason=args.reason
        )
    show(found, args.format)


def _unalias(args: argparse.Namespace) -> None:
    with open_to_change(args.conn_id) as client:
        found = remove_alias(client, args.name, args.alias, actor=acting_user(), reason=args.reason)
    show(found, args.format)
