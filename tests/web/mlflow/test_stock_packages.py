"""Packages that the stock client has logged are judged, promoted and loaded as ours are."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from lightgbm import LGBMClassifier

from airflow_mltrack.cli.model_validation import check_stage, read_dataset, validate
from airflow_mltrack.entities.models import LoggedModel, LoggedModelStatus
from airflow_mltrack.entities.stages import GATED
from airflow_mltrack.exceptions import ModelPackageError, UntrustedPackage
from airflow_mltrack.lifecycle.approval import approve
from airflow_mltrack.lifecycle.batch_scoring import score_table
from airflow_mltrack.lifecycle.evidence.pack import write_evidence
from airflow_mltrack.lifecycle.package_check import check_loads, check_package
from airflow_mltrack.lifecycle.registration import create_model, set_policy
from airflow_mltrack.lifecycle.rollback import rollback
from airflow_mltrack.tracking.model_uri import download_model, load_model
from tests.web.mlflow.conftest import House

GATES: dict[str, object] = {
    "checks": [
        {"metric": "auc", "min": 0.6},
        {"metric": "auc", "versus": "champion", "min_difference": -0.5},
        {"kind": "signature"},
        {"kind": "latency", "max_p95_ms": 60_000, "calls": 20},
        {"kind": "package_size", "max_mb": 5},
        {"kind": "memory", "max_mb": 4000},
        {"kind": "calibration", "max": 1.0},
    ]
}


def loans(rows: int = 400) -> tuple[pd.DataFrame, pd.Series[int]]:
    generator = np.random.default_rng(5)
    frame = pd.DataFrame(
        {"income": generator.normal(50, 10, rows), "age": generator.integers(20, 70, rows)}
    )
    return frame, (frame["income"] + generator.normal(0, 5, rows) < 45).astype(int).rename("bad")


def logged(house: House, run_id: str) -> LoggedModel:
    with house.tracking.store.transaction() as tx:
        [found] = tx.models.list(run_id=run_id)
    return found


def log_lightgbm(stock: Any, rounds: int = 10) -> tuple[str, Any, LGBMClassifier]:
    """Log a model as the stock client does; return its run, what it answered, and the model."""
    rows, bad = loans()
    model = LGBMClassifier(n_estimators=rounds, verbose=-1).fit(rows, bad)
    signature = stock.models.infer_signature(rows, model.predict(rows))
    with stock.start_run() as run:
        info = stock.lightgbm.log_model(
            model,
            name="model",
            signature=signature,
            input_example=rows.iloc[:2],
            metadata={"threshold": 0.4},
        )
    return run.info.run_id, info, model


@pytest.fixture
def held_out(tmp_path: Path) -> str:
    """Give the path of a table that no training has seen, with a column of no model's."""
    rows, bad = loans(300)
    path = tmp_path / "held_out.csv"
    rows.assign(branch="a", bad=bad).to_csv(path, index=False)
    return str(path)


@pytest.fixture
def gated(house: House, name: str) -> str:
    """Give the name of a model with gates."""
    create_model(house.tracking, name, actor="ada")
    set_policy(house.tracking, name, actor="ada", gates=GATES, stages=GATED)
    return name


def go_live(stock: Any, house: House, name: str, version: str, held_out: str) -> None:
    """Lead a version to Production, by our gates and the stock client's move."""
    client = stock.MlflowClient()
    client.set_model_version_tag(name, version, "mltrack.reason", "better on thin files")
    client.transition_model_version_stage(name, version, "Staging")
    judged = validate(
        house.tracking,
        name,
        int(version),
        actor="ada",
        dataset=read_dataset(held_out, "bad"),
    )
    assert judged.facts["verdict"] == "passed", judged
    approve(house.tracking, name, int(version), "Production", approver="eve", reason="looks good")
    client.transition_model_version_stage(name, version, "Production")


