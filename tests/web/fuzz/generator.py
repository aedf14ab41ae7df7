"""Makes requests for endpoints: many of the right form, but for a thing or two in them."""

from __future__ import annotations

import re
from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any
from urllib.parse import quote

from tests.web.fuzz.endpoints import Endpoint, Schema
from tests.web.fuzz.hostile import any_text, any_value, broken, write_json
from tests.web.fuzz.manifests import damaged_file
from tests.web.fuzz.wire import LOGIN, Sent

_NAMES = re.compile(r"{(\w+)}")
_SAME = {
    **dict.fromkeys(("run_uuid", "run_ids", "source_run_id", "parent_run_id"), "run_id"),
    **dict.fromkeys(("experiment_ids", "experiment"), "experiment_id"),
    **dict.fromkeys(("path", "artifact_path", "artifact_file_path"), "file"),
    **dict.fromkeys(("new_name", "registered_model", "model"), "name"),
    **dict.fromkeys(("to_version", "expected_current"), "version"),
    "tag_key": "key",
    "param_key": "key",
    "filter_string": "filter",
    "location": "file_location",
}
_TYPES = (
    *(b"application/json", b"application/json; charset=utf-8", b"APPLICATION/JSON", b"text/plain"),
    *(
        b"application/x-www-form-urlencoded",
        b"multipart/form-data; boundary=x",
        b"\xff",
        b"a" * 5_000,
    ),
    *(
        b"application/json; charset=utf-16",
        b"application/x-protobuf",
        b"application/octet-stream",
        b";",
    ),
)
_REMEMBERED = 200
_RECENT = 4
_NEEDED = ("run_id", "name", "experiment_id", "version", "metric_key", "path", "max_results")
_BOLDNESS = (0.0, 0.0, 0.05, 0.1, 0.2, 0.5)
"""How often a value of a request is a hostile one."""
_PLAIN_TEXTS = ("a", "b", "credit", "auc", "name ASC", "x y", "é", "1")
_PLAIN_NUMBERS = (0, 1, 1, 2, 5, 10, 100, 1_700_000_000_000)


class Known:
    """Things that exist, by the name of the field that names them: with them requests get deep."""

    def __init__(self) -> None:
        self._values: dict[str, deque[Any]] = defaultdict(lambda: deque(maxlen=_REMEMBERED))
        self.package: dict[str, bytes] = {}
        """Files of a model package."""

    def add(self, **values: Any) -> None:
        """Remember values."""
        for name, value in values.items():
            if value not in self._values[name]:
                self._values[name].append(value)

    def learn(self, answer: Any) -> None:
        """Remember the ids and tokens of an answer."""
        if isinstance(answer, list):
            for item in answer[:20]:
                self.learn(item)
        elif isinstance(answer, Mapping):
            for name, value in answer.items():
                if name == "next_page_token" and isinstance(value, str):
                    self.add(page_token=value)
                elif name in _LEARNT and isinstance(value, (str, int)):
                    self.add(**{name: value})
                self.learn(value)

    def pick(self, name: str, schema: Schema, rnd: Random) -> Any:
        """Give something that exists under a name, None where nothing is known."""
        known = self._values.get(_SAME.get(name, name)) or self._values.get(name) or ()
        kind = {"integer": int, "string": str}.get(str(schema.get("type")), object)
        found = [value for value in known if isinstance(value, kind)]
        # What is old has often been deleted by now.
        recent = found[-_RECENT:] if rnd.random() < 0.7 else found
        return rnd.choice(recent) if recent else None


_LEARNT = (
    "run_id",
    "model_id",
    "experiment_id",
    "webhook_id",
    "verdict_id",
    "approval_id",
    "upload_id",
)


