"""Takes training-only steps out of a fitted model.

A fitted sampler (SMOTE, an under-sampler, ...) keeps the rows it was fitted on, and it does nothing
at prediction. Packaged, it would carry raw training rows, often every row of the minority class, to
wherever the model goes. Here an imblearn pipeline becomes the sklearn pipeline of its other steps,
and a sampler that an imblearn ensemble keeps is left out. A search over pipelines with samplers
becomes its best estimator. The original is never changed: what holds a sampler is copied,
everything else is shared.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from airflow_mltrack.exceptions import UnsupportedModel
from airflow_mltrack.model_package.object_graph import type_name, walk

_SEARCHES = "sklearn.model_selection._search"
# What imblearn's ensembles keep of their training and never read when they predict.
_TRAINING_RECORDS = ("samplers_", "pipelines_", "sampler_", "base_sampler_")


def is_sampler(obj: object) -> bool:
    """Whether an object changes the rows of a training set and does nothing else."""
    return (
        not isinstance(obj, type)
        and hasattr(type(obj), "fit_resample")
        and not hasattr(type(obj), "predict")
        and not hasattr(type(obj), "transform")
    )


def strip_resampling(model: object) -> tuple[Any, tuple[str, ...]]:
    """Give the model without its samplers.

    :param model: a fitted estimator.
    :return: the model itself when there is nothing to strip, otherwise a copy that shares every
        other part; and what was stripped, for example ``resample
        (imblearn.over_sampling...SMOTE)``.
    :raises UnsupportedModel: when nothing but samplers is left of a pipeline.
    """
    if is_sampler(model):
        raise UnsupportedModel(type_name(model), "it only resamples training rows.")
    if not any(_must_change(obj) for _, obj in walk(model)):
        return model, ()
    stripper = _Stripper()
    return stripper.rewrite(model), tuple(dict.fromkeys(stripper.stripped))


def _is_imblearn_pipeline(obj: object) -> bool:
    return any(
        cls.__name__ == "Pipeline" and cls.__module__ == "imblearn.pipeline"
        for cls in type(obj).__mro__
    )


def _must_change(obj: object) -> bool:
    return is_sampler(obj) or _is_imblearn_pipeline(obj)


class _Stripper:
    """Rewrites an object graph; remembers what it rewrote, so that shared parts stay shared."""

    def __init__(self) -> None:
        self.stripped: list[str] = []
        self._done: dict[int, tuple[object, object]] = {}

    def rewrite(self, obj: Any) -> Any:
        """Give ``obj`` without samplers: itself when it holds none."""
        import numpy

        if id(obj) in self._done:
            return self._done[id(obj)][1]
        if is_sampler(obj):
            self.stripped.append(type_name(obj))
            return None
        # Marked before its parts are visited, so that a cycle ends here.
        self._done[id(obj)] = (obj, obj)
        rewrite: Callable[[Any], Any] = self._instance
        if _is_imblearn_pipeline(obj):
            rewrite = self._pipeline
        elif type(obj).__module__.startswith(_SEARCHES) and "best_estimator_" in vars(obj):
            rewrite = self._search
        elif isinstance(obj, Mapping):
            rewrite = self._mapping
        elif isinstance(obj, list | tuple):
            rewrite = self._sequence
        elif isinstance(obj, numpy.ndarray):
            rewrite = self._array
        new = rewrite(obj)
        self._done[id(obj)] = (obj, new)
        return new

    def _pipeline(self, pipeline: Any) -> Any:
        from sklearn.pipeline import Pipeline

        steps = []
        for name, step in pipeline.steps:
            if is_sampler(step):
                self.stripped.append(f"{name} ({type_name(step)})")
            else:
                steps.append((name, self.rewrite(step)))
        if not steps:
            raise UnsupportedModel(type_name(pipeline), "it holds nothing but samplers.")
        # A step cache is a training matter too, and its directory belongs to this machine.
        kept = {"transform_input": getattr(pipeline, "transform_input", None)}
        return Pipeline(steps, memory=None, verbose=pipeline.verbose, **kept)

    def _search(self, search: Any) -> Any:
        """Give the best estimator, with which a search predicts; the rest of it is training."""
        self.stripped.append(f"candidates ({type_name(search)})")
        return self.rewrite(search.best_estimator_)

    def _mapping(self, mapping: Any) -> Any:
        new = {key: self.rewrite(value) for key, value in mapping.items()}
        if all(new[key] is value for key, value in mapping.items()):
            return mapping
        return type(mapping)(**new) if _wants_keywords(mapping) else type(mapping)(new)

    def _sequence(self, items: Any) -> Any:
        new = [self.rewrite(item) for item in items]
        if all(a is b for a, b in zip(new, items, strict=True)):
            return items
        return type(items)(*new) if hasattr(items, "_fields") else type(items)(new)

    def _array(self, array: Any) -> Any:
        if array.dtype != object:
            return array
        new = [self.rewrite(item) for item in array.ravel().tolist()]
        if all(a is b for a, b in zip(new, array.ravel().tolist(), strict=True)):
            return array
        copied = array.copy()
        for place, item in enumerate(new):
            copied.flat[place] = item
        return copied

    def _instance(self, obj: Any) -> Any:
        state = getattr(obj, "__dict__", None)
        if not isinstance(state, dict) or isinstance(obj, type) or callable(obj):
            return obj
        new = self._attributes(obj, state)
        if new.keys() == state.keys() and all(new[key] is value for key, value in state.items()):
            return obj
        copied = object.__new__(type(obj))
        copied.__dict__.update(new)
        return copied

    def _attributes(self, obj: object, state: dict[str, Any]) -> dict[str, Any]:
        records = _TRAINING_RECORDS if type(obj).__module__.startswith("imblearn.") else ()
        for name in records:
            if name in state:
                self.stripped.append(f"{name} ({type_name(obj)})")
        return {key: self.rewrite(value) for key, value in state.items() if key not in records}


def _wants_keywords(mapping: object) -> bool:
    return type(mapping).__name__ == "Bunch"