def test_a_model_of_the_stock_client_goes_live_through_our_gates(
    stock: Any, house: House, gated: str, held_out: str
) -> None:
    run_id, info, model = log_lightgbm(stock)
    version = stock.register_model(info.model_uri, gated).version
    client = stock.MlflowClient()
    client.transition_model_version_stage(gated, version, "Staging")
    with pytest.raises(stock.exceptions.MlflowException, match="no verdict exists"):
        client.transition_model_version_stage(gated, version, "Production")

    judged = validate(
        house.tracking, gated, int(version), actor="ada", dataset=read_dataset(held_out, "bad")
    )
    assert judged.facts["verdict"] == "passed", judged
    approve(house.tracking, gated, int(version), "Production", approver="eve", reason="looks good")
    client.set_model_version_tag(gated, version, "mltrack.reason", "better on thin files")
    missing = check_stage(house.tracking, gated, int(version), "Production").facts["missing"]
    assert missing == []
    moved = client.transition_model_version_stage(gated, version, "Production")
    assert moved.current_stage == "Production"

    with house.tracking.store.transaction() as tx:
        [verdict] = tx.verdicts.list(gated, int(version))
        registered = tx.registry.get_version(gated, int(version))
    assert verdict.package_digest == registered.digest == logged(house, run_id).digest
    uri = f"models:/{gated}/Production"
    ours = load_model(house.tracking, uri, check_environment="error")
    assert ours.manifest.digest == verdict.package_digest
    rows, _ = loans(50)
    theirs = stock.pyfunc.load_model(uri)
    assert np.array_equal(ours.predict(rows), theirs.predict(rows))
    assert np.array_equal(ours.predict_proba(rows), model.predict_proba(rows))


def test_it_is_gone_back_to_scored_with_and_told_about(
    stock: Any, house: House, gated: str, held_out: str, tmp_path: Path
) -> None:
    for rounds in (10, 20):
        _, info, model = log_lightgbm(stock, rounds)
        version = stock.register_model(info.model_uri, gated).version
        go_live(stock, house, gated, version, held_out)
    with house.tracking.store.transaction() as tx:
        first = tx.registry.get_version(gated, 1)
    assert check_package(house.tracking, first) == []
    check_loads(house.tracking, first, check_environment="error")

    rows, _ = loans(300)
    with house.tracking.start_run("score", heartbeat=False) as run:
        scored = score_table(house.tracking, run, f"models:/{gated}/Production", held_out)
    assert np.allclose(scored.frame["score"], model.predict_proba(rows)[:, 1])

    rollback(house.tracking, gated, actor="ada", reason="it drifts", emergency=True)
    client = stock.MlflowClient()
    assert client.get_model_version(gated, "1").current_stage == "Production"

    pack = write_evidence(house.tracking, gated, 1, tmp_path / "pack.zip")
    with zipfile.ZipFile(pack.path) as archive:
        card = archive.read("model_card.md").decode()
        told = json.loads(archive.read("evidence.json"))
    assert "lightgbm.sklearn.LGBMClassifier" in card
    assert "model_format: skops" in card
    assert "model_file: model.skops" in card
    assert told["package"]["format"] == "skops"
    assert told["package"]["mlflow"]["version"] == stock.__version__
    assert [column["name"] for column in told["signature"]["columns"]] == ["income", "age"]
    assert told["environment"]["required"]["lightgbm"]
    assert told["package"]["metadata"] == {"threshold": 0.4}
    assert not [item for item in told["missing"] if "package" in item["what"]]


def test_what_it_says_is_on_record_when_it_gets_ready(
    stock: Any, house: House, tmp_path: Path
) -> None:
    run_id, _, _ = log_lightgbm(stock)
    model = logged(house, run_id)
    assert model.manifest["format"] == "skops"
    assert model.manifest["model_class"] == "lightgbm.sklearn.LGBMClassifier"
    download_model(house.tracking, f"models:/{model.model_id}", tmp_path / "package")
    loaded = load_model(house.tracking, f"runs:/{run_id}/model")
    assert loaded.manifest.to_json() == model.manifest
    assert loaded.manifest.digest == model.digest


