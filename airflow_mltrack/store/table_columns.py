"""What tables are built from: one ``MetaData`` and a few kinds of column; private to ``store``."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    MetaData,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

metadata = MetaData(
    naming_convention={
        "ix": "%(table_name)s_%(column_0_N_name)s_idx",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "ck": "%(table_name)s_%(constraint_name)s_check",
        "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
        "pk": "%(table_name)s_pkey",
    }
)

INDEXED_TEXT = 256
"""Characters of a long text that go into an index: Postgres refuses index rows over 2,704 bytes."""


def number_column() -> Column[int]:
    """Make the surrogate key."""
    return Column("id", BigInteger, Identity(always=False), primary_key=True)


def moment(name: str, *, now: bool = False, nullable: bool = False) -> Column[object]:
    """Make a column for a point in time."""
    default = func.clock_timestamp() if now else None
    return Column(name, DateTime(timezone=True), nullable=nullable, server_default=default)


def json_column(name: str) -> Column[object]:
    """Make a column for a JSON object."""
    return Column(name, JSONB, nullable=False, server_default=text("'{}'::jsonb"))


def text_column(name: str, *, nullable: bool = False, default: str | None = None) -> Column[str]:
    """Make a column for text."""
    server_default = None if default is None else text(f"'{default}'")
    return Column(name, Text, nullable=nullable, server_default=server_default)


def flag(name: str, *, default: bool) -> Column[bool]:
    """Make a column for yes or no."""
    server_default = text("true" if default else "false")
    return Column(name, Boolean, nullable=False, server_default=server_default)


def refers(name: str, target: str, *, nullable: bool = False, **options: object) -> Column[int]:
    """Make a column that refers to another table's row and goes with it."""
    return Column(
        name,
        BigInteger,
        ForeignKey(target, ondelete="CASCADE"),
        nullable=nullable,
        **options,  # type: ignore[arg-type]
    )
