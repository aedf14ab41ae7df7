"""The registry through the stock client: names, versions, aliases, tags, search."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from airflow_mltrack.lifecycle.audit import list_history
from tests.lifecycle.conftest import log_package
from tests.web.mlflow.conftest import House, Rest

Add = Callable[..., Any]


@pytest.fixture
def add(stock: Any, house: House) -> Add:
    """Give a function that registers a new small package with the stock client."""

    def register(name: str, **more: Any) -> Any:
        return stock.register_model(f"models:/{log_package(house.tracking).model_id}", name, **more)

    return register


def pages(search: Callable[..., Any], size: int, **query: Any) -> list[Any]:
    """Follow the pages of a search to the end."""
    found: list[Any] = []
    token = None
    while True:
        page = search(max_results=size, page_token=token, **query)
        assert len(page) <= size
        found += page
        token = page.token
        if not token:
            return found


def test_a_logged_model_is_registered(stock: Any, house: House, name: str) -> None:
    logged = log_package(house.tracking, "ada")
    version = stock.register_model(f"models:/{logged.model_id}", name, tags={"reviewed": "no"})
    assert (version.version, version.current_stage, version.status) == ("1", "None", "READY")
    assert version.run_id == logged.run_id
    assert version.tags == {"reviewed": "no"}
    again = stock.register_model(f"models:/{logged.model_id}", name)
    assert again.version == "1"
    assert stock.get_logged_model(logged.model_id).tags["mlflow.modelVersions"]


def test_a_directory_of_a_run_is_registered_as_it_is_now(
    stock: Any, house: House, name: str
) -> None:
    client = stock.MlflowClient()
    with stock.start_run() as run:
        stock.log_dict({"flavors": {}}, "old/MLmodel")
    client.create_registered_model(name)
    body = {"name": name, "source": f"{run.info.artifact_uri}/old", "run_id": run.info.run_id}
    first = client.create_model_version(**body)
    assert client.create_model_version(**body).version == first.version
    with stock.start_run(run_id=run.info.run_id):
        stock.log_dict({"flavors": {"new": 1}}, "old/MLmodel")
    assert client.create_model_version(**body).version != first.version
    with house.tracking.store.transaction() as tx:
        kept = tx.registry.get_version(name, int(first.version))
    assert kept.digest is not None
    where = client.get_model_version_download_uri(name, first.version)
    assert stock.artifacts.load_dict(f"{where}/MLmodel") == {"flavors": {}}


def test_names_are_found_in_pages(stock: Any, name: str) -> None:
    client = stock.MlflowClient()
    for number in range(5):
        client.create_registered_model(f"{name} {number}", tags={"odd": str(number % 2)})
    found = pages(
        client.search_registered_models,
        2,
        filter_string=f"name LIKE '{name} %'",
        order_by=["name DESC"],
    )
    assert [model.name[-1] for model in found] == ["4", "3", "2", "1", "0"]
    odd = client.search_registered_models(f"tags.odd = '1' AND name LIKE '{name} %'")
    assert [model.name[-1] for model in odd] == ["1", "3"]
    assert not stock.search_registered_models(filter_string=f"name = '{name} nothing'")


def test_versions_are_found_in_pages(stock: Any, add: Add, name: str) -> None:
    for number in range(4):
        add(name, tags={"odd": str(number % 2)})
    client = stock.MlflowClient()
    found = pages(
        client.search_model_versions,
        3,
        filter_string=f"name = '{name}'",
        order_by=["version_number ASC"],
    )
    assert [version.version for version in found] == ["1", "2", "3", "4"]
    odd = client.search_model_versions(f"name = '{name}' AND tags.odd = '1'")
    assert {version.version for version in odd} == {"2", "4"}
    with pytest.raises(stock.exceptions.MlflowException) as refused:
        client.search_model_versions("colour = 'red'")
    assert refused.value.error_code == "INVALID_PARAMETER_VALUE"


def test_logged_models_are_found_in_pages(stock: Any, house: House, name: str) -> None:
    client = stock.MlflowClient()
    experiment = client.create_experiment(name)
    for number in range(5):
        model = stock.initialize_logged_model(
            name=f"model{number}",
            params={"depth": str(number)},
            tags={"odd": str(number % 2)},
            experiment_id=experiment,
        )
        with stock.start_run(experiment_id=experiment):
            stock.log_metric("auc", number / 10, model_id=model.model_id)
    found = pages(
        client.search_logged_models,
        2,
        experiment_ids=[experiment],
        order_by=[{"field_name": "metrics.auc", "ascending": False}],
    )
    assert [model.name for model in found] == [f"model{number}" for number in (4, 3, 2, 1, 0)]
    some = client.search_logged_models(
        [experiment], "metrics.auc > 0.1 AND params.depth != '4' AND tags.odd = '1'"
    )
    assert [model.name for model in some] == ["model3"]
    client.set_logged_model_tags(some[0].model_id, {"seen": "yes"})
    client.delete_logged_model_tag(some[0].model_id, "odd")
    tags = client.get_logged_model(some[0].model_id).tags
    assert tags["seen"] == "yes"
    assert "odd" not in tags
    client.delete_logged_model(some[0].model_id)
    assert len(client.search_logged_models([experiment])) == 4


def test_models_are_ordered_by_a_metric_on_a_data_set(stock: Any, name: str) -> None:
    client = stock.MlflowClient()
    experiment = client.create_experiment(name)
    for number, (train, test) in enumerate([(0.9, 0.5), (0.7, 0.7), (0.7, 0.6)]):
        model = stock.initialize_logged_model(name=f"model{number}", experiment_id=experiment)
        with stock.start_run(experiment_id=experiment) as run:
            for step, (data, value) in enumerate([("train", train), ("test", test)]):
                where = {"model_id": model.model_id, "dataset_name": data, "dataset_digest": "d"}
                client.log_metric(run.info.run_id, "auc", value, step=step, **where)

    def found(*order: dict[str, Any]) -> list[str]:
        models = client.search_logged_models([experiment], order_by=list(order))
        return [model.name.removeprefix("model") for model in models]

    auc: dict[str, Any] = {"field_name": "metrics.auc", "ascending": False}
    on_test = {**auc, "dataset_name": "test"}
    on_train = {**auc, "dataset_name": "train", "dataset_digest": "d"}
    assert found(auc) == found(on_test) == ["1", "2", "0"]
    assert found(on_train) == ["0", "2", "1"]  # the latest model comes first among equals
    assert found(on_train, {**on_test, "ascending": True}) == ["0", "2", "1"]
    assert found(on_train, on_test) == ["0", "1", "2"]
    with pytest.raises(stock.exceptions.MlflowException, match="goes with its 'dataset_name'"):
        found({**auc, "dataset_digest": "d"})


def test_tags_and_descriptions_come_and_go(stock: Any, add: Add, name: str) -> None:
    add(name)
    client = stock.MlflowClient()
    client.set_registered_model_tag(name, "team", "risk")
    client.set_model_version_tag(name, "1", "checked", "yes")
    client.update_registered_model(name, "scores loans")
    client.update_model_version(name, "1", "first try")
    model, version = client.get_registered_model(name), client.get_model_version(name, "1")
    assert (model.tags, model.description) == ({"team": "risk"}, "scores loans")
    assert (version.tags, version.description) == ({"checked": "yes"}, "first try")
    for _ in range(2):  # deleting what is not there is no error here
        client.delete_registered_model_tag(name, "team")
        client.delete_model_version_tag(name, "1", "checked")
    assert client.get_registered_model(name).tags == {}
    assert client.get_model_version(name, "1").tags == {}


def test_aliases_move_and_go(stock: Any, add: Add, name: str) -> None:
    add(name)
    add(name)
    client = stock.MlflowClient()
    client.set_registered_model_alias(name, "champion", "1")
    client.set_registered_model_alias(name, "champion", "2")
    assert client.get_model_version_by_alias(name, "champion").version == "2"
    assert client.get_model_version_by_alias(name, "latest").version == "2"
    assert client.get_registered_model(name).aliases == {"champion": "2"}
    client.delete_registered_model_alias(name, "champion")
    with pytest.raises(stock.exceptions.MlflowException, match="alias champion not found"):
        client.get_model_version_by_alias(name, "champion")
    for alias in ("latest", "v7", "a b"):
        with pytest.raises(stock.exceptions.MlflowException) as refused:
            client.set_registered_model_alias(name, alias, "1")
        assert refused.value.error_code == "INVALID_PARAMETER_VALUE"
    with pytest.raises(stock.exceptions.MlflowException) as missing:
        client.set_registered_model_alias(name, "champion", "9")
    assert missing.value.error_code == "RESOURCE_DOES_NOT_EXIST"


def test_a_version_is_copied_to_another_name(stock: Any, add: Add, name: str) -> None:
    add(name)
    client = stock.MlflowClient()
    copied = client.copy_model_version(f"models:/{name}/1", f"{name} prod")
    assert (copied.name, copied.version) == (f"{name} prod", "1")
    assert client.get_model_version_download_uri(
        f"{name} prod", "1"
    ) == client.get_model_version_download_uri(name, "1")
    assert client.copy_model_version(f"models:/{name}/1", f"{name} prod").version == "1"


def test_a_name_is_changed_and_deleted(stock: Any, add: Add, house: House, name: str) -> None:
    add(name)
    client = stock.MlflowClient()
    client.set_registered_model_alias(name, "champion", "1")
    client.rename_registered_model(name, f"{name} new")
    assert client.get_model_version_by_alias(f"{name} new", "champion").version == "1"
    with pytest.raises(stock.exceptions.MlflowException) as missing:
        client.get_registered_model(name)
    assert missing.value.error_code == "RESOURCE_DOES_NOT_EXIST"
    client.delete_model_version(f"{name} new", "1")
    with pytest.raises(stock.exceptions.MlflowException, match="not found"):
        client.get_model_version(f"{name} new", "1")
    client.delete_registered_model(f"{name} new")
    assert not client.search_registered_models(f"name LIKE '{name}%'")
    events = list_history(house.tracking, f"{name} new")
    assert [event.kind for event in events] == ["renamed", "deleted", "deleted"]
    assert [event.payload["details"] for event in events] == [{"door": "mlflow"}] * 3


def test_the_latest_versions_are_those_of_each_stage(stock: Any, add: Add, name: str) -> None:
    for _ in range(3):
        add(name)
    client = stock.MlflowClient()
    client.transition_model_version_stage(name, "1", "production")
    client.transition_model_version_stage(name, "2", "Staging")
    found = {item.current_stage: item.version for item in client.get_latest_versions(name)}
    assert found == {"None": "3", "Staging": "2", "Production": "1"}
    [live] = client.get_latest_versions(name, ["production", "Production"])
    assert live.version == "1"
    with pytest.raises(stock.exceptions.MlflowException, match="Shelf"):
        client.transition_model_version_stage(name, "1", "Shelf")


def test_all_files_of_a_run_are_no_model(stock: Any, name: str) -> None:
    with stock.start_run() as run:
        stock.log_text("flavors: {}", "MLmodel")
    for source in (f"runs:/{run.info.run_id}", f"{run.info.artifact_uri}/"):
        with pytest.raises(
            stock.exceptions.MlflowException, match=r"all files of a run\. Name the"
        ):
            stock.register_model(source, name)


def test_a_prompt_leaves_no_registered_model(stock: Any, name: str) -> None:
    name = name.replace(" ", "-")
    with pytest.raises(stock.exceptions.MlflowException, match=r"NOT_IMPLEMENTED.*prompts"):
        stock.genai.register_prompt(name, "Hello {{who}}")
    assert not stock.search_registered_models(filter_string=f"name = '{name}'")


@pytest.mark.parametrize("version", ["2", "0", "-1", "2147483648", "999999999999999999"])
def test_a_number_that_no_version_has_is_not_found(rest: Rest, name: str, version: str) -> None:
    rest.post("/registered-models/create", {"name": name})
    asked = {"name": name, "version": version}
    status, words = rest.refused("GET", "/model-versions/get", params=asked)
    assert status == 404
    assert words.endswith(f"Model Version (name={name}, version={version}) not found")
    status, words = rest.refused("POST", "/registered-models/alias", {**asked, "alias": "best"})
    assert (status, words.partition(":")[0]) == (404, "RESOURCE_DOES_NOT_EXIST")


@pytest.mark.parametrize(
    "source",
    [
        "s3://bucket/reviewed/../other",
        "https://host/models/..",
        "gs://bucket/a/..%2Fb",
        "gs://bucket/a/%252e%252e/b",
        "s3://bucket\\..\\b",
        "ftp://host/a/..?x=1",
        "s3://bucket/a%00",
        "s3://bucket/%" + "25" * 6 + "2e",
    ],
)
def test_an_address_elsewhere_does_not_climb(rest: Rest, name: str, source: str) -> None:
    rest.post("/registered-models/create", {"name": name})
    status, words = rest.refused("POST", "/model-versions/create", {"name": name, "source": source})
    assert status == 400
    assert "has no '..'" in words
    kept = {"name": name, "source": "s3://bucket/run..3/a%20b/...?version=1"}
    assert rest.post("/model-versions/create", kept)["model_version"]["source"] == kept["source"]
