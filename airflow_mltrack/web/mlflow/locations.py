"""Where clients find files: ``mlflow-artifacts:`` addresses, and what they stand for.

The addresses hold no host, so they stay right behind any prefix, proxy and name. They have MLflow's
form, but are names only: where the bytes are is in the records.

================================================  ==============================================
``mlflow-artifacts:/<experiment>``                 an experiment; holds no files
``.../<experiment>/<run>/artifacts/<path>``        a file of the run's latest attempt
``.../<experiment>/models/<model>/artifacts/<path>`` a file of a logged model
================================================  ==============================================
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from urllib.parse import unquote

from airflow_mltrack.artifacts.artifact_key import safe_path
from airflow_mltrack.exceptions import InvalidInput
from airflow_mltrack.web.mlflow.errors import MISSING, MlflowError, invalid

SCHEME = "mlflow-artifacts:"
_EXPERIMENT = r"(?P<experiment>[0-9]{1,18})"
_ID = r"[A-Za-z0-9][A-Za-z0-9_-]{0,255}"
_PATH = r"(?:/(?P<path>.*))?"
_RUN = re.compile(rf"{_EXPERIMENT}/(?P<run>{_ID})/artifacts{_PATH}", re.DOTALL)
_MODEL = re.compile(rf"{_EXPERIMENT}/models/(?P<model>{_ID})/artifacts{_PATH}", re.DOTALL)
_MOST_DECODINGS = 5
_LONGEST_ADDRESS = 4096


@dataclass(frozen=True, slots=True)
class Location:
    """What an address names."""

    experiment_id: int
    run_id: str | None = None
    model_id: str | None = None
    path: str = ""
    """Below the run's or the model's files; empty for all of them."""


def experiment_location(experiment_id: int) -> str:
    """Return the address of an experiment."""
    return f"{SCHEME}/{experiment_id}"


def run_location(experiment_id: int, run_id: str) -> str:
    """Return the address of a run's files."""
    return f"{SCHEME}/{experiment_id}/{run_id}/artifacts"


def model_location(experiment_id: int, model_id: str) -> str:
    """Return the address of a logged model's files."""
    return f"{SCHEME}/{experiment_id}/models/{model_id}/artifacts"


def parse_location(address: str) -> Location:
    """Read the part of an address behind the scheme, or a whole address.

    :raises MlflowError: when it climbs out, is absolute or holds what no path may hold; or names
        neither a run nor a model.
    """
    if len(address) > _LONGEST_ADDRESS:
        raise invalid(f"Invalid path: it is longer than {_LONGEST_ADDRESS} characters.")
    inner = address.removeprefix(SCHEME).lstrip("/")
    found = _MODEL.fullmatch(inner) or _RUN.fullmatch(inner)
    if found:
        names = found.groupdict()
        return Location(
            experiment_id=int(found["experiment"]),
            run_id=names.get("run"),
            model_id=names.get("model"),
            path=checked_path(found["path"] or ""),
        )
    checked_path(inner)
    raise MlflowError(
        MISSING,
        "There are no files under this path: it is EXPERIMENT/RUN/artifacts/... or "
        "EXPERIMENT/models/MODEL/artifacts/...",
    )


def checked_path(path: str) -> str:
    """Return a path below a run or a model, without a slash at its end.

    It is also looked at percent-decoded and with its look-alikes of dots and slashes replaced, as
    often as it can be: what reads it later might do so.

    :raises MlflowError: when it climbs out, is absolute or holds a forbidden character.
    """
    path = path.rstrip("/")
    if not path:
        return ""
    _check(path)
    plain = path
    for _ in range(_MOST_DECODINGS):
        further = unquote(unicodedata.normalize("NFKC", plain))
        if further == plain:
            return path
        if _climbs(further):
            raise invalid("Invalid path: decoded, it is absolute, climbs or holds a \\ or NUL.")
        plain = further
    raise invalid("Invalid path: it is percent-encoded over and over.")


def _check(path: str) -> None:
    try:
        safe_path(path)
    except InvalidInput as error:
        raise invalid(f"Invalid path: {error.rule}") from error
    if "#" in path:
        raise invalid("Invalid path: it holds a #, where clients cut addresses off.")
    if "\ufffd" in path:
        raise invalid("Invalid path: it is not in UTF-8.")


def _climbs(path: str) -> bool:
    return bool({"\\", "\x00"} & set(path)) or bool({"", ".", ".."} & set(path.split("/")))
