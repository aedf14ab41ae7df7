"""Emits Airflow asset events from inside the API server, as ``POST /api/v2/assets/events`` does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from airflow.assets.manager import asset_manager
from airflow.models.asset import AssetModel
from airflow.utils.session import create_session
from sqlalchemy import select

from airflow_mltrack.web.announcing import Told

if TYPE_CHECKING:
    from airflow.sdk import Asset

    from airflow_mltrack.entities.registry import ModelVersion
    from airflow_mltrack.web.access import Reader


class AssetEvents:
    """Announces that a version has come to a stage as an event on the asset of model and stage.

    :param asset_of: gives the asset by registered model name and stage.
    """

    def __init__(self, asset_of: Callable[[str, str], Asset]) -> None:
        self._asset_of = asset_of

    def __call__(self, reader: Reader, version: ModelVersion, facts: Mapping[str, object]) -> Told:
        """Emit the event; an asset that no Dag has ever named is not there to have events."""
        asset = self._asset_of(version.name, version.stage)
        with create_session() as session:
            found = session.scalar(
                select(AssetModel).where(AssetModel.name == asset.name, AssetModel.uri == asset.uri)
            )
            if found is None:
                return Told.NO_CONSUMER
            asset_manager.register_asset_change(
                asset=found,
                extra=dict(facts),
                source_is_api=True,
                api_user_teams=reader.teams(),
                session=session,
            )
        return Told.SENT
