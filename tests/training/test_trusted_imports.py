"""A dotted path reaches nothing but what a trusted module itself defines."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_mltrack.exceptions import InvalidInput, UntrustedImport
from airflow_mltrack.training.trusted_imports import check_import_path, import_function


@pytest.fixture(autouse=True)
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give modules that can be imported from here."""
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "mine_a.py").write_text(
        "from os import getcwd\nfrom shutil import rmtree\nlimit = 3\nclass Thing: ...\n"
        "def double(x):\n    return 2 * x\ndef _hidden(x):\n    return x\n"
    )
    (tmp_path / "mine_broken.py").write_text("raise RuntimeError('no licence')\n")
    (tmp_path / "mine_ending.py").write_text("raise SystemExit(0)\n")


def test_a_function_of_a_trusted_module_is_imported() -> None:
    double = import_function("mine_a.double", ("mine_a",))
    assert double(4) == 8


@pytest.mark.parametrize(
    ("path", "trusted"),
    [
        ("mine_a.double", ("sklearn",)),
        ("mine_a.rmtree", ("mine_a",)),
        ("mine_a._hidden", ("mine_a",)),
        ("mine_a.tests.check", ("mine_a",)),
        ("os.system", ("mine_a",)),
    ],
)
def test_what_is_not_trusted_is_refused(path: str, trusted: tuple[str, ...]) -> None:
    with pytest.raises(UntrustedImport, match="MLTRACK_TRUSTED_MODULES"):
        import_function(path, trusted)


def test_an_untrusted_module_is_not_even_imported() -> None:
    with pytest.raises(UntrustedImport):
        import_function("mine_broken.check", ("mine_a",))


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("double", "reads module.function"),
        ("mine_a.", "reads module.function"),
        ("mine_a.dubble", "Did you mean double"),
        ("mine_a.Thing", "not a function"),
        ("mine_a.limit", "not a function"),
        ("mine_a.getcwd", "not a function"),
        ("mine_broken.check", "RuntimeError: no licence"),
        ("mine_ending.check", "SystemExit"),
        ("mine_gone.check", "cannot be imported"),
    ],
)
def test_what_is_no_function_is_refused(path: str, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        import_function(path, ("mine_a", "mine_broken", "mine_ending", "mine_gone"))


def test_a_path_can_be_looked_at_before_the_trusted_modules_are_known() -> None:
    check_import_path("anything.check", None, kind="function")
    for path in ("check", "a b.check", "mine._check", "mine.tests.check"):
        with pytest.raises(InvalidInput):
            check_import_path(path, None, kind="function")
