"""Random sequences of registry operations against the rules in plain Python."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from airflow_mltrack.exceptions import Conflict, NotFound, PromotionRefused
from airflow_mltrack.lifecycle.promotion import (
    UNSET,
    list_history,
    live_version,
    promote,
    verify_history,
)
from airflow_mltrack.lifecycle.registration import delete_version, set_policy
from airflow_mltrack.tracking.client import TrackingClient
from tests.lifecycle.conftest import POLICY, AddVerdict, AddVersion


@dataclass
class Rules:
    """What a gated model allows."""

    stages: dict[int, str] = field(default_factory=dict)
    verdicts: dict[int, tuple[bool, int | None]] = field(default_factory=dict)
    """Version to (passed, champion it was compared with), the latest one."""
    last: int = 0

    @property
    def live(self) -> int | None:
        return next((v for v, stage in self.stages.items() if stage == "Production"), None)

    def register(self) -> None:
        self.last += 1
        self.stages[self.last] = "None"

    def judge(self, version: int, *, passed: bool) -> None:
        if version in self.stages:
            self.verdicts[version] = (passed, self.live)

    def promotion_error(self, version: int, stage: str, expected: object) -> type[Exception] | None:
        if version not in self.stages:
            return NotFound
        if self.stages[version] == stage:
            return None
        if expected is not UNSET and expected != self.live:
            return Conflict
        opened = self.verdicts.get(version) == (True, self.live)
        return PromotionRefused if stage == "Production" and not opened else None

    def promote(self, version: int, stage: str) -> None:
        if self.stages[version] != stage and stage == "Production" and self.live is not None:
            self.stages[self.live] = "Archived"
        self.stages[version] = stage

    def deletion_error(self, version: int) -> type[Exception] | None:
        if version not in self.stages:
            return NotFound
        return Conflict if self.live == version else None


VERSION = st.integers(1, 4)
STAGE = st.sampled_from(["None", "Staging", "Production", "Production", "Production", "Archived"])
STEP = st.one_of(
    st.tuples(st.just("register")),
    st.tuples(st.just("judge"), VERSION, st.sampled_from([True, True, True, False])),
    st.tuples(st.just("promote"), VERSION, STAGE, st.just(UNSET) | st.none() | VERSION),
    st.tuples(st.just("promote"), VERSION, STAGE, st.just(UNSET)),
    st.tuples(st.just("delete"), VERSION),
)


@given(steps=st.lists(STEP, min_size=8, max_size=25))
@hypothesis_settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_every_door_says_yes_and_no_where_the_rules_do(
    client: TrackingClient,
    add_version: AddVersion,
    add_verdict: AddVerdict,
    steps: list[tuple[object, ...]],
) -> None:
    rules, name = Rules(), uuid.uuid4().hex
    add_version(name)
    set_policy(client, name, actor="ada", gates=POLICY)
    rules.register()
    for kind, *given_values in steps:
        take(client, rules, name, str(kind), given_values, add_version, add_verdict)
        live = live_version(client, name)
        assert (None if live is None else live.version) == rules.live
    with client.store.transaction() as tx:
        found = {version.version: version.stage for version in tx.registry.list_versions(name)}
    assert found == rules.stages
    assert verify_history(client, name) is None
    assert replayed(client, name) == rules.stages


def take(
    client: TrackingClient,
    rules: Rules,
    name: str,
    kind: str,
    values: list[object],
    add_version: AddVersion,
    add_verdict: AddVerdict,
) -> None:
    """Do one step in the registry and by the rules, and compare the answers."""
    if kind == "register":
        rules.register()
        assert add_version(name).version == rules.last
        return
    version = values[0]
    assert isinstance(version, int)
    if kind == "judge":
        if version in rules.stages:
            with client.store.transaction() as tx:
                found = tx.registry.get_version(name, version)
            add_verdict(found, passed=values[1])
        rules.judge(version, passed=bool(values[1]))
    elif kind == "delete":
        error = rules.deletion_error(version)
        if error is None:
            delete_version(client, name, version, actor="ada")
            del rules.stages[version]
        else:
            with pytest.raises(error):
                delete_version(client, name, version, actor="ada")
    else:
        take_promotion(client, rules, name, version, str(values[1]), values[2])


def take_promotion(
    client: TrackingClient, rules: Rules, name: str, version: int, stage: str, expected: object
) -> None:
    error = rules.promotion_error(version, stage, expected)
    if error is None:
        done = promote(client, name, version, stage, actor="a", expected_current=expected)  # type: ignore[arg-type]
        assert done.changed is (rules.stages[version] != stage)
        rules.promote(version, stage)
    else:
        with pytest.raises(error):
            promote(client, name, version, stage, actor="a", expected_current=expected)  # type: ignore[arg-type]


def replayed(client: TrackingClient, name: str) -> dict[int, str]:
    """Work out from the history alone where every version stands; new ones stand nowhere."""
    with client.store.transaction() as tx:
        found = {version.version: "None" for version in tx.registry.list_versions(name)}
    for item in list_history(client, name):
        if item.kind == "transition" and item.version in found:
            found[item.version] = str(item.payload["to"])
    return found
