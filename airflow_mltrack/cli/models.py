"""``mltrack models``: list, show, history of registered models."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from airflow_mltrack.cli.arguments import add_command, add_group, positive_int
from airflow_mltrack.cli.backend import open_client
from airflow_mltrack.cli.exit_codes import ExitCode
from airflow_mltrack.cli.history_words import event_row, gate_lines, pair_lines
from airflow_mltrack.cli.output import Listing, Record, joined, say, show
from airflow_mltrack.entities.registry import Stage

if TYPE_CHECKING:
    from airflow_mltrack.cli.arguments import Commands
    from airflow_mltrack.entities.registry import ModelVersion, RegisteredModel
    from airflow_mltrack.entities.verdicts import CheckResult, Verdict
    from airflow_mltrack.store.tracking_store import Transaction
    from airflow_mltrack.tracking.client import TrackingClient

_CHECK_COLUMNS = ("check", "passed", "observed", "rule", "live_version", "interval", "message")
_VERSION_COLUMNS = ("version", "stage", "verdict", "aliases", "run_id", "user", "created_at")


def register(commands: Commands) -> None:
    """Add the commands of this noun."""
    group = add_group(commands, "models", "registered models: list, show, history")
    add_command(group, "list", "list registered models and what is live", _list)
    one = add_command(
        group, "show", "show a model's versions, or one version with its verdict", _show
    )
    one.add_argument("name")
    one.add_argument("version", nargs="?", type=positive_int)
    history = add_command(
        group,
        "history",
        "show everything that happened to a model, and that nobody touched it",
        _history,
    )
    history.add_argument("name")
    history.add_argument("--version", type=positive_int, metavar="N", help="only this version")


def list_models(client: TrackingClient) -> Listing:
    """List the registered models, each with its newest and its live version."""
    with client.store.transaction() as tx:
        rows = [_model_row(tx, model) for model in tx.registry.list_models()]
    columns = (
        "name",
        "production",
        "staging",
        "latest",
        "aliases",
        "requires_verdict",
        "updated_at",
    )
    return Listing(
        columns,
        rows,
        empty="No model is registered.",
        droppable=("updated_at", "requires_verdict", "staging"),
    )


def show_model(client: TrackingClient, name: str) -> Record:
    """Show a registered model and its versions, newest first.

    :raises NotFound: when there is no such model.
    """
    with client.store.transaction() as tx:
        model = tx.registry.get_model(name)
        versions = [
            _version_row(version, tx.verdicts.latest(name, version.version))
            for version in tx.registry.list_versions(name)
        ]
        facts = _model_row(tx, model)
    facts |= {"description": model.description, "gates": model.gates, "tags": model.tags}
    newest_first = sorted(versions, key=lambda row: -int(str(row["version"])))
    listing = Listing(_VERSION_COLUMNS, newest_first, droppable=("created_at", "user", "run_id"))
    return Record(
        facts,
        {"Versions": listing},
        worded={"gates": gate_lines(model.gates), "tags": pair_lines(model.tags)},
    )


def show_version(client: TrackingClient, name: str, version: int) -> Record:
    """Show one version with its latest verdict and the verdict's checks.

    :raises NotFound: when there is no such version.
    """
    with client.store.transaction() as tx:
        found = tx.registry.get_version(name, version)
        verdict = tx.verdicts.latest(name, version)
    facts: dict[str, object] = {
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
        **_verdict_facts(verdict),
    }
    checks = [check_row(check) for check in verdict.checks] if verdict else []
    listing = Listing(_CHECK_COLUMNS, checks, droppable=("interval", "live_version", "observed"))
    return Record(facts, {"Checks": listing}, worded={"tags": pair_lines(found.tags)})


def model_history(
    client: TrackingClient, name: str, *, version: int | None = None
) -> tuple[Listing, int | None]:
    """List what happened to a model, oldest first.

    :param version: only events about this version.
    :return: the events, and the number of the first event that was tampered with (None: none was).
    :raises NotFound: when nothing is known about such a model.
    """
    with client.store.transaction() as tx:
        events = tx.history.list(name, version=version)
        if not events:
            tx.registry.get_model(name)
        broken = tx.history.verify(name)
    columns = ("event_id", "at", "version", "what", "actor", "why", "task")
    rows = [event_row(event) for event in events]
    found = Listing(
        columns, rows, empty="No events.", droppable=("task",), labels={"event_id": "event"}
    )
    return found, broken


def check_row(check: CheckResult) -> dict[str, object]:
    """Lay one check of a verdict out."""
    return {
        "check": check.name,
        "passed": check.passed,
        "metric": check.metric,
        "observed": check.observed,
        "rule": f"{check.comparison} {check.threshold}" if check.threshold is not None else None,
        "live_version": check.champion_value,
        "interval": [round(bound, 4) for bound in check.interval] if check.interval else None,
        "rows": check.rows,
        "message": check.message,
    }


def _model_row(tx: Transaction, model: RegisteredModel) -> dict[str, object]:
    latest = tx.registry.latest_version(model.name)
    holder = tx.registry.holder(model.name)
    staged = tx.registry.list_versions(model.name, stage=Stage.STAGING.value)
    return {
        "name": model.name,
        "production": holder.version if holder else None,
        "staging": joined(item.version for item in staged) or None,
        "latest": latest.version if latest else None,
        "aliases": joined(f"{alias}={number}" for alias, number in sorted(model.aliases.items())),
        "requires_verdict": model.requires_verdict,
        "updated_at": model.updated_at,
    }


def _version_row(version: ModelVersion, verdict: Verdict | None) -> dict[str, object]:
    return {
        "version": version.version,
        "stage": version.stage,
        "verdict": _outcome(verdict),
        "aliases": joined(version.aliases),
        "run_id": version.run_id,
        "digest": version.digest,
        "user": version.user,
        "created_at": version.created_at,
    }


def _outcome(verdict: Verdict | None) -> str | None:
    return None if verdict is None else ("passed" if verdict.passed else "failed")


def _verdict_facts(verdict: Verdict | None) -> dict[str, object]:
    if verdict is None:
        return {"verdict": None}
    return {
        "verdict": _outcome(verdict),
        "verdict_id": verdict.verdict_id,
        "judged_at": verdict.created_at,
        "valid_until": verdict.valid_until,
        "judged_by": verdict.actor,
        "judged_on": f"{verdict.dataset_name} @ {verdict.dataset_digest[:12]}",
        "live_then": verdict.champion_version,
    }


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


def _history(args: argparse.Namespace) -> int | None:
    with open_client(args.conn_id) as client:
        events, broken = model_history(client, args.name, version=args.version)
    show(events, args.format)
    if broken is None:
        say("The chain of hashes is whole: no event was changed or removed.")
        return None
    say(f"Event {broken} does not follow from the one before it: the history was changed there.")
    return ExitCode.CORRUPT
