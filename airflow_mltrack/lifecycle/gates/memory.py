"""How much memory a process needs that serves the candidate."""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from airflow_mltrack.exceptions import InvalidInput, shorten
from airflow_mltrack.lifecycle.gates.check_fields import (
    check_keys,
    read_bound,
    read_name,
    read_number,
    read_severity,
)
from airflow_mltrack.lifecycle.gates.gate import BoundGate, Evidence, Measured, Outcome
from airflow_mltrack.lifecycle.gates.package_size import MEGABYTE

_ROWS = 1000
_LONGEST_SECONDS = 300.0
_PROGRAM = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from airflow_mltrack.lifecycle.gates.memory_probe import run; run()"
)
# What an interpreter needs to find libraries and to behave as here; nothing that can log in.
_PASSED_ON = (
    "DYLD_LIBRARY_PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "LD_LIBRARY_PATH",
    "LD_PRELOAD",
    "LOKY_MAX_CPU_COUNT",
    "MALLOC_ARENA_MAX",
    "MKL_NUM_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "PATH",
    "TMPDIR",
    "TZ",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryGate(BoundGate):
    """``{"kind": "memory", "max_mb": 500}``: peak resident memory, 1 MB is 1,000,000 bytes.

    Measured in a fresh process that loads the package and scores up to 1,000 judged rows. It is the
    whole process, interpreter and libraries included; the evidence has the peaks before the package
    was loaded as well. The process gets no environment variables beyond a short list without
    secrets, and five minutes.
    """

    KIND: ClassVar[str] = "memory"

    @property
    def observes(self) -> str:
        """Name of the size."""
        return "peak_mb"

    @classmethod
    def from_json(cls, check: Mapping[str, object]) -> MemoryGate:
        """Read a check; see :class:`~airflow_mltrack.lifecycle.gates.gate.Gate`."""
        check_keys("memory check", check, ("max_mb",))
        bound = read_bound(check, None, "max_mb")
        read_number(check, "max_mb", low=0)
        return cls(name=read_name(check, "memory"), severity=read_severity(check), bound=bound)

    def judge(self, evidence: Evidence) -> Outcome:
        """Start the process and look at its peak."""
        return self.decide(evidence, lambda: _measure(evidence))


def _measure(evidence: Evidence) -> Measured:
    rows = evidence.features.iloc[:_ROWS]
    peaks = measure_peaks(_job(evidence))
    message = (
        f"a fresh process that loads the package and scores {len(rows)} rows holds at most "
        f"{peaks['scored'] / MEGABYTE:.1f} MB, of which {peaks['libraries'] / MEGABYTE:.1f} MB "
        "before it loads the package"
    )
    data = {
        "rows_scored": len(rows),
        "peak_bytes_after": dict(peaks),
        "python": sys.version.split()[0],
        "platform": sys.platform,
    }
    return Measured(peaks["scored"] / MEGABYTE, None, message, data=data)


def _job(evidence: Evidence) -> dict[str, object]:
    manifest = evidence.candidate.manifest
    return {
        "directory": str(evidence.package_dir),
        "digest": manifest.digest,
        "trusted_types": list(evidence.trusted_types),
        # A candidate that is a pickle was loaded here by someone who allowed it: nothing new runs.
        "allow_pickle": manifest.format == "pickle" and evidence.candidate.model is not None,
        "rows": evidence.features.iloc[:_ROWS].reset_index(drop=True),
    }


def measure_peaks(job: Mapping[str, object]) -> dict[str, int]:
    """Run the job of :mod:`.memory_probe` in a fresh process.

    :return: the peak so far in bytes after the interpreter's start, the import of the libraries,
        the loading of the package, and the scoring: ``interpreter``, ``libraries``, ``loaded``,
        ``scored``.
    :raises InvalidInput: when the process fails or takes too long; says what it said last.
    """
    done = _run(pickle.dumps(dict(job)))
    if done.returncode != 0:
        raise _failure(_reason(done))
    try:
        found: dict[str, int] = json.loads(done.stdout)
    except ValueError as error:
        raise _failure("gave no answer") from error
    return found


def _run(job: bytes) -> subprocess.CompletedProcess[bytes]:
    paths = [str(Path(path).absolute()) for path in sys.path]
    environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    with tempfile.TemporaryDirectory(prefix="mltrack-memory-") as nowhere:
        try:
            return subprocess.run(  # noqa: S603 - our own words, no shell
                # Isolated: neither its directory nor PYTHON* variables bring in other modules.
                [sys.executable, "-I", "-c", _PROGRAM, json.dumps(paths)],
                input=job,
                capture_output=True,
                cwd=nowhere,
                env=environment,
                timeout=_LONGEST_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise _failure(f"did not end within {_LONGEST_SECONDS:g} seconds") from error
        except OSError as error:
            raise _failure(f"could not be started ({error})") from error


def _reason(done: subprocess.CompletedProcess[bytes]) -> str:
    if done.returncode < 0:
        number = -done.returncode
        name = signal.Signals(number).name if number in set(signal.Signals) else str(number)
        return f"was ended by {name}, as one that takes too much memory is"
    lines = done.stderr.decode(errors="replace").strip().splitlines()
    return f"failed: {shorten(lines[-1], 300)}" if lines else f"ended with {done.returncode}"


def _failure(what: str) -> InvalidInput:
    return InvalidInput("process", "load and score", f"it {what}.")
