"""Go back: put a version that was live before into the live stage again, in one step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from airflow_mltrack.exceptions import (
    ArtifactCorrupt,
    Conflict,
    InvalidInput,
    ModelPackageError,
    NotFound,
    PromotionRefused,
)
from airflow_mltrack.lifecycle.holders import ROLLBACK, ever_live, past_holders
from airflow_mltrack.lifecycle.package_check import check_loads
from airflow_mltrack.lifecycle.stage_rules import Grounds, examine, named, rollback_edge
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


def rollback(
    client: TrackingClient,
    name: str,
    *,
    actor: str,
    reason: str,
    to_version: int | None = None,
    emergency: bool = False,
    expected_current: Expected = UNSET,
    intent: str | None = None,
    check_environment: str = "warn",
    allow_pickle: bool = False,
    details: Mapping[str, object] | None = None,
) -> Transition:
    """Put the version that was live before the present one, or a named one, back into place.

    Its package is loaded first: bytes that are gone or changed, or a package that does not load
    here, stop it. Going back asks for what going live asks for: where that is a verdict and
    approvals, the older version needs them against the one that is live now. An emergency needs
    none of them, and the history says that it was one. Going back twice goes two steps.

    :param actor: who does it.
    :param reason: why; not empty.
    :param to_version: a version that was live at some time; None means the one before.
    :param emergency: go back without verdict and approvals.
    :param expected_current: see :func:`~airflow_mltrack.lifecycle.promotion.promote`.
    :param intent: see :func:`~airflow_mltrack.lifecycle.promotion.promote`; must name the decision
        to go back, not the version.
    :param check_environment: what to do where the package was made with other libraries than those
        here: ``error``, ``warn`` or ``ignore``.
    :param allow_pickle: let a pickle be loaded, which runs its author's code.
    :param details: JSON-able facts for the history, for example Dag and Dag run.
    :raises InvalidInput: when the reason is empty.
    :raises NotFound: when there is no such model or version, or nothing to go back to.
    :raises Conflict: when another version than ``expected_current`` is live, or the live version
        changed in the meantime.
    :raises PromotionRefused: when the version was never live, its package is not what it was, or
        with everything else that is missing.
    """
    if not reason.strip():
        raise InvalidInput("reason", reason, "going back needs one.", "Say why, for the history.")
    done, live, target, goal = client.transact(
        lambda tx: _look(tx, name, to_version, expected_current, intent)
    )
    if done is not None:
        return done
    _check_package(
        client, target, goal, check_environment=check_environment, allow_pickle=allow_pickle
    )
    facts: dict[str, object] = {
        "via": ROLLBACK,
        "emergency": emergency,
        "details": dict(details or {}),
    }
    if intent is not None:
        facts["intent"] = intent

    def work(tx: Transaction) -> Transition:
        model = tx.registry.lock(name)
        before = done_before(tx, model, target.version, goal, via=ROLLBACK, intent=intent)
        if before is not None:
            return before
        check_expected(model, tx.registry.holder(name), live)
        found = tx.registry.get_version(name, target.version)
        grounds = _grounds(tx, model, found, reason, emergency=emergency)
        return move_version(
            tx, model, found, goal, actor=actor, reason=reason, grounds=grounds, facts=facts
        )

    return client.transact(work)


def rollback_target(client: TrackingClient, name: str) -> ModelVersion | None:
    """Return the version that going back would bring, None when there is none.

    :raises NotFound: when there is no such model.
    """
    with client.store.transaction() as tx:
        return _previous(tx, tx.registry.get_model(name), tx.registry.holder(name))


def _look(
    tx: Transaction,
    name: str,
    to_version: int | None,
    expected: Expected,
    intent: str | None,
) -> tuple[Transition | None, int | None, ModelVersion, str]:
    """Return what an earlier call did, what is live, what to go back to, and the live stage."""
    model = tx.registry.lock(name)
    goal = model.stages.exclusive
    if intent is not None and (event := tx.history.with_intent(name, intent)) is not None:
        moved = event.version if to_version is None else to_version
        assert moved is not None  # noqa: S101 - transitions have one; for the type checker
        done = done_before(tx, model, moved, goal, via=ROLLBACK, intent=intent)
        return done, None, tx.registry.get_version(name, moved), goal
    live = tx.registry.holder(name)
    check_expected(model, live, expected)
    target = _target(tx, model, live, to_version)
    if live is not None and target.version == live.version:
        raise Conflict("model version", f"{name}/{target.version}", "it is live already.")
    return None, None if live is None else live.version, target, goal


def _target(
    tx: Transaction, model: RegisteredModel, live: ModelVersion | None, to_version: int | None
) -> ModelVersion:
    """Return the version to go back to: the one before, or a named one that was live once."""
    name, goal = model.name, model.stages.exclusive
    if to_version is None:
        target = _previous(tx, model, live)
        if target is None:
            before = "" if live is None else f" before {named(live.version)}"
            raise NotFound("earlier version", name, f"Nothing was in {goal}{before}.")
        return target
    target = tx.registry.get_version(name, to_version)
    if to_version not in ever_live(tx, model):
        raise PromotionRefused(
            name,
            to_version,
            goal,
            ["it was never there, so there is no going back to it"],
            f"Promote it: mltrack models promote {name} {to_version} {goal}",
        )
    return target


def _previous(
    tx: Transaction, model: RegisteredModel, live: ModelVersion | None
) -> ModelVersion | None:
    stack = past_holders(tx, model)
    while stack and live is not None and stack[-1] == live.version:
        stack.pop()
    return tx.registry.get_version(model.name, stack[-1]) if stack else None


def _check_package(
    client: TrackingClient,
    target: ModelVersion,
    goal: str,
    *,
    check_environment: str,
    allow_pickle: bool,
) -> None:
    """Refuse to go back to what cannot be served."""
    try:
        check_loads(client, target, check_environment=check_environment, allow_pickle=allow_pickle)
    except (ArtifactCorrupt, NotFound, ModelPackageError) as error:
        # Without the hint of a missing file: it names the place, which web clients do not learn.
        said = str(error).removesuffix(getattr(error, "hint", "")).rstrip()
        raise PromotionRefused(
            target.name,
            target.version,
            goal,
            [f"its package cannot be used: {said}"],
            "Restore it from a backup, or go back further: --to VERSION",
        ) from error


def _grounds(
    tx: Transaction,
    model: RegisteredModel,
    found: ModelVersion,
    reason: str,
    *,
    emergency: bool,
) -> Grounds:
    if emergency:
        return Grounds(verdict=None)
    grounds = examine(tx, model, found, rollback_edge(model, found), reason=reason)
    if grounds.reasons:
        hint = f"{grounds.hint}\nIn an emergency go back without: --emergency".strip()
        raise PromotionRefused(
            found.name, found.version, model.stages.exclusive, grounds.reasons, hint
        )
    return grounds
