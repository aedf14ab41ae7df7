"""Metrics find the intervals that were recorded for them, and only those."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from airflow_mltrack.lifecycle.evidence.metrics import (
    MeasuredMetric,
    measured_metrics,
    read_report,
)


def test_the_report_of_a_training_says_rows_and_intervals() -> None:
    metrics = {"auc": 0.8, "test_auc": 0.7, "test_auc_low": 0.6, "test_auc_high": 0.9, "loss": 1.0}
    reports: dict[str, dict[str, object]] = {
        "test": {"metrics": {"auc": 0.7}, "intervals": {"auc": [0.61, 0.79]}},
        "validation": {"metrics": {"auc": 0.8}, "intervals": {}},
    }
    assert measured_metrics(metrics, reports) == [
        MeasuredMetric("auc", "test", 0.7, 0.61, 0.79, 0.95, "evaluation/test.json"),
        MeasuredMetric("auc", "validation", 0.8),
        MeasuredMetric("loss", "", 1.0),
    ]


def test_two_metrics_around_another_are_its_interval() -> None:
    metrics = {"auc": 0.8, "auc_low": 0.7, "auc_high": 0.9, "too_low": 1.0, "flow": 2.0}
    assert measured_metrics(metrics, {}) == [
        MeasuredMetric("auc", "", 0.8, 0.7, 0.9, None, "metrics auc_low and auc_high"),
        MeasuredMetric("flow", "", 2.0),
        MeasuredMetric("too_low", "", 1.0),
    ]


@pytest.mark.parametrize(
    "interval",
    [
        [0.1],
        [0.1, 0.2, 0.3],
        ["0.1", "0.2"],
        [True, False],
        [None, 0.2],
        {"low": 0.1},
        "ab",
        [float("nan"), 0.2],
        [0, 10**400],
    ],
)
def test_what_is_no_interval_is_none(interval: object) -> None:
    (found,) = measured_metrics({"test_auc": 0.8}, {"test": {"intervals": {"auc": interval}}})
    assert (found.low, found.high, found.source) == (None, None, "")


@pytest.mark.parametrize("content", ["", "[1]", "null", "{", "[" * 100_000, '"\\ud800"'])
def test_a_file_that_is_no_report_says_nothing(tmp_path: Path, content: str) -> None:
    file = tmp_path / "test.json"
    file.write_text(content, encoding="utf-8")
    assert read_report(file) == {}


def test_a_report_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    file = tmp_path / "test.json"
    with file.open("wb") as stream:
        stream.write(json.dumps({"intervals": {}}).encode())
        stream.truncate(64 * 1024 * 1024)
    assert read_report(file) == {}
