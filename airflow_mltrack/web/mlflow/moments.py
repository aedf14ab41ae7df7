"""Points of time as the protocol has them: milliseconds since 1970, UTC."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from airflow_mltrack.web.mlflow.errors import invalid

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MILLISECOND = timedelta(milliseconds=1)


def milliseconds(moment: datetime) -> int:
    """Write a point of time."""
    return (moment - _EPOCH) // _MILLISECOND


def moment(place: str, value: int | None) -> datetime | None:
    """Read a point of time.

    :param place: the field, for the error.
    :raises MlflowError: when it lies outside the years 1 to 9999.
    """
    if value is None:
        return None
    try:
        return _EPOCH + value * _MILLISECOND
    except OverflowError:
        raise invalid(f"Invalid value {value} for parameter '{place}' supplied.") from None
