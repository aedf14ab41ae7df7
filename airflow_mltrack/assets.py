"""Airflow assets of registered models: one asset for each model and stage."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, quote, unquote

from airflow.sdk import AssetAlias
from airflow.sdk.definitions.asset import Model

if TYPE_CHECKING:
    from airflow.sdk.definitions.asset import BaseAsset
    from pydantic import JsonValue

SCHEME = "mltrack"
PROMOTIONS = AssetAlias("mltrack-promotions")
"""Takes the events of moves whose model or stage is known only when the task runs."""
_TEMPLATE = re.compile(r"\{[{%#]")


def model_asset(
    name: str, stage: str = "Production", extra: dict[str, JsonValue] | None = None
) -> Model:
    """Make the asset that stands for "the version of this model in this stage".

    Producers and consumers must both use this function: Airflow identifies an asset by name and URI
    together and deactivates one whose halves do not agree.

    :param name: registered model name.
    :param stage: ``Staging``, ``Production``, ...; upper and lower case are the same asset.
    :param extra: JSON-able facts shown with the asset.
    """
    place = stage.lower()
    uri = f"{SCHEME}://{quote(name, safe='')}/{quote(place, safe='')}"
    return Model(name=f"{SCHEME}:{name}/{place}", uri=uri, extra=extra)


def promotion_outlet(name: object, stage: object) -> BaseAsset:
    """Choose the asset that a promotion writes to; templates are known only when the task runs."""
    if isinstance(name, str) and isinstance(stage, str) and not _TEMPLATE.search(name + stage):
        return model_asset(name, stage)
    return PROMOTIONS


def normalize_uri(uri: SplitResult) -> SplitResult:
    """Bring ``mltrack://model/stage`` into its one form; Airflow calls it for every such URI.

    :raises ValueError: when it does not name one model and one stage.
    """
    stage = unquote(uri.path.strip("/"))
    if not uri.netloc or not stage or "/" in stage or uri.query:
        raise ValueError(
            f"{uri.geturl()!r} is not an mltrack asset: it is mltrack://MODEL/STAGE, "
            "for example mltrack://churn/production. "
            "airflow_mltrack.assets.model_asset() makes the right one."
        )
    model = quote(unquote(uri.netloc), safe="")
    return uri._replace(netloc=model, path=f"/{quote(stage.lower(), safe='')}")
