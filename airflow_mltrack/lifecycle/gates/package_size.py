"""The size of the candidate's package."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from airflow_mltrack.lifecycle.gates.check_fields import (
    check_keys,
    read_bound,
    read_name,
    read_number,
    read_severity,
)
from airflow_mltrack.lifecycle.gates.gate import BoundGate, Evidence, Measured, Outcome

MEGABYTE = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageSizeGate(BoundGate):
    """``{"kind": "package_size", "max_mb": 50}``: all files together, 1 MB is 1,000,000 bytes."""

    KIND: ClassVar[str] = "package_size"

    @property
    def observes(self) -> str:
        """Name of the size."""
        return "package_mb"

    @classmethod
    def from_json(cls, check: Mapping[str, object]) -> PackageSizeGate:
        """Read a check; see :class:`~airflow_mltrack.lifecycle.gates.gate.Gate`."""
        check_keys("package_size check", check, ("max_mb",))
        bound = read_bound(check, None, "max_mb")
        read_number(check, "max_mb", low=0)
        return cls(
            name=read_name(check, "package_size"), severity=read_severity(check), bound=bound
        )

    def judge(self, evidence: Evidence) -> Outcome:
        """Look at the size; the evidence lists the files, the largest first."""
        return self.decide(evidence, lambda: _measure(evidence))


def _measure(evidence: Evidence) -> Measured:
    size = evidence.package_bytes / MEGABYTE
    files = sorted(evidence.candidate.manifest.files, key=lambda file: -file.size)
    data = {
        "bytes": evidence.package_bytes,
        "files": [{"path": file.path, "bytes": file.size} for file in files],
    }
    message = f"the package has {size:.3f} MB ({evidence.package_bytes} bytes)"
    return Measured(size, None, message, data=data)
