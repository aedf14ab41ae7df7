"""Types and constraints are learned from training data and enforced on new rows."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

from airflow_mltrack.exceptions import InvalidInput
from airflow_mltrack.model_package.signature import MAX_CATEGORIES, Signature, infer_signature


@pytest.fixture
def training() -> pd.DataFrame:
    """Every kind of column."""
    return pd.DataFrame(
        {
            "double": [1.0, np.nan, 3.0, 4.0],
            "float": np.array([1, 2, 3, 4], dtype="float32"),
            "long": [1, 2, 3, 4],
            "integer": np.array([1, 2, 3, 4], dtype="int32"),
            "nullable": pd.array([1, None, 3, 4], dtype="Int64"),
            "boolean": [True, False, True, False],
            "string": ["a", "b", "a", "b"],
            "category": pd.Categorical(["x", "y", "x", "y"]),
            "datetime": pd.to_datetime(["2026-01-01"] * 4),
        }
    )


def one(values: Any, name: str = "c") -> Signature:
    return infer_signature(pd.DataFrame({name: values}))


def test_every_column_gets_its_mlflow_type(training: pd.DataFrame) -> None:
    found = {column.name: column.type for column in infer_signature(training).columns}
    assert found == {name: name for name in training.columns} | {
        "nullable": "double",
        "category": "string",
    }


def test_constraints_say_what_training_data_held(training: pd.DataFrame) -> None:
    columns = {column.name: column for column in infer_signature(training).columns}
    assert (columns["double"].minimum, columns["double"].maximum) == (1.0, 4.0)
    assert columns["double"].nullable
    assert not columns["long"].nullable
    assert columns["string"].categories == ("a", "b")
    assert columns["category"].categories == ("x", "y")
    assert columns["category"].dtype == "category"
    assert columns["boolean"].minimum is None
    assert columns["datetime"].categories is None


def test_without_constraints_only_types_are_kept(training: pd.DataFrame) -> None:
    for column in infer_signature(training, constraints=False).columns:
        assert (column.minimum, column.maximum, column.categories) == (None, None, None)
        assert column.nullable


def test_names_of_people_are_no_categories() -> None:
    people = [f"person {number}" for number in range(40)]
    assert one(people).columns[0].categories is None
    assert (
        one([f"v{number % (MAX_CATEGORIES + 1)}" for number in range(1000)]).columns[0].categories
        is None
    )
    assert (
        len(
            one([f"v{number % MAX_CATEGORIES}" for number in range(1000)]).columns[0].categories
            or ()
        )
        == MAX_CATEGORIES
    )


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([1], dtype="uint8"), "integer"),
        (np.array([1], dtype="uint32"), "long"),
        (pd.Series([1, 2], dtype=object), "long"),
        (pd.Series([1.5, None], dtype=object), "double"),
        (pd.Series([True, None], dtype=object), "boolean"),
        (pd.Series([None, None], dtype=object), "string"),
        (pd.Series([b"a"], dtype=object), "binary"),
        (pd.Categorical([1, 2]), "long"),
        (pd.Categorical([1, None]), "double"),
        (pd.Series([1, None], dtype=object), "double"),
        (pd.array([True, None], dtype="boolean"), "boolean"),
    ],
)
def test_odd_dtypes_have_a_type(values: Any, expected: str) -> None:
    assert one(values).columns[0].type == expected


def test_infinities_and_empty_columns_have_no_range() -> None:
    column = one([np.inf, 1.0, -np.inf, 2.0]).columns[0]
    assert (column.minimum, column.maximum) == (1.0, 2.0)
    assert one([np.nan, np.nan]).columns[0].minimum is None


@pytest.mark.parametrize(
    "values", [pd.to_timedelta(["1D"]), pd.Series([[1], [2]]), pd.Series([1, "a"], dtype=object)]
)
def test_types_that_no_model_file_describes_are_refused(values: Any) -> None:
    with pytest.raises(InvalidInput, match="a boolean, a number, a text or a date"):
        one(values)


def test_repeated_names_and_other_objects_are_refused() -> None:
    with pytest.raises(InvalidInput, match="name of its own"):
        infer_signature(pd.DataFrame([[1, 2]], columns=["a", "a"]))
    with pytest.raises(InvalidInput, match="two-dimensional"):
        infer_signature([[1, 2]])
    with pytest.raises(InvalidInput, match="two-dimensional"):
        infer_signature(np.array([1, 2]))


def test_a_signature_survives_its_json_form(training: pd.DataFrame) -> None:
    signature = infer_signature(training, np.array([0, 1]))
    text = json.dumps(signature.to_json(), allow_nan=False)
    assert Signature.from_json(json.loads(text)) == signature
    array = infer_signature(np.zeros((2, 3)), np.array([0.5]))
    assert Signature.from_json(json.loads(json.dumps(array.to_json()))) == array


@pytest.mark.parametrize(
    ("outputs", "expected"),
    [
        (np.array([1, 0]), {"type": "tensor", "tensor-spec": {"dtype": "int64", "shape": [-1]}}),
        (
            np.zeros((2, 3)),
            {"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1, 3]}},
        ),
        (np.array(["good", "bad"]), {"type": "string", "required": True}),
        (pd.DataFrame({"p": [0.5]}), {"type": "double", "name": "p", "required": True}),
    ],
)
def test_outputs_are_described(outputs: Any, expected: dict[str, Any]) -> None:
    signature = infer_signature(pd.DataFrame({"a": [1.0]}), outputs)
    assert json.loads(signature.to_mlflow()["outputs"] or "") == [expected]


def test_training_rows_pass_their_own_signature(training: pd.DataFrame) -> None:
    checked = infer_signature(training).check(training, constraints="error")
    assert checked.violations == ()
    pd.testing.assert_frame_equal(checked.data, training)


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("long", np.array([4, 3], dtype="int8")),
        ("long", np.array([4.0, 3.0])),
        ("long", pd.Series([4, 3], dtype=object)),
        ("long", pd.array([4, 3], dtype="Int64")),
        ("integer", np.array([4, 3], dtype="int64")),
        ("double", np.array([4, 3])),
        ("double", pd.Series([4, None], dtype=object)),
        ("double", pd.Series([None, np.nan], dtype=object)),
        ("float", np.array([4.0, 3.0])),
        ("nullable", np.array([4.0, np.nan])),
        ("boolean", pd.Series([True, False], dtype=object)),
        ("boolean", pd.array([True, False], dtype="boolean")),
        ("string", pd.Categorical(["a", "b"])),
        ("string", pd.Series(["a", None], dtype=object)),
        ("category", pd.Series(["x", "y"], dtype=object)),
        ("datetime", pd.Series(["2026-01-01", "2026-02-01"])),
    ],
)
def test_conversions_that_lose_nothing_are_made(
    column: str, values: Any, training: pd.DataFrame
) -> None:
    rows = training.iloc[:2].assign(**{column: values})
    signature = infer_signature(training)
    found = signature.check(rows, constraints="ignore").data
    assert str(found[column].dtype) == str(training[column].dtype)
    expected = pd.Series(values, index=found.index)
    assert [str(value) for value in found[column].dropna().astype(object)] == [
        str(value)
        for value in expected.dropna()
        .astype(object)
        .map(pd.Timestamp if column == "datetime" else lambda value: value)
    ] or np.allclose(found[column].dropna().astype(float), expected.dropna().astype(float))


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        ("long", [1.5, 2.0], "whole numbers from -9223372036854775808"),
        ("long", [1.0, np.nan], "cannot be missing"),
        ("long", ["1", "2"], "takes numbers"),
        ("long", [True, False], "takes numbers"),
        ("integer", [2**40, 1], "whole numbers from -2147483648 to 2147483647"),
        ("double", ["1.5", "2"], "takes numbers"),
        ("double", [True, False], "takes numbers"),
        ("double", pd.Series([1.0, "x"], dtype=object), "takes numbers"),
        ("boolean", [1, 0], "true and false"),
        ("boolean", ["yes", "no"], "true and false"),
        ("string", [1, 2], "takes texts"),
        ("datetime", ["soon", "later"], "dates and times in ISO 8601"),
        ("datetime", [1, 2], "dates and times"),
    ],
)
def test_conversions_that_lose_something_are_refused(
    column: str, values: Any, message: str, training: pd.DataFrame
) -> None:
    rows = training.iloc[:2].assign(**{column: values})
    with pytest.raises(InvalidInput, match=message) as caught:
        infer_signature(training).check(rows)
    assert f"column {column!r}" in str(caught.value)


def test_missing_columns_are_all_named(training: pd.DataFrame) -> None:
    signature = infer_signature(training)
    with pytest.raises(InvalidInput, match="long, boolean, which are not there"):
        signature.check(training.drop(columns=["long", "boolean"]))
    with pytest.raises(InvalidInput, match="and more"):
        signature.check(training[["long"]])


def test_columns_are_ordered_and_unknown_ones_dropped(training: pd.DataFrame) -> None:
    rows = training[training.columns[::-1]].assign(extra=1)
    checked = infer_signature(training).check(rows)
    assert list(checked.data.columns) == list(training.columns)
    assert checked.dropped == ("extra",)
    doubled = pd.concat([training, training[["long"]]], axis=1)
    with pytest.raises(InvalidInput, match="given once"):
        infer_signature(training).check(doubled)


def test_violations_are_counted(training: pd.DataFrame) -> None:
    texts = pd.Series(["a", "z", None, "q"], dtype=object)
    rows = training.assign(long=[0, 1, 2, 99], string=texts, category=["x", "x", "x", "w"])
    found = infer_signature(training).check(rows).violations
    assert [(each.column, each.rule, each.rows) for each in found] == [
        ("long", "range", 2),
        ("string", "missing", 1),
        ("string", "category", 2),
        ("category", "category", 1),
    ]
    with pytest.raises(InvalidInput, match=r"unknown categories in 2 rows: z, q"):
        infer_signature(training).check(rows, constraints="error")
    assert infer_signature(training).check(rows, constraints="ignore").violations == ()


def test_wrong_options_and_inputs_are_named(training: pd.DataFrame) -> None:
    signature = infer_signature(training)
    with pytest.raises(InvalidInput, match="error, warn or ignore"):
        signature.check(training, constraints="strict")
    with pytest.raises(InvalidInput, match="must be a DataFrame"):
        signature.check([[1, 2]])


def test_arrays_are_checked_for_width_and_numbers() -> None:
    signature = infer_signature(np.zeros((5, 2)))
    assert signature.check([[1, 2]]).data.dtype == "float64"
    assert signature.check(np.array([[1, "2"]], dtype=object)).data.tolist() == [[1.0, 2.0]]
    with pytest.raises(InvalidInput, match="wants 2 columns"):
        signature.check([1, 2])
    with pytest.raises(InvalidInput, match="array of float64"):
        signature.check([["a", "b"]])
    whole = infer_signature(np.zeros((5, 2), dtype="int64"))
    with pytest.raises(InvalidInput, match="array of int64"):
        whole.check([[0.5, 1.0]])
