"""A column keeps every value on its way into the type of training, or is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_mltrack.exceptions import InvalidInput
from airflow_mltrack.model_package.column_conversion import convert
from airflow_mltrack.model_package.number_casts import changed_by_cast
from airflow_mltrack.model_package.signature import Column, infer_signature

BEYOND_DOUBLE = 2**53 + 1


def series(values: Any, dtype: Any = None) -> pd.Series[Any]:
    found: pd.Series[Any] = pd.Series(values, dtype=dtype)
    return found


@pytest.mark.parametrize(
    ("kind", "dtype", "values", "row", "rule"),
    [
        ("integer", "int8", series([1, 300]), 1, "from -128 to 127"),
        ("integer", "uint8", series([-3, 1]), 0, "from 0 to 255"),
        ("integer", "int8", series([1.0, 300.0]), 1, "from -128 to 127"),
        ("integer", "Int8", series([1, 300]), 1, "from -128 to 127"),
        ("integer", "category", series([1, 2**31]), 1, "to 2147483647"),
        ("long", "uint64", series([1, -1]), 1, "from 0 to 18446744073709551615"),
        ("long", "int64", series([2**63], "uint64"), 0, "to 9223372036854775807"),
        ("long", "int64", series([1.0, 2.0**63]), 1, "to 9223372036854775807"),
        ("long", "int64", series([1.0, np.inf]), 1, "takes whole numbers"),
        ("long", "int64", series([1.0, 1.5]), 1, "takes whole numbers"),
        ("double", "Int64", series([1.5, None]), 0, "takes whole numbers"),
        ("double", "float64", series([1, BEYOND_DOUBLE]), 1, "would round"),
        ("double", "float64", series([2**63 - 1]), 0, "would round"),
        ("double", "float64", series([None, BEYOND_DOUBLE], object), 1, "would round"),
        ("double", "float64", series([None, BEYOND_DOUBLE], "Int64"), 1, "would round"),
        ("float", "float32", series([1, 2**24 + 1]), 1, "would round"),
        ("float", "float32", series([1.0, 1e300]), 1, "numbers of this size"),
        ("float", "float32", series([1.0, 1e-300]), 1, "numbers of this size"),
        ("double", "float64", series([1j]), 0, "takes numbers"),
        ("double", "float64", series([1.0, np.True_], object), 1, "takes numbers"),
        ("long", "category", series(["a"], "category"), 0, "takes numbers"),
        ("string", "category", series([1], "category"), 0, "takes texts"),
        ("datetime", "datetime64[s]", series(["2026-01-01T00:00:00.5"]), 0, "cut the time"),
        ("datetime", "datetime64[us]", series(["2026-01-01", "2026-13-01"]), 1, "ISO 8601"),
        ("binary", "object", series([b"a", "a"], object), 1, "takes bytes"),
    ],
)
def test_a_value_that_does_not_fit_is_named_with_its_row(
    kind: str, dtype: str, values: pd.Series[Any], row: int, rule: str
) -> None:
    with pytest.raises(InvalidInput, match=rule) as caught:
        convert(Column("c", kind, dtype), values)
    assert caught.value.what == "column 'c'"
    assert caught.value.value == values.astype(object).iloc[row]
    assert f"the model wants {kind} ({dtype})" in str(caught.value)
    assert f"1 of {len(values)} rows break this, first row {row} (from 0)" in str(caught.value)
    assert "Correct the values" in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "dtype", "values"),
    [
        ("boolean", "bool", series([True, None], object)),
        ("boolean", "bool", series([True, None], "boolean")),
        ("boolean", "bool", series([None, None], object)),
        ("integer", "int8", series([1, None])),
        ("long", "int64", series([1, None], object)),
        ("long", "int64", series([1, None], "Int64")),
        ("long", "int64", series([None, None], object)),
    ],
)
def test_a_missing_value_is_refused_where_the_type_has_no_place_for_it(
    kind: str, dtype: str, values: pd.Series[Any]
) -> None:
    with pytest.raises(InvalidInput, match="cannot be missing") as caught:
        convert(Column("flag", kind, dtype), values)
    assert caught.value.value is None
    assert "column 'flag' 'None' is not valid" in str(caught.value)
    assert "Fill them" in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "dtype", "values", "expected"),
    [
        ("integer", "int8", series([-128, 127]), [-128, 127]),
        ("integer", "int8", series([-128.0, 127.0]), [-128, 127]),
        ("integer", "uint8", series([0, 255]), [0, 255]),
        ("long", "uint64", series([2**64 - 1], "UInt64"), [2**64 - 1]),
        ("long", "int64", series([2**63 - 1], object), [2**63 - 1]),
        ("double", "Int64", series([BEYOND_DOUBLE]), [BEYOND_DOUBLE]),
        ("double", "Int64", series([BEYOND_DOUBLE, None], object), [BEYOND_DOUBLE, None]),
        ("double", "float64", series([2**53, -(2**53)]), [2.0**53, -(2.0**53)]),
        ("double", "float64", series([2**60]), [2.0**60]),
        ("double", "float64", series([np.inf, -np.inf, None]), [np.inf, -np.inf, None]),
        ("double", "float64", series([None, None], object), [None, None]),
        ("float", "float32", series([0.1, None]), [float(np.float32(0.1)), None]),
        ("long", "object", series([1.0, 2.0]), [1, 2]),
        ("double", "object", series([1, None], "Int64"), [1.0, None]),
        ("long", "category", series([3, 1]), [3, 1]),
        ("double", "float64", series([3, None], "category"), [3.0, None]),
        ("boolean", "boolean", series([True, None], object), [True, None]),
        ("boolean", "object", series([True, None], object), [True, None]),
        ("boolean", "bool", series([True, False], "category"), [True, False]),
        ("string", "category", series(["x", None]), ["x", None]),
        ("datetime", "datetime64[ns]", series(["2026-01-01", None]), [pd.Timestamp("2026"), None]),
        ("double", "float64", series([], object), []),
    ],
)
def test_what_fits_is_kept_exactly(
    kind: str, dtype: str, values: pd.Series[Any], expected: list[Any]
) -> None:
    found = convert(Column("c", kind, dtype), values)
    assert str(found.dtype) == dtype
    assert [None if pd.isna(value) else value for value in found.tolist()] == expected


def test_a_category_of_another_kind_is_no_match() -> None:
    numbers = series([1, 2], "category")
    same = convert(Column("c", "long", "category"), numbers)
    assert same is numbers
    with pytest.raises(InvalidInput, match="takes texts"):
        convert(Column("c", "string", "category"), numbers)


def test_times_of_another_zone_are_refused_and_of_another_offset_converted() -> None:
    berlin = series(pd.to_datetime(["2026-07-01T12:00+02:00"]))
    with pytest.raises(InvalidInput, match="cannot become"):
        convert(Column("at", "datetime", "datetime64[us]"), berlin)
    found = convert(Column("at", "datetime", "datetime64[us, UTC]"), berlin)
    assert found.tolist() == [pd.Timestamp("2026-07-01T10:00Z")]


def test_all_columns_that_do_not_fit_are_named_at_once() -> None:
    training = pd.DataFrame(
        {"small": np.array([1, 2], dtype="int8"), "flag": [True, False], "fine": [1.0, 2.0]}
    )
    rows = training.assign(small=[1, 300], flag=pd.Series([None, True], dtype=object))
    with pytest.raises(InvalidInput) as caught:
        infer_signature(training).check(rows, constraints="ignore")
    text = str(caught.value)
    assert "column 'small' '300': the model wants integer (int8)" in text
    assert "column 'flag' 'None': the model wants boolean (bool), which cannot be missing" in text
    assert "fine" not in text


def test_an_array_is_refused_rather_than_wrapped() -> None:
    small = infer_signature(np.zeros((2, 2), dtype="int8"))
    assert small.check(np.array([[1, -128]])).data.dtype == "int8"
    with pytest.raises(InvalidInput, match=r"column 1 '300'.*array of int8.*first row 0"):
        small.check(np.array([[1, 300]]))
    single = infer_signature(np.zeros((2, 1), dtype="float32"))
    assert single.check([[0.1]]).data[0, 0] == np.float32(0.1)
    with pytest.raises(InvalidInput, match="array of float32"):
        single.check([[1e300]])


NUMBERS = st.one_of(
    st.integers(-(2**63), 2**63 - 1).map(np.int64),
    st.integers(0, 2**64 - 1).map(np.uint64),
    st.floats(allow_nan=False).map(np.float64),
    st.sampled_from([2.0**63, 2.0**64, -(2.0**63), 127.0, 128.0, -128.0, -129.0]).map(np.float64),
    st.sampled_from([2**53, 2**53 + 1, 2**24 + 1, 2**63 - 1, 127, 128, 255, 256]).map(np.int64),
)
TYPES = st.sampled_from(["int8", "uint8", "int32", "int64", "uint64", "float32", "float64"])


@given(number=NUMBERS, name=TYPES)
def test_a_number_is_whole_or_refused(number: Any, name: str) -> None:
    """Python's own numbers have no limits: they say what a cast has to keep."""
    dtype = np.dtype(name)
    exact = number.item()
    if dtype.kind == "f" and isinstance(exact, float):
        with np.errstate(all="ignore"):
            kept = bool(exact == 0) == bool(dtype.type(exact) == 0) and bool(
                np.isfinite(exact)
            ) == bool(np.isfinite(dtype.type(exact)))
    elif dtype.kind == "f":
        kept = int(dtype.type(exact)) == exact
    else:
        limits = np.iinfo(dtype)
        kept = bool(np.isfinite(exact)) and limits.min <= exact <= limits.max
        kept = kept and exact == int(exact)
    assert bool(changed_by_cast(np.array([number]), dtype)[0]) is not kept
