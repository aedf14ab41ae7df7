"""Serves Airflow with our plugin, as ``airflow api-server`` does, in one process.

Usage: ``python web_server.py PORT``. Before it serves, it writes what it mounted to the file that
``MLTRACK_TEST_ROUTES`` names. ``MLTRACK_TEST_FAB_USERS`` is ``{name: [role, password]}`` as JSON:
FAB keeps its users in the database, and its own command takes seconds for each.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import uvicorn
from airflow.api_fastapi.app import create_app, get_auth_manager
from airflow.api_fastapi.core_api.security import get_user
from airflow.models.dagbundle import DagBundleModel
from airflow.models.serialized_dag import SerializedDagModel
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG
from airflow.serialization.definitions.dag import SerializedDAG
from airflow.serialization.serialized_objects import LazyDeserializedDAG
from airflow.utils.session import create_session
from starlette.routing import Mount

from airflow_mltrack.assets import model_asset


def _asks(dependant: Any) -> bool:
    return dependant.call is get_user or any(_asks(sub) for sub in dependant.dependencies)


def _walk(app: Any, prefix: str = "") -> Iterator[dict[str, Any]]:
    for route in app.routes:
        behind = _behind(getattr(route, "app", None))
        if isinstance(route, Mount):
            yield from _walk(behind, prefix + route.path)
        elif behind is not None:  # a whole app that answers at one path
            yield from (found for found in _walk(behind, prefix) if found["path"] == route.path)
        else:
            yield {
                "path": prefix + route.path,
                "methods": sorted(getattr(route, "methods", None) or ["any"]),
                "guarded": hasattr(route, "dependant") and _asks(route.dependant),
            }


def _behind(app: Any) -> Any:
    """Return the app with routes behind middleware, None where there is none."""
    while app is not None and not hasattr(app, "routes"):
        app = getattr(app, "app", None)
    return app


def _add_dag() -> None:
    """Let Airflow know a Dag that is scheduled on what ``credit`` has in Production."""
    with DAG(
        "on_production", schedule=[model_asset("credit")], is_paused_upon_creation=False
    ) as dag:
        EmptyOperator(task_id="hear")
    dag.fileloc, lazy = __file__, LazyDeserializedDAG.from_dag(dag)
    with create_session() as session:
        session.merge(DagBundleModel(name="served"))
        session.flush()
        SerializedDAG.bulk_write_to_db("served", None, [lazy], session=session)
        SerializedDagModel.write_dag(lazy, bundle_name="served", session=session)


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
    _add_dag()
    [mounted] = [
        route for route in app.routes if isinstance(route, Mount) and route.path == "/mltrack"
    ]
    Path(os.environ["MLTRACK_TEST_ROUTES"]).write_text(json.dumps(list(_walk(mounted.app))))
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")


if __name__ == "__main__":
    main()
