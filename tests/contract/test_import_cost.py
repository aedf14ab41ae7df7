"""Dag files are parsed every 30 seconds: importing our doors must cost next to nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import airflow_mltrack

PACKAGE = Path(airflow_mltrack.__file__).parent
HEAVY = {
    "alembic",
    "boto3",
    "fastapi",
    "imblearn",
    "lightgbm",
    "matplotlib",
    "numpy",
    "optuna",
    "pandas",
    "psycopg",
    "pyarrow",
    "skops",
    "sklearn",
}
DOORS = [
    f"airflow_mltrack.{folder}.{path.stem}"
    for folder in ("operators", "decorators", "hooks")
    for path in sorted((PACKAGE / folder).glob("[!_]*.py"))
] + [
    "airflow_mltrack",
    "airflow_mltrack.provider_info",
    "airflow_mltrack.listener",
    "airflow_mltrack.assets",
    "airflow_mltrack.plugin",
]

_PROBE = """
import json, sys
from importlib import import_module
import airflow.sdk.definitions.asset, airflow.sdk.plugins_manager, airflow.listeners
from airflow.sdk import BaseHook, BaseOperator, BaseOperatorLink, AssetAlias, TaskGroup
before = set(sys.modules)
for name in json.loads(sys.argv[1]):
    import_module(name)
print(json.dumps(sorted({name.partition(".")[0] for name in set(sys.modules) - before})))
"""


def _loaded_by(modules: list[str]) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", _PROBE, json.dumps(modules)],
        check=True,
        capture_output=True,
        text=True,
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_no_door_loads_a_heavy_library() -> None:
    assert _loaded_by(DOORS) & HEAVY == set()


def test_no_door_loads_the_store() -> None:
    code = (
        "import sys\n"
        + "\n".join(f"import {name}" for name in DOORS)
        + "\nprint([n for n in sys.modules if n.startswith(('airflow_mltrack.store', "
        "'airflow_mltrack.tracking', 'airflow_mltrack.lifecycle', 'airflow_mltrack.training'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_the_probe_sees_what_is_loaded() -> None:
    assert "numpy" in _loaded_by(["numpy"])
