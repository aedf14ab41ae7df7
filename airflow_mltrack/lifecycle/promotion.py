"""Move model versions between stages. The one place where that is decided, whichever door asks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from airflow_mltrack.exceptions import Conflict, InvalidInput, NotFound, PromotionRefused
from airflow_mltrack.lifecycle.holders import PROMOTION
from airflow_mltrack.lifecycle.package_check import check_package
from airflow_mltrack.lifecycle.stage_rules import asks_for_verdict, examine, find_edge
from airflow_mltrack.lifecycle.transitions import (
    UNSET,
    Expected,
    Transition,
    check_expected,
    done_before,
    move_version,
)

if TYPE_CHECKING:
    from airflow_mltrack.entities.registry import ModelVersion, RegisteredModel
    from airflow_mltrack.store.tracking_store import Transaction
    from airflow_mltrack.tracking.client import TrackingClient


def promote(
    client: TrackingClient,
    name: str,
    version: int,
    stage: str,
    *,
    actor: str,
    reason: str = "",
    expected_current: Expected = UNSET,
    verdict_id: str | None = None,
    intent: str | None = None,
    archive_others: bool = False,
    details: Mapping[str, object] | None = None,
) -> Transition:
    """Put a version into a stage, in one transaction: all of it happens or nothing.

    The model's stage graph says which moves there are and what each asks for: a verdict that
    passed, has not expired and was made for this package, the model's policy and the version that
    is live now; approvals; a reason. Gates ask for a verdict on the way into the live stage also
    where the graph does not. Where a verdict is asked for, every byte of the package is read and
    compared first.

    Moves of one model take turns. The live stage has one holder: the one before has to leave it.
    Repeating a promotion returns the first one's result and records nothing. It waits for a
    database that has gone away.

    :param version: number of the version.
    :param stage: one of the model's stages, in any case.
    :param actor: who does it.
    :param reason: why, for the history.
    :param expected_current: number of the version that the caller believes to be live, None for
        nobody; something else there is a conflict. Left out, anything may be there.
    :param verdict_id: the verdict that the caller relies on; must be the version's latest one, and
        must open the live stage also where the model asks for none.
    :param intent: names the decision, for example the task instance that makes it: a later call
        with the same intent returns this one's result, even when the version was moved on since.
    :param archive_others: let every other version leave the stage as well, as MLflow's clients may
        ask; from the live stage the one before leaves anyway. Each of these moves must be allowed.
    :param details: JSON-able facts for the history, for example Dag and Dag run.
    :raises NotFound: when there is no such model, version or verdict.
    :raises InvalidInput: when the model has no such stage, or others are to leave the stage that
        versions go to.
    :raises Conflict: when another version than ``expected_current`` is live, or the intent was for
        something else.
    :raises PromotionRefused: when no edge leads there, or with everything that is missing.
    """
    damage = _damage(client, name, version, stage)

    def work(tx: Transaction) -> Transition:
        model = tx.registry.lock(name)
        target = model.stages.canonical(stage)
        done = done_before(tx, model, version, target, via=PROMOTION, intent=intent)
        if done is not None:
            return done
        found = tx.registry.get_version(name, version)
        edge = find_edge(model, found, target)
        check_expected(model, tx.registry.holder(name), expected_current)
        if edge.verdict and damage is None:
            raise Conflict(
                "model version",
                f"{name}/{version}",
                "where it stands or what its model asks for was changed in the meantime.",
                "Try again.",
            )
        _check_verdict_is_of(tx, found, verdict_id)
        grounds = examine(tx, model, found, edge, reason=reason, verdict_id=verdict_id)
        if damage or grounds.reasons:
            hint = "Restore its bytes, or register it again." if damage else grounds.hint
            raise PromotionRefused(name, version, target, [*(damage or ()), *grounds.reasons], hint)
        facts: dict[str, object] = {"via": PROMOTION, "details": dict(details or {})}
        if intent is not None:
            facts["intent"] = intent
        if archive_others:
            _archive_others(tx, model, found, target, actor=actor, reason=reason, facts=facts)
        return move_version(
            tx, model, found, target, actor=actor, reason=reason, grounds=grounds, facts=facts
        )

    return client.transact(work)


def _archive_others(
    tx: Transaction,
    model: RegisteredModel,
    found: ModelVersion,
    stage: str,
    *,
    actor: str,
    reason: str,
    facts: Mapping[str, object],
) -> None:
    """Move the other versions in a stage to where versions go that have to leave."""
    away = model.stages.displaced_to
    if stage in (away, model.stages.stages[0]):
        raise InvalidInput(
            "archive_others", stage, "versions leave a stage that is in use, not this one."
        )
    if stage == model.stages.exclusive:
        return
    told = {key: value for key, value in facts.items() if key != "intent"}
    for other in tx.registry.list_versions(model.name, stage=stage):
        edge = find_edge(model, other, away)
        grounds = examine(tx, model, other, edge, reason=reason)
        if grounds.reasons:
            raise PromotionRefused(other.name, other.version, away, grounds.reasons, grounds.hint)
        move_version(
            tx,
            model,
            other,
            away,
            actor=actor,
            reason=reason,
            grounds=grounds,
            facts={**told, "displaced_by": found.version},
        )


def archive(
    client: TrackingClient,
    name: str,
    version: int,
    *,
    actor: str,
    reason: str = "",
    expected_current: Expected = UNSET,
) -> Transition:
    """Take a version out of use: to where versions go that have to leave the live stage.

    See :func:`promote`.
    """
    with client.store.transaction() as tx:
        stage = tx.registry.stage_graph(name).displaced_to
    return promote(
        client,
        name,
        version,
        stage,
        actor=actor,
        reason=reason,
        expected_current=expected_current,
    )


def missing_for(client: TrackingClient, name: str, version: int, stage: str) -> tuple[str, ...]:
    """Return what a version lacks for a stage, by its records; its bytes are not read.

    A reason is taken as given.

    :return: one sentence for each thing; empty when the move would happen.
    :raises NotFound: when there is no such model or version.
    :raises InvalidInput: when the model has no such stage.
    """
    with client.store.transaction() as tx:
        return missing_in(tx, name, version, stage)


def missing_in(tx: Transaction, name: str, version: int, stage: str) -> tuple[str, ...]:
    """Return what :func:`missing_for` does, in a transaction that is open."""
    model, found = tx.registry.get_model(name), tx.registry.get_version(name, version)
    target = model.stages.canonical(stage)
    if found.stage == target:
        return ()
    try:
        edge = find_edge(model, found, target)
    except PromotionRefused as refusal:
        return refusal.reasons
    return examine(tx, model, found, edge, reason="given").reasons


def live_version(
    client: TrackingClient, name: str, stage: str | None = None
) -> ModelVersion | None:
    """Return the version that stands in a stage now, None when none does.

    :param stage: None means the model's live (exclusive) stage.
    :raises NotFound: when there is no such model.
    """
    with client.store.transaction() as tx:
        return tx.registry.holder(name, stage)


def _damage(client: TrackingClient, name: str, version: int, stage: str) -> list[str] | None:
    """Read the package where a verdict is to speak of it, before the model is locked; else None."""

    def look(tx: Transaction) -> ModelVersion | None:
        model = tx.registry.get_model(name)
        found = tx.registry.get_version(name, version)
        target = model.stages.canonical(stage)
        return found if asks_for_verdict(model, found.stage, target) else None

    found = client.transact(look)
    return None if found is None else check_package(client, found)


def _check_verdict_is_of(tx: Transaction, found: ModelVersion, verdict_id: str | None) -> None:
    """Refuse a verdict about something else."""
    if verdict_id is None:
        return
    verdict = tx.verdicts.get(verdict_id)
    if (verdict.name, verdict.version) != (found.name, found.version):
        raise NotFound(
            "verdict",
            verdict_id,
            f"It judges {verdict.name}/{verdict.version}, not {found.name}/{found.version}.",
        )
