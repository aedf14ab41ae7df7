"""Code of the documentation runs in this process: what it sets is taken back."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def no_tracking_address() -> Iterator[None]:
    """Take back the address that an example gave to MLflow's client."""
    yield
    if "mlflow" in sys.modules:
        import mlflow

        mlflow.set_tracking_uri(None)
    os.environ.pop("MLFLOW_TRACKING_URI", None)
