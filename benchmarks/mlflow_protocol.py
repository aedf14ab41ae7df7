"""Measure the stock MLflow client against our server and against MLflow's own.

Run: ``python benchmarks/mlflow_protocol.py [--runs 2000] [--points 50000]``

Both servers have one process, the same embedded Postgres with its real fsync, and local files; the
same client (3.17) asks them in turn. Each line is the best of several rounds, in milliseconds, and
ours as a share of MLflow's. Needs the ``test`` extra.
"""

from __future__ import annotations

import argparse
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import psycopg

from airflow_mltrack.settings import embedded_settings
from airflow_mltrack.store.engine import start_embedded, stop_embedded

BINARIES = Path(sys.executable).parent
ROUNDS = 5
FILTER = "metrics.auc > 0.9 and params.depth = '6'"
MEBIBYTE = 1024 * 1024
FILE_MEBIBYTES = 64


class Lab:
    """One server, seen through the stock client."""

    def __init__(self, address: str, runs: int, points: int, file: Path) -> None:
        from mlflow import MlflowClient

        self.client: Any = MlflowClient(address, address)
        self.experiment = self.client.create_experiment("benchmark")
        self.run_id = self.client.create_run(self.experiment).info.run_id
        self.long_id = self.client.create_run(self.experiment).info.run_id
        self._step, self._file = 0, file
        self._fill(runs, points)

    def _fill(self, runs: int, points: int) -> None:
        from mlflow.entities import Metric, Param

        for number in range(runs):
            run_id = self.client.create_run(self.experiment).info.run_id
            metrics = [Metric(f"m{key}", number / runs, 1, 0) for key in range(9)]
            metrics.append(Metric("auc", number / runs, 1, 0))
            params = [Param(f"p{key}", str(number % 10)) for key in range(19)]
            params.append(Param("depth", str(number % 10)))
            self.client.log_batch(run_id, metrics=metrics, params=params)
        for first in range(0, points, 1000):
            steps = range(first, min(first + 1000, points))
            batch = [Metric("loss", 1 / (step + 1), step, step) for step in steps]
            self.client.log_batch(self.long_id, metrics=batch)

    def create_and_end(self) -> None:
        """Make a run and end it."""
        self.client.set_terminated(self.client.create_run(self.experiment).info.run_id)

    def log_metric(self) -> None:
        """Log one point."""
        self._step += 1
        self.client.log_metric(self.run_id, "loss", 0.5, step=self._step)

    def log_batch(self) -> None:
        """Log 1,000 points of one metric."""
        from mlflow.entities import Metric

        first, self._step = self._step, self._step + 1000
        batch = [Metric("loss", 0.5, step, step) for step in range(first + 1, self._step + 1)]
        self.client.log_batch(self.run_id, metrics=batch)

    def search(self) -> None:
        """Find the first 50 runs by a metric and a param."""
        found = self.client.search_runs(
            [self.experiment], FILTER, order_by=["metrics.auc DESC"], max_results=50
        )
        if not found:
            raise RuntimeError("The search found nothing.")

    def page_all(self) -> None:
        """Read every run, page by page."""
        token, count = None, 0
        while count == 0 or token:
            page = self.client.search_runs([self.experiment], max_results=1000, page_token=token)
            token, count = page.token, count + len(page)

    def history(self) -> None:
        """Read a whole history."""
        self.client.get_metric_history(self.long_id, "loss")

    def transfer(self) -> None:
        """Send a file, and read it again."""
        with tempfile.TemporaryDirectory() as directory:
            self.client.log_artifact(self.run_id, str(self._file))
            self.client.download_artifacts(self.run_id, self._file.name, directory)


def measured(labs: dict[str, Lab], work: Callable[[Lab], None]) -> dict[str, float]:
    """Return the best milliseconds of each server; they take turns."""
    best = dict.fromkeys(labs, float("inf"))
    for _ in range(ROUNDS):
        for name, lab in labs.items():
            started = time.perf_counter()
            work(lab)
            best[name] = min(best[name], (time.perf_counter() - started) * 1e3)
    return best