def test_a_pickle_that_autolog_wrote_is_refused_by_the_gates(
    stock: Any, house: House, gated: str, held_out: str
) -> None:
    from sklearn.linear_model import LogisticRegression

    rows, bad = loans()
    stock.sklearn.autolog()
    with stock.start_run() as run:
        LogisticRegression().fit(rows, bad)
    version = stock.register_model(f"runs:/{run.info.run_id}/model", gated).version
    with pytest.raises(UntrustedPackage, match=rf"models:/{gated}/1 is refused: it is a pickle"):
        validate(
            house.tracking, gated, int(version), actor="ada", dataset=read_dataset(held_out, "bad")
        )
    assert load_model(
        house.tracking, f"models:/{gated}/{version}", allow_pickle=True
    ).manifest.model_class.endswith("LogisticRegression")


def test_a_package_with_code_of_its_own_is_refused_by_the_gates(
    stock: Any, house: House, gated: str, held_out: str, tmp_path: Path
) -> None:
    (tmp_path / "sklearn.py").write_text("raise SystemExit")
    rows, bad = loans()
    model = LGBMClassifier(n_estimators=5, verbose=-1).fit(rows, bad)
    with stock.start_run():
        info = stock.lightgbm.log_model(
            model, name="model", code_paths=[str(tmp_path / "sklearn.py")]
        )
    version = stock.register_model(info.model_uri, gated).version
    with pytest.raises(UntrustedPackage, match=r"brings code of its own \(code\)"):
        validate(
            house.tracking, gated, int(version), actor="ada", dataset=read_dataset(held_out, "bad")
        )


@pytest.mark.parametrize(
    "text",
    [
        b"flavors: {python_function: {loader_module: mlflow.pyfunc.model}}",
        b"flavors: {sklearn: {pickled_model: ../../../secret}}",
        b"a: &a [b]\nc: [*a, *a]",
        b"\x00\xff",
        b'flavors: {sklearn: {pickled_model: model.pkl}}\nmetadata: {a: "\\0"}',
        b"[" * 100_000,
    ],
)
def test_a_model_that_cannot_be_read_gets_ready_all_the_same(
    text: bytes, stock: Any, house: House, tmp_path: Path
) -> None:
    (tmp_path / "MLmodel").write_bytes(text)
    (tmp_path / "model.pkl").write_bytes(b"x")
    made = stock.initialize_logged_model(name="odd")
    client = stock.MlflowClient()
    client.log_model_artifacts(made.model_id, str(tmp_path))
    found = client.finalize_logged_model(made.model_id, "READY")
    assert found.status.value == "READY"
    with house.tracking.store.transaction() as tx:
        model = tx.models.get(made.model_id)
    assert (model.status, model.manifest) == (LoggedModelStatus.READY, {})
    with pytest.raises(ModelPackageError, match=f"models:/{made.model_id}"):
        load_model(house.tracking, f"models:/{made.model_id}")


def test_a_package_of_ours_that_was_uploaded_is_one_of_ours(
    stock: Any, house: House, tmp_path: Path
) -> None:
    rows, bad = loans(100)
    model = LGBMClassifier(n_estimators=3, verbose=-1).fit(rows, bad)
    with house.tracking.start_run("train", heartbeat=False) as run:
        ours = run.log_model(model, "model", training_data=rows)
    directory = download_model(house.tracking, f"models:/{ours.model_id}", tmp_path / "package")
    with stock.start_run() as copied:
        stock.log_artifacts(str(directory), "copy")
    version = stock.register_model(f"runs:/{copied.info.run_id}/copy", f"copy {ours.model_id}")
    found = load_model(house.tracking, f"models:/{version.name}/{version.version}")
    assert found.manifest.digest == ours.digest
    assert logged(house, copied.info.run_id).manifest == ours.manifest
