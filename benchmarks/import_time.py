"""What importing the operators adds to ``airflow.sdk``: time, and libraries that come along.

Run it: ``python benchmarks/import_time.py``. Each number is the best of several fresh interpreters.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

LIMIT_MS = 150
HEAVY = [
    "alembic",
    "boto3",
    "fastapi",
    "imblearn",
    "lightgbm",
    "matplotlib",
    "numpy",
    "optuna",
    "pandas",
    "pyarrow",
    "skops",
    "sklearn",
]
_PROBE = """
import sys, time
import airflow.sdk
from airflow.sdk import BaseHook, BaseOperator, TaskGroup, AssetAlias, BaseOperatorLink
before, start = set(sys.modules), time.perf_counter()
{imports}
took = (time.perf_counter() - start) * 1000
new = {{name.partition('.')[0] for name in set(sys.modules) - before}}
print(took, *sorted(new & set({heavy!r})))
"""


def measure(modules: list[str], repeats: int) -> tuple[float, list[str]]:
    """Return the best time in milliseconds, and the heavy libraries that were loaded."""
    code = _PROBE.format(imports="\n".join(f"import {name}" for name in modules), heavy=HEAVY)
    lines = [
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
        .stdout.splitlines()[-1]
        .split()
        for _ in range(repeats)
    ]
    return min(float(line[0]) for line in lines), lines[0][1:]


def main() -> int:
    """Print one line for each operator module and one for all of them together."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    repeats = parser.parse_args().repeats
    import airflow_mltrack

    folder = Path(airflow_mltrack.__file__).parent / "operators"
    names = [f"airflow_mltrack.operators.{path.stem}" for path in sorted(folder.glob("[!_]*.py"))]
    worst = 0.0
    for title, modules in [*((name, [name]) for name in names), ("all operators", names)]:
        took, heavy = measure(modules, repeats)
        worst = max(worst, took)
        loaded = ", ".join(heavy) or "none"
        share = took / LIMIT_MS
        print(f"{title:<45} {took:7.1f} ms  {share:5.2f} of the limit  heavy libraries: {loaded}")
        if heavy:
            return 1
    print(f"limit: {LIMIT_MS} ms, worst: {worst:.1f} ms, ratio {worst / LIMIT_MS:.2f}")
    return 0 if worst < LIMIT_MS else 1


if __name__ == "__main__":
    raise SystemExit(main())
