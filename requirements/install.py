"""Make .venv hold exactly a lock and this checkout. Standard library only; called by the Makefile.

A second call with nothing changed costs milliseconds: what was installed is noted, by content, in
the environment itself.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import time
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
LOG = ROOT / ".venv" / "install.log"
NOTE = ROOT / ".venv" / "installed.json"
LOCKS = {name: ROOT / "requirements" / f"{name}.txt" for name in ("demo", "test")}
OLDEST, NEWEST = (3, 10), (3, 13)


def main() -> int:
    """Bring .venv up to date with the named lock."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("lock", choices=sorted(LOCKS))
    lock = parser.parse_args().lock
    if not OLDEST <= sys.version_info[:2] <= NEWEST:
        return _fail(f"Python 3.10 to 3.13 is needed, this is {sys.version.split()[0]}.")
    wanted = _fingerprints()
    if _installed().get(lock) == wanted[lock]:
        return 0
    return _install(lock, wanted)


def _install(lock: str, wanted: dict[str, str]) -> int:
    started = time.monotonic()
    if not _make_environment():
        return 1
    NOTE.unlink(missing_ok=True)
    steps = (
        (f"Installing requirements/{lock}.txt", ["install", "--no-deps", "-r", str(LOCKS[lock])]),
        ("Installing this checkout", ["install", "--no-deps", "--no-build-isolation", "-e", "."]),
        ("Checking", ["check"]),
    )
    LOG.write_text("", encoding="utf-8")
    for title, arguments in steps:
        total = len(_pins(lock)) if "-r" in arguments else 0
        if not _run_pip(title, arguments, total):
            return 1
    # The test lock holds everything of the demo's at the same versions.
    covered = wanted if lock == "test" else {"demo": wanted["demo"]}
    NOTE.write_text(json.dumps(covered), encoding="utf-8")
    _say(f".venv is ready ({time.monotonic() - started:.0f} s).")
    return 0


def _make_environment() -> bool:
    """Create .venv, or keep the one that is there if it has this Python."""
    if _environment_version() == list(sys.version_info[:2]):
        return True
    _say(f"Creating .venv with Python {sys.version.split()[0]} ...")
    try:
        venv.create(VENV, with_pip=True, clear=True, symlinks=os.name != "nt")
    except (OSError, subprocess.CalledProcessError) as error:
        _fail(
            f"The environment could not be made: {error}\n"
            "Some distributions pack venv apart: install python3-venv, or name another Python with "
            "PYTHON=..."
        )
        return False
    return True


def _environment_version() -> list[int] | None:
    code = "import json, pip, sys; print(json.dumps(sys.version_info[:2]))"
    try:
        found = subprocess.run(  # noqa: S603 - our own fixed words
            [str(_python()), "-c", code], capture_output=True, check=True, text=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return list(json.loads(found.stdout))


def _python() -> Path:
    return VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _run_pip(title: str, arguments: list[str], total: int) -> bool:
    """Run pip quietly: its words go to the log, a calm line shows how far it is."""
    command = [str(_python()), "-m", "pip", "--no-input", *arguments]
    with LOG.open("a", encoding="utf-8") as log:
        process = subprocess.Popen(  # noqa: S603 - our own fixed words
            command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT
        )
        try:
            _show_progress(process, title, total)
        finally:
            process.wait()
    if process.returncode == 0:
        return True
    tail = "\n".join(LOG.read_text(encoding="utf-8", errors="replace").splitlines()[-30:])
    _fail(f"{tail}\n\n{title} failed; the whole log is {LOG}")
    return False


def _show_progress(process: subprocess.Popen[bytes], title: str, total: int) -> None:
    patience = 0.5 if sys.stdout.isatty() else 15.0
    shown = ""
    while True:
        try:
            process.wait(timeout=patience if shown else 0.5)
        except subprocess.TimeoutExpired:
            line = f"{title} ... {_progress(total)}".rstrip()
            if line != shown:
                _say(line, end="\r" if sys.stdout.isatty() else "\n")
                shown = line
            continue
        if shown and sys.stdout.isatty():
            _say(" " * len(shown), end="\r")
        return


def _progress(total: int) -> str:
    if not total:
        return ""
    text = LOG.read_text(encoding="utf-8", errors="replace")
    if "Installing collected packages" in text:
        return "putting files in place"
    starts = ("Collecting ", "Requirement already satisfied: ")
    found = sum(line.startswith(starts) for line in text.splitlines())
    return f"{min(found, total)} of about {total} packages"


def _pins(lock: str) -> set[str]:
    lines = LOCKS[lock].read_text(encoding="utf-8").splitlines()
    return {line.partition("==")[0] for line in lines if "==" in line}


def _fingerprints() -> dict[str, str]:
    """Say what each environment depends on: the lock, the entry points and the interpreter."""
    shared = (ROOT / "pyproject.toml").read_bytes() + repr(sys.version_info[:2]).encode()
    return {
        name: hashlib.sha256(shared + path.read_bytes()).hexdigest() for name, path in LOCKS.items()
    }


def _installed() -> dict[str, str]:
    try:
        return dict(json.loads(NOTE.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}


def _say(text: str, end: str = "\n") -> None:
    sys.stdout.write(text + end)
    sys.stdout.flush()


def _fail(text: str) -> int:
    sys.stderr.write(text + "\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
