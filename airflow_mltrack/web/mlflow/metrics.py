"""Metrics: points, batches with params and tags, histories."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_mltrack.entities.metrics import MetricPoint
from airflow_mltrack.entities.models import LoggedModelMetric
from airflow_mltrack.exceptions import InvalidInput
from airflow_mltrack.web.mlflow.calls import Call, get, post
from airflow_mltrack.web.mlflow.errors import invalid
from airflow_mltrack.web.mlflow.fields import double, int64, message, number_out, pairs, tags, text
from airflow_mltrack.web.mlflow.model_access import check_models
from airflow_mltrack.web.mlflow.runs import log_params, set_tags

if TYPE_CHECKING:
    from airflow_mltrack.entities.runs import Run
    from airflow_mltrack.store.tracking_store import Transaction

_METRIC = {
    "key": text(required=True),
    "value": double(required=True),
    "timestamp": int64(required=True),
    "step": int64(),
    "model_id": text(),
    "dataset_name": text(),
    "dataset_digest": text(),
}
_RUN = {"run_id": text(), "run_uuid": text()}
_LIMITS = {"metrics": 1_000, "params": 100, "tags": 100}
_MOST_ITEMS = 1_000
_MOST_RUNS = 100
_BULK_POINTS = 25_000
_INTERVAL_POINTS = 2_500
_HISTORY_PAGE = 25_000
"""Points of a page of a history, also where the client asks for more: the answer stays small, and
the client follows the token."""


def _log_metric(call: Call) -> dict[str, Any]:
    with call.client.store.transaction() as tx:
        _log_points(call, tx, call.active_run(tx), [call.fields])
    return {}


def _log_batch(call: Call) -> dict[str, Any]:
    """Write a batch in one transaction: all of it, or nothing."""
    metrics = call.get("metrics", ())
    params, given_tags = call.get("params", ()), call.get("tags", ())
    _check_sizes({"metrics": metrics, "params": params, "tags": given_tags})
    _check_once(params)
    with call.client.store.transaction() as tx:
        run = call.active_run(tx)
        log_params(tx, run, pairs("params", params))
        _log_points(call, tx, run, metrics)
        set_tags(tx, run, pairs("tags", given_tags))
    return {}


def _check_sizes(given: Mapping[str, Sequence[Any]]) -> None:
    for name, limit in _LIMITS.items():
        if len(given[name]) > limit:
            raise invalid(
                f"A batch logging request can contain at most {limit} {name}. "
                f"Got {len(given[name])} {name}. Please split up {name} across multiple requests."
            )
    total = sum(len(items) for items in given.values())
    if total > _MOST_ITEMS:
        raise invalid(
            f"A batch logging request can contain at most {_MOST_ITEMS} metrics, params and tags "
            f"in total. Got {total}."
        )


def _check_once(params: Sequence[Mapping[str, Any]]) -> None:
    keys = [item.get("key") for item in params]
    twice = {key for key in keys if keys.count(key) > 1}
    if twice:
        raise invalid(f"Duplicate parameter keys have been submitted: {sorted(map(str, twice))}")


def _log_points(call: Call, tx: Transaction, run: Run, given: Sequence[Mapping[str, Any]]) -> None:
    points = [
        MetricPoint(item["key"], item["value"], item.get("step", 0), item["timestamp"])
        for item in given
    ]
    for number, point in enumerate(points):
        if point.timestamp < 0:
            raise invalid(
                f"Invalid value {point.timestamp} for parameter 'metrics[{number}].timestamp' "
                "supplied: it is milliseconds since 1970, 0 or more."
            )
    if points:
        # The same request again has the same number, so a replay adds nothing.
        tx.metrics.log_points(run.attempt_id, points, batch=_batch_number(points))
    of_models = [item for item in given if item.get("model_id")]
    check_models(call, tx, [item["model_id"] for item in of_models], write=True)
    tx.models.log_metrics(
        [
            (
                item["model_id"],
                LoggedModelMetric(
                    item["key"],
                    item["value"],
                    item.get("step", 0),
                    item["timestamp"],
                    run.run_id,
                    item.get("dataset_name", ""),
                    item.get("dataset_digest", ""),
                ),
            )
            for item in of_models
        ]
    )


def _batch_number(points: Sequence[MetricPoint]) -> int:
    facts = [(point.key, repr(point.value), point.step, point.timestamp) for point in points]
    return int.from_bytes(hashlib.sha256(json.dumps(facts).encode()).digest()[:8], "big") >> 1


def _history(call: Call) -> dict[str, Any]:
    limit = call.get("max_results")
    if limit is not None and limit < 1:
        raise invalid(f"Invalid value {limit} for parameter 'max_results' supplied: it is above 0.")
    size = min(limit or _HISTORY_PAGE, _HISTORY_PAGE)
    start = _offset(call.get("page_token"))
    with call.client.store.transaction() as tx:
        run = call.visible_run(tx, call.run_id)
        series = tx.metrics.series(run.attempt_id, call["metric_key"])
    page = series[start : start + size].points(call["metric_key"])
    found: dict[str, Any] = {"metrics": [_point_out(point) for point in page]}
    more = len(series) > start + size
    return found | ({"next_page_token": str(start + size)} if more else {})


def _offset(token: str | None) -> int:
    if not token:
        return 0
    if not (token.isascii() and token.isdecimal() and len(token) < 16):
        raise InvalidInput(
            "page_token", token, "it is a token that this very search gave.", "Begin without one."
        )
    return int(token)


def _point_out(point: MetricPoint, **more: str) -> dict[str, Any]:
    return {
        "key": point.key,
        "value": number_out(point.value),
        "timestamp": point.timestamp,
        "step": point.step,
        **more,
    }


def _bulk(call: Call) -> dict[str, Any]:
    limit = min(max(call.get("max_results", _BULK_POINTS), 1), _BULK_POINTS)
    return _many(call, call.get("run_id", ()), limit)


def _bulk_interval(call: Call) -> dict[str, Any]:
    limit = call.get("max_results", _INTERVAL_POINTS)
    if not 1 <= limit <= _INTERVAL_POINTS:
        raise invalid(f"'max_results' must be between 1 and {_INTERVAL_POINTS}, not {limit}.")
    first, last = call.get("start_step"), call.get("end_step")
    if (first is None) != (last is None):
        raise invalid("If either start_step or end_step are specified, both must be specified.")
    if first is not None and last is not None and first > last:
        raise invalid(f"end_step must be greater than start_step. Found {first} and {last}.")
    return _many(call, call.get("run_ids", ()), limit, first, last)


def _many(
    call: Call,
    run_ids: Sequence[str],
    limit: int,
    first: int | None = None,
    last: int | None = None,
) -> dict[str, Any]:
    """Read the same metric of many runs; a history that is too long is thinned out."""
    if not 1 <= len(run_ids) <= _MOST_RUNS:
        raise invalid(f"GetMetricHistoryBulk request must specify 1 to {_MOST_RUNS} run ids.")
    found = []
    with call.client.store.transaction() as tx:
        for run_id in run_ids:
            run = call.visible_run(tx, run_id)
            points = tx.metrics.history(
                run.attempt_id,
                call["metric_key"],
                max_points=max(limit // len(run_ids), 1),
                min_step=first,
                max_step=last,
            )
            found += [_point_out(point, run_id=run_id) for point in points]
    return {"metrics": found}


ROUTES = (
    post("/mlflow/runs/log-metric", _log_metric, {**_RUN, **_METRIC}),
    post(
        "/mlflow/runs/log-batch",
        _log_batch,
        {
            **_RUN,
            "metrics": message(_METRIC, repeated=True),
            "params": tags(),
            "tags": tags(),
        },
    ),
    get(
        "/mlflow/metrics/get-history",
        _history,
        {**_RUN, "metric_key": text(required=True), "max_results": int64(), "page_token": text()},
    ),
    get(
        "/mlflow/metrics/get-history-bulk",
        _bulk,
        {"run_id": text(repeated=True), "metric_key": text(required=True), "max_results": int64()},
    ),
    get(
        "/mlflow/metrics/get-history-bulk-interval",
        _bulk_interval,
        {
            "run_ids": text(repeated=True),
            "metric_key": text(required=True),
            "start_step": int64(),
            "end_step": int64(),
            "max_results": int64(),
        },
    ),
)
