"""Import a class or a function by dotted path, from trusted modules only.

Recipes and policies are plain data and may come from whoever may trigger a Dag, so a path must
reach nothing but an estimator class or a function that a trusted module itself defines.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Sequence
from types import FunctionType

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
    check_import_path(path, trusted_modules, kind="Class", hint="Or use a short name.")
    found = _find(path)
    if not inspect.isclass(found):
        raise InvalidInput("import path", path, "it names something that is not a class.")
    _check_home(found, trusted_modules)
    _check_estimator(path, found, methods)
    return found


def import_function(path: str, trusted_modules: Sequence[str]) -> Callable[..., object]:
    """Import a function.

    :param path: ``module.function``, for example ``my_checks.margin.check``.
    :param trusted_modules: top-level modules that may be named.
    :raises UntrustedImport: as for :func:`import_class`.
    :raises InvalidInput: when there is no such function.
    """
    check_import_path(path, trusted_modules, kind="function")
    found = _find(path)
    if not inspect.isfunction(found):
        raise InvalidInput("import path", path, "it names something that is not a function.")
    _check_home(found, trusted_modules)
    return found


def check_import_path(
    path: str, trusted_modules: Sequence[str] | None, *, kind: str, hint: str = ""
) -> None:
    """Look at a path without importing anything.

    :param trusted_modules: None where they are not known yet: they are not looked at then.
    :param kind: what the last part names, for the message.
    :raises UntrustedImport: when it leaves the trusted modules, or a part of it is private.
    :raises InvalidInput: when it is no dotted path, or a part of it is private.
    """
    parts = path.split(".")
    if len(parts) < 2 or not all(part.isidentifier() for part in parts):
        raise InvalidInput("import path", path, f"it reads module.{kind}.", hint)
    # Test modules run code of their own when they are imported.
    closed = any(part.startswith("_") or part in ("tests", "conftest") for part in parts)
    if trusted_modules is None:
        if closed:
            raise InvalidInput("import path", path, "no part of it is private or holds tests.")
    elif closed or parts[0] not in trusted_modules:
        raise UntrustedImport(path, trusted_modules)


def _find(path: str) -> object:
    module_name, _, name = path.rpartition(".")
    module = _module(path, module_name)
    found = getattr(module, name, None)
    if found is None:
        names = [known for known in dir(module) if not known.startswith("_")]
        raise InvalidInput(
            "import path", path, f"{module_name} has no {name}.", did_you_mean(name, names)
        )
    return found


def _check_home(found: type | FunctionType, trusted_modules: Sequence[str]) -> None:
    # A trusted module may import what is foreign; being reachable through it is not enough.
    if found.__module__.partition(".")[0] not in trusted_modules:
        raise UntrustedImport(f"{found.__module__}.{found.__qualname__}", trusted_modules)


def _module(path: str, name: str) -> object:
    try:
        return importlib.import_module(name)
    except (Exception, SystemExit) as error:  # a module's own code may raise anything
        reason = f"{name} cannot be imported: {type(error).__name__}: {error}."
        raise InvalidInput("import path", path, reason, "Is it installed here?") from error


def _check_estimator(path: str, found: type, methods: Sequence[str]) -> None:
    from sklearn.base import BaseEstimator

    missing = [name for name in methods if not callable(getattr(found, name, None))]
    if not issubclass(found, BaseEstimator) or missing or inspect.isabstract(found):
        lack = f"it has no {' and no '.join(missing)}" if missing else "it is no complete estimator"
        raise InvalidInput("import path", path, f"{lack}.", f"Needed: {', '.join(methods)}.")
