"""Columns on terminals of any width."""

from __future__ import annotations

import re

import pytest

from airflow_mltrack.cli.output import Listing, show
from airflow_mltrack.cli.table_layout import ColumnNeed, fitting, need


def test_numbers_and_ids_keep_their_width_and_words_may_be_wrapped() -> None:
    assert need("id", ["0a43d1ae"], wraps=False) == ColumnNeed(8, 8)
    assert need("name", ["048 extra_trees + smote"], wraps=True) == ColumnNeed(12, 23)
    assert need("uri", ["x" * 60], wraps=True) == ColumnNeed(12, 60)
    assert need("0a43d1ae\n048 extra_trees", ["1"], wraps=True).natural == 15


def test_everything_has_its_natural_width_where_there_is_room() -> None:
    needs = {"a": ColumnNeed(4, 4), "b": ColumnNeed(10, 30)}
    assert fitting(needs, 80, droppable=("a",)) == {"a": 4, "b": 30}


def test_columns_are_left_out_in_the_order_that_was_asked_for_and_no_more_than_needed() -> None:
    needs = {name: ColumnNeed(10, 10) for name in "abcd"}
    assert list(fitting(needs, 48, droppable=("c", "a"))) == ["a", "b", "c", "d"]
    assert list(fitting(needs, 47, droppable=("c", "a"))) == ["a", "b", "d"]
    assert list(fitting(needs, 24, droppable=("c", "a"))) == ["b", "d"]
    assert fitting(needs, 5, droppable=("c", "a")) == {"b": 10, "d": 10}, "nothing is squeezed away"


def test_what_is_left_goes_to_those_who_want_it() -> None:
    needs = {"a": ColumnNeed(5, 7), "b": ColumnNeed(5, 50), "c": ColumnNeed(5, 50)}
    widths = fitting(needs, 2 + 2 * 2 + 37)
    assert widths == {"a": 7, "b": 15, "c": 15}


@pytest.mark.parametrize("width", [40, 80, 120])
def test_a_table_is_never_wider_than_the_terminal_and_says_what_it_left_out(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", str(width))
    row = {"id": "0a43d1ae", "name": "048 extra_trees + smote_enn", "note": "n" * 30, "auc": 0.75}
    show(Listing(("id", "name", "note", "auc"), [row], droppable=("note",)), "table")
    out, err = capsys.readouterr()
    lines = re.sub(r"\x1b\[[0-9;]*m", "", out).splitlines()
    assert max(map(len, lines)) <= width
    assert all(
        re.search(rf"(?<!\w){re.escape(word)}(?!\w)", out) for word in ("0a43d1ae", "0.7500")
    )
    assert all(word in out for word in ("extra_trees", "smote_enn")), "names are kept in full"
    assert ("note" in err) == (width == 40)
