"""The environment that a model needs: which libraries, in which versions.

``requirements.txt`` names the libraries whose types are in the model, plus those that its format
needs, in the versions of this process. Everything else that is installed is listed in
``environment.json`` for reproduction, without the direct URLs and local paths that ``pip freeze``
would show.
"""

from __future__ import annotations

import functools
import importlib.metadata
import json
import platform
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from airflow_mltrack.exceptions import UnsupportedModel
from airflow_mltrack.model_package.object_graph import walk

_ALWAYS = ("numpy", "pandas", "scikit-learn")
_DISTRIBUTIONS = {
    "imblearn": "imbalanced-learn",
    "lightgbm": "lightgbm",
    "numpy": "numpy",
    "pandas": "pandas",
    "scipy": "scipy",
    "sklearn": "scikit-learn",
}
_FORMAT_LIBRARIES = {"skops": ("skops",), "lightgbm": ("lightgbm",), "pickle": ()}
# With these a change of the second number changes how a fitted model is stored; with the other
# libraries only the first number does.
_MINOR_MATTERS = frozenset({"scikit-learn", "imbalanced-learn", "lightgbm"})


@dataclass(frozen=True, slots=True)
class Environment:
    """An interpreter and its libraries."""

    python: str
    """For example ``3.11.7``."""
    platform: str
    """Operating system and processor, without host names."""
    required: Mapping[str, str] = field(default_factory=dict)
    """Library (as pip names it) to version: what the model needs."""
    installed: Mapping[str, str] = field(default_factory=dict)
    """Everything that was installed."""

    def to_json(self) -> dict[str, object]:
        """Give the part that stands in the manifest."""
        return {
            "python": self.python,
            "platform": self.platform,
            "required": dict(self.required),
        }

    def files(self) -> dict[str, str]:
        """Give the texts of the files for pip, conda and MLflow by name."""
        requirements = [f"{name}=={version}" for name, version in sorted(self.required.items())]
        pip_lines = "".join(f"  - {line}\n" for line in requirements)
        return {
            "requirements.txt": "".join(f"{line}\n" for line in requirements),
            "conda.yaml": (
                "name: mltrack-env\nchannels:\n- conda-forge\ndependencies:\n"
                f"- python={self.python}\n- pip\n- pip:\n{pip_lines}"
            ),
            "python_env.yaml": (
                f"python: {self.python}\nbuild_dependencies:\n- pip\n- setuptools\n- wheel\n"
                "dependencies:\n- -r requirements.txt\n"
            ),
            "environment.json": json.dumps(
                {"python": self.python, "platform": self.platform, "installed": self.installed},
                indent=1,
                sort_keys=True,
            ),
        }


def capture_environment(
    model: object,
    *,
    format: str = "skops",  # noqa: A002
    modules: Iterable[str] = (),
) -> Environment:
    """Find what a model needs, in the versions of this process.

    The list of installed libraries is read once per process.

    :param model: the fitted model.
    :param format: format of its package.
    :param modules: further modules that the model's file refers to.
    :raises UnsupportedModel: when a type comes from a library that is installed without metadata,
        so that no requirement can name it. A module that is no installed library at all (a Dag's
        own code) raises too, unless the format is ``pickle``, where cloudpickle stores such code by
        value.
    """
    tops = {type(obj).__module__.partition(".")[0] for _, obj in walk(model)}
    tops |= {module.partition(".")[0] for module in modules}
    names = {*_ALWAYS, *_FORMAT_LIBRARIES[format]}
    for top in sorted(tops - _standard_modules()):
        name = _DISTRIBUTIONS.get(top) or _distribution_of(top)
        if name:
            names.add(name)
        elif format != "pickle":
            raise UnsupportedModel(
                f"model with types of {top}", "that module is no installed library."
            )
    installed = _installed()
    return Environment(
        python=platform.python_version(),
        platform=_platform(),
        required={name: installed[name] for name in sorted(names) if name in installed},
        installed=installed,
    )


def differences(environment: Mapping[str, object]) -> dict[str, tuple[str, str | None]]:
    """Compare a manifest's environment with this process.

    :return: library to (packaged with, found here), for those that differ enough to matter:
        scikit-learn, imbalanced-learn and lightgbm by their first two numbers, others by the first;
        None when missing.
    """
    required = environment.get("required")
    found: dict[str, tuple[str, str | None]] = {}
    for name, packaged in (required if isinstance(required, dict) else {}).items():
        here = _version(name)
        digits = 2 if name in _MINOR_MATTERS else 1
        if here is None or str(packaged).split(".")[:digits] != here.split(".")[:digits]:
            found[name] = (str(packaged), here)
    return found


def _platform() -> str:
    return f"{platform.system()} {platform.machine()}"


@functools.cache
def _standard_modules() -> frozenset[str]:
    import sys

    return frozenset(sys.stdlib_module_names) | {"__main__", "airflow_mltrack", "_loss"}


@functools.cache
def _installed() -> dict[str, str]:
    found: dict[str, str] = {}
    for distribution in importlib.metadata.distributions():
        name = distribution.metadata["Name"]
        if name:
            found.setdefault(_normal(name), distribution.version)
    return dict(sorted(found.items()))


@functools.cache
def _distribution_of(module: str) -> str | None:
    names = importlib.metadata.packages_distributions().get(module)
    return _normal(names[0]) if names else None


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _normal(name: str) -> str:
    """Spell a name as PyPI does."""
    return re.sub(r"[-_.]+", "-", name).lower()
