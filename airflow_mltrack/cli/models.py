"""``mltrack models``: list and show registered models; what is done to them has its own modules."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from airflow_mltrack.cli import (
    model_aliases,
    model_approvals,
    model_evidence,
    model_history,
    model_moves,
    model_policy,
    model_validation,
)
from airflow_mltrack.cli.arguments import add_command, add_group, positive_int
from airflow_mltrack.cli.backend import open_client
from airflow_mltrack.cli.model_approvals import approvals_in
from airflow_mltrack.cli.model_rows import (
    check_listing,
    move_listing,
    verdict_facts,
    version_listing,
    version_row,
)
from airflow_mltrack.cli.output import Listing, Record, joined, show
from airflow_mltrack.entities.stages import profile_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_mltrack.cli.arguments import Commands
    from airflow_mltrack.entities.registry import ModelVersion, RegisteredModel
    from airflow_mltrack.lifecycle.next_moves import NextMove
    from airflow_mltrack.store.tracking_store import Transaction
    from airflow_mltrack.tracking.client import TrackingClient


def register(commands: Commands) -> None:
    """Add the commands of this noun."""
    group = add_group(commands, "models", "registered models: look, judge, approve, move, go back")
    add_command(group, "list", "list registered models and what is live", _list)
    one = add_command(
        group,
        "show",
        "show a model's versions, or one version with its verdict and what it lacks to go on",
        _show,
    )
    one.add_argument("name")
    one.add_argument("version", nargs="?", type=positive_int)
    for module in (
        model_history,
        model_moves,
        model_approvals,
        model_validation,
        model_policy,
        model_aliases,
        model_evidence,
    ):
        module.register(group)


def list_models(client: TrackingClient) -> Listing:
    """List the registered models, each with its newest and its live version."""
    with client.store.transaction() as tx:
        rows = [_model_row(tx, model) for model in tx.registry.list_models()]
    return Listing(
        ("name", "live", "on_the_way", "latest", "aliases", "rules", "updated_at"),
        rows,
        empty="No model is registered.",
        droppable=("updated_at", "rules", "on_the_way"),
    )


def show_model(client: TrackingClient, name: str) -> Record:
    """Show a registered model and its versions, newest first.

    :raises NotFound: when there is no such model.
    """
    from airflow_mltrack.lifecycle.policy_words import gate_lines

    with client.store.transaction() as tx:
        model = tx.registry.get_model(name)
        rows = [
            version_row(version, tx.verdicts.latest(name, version.version))
            for version in tx.registry.list_versions(name)
        ]
        facts = _model_row(tx, model)
    del facts["rules"], facts["has_gates"]  # profile and gates say it in full
    facts |= {"description": model.description, "gates": model.gates, "tags": model.tags}
    return Record(
        facts,
        {"Versions": version_listing(rows)},
        worded={"gates": gate_lines(model.gates), "tags": _pair_lines(model.tags)},
    )


def show_version(client: TrackingClient, name: str, version: int) -> Record:
    """Show one version: its latest verdict, where it may go, what it lacks, who approved it.

    :raises NotFound: when there is no such version.
    """
    from airflow_mltrack.lifecycle.next_moves import next_moves

    with client.store.transaction() as tx:
        found = tx.registry.get_version(name, version)
        verdict = tx.verdicts.latest(name, version)
        moves = next_moves(tx, name, version)
        approvals = approvals_in(tx, name, version)
    barred = _barred(moves)
    facts = {**_version_facts(found), **verdict_facts(verdict), "may_not_approve": barred}
    return Record(
        facts,
        {
            "Checks": check_listing(verdict),
            "Next moves": move_listing(moves),
            "Approvals": approvals,
        },
        worded={"tags": _pair_lines(found.tags), "may_not_approve": barred},
        labels={"may_not_approve": "barred"},
    )


def _version_facts(found: ModelVersion) -> dict[str, object]:
    return {
        "name": found.name,
        "version": found.version,
        "stage": found.stage,
        "aliases": joined(found.aliases),
        "source": found.source,
        "digest": found.digest,
        "run_id": found.run_id,
        "user": found.user,
        "created_at": found.created_at,
        "description": found.description,
        "tags": found.tags,
    }


def _barred(moves: Sequence[NextMove]) -> list[str]:
    """Say who may not approve the version's next moves, each person once."""
    return list(dict.fromkeys(sentence for move in moves for sentence in move.barred))


def _model_row(tx: Transaction, model: RegisteredModel) -> dict[str, object]:
    versions = tx.registry.list_versions(model.name)
    live = next((item for item in versions if item.stage == model.stages.exclusive), None)
    return {
        "name": model.name,
        "live": live.version if live else None,
        "on_the_way": _on_the_way(model, versions),
        "latest": max((item.version for item in versions), default=None),
        "aliases": joined(f"{alias}={number}" for alias, number in sorted(model.aliases.items()))
        or None,
        "rules": _rules_word(model),
        "profile": profile_name(model.stages),
        "has_gates": bool(model.gates),
        "updated_at": model.updated_at,
    }


def _on_the_way(model: RegisteredModel, versions: Sequence[ModelVersion]) -> list[str]:
    """Name the stages between the first and the live one that hold a version."""
    graph = model.stages
    between = [
        stage for stage in graph.stages[1:] if stage not in (graph.exclusive, graph.displaced_to)
    ]
    held = {stage: [item.version for item in versions if item.stage == stage] for stage in between}
    return [f"{stage} {joined(sorted(numbers))}" for stage, numbers in held.items() if numbers]


def _rules_word(model: RegisteredModel) -> str:
    """Say in a few words what a version must show before it goes live."""
    profile = profile_name(model.stages)
    return f"{profile}, with gates" if model.gates else profile


def _pair_lines(pairs: Mapping[str, object]) -> list[str]:
    return [f"{key}: {value}" for key, value in sorted(pairs.items())]


def _list(args: argparse.Namespace) -> None:
    with open_client(args.conn_id) as client:
        show(list_models(client), args.format)


def _show(args: argparse.Namespace) -> None:
    with open_client(args.conn_id) as client:
        found = (
            show_model(client, args.name)
            if args.version is None
            else show_version(client, args.name, args.version)
        )
    show(found, args.format)
