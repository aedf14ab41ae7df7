"""Search of experiments, registered models, versions and logged models: filters, orders, pages."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from airflow_mltrack.entities.models import LoggedModelMetric
from airflow_mltrack.exceptions import InvalidFilter, InvalidInput
from airflow_mltrack.store.model_search import Datasets
from airflow_mltrack.store.tracking_store import TrackingStore, Transaction


@pytest.fixture
def tx(store: TrackingStore) -> Iterator[Transaction]:
    with store.transaction() as tx:
        yield tx


@pytest.fixture
def experiments(tx: Transaction) -> Callable[..., list[str]]:
    for name, team in (("beta", "risk"), ("alpha", "risk"), ("Gamma", "fraud"), ("plain", None)):
        tx.experiments.create(name, tags={"team": team} if team else None)

    def find(wanted: str = "", *order: str, **more: object) -> list[str]:
        page = tx.experiments.search(filter=wanted, order_by=order, **more)  # type: ignore[arg-type]
        return [item.name for item in page.experiments]

    return find


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("", {"Default", "beta", "alpha", "Gamma", "plain"}),
        ("name = 'beta'", {"beta"}),
        ("name ILIKE 'g%'", {"Gamma"}),
        ("tags.team = 'risk'", {"beta", "alpha"}),
        ("tags.team != 'risk'", {"Gamma"}),
        ("tags.team IS NULL", {"Default", "plain"}),
        ("NOT tags.team = 'risk' AND name != 'Default'", {"Gamma", "plain"}),
        ("name = 'beta' OR tags.team = 'fraud'", {"beta", "Gamma"}),
        ("experiment_id IN ('0', '1')", {"Default", "beta"}),
        ("attributes.creation_time > 0", {"Default", "beta", "alpha", "Gamma", "plain"}),
        ("creation_time < 1000", set()),
    ],
)
def test_experiments_are_filtered(
    experiments: Callable[..., list[str]], wanted: str, found: set[str]
) -> None:
    assert set(experiments(wanted)) == found


def test_experiments_come_latest_first_or_as_asked(experiments: Callable[..., list[str]]) -> None:
    assert experiments() == ["plain", "Gamma", "alpha", "beta", "Default"]
    assert experiments("", "name") == ["Default", "Gamma", "alpha", "beta", "plain"]
    by_tag = experiments("", "tags.team DESC", "name ASC")
    assert by_tag == ["alpha", "beta", "Gamma", "Default", "plain"]


@pytest.mark.parametrize("order", [(), ("name",), ("tags.team", "name DESC")])
def test_pages_of_any_size_give_every_experiment_once(
    tx: Transaction, experiments: Callable[..., list[str]], order: tuple[str, ...]
) -> None:
    whole = experiments("", *order)
    for size in (1, 2, 3, 5):
        found: list[str] = []
        token: str | None = None
        while True:
            page = tx.experiments.search(order_by=order, max_results=size, page_token=token)
            found += [item.name for item in page.experiments]
            token = page.next_page_token
            if token is None:
                break
        assert found == whole, size


@pytest.mark.usefixtures("experiments")
def test_a_full_last_page_has_no_token(tx: Transaction) -> None:
    assert tx.experiments.search(max_results=5).next_page_token is None


def test_wrong_searches_are_refused(tx: Transaction) -> None:
    with pytest.raises(InvalidFilter, match="expected an attribute"):
        tx.experiments.search(filter="stage = 'x'")
    with pytest.raises(InvalidFilter, match="expected tags or attributes"):
        tx.experiments.search(filter="metrics.auc > 1")
    with pytest.raises(InvalidInput, match="max_results"):
        tx.experiments.search(max_results=0)
    tx.experiments.create("one")
    token = tx.experiments.search(max_results=1).next_page_token
    assert token is not None
    with pytest.raises(InvalidInput, match="page_token"):
        tx.experiments.search(max_results=1, filter="name = 'x'", page_token=token)
    with pytest.raises(InvalidInput, match="order_by"):
        tx.experiments.search(order_by=["name", "name DESC"])


def test_deleted_experiments_are_found_by_their_view(tx: Transaction) -> None:
    tx.experiments.delete(tx.experiments.create("gone").experiment_id)
    names = {
        view: [item.name for item in tx.experiments.search(view=view).experiments]
        for view in ("active", "deleted", "all")
    }
    assert names == {"active": ["Default"], "deleted": ["gone"], "all": ["gone", "Default"]}


def test_registered_models_without_the_prompt_tag_are_no_prompts(tx: Transaction) -> None:
    tx.registry.create_model("model", tags={"team": "risk"})
    tx.registry.create_model("prompt", tags={"mlflow.prompt.is_prompt": "true"})

    def find(wanted: str) -> list[str]:
        return [model.name for model in tx.registry.search_models(filter=wanted).models]

    assert find("tag.`mlflow.prompt.is_prompt` != 'true'") == ["model"]
    assert find("tag.`mlflow.prompt.is_prompt` = 'false'") == ["model"]
    assert find("tag.`mlflow.prompt.is_prompt` = 'true'") == ["prompt"]
    assert find("tags.team = 'risk' AND tag.`mlflow.prompt.is_prompt` != 'true'") == ["model"]
    [found] = tx.registry.search_models(filter="name LIKE 'mod%'").models
    assert found.tags == {"team": "risk"}


def test_versions_are_found_by_what_they_are(tx: Transaction) -> None:
    for name in ("credit", "fraud"):
        tx.registry.create_model(name)
        for run in ("r1", "r2"):
            tx.registry.create_version(name, source=f"s3://b/{run}", run_id=run, tags={"run": run})

    def find(wanted: str, *order: str) -> list[tuple[str, int]]:
        page = tx.registry.search_versions(filter=wanted, order_by=order)
        return [(item.name, item.version) for item in page.versions]

    assert find("name = 'credit'") == [("credit", 2), ("credit", 1)]
    assert find("run_id IN ('r2') AND tags.run = 'r2'", "name") == [("credit", 2), ("fraud", 2)]
    assert find("version_number >= 2 AND source_path LIKE '%r2'", "name DESC") == [
        ("fraud", 2),
        ("credit", 2),
    ]
    assert find("stage = 'None'", "name", "version_number") == [
        ("credit", 1),
        ("credit", 2),
        ("fraud", 1),
        ("fraud", 2),
    ]
    tx.registry.delete_version("credit", 2)
    assert find("name = 'credit'") == [("credit", 1)]


def test_logged_models_are_found_by_their_latest_metric(tx: Transaction) -> None:
    run, _ = tx.runs.open(experiment_id=0)

    def model(name: str, *values: tuple[float, str]) -> str:
        logged = tx.models.create(experiment_id=0, name=name)
        metrics = [
            LoggedModelMetric("auc", value, step, 1, run.run_id, data, "d" if data else "")
            for step, (value, data) in enumerate(values)
        ]
        tx.models.log_metrics([(logged.model_id, metric) for metric in metrics])
        return name

    model("falling", (0.9, "train"), (0.5, "test"))
    model("rising", (0.6, "test"), (0.8, "train"))
    model("nan", (float("nan"), "test"))
    model("silent")

    def find(wanted: str = "", *order: str, **more: object) -> list[str]:
        page = tx.models.search(experiment_ids=[0], filter=wanted, order_by=order, **more)  # type: ignore[arg-type]
        return [item.model.name for item in page.models]

    assert find("metrics.auc > 0.7") == ["rising"]
    assert find("", "metrics.auc DESC") == ["rising", "falling", "nan", "silent"]
    assert find("", "metrics.auc") == ["falling", "rising", "nan", "silent"]
    assert find("metrics.auc > 0.7", datasets=[("train", None)]) == ["rising", "falling"]
    assert find("metrics.auc > 0.7", datasets=[("test", "d")]) == []
    assert find("", "name", datasets=[("test", "d")]) == ["falling", "nan", "rising"]
    on: dict[int, Datasets] = {0: [("train", None)], 1: [("test", "d")]}
    order = ("metrics.auc DESC", "metrics.auc", "name")
    assert find("", *order, order_datasets=on) == ["falling", "rising", "nan", "silent"]
    assert find("", *order, order_datasets={0: on[1]}) == ["rising", "falling", "nan", "silent"]
    assert find("", "name", order_datasets=on) == ["falling", "nan", "rising", "silent"]
    with pytest.raises(InvalidInput, match="once"):
        find("", *order, order_datasets={})
    first = tx.models.search(
        experiment_ids=[0], order_by=order, order_datasets=on, max_results=1
    ).next_page_token
    assert find("", *order, order_datasets=on, page_token=first)[0] == "rising"
    with pytest.raises(InvalidInput, match="page_token"):
        find("", *order, order_datasets={0: on[1]}, page_token=first)
    assert find("status = 'PENDING' AND name ILIKE 'S%'") == ["silent"]
    with pytest.raises(InvalidFilter, match="expected metrics, params, tags or attributes"):
        find("datasets.name = 'x'")
