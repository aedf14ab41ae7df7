"""Hostile packages are refused, and nothing of them runs."""

from __future__ import annotations

import hashlib
import io
import itertools
import json
import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from airflow_mltrack.exceptions import ArtifactCorrupt, ModelPackageError, UntrustedPackage
from airflow_mltrack.model_package.formats import skops as skops_format
from airflow_mltrack.model_package.reader import load_model
from airflow_mltrack.model_package.skops_archive import types_in
from airflow_mltrack.model_package.trusted_types import REGISTRY_TRUSTED_TYPES, audit, untrusted
from airflow_mltrack.model_package.writer import write_package

Edit = Callable[[dict[str, Any]], None]

IDS = itertools.count(1)


class Exploit:
    """Creates a file when it is unpickled."""

    def __init__(self, proof: Path) -> None:
        self.proof = proof

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.proof),)


@pytest.fixture
def package(logistic: Any, table: pd.DataFrame, tmp_path: Path) -> Path:
    """Give the directory of an honest package."""
    write_package(logistic, tmp_path / "package", training_data=table)
    return tmp_path / "package"


def forge(package: Path, name: str, data: bytes) -> None:
    """Replace a file and make the manifest agree, as an attacker who can write would."""
    (package / name).write_bytes(data)
    manifest = json.loads((package / "mltrack.json").read_text())
    manifest["files"][name] = {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    (package / "mltrack.json").write_text(json.dumps(manifest))


def forge_pickle(package: Path, data: bytes) -> None:
    """Make a pickle of a package, everything in it agreeing."""
    manifest = json.loads((package / "mltrack.json").read_text())
    manifest["format"] = "pickle"
    (package / "mltrack.json").write_text(json.dumps(manifest))
    text = (package / "MLmodel").read_text().replace("model.skops", "model.pkl")
    text = text.replace("serialization_format: skops", "serialization_format: pickle")
    forge(package, "model.pkl", data)
    forge(package, "MLmodel", text.encode())


def archive_of(members: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return stream.getvalue()


def members_of(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def skops_with(edit: Edit, obj: Any = None) -> bytes:
    """A skops file whose schema was edited."""
    members = members_of(skops_format.import_skops().dumps({"a": [1]} if obj is None else obj))
    schema = json.loads(members["schema.json"])
    edit(schema)
    return archive_of({**members, "schema.json": json.dumps(schema).encode()})


def node(loader: str, dotted: str, **more: Any) -> dict[str, Any]:
    module, _, name = dotted.rpartition(".")
    return {
        "__loader__": loader,
        "__module__": module,
        "__class__": name,
        "__id__": next(IDS),
        **more,
    }


def put(state: dict[str, Any]) -> Edit:
    """Edit that makes the state the value under ``a``."""

    def edit(schema: dict[str, Any]) -> None:
        schema["content"]["a"] = state

    return edit


def arguments(*values: str) -> dict[str, Any]:
    """A tuple of texts, as skops writes it."""
    items = [node("JsonNode", "builtins.str", content=json.dumps(value)) for value in values]
    return node("TupleNode", "builtins.tuple", content=items)


def test_a_pickle_named_skops_does_not_run(package: Path, tmp_path: Path) -> None:
    proof = tmp_path / "proof"
    forge(package, "model.skops", pickle.dumps(Exploit(proof)))
    with pytest.raises(UntrustedPackage, match="no plain skops file"):
        load_model(package)
    assert not proof.exists()
    pickle.loads((package / "model.skops").read_bytes())  # noqa: S301
    assert proof.exists(), "the payload must be a real one"


def test_a_pickle_package_runs_only_when_the_reader_allows_it(
    package: Path, tmp_path: Path
) -> None:
    proof = tmp_path / "proof"
    forge_pickle(package, pickle.dumps(Exploit(proof)))
    with pytest.raises(UntrustedPackage, match="allow_pickle=True"):
        load_model(package)
    assert not proof.exists()
    load_model(package, allow_pickle=True)
    assert proof.exists()


def test_a_skops_file_that_calls_a_function_does_not_run(package: Path, tmp_path: Path) -> None:
    proof = tmp_path / "proof"
    calls = node("ConstructorFromReduceNode", "posix.mkdir", content=arguments(str(proof)))
    data = skops_with(put(calls))
    forge(package, "model.skops", data)
    with pytest.raises(UntrustedPackage) as caught:
        load_model(package)
    assert "posix.mkdir" in caught.value.types
    assert not proof.exists()
    skops_format.import_skops().loads(data, trusted=["posix.mkdir"])
    assert proof.exists(), "the payload must be a real one"


def test_the_packages_own_trust_list_counts_for_nothing_and_its_loader_is_refused(
    package: Path, tmp_path: Path
) -> None:
    proof = tmp_path / "proof"
    calls = node("ConstructorFromReduceNode", "posix.mkdir", content=arguments(str(proof)))
    forge(package, "model.skops", skops_with(put(calls)))
    (tmp_path / "evil_loader.py").write_text(f"import os; os.mkdir({str(proof)!r})")
    text = (package / "MLmodel").read_text()
    text = text.replace("- builtins.dict", "- builtins.dict\n    - posix.mkdir")
    forge(package, "MLmodel", text.encode())
    with pytest.raises(UntrustedPackage, match=r"types that are not trusted: .*posix\.mkdir"):
        load_model(package)
    text = text.replace("loader_module: mlflow.sklearn", "loader_module: evil_loader")
    forge(package, "MLmodel", text.encode())
    with pytest.raises(UntrustedPackage, match="loaded by 'evil_loader'"):
        load_model(package)
    assert not proof.exists()


def test_a_package_that_mlflow_would_load_as_another_model_is_refused(
    package: Path, tmp_path: Path
) -> None:
    proof = tmp_path / "proof"
    forge(package, "other.pkl", pickle.dumps(Exploit(proof)))
    honest = (package / "MLmodel").read_text()
    for odd, reason in (
        (honest.replace("model.skops", "other.pkl"), r"other\.pkl .*what is judged would not be"),
        (honest.replace("format: skops", "format: pickle"), r"model\.skops \(pickle\)"),
        (honest.replace("model_path: model.skops", "model_path: other.pkl"), "what is served"),
        (honest.replace("code: null", "code: brought", 1), r"code of its own \(brought\)"),
        ("flavors: []\n", "cannot be used: it has no flavors"),
    ):
        assert odd != honest
        forge(package, "MLmodel", odd.encode())
        with pytest.raises(UntrustedPackage, match=reason):
            load_model(package, allow_pickle=True)
    assert not proof.exists()


def test_a_changed_mlmodel_file_is_noticed(package: Path) -> None:
    file = package / "MLmodel"
    file.write_text(file.read_text().replace("mlflow.sklearn", "evil_loader"))
    with pytest.raises(ArtifactCorrupt, match="MLmodel"):
        load_model(package)


@pytest.mark.parametrize(
    ("state", "refused"),
    [
        (node("FunctionNode", "os.system"), "os.system"),
        (node("TypeNode", "subprocess.Popen"), "subprocess.Popen"),
        (node("ObjectNode", "ctypes.CDLL"), "ctypes.CDLL"),
        (node("ConstructorFromReduceNode", "numpy.ndarray", content=arguments("9")), "ndarray()"),
        (
            node("ConstructorFromReduceNode", "lightgbm.basic.Booster", content=arguments("x")),
            "lightgbm.basic.Booster()",
        ),
        (node("ListNode", "numpy.ndarray", content=[]), "numpy.ndarray()"),
        (node("TupleNode", "builtins.list", content=[]), "builtins.list()"),
        (
            node(
                "DictNode",
                "builtins.dict",
                content={},
                key_types=node(
                    "ListNode",
                    "builtins.list",
                    content=[node("TypeNode", "lightgbm.basic.Booster")],
                ),
            ),
            "lightgbm.basic.Booster()",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else value["__loader__"],
)
def test_types_outside_the_list_are_named(
    state: dict[str, Any], refused: str, tmp_path: Path
) -> None:
    (tmp_path / "model.skops").write_bytes(skops_with(put(state)))
    with pytest.raises(UntrustedPackage) as caught:
        audit(tmp_path / "model.skops", where="models:/credit/1")
    assert any(name.endswith(refused) for name in caught.value.types)
    assert "models:/credit/1" in str(caught.value)


def set_protocol(value: object) -> Edit:
    def edit(schema: dict[str, Any]) -> None:
        schema["protocol"] = value

    return edit


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not a zip"),
        (b"PK\x05\x06" + b"\0" * 18, "schema.json"),
        (archive_of({"schema.json": b"{}"}), "protocol"),
        (archive_of({"schema.json": b"[" * 200_000}), "no plain skops file"),
        (archive_of({"schema.json": b"\xff\xfe"}), "no plain skops file"),
        (archive_of({"schema.json": b"{}", "../evil.npy": b""}), "named"),
        (archive_of({"schema.json": b"{}", "/etc/evil.npy": b""}), "named"),
        (archive_of({"schema.json": b"{}", "a\\evil.npy": b""}), "named"),
        (archive_of({"schema.json": b"{}", "evil.pkl": b""}), "named"),
        (skops_with(set_protocol(0)), "protocol is 0"),
        (skops_with(set_protocol(True)), "protocol is True"),
        (skops_with(put(node("MethodNode", "builtins.list", content={}))), "MethodNode"),
        (skops_with(put(node("OperatorFuncNode", "operator.x", attrs={}))), "OperatorFuncNode"),
        (skops_with(put({"__loader__": "ListNode"})), "__module__"),
        (skops_with(put(node("ListNode", "builtins.list", content=[1]))), "no plain skops"),
        (skops_with(put(node("TypeNode", "a.b") | {"__class__": 3})), "names no type"),
        (skops_with(put(node("BytesNode", "builtins.bytes", file="/etc/hostname"))), "reads"),
        (skops_with(put(node("BytesNode", "builtins.bytes", file=["x"]))), "no plain skops"),
    ],
    ids=range(18),
)
def test_files_that_are_not_plain_are_refused(data: bytes, reason: str, tmp_path: Path) -> None:
    file = tmp_path / "model.skops"
    file.write_bytes(data)
    with pytest.raises(UntrustedPackage, match="Nothing was loaded") as caught:
        skops_format.load(file)
    assert reason in str(caught.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.skops"]


def npy(array: Any, *, shape: str | None = None) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=True)
    data = stream.getvalue()
    if shape is None:
        return data
    old = f"'shape': {array.shape}".encode()
    new = f"'shape': {shape}".encode()
    grown = len(new) - len(old)
    return data.replace(old, new).replace(b" " * grown + b"\n", b"\n", 1)


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("0.npy", npy(np.arange(3), shape="(10000000000000,)"), "does not have"),
        ("0.npy", npy(np.array([Exploit(Path("proof"))], dtype=object)), "pickled objects"),
        ("0.npy", b"\x93NUMPY\x09\x00", "no plain skops file"),
        ("0.npz", archive_of({"data.npy": npy(np.arange(3), shape="(99999999999,)")}), "not have"),
        ("0.npz", archive_of({"../data.npy": b""}), "named"),
        ("0.npz", b"no zip", "no plain skops file"),
    ],
)
def test_arrays_that_lie_about_their_size_are_refused(
    name: str, data: bytes, reason: str, tmp_path: Path
) -> None:
    members = members_of(skops_format.import_skops().dumps({"a": [1]}))
    file = tmp_path / "model.skops"
    file.write_bytes(archive_of({**members, name: data}))
    with pytest.raises(UntrustedPackage) as caught:
        audit(file)
    assert reason in str(caught.value)


@pytest.mark.parametrize("limit", ["_LIMIT", "_SCHEMA_LIMIT"])
def test_declared_sizes_beyond_the_limit_are_refused(
    limit: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "model.skops"
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("schema.json", b" " * 100_000)
    file.write_bytes(stream.getvalue())
    assert file.stat().st_size < 1000
    monkeypatch.setattr(f"airflow_mltrack.model_package.skops_archive.{limit}", 50_000)
    with pytest.raises(UntrustedPackage, match="declares more than 50000 bytes"):
        audit(file)


def test_a_member_listed_twice_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "model.skops"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("schema.json", b"{}")
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("schema.json", b"{}")
    with pytest.raises(UntrustedPackage, match="listed twice"):
        audit(file)


def test_a_broken_schema_of_trusted_types_is_refused_when_built(tmp_path: Path) -> None:
    file = tmp_path / "model.skops"
    file.write_bytes(skops_with(put(node("SliceNode", "builtins.slice"))))
    with pytest.raises(UntrustedPackage, match="cannot be built"):
        skops_format.load(file)


def test_a_node_may_not_hide_behind_the_id_of_another(tmp_path: Path) -> None:
    keys = node("ListNode", "builtins.list", content=[node("TypeNode", "builtins.str")])
    other = node("ListNode", "builtins.list", content=[node("TypeNode", "lightgbm.basic.Booster")])
    keys["__id__"] = other["__id__"]
    state = node("DictNode", "builtins.dict", content={}, key_types=keys)
    both = node("ListNode", "builtins.list", content=[other, state])
    file = tmp_path / "model.skops"
    file.write_bytes(skops_with(put(both)))
    with pytest.raises(UntrustedPackage, match="two different nodes have the id"):
        audit(file)


def test_a_caller_may_trust_more(tmp_path: Path) -> None:
    file = tmp_path / "model.skops"
    file.write_bytes(skops_with(put(node("TypeNode", "decimal.Decimal"))))
    with pytest.raises(UntrustedPackage):
        audit(file)
    assert "decimal.Decimal" in audit(file, ["decimal.Decimal"])
    assert untrusted(["decimal.Decimal", "builtins.list"]) == ["decimal.Decimal"]


def test_an_honest_file_names_its_types(tmp_path: Path) -> None:
    file = tmp_path / "model.skops"
    skops_format.import_skops().dump(LogisticRegression().fit([[0.0], [1.0]], [0, 1]), file)
    found = types_in(file, "here")
    assert "sklearn.linear_model._logistic.LogisticRegression" in found
    assert found <= REGISTRY_TRUSTED_TYPES


def test_the_list_trusts_no_sampler_and_nothing_that_runs_code() -> None:
    import importlib

    modules = {name.rpartition(".")[0] for name in REGISTRY_TRUSTED_TYPES}
    tops = {module.partition(".")[0] for module in modules}
    libraries = {"imblearn", "lightgbm", "numpy", "scipy", "sklearn"}
    assert tops == {"builtins", "collections", "_loss"} | libraries
    assert not [name for name in modules if "_sampling" in name or "combine" in name]
    assert not {"builtins.eval", "builtins.exec", "builtins.getattr"} & REGISTRY_TRUSTED_TYPES
    for name in ("sklearn.pipeline.Pipeline", "lightgbm.basic.Booster", "sklearn.tree._tree.Tree"):
        module, _, attribute = name.rpartition(".")
        assert hasattr(importlib.import_module(module), attribute)
        assert name in REGISTRY_TRUSTED_TYPES


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "Expecting value"),
        ("{}", "format_version"),
        ('{"format_version": 1}', "KeyError"),
        ('{"format_version": 1, "files": {}, "format": "onnx"}', "not what they should be"),
        ('{"format_version": 2}', "Upgrade airflow-mltrack"),
        ("[" * 100_000, "recursion"),
    ],
)
def test_a_broken_manifest_is_explained(package: Path, text: str, reason: str) -> None:
    (package / "mltrack.json").write_text(text)
    with pytest.raises(ModelPackageError) as caught:
        load_model(package)
    assert reason in str(caught.value)


