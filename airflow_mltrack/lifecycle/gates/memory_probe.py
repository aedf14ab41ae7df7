"""What the fresh process of a ``memory`` check runs: load a package, score rows, tell its peaks.

The parent writes the job to standard input and reads the peaks from standard output. Whatever the
libraries print goes to standard error.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def run() -> None:
    """Do the job that stands on standard input and write the peaks to standard output."""
    answer = os.dup(1)
    os.dup2(2, 1)
    peaks = {"interpreter": peak_bytes()}
    job = _read_job()
    peaks["libraries"] = peak_bytes()
    peaks |= _load_and_score(job)
    with os.fdopen(answer, "w") as stream:
        json.dump(peaks, stream)


def _read_job() -> Mapping[str, Any]:
    """Read the job, after importing what reads packages and holds rows."""
    import pickle

    for name in ("pandas", "airflow_mltrack.model_package.reader"):
        importlib.import_module(name)
    job: Mapping[str, Any] = pickle.load(sys.stdin.buffer)  # noqa: S301 - our own parent wrote it
    return job


def _load_and_score(job: Mapping[str, Any]) -> dict[str, int]:
    from airflow_mltrack.model_package.reader import load_model

    model = load_model(
        Path(job["directory"]),
        trusted_types=job["trusted_types"],
        check_environment="ignore",  # the parent has looked
        allow_pickle=job["allow_pickle"],
        digest=job["digest"],
    )
    peaks = {"loaded": peak_bytes()}
    model.predict_proba(job["rows"])
    return peaks | {"scored": peak_bytes()}


def peak_bytes() -> int:
    """Return the most memory that this process has held at one moment, in bytes.

    Linux counts into ``ru_maxrss`` of a new process what its parent held when it was started, so
    that a large worker would be taken for a large model; ``VmHWM`` begins with the program.
    """
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        status = ""
    for line in status.splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    import resource

    found = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return found if sys.platform == "darwin" else found * 1024