class Generator:
    """Makes requests.

    :param rnd: decides; the same seed makes the same requests, as long as the answers are the same.
    """

    def __init__(self, endpoints: Sequence[Endpoint], known: Known, rnd: Random) -> None:
        self._endpoints, self._known, self._rnd = endpoints, known, rnd
        self._boldness = 0.0
        self._weights = [_weight(found) for found in endpoints]

    def next(self) -> tuple[Endpoint, Sent]:
        """Make a request for any endpoint."""
        [endpoint] = self._rnd.choices(self._endpoints, self._weights)
        return endpoint, self.make(endpoint)

    def make(self, endpoint: Endpoint) -> Sent:
        """Make a request for an endpoint."""
        rnd = self._rnd
        self._boldness = rnd.choice(_BOLDNESS)
        target = _NAMES.sub(lambda found: self._segment(found[1], endpoint), endpoint.path)
        query = self._query(endpoint)
        body = self._body(endpoint, target)
        headers = list(LOGIN)
        if body or rnd.random() < 0.1:
            right = _TYPES[0] if rnd.random() < 0.93 else rnd.choice(_TYPES)
            headers += [("Content-Type", right)] if rnd.random() < 0.98 else []
        if rnd.random() < 0.02:
            headers.append(rnd.choice(_ODD_HEADERS))
        method = rnd.choice(_METHODS) if rnd.random() < 0.02 else endpoint.method
        return Sent(
            method,
            (target + query).encode("utf-8", "surrogateescape"),
            body,
            tuple(headers),
            chunked=rnd.random() < 0.1,
            cut_off=bool(body) and rnd.random() < 0.005,
        )

    def _segment(self, name: str, endpoint: Endpoint) -> str:
        served = name == "path" and endpoint.kind == "protocol"
        field = "served" if served else name
        value = self._value(field, endpoint.in_path.get(name, {"type": "string"}))
        is_path = name in ("path", "location", "rest")
        return encoded(_plain(value), self._rnd, safe="/" if is_path else "") or "x"

    def _query(self, endpoint: Endpoint) -> str:
        rnd, pairs = self._rnd, []
        for name, schema in endpoint.in_query.items():
            if rnd.random() < 0.35 and name not in _NEEDED:
                continue
            value = self._value(name, schema)
            listed = value if isinstance(value, list) else [value]
            pairs += [(name, item) for item in listed[:50]] * (2 if rnd.random() < 0.03 else 1)
        if rnd.random() < 0.03:
            pairs.append((any_text(rnd), any_text(rnd)))
        sent = "&".join(
            f"{encoded(name, rnd, safe='')}={encoded(_plain(value), rnd, safe='')}"
            for name, value in pairs
        )
        sent += rnd.choice(_ODD_QUERIES) if rnd.random() < 0.04 else ""
        return f"?{sent}"[:60_000] if sent else ""

    def _body(self, endpoint: Endpoint, target: str) -> bytes:
        rnd = self._rnd
        if endpoint.takes_file:
            name = target.rpartition("/")[2]
            if name in self._known.package:
                return damaged_file(name, self._known.package[name], rnd)
            return rnd.choice([b"", b"stolen", rnd.randbytes(2_000), b"\x00" * 1_500_000])
        if endpoint.body is None:
            return b"" if rnd.random() < 0.95 else write_json(any_value(rnd), rnd, mischief=0.1)
        body = write_json(self._of(endpoint.body), rnd, mischief=self._boldness / 10)
        return broken(body, rnd) if rnd.random() < self._boldness / 2 else body

    def _of(self, schema: Schema, depth: int = 0) -> Any:
        """Give an object of a schema, or something else instead."""
        rnd = self._rnd
        found: dict[str, Any] = {}
        for name, inner in schema.get("properties", {}).items():
            needed = name in schema.get("required", ())
            often = 1 - self._boldness / 4 if needed or depth or name in _NEEDED else 0.4
            if rnd.random() < often:
                spelled = _camel(name) if rnd.random() < 0.05 else name
                found[spelled] = self._value(name, inner, depth)
        if rnd.random() < self._boldness / 4:
            found[any_text(rnd)] = any_value(rnd)
        return found

    def _value(self, name: str, schema: Schema, depth: int = 0) -> Any:
        rnd = self._rnd
        if rnd.random() < self._boldness:
            return any_value(rnd)
        listed = schema.get("type") == "array"
        wanted = schema.get("items", {}) if listed else schema
        known = self._known.pick(name, wanted, rnd) if rnd.random() < 0.9 else None
        if known is not None:
            return [known] if listed else known
        return self._typed(name, schema, depth)

    def _typed(self, name: str, schema: Schema, depth: int) -> Any:
        rnd = self._rnd
        options = schema.get("anyOf") or schema.get("oneOf")
        if options:
            return self._value(name, rnd.choice(options), depth)
        if "enum" in schema:
            return rnd.choice(schema["enum"])
        kinds = schema.get("type", "object" if "properties" in schema else "string")
        kind = rnd.choice(kinds) if isinstance(kinds, list) else kinds
        if "pattern" in schema:
            return str(rnd.choice(_PLAIN_NUMBERS))
        if kind == "object":
            return self._of(schema, depth + 1) if depth < 6 else {}
        if kind == "array":
            items = schema.get("items", {})
            return [self._value(name, items, depth + 1) for _ in range(rnd.choice(_SIZES))]
        return rnd.choice(_PLAIN.get(kind, (None,)))


