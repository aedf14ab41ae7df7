"""The rules of a governed model, asked for through MLflow's protocol."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from airflow_mltrack.entities.stages import GATED
from airflow_mltrack.lifecycle.audit import list_history
from tests.lifecycle.conftest import POLICY, write_approval, write_verdict, write_version
from tests.web.mlflow.conftest import House

Move = Callable[..., Any]


@pytest.fixture
def move(stock: Any, house: House, name: str) -> Move:
    """Register a version of a gated model, and give a function that moves versions of it."""
    write_version(house.tracking, name, gates=POLICY, stages=GATED, user="ada")
    client = stock.MlflowClient()

    def to(stage: str, version: str = "1") -> Any:
        return client.transition_model_version_stage(name, version, stage)

    return to


def allow(house: House, name: str, version: int = 1) -> None:
    """Give a version what the gated profile asks for: a verdict and an approval."""
    with house.tracking.store.transaction() as tx:
        found = tx.registry.get_version(name, version)
    write_verdict(house.tracking, found)
    write_approval(house.tracking, found)


def test_a_move_needs_evidence_approval_and_a_reason(
    stock: Any, house: House, name: str, move: Move
) -> None:
    move("Staging")
    with pytest.raises(stock.exceptions.MlflowException) as refused:
        move("Production")
    assert refused.value.error_code == "PERMISSION_DENIED"
    assert refused.value.get_http_status_code() == 403
    for missing in ("no verdict exists", "1 approval is needed", "a reason is needed"):
        assert missing in str(refused.value)
    allow(house, name)
    with pytest.raises(stock.exceptions.MlflowException, match="a reason is needed") as nearly:
        move("Production")
    assert "verdict" not in str(nearly.value)
    stock.MlflowClient().set_model_version_tag(name, "1", "mltrack.reason", "better on thin files")
    assert move("Production").current_stage == "Production"
    last = list_history(house.tracking, name)[-1]
    assert (last.kind, last.payload["reason"]) == ("transition", "better on thin files")
    assert last.payload["details"] == {"door": "mlflow"}


def test_what_is_live_is_not_deleted(stock: Any, house: House, name: str, move: Move) -> None:
    client = stock.MlflowClient()
    move("Staging")
    allow(house, name)
    client.set_model_version_tag(name, "1", "mltrack.reason", "better")
    move("Production")
    with pytest.raises(stock.exceptions.MlflowException, match="is live in Production"):
        client.delete_model_version(name, "1")
    with pytest.raises(stock.exceptions.MlflowException, match="is live in Production"):
        client.delete_registered_model(name)
    assert client.get_model_version(name, "1").current_stage == "Production"


def test_an_alias_of_a_gated_model_is_on_record(
    stock: Any, house: House, name: str, move: Move
) -> None:
    del move
    stock.MlflowClient().set_registered_model_alias(name, "champion", "1")
    last = list_history(house.tracking, name)[-1]
    assert (last.kind, last.payload["alias"], last.payload["to"]) == ("alias", "champion", 1)
    assert last.payload["details"] == {"door": "mlflow"}


def test_evidence_about_another_package_does_not_count(
    stock: Any, house: House, name: str, move: Move
) -> None:
    move("Staging")
    allow(house, name)
    write_version(house.tracking, name, user="ada")
    client = stock.MlflowClient()
    client.set_model_version_tag(name, "2", "mltrack.reason", "newer")
    move("Staging", "2")
    with pytest.raises(stock.exceptions.MlflowException, match="no verdict exists"):
        move("Production", "2")


def test_a_copy_under_another_name_is_gated_there(
    stock: Any, house: House, name: str, move: Move
) -> None:
    write_version(house.tracking, f"{name} live", gates=POLICY, stages=GATED)
    move("Staging")
    client = stock.MlflowClient()
    copied = client.copy_model_version(f"models:/{name}/1", f"{name} live")
    assert copied.current_stage == "None"
    with pytest.raises(stock.exceptions.MlflowException, match="no edge leads"):
        client.transition_model_version_stage(f"{name} live", copied.version, "Production")
