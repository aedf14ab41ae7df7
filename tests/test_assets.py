from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from airflow.sdk import Asset

from airflow_mltrack.assets import model_asset, normalize_uri


def test_a_model_in_a_stage_is_one_asset() -> None:
    asset = model_asset("credit-default", "Production")
    assert asset.uri == "mltrack://credit-default/production"
    assert asset.name == "mltrack:credit-default/production"
    assert asset.group == "model"
    assert asset == model_asset("credit-default", "PRODUCTION")


@pytest.mark.parametrize("name", ["with space", "größe", "a#b", "50%", "Upper"])
def test_any_model_name_survives_airflows_normalization(name: str) -> None:
    asset = model_asset(name)
    assert Asset(name=asset.name, uri=asset.uri).uri == asset.uri
    assert normalize_uri(urlsplit(asset.uri)).geturl() == asset.uri


def test_different_models_are_different_assets() -> None:
    assert model_asset("a b").uri != model_asset("a-b").uri
    assert model_asset("a", "Staging").uri != model_asset("a").uri


@pytest.mark.parametrize(
    "uri", ["mltrack://credit", "mltrack:///production", "mltrack://a/b/c", "mltrack://a/b?x=1"]
)
def test_a_uri_that_names_no_model_and_stage_is_refused(uri: str) -> None:
    with pytest.raises(ValueError, match="mltrack://MODEL/STAGE"):
        normalize_uri(urlsplit(uri))


def test_airflow_uses_the_handler_of_the_provider() -> None:
    assert Asset(uri="mltrack://Credit/Production").uri == "mltrack://Credit/production"
