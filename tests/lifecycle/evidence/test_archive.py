"""Archives can be unpacked anywhere, whatever their files are called."""

from __future__ import annotations

import hashlib
import unicodedata
import zipfile
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_mltrack.lifecycle.evidence.archive import ArchiveFolder, archive_path

_NAMES = st.one_of(
    st.text(max_size=40),
    st.sampled_from(["a", "A", "a/b", "a/B", "a/b/c", "..", "../a", "/a", "a//b", "é", "e\u0301"]),
)


@pytest.mark.parametrize(
    ("path", "safe"),
    [
        ("plots/roc.png", "plots/roc.png"),
        ("../../etc/passwd", "_/_/etc/passwd"),
        ("/etc/passwd", "etc/passwd"),
        ("C:\\x\\y", "C__x_y"),
        ("a/./b. /", "a/_/b_"),
        ("", "_"),
        ("e\u0301.png", "é.png"),
        ("\ud800", "_"),
        ("x" * 300 + ".png", "x" * 30 + "~" + "x" * 11 + ".png"),
    ],
)
def test_a_path_stays_below_where_it_is_unpacked(path: str, safe: str) -> None:
    assert archive_path(path) == safe


@given(st.lists(_NAMES, max_size=12))
@settings(max_examples=60)
def test_any_names_make_an_archive_that_unpacks_to_all_files(
    tmp_path_factory: pytest.TempPathFactory, names: list[str]
) -> None:
    staging, out = tmp_path_factory.mktemp("staging"), tmp_path_factory.mktemp("out")
    folder = ArchiveFolder(staging)
    for number, name in enumerate(names):
        folder.add_bytes(name, str(number).encode())
    sha256, size = folder.write(out / "pack.zip")
    data = (out / "pack.zip").read_bytes()
    assert (hashlib.sha256(data).hexdigest(), len(data)) == (sha256, size)
    with zipfile.ZipFile(out / "pack.zip") as archive:
        archive.extractall(out / "unpacked")
    paths = [file.path for file in folder.files]
    assert [(out / "unpacked" / path).read_text() for path in paths] == [
        str(number) for number in range(len(names))
    ]
    assert len({unicodedata.normalize("NFC", path).casefold() for path in paths}) == len(paths)
    for path in paths:
        assert ".." not in PurePosixPath(path).parts
        assert not path.startswith("/")


def test_the_order_is_fixed_whatever_came_first(tmp_path: Path) -> None:
    digests = []
    for number, names in enumerate((["b", "report.html", "a"], ["a", "b", "report.html"])):
        staging = tmp_path / str(number)
        staging.mkdir()
        folder = ArchiveFolder(staging)
        for name in names:
            folder.add_bytes(name, name.encode())
        folder.add_manifest()
        assert [file.path for file in folder.listing()] == [
            "report.html",
            "manifest.json",
            "a",
            "b",
        ]
        digests.append(folder.write(tmp_path / f"{number}.zip"))
    assert digests[0] == digests[1]