@contextmanager
def serving(command: list[str], port: int, environment: dict[str, str]) -> Iterator[str]:
    """Run a server until the end; gives its tracking URI."""
    address = f"http://127.0.0.1:{port}"
    process = subprocess.Popen(
        command, env={**os.environ, **environment}, stdout=subprocess.DEVNULL
    )
    try:
        _wait_for(f"{address}/health", process)
        yield address
    finally:
        process.terminate()
        process.wait(30)


def _wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 120
    while process.poll() is None and time.monotonic() < deadline:
        if _answers(url):
            return
        time.sleep(0.2)
    raise RuntimeError(f"{process.args!r} did not begin to answer.")


def _answers(url: str) -> bool:
    try:
        with urlopen(url, timeout=5):  # noqa: S310 - our own http address
            return True
    except OSError:
        return False


def free_port() -> int:
    """Return a port of loopback that nobody uses."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def servers(directory: Path, url: str) -> dict[str, tuple[list[str], int, dict[str, str]]]:
    """Return how each server is started, on a database of its own."""
    with psycopg.connect(url, autocommit=True) as connection:
        for name in ("ours", "stock"):
            connection.execute(f"CREATE DATABASE {name}")
    base, _, query = url.partition("?")
    ours, stock = (
        f"{base.rpartition('/')[0]}/{name}{'?' * bool(query)}{query}" for name in ("ours", "stock")
    )
    files = {"MLTRACK_DATABASE_URL": ours, "MLTRACK_ARTIFACT_URI": str(directory / "ours")}
    subprocess.run([BINARIES / "mltrack", "db", "upgrade"], env={**os.environ, **files}, check=True)
    port = free_port()
    own = ([str(BINARIES / "mltrack"), "server", "--port", str(port)], port, files)
    port = free_port()
    theirs = [
        *(str(BINARIES / "mlflow"), "server", "--port", str(port), "--workers", "1"),
        *("--backend-store-uri", stock.replace("postgresql://", "postgresql+psycopg://", 1)),
        *("--artifacts-destination", str(directory / "stock")),
    ]
    return {"ours": own, "MLflow": (theirs, port, {})}


def main() -> None:
    """Run everything and print it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=2_000)
    parser.add_argument("--points", type=int, default=50_000)
    args = parser.parse_args()
    os.environ["MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"] = "false"
    os.environ["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] = "true"
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        settings = embedded_settings(directory / "database")
        url = start_embedded(settings.embedded_directory)
        try:
            with ExitStack() as stack:
                labs = {}
                file = directory / "file.bin"
                file.write_bytes(os.urandom(FILE_MEBIBYTES * MEBIBYTE))
                for server, (command, port, environment) in servers(directory, url).items():
                    address = stack.enter_context(serving(command, port, environment))
                    started = time.perf_counter()
                    labs[server] = Lab(address, args.runs, args.points, file)
                    print(f"filled {server} in {time.perf_counter() - started:.0f} s")
                report(labs, args.runs, args.points)
        finally:
            stop_embedded(settings.embedded_directory)


def report(labs: dict[str, Lab], runs: int, points: int) -> None:
    """Measure and print line by line."""
    work: dict[str, Callable[[Lab], None]] = {
        "create a run and end it": Lab.create_and_end,
        "log_metric, one point": Lab.log_metric,
        "log_batch, 1,000 points": Lab.log_batch,
        f"search_runs, 50 of {runs:,} by metric and param": Lab.search,
        f"search_runs, all {runs:,} in pages": Lab.page_all,
        f"get_metric_history, {points:,} points": Lab.history,
        f"a file of {FILE_MEBIBYTES} MiB up and down": Lab.transfer,
    }
    for label, function in work.items():
        best = measured(labs, function)
        ratio = best["ours"] / best["MLflow"]
        print(f"{label}: {best['ours']:.1f} ms, MLflow {best['MLflow']:.1f} ms: {ratio:.2f} x")


if __name__ == "__main__":
    main()
