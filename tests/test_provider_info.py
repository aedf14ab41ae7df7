from __future__ import annotations

import json
import subprocess
import sys
from importlib import import_module
from importlib.metadata import distribution, entry_points
from pathlib import Path
from typing import Any, cast

import airflow
import jsonschema  # type: ignore[import-untyped]
import pytest

from airflow_mltrack.provider_info import get_provider_info

AIRFLOW_HOUSE = Path(airflow.__path__[0])


def _info() -> dict[str, Any]:
    return cast("dict[str, Any]", get_provider_info())


def _schema(name: str) -> dict[str, Any]:
    return cast("dict[str, Any]", json.loads((AIRFLOW_HOUSE / name).read_text()))


def _dotted_paths(info: dict[str, Any]) -> list[str]:
    paths = [item["hook-class-name"] for item in info["connection-types"]]
    paths += [item["class-name"] for item in info["task-decorators"]]
    paths += info["extra-links"]
    for uris in info["asset-uris"]:
        paths += [uris["handler"], uris["factory"]]
    return paths


def _modules(info: dict[str, Any]) -> list[str]:
    return [
        module
        for kind in ("operators", "hooks")
        for entry in info[kind]
        for module in entry["python-modules"]
    ]


def test_it_fits_the_schema_that_airflow_reads_with() -> None:
    jsonschema.validate(_info(), _schema("provider_info.schema.json"))


def test_it_fits_the_schema_that_airflow_writes_its_own_providers_with() -> None:
    written = _info() | {"state": "ready", "source-date-epoch": 0, "versions": ["0.1.0"]}
    jsonschema.validate(written, _schema("provider.yaml.schema.json"))


def test_the_package_name_is_the_name_of_the_distribution() -> None:
    assert _info()["package-name"] == distribution("airflow-mltrack").metadata["Name"]


def test_airflow_finds_it_through_the_entry_points() -> None:
    [provider] = entry_points(group="apache_airflow_provider", name="provider_info").select(
        module="airflow_mltrack.provider_info"
    )
    [plugin] = entry_points(group="airflow.plugins", name="mltrack")
    assert provider.load() is get_provider_info
    assert plugin.value == "airflow_mltrack.plugin:MltrackPlugin"


@pytest.mark.parametrize("path", _dotted_paths(_info()))
def test_every_dotted_path_leads_to_something(path: str) -> None:
    module, _, name = path.rpartition(".")
    assert callable(getattr(import_module(module), name))


@pytest.mark.parametrize("module", _modules(_info()))
def test_every_listed_module_can_be_imported(module: str) -> None:
    import_module(module)


def test_every_operator_and_hook_module_is_listed() -> None:
    package = Path(cast("str", import_module("airflow_mltrack").__file__)).parent
    internal = {"__init__", "mltrack_operator", "leaderboard", "inputs"}
    internal |= {"approval_body", "stage_events"}
    written = {
        f"airflow_mltrack.operators.{path.stem}"
        for path in (package / "operators").glob("*.py")
        if path.stem not in internal
    }
    assert written == {name for name in _modules(_info()) if ".operators." in name}


def test_the_hook_says_the_same_as_the_connection_type() -> None:
    from airflow_mltrack.hooks.mltrack import MltrackHook

    [connection] = _info()["connection-types"]
    assert MltrackHook.conn_type == connection["connection-type"]
    assert MltrackHook.hook_name == connection["hook-name"]
    assert connection["hook-class-name"].endswith(MltrackHook.__qualname__)


def test_the_form_offers_the_modes_that_settings_accept() -> None:
    from airflow_mltrack.settings import SSL_MODES

    [connection] = _info()["connection-types"]
    assert connection["conn-fields"]["sslmode"]["schema"]["enum"] == list(SSL_MODES)
    assert "spool_dir" in connection["conn-fields"]


def test_secret_fields_are_password_fields() -> None:
    [connection] = _info()["connection-types"]
    secret = {
        name
        for name, field in connection["conn-fields"].items()
        if field["schema"].get("format") == "password"
    }
    assert secret == {"aws_secret_access_key", "aws_session_token", "webhook_secret"}


def test_the_description_needs_nothing_but_the_standard_library() -> None:
    code = (
        "import sys; from airflow_mltrack.provider_info import get_provider_info as g; g(); "
        "sys.exit(any(name.startswith(('airflow.', 'sqlalchemy')) for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
