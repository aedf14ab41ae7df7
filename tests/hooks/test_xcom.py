from __future__ import annotations

import json
import math

import numpy as np
import pytest

from airflow_mltrack.entities.runs import RunStatus
from airflow_mltrack.hooks.xcom import plain


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (math.nan, None),
        (math.inf, None),
        (np.float64("nan"), None),
        (np.float32(0.5), 0.5),
        (np.int64(3), 3),
        (np.bool_(True), 1),
        (True, True),
        ((1, "a"), [1, "a"]),
        ({1: {"x": np.float64(2)}}, {"1": {"x": 2.0}}),
        (RunStatus.KILLED, "KILLED"),
        (None, None),
        (np.array([[1, 2]]), [[1, 2]]),
        (np.array([0.5, math.nan]), [0.5, None]),
    ],
)
def test_values_become_json(value: object, expected: object) -> None:
    found = plain(value)
    assert found == expected
    assert json.loads(json.dumps(found, allow_nan=False)) == expected


def test_what_json_cannot_hold_becomes_its_text() -> None:
    assert plain(object) == "<class 'object'>"
