"""However a path is written, and wherever it stands, nothing outside the files is touched."""

from __future__ import annotations

import re
from collections.abc import Sequence
from random import Random
from urllib.parse import quote

from tests.web.fuzz.conftest import Target
from tests.web.fuzz.endpoints import Endpoint
from tests.web.fuzz.existing import fill
from tests.web.fuzz.generator import Generator
from tests.web.fuzz.hostile import any_text, write_json
from tests.web.fuzz.judge import SECRET
from tests.web.fuzz.wire import JSON_LOGIN, Sent, request_budget, seed

_A_PATH = re.compile(r"path|location|artifact_uri|source$")
_PIECES = (
    *("..", "..", ".", "/", "/", "//", "\\", "..\\", "~", "secret", "secret", "etc/passwd"),
    *("a", "b.txt", "a.", "a ", " a", "-rf", "con", "aux.txt", "__proto__", "MLmodel", "model.bin"),
    *("%2e%2e", "%2e%2e%2f", "%2F", "%5c", "%252e%252e%252f", "%25252e%25252e%25252f", "%u002e"),
    *("%00", "%2500", "\x00", "%0a", "%0d%0a", "\x7f", "%7f", "%ff", "%ed%a0%80", "\ud800"),
    *("%c0%ae%c0%af", "\uff0e\uff0e\uff0f", "\u2025/", "\u2024\u2024/", "\u29f8", "\u2215"),
    *("C:", "C:\\", "\\\\host\\share\\", "file://", "file:///etc/passwd"),
    *("s3://mltrack-test/secret", "mlflow-artifacts:/", "runs:/", "models:/", "%ef%bc%8e%ef%bc%8e"),
    *("0", "models", "artifacts", "experiments", ".incoming", "x" * 255, "x" * 256, "y/" * 600),
    *("é" * 128, "?", "#", ";", "&", "%", "*", "$(id)", "`id`", "|id"),
)
_WHOLE = (
    *("../secret", "../../secret", "../" * 12 + "etc/passwd", "/etc/passwd", "//etc/passwd"),
    *("secret", "a/../../secret", "..%2fsecret", "..%252fsecret", "%2e%2e/%2e%2e/secret"),
    *("..\\..\\secret", "file:///etc/passwd", "s3://mltrack-test/secret", "artifacts/secret"),
    "inside/secret",
)
_UNSENDABLE = re.compile(rb"[\x00-\x20\x7f-\xff]")
"""What no request line may hold as it is: most HTTP servers refuse it before they look."""


def test_no_path_leaves_a_local_directory(local: Target) -> None:
    _attack(local, "paths on local files", request_budget() * 12 // 100)
    store = local.tracking.artifact_store
    tops = {item.key.partition("/")[0] for item in store.list()}
    assert tops <= {"experiments", "secret"}
    assert (local.directory / "artifacts" / "secret").read_text() == SECRET


def test_no_path_leaves_its_prefix_on_s3(on_s3: Target) -> None:
    _attack(on_s3, "paths on S3", request_budget() * 5 // 100)
    assert {item.key.partition("/")[0] for item in on_s3.tracking.artifact_store.list()} <= {
        "experiments"
    }


def _attack(target: Target, title: str, count: int) -> None:
    rnd = Random(seed())
    maker = Generator(target.endpoints, target.known, rnd)
    attacked = [found for found in target.endpoints if _fields(found)]
    assert {"DELETE", "GET", "POST", "PUT"} <= {found.method for found in attacked}
    with target.attacked(title) as (wire, judge):
        for number in range(1, count + 1):
            endpoint = rnd.choice(attacked)
            sent = _request(endpoint, target, maker, rnd)
            judge.look(endpoint.kind, sent, wire.send(sent))
            if number % 300 == 0:
                fill(target.tracking, target.known, number)


def _fields(endpoint: Endpoint) -> Sequence[str]:
    body = () if endpoint.body is None else endpoint.body.get("properties", ())
    return [name for name in (*endpoint.in_path, *endpoint.in_query, *body) if _A_PATH.search(name)]


def _request(endpoint: Endpoint, target: Target, maker: Generator, rnd: Random) -> Sent:
    """Make a request that is right but for the paths in it."""

    def known(name: str) -> str:
        return str(target.known.pick(name, {"type": "string"}, rnd) or "x")

    def value(name: str) -> str:
        if not _A_PATH.search(name):
            return known(name)
        below = f"{known('file_location')}/" if name in ("path", "location") else ""
        starts = (below, below, "", known("served") + "/", below.rstrip("/"))
        return rnd.choice(starts) + _path(rnd)

    line = re.sub(
        r"{(\w+)}",
        lambda found: (
            value(found[1]) if _A_PATH.search(found[1]) else quote(known(found[1]), safe="")
        ),
        endpoint.path,
    )
    query = "&".join(
        f"{name}={value(name) if rnd.random() < 0.5 else quote(_text(value(name)), safe='/%')}"
        for name in endpoint.in_query
        if name in ("path", "run_id", "name", "version") or rnd.random() < 0.5
    )
    body = b"stolen" if endpoint.takes_file else b""
    if endpoint.body is not None:
        content = {name: value(name) for name in endpoint.body.get("properties", ())}
        if "parts" in content:
            content["parts"] = [{"part_number": 1, "etag": "x"}]  # type: ignore[assignment]
        body = write_json({**content, "num_parts": 1, "expiration": 60}, rnd, mischief=0)
    raw = f"{line}?{query}" if query else line
    unsendable = _UNSENDABLE if rnd.random() < 0.95 else re.compile(rb"[\r\n ]")
    wire = unsendable.sub(lambda found: b"%%%02X" % found[0][0], _text(raw))
    return Sent(endpoint.method, wire, body, JSON_LOGIN)


def _path(rnd: Random) -> str:
    if rnd.random() < 0.15:
        return rnd.choice(_WHOLE)
    if rnd.random() < 0.05:
        return any_text(rnd)[:500]
    parts = [rnd.choice(_PIECES) for _ in range(rnd.randint(1, 8))]
    return rnd.choice(("", "", "/")).join(parts)[:6_000]


def _text(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
