"""The web app knows Airflow in two modules only; the rest runs without it."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import airflow_mltrack.web

WEB = Path(airflow_mltrack.web.__file__).parent
ADAPTERS = {"auth.py", "asset_events.py"}


def _imports_airflow(path: Path) -> bool:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        if any(name.split(".")[0] == "airflow" for name in names):
            return True
    return False


def test_two_modules_import_airflow() -> None:
    found = {path.name for path in WEB.rglob("*.py") if _imports_airflow(path)}

    assert found == ADAPTERS


def test_app_can_be_built_without_airflow() -> None:
    code = (
        "import sys; from airflow_mltrack.web.app import create_app; "
        "from airflow_mltrack.web.standalone import OpenAccess; "
        "create_app(lambda: None, OpenAccess()); sys.exit('airflow' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
