"""The how-to pages and references name what the code has: no more, no less."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import pytest

from airflow_mltrack import exceptions
from airflow_mltrack.hooks.task_errors import RETRYABLE
from airflow_mltrack.lifecycle.policy import GATE_KINDS
from airflow_mltrack.lifecycle.samplers import _PRUNERS, _SAMPLERS, PLANNED
from airflow_mltrack.lifecycle.training_spec import TrainingSpec
from airflow_mltrack.operators.mltrack_operator import MltrackOperator
from airflow_mltrack.operators.sweep import sweep
from airflow_mltrack.provider_info import get_provider_info
from airflow_mltrack.store.search_filter import ATTRIBUTES, DATASET_KEYS, parse
from airflow_mltrack.tracking import model_uri, run_files
from airflow_mltrack.tracking.active_run import ActiveRun
from airflow_mltrack.tracking.client import TrackingClient
from airflow_mltrack.training.dataset import DatasetSpec
from airflow_mltrack.training.metrics import MEASURES
from airflow_mltrack.training.recipes import CLASSIFIERS, RESAMPLERS, RecipeSpec
from airflow_mltrack.training.splits import SplitSpec
from airflow_mltrack.web.pages import router

DOCS = Path(__file__).parents[2] / "docs"
HOW_TO = DOCS / "how-to"
PROVIDER: dict[str, Any] = cast("dict[str, Any]", get_provider_info())
PAGE_OF = {
    "TrainModelOperator": "train.md",
    "PlanSweepOperator": "sweep.md",
    "RunTrialsOperator": "sweep.md",
    "CloseSweepOperator": "sweep.md",
    "RegisterModelOperator": "register.md",
    "ValidateModelOperator": "validate.md",
    "ApproveModelOperator": "approve.md",
    "PromoteModelOperator": "promote.md",
    "RollbackModelOperator": "rollback.md",
    "ModelEvidenceOperator": "evidence.md",
    "BatchScoreOperator": "batch-score.md",
    "ChooseCreditDataOperator": "data.md",
    "ReapRunsOperator": "reap.md",
    "DeliverWebhooksOperator": "webhooks.md",
}
AIRFLOWS_OWN = {"self", "kwargs", "multiple_outputs"}


def _text(page: str) -> str:
    return (DOCS / page).read_text(encoding="utf-8")


def _missing(page: str, names: Iterator[str] | list[str] | tuple[str, ...]) -> list[str]:
    """Return the names that stand nowhere on the page in backticks, alone or at the beginning."""
    text = _text(page)
    return [name for name in names if not re.search(rf"`{re.escape(name)}\b", text)]


def _operators() -> Iterator[type[MltrackOperator]]:
    for group in PROVIDER["operators"]:
        for path in group["python-modules"]:
            for _, found in inspect.getmembers(importlib.import_module(path), inspect.isclass):
                if issubclass(found, MltrackOperator) and found.__module__ == path:
                    yield found


@pytest.mark.parametrize("operator", sorted(_operators(), key=str))
def test_every_operator_and_argument_has_its_page(operator: type[MltrackOperator]) -> None:
    page = f"how-to/{PAGE_OF[operator.__name__]}"
    arguments = set(inspect.signature(operator.__init__).parameters) - AIRFLOWS_OWN
    if page == "how-to/data.md":
        arguments.discard("mltrack_conn_id")  # the operator never connects
    assert _missing(page, [operator.__name__, *sorted(arguments)]) == []


def test_every_argument_of_a_sweep_is_documented() -> None:
    assert _missing("how-to/sweep.md", list(inspect.signature(sweep).parameters)) == []


def test_every_decorator_is_documented() -> None:
    decorators = [f"@task.{item['name']}" for item in PROVIDER["task-decorators"]]
    assert decorators
    assert _missing("how-to/custom-training.md", decorators) == []


def test_every_sensor_is_documented() -> None:
    sensors = [path for group in PROVIDER.get("sensors", []) for path in group["python-modules"]]
    assert sensors == [], "give each sensor a page and check it as the operators are checked"


def test_every_connection_field_is_documented() -> None:
    (connection,) = PROVIDER["connection-types"]
    assert _missing("how-to/connect.md", list(connection["conn-fields"])) == []
    for option in PROVIDER["config"]["mltrack"]["options"]:
        assert f"`[mltrack] {option}`" in _text("how-to/connect.md")


def _errors() -> list[type[exceptions.MltrackError]]:
    found = inspect.getmembers(exceptions, inspect.isclass)
    return [item for _, item in found if issubclass(item, exceptions.MltrackError)]


@pytest.mark.parametrize("error", _errors(), ids=lambda error: error.__name__)
def test_every_error_is_documented_with_what_a_task_does(
    error: type[exceptions.MltrackError],
) -> None:
    row = re.search(
        rf"^\| `{error.__name__}` \| (\w+) \|", _text("how-to/troubleshooting.md"), re.MULTILINE
    )
    assert row is not None
    assert row[1] == ("retried" if issubclass(error, RETRYABLE) else "fails")


@pytest.mark.parametrize("owner", [ActiveRun, TrackingClient], ids=["run", "client"])
def test_every_method_for_python_is_documented(owner: type) -> None:
    public = [
        name
        for name, member in vars(owner).items()
        if not name.startswith("_") and (callable(member) or isinstance(member, property))
    ]
    assert public
    assert _missing("how-to/log-from-python.md", public) == []


def test_every_function_for_files_and_models_is_documented() -> None:
    files = [n for n, f in vars(run_files).items() if _is_own(f, run_files) and n != "fetch_files"]
    assert _missing("how-to/log-from-python.md", files) == []
    own = [name for name, member in vars(model_uri).items() if _is_own(member, model_uri)]
    text = _text("how-to/load-a-model.md")
    assert [name for name in own if name != "parse_model_uri" and f"{name}(" not in text] == [
        "resolve_version"  # named without an example
    ]
    assert "`resolve_version`" in text


def _is_own(member: object, module: ModuleType) -> bool:
    return (
        inspect.isfunction(member)
        and member.__module__ == module.__name__
        and not member.__name__.startswith("_")
    )


def test_the_references_name_every_key_and_every_choice() -> None:
    options = [item.name for item in fields(TrainingSpec)]
    recipe = [item.name for item in fields(RecipeSpec)]
    train = [*options, *recipe, *CLASSIFIERS, *RESAMPLERS, *MEASURES]
    assert _missing("how-to/train.md", train) == []
    assert _missing("how-to/sweep.md", [*PLANNED, *_SAMPLERS, *_PRUNERS]) == []
    keys = [item.name for spec in (DatasetSpec, SplitSpec) for item in fields(spec)]
    assert _missing("how-to/data.md", keys) == []
    assert _missing("how-to/validate.md", list(GATE_KINDS)) == []
    assert _missing("search.md", [*ATTRIBUTES, *(f"datasets.{key}" for key in DATASET_KEYS)]) == []


def test_the_filter_error_reads_as_shown() -> None:
    with pytest.raises(exceptions.InvalidFilter) as caught:
        parse("metrics.auc >> 0.7")
    assert f"```text\n{caught.value}\n```" in _text("search.md")


def test_every_page_in_the_browser_is_documented() -> None:
    text = _text("how-to/look-around.md")
    routes = {re.sub(r":\w+}", "}", getattr(route, "path", "")) for route in router.routes}
    assert set(re.findall(r"^\| `/mltrack(/[^`]*)` \|", text, re.MULTILINE)) == routes
