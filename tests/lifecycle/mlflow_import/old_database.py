"""A database as MLflow 1.2 made them: before the registry, NaN, data sets and logged models."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import create_engine, text

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

RUN, CHILD = "a" * 32, "b" * 32
_SCHEMA = """
CREATE TABLE experiments (
    experiment_id INTEGER NOT NULL PRIMARY KEY, name VARCHAR(256) NOT NULL UNIQUE,
    artifact_location VARCHAR(256), lifecycle_stage VARCHAR(32)
);
CREATE TABLE runs (
    run_uuid VARCHAR(32) NOT NULL PRIMARY KEY, name VARCHAR(250), source_type VARCHAR(20),
    source_name VARCHAR(500), entry_point_name VARCHAR(50), user_id VARCHAR(256),
    status VARCHAR(20), start_time BIGINT, end_time BIGINT, source_version VARCHAR(50),
    lifecycle_stage VARCHAR(20), artifact_uri VARCHAR(200), experiment_id INTEGER
);
CREATE TABLE tags (
    key VARCHAR(250) NOT NULL, value VARCHAR(250), run_uuid VARCHAR(32) NOT NULL,
    PRIMARY KEY (key, run_uuid)
);
CREATE TABLE params (
    key VARCHAR(250) NOT NULL, value VARCHAR(250) NOT NULL, run_uuid VARCHAR(32) NOT NULL,
    PRIMARY KEY (key, run_uuid)
);
CREATE TABLE metrics (
    key VARCHAR(250) NOT NULL, value FLOAT NOT NULL, timestamp BIGINT NOT NULL,
    run_uuid VARCHAR(32) NOT NULL, step BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (key, timestamp, step, run_uuid, value)
);
"""

_RUN = """
INSERT INTO runs VALUES (:run, :name, '4', 'train.py', 'main', 'bob', 'FINISHED', :at,
    1500000060000, 'abc123', 'active', :place, 3)
"""


def make_old_database(
    directory: Path, *, points: int = 3, runs: int = 0, postgres: str | None = None
) -> str:
    """Write one with a run, its child and their files; returns its address.

    :param points: of the metric ``loss``.
    :param runs: further ones, each with a point and a file.
    :param postgres: address of an empty database to write to; None writes to SQLite.
    """
    address = postgres or f"sqlite:///{directory / 'old.db'}"
    engine = create_engine(address.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as db:
        for statement in _SCHEMA.split(";"):
            db.execute(text(statement)) if statement.strip() else None
        _fill(db, directory / "mlruns" / "3", points, runs)
    engine.dispose()
    return address


def _fill(db: Connection, artifacts: Path, points: int, runs: int) -> None:
    rows = [(RUN, "train", None, 1), (CHILD, "", RUN, 0)]
    rows += [(f"{number:032x}", f"trial {number}", None, 2 + number) for number in range(runs)]
    values = "(3, 'ancient', :place, 'active')"
    db.execute(text(f"INSERT INTO experiments VALUES {values}"), {"place": str(artifacts)})
    for run_id, name, parent, started in rows:
        place = artifacts / run_id / "artifacts"
        place.mkdir(parents=True)
        (place / "note.txt").write_text(run_id)
        given = {"run": run_id, "name": name, "at": 1_500_000_000_000 + started}
        given |= {"place": str(place), "parent": parent}
        db.execute(text(_RUN), given)
        db.execute(text("INSERT INTO params VALUES ('depth', '3', :run)"), given)
        db.execute(text("INSERT INTO metrics VALUES ('auc', 0.5, 5, :run, 0)"), given)
        if parent:
            db.execute(text("INSERT INTO tags VALUES ('mlflow.parentRunId', :parent, :run)"), given)
    db.execute(
        text("INSERT INTO metrics VALUES ('loss', :value, :at, :run, :step)"),
        [
            {"value": 1 / (1 + step), "at": 100 + step, "run": RUN, "step": step}
            for step in range(points)
        ],
    )
