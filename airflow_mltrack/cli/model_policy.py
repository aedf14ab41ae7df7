"""``mltrack models policy``: what versions of a model must show, and which moves there are."""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import TYPE_CHECKING

from airflow_mltrack.cli.acting_user import acting_user
from airflow_mltrack.cli.arguments import add_command
from airflow_mltrack.cli.backend import open_client, open_to_change
from airflow_mltrack.cli.json_option import read_object
from airflow_mltrack.cli.output import Listing, Record, say, show
from airflow_mltrack.entities.stages import PROFILES, profile_name
from airflow_mltrack.exceptions import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_mltrack.cli.arguments import Commands
    from airflow_mltrack.entities.registry import RegisteredModel
    from airflow_mltrack.tracking.client import TrackingClient


def register(group: Commands) -> None:
    """Add the command."""
    parser = add_command(
        group, "policy", "show or change a model's gates and its stage graph", _policy
    )
    parser.add_argument("name")
    parser.add_argument(
        "--gates", metavar="FILE|JSON", help="the whole new policy of checks; '{}' removes it"
    )
    parser.add_argument(
        "--stages", metavar="open|gated|FILE|JSON", help="a profile, or the whole new stage graph"
    )
    parser.add_argument("--reason", default="", metavar="WHY", help="why, for the history")


def show_policy(client: TrackingClient, name: str) -> Record:
    """Show a model's checks, its stages, and what each move between them asks for.

    :raises NotFound: when there is no such model.
    """
    with client.store.transaction() as tx:
        return _record(tx.registry.get_model(name))


def change_policy(
    client: TrackingClient,
    name: str,
    *,
    actor: str,
    gates: Mapping[str, object] | None = None,
    stages: str | Mapping[str, object] | None = None,
    reason: str = "",
) -> tuple[Record, tuple[str, ...]]:
    """Change a model's rules.

    See :func:`airflow_mltrack.lifecycle.registration.set_policy` for what it asks and raises.

    :return: the rules as they are now, and what has changed in a few words each.
    """
    from airflow_mltrack.lifecycle.policy_words import rule_change
    from airflow_mltrack.lifecycle.registration import set_policy

    with client.store.transaction() as tx:
        before = _rules(tx.registry.get_model(name))
    model = set_policy(client, name, actor=actor, gates=gates, stages=stages, reason=reason)
    return _record(model), rule_change(before, _rules(model)).parts


def read_stages(given: str) -> str | dict[str, object]:
    """Read the option: a profile's name, a file, or typed JSON.

    :raises InvalidInput: when it is none of them.
    """
    if given.strip().lower() in PROFILES:
        return given
    try:
        return read_object("--stages", given)
    except InvalidInput as error:
        known = f"It is {', '.join(PROFILES)}, a file, or JSON."
        raise InvalidInput(error.what, error.value, error.rule, known) from error


def _rules(model: RegisteredModel) -> dict[str, object]:
    return {"gates": model.gates, "stages": model.stages.to_json()}


def _record(model: RegisteredModel) -> Record:
    from airflow_mltrack.lifecycle.policy_words import edge_words, gate_lines
    from airflow_mltrack.lifecycle.stage_rules import asks_for_verdict

    graph = model.stages
    facts: dict[str, object] = {"name": model.name, "profile": profile_name(graph)}
    facts |= {"stages": graph.to_json(), "gates": model.gates}
    edges = [
        replace(edge, verdict=asks_for_verdict(model, edge.source, edge.target))
        for edge in graph.edges
    ]
    moves = [
        {"from": edge.source, "to": edge.target, "asks_for": edge_words(edge)} for edge in edges
    ]
    named = {graph.exclusive: " (live)", graph.displaced_to: " (for versions that had to leave)"}
    stages = ", ".join(f"{stage}{named.get(stage, '')}" for stage in graph.stages)
    return Record(
        facts,
        {"Moves": Listing(("from", "to", "asks_for"), moves)},
        worded={"stages": [stages], "gates": gate_lines(model.gates)},
    )


def _policy(args: argparse.Namespace) -> None:
    if args.gates is None and args.stages is None:
        if args.reason:
            raise InvalidInput("--reason", args.reason, "it goes with --gates or --stages.")
        with open_client(args.conn_id) as client:
            show(show_policy(client, args.name), args.format)
        return
    gates = None if args.gates is None else read_object("--gates", args.gates)
    stages = None if args.stages is None else read_stages(args.stages)
    with open_to_change(args.conn_id) as client:
        found, changed = change_policy(
            client,
            args.name,
            actor=acting_user(),
            gates=gates,
            stages=stages,
            reason=args.reason,
        )
    show(found, args.format)
    say(f"Changed: {'; '.join(changed)}." if changed else "These were the rules already.")
