"""``mltrack audit``: prove that nobody touched what was recorded about registered models."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from airflow_mltrack.cli.arguments import add_command, add_group
from airflow_mltrack.cli.backend import open_client
from airflow_mltrack.cli.exit_codes import ExitCode
from airflow_mltrack.cli.json_option import read_json
from airflow_mltrack.cli.output import Listing, Record, say, show
from airflow_mltrack.exceptions import InvalidInput

if TYPE_CHECKING:
    from airflow_mltrack.cli.arguments import Commands
    from airflow_mltrack.lifecycle.audit import ChainReport
    from airflow_mltrack.tracking.client import TrackingClient

_HEADS_HINT = "It is what mltrack audit heads --format json prints."


def register(commands: Commands) -> None:
    """Add the commands of this noun."""
    group = add_group(commands, "audit", "the history's chains of hashes: verify, heads")
    verify = add_command(
        group, "verify", "walk every chain and name the first row that was touched", _verify
    )
    verify.add_argument("name", nargs="?", help="only this registered model")
    verify.add_argument(
        "--heads",
        metavar="FILE",
        help="chain ends that were kept elsewhere: also tells when something was cut off",
    )
    add_command(group, "heads", "print the ends of all chains, to be kept elsewhere", _heads)


def verify_chains(
    client: TrackingClient, name: str | None = None, *, heads: Mapping[str, str] | None = None
) -> Record:
    """Walk one chain or all of them; the fact ``whole`` says how it ended.

    :param name: a registered model; None means all, also those that were deleted.
    :param heads: model name to the hash of an event that was once the last one.
    :raises NotFound: when nothing ever had this name.
    """
    from airflow_mltrack.lifecycle.audit import verify_all, verify_history

    kept = heads or {}
    reports = (
        list(verify_all(client, heads=kept))
        if name is None
        else [verify_history(client, name, head=kept.get(name))]
    )
    findings = [finding for report in reports for finding in _finding_rows(report)]
    facts: dict[str, object] = {
        "whole": not findings,
        "models": len(reports),
        "events": sum(report.events for report in reports),
        "compared_ends": len(kept) if name is None else int(name in kept),
    }
    chains = [_chain_row(report) for report in reports]
    return Record(
        facts,
        {
            "Chains": Listing(("name", "events", "whole", "last_event", "at"), chains),
            "Findings": Listing(("name", "event", "what", "message"), findings),
        },
    )


def list_heads(client: TrackingClient) -> Listing:
    """List the end of every chain."""
    from airflow_mltrack.lifecycle.audit import chain_heads

    rows = [
        {"name": head.name, "event_id": head.event_id, "hash": head.hash, "at": head.at}
        for head in chain_heads(client)
    ]
    return Listing(
        ("name", "event_id", "hash", "at"),
        rows,
        empty="There is no history.",
        labels={"event_id": "event"},
    )


def read_heads(path: str) -> dict[str, str]:
    """Read chain ends that were kept: model name to hash.

    :raises InvalidInput: when the file is something else than what ``heads`` prints.
    """
    found = read_json("--heads", path)
    if not isinstance(found, list) or not all(_is_head(item) for item in found):
        raise InvalidInput("--heads", path, "it is a list of chain ends.", _HEADS_HINT)
    return {item["name"]: item["hash"] for item in found}


def _is_head(item: object) -> bool:
    return isinstance(item, dict) and all(
        isinstance(item.get(key), str) for key in ("name", "hash")
    )


def _chain_row(report: ChainReport) -> dict[str, object]:
    head = report.head
    return {
        "name": report.name,
        "events": report.events,
        "whole": report.is_whole,
        "last_event": None if head is None else head.event_id,
        "at": None if head is None else head.at,
        "last_hash": None if head is None else head.hash,
    }


def _finding_rows(report: ChainReport) -> Sequence[dict[str, object]]:
    return [
        {
            "name": report.name,
            "event": finding.event_id,
            "what": finding.what,
            "message": finding.message,
        }
        for finding in report.findings
    ]


def _verify(args: argparse.Namespace) -> int:
    heads = None if args.heads is None else read_heads(args.heads)
    with open_client(args.conn_id) as client:
        found = verify_chains(client, args.name, heads=heads)
    show(found, args.format)
    findings = found.sections["Findings"].rows
    if findings:
        first = findings[0]
        say(f"Not as it was recorded, first of all in {first['name']}: {first['message']}.")
        return ExitCode.CORRUPT
    say("Every chain is whole: nothing was changed, removed or moved past the history.")
    if heads is None:
        say(
            "A chain cannot show that its end was cut off: keep mltrack audit heads elsewhere and "
            "pass it with --heads."
        )
    return ExitCode.OK


def _heads(args: argparse.Namespace) -> None:
    with open_client(args.conn_id) as client:
        show(list_heads(client), args.format)
