"""Addresses of files: what is read stays below its run or model."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from typing import TypeVar
from urllib.parse import quote, unquote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from airflow_mltrack.artifacts.artifact_key import safe_path
from airflow_mltrack.web.mlflow.errors import MlflowError
from airflow_mltrack.web.mlflow.locations import (
    Location,
    checked_path,
    model_location,
    parse_location,
    run_location,
)

T = TypeVar("T")
PIECES = (
    *("..", ".", "/", "//", "\\", "%2e", "%2E", "%2f", "%5c", "%00", "%25", "\x00", "#", "%23"),
    *("\uff0e", "\u2025", "\u2024", "\uff0f", "\uff3c", "\uff05", "\ufffd", "\ud800", "\n", "\r"),
    *(
        "artifacts",
        "models",
        "0",
        "1",
        "a",
        "ü",
        "m-1",
        "mlflow-artifacts:",
        "etc/passwd",
        " ",
        "C:",
    ),
)
ANYTHING = st.one_of(
    st.text(max_size=60),
    st.lists(st.sampled_from(PIECES), max_size=14).map("".join),
    st.lists(st.sampled_from(PIECES), max_size=10).map(
        lambda found: quote("".join(found), errors="replace")
    ),
)
NAMES = st.text(
    st.characters(categories=("L", "N"), max_codepoint=0x2FFF), min_size=1, max_size=20
).filter(lambda name: unicodedata.normalize("NFKC", name) == name)


def decodings(path: str) -> list[str]:
    """Give a path in every form in which something behind us might read it."""
    found = [path]
    for _ in range(6):
        found += [unquote(found[-1]), unicodedata.normalize("NFKC", found[-1])]
        found.append(unquote(unicodedata.normalize("NFKC", found[-1])))
    return found


def read(reader: Callable[[str], T], text: str) -> tuple[T | None, str]:
    """Give what is read, or the code of the refusal."""
    try:
        return reader(text), ""
    except MlflowError as error:
        return None, error.code


def stays_below(path: str) -> bool:
    return all(
        not {"", ".", ".."} & set(form.split("/")) and not {"\\", "\x00"} & set(form)
        for form in decodings(path)
    )


@given(ANYTHING)
@example("../a")
@example("%252e%252e%252fa")
@example("\uff0e\uff0e\uff0fa")
@example("\uff05\uff12e\uff05\uff12e/a")
@example("a\uff0f..")
def test_a_path_that_is_accepted_stays_below_in_every_form(path: str) -> None:
    found, refusal = read(checked_path, path)
    assert refusal in ("", "INVALID_PARAMETER_VALUE")
    assert refusal or found == path.rstrip("/")
    if found:
        assert safe_path(found) == found
        assert stays_below(found)


@given(ANYTHING, st.sampled_from(["", "0/r1/artifacts/", "0/models/m-1/artifacts/", "0/"]))
def test_an_address_that_is_read_names_one_owner(rest: str, start: str) -> None:
    found, refusal = read(parse_location, start + rest)
    assert refusal in ("", "INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST")
    if found is None:
        return
    assert (found.run_id is None) != (found.model_id is None)
    owner = found.run_id or found.model_id or ""
    assert owner.isascii()
    assert owner.replace("-", "").replace("_", "").isalnum()
    assert not found.path or stays_below(found.path)


@given(st.lists(NAMES, max_size=5), st.integers(0, 10**17))
def test_what_is_written_is_read_again(parts: list[str], experiment: int) -> None:
    path = "/".join(parts)
    below = f"/{path}" if path else ""
    run = parse_location(f"{run_location(experiment, 'r1')}{below}")
    assert run == Location(experiment, run_id="r1", path=path)
    model = parse_location(f"{model_location(experiment, 'm-1')}{below}")
    assert model == Location(experiment, model_id="m-1", path=path)


@pytest.mark.parametrize(
    "path",
    ["a b.txt", "100%.txt", "a+b&c=d?.txt", "売上\uff0f費用.csv", "½.txt", "a..b", "...", "~"],
)
def test_odd_names_are_names(path: str) -> None:
    assert parse_location(f"0/r1/artifacts/{path}").path == path


@pytest.mark.parametrize("address", ["", "/", "0", "0/r1", "0/r1/other/a", "x/r1/artifacts/a"])
def test_what_is_no_place_for_files_is_not_there(address: str) -> None:
    with pytest.raises(MlflowError, match="EXPERIMENT/RUN/artifacts") as caught:
        parse_location(address)
    assert caught.value.code == "RESOURCE_DOES_NOT_EXIST"
