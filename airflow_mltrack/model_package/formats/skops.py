"""scikit-learn and LightGBM estimators as skops files: no pickle, every type audited.

A LightGBM estimator keeps its trees as LightGBM's own text inside the skops file, because that is
the state its booster gives.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

from airflow_mltrack.exceptions import UnsupportedModel, UntrustedPackage
from airflow_mltrack.model_package.object_graph import type_name
from airflow_mltrack.model_package.skops_archive import write_reproducibly
from airflow_mltrack.model_package.tree_bounds import check_trees
from airflow_mltrack.model_package.trusted_types import audit, untrusted


def save(model: Any, file: Path, trusted_types: Iterable[str] = ()) -> frozenset[str]:
    """Write a model.

    :param trusted_types: dotted names trusted in addition to the registry's.
    :return: the types that the file holds.
    :raises UnsupportedModel: when skops cannot write it, or it holds types that nobody could load.
    """
    skops_io = import_skops()
    try:
        data = skops_io.dumps(model)
    except (TypeError, ValueError, AttributeError, RecursionError) as error:
        raise UnsupportedModel(type_name(model), f"skops cannot write it ({error}).") from error
    found = write_reproducibly(data, file)
    if refused := untrusted(found, trusted_types):
        raise UnsupportedModel(
            type_name(model),
            f"it holds types that the registry does not trust: {', '.join(refused)}. Pass them in "
            "trusted_types= (and add them to MLTRACK_TRUSTED_TYPES, so that readers load it).",
        )
    return found


def load(file: Path, trusted_types: Iterable[str] = (), *, where: str = "") -> Any:
    """Audit a file, then build the model.

    :param trusted_types: dotted names trusted in addition to the registry's.
    :param where: package directory or URI, for errors.
    :raises UntrustedPackage: before anything is built, when the file is not plain or holds types
        that are not trusted; afterwards, when its trees point outside themselves.
    """
    skops_io = import_skops()
    where = where or str(file.parent)
    found = audit(file, trusted_types, where=where)
    # skops looks at the types once more, with its own defaults and the names that passed here.
    names = sorted({name.removesuffix("()") for name in found})
    try:
        model = skops_io.load(file, trusted=names)
    except (TypeError, ValueError, KeyError, AttributeError, ImportError, RecursionError) as error:
        reason = f"{file.name} cannot be built ({type(error).__name__}: {error})."
        raise UntrustedPackage(where, (), reason=reason) from error
    check_trees(model, where)
    return model


def import_skops() -> ModuleType:
    """Import skops, which looks numpy's functions up in every module that is loaded.

    In an Airflow task hundreds of those lookups meet modules that answer any name with a warning.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        import skops.io
    return skops.io  # type: ignore[no-any-return]
