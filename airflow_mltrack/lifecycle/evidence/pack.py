"""The evidence pack: one archive that tells all that is recorded of a model version.

What is in it, and what each key of ``evidence.json`` means, stands in ``docs/how-to/evidence.md``.
"""

from __future__ import annotations

import json
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_mltrack.exceptions import InvalidInput
from airflow_mltrack.lifecycle.evidence import verifier
from airflow_mltrack.lifecycle.evidence.archive import ArchiveFolder
from airflow_mltrack.lifecycle.evidence.document import Document, evidence_document
from airflow_mltrack.lifecycle.evidence.facts import EvidenceFacts, read_facts
from airflow_mltrack.lifecycle.evidence.files import collect_files
from airflow_mltrack.lifecycle.evidence.governance import record_path
from airflow_mltrack.lifecycle.evidence.model_card import render_card
from airflow_mltrack.lifecycle.evidence.report import render_report
from airflow_mltrack.store.canonical_json import canonical_json
from airflow_mltrack.store.row_digest import utc_text

if TYPE_CHECKING:
    from datetime import datetime

    from airflow_mltrack.entities.history import HistoryEvent
    from airflow_mltrack.tracking.client import TrackingClient

_LONGEST_NAME = 60


@dataclass(frozen=True, slots=True)
class EvidencePack:
    """An archive that was written."""

    path: Path
    """The .zip file."""
    sha256: str
    """Of the .zip file, hexadecimal."""
    size: int
    """Bytes of the .zip file."""
    files: tuple[str, ...]
    """Paths inside the archive, in its order."""


def write_evidence(
    client: TrackingClient,
    name: str,
    version: int,
    target: Path | str,
    *,
    actor: str = "",
    now: datetime | None = None,
    include_package: bool = False,
) -> EvidencePack:
    """Write everything that is recorded of a version into one .zip archive.

    All facts come from one transaction that sees one state of the records. What is missing (a run
    that was removed, bytes that are gone or were changed) does not fail the archive: the report
    names it. The same facts give the same bytes, but for the stated time and who asked. The archive
    is written beside its target and moved into place, so that no half one ever stands there.

    :param target: the file to write (one that is there is replaced), or a directory that is there:
        the file is then called ``NAME-vVERSION-evidence.zip``.
    :param actor: who asked for it; stated in the report.
    :param now: the time to state, with a time zone; None means the database's clock.
    :param include_package: put the model file itself into the archive as well.
    :raises NotFound: when there is no such model or version.
    :raises InvalidInput: when ``now`` has no time zone, or the target is in no directory.
    :raises ArtifactUnavailable: when the artifact store does not answer, or the disk is full.
    """
    file = evidence_path(target, name, version)
    if now is not None and now.tzinfo is None:
        raise InvalidInput("time", now.isoformat(), "it has a time zone.", "Add one: ...T12:00Z")
    facts = client.transact(lambda tx: read_facts(tx, name, version))
    with tempfile.TemporaryDirectory(prefix="mltrack-evidence-") as directory:
        folder = ArchiveFolder(Path(directory))
        collected = collect_files(
            client.artifact_store, facts, folder, include_package=include_package
        )
        _add_records(folder, facts)
        document = evidence_document(facts, collected, folder, actor=actor, at=now or facts.now)
        _add_accounts(folder, document)
        folder.add_manifest()
        sha256, size = folder.write(file)
        return EvidencePack(file, sha256, size, tuple(item.path for item in folder.listing()))


def history_line(event: HistoryEvent) -> str:
    """Write an event in the canonical form that is hashed, with its hash and its number."""
    return canonical_json(
        {
            "actor": event.actor,
            "at": utc_text(event.at),
            "event_id": event.event_id,
            "hash": event.hash,
            "kind": event.kind,
            "name": event.name,
            "payload": event.payload,
            "previous_hash": event.previous_hash,
            "version": event.version,
        }
    )


def evidence_path(target: Path | str, name: str, version: int) -> Path:
    """Return the file that :func:`write_evidence` writes for a target.

    :raises InvalidInput: when it is in no directory.
    """
    path = Path(target)
    if path.is_dir():
        short = re.sub(r"[^\w.-]+", "_", name)[:_LONGEST_NAME].lstrip(".")
        path /= f"{short or 'model'}-v{version}-evidence.zip"
    if not path.parent.is_dir():
        raise InvalidInput(
            "evidence target", str(path), f"there is no directory {path.parent}.", "Make it first."
        )
    return path


def _add_records(folder: ArchiveFolder, facts: EvidenceFacts) -> None:
    """Add what the records say in their own form: chain, verdicts, approvals, commit."""
    lines = "".join(f"{history_line(event)}\n" for event in facts.events)
    folder.add_bytes("history.jsonl", lines.encode())
    for judged in facts.verdicts:
        folder.add_bytes(record_path(judged.verdict.verdict_id), judged.text.encode())
    folder.add_bytes("approvals.json", _json([json.loads(text) for _, text in facts.approvals]))
    script = Path(verifier.__file__).read_bytes()
    folder.add_bytes("verify.py", script)


def _add_accounts(folder: ArchiveFolder, document: Document) -> None:
    """Add what is told from the document: for programs, for people, for a model hub."""
    if document["code"] is not None:
        folder.add_bytes("code/commit.json", _json(document["code"]))
    folder.add_bytes("evidence.json", _json(document))
    folder.add_bytes("report.html", render_report(document, folder).encode())
    folder.add_bytes("model_card.md", render_card(document).encode())


def _json(value: object) -> bytes:
    return f"{json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False)}\n".encode()
