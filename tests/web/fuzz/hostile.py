"""Values that break things: texts, numbers, and a writer of JSON that writes what JSON forbids."""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random
from typing import Any

LONG = 70_000
TEXTS = (
    *(
        "",
        " ",
        "0",
        "-1",
        "1",
        "None",
        "null",
        "true",
        "latest",
        "Production",
        "Staging",
        "champion",
    ),
    *(
        "9" * 19,
        "9" * 40,
        "-" + "9" * 40,
        "1e308",
        "1e999",
        "NaN",
        "Infinity",
        "0x10",
        "1_000",
        "١٢٣",
    ),
    *("a" * 255, "a" * 256, "a" * 5_001, "é" * 2_000, "😀" * 500, "a" * LONG),
    *(
        "'",
        '"',
        "`",
        "\\",
        "%",
        "%%",
        "%s",
        "%(x)s",
        "{}",
        "{0}",
        "{{7*7}}",
        "${jndi:x}",
        ":x",
        "::int",
    ),
    *(
        "'; DROP TABLE runs; --",
        "' OR '1'='1",
        "$$",
        "E'\\x00'",
        "a\tb",
        "a\nb",
        "\r\n\r\n",
        "\x1b[31m",
    ),
    *(
        "\x00",
        "a\x00b",
        "\x7f",
        "\x85",
        "\u2028",
        "\u202e",
        "\ufeff",
        "\ufffd",
        "\uffff",
        "\U0010ffff",
    ),
    *(
        "\ud800",
        "a\udfffb",
        "\ud83d\ude00",
        "e\u0301",
        "İ",
        "ß",
        "Ω" * 300,
        "ǆ",
        "\uff0e\uff0e\uff0f",
        "\u2025/",
    ),
    *("..", ".", "/", "//", "../../etc/passwd", "/etc/passwd", "a/../b", "%2e%2e", "%00", "C:\\x"),
    *(
        "<script>alert(1)</script>",
        "{}",
        "[]",
        "[[",
        '{"a":',
        "http://[",
        "http://x:99999",
        "s3://b/k",
    ),
    *(
        "models:/",
        "models:/m-x",
        "runs:/x/y",
        "mlflow-artifacts:/",
        "dbfs:/x",
        "file:///etc/passwd",
    ),
    *("metrics.auc > 1", "metrics.`a", "metrics.auc > 1e999", "tags.x = 'y' OR NOT (name = 'z')"),
    *(
        "(" * 3_000 + "name = 'a'",
        "NOT " * 3_000 + "name = 'a'",
        "name = 'a' AND " * 500 + "name = 'a'",
    ),
    *(
        "start_time > 99999999999999999999",
        "version_number > 99999999999",
        "creation_time < -1e300",
    ),
    *(
        "name IN ('a', 'b')",
        "name IN (" + "'x'," * 2_000 + "'y')",
        "params.x LIKE '%\\'",
        "name ILIKE '%'",
    ),
    *(
        "metrics.auc DESC",
        "name ASC",
        "name DESC, name ASC",
        "attributes.`x y` DESC",
        "tags.`a`` b` ASC",
    ),
    *(
        "RUNNING",
        "FINISHED",
        "ACTIVE_ONLY",
        "READY",
        "2026-01-31T09:30Z",
        "9999-12-31T23:59:59-14:00",
    ),
    *(
        "0001-01-01T00:00:00+14:00",
        "2026-13-45",
        "1969",
        "eyJ",
        "MA==",
        "AAAA" * 3_000,
        "====",
        "-_-_",
    ),
)
NUMBERS: tuple[Any, ...] = (
    *(0, 1, -1, 2, 3, 10, 1_000, 50_000, 2**31 - 1, 2**31, -(2**31) - 1, 2**53, 2**63 - 1, 2**63),
    *(
        -(2**63),
        -(2**63) - 1,
        10**30,
        10**400,
        0.5,
        -0.0,
        1.5,
        1e308,
        1e-320,
        1e19,
        253402300800000,
    ),
    *(float("nan"), float("inf"), float("-inf"), "7", "-7", "NaN", "1e5", "1.0", "+1", "٣", "1 "),
)
OTHERS: tuple[Any, ...] = (
    *(
        None,
        True,
        False,
        [],
        {},
        [None],
        [[]],
        [{}],
        {"": ""},
        {"a": None},
        [1, "a"],
        {"key": 7},
        "x",
        7,
    ),
    [{"key": "a", "value": "b"}] * 3,
    ["x"] * 2_000,
)
RAW_TOKENS = (
    *(
        b"NaN",
        b"Infinity",
        b"-Infinity",
        b"1e999",
        b"-1e999",
        b"1" * 400,
        b"1" * 5_000,
        b"0123",
        b"+1",
    ),
    *(
        b"'x'",
        b"nul",
        b"\xff",
        b'"\xff\xfe"',
        b'"\xed\xa0\x80"',
        b'"\\ud800"',
        b'"\\u0000"',
        b'"\x00"',
    ),
    *(
        b'"\\x41"',
        b"1.",
        b".5",
        b"0x1F",
        b"//c",
        b"[1,]",
        b"{,}",
        b'{"a":1,}',
        b'"\n"',
        b"undefined",
    ),
)
DEEP = 100_000


