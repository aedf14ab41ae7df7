"""Import a class by dotted path, from trusted modules only.

Recipes are plain data and may come from whoever may trigger a Dag, so a path must reach nothing but
an estimator class that a trusted module itself defines.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Sequence

from airflow_mltrack.exceptions import InvalidInput, UntrustedImport
from airflow_mltrack.training.close_names import did_you_mean


def import_class(path: str, trusted_modules: Sequence[str], methods: Sequence[str]) -> type:
    """Import an estimator class.

    :param path: ``module.Class``, for example ``sklearn.linear_model.LogisticRegression``.
    :param trusted_modules: top-level modules that may be named.
    :param methods: methods that the class must have.
    :raises UntrustedImport: when the path, or the module that really defines the class, is outside
        the trusted modules, or a part of the path is private.
    :raises InvalidInput: when there is no such class, or it is no estimator with these methods.
    """
    module_name, _, class_name = path.rpartition(".")
    parts = path.split(".")
    if not module_name or not all(part.isidentifier() for part in parts):
        raise InvalidInput("import path", path, "it reads module.Class.", "Or use a short name.")
    # Test modules run code of their own when they are imported.
    closed = any(part.startswith("_") or part in ("tests", "conftest") for part in parts)
    if parts[0] not in trusted_modules or closed:
        raise UntrustedImport(path, trusted_modules)
    found = getattr(_module(path, module_name), class_name, None)
    if found is None:
        names = [name for name in dir(_module(path, module_name)) if not name.startswith("_")]
        raise InvalidInput(
            "import path",
            path,
            f"{module_name} has no {class_name}.",
            did_you_mean(class_name, names),
        )
    if not inspect.isclass(found):
        raise InvalidInput("import path", path, "it names something that is not a class.")
    # A trusted module may import foreign classes; being reachable through it is not enough.
    if found.__module__.partition(".")[0] not in trusted_modules:
        raise UntrustedImport(f"{found.__module__}.{found.__qualname__}", trusted_modules)
    _check_estimator(path, found, methods)
    return found


def _module(path: str, name: str) -> object:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise InvalidInput(
            "import path", path, f"{name} cannot be imported: {error}.", "Is it installed here?"
        ) from error


def _check_estimator(path: str, found: type, methods: Sequence[str]) -> None:
    from sklearn.base import BaseEstimator

    missing = [name for name in methods if not callable(getattr(found, name, None))]
    if not issubclass(found, BaseEstimator) or missing or inspect.isabstract(found):
        lack = f"it has no {' and no '.join(missing)}" if missing else "it is no complete estimator"
        raise InvalidInput("import path", path, f"{lack}.", f"Needed: {', '.join(methods)}.")
