"""Compares what two models predict for the same rows."""

from __future__ import annotations

from typing import Any

from airflow_mltrack.exceptions import ModelPackageError, UnsupportedModel
from airflow_mltrack.model_package.object_graph import type_name

TOLERANCE = 1e-12
"""Forests that add up their trees in several threads round differently from call to call."""

_METHODS = ("predict_proba", "decision_function", "predict", "transform")


def prove_equal(original: Any, packaged: Any, rows: Any) -> dict[str, object]:
    """Prove that two models predict the same.

    :param original: the model as it was fitted.
    :param packaged: the model as it was read back from the package.
    :param rows: rows to predict for.
    :return: the number of rows, the methods compared and the largest absolute difference (0.0
        unless threads add in another order, then below 1e-12).
    :raises UnsupportedModel: when a difference is larger.
    :raises ModelPackageError: when the original itself fails on the rows.
    """
    compared, largest = [], 0.0
    for method in _METHODS:
        if not hasattr(original, method):
            continue
        try:
            expected = getattr(original, method)(rows)
        except Exception as error:  # whatever a model raises, it is the rows that do not fit it
            raise ModelPackageError(
                f"{type_name(original)}.{method} fails on the example rows: {error}. "
                "Pass example= or training_data= with the columns that the model was fitted on."
            ) from error
        difference = _difference(expected, _call(packaged, method, rows, type_name(original)))
        if difference is None or difference > TOLERANCE:
            raise UnsupportedModel(
                type_name(original),
                f"{method} of the packaged model differs from the original by {difference}.",
            )
        compared.append(method)
        largest = max(largest, difference)
    return {"rows": len(rows), "methods": compared, "max_difference": largest}


def _call(packaged: Any, method: str, rows: Any, name: str) -> Any:
    try:
        return getattr(packaged, method)(rows)
    except Exception as error:
        raise UnsupportedModel(name, f"the packaged model's {method} fails ({error}).") from error


def _difference(expected: Any, found: Any) -> float | None:
    """Largest absolute difference; None when the shapes or texts differ."""
    import numpy

    if hasattr(expected, "toarray"):
        expected, found = expected.toarray(), found.toarray()
    left, right = numpy.asarray(expected), numpy.asarray(found)
    if left.shape != right.shape or left.dtype.kind != right.dtype.kind:
        return None
    if left.dtype.kind not in "iufc":
        return 0.0 if numpy.array_equal(left, right) else None
    both = (left == right) | (numpy.isnan(left) & numpy.isnan(right))
    if both.all():
        return 0.0
    found_difference = float(
        numpy.abs(left.astype("float64") - right.astype("float64"))[~both].max()
    )
    return None if numpy.isnan(found_difference) else found_difference
