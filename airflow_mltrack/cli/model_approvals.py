"""``mltrack models request-approval``, ``approve``, ``reject`` and ``approvals``."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from airflow_mltrack.cli.acting_user import acting_user
from airflow_mltrack.cli.arguments import add_command, positive_int
from airflow_mltrack.cli.backend import open_client, open_to_change
from airflow_mltrack.cli.model_rows import approval_listing
from airflow_mltrack.cli.output import Record, say, show
from airflow_mltrack.entities.approvals import Decision
from airflow_mltrack.exceptions import NotFound

if TYPE_CHECKING:
    from airflow_mltrack.cli.arguments import Commands
    from airflow_mltrack.cli.output import Listing
    from airflow_mltrack.store.tracking_store import Transaction
    from airflow_mltrack.tracking.client import TrackingClient


def register(group: Commands) -> None:
    """Add the commands."""
    ask = add_command(group, "request-approval", "ask that people approve a move", _request)
    _add_move(ask)
    ask.add_argument("--reason", default="", metavar="WHY", help="why, for the history")
    for word, decision in (("approve", Decision.APPROVED), ("reject", Decision.REJECTED)):
        parser = add_command(group, word, f"{word} a move; not for its author", _answer)
        parser.set_defaults(decision=decision)
        _add_move(parser)
        parser.add_argument("--reason", required=True, metavar="WHY", help="why, for the record")
    found = add_command(group, "approvals", "list who approved or rejected what", _list)
    found.add_argument("name")
    found.add_argument("version", nargs="?", type=positive_int)


def ask_for_approval(
    client: TrackingClient, name: str, version: int, stage: str, *, actor: str, reason: str = ""
) -> Record:
    """Ask that people approve a move, and tell who may not.

    See :func:`airflow_mltrack.lifecycle.approval.request_approval` for what it asks and raises.
    """
    from airflow_mltrack.lifecycle.approval import request_approval
    from airflow_mltrack.lifecycle.next_moves import next_moves

    event = request_approval(client, name, version, stage, actor=actor, reason=reason)
    target = str(event.payload["stage"])
    with client.store.transaction() as tx:
        moves = next_moves(tx, name, version)
    barred = [who for move in moves if move.edge.target == target for who in move.barred]
    facts = {
        "name": name,
        "version": version,
        "stage": target,
        "verdict_id": event.payload.get("verdict_id"),
        "asked_by": event.actor,
        "at": event.at,
        "event": event.event_id,
        "may_not_approve": barred,
    }
    return Record(facts, worded={"may_not_approve": barred}, labels={"may_not_approve": "barred"})


def answer(
    client: TrackingClient,
    name: str,
    version: int,
    stage: str,
    *,
    approver: str,
    reason: str,
    decision: Decision = Decision.APPROVED,
) -> Record:
    """Approve or reject a move, and tell what it still lacks.

    See :func:`airflow_mltrack.lifecycle.approval.approve` for what it asks and raises.
    """
    from airflow_mltrack.lifecycle.approval import approval_json, approve
    from airflow_mltrack.lifecycle.promotion import missing_for

    approval = approve(
        client, name, version, stage, approver=approver, reason=reason, decision=decision
    )
    missing = list(missing_for(client, name, version, approval.stage))
    facts = {
        **approval_json(approval),
        "created_at": approval.created_at,
        "valid_until": approval.valid_until,
        "still_missing": missing,
    }
    return Record(facts, worded={"still_missing": missing})


def list_answers(client: TrackingClient, name: str, version: int | None = None) -> Listing:
    """List who approved or rejected a model or one of its versions, newest first.

    Those about a model that was deleted stay.

    :raises NotFound: when there is no such model or version, and nobody ever said something of it.
    """
    with client.store.transaction() as tx:
        return approvals_in(tx, name, version)


def approvals_in(tx: Transaction, name: str, version: int | None = None) -> Listing:
    """List answers in a transaction that is open, each with whether it counts now."""
    from airflow_mltrack.lifecycle.next_moves import next_moves

    answers = tx.approvals.list(name, version)
    moves = [
        (number, move)
        for number in _existing(tx, name, version, answered={item.version for item in answers})
        for move in next_moves(tx, name, number)
        if move.edge.approvals
    ]
    counting = {approval.approval_id for _, move in moves for approval in move.approvals}
    awaited = {(number, move.edge.target) for number, move in moves}
    return approval_listing(answers, counting, awaited)


def _existing(tx: Transaction, name: str, version: int | None, *, answered: set[int]) -> list[int]:
    """Return the versions that were answered about and still exist."""
    try:
        if version is not None:
            tx.registry.get_version(name, version)
        return [one.version for one in tx.registry.list_versions(name) if one.version in answered]
    except NotFound:
        if not answered:
            raise
        return []


def _add_move(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name")
    parser.add_argument("version", type=positive_int)
    parser.add_argument("stage", help="where the version is to go, in any case")


def _request(args: argparse.Namespace) -> None:
    with open_to_change(args.conn_id) as client:
        found = ask_for_approval(
            client, args.name, args.version, args.stage, actor=acting_user(), reason=args.reason
        )
    show(found, args.format)


def _answer(args: argparse.Namespace) -> None:
    with open_to_change(args.conn_id) as client:
        found = answer(
            client,
            args.name,
            args.version,
            args.stage,
            approver=acting_user(),
            reason=args.reason,
            decision=args.decision,
        )
    show(found, args.format)
    if not found.facts["still_missing"]:
        say(f"Nothing is missing for {found.facts['stage']} any more.")


def _list(args: argparse.Namespace) -> None:
    with open_client(args.conn_id) as client:
        show(list_answers(client, args.name, args.version), args.format)
