"""Serves Airflow with our plugin, as ``airflow api-server`` does, in one process.

Usage: ``python web_server.py PORT``. Before it serves, it writes what it mounted to the file that
``MLTRACK_TEST_ROUTES`` names. ``MLTRACK_TEST_FAB_USERS`` is ``{name: [role, password]}`` as JSON:
FAB keeps its users in the database, and its own command takes seconds for each.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import uvicorn
from airflow.api_fastapi.app import create_app, get_auth_manager
from airflow.api_fastapi.core_api.security import get_user
from starlette.routing import Mount


def _asks(dependant: Any) -> bool:
    return dependant.call is get_user or any(_asks(sub) for sub in dependant.dependencies)


def _walk(app: Any) -> list[dict[str, Any]]:
    return [
        {
            "path": route.path,
            "methods": sorted(getattr(route, "methods", None) or ["any"]),
            "guarded": hasattr(route, "dependant") and _asks(route.dependant),
        }
        for route in app.routes
    ]


def _add_fab_users(users: dict[str, list[str]]) -> None:
    """Add users, and the role of one who may read assets and a single Dag."""
    manager: Any = get_auth_manager()
    with manager.flask_app.app_context():
        security = manager.security_manager
        role = security.add_role("Narrow")
        for resource in ("Assets", "DAG:open", "Website"):
            security.add_permission_to_role(role, security.create_permission("can_read", resource))
        for name, (role_name, password) in users.items():
            added = security.add_user(
                name, name, name, f"{name}@example.org", security.find_role(role_name), password
            )
            if not added:
                raise RuntimeError(name)


def main() -> None:
    """Build, walk, serve."""
    app = create_app()
    users = json.loads(os.environ.get("MLTRACK_TEST_FAB_USERS", "{}"))
    if users:
        _add_fab_users(users)
    [mounted] = [
        route for route in app.routes if isinstance(route, Mount) and route.path == "/mltrack"
    ]
    Path(os.environ["MLTRACK_TEST_ROUTES"]).write_text(json.dumps(_walk(mounted.app)))
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")


if __name__ == "__main__":
    main()
