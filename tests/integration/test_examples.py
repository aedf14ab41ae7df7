"""Every example Dag, run by real Airflow from its first task to its last."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_mltrack.entities.registry import Stage
from airflow_mltrack.entities.runs import RunStatus
from airflow_mltrack.store.tracking_store import TrackingStore
from tests.integration.conftest import SMALL_TABLE, Airflow

pytestmark = [pytest.mark.airflow, pytest.mark.usefixtures("backend")]

MODEL = "credit-default-synthetic"
"""As the table is a generated one."""


def _no_run_is_open(store: TrackingStore) -> bool:
    with store.transaction() as tx:
        ids = [item.experiment_id for item in tx.experiments.list()]
        page = tx.search.runs(experiment_ids=ids, max_results=1000)
    return all(data.run.status.is_terminal for data in page.runs)


def test_credit_sweep_brings_the_best_trial_to_production(
    airflow: Airflow, tracked: TrackingStore
) -> None:
    outcome = airflow.run("credit_sweep", {**SMALL_TABLE, "n_trials": 3})
    assert outcome.state == "success"
    best = outcome.returned("sweep.close")
    with tracked.transaction() as tx:
        trials = tx.sweeps.trials(best["run_id"])
        children = tx.runs.children(best["run_id"])
        parent = tx.runs.get(best["run_id"])
        live = tx.registry.holder(MODEL, Stage.PRODUCTION.value)
        verdict = tx.verdicts.latest(MODEL, 1)
    assert [trial.state.value for trial in trials] == ["COMPLETE"] * 3
    assert len(children) == 3
    assert parent.status is RunStatus.FINISHED
    assert best["best_value"] == max(trial.value or 0 for trial in trials)
    assert live is not None
    assert live.version == 1
    assert verdict is not None
    assert verdict.passed
    assert _no_run_is_open(tracked)


def test_credit_sweep_again_challenges_the_champion(
    airflow: Airflow, tracked: TrackingStore
) -> None:
    outcome = airflow.run(
        "credit_sweep", {**SMALL_TABLE, "n_trials": 3, "mode": "mapped", "trials_per_task": 2}
    )
    assert outcome.state == "success"
    names = [ti.rendered_map_index for name, ti in outcome.tasks.items() if "trials[" in name]
    assert sorted(names) == ["000 random_forest and 1 more", names[-1]]
    with tracked.transaction() as tx:
        live = tx.registry.holder(MODEL, Stage.PRODUCTION.value)
        verdict = tx.verdicts.latest(MODEL, 2)
        first = tx.registry.get_version(MODEL, 1)
    assert live is not None
    assert verdict is not None
    assert (live.version, verdict.champion_version) == (2, 1)
    assert first.stage == Stage.ARCHIVED.value


def test_batch_scoring_scores_with_the_model_in_production(
    airflow: Airflow, tracked: TrackingStore, tmp_path: Path
) -> None:
    import pandas as pd

    output = tmp_path / "new" / "scores.parquet"
    outcome = airflow.run(
        "batch_scoring",
        {
            "DATA": SMALL_TABLE["DATA"],
            "OUTPUT": str(output),
            "MODEL_URI": f"models:/{MODEL}/Production",
        },
    )
    assert outcome.state == "success"
    scored = outcome.returned("score")
    frame = pd.read_parquet(output)
    assert len(frame) == scored["rows"] == 600
    assert frame["score"].between(0, 1).all()
    with tracked.transaction() as tx:
        live = tx.registry.holder(MODEL)
        [read] = tx.inputs.list(tx.runs.get(scored["run_id"]).attempt_id)
    assert live is not None
    assert scored["model_uri"] == f"models:/{live.model_id}"
    assert read.context == "scoring"


def test_custom_training_records_what_the_function_returned(
    airflow: Airflow, tracked: TrackingStore
) -> None:
    outcome = airflow.run("custom_training", SMALL_TABLE)
    assert outcome.state == "success"
    fitted = outcome.returned("fit")
    with tracked.transaction() as tx:
        run = tx.runs.data(fitted["run_id"])
        history = tx.metrics.history(run.attempt.attempt_id, "loss")
        version = tx.registry.latest_version("credit-default-custom")
    assert run.metrics["test_auc"] == pytest.approx(fitted["metrics"]["test_auc"])
    assert len(history) == 50
    assert version is not None
    assert (version.stage, version.run_id) == (Stage.STAGING.value, fitted["run_id"])


def test_scheduled_retraining_promotes_only_what_is_better(
    airflow: Airflow, tracked: TrackingStore
) -> None:
    weak, strong = (
        {**SMALL_TABLE, "classifier": name} for name in ("random_forest", "logistic_regression")
    )
    assert airflow.run("scheduled_retraining", weak).states["promote"] == "success"
    better = airflow.run("scheduled_retraining", strong)
    worse = airflow.run("scheduled_retraining", weak)
    assert better.states["promote"] == "success"
    assert (worse.states["validate"], worse.states["promote"]) == ("skipped", "skipped")
    with tracked.transaction() as tx:
        live = tx.registry.holder("credit-default-weekly")
    assert live is not None
    assert live.version == 2
    assert _no_run_is_open(tracked)
