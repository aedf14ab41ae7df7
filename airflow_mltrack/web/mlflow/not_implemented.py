"""Parts of the protocol that this server does not do: they answer that they do not."""

from __future__ import annotations

from typing import NoReturn

from airflow_mltrack.web.mlflow.calls import Call, Needs, Route
from airflow_mltrack.web.mlflow.errors import NOT_IMPLEMENTED, MlflowError

_FAMILIES = {
    "traces": "traces",
    "scorers": "scorers",
    "datasets": "evaluation data sets",
    "assessments": "assessments",
    "gateway": "the AI gateway",
    "prompts": "prompts",
    "prompt-optimization": "prompt optimization",
    "jobs": "jobs",
    "workspaces": "workspaces",
}
"""First part of the path to what it is about."""
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


def not_implemented() -> MlflowError:
    """Return the error that says what this server does not do."""
    return MlflowError(
        NOT_IMPLEMENTED,
        "This server does not do that part of the protocol: "
        + ", ".join(sorted(set(_FAMILIES.values())))
        + ". docs/mlflow-compatibility.md lists what it does.",
    )


def _refuse(call: Call) -> NoReturn:
    del call
    raise not_implemented()


ROUTES = tuple(
    Route(method, path, _refuse, {}, Needs.READ, by_query=True)
    for family in _FAMILIES
    for path in (f"/mlflow/{family}", f"/mlflow/{family}/{{rest:path}}")
    for method in _METHODS
)
"""For ``/api/2.0`` and ``/api/3.0``; clients take 501 for "do without"."""
