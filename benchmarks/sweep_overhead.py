"""What tracking costs a sweep: the same trials by two workers, and by a plain joblib loop.

Both sides load the table, fit the same pipelines on the same folds in two fresh processes, and
compute the ranking metrics. The sweep does everything else that it does by default as well: rows in
Postgres, params, metrics, bootstrap intervals, plot data, artifacts. The two are run in turns, so
that a busy machine burdens both.

    python benchmarks/sweep_overhead.py [--data TABLE --target COLUMN] [--trials 50] [--rounds 1]
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from airflow_mltrack.entities.runs import task_identity
from airflow_mltrack.lifecycle.sweeps import SweepSpec, plan_sweep, run_trials
from airflow_mltrack.lifecycle.training import TrainingSpec, prepare, run_trial
from airflow_mltrack.settings import Settings, embedded_settings
from airflow_mltrack.store.engine import stop_embedded
from airflow_mltrack.tracking.client import TrackingClient
from airflow_mltrack.training.loan_portfolio import TARGET as PORTFOLIO_TARGET
from airflow_mltrack.training.loan_portfolio import portfolio_uri
from airflow_mltrack.training.search_space import SearchSpace, grid

WORKERS = 2
TARGET_RATIO = 1.10
RESAMPLERS = [
    "none",
    "random_over",
    "random_under",
    "near_miss",
    "tomek_links",
    "smote",
    "borderline_smote",
    "adasyn",
    "smote_tomek",
    "smote_enn",
]
CLASSIFIERS = [
    "logistic_regression",
    "random_forest",
    "extra_trees",
    "hist_gradient_boosting",
    "lightgbm",
]
SPACE = {"resampler": {"choices": RESAMPLERS}, "classifier": {"choices": CLASSIFIERS}}
RECIPE = {
    "options": {
        "random_forest": {"n_estimators": 100},
        "extra_trees": {"n_estimators": 100},
        "lightgbm": {"n_estimators": 200, "learning_rate": 0.05},
    }
}
SPLIT = {"test_size": 0.3, "validation": "cv", "folds": 3, "seed": 42}


def plain_trial(spec: dict[str, Any], params: dict[str, Any]) -> float:
    """Fit and score one configuration as a script without a tracker would."""
    import numpy as np
    from threadpoolctl import threadpool_limits

    from airflow_mltrack.training.evaluation import evaluate
    from airflow_mltrack.training.recipes import build_pipeline, with_params

    training = TrainingSpec.from_json(spec)
    prepared = prepare(training)
    recipe = with_params(training.recipe, params)
    found = []
    for fit_rows, validation_rows in prepared.split.folds:
        features, target = prepared.dataset.features, prepared.dataset.target
        pipeline = build_pipeline(recipe, features, seed=training.seed)
        with threadpool_limits(1):
            pipeline.fit(features.iloc[fit_rows], target[fit_rows])
            score = pipeline.predict_proba(features.iloc[validation_rows])[:, 1]
        found.append(evaluate(target[validation_rows], score, n_bootstrap=0).metrics["auc"])
    return float(np.mean(found))


def plain_loop(spec: dict[str, Any], trials: list[dict[str, Any]]) -> float:
    """Return the seconds that joblib takes."""
    import joblib

    start = time.perf_counter()
    parallel = joblib.Parallel(n_jobs=WORKERS, batch_size=1)
    parallel(joblib.delayed(plain_trial)(spec, params) for params in trials)
    return time.perf_counter() - start


def work(settings: Settings, sweep_run_id: str, number: int) -> None:
    """Be one worker of the sweep."""
    client = TrackingClient(settings, pool_size=1)
    with client.store.transaction() as tx:
        spec = TrainingSpec.from_json(tx.sweeps.get(sweep_run_id).spec["training"])  # type: ignore[arg-type]
    identity = task_identity(
        ti_id=f"{sweep_run_id}-{number}",
        dag_id="benchmark",
        dag_run_id=sweep_run_id,
        task_id="work",
        map_index=number,
    )
    run_trials(
        client,
        sweep_run_id,
        identity=identity,
        objective=lambda run, trial, report: run_trial(run, spec, trial.params, report),
    )
    client.close()


def tracked_sweep(settings: Settings, spec: dict[str, Any], n_trials: int) -> float:
    """Return the seconds that planning and working off the sweep take."""
    client = TrackingClient(settings)
    client.store.upgrade()
    sweep = SweepSpec(space=SPACE, sampler={"name": "grid"}, n_trials=n_trials, training=spec)
    context = multiprocessing.get_context("spawn")
    start = time.perf_counter()
    with client.start_run("sweep", experiment="benchmark") as run:
        plan_sweep(client, run, sweep)
        workers = [
            context.Process(target=work, args=(settings, run.run_id, number))
            for number in range(WORKERS)
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    took = time.perf_counter() - start
    with client.store.transaction() as tx:
        ended = tx.sweeps.counts(run.run_id)
    print("  trials: " + ", ".join(f"{n} {state.value}" for state, n in ended.items() if n))
    client.close()
    return took


def main() -> None:
    """Print the ratio of every round and their median."""
    parser = argparse.ArgumentParser(description="What tracking costs a sweep.")
    parser.add_argument("--data", help="table; 10,000 generated loans when not given")
    parser.add_argument("--target", default="")
    parser.add_argument("--trials", type=int, default=50, help="the first ones of the grid of 50")
    parser.add_argument("--rounds", type=int, default=1)
    options = parser.parse_args()
    dataset = {"uri": options.data, "target": options.target}
    if options.data is None:
        dataset = {"uri": portfolio_uri(), "target": PORTFOLIO_TARGET}
    spec = {"dataset": dataset, "recipe": RECIPE, "split": SPLIT}
    trials = grid(SearchSpace.from_json(SPACE))[: options.trials]
    ratios = []
    with tempfile.TemporaryDirectory(prefix="mltrack-benchmark-") as home:
        settings = embedded_settings(Path(home) / "backend")
        for number in range(1, options.rounds + 1):
            plain = plain_loop(spec, trials)
            tracked = tracked_sweep(settings, spec, len(trials))
            ratios.append(tracked / plain)
            print(
                f"round {number}: {len(trials)} trials, joblib {plain:.1f} s, "
                f"sweep {tracked:.1f} s, ratio {ratios[-1]:.3f}"
            )
        stop_embedded(settings.embedded_directory)
    print(f"median ratio {statistics.median(ratios):.3f} (at most {TARGET_RATIO})")


if __name__ == "__main__":
    main()
