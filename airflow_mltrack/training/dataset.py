"""A table with a 0/1 target: what it is (spec), what was read (data set), what is recorded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from airflow_mltrack.entities.inputs import DatasetRecord
from airflow_mltrack.exceptions import InvalidInput
from airflow_mltrack.training.close_names import check_known_keys, did_you_mean
from airflow_mltrack.training.columns import column_type, plain_columns
from airflow_mltrack.training.loan_portfolio import GENERATED_SCHEME, generate_from_uri
from airflow_mltrack.training.table_file import Opener, TableFile, read_table, without_secrets
from airflow_mltrack.training.target import read_target

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

_LONGEST_NAME = 500


@dataclass(frozen=True, slots=True)
class DatasetSpec:
    """Which table to learn from. Plain data, so that it can travel as JSON."""

    uri: str
    """CSV, gzip CSV or Parquet: a path, ``file://``, ``http(s)://``, whatever the opener opens, or
    ``generated:loan_portfolio?rows=10000&seed=42``."""
    target: str
    """Column with the outcome."""
    positive: str | float | bool | None = None
    """Value of the target that is the event; None where the column holds 0/1 or booleans."""
    drop: tuple[str, ...] = ()
    """Columns to leave out, for example a row number."""
    categorical: tuple[str, ...] = ()
    """Numeric columns that hold codes, not amounts."""
    name: str | None = None
    """Name of the data set in records; None takes the file's name."""
    time_column: str | None = None
    """Column that orders the rows in time; not a feature."""

    def __post_init__(self) -> None:
        given: dict[str, object] = {"uri": self.uri, "target": self.target}
        for label, value in given.items():
            if not isinstance(value, str) or not value.strip():
                raise InvalidInput(f"data set {label}", value, "it is text that is not empty.")
        if _has_password(self.uri):
            # Specifications travel through XCom and into every package that is made from them.
            raise InvalidInput(
                "data set uri",
                without_secrets(self.uri),
                "it holds no password.",
                "Put the login into an Airflow connection: s3://CONN_ID@bucket/key.",
            )
        for label in ("drop", "categorical"):
            object.__setattr__(self, label, _names(label, getattr(self, label)))
        if len(self.name or "") > _LONGEST_NAME:
            raise InvalidInput("data set name", self.name, f"{_LONGEST_NAME} characters at most.")

    @property
    def title(self) -> str:
        """Name of the data set in records."""
        return self.name or _name_of(self.uri)

    def to_json(self) -> dict[str, object]:
        """Give plain data that :meth:`from_json` reads back; defaults are left out."""
        empty: tuple[object, ...] = (None, ())
        found = {key: value for key, value in asdict(self).items() if value not in empty}
        return {
            key: list(value) if isinstance(value, tuple) else value for key, value in found.items()
        }

    @classmethod
    def from_json(cls, data: Mapping[str, object]) -> DatasetSpec:
        """Read the spec from plain data.

        :raises InvalidInput: when a key is unknown, ``uri`` or ``target`` is missing, or a value
            has the wrong type.
        """
        check_known_keys("data set", data, [spec.name for spec in fields(cls)])
        for name in ("uri", "target"):
            if name not in data:
                raise InvalidInput("data set", sorted(data), f"the key {name} is missing.")
        return cls(**data)  # type: ignore[arg-type]  # __post_init__ checks the values


@dataclass(frozen=True, slots=True)
class Dataset:
    """A table that was read and can be learned from."""

    name: str
    frame: pd.DataFrame
    """All columns and rows as they were read."""
    features: pd.DataFrame
    """What a model may see: no target, no dropped, empty, constant or naming column."""
    target: NDArray[np.int64]
    """Shape (rows,), 1 is the event."""
    record: DatasetRecord
    spec: DatasetSpec
    notes: tuple[str, ...] = field(default=())
    """What was done to the table, one sentence each; also in the record's profile."""

    @property
    def synthetic(self) -> bool:
        """Whether the rows were made up by a generator."""
        return bool(self.record.profile.get("synthetic"))

    @property
    def time(self) -> pd.Series[Any] | None:
        """The time column, None when the spec names none."""
        return None if self.spec.time_column is None else self.frame[self.spec.time_column]


