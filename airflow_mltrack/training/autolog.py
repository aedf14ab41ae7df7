"""Record what ``fit`` does, by itself: params, scores on the training rows, curves, the model.

.. code-block:: python

    with client.start_run("by hand") as run, autolog(run):
        LGBMClassifier(n_estimators=200).fit(X, y, eval_set=[(X_late, y_late)])

Only fits of the code inside the block are recorded. While a block is open anywhere in the process,
the ``fit`` of every estimator class is wrapped; other threads pass through the wrapper untouched,
and the last block to end takes the wrappers away.
"""

from __future__ import annotations

import functools
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Protocol

from airflow_mltrack.exceptions import MltrackError

logger = logging.getLogger(__name__)

_LONGEST_VALUE = 500
_CURVES = {  # attributes of fitted estimators that hold one value per iteration
    "train_score_": "training_score",
    "validation_score_": "validation_score",
    "loss_curve_": "training_loss",
    "validation_scores_": "validation_score",
    "oob_improvement_": "oob_improvement",
    "estimator_errors_": "estimator_error",
}


class AutologRun(Protocol):
    """What autolog needs of a run; ``tracking.ActiveRun`` has it."""

    def log_params(self, params: Mapping[str, object]) -> None:
        """Record params."""
        ...

    def log_metric(self, key: str, value: float, step: int = 0) -> None:
        """Record one value."""
        ...

    def log_metrics(self, metrics: Mapping[str, float], step: int = 0) -> None:
        """Record several values."""
        ...

    def set_tag(self, key: str, value: str) -> None:
        """Set a tag."""
        ...


@dataclass(slots=True)
class _Session:
    """One open block."""

    run: Any
    log_models: bool
    fits: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def next_prefix(self) -> str:
        """Params are written once: fits after the first one in a run get a prefix."""
        with self.lock:
            self.fits += 1
            return "" if self.fits == 1 else f"fit_{self.fits}."


@dataclass(frozen=True, slots=True)
class _Scope:
    """Where in the block's calls the code is."""

    session: _Session
    prefix: str | None = None
    """None: no fit is running; else the prefix of the fit that is."""
    through_pipeline: bool = False
    """Whether the running fit is a pipeline's, whose last step belongs to the same record."""


_SCOPE: ContextVar[_Scope | None] = ContextVar("mltrack_autolog", default=None)


@contextmanager
def autolog(run: AutologRun, *, log_models: bool = False) -> Iterator[None]:
    """Record every outermost ``fit`` inside the block into ``run``.

    Recorded are the estimator's params, ``fit_seconds``, scores on the training rows
    (``training_auc`` and the other metrics for a 0/1 target, ``training_score`` else), one curve
    per evaluation set of LightGBM, and the curves that sklearn's iterative estimators keep. The
    second fit in a block has the prefix ``fit_2.`` and so on. A search (``GridSearchCV``) counts as
    one fit.

    :param log_models: log every fitted estimator as a model package.
    """
    token = _SCOPE.set(_Scope(_Session(run, log_models)))
    _WRAPPERS.acquire()
    try:
        yield
    finally:
        _WRAPPERS.release()
        _SCOPE.reset(token)


def lightgbm_curves(run: AutologRun, prefix: str = "") -> Callable[[Any], None]:
    """Give a LightGBM callback that logs every evaluation metric of every iteration.

    The key is ``DATASET.METRIC``, for example ``valid_0.auc``. For ``lightgbm.train`` and
    ``LGBMClassifier.fit`` where :func:`autolog` is too much.
    """

    def callback(env: Any) -> None:
        for dataset, metric, value, *_ in env.evaluation_result_list or []:
            run.log_metric(f"{prefix}{dataset}.{metric}", float(value), step=env.iteration)

    return callback


