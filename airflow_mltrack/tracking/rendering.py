"""Turn objects into the bytes of a file: JSON or YAML, pictures, tables."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from airflow_mltrack.exceptions import InvalidInput

if TYPE_CHECKING:
    import pandas as pd

_PICTURES = ("png", "svg", "pdf", "jpg", "jpeg", "webp")


def render_dict(data: Mapping[str, Any] | Sequence[Any], path: str) -> bytes:
    """Render as YAML when the path ends in ``.yaml`` or ``.yml``, as JSON otherwise.

    numpy scalars and arrays become numbers and lists.

    :raises InvalidInput: when something in it has no JSON form.
    """
    try:
        text = json.dumps(data, indent=2, default=_plain, ensure_ascii=False)
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"content of {path}", type(data).__name__, f"{error}.") from error
    if _extension(path) in ("yaml", "yml"):
        import yaml

        text = yaml.safe_dump(json.loads(text), sort_keys=False, allow_unicode=True)
    return text.encode()


def render_figure(figure: Any, path: str) -> bytes:
    """Render a matplotlib figure in the format that the extension names.

    :raises InvalidInput: when it is no figure, or the extension is no picture format.
    """
    extension = _extension(path)
    if extension not in _PICTURES:
        known = ", ".join(f".{name}" for name in _PICTURES)
        raise InvalidInput("figure path", path, f"it ends in one of {known}.")
    if not callable(getattr(figure, "savefig", None)):
        raise InvalidInput("figure", type(figure).__name__, "it is a matplotlib figure.")
    target = io.BytesIO()
    figure.savefig(target, format=extension, bbox_inches="tight")
    return target.getvalue()


def table_frame(data: Any) -> pd.DataFrame:
    """Return a table as a data frame.

    :param data: a data frame, or a mapping of column to values (one value, or one for each row).
    :raises InvalidInput: when it is neither, or the columns have different lengths.
    """
    import pandas as pd

    if isinstance(data, pd.DataFrame):
        return data
    if not isinstance(data, Mapping):
        raise InvalidInput("table", type(data).__name__, "it is a data frame or a mapping.")
    columns = {str(name): _column(values) for name, values in data.items()}
    try:
        return pd.DataFrame(columns)
    except ValueError as error:
        raise InvalidInput("table", list(columns), f"{error}.") from error


def render_table(frame: pd.DataFrame, path: str) -> bytes:
    """Render as JSON (``columns`` and ``data``, MLflow's form) or Parquet, by extension.

    :raises InvalidInput: for another extension.
    """
    if check_table_path(path) == "json":
        text = frame.to_json(orient="split", index=False, date_format="iso")
        return text.encode()
    target = io.BytesIO()
    frame.to_parquet(target, index=False)
    return target.getvalue()


def read_table(data: bytes, path: str) -> pd.DataFrame:
    """Read what :func:`render_table` wrote."""
    import pandas as pd

    if check_table_path(path) == "json":
        split = json.loads(data)
        return pd.DataFrame(split["data"], columns=split["columns"])
    return pd.read_parquet(io.BytesIO(data))


def append_rows(old: pd.DataFrame, new: pd.DataFrame) -> pd.DataFrame:
    """Put rows below others; a column that one side lacks is empty there."""
    import pandas as pd

    return pd.concat([old, new], ignore_index=True)


def check_table_path(path: str) -> str:
    """Return the extension of a table's path.

    :raises InvalidInput: when it is neither ``.json`` nor ``.parquet``.
    """
    extension = _extension(path)
    if extension not in ("json", "parquet"):
        raise InvalidInput("table path", path, "it ends in .json or .parquet.")
    return extension


def _extension(path: str) -> str:
    return PurePosixPath(path).suffix.lower().lstrip(".")


def _column(values: Any) -> Any:
    is_one = isinstance(values, (str, bytes)) or not hasattr(values, "__len__")
    return [values] if is_one else values


def _plain(value: Any) -> object:
    for name in ("tolist", "isoformat", "to_json"):
        convert = getattr(value, name, None)
        if callable(convert):
            return convert()
    raise TypeError(f"a {type(value).__name__} has no JSON form")
