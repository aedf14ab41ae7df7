"""Which file of a package that MLflow wrote holds the model, and how it is stored.

What is judged must be what is served, through every door. So all flavors that an MLmodel file names
must be of one file and read by MLflow's own loaders, and the file lies beside the MLmodel file:
for one in a folder MLflow would follow an MLmodel file in that folder.

========  ========================  =============================================================
flavor    file                      stored as
========  ========================  =============================================================
sklearn   ``pickled_model``         ``serialization_format``; a pickle where it is missing (1.x)
lightgbm  ``data``                  LightGBM's text for a booster, which it also is where
                                    ``model_class`` is missing (1.x); else as for sklearn, a
                                    cloudpickle where ``serialization_format`` is missing (2.x)
========  ========================  =============================================================
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass

from airflow_mltrack.exceptions import shorten

READ_FLAVORS = ("sklearn", "lightgbm")
"""Flavors that are read."""

_PYFUNC = "python_function"
_BOOSTER = "lightgbm.basic.Booster"
_STORED = ("skops", "pickle", "cloudpickle")
_SHOWN = 20
_NEXT = (
    "Log it with mlflow.sklearn.log_model or mlflow.lightgbm.log_model, or with log_model of "
    "airflow-mltrack."
)


@dataclass(frozen=True, slots=True)
class ModelFile:
    """The file that holds the model."""

    path: str
    format: str
    """``skops``, ``lightgbm`` or ``pickle``."""
    serialization: str = ""
    """For a pickle: ``pickle`` or ``cloudpickle``."""


def find_model_file(flavors: Mapping[str, Mapping[str, object]], paths: Set[str]) -> ModelFile:
    """Say which file holds the model.

    :param flavors: of the MLmodel file, by name.
    :param paths: of all files of the package.
    :raises ValueError: when there is none that can be read; one sentence, and the next step.
    :raises TypeError: the same, when something is of another type.
    """
    others = sorted(set(flavors) - {*READ_FLAVORS, _PYFUNC})
    named = [name for name in READ_FLAVORS if name in flavors]
    if others or not named:
        raise ValueError(
            f"it has the flavors {_listed(flavors)}; only {' and '.join(READ_FLAVORS)} (each also "
            f"as python_function) are read. {_NEXT}"
        )
    found = {name: _READERS[name](flavors[name]) for name in named}
    first = found[named[0]]
    for name, file in found.items():
        _check_path(name, file.path, paths)
        if file != first:
            raise ValueError(f"its flavors {' and '.join(named)} are different models. {_NEXT}")
    if _PYFUNC in flavors:
        _check_function(flavors[_PYFUNC], first.path, named)
    return first


def flavor_words(flavors: Mapping[str, Mapping[str, object]]) -> tuple[str, ...]:
    """Name the flavors, and the loader of each one that is a Python function."""
    return tuple(
        name + (f" ({shorten(str(flavor.get('loader_module')), 60)})" if name == _PYFUNC else "")
        for name, flavor in sorted(flavors.items())
    )


def _listed(flavors: Mapping[str, Mapping[str, object]]) -> str:
    words = [shorten(word, 100) for word in flavor_words(flavors)]
    more = f" and {len(words) - _SHOWN} more" if len(words) > _SHOWN else ""
    return (", ".join(words[:_SHOWN]) or "(none)") + more


def _sklearn(flavor: Mapping[str, object]) -> ModelFile:
    path = _text(flavor, "sklearn", "pickled_model")
    return _stored(path, flavor, "sklearn", "pickle")


def _lightgbm(flavor: Mapping[str, object]) -> ModelFile:
    path = _text(flavor, "lightgbm", "data")
    if flavor.get("model_class", _BOOSTER) == _BOOSTER:
        return ModelFile(path, "lightgbm")
    return _stored(path, flavor, "lightgbm", "cloudpickle")


def _stored(path: str, flavor: Mapping[str, object], name: str, default: str) -> ModelFile:
    form = flavor.get("serialization_format", default)
    if form not in _STORED:
        raise ValueError(
            f"serialization_format of its flavor {name} is {shorten(str(form), 60)!r}; "
            f"{', '.join(_STORED)} are read. {_NEXT}"
        )
    return ModelFile(path, "skops") if form == "skops" else ModelFile(path, "pickle", str(form))


def _text(flavor: Mapping[str, object], name: str, key: str) -> str:
    found = flavor.get(key)
    if not isinstance(found, str):
        raise TypeError(f"its flavor {name} names no file under {key}. {_NEXT}")
    return found


def _check_path(name: str, path: str, paths: Set[str]) -> None:
    """Accept a file that is there, beside the MLmodel file."""
    shown = shorten(path, 80)
    if "/" in path or "\\" in path or path in ("", ".", ".."):
        raise ValueError(
            f"its flavor {name} names the file {shown!r}, which is not one beside MLmodel. {_NEXT}"
        )
    if path not in paths:
        raise ValueError(
            f"its flavor {name} names the file {shown!r}, which is not there. Were all files "
            "uploaded? Log the model again."
        )


def _check_function(flavor: Mapping[str, object], path: str, named: list[str]) -> None:
    """Refuse a Python function that is another model than the flavors that are read."""
    loader = flavor.get("loader_module")
    if loader not in [f"mlflow.{name}" for name in named]:
        raise ValueError(
            f"its python_function is loaded by {shorten(str(loader), 60)!r}, not by MLflow's own "
            f"loader of {' or '.join(named)}: what it serves cannot be read. {_NEXT}"
        )
    for key in ("data", "model_path"):
        if key in flavor and flavor[key] != path:
            raise ValueError(
                f"its python_function serves {shorten(str(flavor[key]), 60)!r}, its flavor "
                f"{named[0]} is {shorten(path, 60)!r}: what is read would not be what is served. "
                f"{_NEXT}"
            )


_READERS = {"sklearn": _sklearn, "lightgbm": _lightgbm}
