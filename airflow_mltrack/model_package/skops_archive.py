"""Looks into a skops file without building anything, and writes one reproducibly.

A skops file is a zip archive: ``schema.json`` (the tree of objects) and one ``.npy``, ``.npz`` or
``.bin`` member per array. skops itself audits types; this module looks first and is stricter: the
archive must be flat, its declared sizes bounded, every array as large as it claims, the schema of a
protocol whose checks are current, and every node of a kind that cannot call arbitrary code.
"""

from __future__ import annotations

import io
import json
import math
import re
import zipfile
from pathlib import Path
from typing import Any

from airflow_mltrack.exceptions import UntrustedPackage

_SCHEMA = "schema.json"
_MEMBER = re.compile(r"[A-Za-z0-9_-]{1,64}\.(npy|npz|bin)\Z")
_NPZ_MEMBER = re.compile(r"[a-z_]{1,32}\.npy\Z")
_LIMIT = 4 * 1024**3
_SCHEMA_LIMIT = 1024**3
# Older protocols select older, laxer node classes of skops.
_MIN_PROTOCOL = 2
# A method node would fetch any attribute, an operator node call any function of that module.
_NODES = frozenset(
    {
        "BytearrayNode",
        "BytesNode",
        "CachedNode",
        "ConstructorFromReduceNode",
        "DTypeNode",
        "DefaultDictNode",
        "DictNode",
        "FunctionNode",
        "JsonNode",
        "ListNode",
        "LossNode",
        "MaskedArrayNode",
        "NdArrayNode",
        "ObjectNode",
        "PartialNode",
        "RandomGeneratorNode",
        "RandomStateNode",
        "SetNode",
        "SliceNode",
        "SparseMatrixNode",
        "TreeNode",
        "TupleNode",
        "TypeNode",
    }
)
# These nodes call the class that the file names. They get their own classes only, so that no other
# trusted class is ever called with arguments that the file chooses.
_CALLING_NODES = {
    "ConstructorFromReduceNode": re.compile(r"(?!)"),
    "DictNode": re.compile(
        r"builtins\.dict|collections\.OrderedDict|sklearn\.utils\._bunch\.Bunch"
    ),
    "ListNode": re.compile(r"builtins\.list"),
    "LossNode": re.compile(r"((sklearn\._loss\.)?_loss|sklearn\.linear_model\._sgd_fast)\.\w+"),
    "NdArrayNode": re.compile(r"numpy\.(ndarray|bool_?|float\d+|u?int\d+|str_|bytes_|datetime64)"),
    "PartialNode": re.compile(r"(?!)"),
    "SetNode": re.compile(r"builtins\.set"),
    "TupleNode": re.compile(r"builtins\.tuple"),
}
_KEY_TYPES = re.compile(r"builtins\.(str|int|float|bool)|numpy\.(bool_?|float\d+|u?int\d+|str_)")
_BEGIN = b"PK\x03\x04"
_EPOCH = (1980, 1, 1, 0, 0, 0)


