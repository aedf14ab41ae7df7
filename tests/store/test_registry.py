"""The registry in real Postgres: names, versions, stages, aliases, tags."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from airflow_mltrack.entities.registry import ModelVersion, RegisteredModel, Stage
from airflow_mltrack.entities.stages import GATED, OPEN, StageEdge, StageGraph
from airflow_mltrack.exceptions import Conflict, InvalidInput, NotFound
from airflow_mltrack.store.tracking_store import TrackingStore, Transaction

LADDER = StageGraph(
    stages=("New", "Live", "Gone"),
    exclusive="Live",
    displaced_to="Gone",
    edges=(StageEdge("New", "Live"), StageEdge("Live", "Gone")),
)
"""Own names, and nothing asked for."""


@pytest.fixture
def tx(store: TrackingStore) -> Iterator[Transaction]:
    with store.transaction() as transaction:
        yield transaction


def logged_model(tx: Transaction, digest: str = "d" * 64) -> str:
    experiment = tx.experiments.ensure("credit")
    model = tx.models.create(experiment_id=experiment.experiment_id, name="model")
    return tx.models.finalize(model.model_id, digest=digest, size=1, manifest={}).model_id


def add(tx: Transaction, name: str = "credit") -> ModelVersion:
    tx.registry.create_model(name, exist_ok=True)
    return tx.registry.create_version(name, source="models:/m-any")


def move(tx: Transaction, version: int, stage: str, name: str = "credit") -> ModelVersion:
    """Move a version and tell the history, as the database asks at the end of the transaction."""
    moved = tx.registry.move(name, version, stage)
    tx.history.append(
        name=name, version=version, kind="transition", actor="ada", payload={"to": moved.stage}
    )
    return moved


def set_rules(
    tx: Transaction, gates: Mapping[str, object], stages: StageGraph, name: str = "credit"
) -> RegisteredModel:
    """Change the rules and tell the history, as the database asks at the end."""
    changed = tx.registry.set_policy(name, gates=gates, stages=stages)
    tell_rules(tx, changed, "policy")
    return changed


def tell_rules(tx: Transaction, model: RegisteredModel, kind: str) -> None:
    rules = {"gates": model.gates, "stages": model.stages.to_json()}
    payload = {"to": rules} if kind == "policy" else rules
    tx.history.append(name=model.name, version=None, kind=kind, actor="ada", payload=payload)


def test_a_model_comes_back_as_it_was_made(tx: Transaction) -> None:
    made = tx.registry.create_model("crédit risk", description="PD", tags={"team": "risk"})
    assert (made.name, made.description, made.tags) == ("crédit risk", "PD", {"team": "risk"})
    assert (made.gates, made.stages, made.aliases) == ({}, OPEN, {})
    assert tx.registry.get_model("crédit risk") == made
    assert tx.registry.list_models() == [made]


def test_a_name_is_taken_once(tx: Transaction) -> None:
    made = tx.registry.create_model("credit", description="first")
    with pytest.raises(Conflict, match="credit"):
        tx.registry.create_model("credit")
    assert tx.registry.create_model("credit", description="second", exist_ok=True) == made


@pytest.mark.parametrize("name", ["", "   ", "a/b", "a:b", "a\tb", "a\x00b", "x" * 251])
def test_a_name_that_cannot_stand_in_a_uri_is_refused(tx: Transaction, name: str) -> None:
    with pytest.raises(InvalidInput, match="registered model name"):
        tx.registry.create_model(name)


def test_versions_count_from_one_and_are_never_given_twice(tx: Transaction) -> None:
    assert [add(tx).version for _ in range(3)] == [1, 2, 3]
    tx.registry.delete_version("credit", 3)
    assert add(tx).version == 4
    tx.registry.delete_model("credit")
    assert add(tx).version == 5
    assert [version.version for version in tx.registry.list_versions("credit")] == [5]


def test_the_same_logged_model_is_registered_once(tx: Transaction) -> None:
    model_id = logged_model(tx)
    tx.registry.create_model("credit")
    source = f"models:/{model_id}"
    first = tx.registry.create_version("credit", source=source, model_id=model_id, tags={"a": "b"})
    again = tx.registry.create_version("credit", source=source, model_id=model_id, user="other")
    assert again == first
    assert first.model_id == model_id
    other = tx.registry.create_version("credit", source=source, model_id=model_id, reuse=False)
    assert other.version == 2
    found = tx.registry.versions_of(model_id=model_id)
    assert [version.version for version in found] == [2, 1]


def test_versions_of_a_run_are_found_under_every_name(tx: Transaction) -> None:
    for name in ("a", "b"):
        tx.registry.create_model(name)
        tx.registry.create_version(name, source="x", run_id="r1")
    assert [version.name for version in tx.registry.versions_of(run_id="r1")] == ["a", "b"]
    tx.registry.delete_model("a")
    assert [version.name for version in tx.registry.versions_of(run_id="r1")] == ["b"]
    with pytest.raises(InvalidInput, match="model_id or a run_id"):
        tx.registry.versions_of()


def test_a_deleted_version_is_gone_with_its_aliases(tx: Transaction) -> None:
    add(tx)
    tx.registry.set_alias("credit", "champion", 1)
    tx.registry.set_version_tags("credit", 1, {"a": "b"})
    tx.registry.delete_version("credit", 1)
    with pytest.raises(NotFound, match="credit/1"):
        tx.registry.get_version("credit", 1)
    with pytest.raises(NotFound, match="credit@champion"):
        tx.registry.get_by_alias("credit", "champion")
    with pytest.raises(NotFound):
        tx.registry.delete_version("credit", 1)
    assert tx.registry.latest_version("credit") is None


def test_a_model_made_again_remembers_nothing_but_its_numbers(tx: Transaction) -> None:
    tx.registry.create_model("credit", description="old", tags={"a": "b"}, stages=LADDER)
    add(tx)
    tx.registry.set_alias("credit", "champion", 1)
    tx.registry.delete_model("credit")
    with pytest.raises(NotFound, match="credit"):
        tx.registry.get_model("credit")
    assert tx.registry.list_models() == []
    fresh = tx.registry.create_model("credit")
    tell_rules(tx, fresh, "created")
    assert (fresh.description, fresh.tags, fresh.aliases) == ("", {}, {})
    assert (fresh.gates, fresh.stages) == ({}, OPEN)


GATES = {"checks": [{"metric": "auc", "min": 0.7}]}


@pytest.mark.parametrize(
    ("gates", "stages", "default", "expected"),
    [
        ({}, GATED, OPEN, GATED),
        ({}, GATED, LADDER, GATED),
        (GATES, GATED, OPEN, GATED),
        (GATES, LADDER, OPEN, LADDER),
        (GATES, LADDER, GATED, GATED),
        ({}, LADDER, GATED, GATED),
        ({}, LADDER, OPEN, OPEN),
    ],
)
def test_a_governed_model_that_was_deleted_comes_back_with_its_rules(
    tx: Transaction,
    gates: dict[str, object],
    stages: StageGraph,
    default: StageGraph,
    expected: StageGraph,
) -> None:
    tx.registry.create_model("credit", description="old", stages=stages)
    set_rules(tx, gates, stages)
    tx.registry.delete_model("credit")
    fresh = tx.registry.create_model("credit", stages=default)
    tell_rules(tx, fresh, "created")
    assert (fresh.gates, fresh.stages, fresh.description) == (gates, expected, "")


def test_a_model_is_made_again_by_the_rules_that_it_had_when_it_was_deleted(
    store: TrackingStore,
) -> None:
    with store.transaction() as tx:
        tx.registry.create_model("credit")
    made: list[StageGraph] = []

    def make_again() -> None:
        with store.transaction() as tx:
            again = tx.registry.create_model("credit")
            tell_rules(tx, again, "created")
            made.append(again.stages)

    with store.transaction() as tx:
        set_rules(tx, {}, GATED)
        tx.registry.delete_model("credit")
        thread = threading.Thread(target=make_again)
        thread.start()
        thread.join(0.3)
        assert made == []
    thread.join(10)
    assert made == [GATED]


def test_a_name_that_a_governed_model_had_keeps_its_rules(store: TrackingStore) -> None:
    with store.transaction() as tx:
        tx.registry.create_model("credit", stages=GATED)
        set_rules(tx, GATES, GATED)
    with store.transaction() as tx:
        renamed = tx.registry.rename_model("credit", "lending")
        taken = tx.registry.create_model("credit")
    for model in (renamed, taken):
        assert (model.gates, model.stages) == (GATES, GATED)


def test_versions_of_a_model_with_own_stages_start_in_its_first_one(tx: Transaction) -> None:
    tx.registry.create_model("credit", stages=LADDER)
    assert [add(tx).stage for _ in range(3)] == ["New", "New", "New"]
    assert move(tx, 2, "LIVE").stage == "Live"
    assert [version.version for version in tx.registry.list_versions("credit", stage="new")] == [
        3,
        1,
    ]
    live = tx.registry.holder("credit")
    assert live is not None
    assert live.version == 2
    for stage in ("Production", "None"):
        with pytest.raises(InvalidInput, match="it is one of New, Live, Gone"):
            tx.registry.list_versions("credit", stage=stage)
        with pytest.raises(InvalidInput, match="it is one of New, Live, Gone"):
            tx.registry.move("credit", 1, stage)


@pytest.mark.parametrize(
    "call",
    [
        lambda registry: registry.get_model("none"),
        lambda registry: registry.lock("none"),
        lambda registry: registry.delete_model("none"),
        lambda registry: registry.list_versions("none"),
        lambda registry: registry.holder("none"),
        lambda registry: registry.create_version("none", source="x"),
        lambda registry: registry.set_policy("none", gates={}, stages=OPEN),
        lambda registry: registry.set_model_tags("none", {"a": "b"}),
        lambda registry: registry.get_version("credit", 9),
        lambda registry: registry.move("credit", 9, "Staging"),
        lambda registry: registry.set_alias("credit", "champion", 9),
        lambda registry: registry.set_version_tags("credit", 9, {"a": "b"}),
        lambda registry: registry.create_version("credit", source="x", model_id="m-none"),
    ],
)
def test_what_is_not_there_is_not_found(tx: Transaction, call: object) -> None:
    add(tx)
    with pytest.raises(NotFound):
        call(tx.registry)  # type: ignore[operator]


def test_stages_are_read_in_any_case_and_written_in_one(tx: Transaction) -> None:
    add(tx)
    assert move(tx, 1, " pRoDuCtIoN ").stage == "Production"
    assert move(tx, 1, Stage.STAGING).stage == "Staging"
    with pytest.raises(InvalidInput, match="None, Staging, Production, Archived"):
        tx.registry.move("credit", 1, "Live")


def test_the_holder_of_a_stage_is_its_highest_version(tx: Transaction) -> None:
    for _ in range(3):
        add(tx)
    move(tx, 1, "Staging")
    move(tx, 2, "Staging")
    move(tx, 1, "Production")
    assert [v.version for v in tx.registry.list_versions("credit", stage="staging")] == [2]
    staged, live = tx.registry.holder("credit", "Staging"), tx.registry.holder("credit")
    assert staged is not None
    assert staged.version == 2
    assert live is not None
    assert live.version == 1
    assert tx.registry.holder("credit", "Archived") is None


def test_a_live_version_that_is_deleted_frees_the_stage(tx: Transaction) -> None:
    add(tx)
    add(tx)
    move(tx, 1, "Production")
    tx.registry.delete_version("credit", 1)
    assert move(tx, 2, "Production").stage == "Production"


def test_an_alias_points_at_one_version(tx: Transaction) -> None:
    add(tx)
    add(tx)
    tx.registry.set_alias("credit", "champion", 1)
    tx.registry.set_alias("credit", "best-of_2026", 1)
    tx.registry.set_alias("credit", "champion", 2)
    assert tx.registry.get_by_alias("credit", "champion").version == 2
    assert tx.registry.get_version("credit", 1).aliases == ("best-of_2026",)
    assert tx.registry.get_model("credit").aliases == {"best-of_2026": 1, "champion": 2}
    assert tx.registry.delete_alias("credit", "champion") == 2
    assert tx.registry.delete_alias("credit", "champion") is None


@pytest.mark.parametrize("alias", ["", "latest", "Latest", "v7", "V12", "a b", "a@b", "x" * 256])
def test_an_alias_that_would_hide_a_version_is_refused(tx: Transaction, alias: str) -> None:
    add(tx)
    with pytest.raises(InvalidInput, match="alias"):
        tx.registry.set_alias("credit", alias, 1)


def test_tags_are_replaced_one_by_one(tx: Transaction) -> None:
    add(tx)
    tx.registry.set_version_tags("credit", 1, {"a": "1", "b": "2"})
    tx.registry.set_version_tags("credit", 1, {"b": "3"})
    tx.registry.delete_version_tag("credit", 1, "a")
    tx.registry.delete_version_tag("credit", 1, "never there")
    assert tx.registry.get_version("credit", 1).tags == {"b": "3"}
    tx.registry.set_model_tags("credit", {"a": "1", "b": "2"})
    tx.registry.set_model_tags("credit", {"b": "3"})
    tx.registry.delete_model_tag("credit", "a")
    assert tx.registry.get_model("credit").tags == {"b": "3"}


@pytest.mark.parametrize(
    "tags", [{"": "x"}, {"a" * 251: "x"}, {"a": "x" * 100_001}, {"a": "\x00"}, {"a": "\ud800"}]
)
def test_tags_that_cannot_be_kept_are_refused(tx: Transaction, tags: dict[str, str]) -> None:
    add(tx)
    with pytest.raises(InvalidInput, match="tag"):
        tx.registry.set_model_tags("credit", tags)
    with pytest.raises(InvalidInput, match="tag"):
        tx.registry.set_version_tags("credit", 1, tags)


def test_descriptions_and_policy_are_replaced(tx: Transaction) -> None:
    add(tx)
    assert tx.registry.update_model("credit", description="PD").description == "PD"
    assert tx.registry.update_version("credit", 1, description="v").description == "v"
    gates = {"checks": [{"metric": "auc", "min": 0.7}]}
    changed = set_rules(tx, gates, GATED)
    assert (changed.gates, changed.stages) == (gates, GATED)
    with pytest.raises(InvalidInput, match="description"):
        tx.registry.update_model("credit", description="x" * 100_001)


def test_a_change_to_a_version_is_seen_on_its_model(store: TrackingStore) -> None:
    with store.transaction() as tx:
        add(tx)
        before = tx.registry.get_model("credit").updated_at
        move(tx, 1, "Staging")
        assert tx.registry.get_model("credit").updated_at > before


def test_a_renamed_model_keeps_everything_but_its_name(tx: Transaction) -> None:
    add(tx)
    tx.registry.set_alias("credit", "champion", 1)
    renamed = tx.registry.rename_model("credit", "lending")
    assert renamed.aliases == {"champion": 1}
    assert add(tx, "lending").version == 2
    with pytest.raises(NotFound):
        tx.registry.get_model("credit")
    assert add(tx, "credit").version == 2
    with pytest.raises(Conflict, match="is or was in use"):
        tx.registry.rename_model("lending", "credit")


def test_a_locked_model_makes_others_wait(store: TrackingStore) -> None:
    with store.transaction() as tx:
        add(tx)
    seen: list[str] = []

    def promote_behind() -> None:
        with store.transaction() as tx:
            tx.registry.lock("credit")
            holder = tx.registry.holder("credit")
            seen.append("nobody" if holder is None else str(holder.version))

    with store.transaction() as tx:
        tx.registry.lock("credit")
        thread = threading.Thread(target=promote_behind)
        thread.start()
        thread.join(0.3)
        assert seen == []
        move(tx, 1, "Production")
    thread.join(10)
    assert seen == ["1"]


@dataclass
class Rules:
    """What the registry promises, in plain Python."""

    versions: dict[int, str] = field(default_factory=dict)
    aliases: dict[str, int] = field(default_factory=dict)
    last: int = 0

    def create(self) -> None:
        self.last += 1
        self.versions[self.last] = "None"

    def move(self, version: int, stage: str) -> None:
        if version in self.versions:
            self.versions[version] = stage

    def alias(self, version: int, name: str) -> None:
        if version in self.versions:
            self.aliases[name] = version

    def delete(self, version: int) -> None:
        if self.versions.pop(version, None) is not None:
            self.aliases = {key: at for key, at in self.aliases.items() if at != version}

    def start_again(self) -> None:
        self.versions, self.aliases = {}, {}


VERSION = st.integers(1, 5)
STEP = st.one_of(
    st.tuples(st.just("create")),
    st.tuples(st.just("move"), VERSION, st.sampled_from(["None", "Staging", "Archived"])),
    st.tuples(st.just("alias"), VERSION, st.sampled_from(["champion", "challenger"])),
    st.tuples(st.just("delete"), VERSION),
    st.tuples(st.just("start_again")),
)


def apply(tx: Transaction, name: str, step: tuple[object, ...]) -> None:
    kind, *rest = step
    registry = tx.registry
    if kind == "create":
        registry.create_version(name, source="x")
    elif kind == "move":
        move(tx, rest[0], str(rest[1]), name)  # type: ignore[arg-type]
    elif kind == "alias":
        registry.set_alias(name, str(rest[1]), rest[0])  # type: ignore[arg-type]
    elif kind == "delete":
        registry.delete_version(name, *rest)  # type: ignore[arg-type]
    else:
        registry.delete_model(name)
        registry.create_model(name)


@given(steps=st.lists(STEP, max_size=15))
@hypothesis_settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_any_sequence_of_operations_ends_where_the_rules_say(
    store: TrackingStore, steps: list[tuple[object, ...]]
) -> None:
    rules, name = Rules(), uuid.uuid4().hex
    with store.transaction() as tx:
        tx.registry.create_model(name)
        for step in steps:
            if len(step) > 1 and step[1] not in rules.versions:
                with pytest.raises(NotFound):
                    apply(tx, name, step)
            else:
                apply(tx, name, step)
            getattr(rules, str(step[0]))(*step[1:])
        found = tx.registry.list_versions(name)
        assert {version.version: version.stage for version in found} == rules.versions
        assert tx.registry.get_model(name).aliases == rules.aliases
        assert {alias: v.version for v in found for alias in v.aliases} == rules.aliases