_SIZES = (0, 1, 1, 2, 5)
_PLAIN: Mapping[str, Sequence[Any]] = {
    "string": _PLAIN_TEXTS,
    "integer": _PLAIN_NUMBERS,
    "number": (*_PLAIN_NUMBERS, 0.5, -1.5),
    "boolean": (True, False),
}


def _weight(endpoint: Endpoint) -> int:
    """Say how often an endpoint is asked: seldom where nothing is read, or all is deleted."""
    reads = endpoint.in_query or endpoint.body or endpoint.in_path or endpoint.takes_file
    if not reads:
        return 1
    return 10 if "DELETE" in str(endpoint) or "delete" in endpoint.path else 20


def encoded(text: str, rnd: Random, *, safe: str) -> str:
    """Percent-encode a text; now and then once too often, or not at all, or wrong."""
    raw = text.encode("utf-8", "surrogatepass")
    if len(raw) > 8_000 and rnd.random() < 0.95:
        raw = raw[:2_000]
    once = quote(raw, safe=safe)
    way = rnd.random()
    if way < 0.9:
        return once
    if way < 0.94:
        return quote(once, safe=safe)
    if way < 0.97:
        return once + rnd.choice(
            ["%", "%z", "%ff", "%c0%af", "%ed%a0%80", "%00", "%0a", "%0d%0a", "%u0041"]
        )
    return "".join(f"%{byte:02x}" for byte in raw[:2_000])


def _plain(value: object) -> str:
    if isinstance(value, str):
        return value
    return str(value).lower() if isinstance(value, bool) else str(value)


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


_METHODS = (
    "GET",
    "HEAD",
    "POST",
    "PUT",
    "PATCH",
    "DELETE",
    "OPTIONS",
    "TRACE",
    "CONNECT",
    "QUERY",
    "get",
)
_ODD_QUERIES = (
    "&",
    "&&=",
    "&=x",
    "&x",
    "?x=1",
    "&%",
    "&a%zz=%ff",
    "&x=%00",
    "&[]=1",
    "&a[b]=1",
    ";a=1",
)
_ODD_HEADERS: tuple[tuple[str, bytes], ...] = (
    ("Cookie", b"a=\xff; b=\x01"),
    ("Accept", b"*/*;q=\xff"),
    ("Accept-Encoding", b"identity;q=0"),
    ("Range", b"bytes=5-1,-9999999999999999999"),
    ("If-None-Match", b"\xff"),
    ("X-MLTrack", b"\xff"),
    ("X-Forwarded-Prefix", b"/../.."),
    ("Content-Encoding", b"gzip"),
    ("Expect", b"100-continue"),
    ("X-HTTP-Method-Override", b"DELETE"),
    ("Origin", b"null"),
)
