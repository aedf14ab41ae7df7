"""Model packages that are real, but for a thing or two in the files that describe them."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any

from airflow_mltrack.model_package.code_version import CodeVersion
from airflow_mltrack.tracking.client import TrackingClient
from tests.web.fuzz.hostile import RAW_TOKENS, any_text, any_value, broken

MODEL_FILE = "model.skops"
_MARK = "zz{}zz"
"""Stands where a text goes that no writer writes."""
_ODD_DTYPES = (
    *("float64", "bool", "int8", "float96", "float128", "object", "a10", "(f8, f8", "(,)f8", "f8,"),
    *(
        "(2,3",
        "9" * 5_000,
        "V99999999999999999999",
        "M8[s]",
        "M8[0s]",
        "\x00",
        "",
        "{}",
        "f8" * 900,
    ),
)
_SHAPES = (
    b"[-1, 3]",
    b"[-1, 3]",
    b"[-1, 1e999]",
    b"[-1, -9]",
    b"[[[]]]",
    b"[]",
    b"{}",
    b"[-1, true]",
)
_DEPTHS = (3, 52, 55, 56, 57, 58, 59, 60, 61, 70, 300, 930, 960, 980, 1_500, 50_000)
_JSON_TOKENS = (
    *(b"[[[]]]", b'{"a": [[]]}', b'{"\\u0000": 1}', b'{"\\ud800": [1]}', b'[["a", 1e999]]', b"-1"),
    *(
        b'"a\\u0000b"',
        b'{"a": NaN}',
        b'{"": {"": ""}}',
        b"1e-400",
        b"-0",
        b'"\\ud83d\\ude00"',
        b"1e308",
    ),
    *(b"9" * 4_300, b"[" + b"0," * 2_000 + b"0]", b'"' + b"\\u0001" * 3_000 + b'"'),
    *RAW_TOKENS,
)
_YAML_TOKENS = (
    *("!!map {}", "!!map x", "!!seq x", "!!seq {a: 1}", "!!str {}", "!!str x", "!!set {a}", "! x"),
    *("!!omap [a: 1]", "!!pairs [a: 1]", "!!binary AAAA", "!!binary '%'", "!!timestamp x", "!x y"),
    *("!!int x", "!!int ''", "!!int 1:9:9", "!!float x", "!!float ''", "!!bool maybe", "!!null x"),
    *("!!python/object/apply:os.system [id]", "!!python/name:os.system", "!!python/tuple [1]"),
    *("!!merge <<", "!!value =", "=", "{<<: {a: 1}}", "{a: 1, a: 2}", "{[a]: b}", "{? {a: b}}"),
    *(".nan", ".inf", "-.inf", "1e999", "-1.0e+999", "0x" + "f" * 90, "0b2", "0o17", "1_000", "~"),
    *("9" * 30, "9" * 5_000, "1:" * 40 + "1", "1:" * 49 + "1.5", "9223372036854775808", "0_"),
    *(r'"\0"', r'"a\0b"', r'"\uD800"', r'"\udfff"', r'"\ud83d\ude00"', r'"\xff"', r'"\UFFFFFFFF"'),
    *(r'{"\0": 1}', "2026-13-45", "2026-01-31", "0001-01-01T00:00:00+14:00", "9999-12-31 24:00:00"),
    *("&a [*a]", "*nobody", "[&a [1], *a, *a]", "{&k a: 1, b: *k}", "&a {a: *a}", "&a"),
    *("[&a [" + "x," * 900 + "x], &b [" + "*a," * 900 + "*a], [" + "*b," * 900 + "*b]]",),
    *("", "- x", "|", "> a", "[", "{", "'", '"', "@", "`", "%", "# c", "? x", "a: b: c", "\t"),
)  # fmt: skip
_AT: Mapping[str, Sequence[bytes]] = {
    "array": (
        *(b"[[[]]]", b"[]", b"[1]", b'["float64", 1e999]', b'["float64", "x"]', b'["a", NaN]'),
        *(
            b'["(f8", 2]',
            b'["\\u0000", 2]',
            b'"ab"',
            b"{}",
            b'{"0": 1, "1": 2}',
            b'["\\ud800", -1]',
        ),
    ),
    "size": (b"-1", b"Infinity", b"-Infinity", b"NaN", b"1e999", b"1e308", b'"7"', b"[]", b"null"),
    "outputs": (
        b'"ab"',
        b"[1]",
        b'["ab"]',
        b"[[]]",
        b"[[[1, 2]]]",
        b'{"a": 1}',
        b"null",
        b"[null]",
    ),
    "columns": (
        b'"ab"',
        b"[1]",
        b"[[]]",
        b"{}",
        b"null",
        b'[{"name": 1}]',
        b'[{"name": {}, "x": 1}]',
    ),
    "categories": (b'"ab"', b"7", b'{"a": 1}', b"[NaN]", b"[[1e999]]", b'["\\u0000"]', b"[{}]"),
    "minimum": (b"NaN", b"-Infinity", b"1e999", b'"\\ud800"', b"{}", b"[[]]", b"true"),
    "created_at": (b"null", b"[[]]", b"1e999", b'"\\u0000"', b"7", b'"9999-12-31T23:59:59-14:00"'),
    "required": (b"[]", b"null", b"7", b'{"numpy": null}', b'{"numpy": {}}', b'{"\\u0000": "1"}'),
    "format_version": (b"2", b"1.0", b"true", b"NaN", b'"1"', b"[[]]", b"null", b"9" * 4_000),
    "rows": (b"NaN", b"1e999", b"[]", b'"x"', b"-1", b"1e308"),
}
"""Field of a JSON text to what is odd in it more than elsewhere."""
_KEPT: Mapping[str, Sequence[bytes]] = dict.fromkeys(
    ("metadata", "team", "threshold", "notes", "for", "code", "python_version"), ()
)
"""Fields of an MLmodel file that go on record as they are."""


def log_package(tracking: TrackingClient) -> dict[str, bytes]:
    """Log a model with both flavors, signature, example and metadata; give the files it has."""
    import lightgbm
    import pandas

    rows = pandas.DataFrame(
        {"income": [float(place) for place in range(40)], "age": [place % 7 for place in range(40)]}
    )
    model = lightgbm.LGBMClassifier(n_estimators=2, n_jobs=1, verbose=-1).fit(rows, [0, 1] * 20)
    with tracking.start_run("fit", experiment="packages", user="ada", heartbeat=False) as run:
        logged = run.log_model(
            model,
            "model",
            example=rows[:2],
            training_data=rows,
            code=CodeVersion(),
            seeds={"split": 7},
            metadata={"team": "credit", "threshold": 0.5, "notes": {"for": ["a", 1, None, True]}},
        )
    with tracking.store.transaction() as tx:
        listed = list(tx.artifacts.walk(model_id=logged.model_id))
    read = tracking.artifact_store.read_bytes
    return {file.path: read(file.key, sha256=file.sha256, limit=file.size) for file in listed}


def damaged_package(real: Mapping[str, bytes], rnd: Random) -> dict[str, bytes]:
    """Give the files of a package with one of them damaged, mostly; the digests in it are right.

    :param real: the files of a package of ours.
    """
    more = [path for path in sorted(real) if path not in ("MLmodel", "mltrack.json", MODEL_FILE)]
    files = {path: real[path] for path in more if rnd.random() < 0.1}
    files["MLmodel"] = real["MLmodel"]
    if rnd.random() < 0.9:
        files[MODEL_FILE] = real[MODEL_FILE] if rnd.random() < 0.3 else rnd.randbytes(20)
    is_ours = rnd.random() < 0.5
    victims = [*files] if rnd.random() < 0.3 else ["MLmodel"]
    if not is_ours or rnd.random() < 0.1:
        victim = rnd.choice(victims)
        files[victim] = damaged_file(victim, files[victim], rnd)
    if is_ours:
        if rnd.random() < 0.2:
            del files["MLmodel"]
        files["mltrack.json"] = damaged_file("mltrack.json", _listing(real, files), rnd)
    return files


def package_with(
    real: Mapping[str, bytes], path: str, place: tuple[str, ...], token: str
) -> dict[str, bytes]:
    """Give the files of a package that has a text in one place of one file."""
    import yaml

    files = {"MLmodel": real["MLmodel"], MODEL_FILE: b"x"}
    is_ours = path == "mltrack.json"
    content = holder = json.loads(_listing(real, files)) if is_ours else yaml.safe_load(files[path])
    for name in place[:-1]:
        holder = holder[name]
    mark = _MARK.format("")
    holder[place[-1]] = mark
    text = json.dumps(content).replace(f'"{mark}"', mark) if is_ours else yaml.safe_dump(content)
    files[path] = text.replace(mark, token).encode()
    return files


def damaged_file(path: str, data: bytes, rnd: Random) -> bytes:
    """Damage one file of a package."""
    if rnd.random() < 0.1:
        return b"" if rnd.random() < 0.1 else broken(data, rnd)
    name = path.rpartition("/")[2]
    if name == "MLmodel":
        return _damaged_mlmodel(data, rnd)
    if name.endswith(".json"):
        return damaged_json(data, rnd)
    return damaged_yaml(data, rnd) if name.endswith(".yaml") else _damaged_lines(data, rnd)


def _listing(real: Mapping[str, bytes], files: Mapping[str, bytes]) -> bytes:
    """Write the manifest of other files."""
    content = json.loads(real["mltrack.json"])
    content["files"] = {
        path: {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
        for path, data in files.items()
    }
    return json.dumps(content).encode()


def _damaged_mlmodel(data: bytes, rnd: Random) -> bytes:
    """Damage the file, or the JSON text of its signature."""
    import yaml

    if rnd.random() < 0.6:
        return damaged_yaml(data, rnd)
    content = yaml.safe_load(data)
    part = rnd.choice(["inputs", "inputs", "outputs"])
    if part == "inputs" and rnd.random() < 0.5:
        spec = {"type": "tensor", "tensor-spec": {"dtype": rnd.choice(_ODD_DTYPES), "shape": "S"}}
        told = json.dumps([spec]).encode().replace(b'"S"', rnd.choice(_SHAPES))
    else:
        told = damaged_json(content["signature"][part].encode(), rnd)
    content["signature"][part] = told.decode("utf-8", "replace")
    return yaml.safe_dump(content).encode()


def damaged_yaml(data: bytes, rnd: Random) -> bytes:
    """Put what YAML forbids, or what plain data is not, in the places of values and keys."""
    import yaml

    content, marks = _changed(yaml.safe_load(data), rnd, _KEPT, _yaml_token)
    text = yaml.safe_dump(content, width=10_000)
    for mark, token in marks.items():
        text = text.replace(mark, token.decode())
    return text.encode()


def damaged_json(data: bytes, rnd: Random) -> bytes:
    """Put what JSON forbids, or what nobody expects there, in the places of values and keys."""
    content, marks = _changed(json.loads(data), rnd, _AT, _json_token)
    text = json.dumps(content).encode()
    for mark, token in marks.items():
        text = text.replace(f'"{mark}"'.encode(), token)
    return text


def _damaged_lines(data: bytes, rnd: Random) -> bytes:
    lines = data.splitlines()
    odd = (
        b"a" + b" " * 90_000,
        b"a [" * 9_000,
        b"a==\x00",
        b"\xff==1",
        b"a==" + b"9" * 9_000,
        b"==",
    )
    lines.insert(rnd.randint(0, len(lines)), rnd.choice(odd))
    return b"\n".join(lines)


def _yaml_token(rnd: Random) -> bytes:
    if rnd.random() < 0.1:
        depth = rnd.choice(_DEPTHS)
        return b"[" * depth + b"]" * depth
    return rnd.choice(_YAML_TOKENS).encode()


def _json_token(rnd: Random) -> bytes:
    if rnd.random() < 0.1:
        depth = rnd.choice(_DEPTHS)
        opening, closing = rnd.choice([(b"[", b"]"), (b'{"a":', b"}")])
        return opening * depth + b"7" + closing * depth
    return rnd.choice(_JSON_TOKENS)


def _changed(
    content: Any,
    rnd: Random,
    special: Mapping[str, Sequence[bytes]],
    token: Callable[[Random], bytes],
) -> tuple[Any, dict[str, bytes]]:
    """Change one place of plain data, or a few.

    :return: the data with marks in it, and what belongs in the place of each mark.
    """
    content, marks = copy.deepcopy(content), dict[str, bytes]()
    for number in range(rnd.choice((1, 1, 1, 2, 4))):
        holder, key = _place(content, rnd, special)
        if holder is None:
            break
        mark, way = _MARK.format(number), rnd.random()
        if way < 0.7:
            listed = special.get(str(key))
            marks[mark] = rnd.choice(listed) if listed and rnd.random() < 0.7 else token(rnd)
            holder[key] = mark
        elif way < 0.85:
            holder[key] = any_value(rnd)
        elif way < 0.92 or isinstance(holder, list):
            del holder[key]
        else:
            marks[mark] = token(rnd) if special is _KEPT else json.dumps(any_text(rnd)).encode()
            holder[mark] = holder.pop(key)
    return content, marks


def _place(content: Any, rnd: Random, special: Mapping[str, Sequence[bytes]]) -> tuple[Any, Any]:
    """Choose a list or mapping in plain data, and a key of it."""
    listed = list(_places(content))
    if not listed:
        return None, None
    named = [(holder, key) for holder, key in listed if key in special]
    if named and rnd.random() < 0.4:
        return rnd.choice(named)
    holder, key = content, None
    while True:
        key = rnd.choice([*holder] if isinstance(holder, dict) else range(len(holder)))
        inner = holder[key]
        if not isinstance(inner, (dict, list)) or not inner or rnd.random() < 0.4:
            return holder, key
        holder = inner


def _places(content: Any) -> list[tuple[Any, Any]]:
    found: list[tuple[Any, Any]] = []
    waiting = [content]
    while waiting:
        holder = waiting.pop()
        if isinstance(holder, dict):
            found += [(holder, key) for key in holder]
            waiting += holder.values()
        elif isinstance(holder, list):
            found += [(holder, place) for place in range(len(holder))]
            waiting += holder
    return found
