"""Move model versions between stages. The one place where that is decided, whichever door asks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Literal

from airflow_mltrack.entities.history import HistoryEvent
from airflow_mltrack.entities.models import LoggedModelStatus
from airflow_mltrack.entities.registry import ModelVersion, RegisteredModel, Stage
from airflow_mltrack.entities.verdicts import Verdict
from airflow_mltrack.exceptions import Conflict, NotFound, PromotionRefused
from airflow_mltrack.lifecycle.policy import policy_digest
from airflow_mltrack.store.registry import canonical_stage

if TYPE_CHECKING:
    from airflow_mltrack.store.tracking_store import Transaction
    from airflow_mltrack.tracking.client import TrackingClient

PRODUCTION = Stage.PRODUCTION.value
_NEEDS_PACKAGE = (Stage.STAGING.value, PRODUCTION)


class Unset(Enum):
    """The type of :data:`UNSET`."""

    UNSET = "unset"


UNSET: Literal[Unset.UNSET] = Unset.UNSET
"""No expectation about the version now live; None means that none is."""


@dataclass(frozen=True, slots=True)
class Promotion:
    """What a promotion did, or found done."""

    version: ModelVersion
    """As it stands now."""
    previous: ModelVersion | None
    """The version that had to leave Production for it, as it stood before; None when none did."""
    event: HistoryEvent | None
    """The transition in the history; None when the version stood there from the start."""
    changed: bool
    """False when the version stood there already: nothing was moved or recorded."""


def promote(
    client: TrackingClient,
    name: str,
    version: int,
    stage: str,
    *,
    actor: str,
    reason: str = "",
    expected_current: int | Literal[Unset.UNSET] | None = UNSET,
    verdict_id: str | None = None,
    details: Mapping[str, object] | None = None,
) -> Promotion:
    """Put a version into a stage, in one transaction: all of it happens or nothing.

    Promotions of one model take turns. Production has one holder: the old one is archived. A model
    with gates, or that requires a verdict, lets only a version into Production whose latest verdict
    passed, has not expired, and was made for this package, the model's policy and the version that
    is live now. Repeating a promotion returns the first one's result and records nothing. It waits
    for a database that has gone away.

    :param version: number of the version.
    :param stage: ``None``, ``Staging``, ``Production`` or ``Archived``, in any case.
    :param actor: who does it.
    :param reason: why, for the history.
    :param expected_current: number of the version that the caller believes to be in Production,
        None for nobody; something else there is a conflict. Left out, anything may be there.
    :param verdict_id: the verdict that the caller relies on; must be the version's latest one, and
        must open Production also where the model asks for none.
    :param details: JSON-able facts for the history, for example Dag and Dag run.
    :raises NotFound: when there is no such model, version or verdict.
    :raises InvalidInput: when there is no such stage.
    :raises Conflict: when another version than ``expected_current`` is live.
    :raises PromotionRefused: holds everything that is missing.
    """
    stage = canonical_stage(stage)

    def work(tx: Transaction) -> Promotion:
        model = tx.registry.lock(name)
        found = tx.registry.get_version(name, version)
        if found.stage == stage:
            return _repeated(tx, found)
        live = tx.registry.holder(name)
        _check_expected(name, live, expected_current)
        verdict = _verdict(tx, found, verdict_id)
        _check_rules(tx, model, found, stage, live=live, verdict=verdict, verdict_id=verdict_id)
        leaving = live if stage == PRODUCTION else None
        facts: dict[str, object] = {
            "reason": reason,
            "digest": found.digest,
            "verdict_id": None if verdict is None else verdict.verdict_id,
            "details": dict(details or {}),
        }
        if leaving is not None:
            displaced = {**facts, "digest": leaving.digest, "verdict_id": None}
            displaced["displaced_by"] = version
            _move(tx, leaving, Stage.ARCHIVED.value, actor, displaced)
        facts["previous"] = None if leaving is None else leaving.version
        event = _move(tx, found, stage, actor, facts)
        return Promotion(tx.registry.get_version(name, version), leaving, event, changed=True)

    return client.transact(work)


def archive(
    client: TrackingClient,
    name: str,
    version: int,
    *,
    actor: str,
    reason: str = "",
    expected_current: int | Literal[Unset.UNSET] | None = UNSET,
) -> Promotion:
    """Take a version out of use; see :func:`promote`."""
    return promote(
        client,
        name,
        version,
        Stage.ARCHIVED.value,
        actor=actor,
        reason=reason,
        expected_current=expected_current,
    )


def live_version(client: TrackingClient, name: str, stage: str = PRODUCTION) -> ModelVersion | None:
    """Return the version that stands in a stage now, None when none does.

    :raises NotFound: when there is no such model.
    """
    with client.store.transaction() as tx:
        return tx.registry.holder(name, stage)


def list_history(
    client: TrackingClient, name: str, *, version: int | None = None
) -> list[HistoryEvent]:
    """Return what happened to a model, oldest first. The history outlives the model.

    :raises NotFound: when nothing ever had this name.
    """
    with client.store.transaction() as tx:
        events = tx.history.list(name, version=version)
        if not events and tx.history.head(name) is None:
            tx.registry.get_model(name)
        return events


def verify_history(client: TrackingClient, name: str) -> int | None:
    """Walk a model's hash chain; return the id of the first broken event, None when it is whole.

    :raises NotFound: when nothing ever had this name.
    """
    with client.store.transaction() as tx:
        if tx.history.head(name) is None:
            tx.registry.get_model(name)
        return tx.history.verify(name)


def _repeated(tx: Transaction, found: ModelVersion) -> Promotion:
    """Answer with what was done when the version came to where it stands."""
    events = tx.history.list(found.name, version=found.version, kinds=("transition",))
    event = next((item for item in reversed(events) if item.payload["to"] == found.stage), None)
    return Promotion(found, None, event, changed=False)


def _check_expected(
    name: str, live: ModelVersion | None, expected: int | Literal[Unset.UNSET] | None
) -> None:
    current = None if live is None else live.version
    if expected is not UNSET and expected != current:
        raise Conflict(
            "registered model",
            name,
            f"expected {_named(expected)} in Production, found {_named(current)}.",
            "Look at what changed, then decide again: mltrack models history " + name,
        )


def _verdict(tx: Transaction, found: ModelVersion, verdict_id: str | None) -> Verdict | None:
    """Return the version's latest verdict; refuse a foreign ``verdict_id``."""
    if verdict_id is not None:
        named = tx.verdicts.get(verdict_id)
        if (named.name, named.version) != (found.name, found.version):
            raise NotFound(
                "verdict",
                verdict_id,
                f"It judges {named.name}/{named.version}, not {found.name}/{found.version}.",
            )
    return tx.verdicts.latest(found.name, found.version)


