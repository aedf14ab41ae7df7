"""The input example of a package: rows that show what to send, and that are nobody's.

Without rows given by the caller, the example is one synthetic row: the median of every number and
date, the most frequent value of every other column. Medians and modes are facts about columns, not
about a person. A text column without a repeated value (names, ids) gets the word ``text``.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from airflow_mltrack.exceptions import InvalidInput

if TYPE_CHECKING:
    import pandas

MAX_EXAMPLE_ROWS = 100
"""An example with more rows is a data set and does not belong into a package."""

EXAMPLE_FILE = "input_example.json"
SERVING_EXAMPLE_FILE = "serving_input_example.json"

_UNREPEATED_TEXT = "text"


def synthetic_example(training_data: Any) -> Any:
    """Make one row in the likeness of a training table.

    :param training_data: a DataFrame or a two-dimensional array.
    :return: one row of the same kind and with the same types.
    """
    import numpy
    import pandas

    if not hasattr(training_data, "columns"):
        middle = numpy.nanmedian(training_data, axis=0, keepdims=True)
        return middle.astype(training_data.dtype)
    columns = {}
    for place, name in enumerate(training_data.columns):
        values = training_data.iloc[:, place]
        columns[name] = pandas.Series([_typical(values)], dtype=values.dtype)
    return pandas.DataFrame(columns)


def checked_example(example: Any) -> Any:
    """Refuse an example that is a data set.

    :raises InvalidInput: when it has no row or more than :data:`MAX_EXAMPLE_ROWS`.
    """
    if not 1 <= len(example) <= MAX_EXAMPLE_ROWS:
        raise InvalidInput(
            "example",
            f"{len(example)} rows",
            f"it must have 1 to {MAX_EXAMPLE_ROWS} rows, which everyone will see in the package.",
            "Pass a few rows that may be seen, or training_data= to have one made up.",
        )
    return example


def example_files(example: Any) -> dict[str, str]:
    """Give the texts of the example's files by name, in the forms MLflow reads."""
    if hasattr(example, "columns"):
        split = json.loads(
            example.reset_index(drop=True).to_json(
                orient="split", index=False, date_format="iso", double_precision=15
            )
        )
        serving = {"dataframe_split": split}
        return {EXAMPLE_FILE: json.dumps(split), SERVING_EXAMPLE_FILE: json.dumps(serving)}
    rows = example.tolist()
    return {EXAMPLE_FILE: json.dumps(rows), SERVING_EXAMPLE_FILE: json.dumps({"inputs": rows})}


def example_info(example: Any) -> dict[str, object]:
    """Give what an MLmodel file says about the example."""
    info: dict[str, object] = {
        "artifact_path": EXAMPLE_FILE,
        "serving_input_path": SERVING_EXAMPLE_FILE,
    }
    if hasattr(example, "columns"):
        return {**info, "type": "dataframe", "pandas_orient": "split"}
    return {**info, "type": "ndarray", "format": "tf-serving"}


def _typical(values: pandas.Series[Any]) -> Any:
    import pandas

    types = pandas.api.types
    known = values.dropna()
    if not len(known):
        return None
    if types.is_bool_dtype(values.dtype):
        return bool(known.mode().iloc[0])
    if types.is_integer_dtype(values.dtype):
        return int(known.median())
    if types.is_float_dtype(values.dtype) or types.is_datetime64_any_dtype(values.dtype):
        return known.median()
    counts = known.value_counts()
    if counts.iloc[0] < 2 and isinstance(counts.index[0], str):
        return None if isinstance(values.dtype, pandas.CategoricalDtype) else _UNREPEATED_TEXT
    # Ties are broken by the text, so that the same table gives the same example.
    return min(counts[counts == counts.iloc[0]].index, key=str)
