"""Random sequences of registry operations against the rules in plain Python."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from airflow_mltrack.exceptions import MltrackError
from airflow_mltrack.lifecycle.approval import approve, request_approval
from airflow_mltrack.lifecycle.audit import list_history, verify_history
from airflow_mltrack.lifecycle.holders import replay
from airflow_mltrack.lifecycle.promotion import live_version, promote
from airflow_mltrack.lifecycle.registration import (
    create_model,
    delete_alias,
    delete_version,
    register_model,
    set_alias,
    set_policy,
)
from airflow_mltrack.lifecycle.rollback import rollback, rollback_target
from airflow_mltrack.lifecycle.transitions import UNSET
from airflow_mltrack.tracking.client import TrackingClient
from tests.lifecycle.conftest import POLICY, log_package, write_verdict
from tests.lifecycle.registry_model import AUTHOR, LIVE, STAGES, Error, Rules

Step = tuple[object, ...]
Work = Callable[[], object]

VERSION = st.sampled_from([1, 2, 3, 1, 2, 3, 4])
PERSON = st.sampled_from(["bob", "eve", "rita", AUTHOR])
STAGE = st.sampled_from([*STAGES, LIVE, LIVE])
EXPECTED = st.sampled_from(["any", "any", "any", None, 1, 2, 3])
# Steps that seldom follow one another by chance stand together, and more than once.
STEP = st.one_of(
    st.tuples(st.just("release"), VERSION),
    st.tuples(st.just("rollback"), st.none() | VERSION, st.booleans()),
    st.tuples(st.just("release"), VERSION),
    st.tuples(st.just("return_to"), VERSION),
    st.tuples(st.just("promote"), VERSION, STAGE, EXPECTED, st.booleans()),
    st.tuples(st.just("register")),
    st.tuples(st.just("judge"), VERSION, st.sampled_from([True, True, True, False])),
    st.tuples(st.just("request"), VERSION, PERSON),
    st.tuples(st.just("answer"), VERSION, PERSON, st.sampled_from([True, True, False])),
    st.tuples(st.just("alias"), VERSION, st.sampled_from(["champion", "next"])),
    st.tuples(st.just("delete_alias"), st.sampled_from(["champion", "next"])),
    st.tuples(st.just("delete"), st.sampled_from([4, 4, 4, 1, 2])),
    st.tuples(st.just("policy"), st.booleans(), st.booleans()),
)


def by_the_book(number: object) -> list[Step]:
    """Give the steps that take a version of a gated model live."""
    return [
        ("promote", number, "Staging", "any", False),
        ("judge", number, True),
        ("answer", number, "bob", True),
        ("promote", number, LIVE, "any", True),
    ]


def back_by_the_book(number: object) -> list[Step]:
    """Give the steps that take a former holder of a gated model live again."""
    return [
        ("judge", number, True),
        ("answer", number, "eve", True),
        ("rollback", number, False),
        ("rollback", None, True),
    ]


@dataclass
class Pair:
    """The registry, and the rules that it is compared with after every step."""

    client: TrackingClient
    name: str = field(default_factory=lambda: uuid.uuid4().hex)
    rules: Rules = field(default_factory=Rules)

    def same(self, error: Error | None, work: Work) -> None:
        """Do the work; it must be refused as the rules have refused it, or succeed."""
        if error is None:
            work()
            return
        with pytest.raises(MltrackError) as caught:
            work()
        assert type(caught.value) is error, str(caught.value)

    def take(self, kind: str, *values: object) -> None:
        getattr(self, f"_{kind}")(*values)

    def _register(self) -> None:
        self.rules.register()
        uri = f"models:/{log_package(self.client).model_id}"
        version = register_model(self.client, self.name, uri, actor=AUTHOR)
        assert version.version == self.rules.last

    def _judge(self, number: int, passed: bool) -> None:
        if number in self.rules.versions:
            with self.client.store.transaction() as tx:
                found = tx.registry.get_version(self.name, number)
            write_verdict(self.client, found, passed=passed)
        self.rules.judge(number, passed=passed)

    def _request(self, number: int, person: str) -> None:
        self.same(
            self.rules.request(number, person),
            lambda: request_approval(self.client, self.name, number, LIVE, actor=person),
        )

    def _answer(self, number: int, person: str, yes: bool) -> None:
        said = "approved" if yes else "rejected"
        self.same(
            self.rules.answer(number, person, yes=yes),
            lambda: approve(
                self.client, self.name, number, LIVE, approver=person, reason="r", decision=said
            ),
        )

    def _promote(self, number: int, stage: str, expected: object, reason: bool) -> None:
        before = self.rules.stages.get(number)
        error = self.rules.promotion(number, stage, expected, reason=reason)

        def work() -> None:
            done = promote(
                self.client,
                self.name,
                number,
                stage,
                actor="a",
                reason="r" if reason else "",
                expected_current=UNSET if expected == "any" else expected,  # type: ignore[arg-type]
            )
            assert done.changed is (before != stage)

        self.same(error, work)

    def _rollback(self, to: int | None, emergency: bool) -> None:
        target = rollback_target(self.client, self.name)
        assert (None if target is None else target.version) == self.rules.previous
        self.same(
            self.rules.rollback(to, emergency=emergency),
            lambda: rollback(
                self.client, self.name, actor="a", reason="r", to_version=to, emergency=emergency
            ),
        )

    def _alias(self, number: int, alias: str) -> None:
        self.same(
            self.rules.alias(alias, number),
            lambda: set_alias(self.client, self.name, alias, number, actor="a"),
        )

    def _delete_alias(self, alias: str) -> None:
        before = self.rules.aliases.pop(alias, None)
        assert delete_alias(self.client, self.name, alias, actor="a") == before

    def _delete(self, number: int) -> None:
        self.same(
            self.rules.delete(number),
            lambda: delete_version(self.client, self.name, number, actor="a"),
        )

    def _policy(self, gated: bool, gates: bool) -> None:
        self.rules.gated, self.rules.gates = gated, gates
        stages = "gated" if gated else "open"
        set_policy(self.client, self.name, actor="a", gates=POLICY if gates else {}, stages=stages)

    def _release(self, number: int) -> None:
        for kind, *values in by_the_book(number):
            self.take(str(kind), *values)

    def _return_to(self, number: int) -> None:
        for kind, *values in back_by_the_book(number):
            self.take(str(kind), *values)

    def assert_same(self) -> int:
        """Compare what is live; return how long the history is."""
        live = live_version(self.client, self.name)
        assert (None if live is None else live.version) == self.rules.live
        return len(list_history(self.client, self.name))


@given(steps=st.lists(STEP, min_size=12, max_size=30), gated=st.sampled_from([True, True, False]))
@hypothesis_settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_every_door_says_yes_and_no_where_the_rules_do(
    client: TrackingClient, monkeypatch: pytest.MonkeyPatch, steps: Sequence[Step], gated: bool
) -> None:
    # These packages hold no model that could be loaded; going back to real ones has its own tests.
    monkeypatch.setattr("airflow_mltrack.lifecycle.rollback.check_loads", lambda *_, **__: None)
    pair = Pair(client)
    create_model(client, pair.name, actor=AUTHOR)
    pair.take("policy", gated, gated)
    for _ in range(3):
        pair.take("register")
    lived = {pair.assert_same(): pair.rules.live}
    for kind, *values in steps:
        pair.take(str(kind), *values)
        lived[pair.assert_same()] = pair.rules.live
    assert_records_are_right(client, pair)
    events = list_history(client, pair.name)
    for length, live in lived.items():
        assert replay(events[:length]).holder == live


def assert_records_are_right(client: TrackingClient, pair: Pair) -> None:
    """Compare records, rules and history with one another."""
    with client.store.transaction() as tx:
        found = {version.version: version.stage for version in tx.registry.list_versions(pair.name)}
        model = tx.registry.get_model(pair.name)
    assert found == pair.rules.stages
    assert list(found.values()).count(LIVE) <= 1
    assert model.aliases == pair.rules.aliases
    standing = replay(list_history(client, pair.name))
    assert (standing.stages, standing.aliases) == (found, model.aliases)
    assert verify_history(client, pair.name).findings == ()
