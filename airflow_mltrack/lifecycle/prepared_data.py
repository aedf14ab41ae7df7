"""Load and split a data set once per process, however many trials it runs."""

from __future__ import annotations

import hashlib
import json
import threading
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_mltrack.training.dataset import Dataset, DatasetSpec, load_dataset
from airflow_mltrack.training.splits import Split, make_split

if TYPE_CHECKING:
    from airflow_mltrack.lifecycle.training_spec import TrainingSpec
    from airflow_mltrack.training.table_file import Opener


@dataclass(frozen=True, slots=True)
class Prepared:
    """Data and split of a training."""

    dataset: Dataset
    split: Split


class _Cache:
    """The data sets used last; older ones are let go."""

    def __init__(self, most: int) -> None:
        self._most, self._lock = most, threading.Lock()
        self._kept: OrderedDict[str, Prepared] = OrderedDict()

    def get(self, spec: TrainingSpec, opener: Opener | None) -> Prepared:
        key = _key(spec)
        # The lock is held while loading: threads that want the same data wait for it.
        with self._lock:
            found = self._kept.pop(key, None) or _load(spec, opener)
            self._kept[key] = found
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
            return found


_CACHE = _Cache(most=2)


def prepare(spec: TrainingSpec, opener: Opener | None = None) -> Prepared:
    """Load and split the data, or return what this process has loaded already.

    A local file that changed since is loaded again; other sources are taken as unchanged for the
    life of the process. The returned arrays are shared: do not change them.

    :raises NotFound: when the data cannot be read.
    :raises DataUnavailable: when their server does not answer now.
    :raises InvalidInput: when they cannot be learned from or split.
    """
    return _CACHE.get(spec.timed(), opener)


def _load(spec: TrainingSpec, opener: Opener | None) -> Prepared:
    dataset = load_dataset(spec.dataset, opener=opener)
    return Prepared(dataset, make_split(dataset, spec.split))


def _key(spec: TrainingSpec) -> str:
    plain = [spec.dataset.to_json(), spec.split.to_json(), _file_state(spec.dataset)]
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()


def _file_state(spec: DatasetSpec) -> list[int]:
    try:
        state = Path(spec.uri.removeprefix("file://")).expanduser().stat()
    except (OSError, ValueError):
        return []
    return [state.st_mtime_ns, state.st_size]
