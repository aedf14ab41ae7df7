"""Compare the artifact store's transfers with boto3's own: same file, same server, same run.

Run: ``python benchmarks/artifact_transfer.py [--mib 512] [--rounds 5] [--endpoint URL]``

Every transfer is a process of its own (memory is that of the whole process, boto3 included). Rounds
alternate between the two so that a busy machine hurts both, and the median of the rounds' ratios
counts; CPU seconds tell how the two compare where other work disturbs the clock. Without
``--endpoint`` (keys from MLTRACK_TEST_S3_ACCESS_KEY and MLTRACK_TEST_S3_SECRET_KEY, bucket from
MLTRACK_TEST_S3_BUCKET) the server is a small one of our own in another process, which throws
uploads away and serves zeros: disks and S3's own work stay out of the measurement.
"""

from __future__ import annotations

import argparse
import http.server
import json
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from airflow_mltrack.settings import S3Settings

ROOT = Path(__file__).resolve().parents[1]
BUCKET = os.environ.get("MLTRACK_TEST_S3_BUCKET", "benchmark")
MIB = 1024 * 1024
TARGET_RATIO = 0.95
TARGET_MIB = 100
ETAG = '"00000000000000000000000000000000"'


class ZeroServer(http.server.BaseHTTPRequestHandler):
    """As much of S3 as a transfer needs: multipart uploads to nowhere, ranged reads of zeros."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    size = 0
    _zeros = memoryview(bytes(MIB))

    def do_PUT(self) -> None:
        """Swallow a part or an object."""
        left = int(self.headers["Content-Length"])
        if self.headers.get("Expect") == "100-continue":
            self.send_response_only(100)
            self.end_headers()
        while left:
            left -= len(self.rfile.read1(min(left, MIB)))
        self._answer(200)

    def do_POST(self) -> None:
        """Start or complete a multipart upload."""
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        kind = "Initiate" if "uploads" in parse_qs(urlsplit(self.path).query, True) else "Complete"
        name = f"{kind}MultipartUploadResult"
        self._answer(200, f"<{name}><UploadId>u</UploadId><ETag>{ETAG}</ETag></{name}>".encode())

    def do_HEAD(self) -> None:
        """Tell the size."""
        self._headers(200, self.size)

    def do_GET(self) -> None:
        """Send zeros, all of them or a range."""
        found = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        start = int(found[1]) if found else 0
        end = int(found[2]) if found and found[2] else self.size - 1
        extra = {"Content-Range": f"bytes {start}-{end}/{self.size}"} if found else {}
        left = end - start + 1
        self._headers(206 if found else 200, left, extra)
        while left:
            left -= self.wfile.write(self._zeros[: min(left, MIB)])

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Say nothing."""

    def _answer(self, status: int, body: bytes = b"") -> None:
        self._headers(status, len(body))
        self.wfile.write(body)

    def _headers(self, status: int, length: int, extra: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"ETag": ETAG, "Content-Length": str(length), **(extra or {})}.items():
            self.send_header(name, value)
        self.end_headers()


def serve(mib: int) -> None:
    """Serve until killed; print the port first."""
    ZeroServer.size = mib * MIB
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), ZeroServer) as server:
        print(server.server_port, flush=True)
        server.serve_forever()


