"""The package size gate."""

from __future__ import annotations

from collections.abc import Callable
from math import nan

import pytest

from airflow_mltrack.exceptions import InvalidInput
from airflow_mltrack.lifecycle.gates.gate import Evidence, Gate, Outcome
from airflow_mltrack.model_package.manifest import PackageFile, PackageManifest
from airflow_mltrack.model_package.reader import LoadedModel

MakeEvidence = Callable[..., Evidence]
Judge = Callable[[dict[str, object], Evidence], Outcome]


def test_a_megabyte_is_a_million_bytes(evidence: MakeEvidence, judge: Judge) -> None:
    seen = evidence(package_bytes=1_500_000)
    check = judge({"kind": "package_size", "max_mb": 1.5}, seen).check
    assert (check.passed, check.observed, check.threshold) == (True, 1.5, 1.5)
    assert (check.comparison, check.metric) == ("<=", "package_mb")
    assert not judge({"kind": "package_size", "max_mb": 1.49}, seen).check.passed


def test_the_evidence_lists_the_largest_file_first(evidence: MakeEvidence, judge: Judge) -> None:
    files = (PackageFile("MLmodel", 5, ""), PackageFile("model.skops", 900, ""))
    model = LoadedModel(PackageManifest("skops", "", "Model", files), None)
    seen = evidence(package_bytes=1000, candidate=model)
    assert judge({"kind": "package_size", "max_mb": 1}, seen).data == {
        "bytes": 1000,
        "files": [{"path": "model.skops", "bytes": 900}, {"path": "MLmodel", "bytes": 5}],
    }


@pytest.mark.parametrize(
    "bad", [{}, {"max_mb": -1}, {"max_mb": nan}, {"max_mb": "5"}, {"max_mb": 5, "min_mb": 1}]
)
def test_a_wrong_check_is_refused(
    gate: Callable[[dict[str, object]], Gate], bad: dict[str, object]
) -> None:
    with pytest.raises(InvalidInput):
        gate({"kind": "package_size", **bad})
