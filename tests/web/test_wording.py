"""How values and metrics are written for people."""

from __future__ import annotations

import math

import pytest

from airflow_mltrack.web.metric_rows import Measured, MetricRow, metric_rows
from airflow_mltrack.web.rendering import NOTHING, show_digest, show_exact, show_number, show_size


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.7712345678, "0.7712"),
        (0.5, "0.5000"),
        (-0.25, "-0.2500"),
        (12.0, "12"),
        (0.0, "0"),
        (0.0000123, "1.23e-05"),
        (1234567.8, "1.235e+06"),
        (1e20, "1e+20"),
        (None, NOTHING),
        (math.nan, "NaN"),
        (math.inf, "∞"),
        (-math.inf, "-∞"),
    ],
)
def test_numbers_of_a_column_are_quick_to_compare(value: float | None, shown: str) -> None:
    assert show_number(value) == shown


def test_exact_number_tells_a_value_from_its_limit() -> None:
    assert (show_exact(0.59996), show_exact(0.6), show_exact(-0.01)) == ("0.59996", "0.6", "-0.01")


def test_digest_is_shortened_and_escaped() -> None:
    assert show_digest("a" * 64) == f'<code title="{"a" * 64}">{"a" * 12}</code>'
    assert "<b>" not in show_digest("<b>" * 10)
    assert show_digest(None) == show_digest("") == NOTHING


@pytest.mark.parametrize(
    ("size", "shown"),
    [(None, NOTHING), (0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (2**41, "2.0 TiB")],
)
def test_size_has_a_fitting_unit(size: int | None, shown: str) -> None:
    assert show_size(size) == shown


def test_metrics_of_both_kinds_of_rows_share_a_line_with_their_interval() -> None:
    rows = metric_rows(
        {
            "auc": 0.8,
            "auc_low": 0.7,
            "auc_high": 0.9,
            "test_auc": 0.75,
            "fit_seconds": 2.0,
            "water_low": 1.0,
        }
    )

    assert rows == [
        MetricRow("auc", Measured(0.8, 0.7, 0.9), Measured(0.75)),
        MetricRow("fit_seconds", Measured(2.0), None),
        MetricRow("water_low", Measured(1.0), None),
    ]
