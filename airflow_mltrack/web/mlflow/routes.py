"""Everything that the protocol's app answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from airflow_mltrack.web.mlflow import (
    artifacts,
    experiments,
    inputs,
    metrics,
    model_versions,
    models,
    multipart,
    not_implemented,
    openapi,
    presigned,
    registered_models,
    runs,
    server_info,
    single_files,
    webhooks,
)
from airflow_mltrack.web.mlflow.calls import Needs, Route

if TYPE_CHECKING:
    from fastapi import APIRouter

ROUTES: tuple[Route, ...] = (
    *experiments.ROUTES,
    *runs.ROUTES,
    *metrics.ROUTES,
    *inputs.ROUTES,
    *models.ROUTES,
    *artifacts.ROUTES,
    *multipart.ROUTES,
    *single_files.ROUTES,
    *presigned.ROUTES,
    *registered_models.ROUTES,
    *model_versions.ROUTES,
    *webhooks.ROUTES,
    *not_implemented.ROUTES,
)
"""Every endpoint below ``/api/2.0`` and ``/ajax-api/2.0``."""

ROUTERS: Mapping[Needs, Sequence[APIRouter]] = {
    Needs.READ: (artifacts.READING, openapi.READING),
    Needs.WRITE: (artifacts.WRITING, single_files.WRITING),
}
"""Endpoints at the same places whose bodies are files."""

CAPABILITY_ROUTES: tuple[Route, ...] = (*server_info.ROUTES, *not_implemented.ROUTES)
"""Every endpoint below ``/api/3.0`` and ``/ajax-api/3.0``."""

ROOT_ROUTES: tuple[Route, ...] = (*single_files.ROOT_ROUTES, *server_info.ROOT_ROUTES)
"""Every endpoint at the root of the app that the protocol is mounted in."""
