"""Regenerate the locks: `python requirements/lock.py`. Takes uv into a throwaway environment."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
DEMO_EXTRAS = ("embedded", "optuna")
TEST_EXTRAS = (*DEMO_EXTRAS, "test")


def main() -> int:
    """Resolve the test lock first: the demo then gets its versions, and one .venv is enough."""
    with tempfile.TemporaryDirectory() as directory:
        uv = _install_uv(Path(directory))
        _compile(uv, HERE / "test.txt", TEST_EXTRAS, constraint=None)
        _compile(uv, HERE / "demo.txt", DEMO_EXTRAS, constraint=HERE / "test.txt")
    return 0


def _install_uv(directory: Path) -> Path:
    venv.create(directory, with_pip=True)
    binaries = directory / ("Scripts" if os.name == "nt" else "bin")
    pip = [str(binaries / "python"), "-m", "pip", "install", "--quiet", "uv"]
    subprocess.run(pip, check=True)  # noqa: S603 - our own fixed words
    return binaries / "uv"


def _compile(uv: Path, output: Path, extras: tuple[str, ...], constraint: Path | None) -> None:
    command = [
        *(str(uv), "pip", "compile", "--quiet", "--universal", "--python-version", "3.10"),
        *("--no-annotate", "--no-emit-index-url", "--upgrade"),
        *("--custom-compile-command", "make lock"),
        *("pyproject.toml", "requirements/build.in", "--output-file", str(output)),
    ]
    for extra in extras:
        command += ["--extra", extra]
    if constraint:
        command += ["--constraint", str(constraint)]
    environment = {**os.environ, "UV_PYTHON_DOWNLOADS": "never"}
    subprocess.run(command, cwd=HERE.parent, env=environment, check=True)  # noqa: S603
    lines = len(output.read_text().splitlines())
    print(f"{output.name}: {lines} pins")  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
