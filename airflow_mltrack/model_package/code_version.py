"""Which code made a model: commit, branch, uncommitted changes, Dag bundle.

The ``git`` command is asked, with everything switched off that could run a program of the
repository's choosing (pager, external diff, text conversion, file-system monitor, hooks) or write
to it.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

DIFF_LIMIT = 1024 * 1024
"""Bytes of a diff that are kept."""

_TIMEOUT = 10
_UNTRACKED_LIMIT = 200
_SAFE = (
    "--no-pager",
    "-c",
    "core.fsmonitor=false",
    "-c",
    "core.hooksPath=/dev/null",
    "-c",
    "core.quotePath=false",
    "-c",
    "diff.external=",
    "-c",
    "color.ui=false",
)


@dataclass(frozen=True, slots=True)
class CodeVersion:
    """The state of the code when a model was made."""

    commit: str | None = None
    """Full hash; None outside a repository, see ``reason``."""
    branch: str | None = None
    """None for a detached head."""
    dirty: bool = False
    """Whether tracked files were changed or untracked ones were there."""
    diff: str = ""
    """Uncommitted changes of tracked files, cut after 1 MiB (a last line says so)."""
    untracked: tuple[str, ...] = ()
    """Names of the first 200 untracked files."""
    repo_url: str | None = None
    """Remote ``origin`` without user name, password and query."""
    bundle_name: str | None = None
    """Airflow's Dag bundle."""
    bundle_version: str | None = None
    reason: str = ""
    """Why there is no commit."""

    def to_json(self) -> dict[str, object]:
        """Give everything but the diff as JSON-able data."""
        return {
            "commit": self.commit,
            "branch": self.branch,
            "dirty": self.dirty,
            "untracked": list(self.untracked),
            "repo_url": self.repo_url,
            "bundle_name": self.bundle_name,
            "bundle_version": self.bundle_version,
            "reason": self.reason,
        }


def capture_code_version(
    path: str | Path | None = None,
    bundle_name: str | None = None,
    bundle_version: str | None = None,
) -> CodeVersion:
    """Ask git about the code at a place. Never raises because of git.

    :param path: a file or directory of the code, for example the Dag's file; default: the current
        directory.
    :param bundle_name: Dag bundle that the code came from, passed through.
    :param bundle_version: its version, passed through.
    :return: without a commit, and with the reason, when git is not installed, does not answer
        within ten seconds, or the place is in no repository.
    """
    place = Path(path) if path is not None else Path.cwd()
    directory = place if place.is_dir() else place.parent
    try:
        found = _ask_repository(directory)
    except _NoAnswer as error:
        found = {"reason": str(error)}
    return CodeVersion(bundle_name=bundle_name, bundle_version=bundle_version, **found)  # type: ignore[arg-type]


class _NoAnswer(Exception):
    pass


def _ask_repository(directory: Path) -> Mapping[str, object]:
    root = Path(_git(directory, "rev-parse", "--show-toplevel").strip())
    changed = _git(root, "status", "--porcelain=v1", "-z", "--untracked-files=normal")
    entries = [entry for entry in changed.split("\0") if entry]
    untracked = tuple(sorted(entry[3:] for entry in entries if entry.startswith("?? ")))
    commit = _optional(root, "rev-parse", "--verify", "HEAD")
    return {
        "commit": commit,
        "branch": _optional(root, "symbolic-ref", "--short", "-q", "HEAD"),
        "dirty": bool(entries),
        "diff": _diff(root) if commit else "",
        "untracked": untracked[:_UNTRACKED_LIMIT],
        "repo_url": _without_credentials(_optional(root, "remote", "get-url", "origin")),
        "reason": "" if commit else "The repository has no commit yet.",
    }


def _diff(root: Path) -> str:
    diff = _git(root, "diff", "--no-ext-diff", "--no-textconv", "--binary", "HEAD")
    data = diff.encode(errors="surrogateescape")
    if len(data) <= DIFF_LIMIT:
        return data.decode(errors="replace")
    kept = data[:DIFF_LIMIT].decode(errors="replace")
    return f"{kept}\n[cut: {len(data)} bytes in all, {DIFF_LIMIT} kept]\n"


def _optional(root: Path, *arguments: str) -> str | None:
    try:
        return _git(root, *arguments).strip() or None
    except _NoAnswer:
        return None


def _git(directory: Path, *arguments: str) -> str:
    environment = {
        # A caller inside a git hook has GIT_DIR and others set; they would answer for that
        # repository.
        **{name: value for name, value in os.environ.items() if not name.startswith("GIT_")},
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_TERMINAL_PROMPT": "0",
        "LC_ALL": "C",
    }
    try:
        done = subprocess.run(  # noqa: S603 - fixed arguments, no shell
            ["git", *_SAFE, *arguments],  # noqa: S607 - git is wherever the PATH has it
            cwd=directory,
            env=environment,
            capture_output=True,
            check=False,
            timeout=_TIMEOUT,
            stdin=subprocess.DEVNULL,
        )
    except FileNotFoundError as error:
        missing = "git is not installed" if directory.is_dir() else f"{directory} does not exist"
        raise _NoAnswer(f"{missing}.") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _NoAnswer(f"git did not answer: {type(error).__name__}.") from error
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise _NoAnswer(f"git says: {said[0] if said else done.returncode}")
    return done.stdout.decode(errors="surrogateescape")


def _without_credentials(url: str | None) -> str | None:
    if url is None:
        return None
    if "://" not in url:
        # scp-like (user@host:path) or a local path; a user name there is the account, as in git@.
        return re.sub(r"^[^/@]*@", "", url)
    parts = urlsplit(url)
    host = parts.hostname or ""
    port = f":{parts.port}" if parts.port else ""
    return urlunsplit((parts.scheme, f"{host}{port}", parts.path, "", ""))