def types_in(file: Path, where: str) -> frozenset[str]:
    """List the dotted names of every class and function that a skops file would build or fetch.

    A name that ends in ``()`` would be called with arguments from the file.

    :param file: the skops file.
    :param where: package directory or URI, for the error.
    :raises UntrustedPackage: when the file is not a plain skops archive.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            _check_members(archive)
            _check_begin(file)
            schema = json.loads(archive.read(_SCHEMA))
            _check_protocol(schema)
            found: set[str] = set()
            _collect(schema, frozenset(archive.namelist()), found, {})
            return frozenset(found)
    except _REFUSALS as error:
        reason = str(error) or type(error).__name__
        raise UntrustedPackage(
            where, (), reason=f"{file.name} is no plain skops file: {reason}."
        ) from error


_REFUSALS = (
    zipfile.BadZipFile,
    ValueError,
    KeyError,
    AttributeError,
    TypeError,
    OSError,
    EOFError,
    RecursionError,
    NotImplementedError,
    MemoryError,
)


def write_reproducibly(data: bytes, file: Path) -> frozenset[str]:
    """Store a skops dump so that the same model gives the same bytes.

    skops names members and nodes after memory addresses and stamps the time; here they are numbered
    in order of appearance. Sets are sorted.

    :param data: what ``skops.io.dumps`` returned.
    :param file: where to write.
    :return: what :func:`types_in` finds in it.
    """
    found: set[str] = set()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(file, "w") as target:
        schema = json.loads(source.read(_SCHEMA))
        names: dict[str, str] = {}
        _renumber(schema, {}, names)
        _add(target, _SCHEMA, json.dumps(schema, separators=(",", ":")).encode())
        for old, new in names.items():
            _add(target, new, source.read(old))
        _collect(schema, frozenset(target.namelist()), found, {})
    return frozenset(found)


def _add(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    info = zipfile.ZipInfo(name, date_time=_EPOCH)
    info.external_attr = 0o644 << 16
    archive.writestr(info, data, compress_type=zipfile.ZIP_DEFLATED, compresslevel=1)


def _renumber(node: Any, ids: dict[int, int], names: dict[str, str]) -> None:
    if isinstance(node, list):
        for item in node:
            _renumber(item, ids, names)
        return
    if not isinstance(node, dict):
        return
    if node.get("__loader__") == "SetNode":
        node["content"].sort(key=lambda item: str(item.get("content")))
    if isinstance(node.get("__id__"), int):
        node["__id__"] = ids.setdefault(node["__id__"], len(ids) + 1)
    if isinstance(node.get("file"), str) and "__loader__" in node:
        old = node["file"]
        node["file"] = names.setdefault(old, f"{len(names)}.{old.rpartition('.')[2]}")
    for value in node.values():
        _renumber(value, ids, names)


def _check_begin(file: Path) -> None:
    """Refuse what stands before the archive: a pickle there would run where the file is unpickled.

    MLflow before skops does that for a ``python_function`` whose ``data`` is the file.
    """
    with file.open("rb") as stream:
        if stream.read(len(_BEGIN)) != _BEGIN:
            raise ValueError("it does not begin as a zip archive")


def _check_members(archive: zipfile.ZipFile) -> None:
    members = archive.infolist()
    names = [member.filename for member in members]
    if len(set(names)) != len(names):
        raise ValueError("a member is listed twice")
    if odd := [name for name in names if name != _SCHEMA and not _MEMBER.match(name)]:
        raise ValueError(f"it has a member named {odd[0][:80]!r}")
    if sum(member.file_size for member in members) > _LIMIT:
        raise ValueError(f"it declares more than {_LIMIT} bytes of content")
    if archive.getinfo(_SCHEMA).file_size > _SCHEMA_LIMIT:
        raise ValueError(f"its schema declares more than {_SCHEMA_LIMIT} bytes")
    for member in members:
        _check_array(archive, member)


def _check_array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> None:
    if member.filename.endswith(".npy"):
        _check_npy(archive, member)
    elif member.filename.endswith(".npz"):
        with zipfile.ZipFile(io.BytesIO(archive.read(member))) as inner:
            parts = inner.infolist()
            if odd := [part.filename for part in parts if not _NPZ_MEMBER.match(part.filename)]:
                raise ValueError(f"an array archive has a member named {odd[0][:80]!r}")
            if sum(part.file_size for part in parts) > _LIMIT:
                raise ValueError(f"an array archive declares more than {_LIMIT} bytes")
            for part in parts:
                _check_npy(inner, part)


def _check_npy(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> None:
    """Refuse an array whose header asks for more memory than the file has bytes."""
    from numpy.lib import format as npy

    with archive.open(member) as stream:
        version = npy.read_magic(stream)
        read_header = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
        if version not in read_header:
            raise ValueError(f"array {member.filename} has format {version}")
        shape, _, dtype = read_header[version](stream)
        if dtype.hasobject:
            raise ValueError(f"array {member.filename} holds pickled objects")
        declared = math.prod(shape) * dtype.itemsize
        if stream.tell() + declared != member.file_size:
            raise ValueError(
                f"array {member.filename} declares {declared} bytes that it does not have"
            )


def _check_protocol(schema: Any) -> None:
    protocol = schema["protocol"]
    if type(protocol) is not int or protocol < _MIN_PROTOCOL:
        raise ValueError(f"its protocol is {protocol!r}")


def _collect(
    node: Any, members: frozenset[str], found: set[str], kinds: dict[object, object]
) -> None:
    if isinstance(node, list):
        for item in node:
            _collect(item, members, found, kinds)
    elif isinstance(node, dict):
        if "__loader__" in node or "__class__" in node or "__module__" in node:
            _collect_node(node, members, found)
            _check_kind(node, kinds)
        for value in node.values():
            _collect(value, members, found, kinds)


def _check_kind(node: dict[str, Any], kinds: dict[object, object]) -> None:
    """Refuse two kinds of node under one id: skops builds the first and forgets the other."""
    content = node.get("content")
    listed = content if node["__loader__"] == "ListNode" and isinstance(content, list) else []
    types = [(item.get("__loader__"), item.get("__class__")) for item in listed]
    if any(loader != "TypeNode" for loader, _ in types):
        types = []
    kind = (node["__loader__"], node["__module__"], node["__class__"], types)
    if "__id__" in node and kinds.setdefault(node["__id__"], kind) != kind:
        raise ValueError(f"two different nodes have the id {node['__id__']!r}")


def _collect_node(node: dict[str, Any], members: frozenset[str], found: set[str]) -> None:
    loader, module, name = node["__loader__"], node["__module__"], node["__class__"]
    if loader not in _NODES:
        raise ValueError(f"it has a node of kind {str(loader)[:80]!r}")
    if not isinstance(module, str) or not isinstance(name, str):
        raise TypeError("a node names no type")
    if "file" in node and node["file"] not in members:
        raise ValueError(f"a node reads {str(node['file'])[:80]!r}")
    if loader == "JsonNode":
        return
    dotted = f"{module}.{name}"
    found.add(dotted)
    expected = _CALLING_NODES.get(loader)
    if expected is not None and not expected.fullmatch(dotted):
        found.add(f"{dotted}()")
    if loader == "DictNode":
        found.update(_odd_key_types(node))


def _odd_key_types(node: dict[str, Any]) -> set[str]:
    """Types that a dict's keys would be passed to; skops calls each with the key's text."""
    listed = (f"{key['__module__']}.{key['__class__']}" for key in node["key_types"]["content"])
    return {f"{dotted}()" for dotted in listed if not _KEY_TYPES.fullmatch(dotted)}