def any_text(rnd: Random) -> str:
    """Give a text: a known hard one, or some characters from everywhere."""
    if rnd.random() < 0.8:
        return rnd.choice(TEXTS)
    tops = (0x20, 0x7F, 0x24F, 0xFFFF, 0x10FFFF)
    return "".join(chr(rnd.randint(0, rnd.choice(tops))) for _ in range(rnd.randint(1, 30)))


def any_value(rnd: Random) -> Any:
    """Give a value of any type."""
    kind = rnd.random()
    if kind < 0.4:
        return any_text(rnd)
    return rnd.choice(NUMBERS if kind < 0.7 else OTHERS)


def write_json(value: Any, rnd: Random, *, mischief: float) -> bytes:
    """Write JSON; now and then with a name given twice, or a token that no JSON holds.

    :param mischief: how often, from 0 to 1.
    """
    if isinstance(value, dict):
        pairs = []
        for name, inner in value.items():
            pair = json.dumps(name).encode() + b": " + write_json(inner, rnd, mischief=mischief)
            pairs += [pair, pair] if rnd.random() < mischief else [pair]
        return b"{" + b", ".join(pairs) + b"}"
    if isinstance(value, (list, tuple)):
        return b"[" + b", ".join(write_json(item, rnd, mischief=mischief) for item in value) + b"]"
    if rnd.random() < mischief:
        return rnd.choice(RAW_TOKENS)
    plain = isinstance(value, str) and rnd.random() < 0.5
    return json.dumps(value, ensure_ascii=not plain).encode("utf-8", "surrogatepass")


def broken(body: bytes, rnd: Random) -> bytes:
    """Break a body as a whole."""
    return rnd.choice(_BREAKS)(body, rnd)


def _changed(body: bytes, rnd: Random) -> bytes:
    at = rnd.randint(0, len(body))
    return body[:at] + rnd.randbytes(3) + body[at:]


def _recoded(body: bytes, rnd: Random) -> bytes:
    return body.decode("utf-8", "replace").encode(rnd.choice(["utf-16", "utf-32", "utf-7"]))


def _nested(_body: bytes, rnd: Random) -> bytes:
    depth = rnd.choice([50, 300, 900, 3_000])
    return b'{"tags": ' + b"[" * depth + b"]" * depth + b"}"


_WHOLE = (
    *(b"null", b"7", b'"x"', b"[]", b"true", b"NaN", b"{} {}", b"\x00", b"{}\x00", b"{", b"\xff"),
)
_BREAKS: tuple[Callable[[bytes, Random], bytes], ...] = (
    lambda body, rnd: body[: rnd.randint(0, len(body))],
    lambda body, _rnd: b"\xef\xbb\xbf" + body,
    _recoded,
    _changed,
    lambda body, _rnd: body + body,
    lambda _body, rnd: rnd.choice([b"[", b'{"a":']) * rnd.choice([50, 900, 5_000, DEEP]),
    _nested,
    lambda _body, rnd: rnd.choice(_WHOLE),
    lambda body, rnd: b" " * rnd.choice([1, 10_000]) + body + b"\n" * 50,
    lambda _body, rnd: rnd.randbytes(rnd.randint(1, 300)),
)
