"""The layers of the house: import-linter's contracts hold, and they cover every module."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "airflow_mltrack"
NO_AIRFLOW = (
    "store",
    "artifacts",
    "model_package",
    "tracking",
    "training",
    "lifecycle",
    "entities",
)
_IMPORT_ALL = """
import importlib, pkgutil, sys
for name in {names!r}:
    package = importlib.import_module("airflow_mltrack." + name)
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if ".migrations." not in module.name:
            importlib.import_module(module.name)
found = sorted(name for name in sys.modules if name == "airflow" or name.startswith("airflow."))
print(*found)
"""


def test_the_contracts_of_import_linter_hold() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    found = subprocess.run([linter, "--no-cache"], cwd=ROOT, capture_output=True, check=False)
    assert found.returncode == 0, (found.stdout + found.stderr).decode()
    assert b"0 broken" in found.stdout


def test_everything_below_the_hooks_runs_without_airflow() -> None:
    code = _IMPORT_ALL.format(names=NO_AIRFLOW)
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=False)
    assert found.returncode == 0, found.stderr.decode()
    assert found.stdout.split() == []
