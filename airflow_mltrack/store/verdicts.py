"""Verdicts: one row for one evaluation of a model version. Rows are added, never changed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import cast

from sqlalchemy import Row, insert, select
from sqlalchemy.engine import Connection

from airflow_mltrack.entities.verdicts import CheckResult, Verdict
from airflow_mltrack.exceptions import InvalidInput, NotFound
from airflow_mltrack.store.canonical_json import canonical_value
from airflow_mltrack.store.registry_tables import verdicts
from airflow_mltrack.store.row_digest import row_digest

_CHECK_FIELDS = frozenset(spec.name for spec in fields(CheckResult))


class Verdicts:
    """Outcomes of evaluations. They outlive the version they judge."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, verdict: Verdict) -> Verdict:
        """Write a verdict.

        :raises InvalidInput: when a check holds NaN or an infinity (say None, and let it fail), or
            policy or details are not JSON-able.
        """
        values = {spec.name: getattr(verdict, spec.name) for spec in fields(verdict)}
        values["checks"] = [_check_row(check) for check in verdict.checks]
        values["policy"] = canonical_value(dict(verdict.policy))
        values["details"] = canonical_value(dict(verdict.details))
        self._connection.execute(insert(verdicts).values(**values))
        return self.get(verdict.verdict_id)

    def get(self, verdict_id: str) -> Verdict:
        """Return a verdict.

        :raises NotFound: when there is none.
        """
        query = select(verdicts).where(verdicts.c.verdict_id == verdict_id)
        row = self._connection.execute(query).first()
        if row is None:
            raise NotFound("verdict", verdict_id)
        return _entity(row)

    def latest(self, name: str, version: int) -> Verdict | None:
        """Return the verdict that was written last about a version, None when there is none."""
        query = (
            select(verdicts)
            .where(verdicts.c.name == name, verdicts.c.version == version)
            .order_by(verdicts.c.id.desc())
            .limit(1)
        )
        row = self._connection.execute(query).first()
        return None if row is None else _entity(row)

    def digests(self, name: str, verdict_id: str | None = None) -> dict[str, str]:
        """Return verdict id to digest, for every verdict about a model or for one of them.

        The history holds the same digests; see :mod:`airflow_mltrack.store.row_digest`.
        """
        query = select(verdicts).where(verdicts.c.name == name)
        if verdict_id is not None:
            query = query.where(verdicts.c.verdict_id == verdict_id)
        return {row.verdict_id: row_digest(row) for row in self._connection.execute(query)}

    def list(self, name: str, version: int | None = None) -> list[Verdict]:
        """Return the verdicts about a model or one of its versions, newest first."""
        query = select(verdicts).where(verdicts.c.name == name).order_by(verdicts.c.id.desc())
        if version is not None:
            query = query.where(verdicts.c.version == version)
        return [_entity(row) for row in self._connection.execute(query)]


def _check_row(check: CheckResult) -> dict[str, object]:
    values = asdict(check)
    for key, value in values.items():
        numbers = value if isinstance(value, tuple) else (value,)
        if any(isinstance(number, float) and not math.isfinite(number) for number in numbers):
            raise InvalidInput(
                f"check {check.name} {key}", value, "it is a finite number, or None."
            )
    return values


def _check_entity(values: Mapping[str, object]) -> CheckResult:
    """Read a check; a field that an older or newer release does not know falls to its default."""
    known = {key: value for key, value in values.items() if key in _CHECK_FIELDS}
    interval = known.get("interval")
    if interval is not None:
        known["interval"] = tuple(cast("list[float]", interval))
    return CheckResult(**known)  # type: ignore[arg-type]


def _entity(row: Row[tuple[object, ...]]) -> Verdict:
    values = {spec.name: getattr(row, spec.name) for spec in fields(Verdict)}
    values["checks"] = tuple(_check_entity(check) for check in row.checks)
    return Verdict(**values)
