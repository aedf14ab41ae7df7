"""Finds parts of a model that keep training rows because they need them to predict.

Neighbours, kernel machines and Gaussian processes cannot work without them. Such a package is still
written, and its manifest says what it holds, so that nobody shares it believing it holds none.
"""

from __future__ import annotations

from airflow_mltrack.model_package.object_graph import type_name, walk

# Fitted attributes in which scikit-learn estimators keep rows, or numbers made of single rows.
_ROW_ATTRIBUTES = frozenset(
    {"_fit_X", "support_vectors_", "X_train_", "X_fit_", "X_", "_X_fit", "_raw_X"}
)
_CLASS_ATTRIBUTES = {
    "Nystroem": "components_",
    "DBSCAN": "components_",
    "AffinityPropagation": "cluster_centers_",
}
_SEARCH_TREES = ("KDTree", "BallTree")


def find_training_rows(model: object, training_rows: int | None = None) -> tuple[str, ...]:
    """Name the parts of a model that keep training rows.

    :param model: a fitted model.
    :param training_rows: how many rows it was trained on; then an array of an estimator with as
        many rows and several columns is reported too, whatever its name.
    :return: one sentence per part, empty when none was found. A class of your own that hides rows
        in a way that is not visible in its attributes is not found.
    """
    found = []
    for path, obj in walk(model):
        for name, value in (getattr(obj, "__dict__", None) or {}).items():
            if _holds_rows(obj, name, value) or _as_long_as(value, training_rows):
                place = f" at {path}" if path else ""
                found.append(f"{type_name(obj)}{place} keeps training rows in {name}.")
    return tuple(found)


def _holds_rows(owner: object, name: str, value: object) -> bool:
    if value is None:
        return False
    if type(value).__name__ == "DataFrame" or type(value).__name__ in _SEARCH_TREES:
        return True
    named = name in _ROW_ATTRIBUTES or _CLASS_ATTRIBUTES.get(type(owner).__name__) == name
    return named and hasattr(value, "shape")


def _as_long_as(value: object, rows: int | None) -> bool:
    shape = getattr(value, "shape", None)
    return (
        rows is not None
        and isinstance(shape, tuple)
        and len(shape) == 2
        and (shape[0] == rows and shape[1] > 1)
    )
