"""``mltrack models history`` and ``live``: what happened to a model, and what was live when."""

from __future__ import annotations

import argparse
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from airflow_mltrack.cli.arguments import add_command, positive_int
from airflow_mltrack.cli.backend import open_client
from airflow_mltrack.cli.exit_codes import ExitCode
from airflow_mltrack.cli.output import Listing, Record, say, show
from airflow_mltrack.exceptions import InvalidInput, NotFound

if TYPE_CHECKING:
    from airflow_mltrack.cli.arguments import Commands
    from airflow_mltrack.entities.history import HistoryEvent
    from airflow_mltrack.lifecycle.audit import ChainReport
    from airflow_mltrack.tracking.client import TrackingClient

_COLUMNS = ("event_id", "at", "version", "what", "actor", "why", "task")


def register(group: Commands) -> None:
    """Add the commands."""
    history = add_command(
        group,
        "history",
        "show everything that happened to a model, and that nobody touched it",
        _history,
    )
    history.add_argument("name")
    history.add_argument("--version", type=positive_int, metavar="N", help="only this version")
    history.add_argument(
        "--event", type=positive_int, metavar="N", help="one event with all that was recorded"
    )
    live = add_command(group, "live", "tell what is live, or was at some time", _live)
    live.add_argument("name")
    live.add_argument(
        "--at", metavar="TIME", help="ISO 8601, for example 2026-01-31T09:30Z; no zone means UTC"
    )


def model_history(
    client: TrackingClient, name: str, *, version: int | None = None
) -> tuple[Listing, ChainReport]:
    """List what happened to a model, oldest first.

    :param version: only events about this version.
    :return: the events, and whether the whole chain is as it was recorded.
    :raises NotFound: when nothing ever had this name.
    """
    from airflow_mltrack.lifecycle.audit import list_history, verify_history

    events = list_history(client, name, version=version)
    report = verify_history(client, name)
    found = Listing(
        _COLUMNS,
        [event_row(event) for event in events],
        empty="No events.",
        droppable=("task", "event_id", "why"),
        labels={"event_id": "event"},
    )
    return found, report


def show_event(client: TrackingClient, name: str, event_id: int) -> Record:
    """Show one event with everything that was recorded of it.

    :raises NotFound: when the model's history has no such event.
    """
    from airflow_mltrack.lifecycle.audit import list_history
    from airflow_mltrack.lifecycle.history_words import tell

    for event in list_history(client, name):
        if event.event_id == event_id:
            facts = [{"fact": key, "value": value} for key, value in tell(event).facts]
            return Record(
                {"name": name, **event_row(event), "previous_hash": event.previous_hash},
                {"Facts": Listing(("fact", "value"), facts)},
                worded={"payload": []},  # sentence and facts tell it
                labels={"event_id": "event"},
            )
    raise NotFound("event", event_id, f"See what there is: mltrack models history {name}")


def event_row(event: HistoryEvent) -> dict[str, object]:
    """Lay an event out: words for people, the whole payload for programs."""
    from airflow_mltrack.lifecycle.history_words import tell

    told = tell(event)
    return {
        "event_id": event.event_id,
        "at": event.at,
        "version": event.version,
        "what": told.sentence,
        "actor": event.actor,
        "why": told.reason or None,
        "task": told.task or None,
        "kind": event.kind,
        "payload": event.payload,
        "hash": event.hash,
    }


def live_record(client: TrackingClient, name: str, at: datetime | None = None) -> Record:
    """Tell which version is live now, or was at some time; none is an answer too.

    :param at: with a time zone; None means now.
    :raises NotFound: when nothing ever had this name; without ``at``, when there is no such model.
    """
    from airflow_mltrack.lifecycle.audit import live_at
    from airflow_mltrack.lifecycle.history_words import tell
    from airflow_mltrack.lifecycle.promotion import live_version

    if at is None:
        held = live_version(client, name)
        then = live_at(client, name, datetime.now(timezone.utc))
        number = None if held is None else held.version
        # A version that was never moved by us has no event that brought it there.
        then = then if then is not None and then.version == number else None
    else:
        then = live_at(client, name, at)
        number = None if then is None else then.version
    facts: dict[str, object] = {"name": name, "version": number}
    if then is not None:
        told = tell(then.event)
        facts |= {
            "stage": then.stage,
            "since": then.since,
            "by": then.event.actor,
            "how": told.sentence,
            "why": told.reason or None,
            "task": told.task or None,
            "digest": then.event.payload.get("digest"),
            "verdict_id": then.event.payload.get("verdict_id"),
            "approvals": then.event.payload.get("approvals") or [],
            "event": then.event.event_id,
        }
    return Record(facts)


def read_time(text: str) -> tuple[datetime, bool]:
    """Read a time.

    :return: the time in UTC, and whether its zone had to be assumed.
    :raises InvalidInput: when it is no time of ISO 8601.
    """
    try:
        found = datetime.fromisoformat(text.strip().replace("Z", "+00:00").replace("z", "+00:00"))
    except ValueError as error:
        raise InvalidInput(
            "time", text, "it is written as in ISO 8601.", "For example 2026-01-31T09:30Z."
        ) from error
    assumed = found.tzinfo is None
    found = found.replace(tzinfo=timezone.utc) if assumed else found.astimezone(timezone.utc)
    return found, assumed


def say_findings(report: ChainReport) -> ExitCode:
    """Tell what walking a chain has shown, and return the exit code that goes with it."""
    if report.is_whole:
        say("The chain of hashes is whole: no event was changed or removed.")
        return ExitCode.OK
    for finding in report.findings:
        say(f"Not as it was recorded: {finding.message}.")
    return ExitCode.CORRUPT


def _history(args: argparse.Namespace) -> int:
    with open_client(args.conn_id) as client:
        if args.event is not None:
            show(show_event(client, args.name, args.event), args.format)
            return ExitCode.OK
        events, report = model_history(client, args.name, version=args.version)
    show(events, args.format)
    return say_findings(report)


def _live(args: argparse.Namespace) -> None:
    at, assumed = (None, False) if args.at is None else read_time(args.at)
    if at is not None and assumed:
        say(f"The time has no zone; it is read as UTC: {at:%Y-%m-%d %H:%M:%S} UTC")
    with open_client(args.conn_id) as client:
        found = live_record(client, args.name, at)
    show(found, args.format)
    if found.facts["version"] is None:
        say(f"No version {'is' if at is None else 'was'} live.")
