"""A change breaks exactly where the new model refuses what the old one accepts."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import pytest

from airflow_mltrack.exceptions import InvalidInput
from airflow_mltrack.model_package.signature import Column, Signature, infer_signature
from airflow_mltrack.model_package.signature_compatibility import compare_signatures

OLD = Signature(
    (Column("age", "long", "int64", nullable=False), Column("job", "string", "object")),
    outputs=({"type": "tensor", "tensor-spec": {"dtype": "int64", "shape": [-1]}},),
)


def with_columns(*columns: Column) -> Signature:
    return replace(OLD, columns=columns)


def breaking(new: Signature, old: Signature = OLD) -> list[str]:
    return [change.message for change in compare_signatures(old, new) if change.breaks]


def harmless(new: Signature, old: Signature = OLD) -> list[str]:
    return [change.message for change in compare_signatures(old, new) if not change.breaks]


def test_equal_signatures_have_no_changes() -> None:
    assert compare_signatures(OLD, OLD) == ()


def test_ranges_and_categories_are_no_changes() -> None:
    age, job = OLD.columns
    learned = with_columns(
        replace(age, minimum=18.0, maximum=70.0), replace(job, categories=("a", "b"))
    )
    assert compare_signatures(OLD, learned) == ()
    assert compare_signatures(learned, OLD) == ()


def test_a_new_column_breaks_because_every_column_is_required() -> None:
    new = with_columns(*OLD.columns, Column("income", "double", "float64"))
    (change,) = compare_signatures(OLD, new)
    assert (change.part, change.old, change.new, change.breaks) == (
        "column income",
        None,
        "double",
        True,
    )
    assert "'income' is new" in change.message


def test_a_column_that_is_no_longer_asked_for_breaks_nothing() -> None:
    new = with_columns(OLD.columns[0])
    assert breaking(new) == []
    assert harmless(new) == ["Column 'job' is no longer asked for."]


def test_a_renamed_column_breaks() -> None:
    new = with_columns(OLD.columns[0], replace(OLD.columns[1], name="occupation"))
    assert breaking(new) == ["Column 'occupation' is new, and it is required."]
    assert harmless(new) == ["Column 'job' is no longer asked for."]


def test_another_order_breaks_nothing_and_is_told() -> None:
    new = with_columns(*reversed(OLD.columns))
    assert breaking(new) == []
    assert len(harmless(new)) == 1


def test_a_column_that_may_no_longer_be_missing_breaks() -> None:
    new = with_columns(OLD.columns[0], replace(OLD.columns[1], nullable=False))
    assert len(breaking(new)) == 1
    assert breaking(OLD, old=new) == []
    assert len(harmless(OLD, old=new)) == 1


@pytest.mark.parametrize(
    ("outputs", "breaks"),
    [
        ((), True),
        (({"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1]}},), True),
        (({"type": "string", "required": True},), True),
    ],
)
def test_another_form_of_the_answer_breaks(outputs: Any, breaks: bool) -> None:
    (change,) = compare_signatures(OLD, replace(OLD, outputs=outputs))
    assert (change.part, change.breaks) == ("outputs", breaks)


def test_an_answer_that_was_never_recorded_cannot_be_broken() -> None:
    (change,) = compare_signatures(replace(OLD, outputs=()), OLD)
    assert (change.part, change.breaks) == ("outputs", False)


@pytest.mark.parametrize(
    ("old", "new", "breaks"),
    [
        (("float64", 3), ("float64", 4), True),
        (("float64", 3), ("int64", 3), True),
        (("int64", 3), ("float64", 3), False),
        (("float64", 3), ("float32", 3), False),
    ],
)
def test_an_array_breaks_by_its_width_and_by_its_kind(
    old: tuple[str, int], new: tuple[str, int], breaks: bool
) -> None:
    (change,) = compare_signatures(Signature(array=old), Signature(array=new))
    assert change.breaks is breaks


def test_an_array_in_the_place_of_columns_breaks() -> None:
    array = Signature(array=("float64", 2), outputs=OLD.outputs)
    for old, new in ((OLD, array), (array, OLD)):
        (change,) = compare_signatures(old, new)
        assert change.breaks
        assert "named columns" in change.message


TRAINED_ON: dict[str, Any] = {
    "long": [1, 2],
    "int32": np.array([1, 2], dtype="int32"),
    "double": [1.5, None],
    "float32": np.array([1, np.nan], dtype="float32"),
    "Int64": pd.array([1, None], dtype="Int64"),
    "text": pd.Series(["a", None], dtype=object),
    "category": pd.Categorical(["a", None]),
    "boolean": pd.Series([True, None], dtype=object),
    "date": pd.to_datetime(["2026-01-01", "NaT"]),
    "zoned": pd.to_datetime(["2026-01-01", "NaT"]).tz_localize("UTC"),
    "bytes": pd.Series([b"a", None], dtype=object),
}
SENT: tuple[Any, ...] = (
    [1, 2],
    [2**40, 1],
    [1.0, 2.0],
    [1.5, 2.0],
    [1.0, None],
    ["a", "b"],
    ["a", None],
    ["2026-01-01", "2026-02-01"],
    ["2026-01-01T00:00Z", "2026-02-01T00:00Z"],
    [True, False],
    [True, None],
    [b"a", b"b"],
    pd.to_datetime(["2026-01-01", "2026-02-01"]),
    pd.to_datetime(["2026-01-01", "2026-02-01"], utc=True),
    pd.Categorical(["a", "b"]),
)


def accepts(signature: Signature, values: Any) -> bool:
    try:
        signature.check(pd.DataFrame({"c": values}), constraints="error")
    except InvalidInput:
        return False
    return True


@pytest.mark.parametrize(("old_kind", "new_kind"), list(product(TRAINED_ON, TRAINED_ON)))
def test_it_breaks_exactly_where_the_check_refuses_more(old_kind: str, new_kind: str) -> None:
    # Ranges and categories are left out: they are no part of the comparison.
    old, new = (
        Signature((replace(column, minimum=None, maximum=None, categories=None),))
        for kind in (old_kind, new_kind)
        for column in infer_signature(pd.DataFrame({"c": TRAINED_ON[kind]})).columns
    )
    refused = [values for values in SENT if accepts(old, values) and not accepts(new, values)]
    assert bool(breaking(new, old)) is bool(refused), (refused, compare_signatures(old, new))


def test_an_optional_column_breaks_nothing_until_it_is_required() -> None:
    note = Column("note", "string", "unknown", required=False)
    new = with_columns(*OLD.columns, note)
    assert breaking(new) == []
    assert harmless(new) == ["Column 'note' is new, and it is optional."]
    (change,) = compare_signatures(new, with_columns(*OLD.columns, replace(note, required=True)))
    assert (change.breaks, change.message) == (
        True,
        "Column 'note' was optional, now it is required.",
    )
    (change,) = compare_signatures(with_columns(*OLD.columns, replace(note, required=True)), new)
    assert (change.breaks, change.message) == (
        False,
        "Column 'note' was required, now it is optional.",
    )


def test_a_column_that_takes_anything_takes_what_the_old_one_took() -> None:
    new = with_columns(OLD.columns[0], replace(OLD.columns[1], type="any", dtype="unknown"))
    assert breaking(new) == []
    assert len(harmless(new)) == 1


def test_an_array_of_any_width_takes_every_width_but_not_the_other_way_round() -> None:
    three, any_width = Signature(array=("float64", 3)), Signature(array=("float64", -1))
    (change,) = compare_signatures(three, any_width)
    assert (change.breaks, change.message) == (
        False,
        "The array had 3 columns, now any number of columns.",
    )
    (change,) = compare_signatures(any_width, three)
    assert change.breaks
    change = compare_signatures(any_width, OLD)[0]
    assert "an array of any number of columns of float64" in change.message
