"""The environment of a package that MLflow wrote, in the form of our manifest.

MLflow lists whatever was imported while it loaded the model once, among it mlflow itself and test
tools. Only libraries that a model of a readable flavor is made of are *required*, so that a process
without the others loads it; the rest is *listed* for those who build the environment again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from airflow_mltrack.model_package.bounded_yaml import read_yaml
from airflow_mltrack.model_package.package_files import PackageFiles

_BYTES = 1024 * 1024
"""A larger file is not read: each of its lines would go into the manifest."""
_REQUIREMENTS = "requirements.txt"
_CONDA, _PYTHON_ENV = "conda.yaml", "python_env.yaml"
# No two parts that take blanks follow each other: a long line of blanks would take for ever.
_PIN = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[[^\]]*\]\s*)?==\s*([^\s;,#]+)")
_MODEL_LIBRARIES = frozenset(
    {"imbalanced-learn", "lightgbm", "numpy", "pandas", "scikit-learn", "scipy"}
)
_VERSIONS = {
    "sklearn": ("scikit-learn", "sklearn_version"),
    "lightgbm": ("lightgbm", "lgb_version"),
}


def read_environment(
    flavors: Mapping[str, Mapping[str, object]], package: PackageFiles, serialization: str
) -> dict[str, object]:
    """Read what a package says about its environment.

    :param flavors: of the MLmodel file, by name.
    :param serialization: ``skops``, ``cloudpickle``, ``pickle`` or empty.
    :raises ModelPackageError: when a file is too large.
    :raises ValueError: when one cannot be read.
    """
    pins = dict(_pins(_lines(package)))
    for flavor, (library, key) in _VERSIONS.items():
        version = flavors.get(flavor, {}).get(key)
        if isinstance(version, str):
            pins[library] = version
    needed = _MODEL_LIBRARIES | {serialization}
    return {
        "python": _python(flavors, package),
        "required": {name: pins[name] for name in sorted(pins) if name in needed},
        "listed": {name: pins[name] for name in sorted(pins) if name not in needed},
    }


def _pins(lines: list[str]) -> Iterator[tuple[str, str]]:
    for line in lines:
        if found := _PIN.match(line):
            yield re.sub(r"[-_.]+", "-", found[1]).lower(), found[2]


def _lines(package: PackageFiles) -> list[str]:
    """Return the lines of requirements.txt, or those for pip in conda.yaml (before MLflow 1.19)."""
    if _REQUIREMENTS in package.paths:
        return package.read(_REQUIREMENTS, _BYTES).decode("utf-8", "replace").splitlines()
    found = _mapping(package, _CONDA).get("dependencies")
    listed = found if isinstance(found, list) else []
    groups = [item.get("pip") for item in listed if isinstance(item, dict)]
    return [line for group in groups if isinstance(group, list) for line in map(str, group)]


def _python(flavors: Mapping[str, Mapping[str, object]], package: PackageFiles) -> str:
    told = flavors.get("python_function", {}).get("python_version")
    return str(told or _mapping(package, _PYTHON_ENV).get("python") or "")


def _mapping(package: PackageFiles, path: str) -> dict[str, object]:
    if path not in package.paths:
        return {}
    try:
        found = read_yaml(package.read(path, _BYTES))
    except ValueError as error:
        raise ValueError(f"{path} cannot be read: {error}") from error
    return found if isinstance(found, dict) else {}
