from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from airflow._shared.plugins_manager.plugins_manager import is_valid_plugin

from airflow_mltrack import listener, plugin
from airflow_mltrack.plugin import MltrackPlugin


def test_airflow_accepts_it() -> None:
    assert is_valid_plugin(MltrackPlugin)
    assert MltrackPlugin.name == "mltrack"
    assert MltrackPlugin.listeners == [listener]


def test_it_is_tiny() -> None:
    assert len(Path(plugin.__file__).read_text().splitlines()) < 40


def test_loading_it_loads_no_web_framework() -> None:
    code = (
        "import sys; from airflow_mltrack.plugin import MltrackPlugin; MltrackPlugin(); "
        "sys.exit('fastapi' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_its_listener_implements_airflows_hooks() -> None:
    from airflow.listeners.listener import get_listener_manager

    manager = get_listener_manager()
    if not manager.pm.is_registered(listener):
        manager.add_listener(listener)  # type: ignore[no-untyped-call]
    implemented = {found.name for found in manager.pm.get_hookcallers(listener) or []}
    assert implemented >= {
        "on_task_instance_success",
        "on_task_instance_failed",
        "on_task_instance_skipped",
        "on_dag_run_success",
        "on_dag_run_failed",
        "before_stopping",
    }


@pytest.mark.filterwarnings(
    "ignore:Using `httpx` with:starlette.exceptions.StarletteDeprecationWarning"
)  # Airflow's own API imports the test client
def test_the_web_app_is_mounted_under_mltrack() -> None:
    [app] = MltrackPlugin().fastapi_apps
    assert (app["url_prefix"], app["name"]) == ("/mltrack", "MLTrack")
    paths = {getattr(route, "path", "") for route in app["app"].routes}
    assert {"/runs/{run_id}", "/models/{name}", "/api"} <= paths