def load_dataset(spec: DatasetSpec, *, opener: Opener | None = None) -> Dataset:
    """Read a table and check that a classifier can learn from it.

    Empty columns, constant columns, dates and texts that differ in most rows (names, ids) are left
    out of the features and infinities become missing values; each is noted. Bytes beyond 64 MiB
    wait in a temporary file while they are hashed.

    :param opener: opens the URI; None opens paths, ``file://`` and ``http(s)://``.
    :raises NotFound: when the URI cannot be read.
    :raises DataUnavailable: when its server does not answer now.
    :raises InvalidInput: when it is no table, a named column is missing, the target is not binary,
        has missing values or only one class, or no feature is left.
    """
    synthetic = is_generated(spec.uri)
    table = load_table(spec.uri, opener)
    _check_columns(spec, table.frame)
    target, target_notes = read_target(table.frame[spec.target], spec.positive)
    excluded = {spec.target, *spec.drop, *([spec.time_column] if spec.time_column else [])}
    kept = table.frame[[name for name in table.frame.columns if name not in excluded]]
    features, feature_notes = plain_columns(kept)
    if features.columns.empty:
        listed = f"{'; '.join(feature_notes)}." if feature_notes else ""
        raise InvalidInput("data set", spec.title, "no column is left to learn from.", listed)
    notes = (*table.notes, *target_notes, *feature_notes)
    record = DatasetRecord(
        name=spec.title,
        digest=table.digest,
        source_type="generated" if synthetic else _source_type(spec.uri),
        source=without_secrets(spec.uri),
        schema=_schema(features, spec.target),
        profile=_profile(features, target, table, notes, synthetic=synthetic),
    )
    return Dataset(spec.title, table.frame, features, target, record, spec, notes)


def _has_password(uri: str) -> bool:
    try:
        return urlsplit(uri).password is not None
    except ValueError:  # no address at all: opening it says so
        return False


def is_generated(uri: str) -> bool:
    """Whether a URI names rows that a generator makes up."""
    return urlsplit(uri).scheme == GENERATED_SCHEME


def load_table(uri: str, opener: Opener | None = None) -> TableFile:
    """Read a table, or make the one that a ``generated:`` URI names; see :func:`.read_table`."""
    return generate_from_uri(uri) if is_generated(uri) else read_table(uri, opener)


def table_record(uri: str, table: TableFile) -> DatasetRecord:
    """Describe a table that nothing is learned from, for example rows to score."""
    columns = [
        {"name": str(name), "type": column_type(table.frame[name])} for name in table.frame.columns
    ]
    return DatasetRecord(
        name=_name_of(uri),
        digest=table.digest,
        source_type="generated" if is_generated(uri) else _source_type(uri),
        source=without_secrets(uri),
        schema={"mlflow_colspec": columns},
        profile={
            "rows": len(table.frame),
            "columns": len(columns),
            "format": table.format,
            "synthetic": is_generated(uri),
        },
    )


def _names(label: str, value: object) -> tuple[str, ...]:
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise InvalidInput(f"data set {label}", value, "it is a list of column names.")
    for name in value:
        if not isinstance(name, str):
            raise InvalidInput(f"data set {label}", name, "a column name is text.")
    return tuple(value)


def _name_of(uri: str) -> str:
    """Take the file's name without its endings."""
    parts = urlsplit(uri)
    path = unquote(parts.path) if len(parts.scheme) > 1 else uri
    last = PurePosixPath(path.replace("\\", "/")).name
    for ending in (".gz", ".csv", ".parquet", ".tsv", ".txt"):
        last = last.removesuffix(ending)
    return (last or parts.netloc or "data")[:_LONGEST_NAME]


def _check_columns(spec: DatasetSpec, frame: pd.DataFrame) -> None:
    asked = [("target", spec.target), *(("drop", name) for name in spec.drop)]
    asked += [("categorical", name) for name in spec.categorical]
    asked += [("time", spec.time_column)] if spec.time_column else []
    columns = [str(name) for name in frame.columns]
    for role, name in asked:
        if name not in columns:
            listed = ", ".join(columns[:20]) + (", ..." if len(columns) > 20 else "")
            raise InvalidInput(
                f"{role} column",
                name,
                f"the table has no such column; it has {listed}.",
                did_you_mean(name, columns),
            )
        if role != "target" and name == spec.target:
            raise InvalidInput(f"{role} column", name, "it is the target.")


def _source_type(uri: str) -> str:
    scheme = urlsplit(uri).scheme
    return "local" if len(scheme) <= 1 or scheme == "file" else scheme


def _schema(features: pd.DataFrame, target: str) -> dict[str, object]:
    """Describe the columns in the form that MLflow's pages read."""
    columns = [
        {
            "name": str(name),
            "type": column_type(features[name]),
            "required": not features[name].hasnans,
        }
        for name in features.columns
    ]
    return {"mlflow_colspec": columns, "target": target}


def _profile(
    features: pd.DataFrame,
    target: NDArray[np.int64],
    table: TableFile,
    notes: Sequence[str],
    *,
    synthetic: bool,
) -> dict[str, object]:
    positives = int(target.sum())
    return {
        "rows": int(target.size),
        "columns": int(features.shape[1]),
        "positives": positives,
        "positive_rate": positives / target.size,
        "missing_cells": int(features.isna().to_numpy().sum()),
        "format": table.format,
        "notes": list(notes),
        "synthetic": synthetic,
    }
