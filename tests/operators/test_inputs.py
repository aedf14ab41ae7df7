from __future__ import annotations

import pytest

from airflow_mltrack.exceptions import InvalidInput
from airflow_mltrack.lifecycle.transitions import UNSET
from airflow_mltrack.operators.inputs import (
    choice,
    dataset_spec,
    decision_threshold,
    expected_version,
    flag,
    mapping,
    split_spec,
    training_spec,
    version_number,
    whole_number,
)


def test_optional_dag_params_can_be_passed_on_as_they_are() -> None:
    spec = dataset_spec(
        {"uri": "a.csv", "target": "bad", "positive": "", "drop": "id, ,name ", "categorical": None}
    )
    assert (spec.positive, spec.drop, spec.categorical) == (None, ("id", "name"), ())


def test_a_data_set_may_come_as_json_text() -> None:
    assert dataset_spec('{"uri": "a.csv", "target": "bad"}').uri == "a.csv"


@pytest.mark.parametrize("value", ["not json", "[1]", 7, {"uri": "a.csv"}, {"target": "bad"}])
def test_what_is_no_data_set_is_refused(value: object) -> None:
    with pytest.raises(InvalidInput, match="data set"):
        dataset_spec(value)


def test_what_is_not_given_keeps_its_default() -> None:
    spec = training_spec(
        dataset={"uri": "a.csv", "target": "bad"},
        recipe=None,
        split=None,
        metric=None,
        seed="7",
        options={"n_bootstrap": 0},
    )
    assert (spec.metric, spec.seed, spec.n_bootstrap) == ("auc", 7, 0)
    assert split_spec("") is None
    assert split_spec({"seed": 1}) is not None


def test_an_unknown_option_is_named() -> None:
    with pytest.raises(InvalidInput, match="bootstraps"):
        training_spec(
            dataset={"uri": "a.csv", "target": "bad"},
            recipe={},
            split={},
            metric="auc",
            seed=None,
            options={"bootstraps": 1},
        )


@pytest.mark.parametrize(("value", "number"), [(3, 3), ("3", 3), (" 12 ", 12), (0, 0)])
def test_numbers_come_as_text_from_templates(value: object, number: int) -> None:
    assert whole_number("x", value) == number


@pytest.mark.parametrize("value", ["", "None", "-1", "1.5", True, "²", None])
def test_what_is_no_number_is_refused(value: object) -> None:
    with pytest.raises(InvalidInput):
        version_number(value)


def test_a_mapping_is_a_mapping() -> None:
    assert mapping("x", None) == {}
    with pytest.raises(InvalidInput, match="it is a mapping"):
        mapping("x", [1])


def test_a_choice_lists_what_is_known() -> None:
    assert choice("on_refusal", "skip", ("fail", "skip")) == "skip"
    with pytest.raises(InvalidInput, match="it is fail or skip"):
        choice("on_refusal", "Skip", ("fail", "skip"))


@pytest.mark.parametrize(
    ("value", "number"), [(None, None), ("", None), (0.25, 0.25), ("0.5", 0.5), (0, 0.0)]
)
def test_a_threshold_may_be_left_out_or_come_as_text(value: object, number: float | None) -> None:
    assert decision_threshold(value) == number


@pytest.mark.parametrize("value", ["None", "nan", float("inf"), [0.5]])
def test_what_is_no_threshold_is_refused(value: object) -> None:
    with pytest.raises(InvalidInput, match="threshold"):
        decision_threshold(value)


@pytest.mark.parametrize(
    ("value", "found"), [(None, UNSET), ("none", None), (" None ", None), (7, 7), ("7", 7)]
)
def test_which_version_is_expected(value: int | str | None, found: object) -> None:
    assert expected_version(value) == found


@pytest.mark.parametrize("value", ["", "nobody", "-1"])
def test_an_expectation_that_cannot_be_read_is_not_dropped(value: str) -> None:
    with pytest.raises(InvalidInput, match="model version"):
        expected_version(value)


@pytest.mark.parametrize(
    ("value", "found"), [(True, True), ("True", True), ("false ", False), (False, False)]
)
def test_templates_give_true_and_false_as_text(value: object, found: bool) -> None:
    assert flag("emergency", value) is found


@pytest.mark.parametrize("value", ["", "yes", 1, None])
def test_what_is_neither_true_nor_false_is_refused(value: object) -> None:
    with pytest.raises(InvalidInput, match="emergency"):
        flag("emergency", value)