def _check_rules(
    tx: Transaction,
    model: RegisteredModel,
    found: ModelVersion,
    stage: str,
    *,
    live: ModelVersion | None,
    verdict: Verdict | None,
    verdict_id: str | None,
) -> None:
    """Refuse with everything that is missing, not only the first thing."""
    reasons = _package_reasons(tx, found) if stage in _NEEDS_PACKAGE else []
    hint = "Log and register the model again." if reasons else ""
    if stage == PRODUCTION and (model.requires_verdict or model.gates or verdict_id is not None):
        missing = _verdict_reasons(tx, model, found, live, verdict)
        if verdict is not None and verdict_id not in (None, verdict.verdict_id):
            missing.append(f"verdict {verdict_id} was followed by {verdict.verdict_id}")
        if missing and not hint:
            hint = (
                "Judge it again, then promote: ValidateModelOperator, or in Python "
                f"validate_version(client, {found.name!r}, {found.version}, actor=...)"
            )
        reasons += missing
    if reasons:
        raise PromotionRefused(found.name, found.version, stage, reasons, hint)


def _package_reasons(tx: Transaction, found: ModelVersion) -> list[str]:
    reasons = []
    if found.status != "READY":
        reasons.append(f"the version is {found.status}, not READY")
    if found.model_id is not None:
        logged = tx.models.get(found.model_id)
        if logged.status is not LoggedModelStatus.READY:
            reasons.append(f"its package {logged.model_id} is {logged.status.value}, not READY")
        elif logged.digest != found.digest:
            reasons.append(f"its package has digest {logged.digest}, {found.digest} was registered")
    return reasons


def _verdict_reasons(
    tx: Transaction,
    model: RegisteredModel,
    found: ModelVersion,
    live: ModelVersion | None,
    verdict: Verdict | None,
) -> list[str]:
    """Say why the verdict does not open Production; an empty list opens it."""
    if verdict is None:
        return ["no verdict exists for this version"]
    reasons = [] if verdict.passed else [_failed(verdict)]
    if verdict.valid_until is not None and verdict.valid_until <= tx.now():
        reasons.append(f"its verdict expired at {verdict.valid_until:%Y-%m-%d %H:%M} UTC")
    if verdict.package_digest != found.digest:
        reasons.append(
            f"its verdict was made for package {verdict.package_digest}, this is {found.digest}"
        )
    if model.gates and verdict.policy_digest != policy_digest(model.gates):
        reasons.append("its verdict was made under another policy than the model's gates of today")
    champion = None if live is None else live.version
    if verdict.champion_version != champion:
        reasons.append(
            f"its verdict was made when {_named(verdict.champion_version)} was in Production, "
            f"now it is {_named(champion)}"
        )
    return reasons


def _failed(verdict: Verdict) -> str:
    failed = "; ".join(check.message or check.name for check in verdict.checks if not check.passed)
    return f"verdict {verdict.verdict_id} did not pass: {failed}"


def _move(
    tx: Transaction, found: ModelVersion, stage: str, actor: str, facts: Mapping[str, object]
) -> HistoryEvent:
    """Change the stage and record it."""
    tx.registry.move(found.name, found.version, stage)
    return tx.history.append(
        name=found.name,
        version=found.version,
        kind="transition",
        actor=actor,
        payload={"from": found.stage, "to": stage, **facts},
    )


def _named(version: int | None) -> str:
    return "no version" if version is None else f"version {version}"
