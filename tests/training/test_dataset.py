from __future__ import annotations

import datetime
import decimal
import gzip
import hashlib
import io
import socket
import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pandas as pd
import pytest

from airflow_mltrack.exceptions import DataUnavailable, InvalidInput, MltrackError, NotFound
from airflow_mltrack.training import table_file
from airflow_mltrack.training.dataset import Dataset, DatasetSpec, load_dataset

WriteTable = Callable[..., DatasetSpec]


def test_the_record_holds_digest_schema_and_profile(dataset: Dataset) -> None:
    content = Path(dataset.spec.uri).read_bytes()
    assert dataset.record.digest == hashlib.sha256(content).hexdigest()
    assert dataset.record.name == "t"
    assert dataset.record.source_type == "local"
    columns = dataset.record.schema["mlflow_colspec"]
    assert isinstance(columns, list)
    assert {column["name"]: (column["type"], column["required"]) for column in columns} == {
        "income": ("double", False),
        "age": ("long", True),
        "home": ("string", False),
        "member": ("boolean", True),
    }
    profile = dataset.record.profile
    assert (profile["rows"], profile["positives"], profile["positive_rate"]) == (300, 75, 0.25)
    assert profile["missing_cells"] == 18 + 14
    assert profile["synthetic"] is False
    assert not dataset.synthetic


def test_the_digest_covers_the_last_byte(frame: pd.DataFrame, write: WriteTable) -> None:
    first = load_dataset(write(frame))
    frame.loc[frame.index[-1], "age"] += 1
    assert load_dataset(write(frame)).record.digest != first.record.digest


def test_gzip_and_parquet_give_the_same_rows(
    frame: pd.DataFrame, dataset: Dataset, write: WriteTable
) -> None:
    packed = write(gzip.compress(Path(dataset.spec.uri).read_bytes()), "named_anyhow.bin")
    parquet = io.BytesIO()
    frame.to_parquet(parquet)
    columnar = write(parquet.getvalue(), "t.parquet")
    for spec, form in ((packed, "csv.gz"), (columnar, "parquet")):
        other = load_dataset(spec)
        assert other.record.profile["format"] == form
        pd.testing.assert_frame_equal(other.features, dataset.features, check_dtype=False)
        np.testing.assert_array_equal(other.target, dataset.target)


def test_a_large_file_waits_on_disk_and_has_the_same_digest(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table_file, "_IN_MEMORY", 1000)
    monkeypatch.setattr(table_file, "_CHUNK", 600)
    assert load_dataset(dataset.spec).record.digest == dataset.record.digest


def test_a_full_disk_is_told_apart_from_missing_data(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table_file, "_IN_MEMORY", 1000)
    monkeypatch.setattr(table_file, "_CHUNK", 600)
    monkeypatch.setattr("tempfile.TemporaryFile", partial(Path("/dev/full").open, "wb"))
    with pytest.raises(MltrackError, match=r"No space left on device.*TMPDIR"):
        load_dataset(dataset.spec)


