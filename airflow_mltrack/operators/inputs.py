"""What operators are given, as it comes out of templates, Dag params and XCom."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_mltrack.exceptions import InvalidInput

if TYPE_CHECKING:
    from airflow_mltrack.lifecycle.training_spec import TrainingSpec
    from airflow_mltrack.lifecycle.transitions import Expected
    from airflow_mltrack.training.dataset import DatasetSpec
    from airflow_mltrack.training.splits import SplitSpec

_LISTS = ("drop", "categorical")


def dataset_spec(value: object) -> DatasetSpec:
    """Read a data set's description.

    Text in the place of a list is split at commas, and empty text counts as "not given", so that an
    optional Dag param can be passed on as it is.

    :param value: keys of :class:`~airflow_mltrack.training.dataset.DatasetSpec`, as a mapping or as
        JSON text.
    :raises InvalidInput: when it is no such description.
    """
    from airflow_mltrack.training.dataset import DatasetSpec

    return DatasetSpec.from_json(_dataset_fields(value))


def split_spec(value: object) -> SplitSpec | None:
    """Read a split; None and empty text stay None, an empty mapping is the default split.

    :raises InvalidInput: when it is none.
    """
    from airflow_mltrack.training.splits import SplitSpec

    return None if value in (None, "") else SplitSpec.from_json(mapping("split", value))


def training_spec(
    *,
    dataset: object,
    recipe: object,
    split: object,
    metric: str | None,
    seed: int | str | None,
    options: object,
) -> TrainingSpec:
    """Put a training together from an operator's arguments; what is None keeps its default.

    :raises InvalidInput: when a part is not valid.
    """
    from airflow_mltrack.lifecycle.training_spec import TrainingSpec

    given: dict[str, object] = {
        "dataset": _dataset_fields(dataset),
        "recipe": mapping("recipe", recipe),
        "split": mapping("split", split),
        "metric": metric,
        "seed": None if seed is None else whole_number("seed", seed),
        **mapping("options", options),
    }
    return TrainingSpec.from_json({key: value for key, value in given.items() if value is not None})


def mapping(what: str, value: object) -> dict[str, Any]:
    """Read a mapping, which may come as JSON text; None is an empty one.

    :raises InvalidInput: when it is something else.
    """
    if isinstance(value, str):
        try:
            value = json.loads(value) if value.strip() else None
        except ValueError as error:
            raise InvalidInput(what, value, "it is neither a mapping nor JSON.") from error
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise InvalidInput(what, value, "it is a mapping.")
    return dict(value)


def whole_number(what: str, value: object, hint: str = "") -> int:
    """Read a number from 0; templates give text.

    :raises InvalidInput: when it is none.
    """
    text = str(value).strip()
    if isinstance(value, bool) or not (text.isascii() and text.isdecimal()):
        raise InvalidInput(what, value, "it is a whole number, 0 or more.", hint)
    return int(text)


def decision_threshold(value: object) -> float | None:
    """Read a decision threshold; None and empty text stay None.

    :raises InvalidInput: when it is no finite number.
    """
    if value in (None, ""):
        return None
    try:
        number = float(str(value))
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise InvalidInput("threshold", value, "it is a finite number.")
    return number


def version_number(value: object) -> int:
    """Read the number of a model version.

    :raises InvalidInput: when it is none.
    """
    return whole_number(
        "model version", value, 'Take it from the task that registers: register.output["version"]'
    )


def expected_version(value: int | str | None) -> Expected:
    """Read which version must be live: None asks for nothing, ``"none"`` for nobody.

    :raises InvalidInput: when it is neither a number nor one of these.
    """
    from airflow_mltrack.lifecycle.transitions import UNSET

    if value is None:
        return UNSET
    return None if str(value).strip().lower() == "none" else version_number(value)


def flag(what: str, value: object) -> bool:
    """Read true or false; templates give text.

    :raises InvalidInput: when it is neither.
    """
    text = str(value).strip().lower()
    if text not in ("true", "false"):
        raise InvalidInput(what, value, "it is true or false.")
    return text == "true"


def choice(what: str, value: object, known: tuple[str, ...]) -> str:
    """Read one of a few words.

    :raises InvalidInput: when it is another.
    """
    if value not in known:
        raise InvalidInput(what, value, f"it is {', '.join(known[:-1])} or {known[-1]}.")
    return str(value)


def _dataset_fields(value: object) -> dict[str, Any]:
    fields = {
        key: item for key, item in mapping("data set", value).items() if item not in (None, "")
    }
    for name in _LISTS:
        if isinstance(fields.get(name), str):
            parts = [part.strip() for part in fields[name].split(",")]
            fields[name] = [part for part in parts if part]
    return fields
