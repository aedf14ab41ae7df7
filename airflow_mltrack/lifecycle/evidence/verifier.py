"""Check an unpacked evidence archive. Needs nothing but Python.

    python verify.py [DIRECTORY] [--manifest SHA256] [--head SHA256]

1. Every file that manifest.json lists is there with its sha256 and size, and there is no other.
2. history.jsonl is an unbroken chain: each event's hash is the sha256 of its canonical JSON (keys
   sorted, no spaces, UTF-8) without the keys "hash" and "event_id", and each event holds the hash
   of the event before it, the first one 64 zeros.
3. Each verdict and each approval in the archive has the sha256 that its event in the chain holds.
4. The files of the model package make the digest that was registered.

Whoever rewrites everything, manifest and chain included, passes all four. So compare the two values
that are printed with ones that were kept elsewhere: --manifest and --head do it. The sha256 of the
archive itself serves as well.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

GENESIS = "0" * 64
LIST = "manifest.json"
NOT_HASHED = ("hash", "event_id")
_CHUNK = 1024 * 1024


def find_faults(directory: Path) -> list[str]:
    """Return one sentence for everything that is not as it was recorded."""
    try:
        manifest = _read_json(directory / LIST)["files"]
        events = read_chain(directory)
        faults = [*_file_faults(directory, manifest), *_chain_faults(events)]
        faults += _record_faults(directory, manifest, [event for _, event in events])
        faults += _package_faults(directory, manifest, [event for _, event in events])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return [f"the archive cannot be read: {type(error).__name__}: {error}"]
    return faults


def read_chain(directory: Path) -> list[tuple[str, dict[str, Any]]]:
    """Return every event of the history, each with its line."""
    text = (directory / "history.jsonl").read_text(encoding="utf-8")
    return [(line, json.loads(line)) for line in text.split("\n") if line]


def canonical(value: object) -> str:
    """Write JSON in the one form that is hashed."""
    return json.dumps(
        value, sort_keys=True, ensure_ascii=False, allow_nan=False, separators=(",", ":")
    )


def _file_faults(directory: Path, manifest: dict[str, Any]) -> Iterator[str]:
    for path, entry in manifest.items():
        file = directory / path
        if not file.is_file():
            yield f"{path} is missing"
        elif (found := _file_digest(file)) != entry["sha256"]:
            yield f"{path} has sha256 {found}, the manifest says {entry['sha256']}"
        elif file.stat().st_size != entry["size"]:
            yield f"{path} has {file.stat().st_size} bytes, the manifest says {entry['size']}"
    for file in sorted(directory.rglob("*")):
        path = file.relative_to(directory).as_posix()
        if (
            file.is_file()
            and path not in manifest
            and not file.name.startswith(".")
            and path != LIST
        ):
            yield f"{path} was added: the manifest does not list it"


def _chain_faults(events: list[tuple[str, dict[str, Any]]]) -> Iterator[str]:
    """Walk the chain; a model that was renamed has one for each name."""
    last: dict[str, str] = {}
    for number, (line, event) in enumerate(events, start=1):
        facts = {key: value for key, value in event.items() if key not in NOT_HASHED}
        where = f"history.jsonl line {number}"
        if canonical(event) != line:
            yield f"{where} is not in canonical form"
        if _digest(canonical(facts)) != event["hash"]:
            yield f"{where} was changed: its hash is not that of its content"
        if event["previous_hash"] != last.get(event["name"], GENESIS):
            yield f"{where} does not follow from the event before it"
        last[event["name"]] = event["hash"]


def _record_faults(
    directory: Path, manifest: dict[str, Any], events: list[dict[str, Any]]
) -> Iterator[str]:
    number = _read_json(directory / "evidence.json")["version"]["number"]
    recorded = {
        _facts(event).get(f"{event['kind']}_id"): _facts(event).get("sha256")
        for event in events
        if event["kind"] in ("verdict", "approval")
    }
    records = [
        ("verdict", _read_json(directory / path))
        for path in manifest
        if path.startswith("verdicts/") and path.count("/") == 1
    ]
    records += [("approval", record) for record in _read_json(directory / "approvals.json")]
    here = {record[f"{kind}_id"] for kind, record in records}
    for event in events:
        key = _facts(event).get(f"{event['kind']}_id")
        if event["version"] == number and key in recorded and key not in here:
            yield f"{event['kind']} {key} of the history is not in the archive"
    for kind, record in records:
        key = record[f"{kind}_id"]
        if key not in recorded:
            yield f"{kind} {key} is not in the history"
        elif _digest(canonical(record)) != recorded[key]:
            yield f"{kind} {key} is not the one that was recorded"


def _package_faults(
    directory: Path, manifest: dict[str, Any], events: list[dict[str, Any]]
) -> Iterator[str]:
    evidence = _read_json(directory / "evidence.json")
    package, digest = evidence["package"], evidence["version"]["digest"]
    number = evidence["version"]["number"]
    for event in events:
        if (event["kind"], event["version"]) == ("registered", number):
            registered = _facts(event).get("digest")
            if registered != digest:
                yield f"the version has digest {digest}, registered was {registered}"
    if package is None:
        return
    files = {file["path"]: file["sha256"] for file in package["files"]}
    # This one digest is made of JSON in ASCII.
    found = _digest(json.dumps(files, sort_keys=True, separators=(",", ":")))
    if found != digest:
        yield f"the files of the package make digest {found}, the version has {digest}"
    for file in package["files"]:
        copy = file["copy"]
        if copy is not None and manifest[copy]["sha256"] != file["sha256"]:
            yield f"{copy} is not the file of the package"


def _facts(event: dict[str, Any]) -> dict[str, Any]:
    """Return what an event tells; nothing where somebody made something else of it."""
    return event["payload"] if isinstance(event["payload"], dict) else {}


def _read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def _file_digest(path: Path) -> str:
    found = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            found.update(chunk)
    return found.hexdigest()


def _kept_faults(arguments: argparse.Namespace, manifest: str, hashes: list[str]) -> Iterator[str]:
    """Compare with values that were kept outside the archive."""
    if arguments.manifest and arguments.manifest.lower() != manifest:
        yield f"manifest.json has sha256 {manifest}, not {arguments.manifest}"
    if arguments.head and arguments.head.lower() not in hashes:
        yield f"no event has the hash {arguments.head}: the chain was cut off or rewritten"


def main() -> int:
    """Check a directory; return 0 when all is as it was recorded, else 1."""
    parser = argparse.ArgumentParser(description="Check an unpacked evidence archive.")
    here = Path(__file__).resolve().parent
    parser.add_argument("directory", nargs="?", type=Path, default=here)
    parser.add_argument("--manifest", help="sha256 of manifest.json that was kept elsewhere")
    parser.add_argument("--head", help="hash of an event that was kept elsewhere")
    arguments = parser.parse_args()
    faults = find_faults(arguments.directory)
    if not faults:
        manifest = _file_digest(arguments.directory / LIST)
        hashes = [event["hash"] for _, event in read_chain(arguments.directory)]
        faults += _kept_faults(arguments, manifest, hashes)
        head = hashes[-1] if hashes else "none"
        sys.stdout.write(f"manifest  {manifest}\nhead      {head}\n")
    for fault in faults:
        sys.stdout.write(f"FAULT  {fault}\n")
    sys.stdout.write(f"{len(faults)} faults\n" if faults else "whole: nothing was changed\n")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
