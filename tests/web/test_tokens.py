"""The token file of ``mltrack server``."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from airflow_mltrack.exceptions import InvalidInput, NotFound
from airflow_mltrack.web.tokens import ROLES, TokenHolder, create_token, read_tokens, token_digest


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "tokens"


def test_what_was_made_is_read(file: Path) -> None:
    made = {name: create_token(file, name, role) for name, role in zip("abc", ROLES, strict=True)}

    found = read_tokens(file)
    assert {found[token_digest(made[name])].role for name in "abc"} == set(ROLES)
    assert found[token_digest(made["b"])] == TokenHolder("b", "user")
    assert len(set(made.values())) == 3


def test_file_holds_no_token_and_is_its_owners_alone(file: Path) -> None:
    token = create_token(file, "ada", "user")

    assert token not in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_each_role_may_do_what_the_one_before_may() -> None:
    may = {
        role: [asked for asked in ROLES if TokenHolder("ada", role).may(asked)] for role in ROLES
    }
    assert may == {
        "viewer": ["viewer"],
        "user": ["viewer", "user"],
        "promoter": ["viewer", "user", "promoter"],
    }


def test_comments_and_empty_lines_mean_nothing(file: Path) -> None:
    file.write_text(f"# team\n\n  # more\nada user {'a' * 64}")
    token = create_token(file, "bob", "viewer")

    assert read_tokens(file) == {
        "a" * 64: TokenHolder("ada", "user"),
        token_digest(token): TokenHolder("bob", "viewer"),
    }


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_file_that_others_may_write_is_refused(file: Path, mode: int) -> None:
    create_token(file, "ada", "user")
    file.chmod(mode)

    for use in (lambda: read_tokens(file), lambda: create_token(file, "bob", "user")):
        with pytest.raises(InvalidInput, match="chmod go-w"):
            use()


@pytest.mark.parametrize(
    "line",
    [
        f"ada {'a' * 64}",
        f"ada root {'a' * 64}",
        f"ada user {'A' * 64}",
        f"ada user {'a' * 63}",
        f"ada user {'a' * 64} more",
    ],
)
def test_line_that_cannot_be_read_is_named(file: Path, line: str) -> None:
    file.write_text(f"# first\n{line}\n")

    for use in (lambda: read_tokens(file), lambda: create_token(file, "bob", "user")):
        with pytest.raises(InvalidInput, match="token file line 2 'ada'"):
            use()


@pytest.mark.parametrize("name", ["", "a b", " a", "#a", "a\nb", "a:b", "a\x00b", "n" * 201])
def test_name_that_would_break_the_file_or_a_login_is_refused(file: Path, name: str) -> None:
    with pytest.raises(InvalidInput, match="token name"):
        create_token(file, name, "user")
    assert not file.exists()


def test_unknown_role_is_refused(file: Path) -> None:
    with pytest.raises(InvalidInput, match="viewer, user, promoter"):
        create_token(file, "ada", "admin")
    assert not file.exists()


def test_missing_file_says_how_to_make_one(file: Path) -> None:
    with pytest.raises(NotFound, match="mltrack token create"):
        read_tokens(file)


def test_what_cannot_be_read_or_written_is_named(tmp_path: Path) -> None:
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff\xfe")
    binary.chmod(0o600)
    for path in (binary, tmp_path):
        with pytest.raises(InvalidInput, match="token file"):
            read_tokens(path)
    with pytest.raises(InvalidInput, match="cannot be written"):
        create_token(tmp_path / "missing" / "tokens", "ada", "user")
