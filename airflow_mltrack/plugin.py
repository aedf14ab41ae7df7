"""The Airflow plugin. Every task process imports this module: it must reach nothing heavy."""

from __future__ import annotations

from typing import Any

from airflow.sdk.plugins_manager import AirflowPlugin

from airflow_mltrack import listener


class MltrackPlugin(AirflowPlugin):
    """Closes the runs of tasks that ended, and serves MLTrack in Airflow's web server."""

    name = "mltrack"
    listeners = [listener]  # noqa: RUF012 - as Airflow declares it

    @property
    def fastapi_apps(self) -> list[dict[str, Any]]:  # type: ignore[override]
        """The web app; only the API server asks for it, so only there FastAPI is loaded."""
        from airflow_mltrack.assets import model_asset
        from airflow_mltrack.hooks.server_client import server_client
        from airflow_mltrack.web.app import create_app
        from airflow_mltrack.web.asset_events import AssetEvents
        from airflow_mltrack.web.auth import AirflowAccess

        app = create_app(server_client, AirflowAccess(), AssetEvents(model_asset))
        return [{"app": app, "url_prefix": "/mltrack", "name": "MLTrack"}]
