from __future__ import annotations

from pathlib import Path

import pytest

from airflow_mltrack.exceptions import InvalidInput, NotFound
from airflow_mltrack.hooks.data import make_opener
from airflow_mltrack.hooks.mltrack import MltrackHook


@pytest.fixture
def opener(backend_connection: str):  # type: ignore[no-untyped-def]
    return make_opener(MltrackHook(backend_connection))


def test_local_files_are_read_directly(opener, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    file = tmp_path / "a.csv"
    file.write_bytes(b"x,y\n")
    for uri in (str(file), file.as_uri()):
        with opener(uri) as stream:
            assert stream.read() == b"x,y\n"


def test_a_missing_file_is_named(opener, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(NotFound, match=r"nothing\.csv"):
        opener(str(tmp_path / "nothing.csv"))


def test_a_scheme_nobody_knows_is_refused_with_advice(opener) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InvalidInput, match="Install the provider"):
        opener("gopher://host/a.csv")


def test_an_airflow_connection_in_an_s3_address_needs_the_provider(opener) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InvalidInput, match="apache-airflow-providers-amazon"):
        opener("s3://my_conn@bucket/a.csv")