@pytest.mark.parametrize("path", ["../secret", "/etc/passwd", "a//b", "a\\b", "./a"])
def test_a_manifest_may_not_point_outside_its_package(package: Path, path: str) -> None:
    manifest = json.loads((package / "mltrack.json").read_text())
    manifest["files"][path] = {"size": 1, "sha256": "0" * 64}
    (package / "mltrack.json").write_text(json.dumps(manifest))
    with pytest.raises(ModelPackageError, match="not a relative path"):
        load_model(package)


def test_a_huge_manifest_is_not_parsed(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow_mltrack.model_package.manifest.MANIFEST_LIMIT", 10)
    with pytest.raises(ModelPackageError, match="larger than 10 bytes"):
        load_model(package)


def test_a_lightgbm_file_that_is_none_is_refused(table: pd.DataFrame, tmp_path: Path) -> None:
    from lightgbm import LGBMClassifier

    booster = LGBMClassifier(n_estimators=1, verbose=-1).fit(table[["age"]], table["age"] > 40)
    write_package(booster.booster_, tmp_path / "m", training_data=table[["age"]])
    forge(tmp_path / "m", "model.lgb", b"PK\x03\x04")
    with pytest.raises(UntrustedPackage, match="no LightGBM model"):
        load_model(tmp_path / "m")
    forge(tmp_path / "m", "model.lgb", b"tree\nversion=v4\n")
    with pytest.raises(UntrustedPackage, match="LightGBM cannot read"):
        load_model(tmp_path / "m")
    forge(tmp_path / "m", "model.lgb", b"tree\n\xff\xfe")
    with pytest.raises(UntrustedPackage, match="LightGBM cannot read"):
        load_model(tmp_path / "m")


def test_a_pickle_that_cannot_be_loaded_is_explained(package: Path) -> None:
    forge_pickle(package, b"cnowhere\nThing\n.")
    with pytest.raises(ModelPackageError, match=r"No module named 'nowhere'"):
        load_model(package, allow_pickle=True)