def transfer(what: str, endpoint: str, path: str) -> None:
    """Do one transfer and print seconds, and the process's memory in MiB."""
    import boto3
    from botocore.config import Config

    from airflow_mltrack.artifacts.s3 import S3ArtifactStore

    settings = S3Settings(
        endpoint_url=endpoint,
        region="us-east-1",
        access_key_id=os.environ.get("MLTRACK_TEST_S3_ACCESS_KEY", "key"),
        secret_access_key=os.environ.get("MLTRACK_TEST_S3_SECRET_KEY", "secret"),
        path_style=True,
    )
    store = S3ArtifactStore(f"s3://{BUCKET}", settings)
    client = boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name=settings.region,
        aws_access_key_id=settings.access_key_id,
        aws_secret_access_key=settings.secret_access_key,
        config=Config(s3={"addressing_style": "path"}),
    )
    key = "benchmark/large.bin"
    work: dict[str, Callable[[], object]] = {
        "store upload": lambda: store.put_file(key, path),
        "boto3 upload": lambda: client.upload_file(path, BUCKET, key),
        "store download": lambda: store.download(key, f"{path}.new"),
        "boto3 download": lambda: client.download_file(BUCKET, key, f"{path}.new"),
    }
    idle = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started, cpu = time.perf_counter(), time.process_time()
    work[what]()
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = {"seconds": seconds, "cpu": cpu, "mib": most / 1024, "idle": idle / 1024}
    print(json.dumps(found))


def main() -> None:
    """Run the comparison and print it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--mib", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--endpoint")
    parser.add_argument("--serve", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--transfer", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        serve(given.serve)
    elif given.transfer:
        transfer(*given.transfer)
    else:
        compare(given.mib, given.rounds, given.endpoint)


def compare(mib: int, rounds: int, endpoint: str | None) -> None:
    """Alternate between the store and boto3, print the medians of each and of their ratio."""
    server = None if endpoint else start("--serve", str(mib))
    if server is not None and server.stdout is not None:
        endpoint = f"http://127.0.0.1:{int(server.stdout.readline())}"
    # Files in memory: two downloads in a row to a disk hold each other up.
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - a directory of our own in it
    try:
        with tempfile.TemporaryDirectory(dir=memory) as directory:
            path = Path(directory) / "large.bin"
            with path.open("wb") as file:
                for _ in range(mib):
                    file.write(os.urandom(MIB))
            for direction in ("upload", "download"):
                report(direction, mib, rounds, str(endpoint), str(path))
    finally:
        if server is not None:
            server.kill()
            server.communicate()


def report(direction: str, mib: int, rounds: int, endpoint: str, path: str) -> None:
    """Measure one direction."""
    found: dict[str, list[dict[str, float]]] = {"boto3": [], "store": []}
    for turn in range(rounds):
        for who in ("boto3", "store") if turn % 2 else ("store", "boto3"):
            process = start("--transfer", f"{who} {direction}", endpoint, path)
            found[who].append(json.loads(process.communicate(timeout=300)[0]))
            Path(f"{path}.new").unlink(missing_ok=True)
    for who, each in found.items():
        speed = mib / statistics.median(one["seconds"] for one in each)
        cpu = statistics.median(one["cpu"] for one in each) * 1024 / mib
        idle = statistics.median(one["idle"] for one in each)
        print(
            f"{direction:8} {who}: {speed:5.0f} MiB/s, {cpu:.2f} CPU s/GiB, peak memory "
            f"{peak(each):4.0f} MiB ({idle:.0f} before the transfer)"
        )
    ratios = [
        boto3["seconds"] / store["seconds"]
        for boto3, store in zip(found["boto3"], found["store"], strict=True)
    ]
    ratio = statistics.median(ratios)
    print(
        f"{direction:8} store/boto3 speed, median of {rounds} rounds: {ratio:.2f} "
        f"({min(ratios):.2f} to {max(ratios):.2f}); target at least {TARGET_RATIO}: "
        f"{verdict(ratio >= TARGET_RATIO)}"
    )
    print(
        f"{direction:8} peak memory: {peak(found['store']):.0f} MiB; target under {TARGET_MIB}: "
        f"{verdict(peak(found['store']) < TARGET_MIB)}"
    )


def peak(found: list[dict[str, float]]) -> float:
    """Return the largest peak of memory in MiB."""
    return max(one["mib"] for one in found)


def verdict(reached: bool) -> str:
    """Say it in one word."""
    return "met" if reached else "missed"


def start(*arguments: str) -> subprocess.Popen[str]:
    """Start this file again with other arguments."""
    command = [sys.executable, str(Path(__file__).resolve()), *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)


if __name__ == "__main__":
    main()
