"""``mltrack models promote`` and ``rollback``: move versions between stages."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from airflow_mltrack.cli.acting_user import acting_user
from airflow_mltrack.cli.arguments import add_command, positive_int
from airflow_mltrack.cli.backend import open_to_change
from airflow_mltrack.cli.output import Record, say, show

if TYPE_CHECKING:
    from airflow_mltrack.cli.arguments import Commands
    from airflow_mltrack.lifecycle.transitions import Expected, Transition
    from airflow_mltrack.tracking.client import TrackingClient

_NO_ASSET_EVENT = (
    "Airflow's asset events are sent by the operators and the web API, not by the command line."
)


def register(group: Commands) -> None:
    """Add the commands."""
    up = add_command(
        group, "promote", "put a version into a stage, if its rules allow it", _promote
    )
    up.add_argument("name")
    up.add_argument("version", type=positive_int)
    up.add_argument("stage", help="one of the model's stages, in any case")
    _add_options(up)
    up.add_argument("--verdict", metavar="ID", help="the verdict that you rely on")
    up.add_argument(
        "--intent", metavar="KEY", help="names the decision: a second call with it changes nothing"
    )
    back = add_command(
        group, "rollback", "put the version that was live before back into place", _rollback
    )
    back.add_argument("name")
    _add_options(back)
    back.add_argument("--to", type=positive_int, metavar="VERSION", help="default: the one before")
    back.add_argument(
        "--emergency", action="store_true", help="without verdict and approvals; recorded as such"
    )
    back.add_argument(
        "--allow-pickle",
        action="store_true",
        help="load the package to check it even if it is a pickle, which runs its author's code",
    )


def promote_version(
    client: TrackingClient,
    name: str,
    version: int,
    stage: str,
    *,
    actor: str,
    reason: str,
    expect_current: Expected,
    verdict_id: str | None = None,
    intent: str | None = None,
) -> Record:
    """Put a version into a stage and tell what that changed.

    See :func:`airflow_mltrack.lifecycle.promotion.promote` for what it asks and raises.
    """
    from airflow_mltrack.lifecycle.promotion import promote

    done = promote(
        client,
        name,
        version,
        stage,
        actor=actor,
        reason=reason,
        expected_current=expect_current,
        verdict_id=verdict_id,
        intent=intent,
    )
    return move_record(done, actor)


def rollback_plan(
    client: TrackingClient, name: str, to_version: int | None
) -> tuple[int | None, int | None]:
    """Return the version that is live, and the one that going back would bring.

    :raises NotFound: when there is no such model.
    """
    from airflow_mltrack.lifecycle.promotion import live_version
    from airflow_mltrack.lifecycle.rollback import rollback_target

    live = live_version(client, name)
    if to_version is None:
        target = rollback_target(client, name)
        to_version = None if target is None else target.version
    return None if live is None else live.version, to_version


def rollback_version(
    client: TrackingClient,
    name: str,
    *,
    actor: str,
    reason: str,
    to_version: int | None = None,
    emergency: bool = False,
    expect_current: Expected,
    allow_pickle: bool = False,
) -> Record:
    """Go back and tell what that changed.

    See :func:`airflow_mltrack.lifecycle.rollback.rollback` for what it asks and raises.
    """
    from airflow_mltrack.lifecycle.rollback import rollback

    done = rollback(
        client,
        name,
        actor=actor,
        reason=reason,
        to_version=to_version,
        emergency=emergency,
        expected_current=expect_current,
        allow_pickle=allow_pickle,
    )
    return move_record(done, actor)


def move_record(done: Transition, actor: str) -> Record:
    """Lay a move out: what stood where before, what does now, and what it rests on."""
    from airflow_mltrack.lifecycle.transition_facts import transition_facts

    event = done.event
    payload = {} if event is None else event.payload
    facts = transition_facts(done, actor)
    facts |= {
        "before": payload.get("from"),
        "emergency": True if payload.get("emergency") else None,
        "reason": payload.get("reason"),
        "event": None if event is None else event.event_id,
        "at": None if event is None else event.at,
        "changed": done.changed,
    }
    order = (
        *("name", "version", "before", "stage", "previous_version", "emergency", "reason"),
        *("verdict_id", "approvals", "digest", "run_id", "actor", "event", "at", "changed"),
    )
    return Record(
        {key: facts[key] for key in order},
        worded={"previous_version": [f"version {facts['previous_version']}, which had to leave"]},
        labels={"previous_version": "in place of"},
    )


def expected_version(text: str) -> Expected:
    """Read which version somebody believes to be live: a number, ``none``, or ``any``."""
    from airflow_mltrack.lifecycle.transitions import UNSET

    word = text.strip().lower()
    if word == "any":
        return UNSET
    return None if word == "none" else positive_int(text)


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--reason", required=True, metavar="WHY", help="why, for the history")
    parser.add_argument(
        "--expect-current",
        type=expected_version,
        default="any",
        metavar="N|none",
        help="refuse when another version is live; default: any",
    )


def _promote(args: argparse.Namespace) -> None:
    with open_to_change(args.conn_id) as client:
        found = promote_version(
            client,
            args.name,
            args.version,
            args.stage,
            actor=acting_user(),
            reason=args.reason,
            expect_current=args.expect_current,
            verdict_id=args.verdict,
            intent=args.intent,
        )
    _tell(found, args.format)


def _rollback(args: argparse.Namespace) -> None:
    from airflow_mltrack.lifecycle.stage_rules import named
    from airflow_mltrack.lifecycle.transitions import UNSET

    with open_to_change(args.conn_id) as client:
        live, target = rollback_plan(client, args.name, args.to)
        if target is not None:
            say(f"{args.name}: going back from {named(live)} to {named(target)} ...")
        found = rollback_version(
            client,
            args.name,
            actor=acting_user(),
            reason=args.reason,
            # What was said is what is done: somebody else's move in between is a conflict.
            to_version=target,
            expect_current=live if args.expect_current is UNSET else args.expect_current,
            emergency=args.emergency,
            allow_pickle=args.allow_pickle,
        )
    _tell(found, args.format)


def _tell(found: Record, form: str) -> None:
    show(found, form)
    if not found.facts["changed"]:
        say("It was done before: nothing was moved or recorded now.")
    say(_NO_ASSET_EVENT)
