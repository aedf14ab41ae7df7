"""What users install: the wheel, the sdist, their metadata, and the locks."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Directory with the wheel and the sdist, built from this checkout."""
    directory = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "-d", str(directory)]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    assert found.returncode == 0, found.stderr.decode()
    return directory


@pytest.fixture(scope="module")
def wheel(built: Path) -> zipfile.ZipFile:
    (path,) = built.glob("*.whl")
    return zipfile.ZipFile(path)


@pytest.fixture(scope="module")
def metadata(wheel: zipfile.ZipFile) -> Message:
    (name,) = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
    return Parser().parsestr(wheel.read(name).decode())


def test_the_wheel_holds_every_file_of_the_package(wheel: zipfile.ZipFile) -> None:
    wanted = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "airflow_mltrack").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert wanted - set(wheel.namelist()) == set()
    assert "airflow_mltrack/py.typed" in wanted


def test_the_wheel_holds_the_example_dags_where_airflow_looks(wheel: zipfile.ZipFile) -> None:
    wanted = {
        f"airflow_mltrack/example_dags/{path.relative_to(ROOT / 'example_dags').as_posix()}"
        for path in (ROOT / "example_dags").rglob("*.py")
    }
    assert "airflow_mltrack/example_dags/credit_sweep.py" in wanted
    assert wanted - set(wheel.namelist()) == set()


def test_the_wheel_holds_nothing_else(wheel: zipfile.ZipFile) -> None:
    tops = {name.partition("/")[0] for name in wheel.namelist()}
    assert {re.sub(r"-[0-9].*", "", top) for top in tops} == {"airflow_mltrack"}
    assert not [name for name in wheel.namelist() if "__pycache__" in name]


def test_the_wheel_tells_airflow_about_the_provider_and_the_plugin(wheel: zipfile.ZipFile) -> None:
    (name,) = [name for name in wheel.namelist() if name.endswith("entry_points.txt")]
    text = wheel.read(name).decode()
    assert "[apache_airflow_provider]" in text
    assert "[airflow.plugins]" in text
    assert "mltrack = airflow_mltrack.cli.main:main" in text


def test_the_metadata_is_what_the_project_says(metadata: Message) -> None:
    assert metadata["Name"] == "airflow-mltrack"
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["Requires-Python"] == "<3.14,>=3.10"
    assert set(metadata.get_all("Provides-Extra", [])) >= {"embedded", "optuna", "test"}


def test_the_sdist_can_be_built_and_tested_from(built: Path) -> None:
    (path,) = built.glob("*.tar.gz")
    with tarfile.open(path) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    wanted = {"pyproject.toml", "Makefile", "README.md", "CHANGELOG.md", "CONTRIBUTING.md"}
    wanted |= {
        "LICENSE",
        "requirements/demo.txt",
        "requirements/test.txt",
        "requirements/install.py",
    }
    wanted |= {"tests/conftest.py", "example_dags/credit_sweep.py", "airflow_mltrack/__init__.py"}
    assert wanted - names == set()
    assert not [name for name in names if name.startswith((".venv/", ".demo/"))]


@pytest.mark.parametrize("lock", ["demo", "test"])
def test_a_lock_pins_every_requirement(lock: str) -> None:
    pins = _pins(lock)
    extras = ["embedded", "optuna", *(["test"] if lock == "test" else [])]
    wanted = list(PROJECT["dependencies"])
    for extra in extras:
        wanted += PROJECT["optional-dependencies"][extra]
    missing = {_name(line) for line in wanted} - set(pins) - {"airflow-mltrack"}
    assert missing == set(), "run: make lock"


def test_the_demo_gets_what_the_tests_have_tried() -> None:
    # Markers may differ: what the tests add may want a package on more platforms.
    demo, tested = (_versions(lock) for lock in ("demo", "test"))
    assert demo
    assert demo - tested == set()


def _versions(lock: str) -> set[str]:
    text = (ROOT / "requirements" / f"{lock}.txt").read_text(encoding="utf-8")
    return {line.partition(";")[0].strip() for line in text.splitlines() if "==" in line}


@pytest.mark.parametrize("lock", ["demo", "test"])
def test_a_lock_names_no_registry(lock: str) -> None:
    text = (ROOT / "requirements" / f"{lock}.txt").read_text(encoding="utf-8")
    assert "://" not in text
    assert "--" not in text


def _pins(lock: str) -> dict[str, str]:
    lines = (ROOT / "requirements" / f"{lock}.txt").read_text(encoding="utf-8").splitlines()
    return dict(line.partition(" ;")[0].split("==") for line in lines if "==" in line)


def _name(requirement: str) -> str:
    name = re.split(r"[\[<>=!~; ]", requirement, maxsplit=1)[0]
    return re.sub(r"[-_.]+", "-", name).lower()
