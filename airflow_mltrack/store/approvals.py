"""Approvals: who said yes or no to which move of which version. Rows are added, never changed."""

from __future__ import annotations

from dataclasses import fields

from sqlalchemy import Row, insert, select
from sqlalchemy.engine import Connection

from airflow_mltrack.entities.approvals import Approval, Decision
from airflow_mltrack.exceptions import InvalidInput, NotFound
from airflow_mltrack.store.canonical_json import canonical_value
from airflow_mltrack.store.key_rules import NAME_LIMIT, check_text
from airflow_mltrack.store.registry_tables import approvals
from airflow_mltrack.store.row_digest import row_digest

REASON_LIMIT = 5_000


class Approvals:
    """Answers of people. They outlive the version they speak of."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, approval: Approval) -> Approval:
        """Write an approval.

        :raises InvalidInput: when approver or reason are empty or too long, or the details are not
            JSON-able.
        """
        for what in ("approver", "reason"):
            if not getattr(approval, what).strip():
                raise InvalidInput(f"approval {what}", "", "it is not empty.")
        check_text("approver", approval.approver, NAME_LIMIT)
        check_text("approval reason", approval.reason, REASON_LIMIT)
        values = {spec.name: getattr(approval, spec.name) for spec in fields(approval)}
        values["decision"] = approval.decision.value
        values["details"] = canonical_value(dict(approval.details))
        self._connection.execute(insert(approvals).values(**values))
        return self.get(approval.approval_id)

    def get(self, approval_id: str) -> Approval:
        """Return an approval.

        :raises NotFound: when there is none.
        """
        query = select(approvals).where(approvals.c.approval_id == approval_id)
        row = self._connection.execute(query).first()
        if row is None:
            raise NotFound("approval", approval_id)
        return _entity(row)

    def digests(self, name: str, approval_id: str | None = None) -> dict[str, str]:
        """Return approval id to digest, for every approval about a model or for one of them.

        The history holds the same digests; see :mod:`airflow_mltrack.store.row_digest`.
        """
        query = select(approvals).where(approvals.c.name == name)
        if approval_id is not None:
            query = query.where(approvals.c.approval_id == approval_id)
        return {row.approval_id: row_digest(row) for row in self._connection.execute(query)}

    def list(self, name: str, version: int | None = None) -> list[Approval]:
        """Return the answers about a model or one of its versions, newest first."""
        query = select(approvals).where(approvals.c.name == name).order_by(approvals.c.id.desc())
        if version is not None:
            query = query.where(approvals.c.version == version)
        return [_entity(row) for row in self._connection.execute(query)]


def _entity(row: Row[tuple[object, ...]]) -> Approval:
    values = {spec.name: getattr(row, spec.name) for spec in fields(Approval)}
    values["decision"] = Decision(row.decision)
    return Approval(**values)
