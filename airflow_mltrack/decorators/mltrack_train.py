"""``@task.mltrack_train``: a training function of your own as a tracked task."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk.bases.decorator import (
    DecoratedOperator,
    TaskDecorator,
    determine_kwargs,
    task_decorator_factory,
)

from airflow_mltrack.entities.models import LoggedModel
from airflow_mltrack.hooks.kill_signal import Stoppable
from airflow_mltrack.hooks.run_link import RunLink
from airflow_mltrack.hooks.task_errors import task_errors
from airflow_mltrack.hooks.xcom import plain

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_mltrack.tracking.active_run import ActiveRun

RUN_ARGUMENT = "run"
DEFAULT_MODEL_NAME = "model"
MODEL_URI = "model_uri"


class TrackedFunctionOperator(Stoppable, DecoratedOperator):
    """Calls a function as the run of the task instance and records what it returns.

    :param experiment: experiment name (templated); None means the Dag's id.
    :param run_name: name of the run (templated); None means the task's id.
    :param run_tags: tags of the run (templated).
    :param mltrack_conn_id: Airflow connection (templated); None means the configured one.
    """

    template_fields: Sequence[str] = (
        *DecoratedOperator.template_fields,
        "experiment",
        "run_name",
        "run_tags",
        "mltrack_conn_id",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {
        **DecoratedOperator.template_fields_renderers,
        "run_tags": "json",
    }
    custom_operator_name = "@task.mltrack_train"
    operator_extra_links = (RunLink(),)
    ui_color = "#e8f1f2"

    def __init__(
        self,
        *,
        python_callable: Callable[..., Any],
        experiment: str | None = None,
        run_name: str | None = None,
        run_tags: Mapping[str, str] | None = None,
        mltrack_conn_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(python_callable=without_run(python_callable), **kwargs)
        self.experiment = experiment
        self.run_name = run_name
        self.run_tags = run_tags
        self.mltrack_conn_id = mltrack_conn_id

    def execute(self, context: Context) -> Any:
        """Call the function; Airflow calls this in the worker."""
        from airflow_mltrack.hooks.current_run import task_run
        from airflow_mltrack.hooks.mltrack import MltrackHook

        with (
            self.stoppable(),
            task_errors(),
            MltrackHook(self.mltrack_conn_id) as hook,
            task_run(
                context,
                hook,
                experiment=self.experiment,
                name=self.run_name,
                tags=self.run_tags,
            ) as run,
        ):
            return plain(record_result(run, self._call(context)))

    def _call(self, context: Context) -> object:
        known = {**context, **self.op_kwargs}
        kwargs = determine_kwargs(self.python_callable, self.op_args, known)
        return self.python_callable(*self.op_args, **kwargs)


def without_run(function: Callable[..., Any]) -> Callable[..., Any]:
    """Fill in the function's argument ``run``, which Airflow cannot know, with the current run."""
    signature = inspect.signature(function)
    if RUN_ARGUMENT not in signature.parameters:
        return function
    others = [item for name, item in signature.parameters.items() if name != RUN_ARGUMENT]

    @wraps(function)
    def with_run(*args: Any, **kwargs: Any) -> Any:
        from airflow_mltrack.hooks.current_run import current_run

        given = inspect.signature(with_run).bind(*args, **kwargs).arguments
        arguments = {**given, RUN_ARGUMENT: current_run()}
        call = inspect.BoundArguments(signature, arguments)
        return function(*call.args, **call.kwargs)

    with_run.__signature__ = signature.replace(parameters=others)  # type: ignore[attr-defined]
    return with_run


def record_result(run: ActiveRun, result: object) -> dict[str, object]:
    """Log what a training function returned.

    Numbers of a mapping become metrics, models are logged under their key, a model alone as
    ``model``; a tuple is taken part by part. What ``run.log_model()`` gave and a text ``model_uri``
    name models that are logged already. Anything else is passed on.

    :return: ``run_id``, ``metrics``, ``models`` (name to URI), ``model_uri`` (the one that was
        named so, or that of the only model) and ``value`` (what was passed on).
    :raises InvalidInput: when a ``model_uri`` is none.
    """
    metrics: dict[str, float] = {}
    models: dict[str, str] = {}
    passed_on: dict[str, object] = {}
    named: str | None = None
    for name, value in _parts(result):
        if isinstance(value, LoggedModel):
            models[name] = f"models:/{value.model_id}"
        elif name == MODEL_URI and isinstance(value, str):
            named = _checked_uri(value)
        elif is_model(value):
            models[name] = f"models:/{run.log_model(value, name).model_id}"
        elif _is_number(value):
            metrics[name] = float(value)  # type: ignore[arg-type]
        else:
            passed_on[name] = value
    if metrics:
        run.log_metrics(metrics)
    if named is not None and named not in models.values():
        models.setdefault(DEFAULT_MODEL_NAME, named)
    return {
        "run_id": run.run_id,
        "metrics": metrics,
        "models": models,
        "model_uri": named or (next(iter(models.values())) if len(models) == 1 else None),
        "value": passed_on,
    }


def is_model(value: object) -> bool:
    """Tell whether something can be logged as a model: it predicts."""
    return callable(getattr(value, "predict", None)) and not isinstance(value, type)


def mltrack_train_task(
    python_callable: Callable[..., Any] | None = None,
    multiple_outputs: bool | None = None,
    **kwargs: Any,
) -> TaskDecorator:
    """Make ``@task.mltrack_train`` of a function.

    The function's argument ``run``, where it has one, gets the
    :class:`~airflow_mltrack.tracking.active_run.ActiveRun` of the task instance; code that it calls
    finds the same run with ``current_run()``. See :func:`record_result` for what is done with what
    it returns.

    :param python_callable: the function.
    :param multiple_outputs: whether ``metrics``, ``model_uri``, ... also become XComs of their own,
        so that ``fit()["model_uri"]`` works; they do when left out.
    :param kwargs: of :class:`TrackedFunctionOperator` and of every Airflow operator.
    """
    return task_decorator_factory(
        python_callable=python_callable,
        multiple_outputs=True if multiple_outputs is None else multiple_outputs,
        decorated_operator_class=TrackedFunctionOperator,
        **kwargs,
    )


def _parts(result: object) -> list[tuple[str, object]]:
    if result is None:
        return []
    if isinstance(result, Mapping):
        return [(str(name), value) for name, value in result.items()]
    if isinstance(result, tuple):
        return [part for item in result for part in _parts(item)]
    if isinstance(result, LoggedModel):
        return [(result.name, result)]
    return [(DEFAULT_MODEL_NAME if is_model(result) else "result", result)]


def _checked_uri(uri: str) -> str:
    from airflow_mltrack.tracking.model_uri import parse_model_uri

    parse_model_uri(uri)
    return uri


def _is_number(value: object) -> bool:
    is_array = bool(getattr(value, "ndim", 0))  # arrays have __float__, too
    return hasattr(value, "__float__") and not is_array and not isinstance(value, (bool, str))
