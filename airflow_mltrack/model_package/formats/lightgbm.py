"""LightGBM boosters as LightGBM's own text file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from airflow_mltrack.exceptions import UntrustedPackage

_FIRST_LINE = b"tree\n"


def save(model: Any, file: Path) -> frozenset[str]:
    """Write a booster with all its iterations.

    :return: the types that the file holds.
    """
    text = model.model_to_string(num_iteration=-1)
    file.write_text(text, encoding="utf-8", newline="\n")
    return frozenset({"lightgbm.basic.Booster"})


def load(file: Path, *, where: str = "") -> Any:
    """Read a booster.

    :param where: package directory or URI, for errors.
    :raises UntrustedPackage: when the file is not a LightGBM model.
    """
    import lightgbm

    where = where or str(file.parent)
    with file.open("rb") as stream:
        if stream.readline(16).replace(b"\r\n", b"\n") != _FIRST_LINE:
            raise UntrustedPackage(where, (), reason=f"{file.name} is no LightGBM model.")
    try:
        return lightgbm.Booster(model_str=file.read_text(encoding="utf-8"))
    except (lightgbm.basic.LightGBMError, ValueError) as error:
        reason = f"LightGBM cannot read {file.name} ({error})."
        raise UntrustedPackage(where, (), reason=reason) from error
