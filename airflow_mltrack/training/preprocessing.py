"""Turn a mixed table with gaps into numbers, with nothing but sklearn's own transformers.

Only trusted, well-known types end up in a model package this way.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_mltrack.exceptions import InvalidInput
from airflow_mltrack.training.close_names import did_you_mean
from airflow_mltrack.training.columns import is_categorical

if TYPE_CHECKING:
    import pandas as pd

NUMERIC, CATEGORICAL = "numeric", "categorical"
_MOST_CATEGORIES = 25  # rarer ones share one column, so that a text column cannot explode the table
_RAREST_SHARE = 0.002


def build_preprocessor(
    features: pd.DataFrame, *, scale: bool = True, categorical: Sequence[str] = ()
) -> Any:
    """Build a transformer for these columns, not fitted yet.

    Numbers: the median fills gaps and a column says where they were; then, if asked, standard
    scaling. Labels: one column per category, a gap being a category of its own; rare categories
    share one column and unknown ones at prediction time count as rare.

    :param features: columns decide by their type which way they go.
    :param scale: scale numbers, for models and resamplers that measure distances.
    :param categorical: numeric columns that hold codes.
    :return: an sklearn ``ColumnTransformer``.
    :raises InvalidInput: when a name in ``categorical`` is no column.
    """
    from sklearn.compose import ColumnTransformer

    labels = categorical_columns(features, categorical)
    numbers = [str(name) for name in features.columns if name not in labels]
    parts = []
    if numbers:
        gaps = bool(features[numbers].isna().to_numpy().any())
        parts.append((NUMERIC, _number_steps(scale=scale, gaps=gaps), numbers))
    if labels:
        parts.append((CATEGORICAL, _label_step(), labels))
    return ColumnTransformer(parts, remainder="drop", sparse_threshold=0.0)


def categorical_columns(features: pd.DataFrame, named: Sequence[str] = ()) -> list[str]:
    """List the columns that hold labels: text, categories, booleans and the ones named.

    :raises InvalidInput: when a named column does not exist.
    """
    columns = [str(name) for name in features.columns]
    for name in named:
        if name not in columns:
            raise InvalidInput(
                "categorical column", name, "no feature has this name.", did_you_mean(name, columns)
            )
    return [name for name in columns if name in named or is_categorical(features[name])]


def feature_names(preprocessor: Any) -> list[str]:
    """Name the columns that a fitted preprocessor makes, without the step's prefix."""
    full = [str(name) for name in preprocessor.get_feature_names_out()]
    short = [name.partition("__")[2] for name in full]
    return short if len(set(short)) == len(short) else full


def _number_steps(*, scale: bool, gaps: bool) -> Any:
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import StandardScaler

    # keep_empty_features: a column may be empty in the rows of one fold only.
    steps: list[tuple[str, Any]] = [
        ("impute", SimpleImputer(strategy="median", add_indicator=gaps, keep_empty_features=True))
    ]
    if scale:
        steps.append(("scale", StandardScaler()))
    return Pipeline(steps)


def _label_step() -> Any:
    from sklearn.preprocessing import OneHotEncoder

    return OneHotEncoder(
        handle_unknown="infrequent_if_exist",
        max_categories=_MOST_CATEGORIES,
        min_frequency=_RAREST_SHARE,
        sparse_output=False,
    )