class _Wrappers:
    """Wraps ``fit`` of estimator classes while at least one block is open."""

    def __init__(self) -> None:
        self._lock, self._open = threading.Lock(), 0
        self._wrapped: dict[tuple[Any, str], Any] = {}

    def acquire(self) -> None:
        with self._lock:
            self._open += 1
            if self._open == 1:
                self._install()

    def release(self) -> None:
        with self._lock:
            self._open -= 1
            if self._open == 0:
                self._restore()

    def _install(self) -> None:
        from sklearn.base import BaseEstimator

        for cls in _subclasses(BaseEstimator):
            self._wrap_fit(cls)
        self._watch_new_classes(BaseEstimator)
        self._wrap_lightgbm_train()

    def _wrap_fit(self, cls: type) -> None:
        original = cls.__dict__.get("fit")
        if callable(original) and (cls, "fit") not in self._wrapped:
            self._replace(cls, "fit", original, _recorded_fit(original))

    def _watch_new_classes(self, base: Any) -> None:
        """Wrap classes that are imported while a block is open."""
        before = base.__dict__.get("__init_subclass__")
        inherited = base.__init_subclass__.__func__

        def init_subclass(cls: type, /, **options: Any) -> None:
            inherited(cls, **options)
            self._wrap_fit(cls)

        self._replace(base, "__init_subclass__", before, classmethod(init_subclass))

    def _wrap_lightgbm_train(self) -> None:
        """Add the curves to ``lightgbm.train``, which is no method of an estimator."""
        try:
            import lightgbm
        except ImportError:
            return
        self._replace(lightgbm, "train", lightgbm.train, _recorded_train(lightgbm.train))

    def _replace(self, owner: Any, name: str, before: Any, after: Any) -> None:
        self._wrapped[owner, name] = before
        setattr(owner, name, after)

    def _restore(self) -> None:
        for (owner, name), before in self._wrapped.items():
            if before is None:
                delattr(owner, name)
            else:
                setattr(owner, name, before)
        self._wrapped.clear()


_WRAPPERS = _Wrappers()


def _subclasses(base: type) -> set[type]:
    found: set[type] = set()
    waiting = [base]
    while waiting:
        children: list[type] = waiting.pop().__subclasses__()
        for cls in children:
            if cls not in found:
                found.add(cls)
                waiting.append(cls)
    return found


