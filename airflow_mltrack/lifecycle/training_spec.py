"""What a training is asked to do, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace

from airflow_mltrack.exceptions import InvalidInput
from airflow_mltrack.training.close_names import check_known_keys
from airflow_mltrack.training.dataset import DatasetSpec
from airflow_mltrack.training.evaluation import THRESHOLD_RULES, cost_matrix, direction
from airflow_mltrack.training.metrics import CostMatrix
from airflow_mltrack.training.recipes import RecipeSpec
from airflow_mltrack.training.splits import SplitSpec

_MOST_RESAMPLES = 100_000
_PARTS = {
    "dataset": DatasetSpec.from_json,
    "split": SplitSpec.from_json,
    "recipe": RecipeSpec.from_json,
    "cost_matrix": cost_matrix,
}


@dataclass(frozen=True, slots=True)
class TrainingSpec:
    """Data, split, recipe and how to judge the result."""

    dataset: DatasetSpec
    split: SplitSpec = field(default_factory=SplitSpec)
    recipe: RecipeSpec = field(default_factory=RecipeSpec)
    seed: int = 42
    """Seed of every estimator and of the bootstrap; the split has its own."""
    metric: str = "auc"
    """The metric that ranks trials."""
    cost_matrix: CostMatrix = field(default_factory=CostMatrix)
    precision: float = 0.5
    """The precision that ``recall_at_precision`` must reach."""
    threshold_rule: str = "cost"
    """How the decision threshold is chosen on validation rows: ``cost``, ``f1`` or ``youden``."""
    n_bootstrap: int = 200
    """Resamples for the confidence intervals; 0 leaves them out."""
    threads: int = 1
    """Threads that linear algebra and OpenMP may use; trials run side by side already."""

    def __post_init__(self) -> None:
        direction(self.metric)  # refuses unknown names
        if self.threshold_rule not in THRESHOLD_RULES:
            raise InvalidInput(
                "threshold_rule", self.threshold_rule, f"it is one of {', '.join(THRESHOLD_RULES)}."
            )
        for name, least, most in (
            ("seed", 0, 2**32 - 1),
            ("n_bootstrap", 0, _MOST_RESAMPLES),
            ("threads", 1, 1024),
        ):
            number = getattr(self, name)
            if (
                isinstance(number, bool)
                or not isinstance(number, int)
                or not least <= number <= most
            ):
                raise InvalidInput(name, number, f"it is a whole number from {least} to {most}.")
        share: object = self.precision  # may come from JSON
        if isinstance(share, bool) or not isinstance(share, (int, float)) or not 0 < share <= 1:
            raise InvalidInput("precision", share, "it lies above 0 and is at most 1.")

    @property
    def direction(self) -> str:
        """``maximize`` or ``minimize``."""
        return direction(self.metric)

    def to_json(self) -> dict[str, object]:
        """Give plain data that :meth:`from_json` reads back."""
        return asdict(self) | {
            "dataset": self.dataset.to_json(),
            "split": self.split.to_json(),
            "recipe": self.recipe.to_json(),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, object]) -> TrainingSpec:
        """Read the spec from plain data.

        :raises InvalidInput: when a key is unknown at any depth, ``dataset`` is missing, or a value
            is not allowed.
        """
        check_known_keys("training", data, [spec.name for spec in fields(cls)])
        if "dataset" not in data:
            raise InvalidInput("training", sorted(data), "the key dataset is missing.")
        found = dict(data)
        for name, read in _PARTS.items():
            value = found.get(name)
            if isinstance(value, Mapping):
                found[name] = read(value)
            elif name in found and not hasattr(value, "__dataclass_fields__"):
                raise InvalidInput(f"training {name}", value, "it is a mapping.")
        return cls(**found)  # type: ignore[arg-type]  # __post_init__ and the parts check the values

    def timed(self) -> TrainingSpec:
        """Make data set and split agree on the time column.

        :raises InvalidInput: when they name different ones.
        """
        names = {name for name in (self.dataset.time_column, self.split.time_column) if name}
        if len(names) > 1:
            raise InvalidInput(
                "time_column", sorted(names), "data set and split name different columns."
            )
        name = names.pop() if names else None
        return replace(
            self,
            dataset=replace(self.dataset, time_column=name),
            split=replace(self.split, time_column=name),
        )
