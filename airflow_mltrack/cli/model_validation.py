"""``mltrack models validate`` and ``check``: judge a version, and tell what it lacks."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from airflow_mltrack.cli.acting_user import acting_user
from airflow_mltrack.cli.arguments import add_command, names, positive_int
from airflow_mltrack.cli.backend import open_client, open_to_change
from airflow_mltrack.cli.data_opener import make_opener
from airflow_mltrack.cli.exit_codes import ExitCode
from airflow_mltrack.cli.json_option import read_object
from airflow_mltrack.cli.model_rows import check_listing, verdict_facts
from airflow_mltrack.cli.output import Record, say, show
from airflow_mltrack.exceptions import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_mltrack.cli.arguments import Commands
    from airflow_mltrack.tracking.client import TrackingClient
    from airflow_mltrack.training.dataset import DatasetSpec
    from airflow_mltrack.training.table_file import Opener


def register(group: Commands) -> None:
    """Add the commands."""
    judge = add_command(
        group, "validate", "judge a version by its model's gates and record the verdict", _validate
    )
    judge.add_argument("name")
    judge.add_argument("version", type=positive_int)
    judge.add_argument(
        "--data",
        default="",
        metavar="URI",
        help="table that no training has seen; default: the test rows of its own training",
    )
    judge.add_argument("--target", default="", metavar="COLUMN", help="column with the outcome")
    judge.add_argument(
        "--positive", default="", metavar="VALUE", help="value of the target that counts as 1"
    )
    judge.add_argument("--drop", type=names, default=(), metavar="A,B", help="columns to leave out")
    judge.add_argument(
        "--policy",
        metavar="FILE|JSON",
        help="other gates than the model's own; such a verdict opens no stage",
    )
    check = add_command(group, "check", "tell what a version lacks for a stage", _check)
    check.add_argument("name")
    check.add_argument("version", type=positive_int)
    check.add_argument("stage", help="one of the model's stages, in any case")


def validate(
    client: TrackingClient,
    name: str,
    version: int,
    *,
    actor: str,
    dataset: DatasetSpec | None = None,
    policy: Mapping[str, object] | None = None,
    opener: Opener | None = None,
) -> Record:
    """Judge a version and lay the verdict out; its fact ``verdict`` says how it ended.

    See :func:`airflow_mltrack.lifecycle.validation.validate_version` for what it asks and raises.
    """
    from airflow_mltrack.lifecycle.validation import validate_version

    verdict = validate_version(
        client, name, version, actor=actor, dataset=dataset, policy=policy, opener=opener
    )
    facts = {"name": name, "version": version, **verdict_facts(verdict)}
    return Record(facts, {"Checks": check_listing(verdict)})


def check_stage(client: TrackingClient, name: str, version: int, stage: str) -> Record:
    """Tell what a version lacks for a stage, by its records.

    :raises NotFound: when there is no such model or version.
    :raises InvalidInput: when the model has no such stage.
    """
    from airflow_mltrack.lifecycle.next_moves import next_moves
    from airflow_mltrack.lifecycle.promotion import missing_in

    with client.store.transaction() as tx:
        missing = list(missing_in(tx, name, version, stage))
        found = tx.registry.get_version(name, version)
        target = tx.registry.stage_graph(name).canonical(stage)
        hints = [move.hint for move in next_moves(tx, name, version) if move.edge.target == target]
    facts = {
        "name": name,
        "version": version,
        "stands_in": found.stage,
        "stage": target,
        "missing": missing,
        "next_step": next(iter(hints), "") or None,
    }
    return Record(facts, worded={"missing": missing})


def read_dataset(
    uri: str, target: str = "", positive: str = "", drop: tuple[str, ...] = ()
) -> DatasetSpec | None:
    """Read which table to judge on; None means the test rows of the version's own training.

    :raises InvalidInput: when a table is named without its target, or a target without its table.
    """
    from airflow_mltrack.training.dataset import DatasetSpec

    if not uri:
        if target or positive or drop:
            raise InvalidInput("--data", uri, "--target, --positive and --drop need a table.")
        return None
    if not target:
        raise InvalidInput("--target", target, "name the column with the outcome.")
    return DatasetSpec(uri, target, positive=positive or None, drop=drop)


def _validate(args: argparse.Namespace) -> int:
    dataset = read_dataset(args.data, args.target, args.positive, args.drop)
    policy = None if args.policy is None else read_object("--policy", args.policy)
    with open_to_change(args.conn_id) as client:
        found = validate(
            client,
            args.name,
            args.version,
            actor=acting_user(),
            dataset=dataset,
            policy=policy,
            opener=make_opener(args.conn_id, client.settings),
        )
    show(found, args.format)
    if policy is not None:
        say("Judged by the policy that you named: only the model's own gates open its live stage.")
    return ExitCode.OK if found.facts["verdict"] == "passed" else ExitCode.CONFLICT


def _check(args: argparse.Namespace) -> int:
    with open_client(args.conn_id) as client:
        found = check_stage(client, args.name, args.version, args.stage)
    show(found, args.format)
    if found.facts["missing"]:
        return ExitCode.CONFLICT
    if found.facts["stands_in"] == found.facts["stage"]:
        say("It stands there already.")
    else:
        say("Nothing is missing by the records; the move itself also reads the package's bytes.")
    return ExitCode.OK