def _recorded_fit(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def fit(self: Any, *args: Any, **kwargs: Any) -> Any:
        scope = _SCOPE.get()
        if scope is None:
            return original(self, *args, **kwargs)
        if scope.prefix is not None:
            return _inner_fit(scope, original, self, args, kwargs)
        return _outer_fit(scope.session, original, self, args, kwargs)

    return fit


def _recorded_train(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def train(*args: Any, **kwargs: Any) -> Any:
        scope = _SCOPE.get()
        if scope is None or scope.prefix is not None:
            return original(*args, **kwargs)
        prefix = scope.session.next_prefix()
        params = args[0] if args else kwargs.get("params", {})
        scope.session.run.log_params(_params(params, prefix))
        with _running(_Scope(scope.session, prefix)):
            return original(*args, **_with_curves(scope.session, prefix, kwargs))

    return train


def _inner_fit(
    scope: _Scope,
    original: Callable[..., Any],
    estimator: Any,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Any:
    """Fit a part of what is being recorded; only a pipeline's LightGBM adds its curves."""
    if scope.through_pipeline and _is_lightgbm(estimator):
        kwargs = _with_curves(scope.session, scope.prefix or "", kwargs)
    with _running(_Scope(scope.session, scope.prefix, _is_pipeline(estimator))):
        return original(estimator, *args, **kwargs)


def _outer_fit(
    session: _Session,
    original: Callable[..., Any],
    estimator: Any,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Any:
    prefix = session.next_prefix()
    session.run.set_tag(f"{prefix}estimator", type(estimator).__name__)
    session.run.log_params(_params(estimator.get_params(), prefix))
    given = _with_curves(session, prefix, kwargs) if _is_lightgbm(estimator) else kwargs
    start = time.perf_counter()
    with _running(_Scope(session, prefix, _is_pipeline(estimator))):
        fitted = original(estimator, *args, **given)
        session.run.log_metric(f"{prefix}fit_seconds", time.perf_counter() - start)
        _record_fitted(session, prefix, estimator, args, kwargs)
    return fitted


@contextmanager
def _running(scope: _Scope) -> Iterator[None]:
    token = _SCOPE.set(scope)
    try:
        yield
    finally:
        _SCOPE.reset(token)


def _record_fitted(
    session: _Session, prefix: str, estimator: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    """Record what only the fitted estimator knows."""
    features: Any = args[0] if args else kwargs.get("X")
    target = args[1] if len(args) > 1 else kwargs.get("y")
    for key, values in _curves(_last_step(estimator)).items():
        for step, value in enumerate(values):
            session.run.log_metric(f"{prefix}{key}", value, step=step)
    found = getattr(estimator, "best_params_", None)
    if isinstance(found, Mapping):
        session.run.log_params(_params(found, f"{prefix}best."))
        session.run.log_metric(f"{prefix}best_cv_score", float(estimator.best_score_))
    if features is not None and target is not None:
        session.run.log_metrics(_training_metrics(prefix, estimator, features, target))
    if session.log_models:
        table = features if hasattr(features, "columns") else None
        name = "model" if not prefix else f"model_{prefix.rstrip('.')}"
        session.run.log_model(estimator, name, training_data=table)


def _training_metrics(prefix: str, estimator: Any, features: Any, target: Any) -> dict[str, float]:
    """Measure on the training rows; an estimator that cannot be scored is told and passed over."""
    import numpy as np

    from airflow_mltrack.training.evaluation import evaluate

    try:
        truth = np.asarray(target)
        if hasattr(estimator, "predict_proba") and np.isin(truth, (0, 1)).all():
            score = estimator.predict_proba(features)[:, 1]
            metrics = evaluate(truth, score, n_bootstrap=0).metrics
            return {f"{prefix}training_{name}": value for name, value in metrics.items()}
        if hasattr(estimator, "score"):
            return {f"{prefix}training_score": float(estimator.score(features, target))}
    except (ValueError, TypeError, AttributeError, NotImplementedError, MltrackError) as error:
        logger.warning("No training metrics of %s: %s", type(estimator).__name__, error)
    return {}


def _curves(estimator: Any) -> dict[str, list[float]]:
    import numpy as np

    found: dict[str, list[float]] = {}
    for attribute, key in _CURVES.items():
        values = getattr(estimator, attribute, None)
        if values is not None and np.ndim(values) == 1 and np.size(values):
            found[key] = [float(value) for value in values]
    return found


def _params(params: Mapping[str, object], prefix: str) -> dict[str, object]:
    """Keep what can be read back; objects only name their class."""
    return {f"{prefix}{key}": _readable(value) for key, value in params.items()}


def _readable(value: object) -> str:
    if isinstance(value, (str, int, float, bool, type(None))):
        return str(value)[:_LONGEST_VALUE]
    if hasattr(value, "get_params"):
        return type(value).__name__
    return repr(value)[:_LONGEST_VALUE]


def _with_curves(session: _Session, prefix: str, kwargs: dict[str, Any]) -> dict[str, Any]:
    callbacks = [*(kwargs.get("callbacks") or []), lightgbm_curves(session.run, prefix)]
    return {**kwargs, "callbacks": callbacks}


def _is_lightgbm(estimator: object) -> bool:
    return any(cls.__module__.startswith("lightgbm.") for cls in type(estimator).__mro__)


def _is_pipeline(estimator: object) -> bool:
    return isinstance(getattr(estimator, "steps", None), list)


def _last_step(estimator: Any) -> Any:
    return estimator.steps[-1][1] if _is_pipeline(estimator) else estimator
