"""Errors word themselves: the thing, the value, the rule, the next step."""

from __future__ import annotations

import inspect
import pickle
import re

import pytest

from airflow_mltrack import exceptions
from airflow_mltrack.exceptions import (
    ApprovalRefused,
    ArtifactCorrupt,
    ArtifactUnavailable,
    Conflict,
    DataUnavailable,
    EnvironmentMismatch,
    InvalidFilter,
    InvalidInput,
    LoginRefused,
    MltrackError,
    NotFound,
    PromotionRefused,
    SchemaOutOfDate,
    StoreError,
    StoreUnavailable,
    SweepFailed,
    UnsupportedModel,
    UntrustedImport,
    UntrustedPackage,
    shorten,
)

ONE_OF_EACH = [
    (NotFound("run", "r1", "List them."), "run 'r1' does not exist. List them."),
    (Conflict("param", "p", "it is 1.", "Do."), "param 'p': it is 1. Do."),
    (InvalidInput("key", "a=b", "no =."), "key 'a=b' is not valid: no =."),
    (InvalidFilter("a >", 3, "a number"), "at character 4: expected a number, found 'the end'"),
    (UntrustedImport("os.system", ["sklearn"]), "MLTRACK_TRUSTED_MODULES"),
    (
        PromotionRefused("m", 3, "Production", ["no verdict"], "Validate."),
        "- no verdict\nValidate.",
    ),
    (
        ApprovalRefused("m", 3, "Production", "ada", "ada trained it.", "Ask bob."),
        "ada may not approve m version 3 for Production: ada trained it. Ask bob.",
    ),
    (SweepFailed("s", {"FAILED": 2}, 1, ["boom"]), "as: 2 FAILED. What went wrong:\n  - boom"),
    (SweepFailed("s", {}, 1), "they ended as: there are no trials"),
    (
        DataUnavailable("https://h/t.csv", "timed out."),
        "'https://h/t.csv' cannot be read now: timed",
    ),
    (StoreError("it refused."), "it refused."),
    (StoreUnavailable("here", "gone."), "here cannot be reached: gone. Check"),
    (LoginRefused("here", "wrong password."), "here refuses the connection: wrong password. Check"),
    (SchemaOutOfDate(None, "0001"), "schema none.*0001.*mltrack db upgrade"),
    (SchemaOutOfDate("9", "0001", known=False), "pip install --upgrade airflow-mltrack"),
    (ArtifactUnavailable("k", "away."), "Artifact 'k': away."),
    (ArtifactCorrupt("k", "aa", "bb"), "sha256 is bb, recorded was aa"),
    (UnsupportedModel("x.Y", "lambda."), "x.Y cannot be packaged safely: lambda."),
    (UntrustedPackage("dir", ["b.B", "a.A"]), "a.A, b.B. Nothing was loaded."),
    (EnvironmentMismatch("dir", {"skops": ("1", None)}), "skops 1 (here: missing)"),
]


@pytest.mark.parametrize(("error", "part"), ONE_OF_EACH)
def test_an_error_says_what_it_knows(error: MltrackError, part: str) -> None:
    assert part in str(error) or re.search(part, str(error))


@pytest.mark.parametrize("error", [error for error, _ in ONE_OF_EACH])
def test_an_error_crosses_processes_with_its_facts(error: MltrackError) -> None:
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert type(copy) is type(error)
    assert (str(copy), vars(copy)) == (str(error), vars(error))


def test_every_class_is_drawn_in_the_tree_and_tried_here() -> None:
    classes = {
        value
        for value in vars(exceptions).values()
        if inspect.isclass(value) and issubclass(value, MltrackError)
    }
    drawn = set(re.findall(r"[├└]── (\w+)", exceptions.__doc__ or "")) | {"MltrackError"}
    assert {one.__name__ for one in classes} == drawn
    tried = {kind for error, _ in ONE_OF_EACH for kind in type(error).__mro__}
    assert classes <= tried


def test_bad_input_is_a_value_error_too() -> None:
    with pytest.raises(ValueError, match="not valid"):
        raise InvalidInput("a", "b", "c")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("plain", "plain"),
        ("a\nb\x00", r"a\nb\x00"),
        ("\ud800", r"\ud800"),
        (5, "5"),
        ("x" * 500, "x" * 119 + "… (500 characters)"),
    ],
)
def test_values_are_shown_in_one_short_line(value: object, shown: str) -> None:
    assert shorten(value) == shown


def test_a_filter_that_cannot_be_read_is_bad_input_with_all_its_facts() -> None:
    error: InvalidInput = InvalidFilter("a >", 3, "a number")
    assert (error.what, error.value, error.rule) == ("filter", "a >", "expected a number")
    assert error.hint == ""