@pytest.mark.parametrize("promised", [1.0, 1.5])
def test_a_download_that_stops_early_is_refused(dataset: Dataset, promised: float) -> None:
    content = Path(dataset.spec.uri).read_bytes()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(int(len(content) * promised)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        spec = replace(dataset.spec, uri=f"http://127.0.0.1:{server.server_port}/t.csv")
        if promised > 1:
            with pytest.raises(DataUnavailable, match="bytes early"):
                load_dataset(spec)
        else:
            assert load_dataset(spec).record.digest == dataset.record.digest
        server.shutdown()


def test_an_opener_reads_what_nothing_else_opens(dataset: Dataset) -> None:
    opened: list[str] = []

    def opener(uri: str) -> BinaryIO:
        opened.append(uri)
        return Path(dataset.spec.uri).open("rb")

    spec = DatasetSpec("s3://my_conn@bucket/folder/loans.csv.gz?token=1", "bad")
    found = load_dataset(spec, opener=opener)
    assert opened == [spec.uri]
    assert found.record.name == "loans"
    assert found.record.source == "s3://bucket/folder/loans.csv.gz"
    assert found.record.source_type == "s3"


def test_without_an_opener_object_storage_is_refused_with_the_way_out() -> None:
    with pytest.raises(InvalidInput, match="opener="):
        load_dataset(DatasetSpec("s3://bucket/loans.csv", "bad"))


@pytest.mark.parametrize(
    ("uri", "kind"),
    [
        ("/nowhere/loans.csv", NotFound),
        ("file:///nowhere/loans.csv", NotFound),
        ("http://127.0.0.1:9/x.csv", DataUnavailable),
        ("http://127.0.0.1:port/x.csv", InvalidInput),
    ],
)
def test_a_source_that_cannot_be_read_is_named(uri: str, kind: type[MltrackError]) -> None:
    with pytest.raises(kind) as caught:
        load_dataset(DatasetSpec(uri, "bad"))
    assert uri in str(caught.value)


@pytest.mark.parametrize(
    ("status", "kind"),
    [(404, NotFound), (403, NotFound), (429, DataUnavailable), (503, DataUnavailable)],
)
def test_an_answer_that_may_change_is_told_apart_from_one_that_lasts(
    status: int, kind: type[MltrackError]
) -> None:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(status)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with pytest.raises(kind, match=str(status)):
            load_dataset(DatasetSpec(f"http://127.0.0.1:{server.server_port}/t.csv", "bad"))
        server.shutdown()


def test_a_server_that_falls_silent_is_a_matter_of_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_file, "_HTTP_TIMEOUT", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        uri = f"http://127.0.0.1:{silent.getsockname()[1]}/t.csv"
        with pytest.raises(DataUnavailable, match="timed out"):
            load_dataset(DatasetSpec(uri, "bad"))


@pytest.mark.parametrize(
    ("error", "kind"), [(TimeoutError("slow"), DataUnavailable), (PermissionError("no"), NotFound)]
)
def test_an_openers_error_is_told_apart_too(error: OSError, kind: type[MltrackError]) -> None:
    def opener(uri: str) -> BinaryIO:
        raise error

    with pytest.raises(kind, match=str(error)):
        load_dataset(DatasetSpec("s3://bucket/t.csv", "bad"), opener=opener)


def test_file_uris_are_read(dataset: Dataset) -> None:
    found = load_dataset(DatasetSpec(Path(dataset.spec.uri).as_uri(), "bad"))
    assert found.record.digest == dataset.record.digest


@pytest.mark.parametrize(
    "uri",
    ["s3://key:hidden@bucket/t.csv?sig=hidden", "http://me:hidden@127.0.0.1:9/t.csv?sig=hidden"],
)
def test_messages_hold_no_key(uri: str) -> None:
    with pytest.raises((InvalidInput, DataUnavailable)) as caught:
        load_dataset(DatasetSpec(uri, "bad"))
    assert "hidden" not in str(caught.value)
    assert "t.csv" in str(caught.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "cannot be read as a table"),
        ("a,bad\n", "no rows"),
        ("a,bad\n1,0,7,7\n1,1,7,7\n", "more cells than its header"),
        (b"\x89PNG\x00\x00\x1a", "not text"),
        (b"PAR1 but then nothing", "cannot be read as a table"),
        (b"\x1f\x8b broken", "cannot be read as a table"),
        ("a,bad\n\xff\xfe,1\n".encode("latin-1"), "cannot be read as a table"),
        ('a,bad\n"open,1\n', "cannot be read as a table"),
        ("a,a,bad\n1,2,0\n3,4,1\n", "two columns have it"),
    ],
)
def test_what_is_no_table_is_refused(write: WriteTable, content: str | bytes, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        load_dataset(write(content))


@pytest.mark.parametrize(("separator", "shown"), [(";", "';'"), ("\t", "'\\\\t'"), ("|", "'|'")])
def test_other_separators_are_noticed_and_noted(
    write: WriteTable, separator: str, shown: str
) -> None:
    lines = [("a", "bad"), ("1", "0"), ("2", "1")]
    found = load_dataset(write("".join(separator.join(line) + "\n" for line in lines)))
    assert list(found.features.columns) == ["a"]
    assert any("separated by" in note for note in found.notes), shown


@pytest.mark.parametrize("role", ["target", "drop", "categorical", "time_column"])
def test_a_missing_column_is_named_with_a_close_one(
    frame: pd.DataFrame, write: WriteTable, role: str
) -> None:
    wrong: object = "incme" if role in ("target", "time_column") else ["incme"]
    with pytest.raises(InvalidInput, match="Did you mean income"):
        load_dataset(write(frame, **{role: wrong}))


def test_the_target_cannot_be_dropped(frame: pd.DataFrame, write: WriteTable) -> None:
    with pytest.raises(InvalidInput, match="it is the target"):
        load_dataset(write(frame, drop=["bad"]))


@pytest.mark.parametrize(
    ("values", "positive", "events"),
    [
        (["good", "bad", "good"], "bad", 1),
        (["good", "Bad", "good"], "bad", 1),
        ([1, 2, 1], 2, 1),
        ([1, 2, 1], "2", 1),
        ([1.0, 2.0, 1.0], "1", 2),
        ([True, False, True], "true", 2),
        ([True, False, True], None, 2),
        ([0, 1, 0], None, 1),
        ([0.0, 1.0, 1.0], None, 2),
    ],
)
def test_the_event_is_the_positive_value(
    write: WriteTable, values: list[object], positive: object, events: int
) -> None:
    table = pd.DataFrame({"a": range(3), "bad": values})
    assert load_dataset(write(table, positive=positive)).target.sum() == events


def test_more_than_two_classes_become_one_against_the_rest_with_a_note(write: WriteTable) -> None:
    table = pd.DataFrame({"a": range(4), "bad": ["x", "y", "z", "x"]})
    found = load_dataset(write(table, positive="x"))
    assert found.target.tolist() == [1, 0, 0, 1]
    assert "2 other values of bad count as no event" in found.notes


@pytest.mark.parametrize(
    ("values", "positive", "words"),
    [
        (["good", "bad", "good"], None, "positive=VALUE"),
        ([1, 2, 1], None, "not 0 and 1"),
        ([0, 0, 0], None, "Two classes are needed"),
        ([1, 1, 1], None, "all 3 rows are events"),
        ([1, None, 0], None, "1 of 3 rows have no value"),
        (["good", "bad", "good"], "ugly", "Give one of them"),
        ([1, 2, 1], "two", "holds numbers"),
    ],
)
def test_a_target_that_cannot_be_learned_is_refused(
    write: WriteTable, values: list[object], positive: object, words: str
) -> None:
    table = pd.DataFrame({"a": range(3), "bad": values})
    with pytest.raises(InvalidInput, match=words):
        load_dataset(write(table, positive=positive))


def test_useless_columns_are_left_out_and_noted(frame: pd.DataFrame, write: WriteTable) -> None:
    frame = frame.assign(nothing=np.nan, always=7, when=pd.Timestamp("2026-01-01"))
    parquet = io.BytesIO()
    frame.to_parquet(parquet)
    found = load_dataset(write(parquet.getvalue(), "t.parquet"))
    assert set(found.features.columns) == {"income", "age", "home", "member"}
    assert found.record.profile["notes"] == [
        "column nothing has no value at all: left out",
        "column always is '7' in every row: left out",
        "column when holds dates or times: left out",
    ]


def test_texts_that_name_single_rows_never_reach_a_model(write: WriteTable) -> None:
    rows = range(200)
    table = pd.DataFrame(
        {
            "customer": [f"Ann {row}" for row in rows],
            "town": [f"Town {row % 90}" for row in rows],
            "number": rows,
            "bad": [row % 2 for row in rows],
        }
    )
    found = load_dataset(write(table))
    assert list(found.features.columns) == ["town", "number"]
    [note] = found.notes
    assert note.startswith("column customer has 200 different texts in 200 rows")
    assert "customer" in load_dataset(write(table[:90])).features  # too few rows to tell


def test_a_constant_with_gaps_is_kept_because_the_gaps_may_tell(write: WriteTable) -> None:
    table = pd.DataFrame({"a": [7.0, np.nan, 7.0], "bad": [0, 1, 0]})
    assert list(load_dataset(write(table)).features.columns) == ["a"]


def test_infinities_become_missing_and_are_noted(write: WriteTable) -> None:
    table = pd.DataFrame({"a": [1.0, np.inf, -np.inf], "bad": [0, 1, 0]})
    found = load_dataset(write(table))
    assert found.features["a"].isna().sum() == 2
    assert "column a has 2 infinities: made missing" in found.notes


def test_no_column_left_is_an_error(write: WriteTable) -> None:
    with pytest.raises(InvalidInput, match="no column is left"):
        load_dataset(write(pd.DataFrame({"a": [1, 1], "bad": [0, 1]})))


def test_dropped_and_time_columns_are_no_features(frame: pd.DataFrame, write: WriteTable) -> None:
    found = load_dataset(write(frame, drop=["home"], time_column="age"))
    assert list(found.features.columns) == ["income", "member"]
    assert found.time is not None
    assert found.time.tolist() == frame["age"].tolist()


def test_parquet_types_become_plain(write: WriteTable) -> None:
    table = pd.DataFrame(
        {
            "whole": pd.array([1, None, 3], dtype="Int64"),
            "full": pd.array([1, 2, 3], dtype="Int32"),
            "flag": pd.array([True, None, False], dtype="boolean"),
            "kind": pd.Categorical(["a", None, "b"]),
            "price": [decimal.Decimal("1.5"), None, decimal.Decimal("2.5")],
            "day": [datetime.date(2026, 1, day) for day in (1, 2, 3)],
            "bad": [0, 1, 0],
        }
    )
    parquet = io.BytesIO()
    table.to_parquet(parquet)
    found = load_dataset(write(parquet.getvalue(), "t.parquet")).features
    assert {name: found[name].dtype.kind for name in found.columns} == {
        "whole": "f",
        "full": "i",
        "flag": "O",
        "kind": "O",
        "price": "f",
    }


def test_nested_values_are_refused_by_name(write: WriteTable) -> None:
    parquet = io.BytesIO()
    pd.DataFrame({"a": [[1], [2]], "bad": [0, 1]}).to_parquet(parquet)
    with pytest.raises(InvalidInput, match=r"'a'.*not numbers, texts or booleans"):
        load_dataset(write(parquet.getvalue(), "t.parquet"))


def test_a_spec_survives_json() -> None:
    spec = DatasetSpec("x.csv", "bad", positive="b", drop=("i",), categorical=("c",), name="n")
    assert DatasetSpec.from_json(spec.to_json()) == spec
    assert DatasetSpec("x.csv", "bad").to_json() == {"uri": "x.csv", "target": "bad"}


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"uri": "x", "traget": "bad"}, "Did you mean target"),
        ({"uri": "x"}, "key target is missing"),
        ({"target": "x"}, "key uri is missing"),
        ({"uri": " ", "target": "x"}, "not empty"),
        ({"uri": "x", "target": 3}, "not empty"),
        ({"uri": "x", "target": "y", "drop": "a,b"}, "list of column names"),
        ({"uri": "x", "target": "y", "drop": [3]}, "column name is text"),
        ({"uri": "x", "target": "y", "name": "n" * 501}, "500 characters"),
        (["uri"], "it is a mapping"),
    ],
)
def test_a_wrong_spec_is_refused(data: dict[str, object], words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        DatasetSpec.from_json(data)


def test_a_password_in_an_address_is_refused_and_not_shown() -> None:
    with pytest.raises(InvalidInput, match="Airflow connection") as caught:
        DatasetSpec(uri="https://ann:hunter2@host/table.csv", target="bad")
    assert "hunter2" not in str(caught.value)
