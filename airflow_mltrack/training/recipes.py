"""A recipe names a preprocessing, a resampler and a classifier; this module builds it.

The resampler stands inside an imbalanced-learn pipeline: it changes the rows that are fitted and
never those that are scored.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

from airflow_mltrack.exceptions import InvalidInput
from airflow_mltrack.settings import DEFAULT_TRUSTED_MODULES
from airflow_mltrack.training.close_names import check_known_keys, did_you_mean
from airflow_mltrack.training.preprocessing import build_preprocessor
from airflow_mltrack.training.trusted_imports import import_class

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

NO_RESAMPLER = "none"
PREPROCESS, RESAMPLE, CLASSIFY = "preprocess", "resample", "classify"
"""Names of the pipeline's steps."""

CLASSIFIERS: dict[str, tuple[str, dict[str, object]]] = {
    "logistic_regression": ("sklearn.linear_model.LogisticRegression", {"max_iter": 1000}),
    "random_forest": ("sklearn.ensemble.RandomForestClassifier", {"min_samples_leaf": 5}),
    "extra_trees": ("sklearn.ensemble.ExtraTreesClassifier", {"min_samples_leaf": 5}),
    "hist_gradient_boosting": ("sklearn.ensemble.HistGradientBoostingClassifier", {}),
    "lightgbm": ("lightgbm.LGBMClassifier", {"verbose": -1}),
    "gradient_boosting": ("sklearn.ensemble.GradientBoostingClassifier", {}),
    "ada_boost": ("sklearn.ensemble.AdaBoostClassifier", {}),
    "decision_tree": ("sklearn.tree.DecisionTreeClassifier", {"min_samples_leaf": 5}),
    "naive_bayes": ("sklearn.naive_bayes.GaussianNB", {}),
    "nearest_neighbors": ("sklearn.neighbors.KNeighborsClassifier", {}),
    "neural_network": ("sklearn.neural_network.MLPClassifier", {"early_stopping": True}),
    "balanced_random_forest": ("imblearn.ensemble.BalancedRandomForestClassifier", {}),
    "easy_ensemble": ("imblearn.ensemble.EasyEnsembleClassifier", {}),
    "rus_boost": ("imblearn.ensemble.RUSBoostClassifier", {}),
}
"""Short name to dotted path and the params it starts from."""

RESAMPLERS: dict[str, str] = {
    "random_over": "imblearn.over_sampling.RandomOverSampler",
    "smote": "imblearn.over_sampling.SMOTE",
    "borderline_smote": "imblearn.over_sampling.BorderlineSMOTE",
    "svm_smote": "imblearn.over_sampling.SVMSMOTE",
    "kmeans_smote": "imblearn.over_sampling.KMeansSMOTE",
    "adasyn": "imblearn.over_sampling.ADASYN",
    "random_under": "imblearn.under_sampling.RandomUnderSampler",
    "tomek_links": "imblearn.under_sampling.TomekLinks",
    "near_miss": "imblearn.under_sampling.NearMiss",
    "cluster_centroids": "imblearn.under_sampling.ClusterCentroids",
    "edited_nearest_neighbours": "imblearn.under_sampling.EditedNearestNeighbours",
    "neighbourhood_cleaning": "imblearn.under_sampling.NeighbourhoodCleaningRule",
    "one_sided_selection": "imblearn.under_sampling.OneSidedSelection",
    "instance_hardness": "imblearn.under_sampling.InstanceHardnessThreshold",
    "smote_tomek": "imblearn.combine.SMOTETomek",
    "smote_enn": "imblearn.combine.SMOTEENN",
}
"""Short name to dotted path."""

# Distances mean something only on comparable scales; these ignore distances and monotone changes.
_NO_DISTANCES = frozenset({NO_RESAMPLER, "random_over", "random_under"})
_SCALE_FREE = frozenset(
    [
        "random_forest",
        "extra_trees",
        "hist_gradient_boosting",
        "lightgbm",
        "gradient_boosting",
        "ada_boost",
        "decision_tree",
        "balanced_random_forest",
        "easy_ensemble",
        "rus_boost",
    ]
)

# LGBMClassifier takes any keyword and hands it to LightGBM, which has options that read and write
# files; these do not.
_LIGHTGBM_EXTRAS = frozenset(
    [
        "verbose",
        "max_bin",
        "min_data_in_bin",
        "path_smooth",
        "extra_trees",
        "scale_pos_weight",
        "is_unbalance",
        "feature_fraction",
        "feature_fraction_bynode",
        "bagging_fraction",
        "bagging_freq",
        "lambda_l1",
        "lambda_l2",
        "min_gain_to_split",
        "max_cat_threshold",
        "cat_smooth",
        "cat_l2",
        "linear_tree",
        "deterministic",
        "force_row_wise",
        "force_col_wise",
        "max_delta_step",
        "drop_rate",
        "skip_drop",
        "top_rate",
        "other_rate",
    ]
)

PREPROCESSINGS = ("auto", "scaled", "unscaled")


@dataclass(frozen=True, slots=True)
class RecipeSpec:
    """What to build. Plain data, so that it can travel as JSON."""

    classifier: str = "lightgbm"
    """A short name of :data:`CLASSIFIERS` or a dotted path."""
    classifier_params: Mapping[str, object] = field(default_factory=dict)
    resampler: str = NO_RESAMPLER
    """``none``, a short name of :data:`RESAMPLERS` or a dotted path."""
    resampler_params: Mapping[str, object] = field(default_factory=dict)
    preprocessing: str = "auto"
    """``scaled``, ``unscaled``, or ``auto``: scaled where a step measures distances."""
    options: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    """Params by short name, for a sweep over names: used when that one is chosen."""

    def __post_init__(self) -> None:
        for name in ("classifier", "resampler", "preprocessing"):
            if not isinstance(getattr(self, name), str):
                raise InvalidInput(f"recipe {name}", getattr(self, name), "it is text.")
        for name in ("classifier_params", "resampler_params", "options"):
            if not isinstance(getattr(self, name), Mapping):
                raise InvalidInput(f"recipe {name}", getattr(self, name), "it is a mapping.")
        for name, params in self.options.items():
            if not isinstance(params, Mapping):
                raise InvalidInput(f"recipe options for {name}", params, "it is a mapping.")
        if self.preprocessing not in PREPROCESSINGS:
            raise InvalidInput(
                "recipe preprocessing", self.preprocessing, f"it is one of {PREPROCESSINGS}."
            )

    def to_json(self) -> dict[str, object]:
        """Give plain data that :meth:`from_json` reads back."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, object]) -> RecipeSpec:
        """Read the recipe from plain data.

        :raises InvalidInput: when a key is unknown or a value has the wrong type.
        """
        check_known_keys("recipe", data, [spec.name for spec in fields(cls)])
        return cls(**data)  # type: ignore[arg-type]  # __post_init__ checks the values


def with_params(recipe: RecipeSpec, params: Mapping[str, object]) -> RecipeSpec:
    """Apply the values of one trial.

    :param params: ``classifier``, ``resampler``, ``preprocessing``, ``classifier.NAME``,
        ``resampler.NAME``, or ``SHORT_NAME.NAME`` which counts only where that one is chosen.
    :raises InvalidInput: when a key reads otherwise.
    """
    changed: dict[str, Any] = {}
    options = {name: dict(values) for name, values in recipe.options.items()}
    nested = {
        "classifier": dict(recipe.classifier_params),
        "resampler": dict(recipe.resampler_params),
    }
    for key, value in params.items():
        owner, _, name = key.rpartition(".")
        if key in ("classifier", "resampler", "preprocessing"):
            changed[key] = value
        elif owner in nested and name:
            nested[owner][name] = value
        elif owner in CLASSIFIERS or owner in RESAMPLERS:
            options.setdefault(owner, {})[name] = value
        else:
            raise _unknown_param(key)
    return replace(
        recipe,
        classifier_params=nested["classifier"],
        resampler_params=nested["resampler"],
        options=options,
        **changed,
    )


def _unknown_param(key: str) -> InvalidInput:
    owners = ["classifier", "resampler", "preprocessing", *CLASSIFIERS, *RESAMPLERS]
    return InvalidInput(
        "trial param",
        key,
        "it reads classifier, resampler, preprocessing, classifier.NAME, resampler.NAME, "
        "or the short name of one of them, a dot and NAME.",
        did_you_mean(key.partition(".")[0], owners),
    )


def build_pipeline(
    recipe: RecipeSpec,
    features: pd.DataFrame,
    *,
    trusted_modules: Sequence[str] = DEFAULT_TRUSTED_MODULES,
    seed: int = 42,
    categorical: Sequence[str] = (),
) -> Any:
    """Build the recipe for these columns, not fitted yet.

    Steps are named ``preprocess``, ``resample`` (unless it is ``none``) and ``classify``. Every
    step that takes it gets ``random_state=seed``, and each works with one thread, unless the recipe
    says otherwise: trials run side by side already.

    :param features: the columns that will be fitted; only names and types are looked at.
    :param trusted_modules: top-level modules that a dotted path may name.
    :param categorical: numeric columns that hold codes.
    :raises UntrustedImport: when a dotted path leaves the trusted modules.
    :raises InvalidInput: when a name or param does not exist.
    """
    from imblearn.pipeline import Pipeline

    classifier = _build_classifier(recipe, trusted_modules, seed)
    preprocessor = build_preprocessor(features, scale=_scaled(recipe), categorical=categorical)
    steps: list[tuple[str, Any]] = [(PREPROCESS, preprocessor)]
    if recipe.resampler != NO_RESAMPLER:
        steps.append((RESAMPLE, _build_resampler(recipe, trusted_modules, seed)))
    return Pipeline([*steps, (CLASSIFY, classifier)])


def check_enough_minority_rows(pipeline: Any, target: NDArray[np.int64]) -> None:
    """Refuse a resampler that needs more neighbours than the smaller class has rows.

    :raises InvalidInput: with both numbers.
    """
    resampler = dict(pipeline.steps).get(RESAMPLE)
    if resampler is None:
        return
    needed = _minority_neighbors(resampler)
    fewest = int(min(target.sum(), target.size - target.sum()))
    if fewest <= needed:
        raise InvalidInput(
            "resampler",
            type(resampler).__name__,
            f"it looks at {needed} neighbours of a minority row, so it needs at least {needed + 1} "
            f"minority rows; the rows to fit have {fewest}.",
            "Set its k_neighbors lower, use random_over or none, or use more rows.",
        )


def _minority_neighbors(resampler: object) -> int:
    """Say how many neighbours of a minority row an over-sampler looks at; 0 for others."""
    module = type(resampler).__module__
    if module.startswith("imblearn.combine."):
        return _minority_neighbors(getattr(resampler, "smote", None) or _default_smote())
    if not module.startswith("imblearn.over_sampling."):
        return 0
    counts = [getattr(resampler, name, None) for name in ("k_neighbors", "n_neighbors")]
    return max((count for count in counts if isinstance(count, int)), default=0)


def _default_smote() -> object:
    from imblearn.over_sampling import SMOTE

    return SMOTE()


def _build_classifier(recipe: RecipeSpec, trusted: Sequence[str], seed: int) -> object:
    path, defaults = CLASSIFIERS.get(recipe.classifier, (recipe.classifier, {}))
    _check_short_name("classifier", path, CLASSIFIERS)
    cls = import_class(path, trusted, ("fit", "predict_proba"))
    params = {
        **defaults,
        **recipe.options.get(recipe.classifier, {}),
        **recipe.classifier_params,
    }
    return _instantiate(recipe.classifier, cls, params, seed)


def _build_resampler(recipe: RecipeSpec, trusted: Sequence[str], seed: int) -> object:
    path = RESAMPLERS.get(recipe.resampler, recipe.resampler)
    _check_short_name("resampler", path, [NO_RESAMPLER, *RESAMPLERS])
    cls = import_class(path, trusted, ("fit_resample",))
    params = {**recipe.options.get(recipe.resampler, {}), **recipe.resampler_params}
    return _instantiate(recipe.resampler, cls, params, seed)


def _check_short_name(role: str, path: str, known: Sequence[str] | Mapping[str, object]) -> None:
    if "." not in path:
        raise InvalidInput(
            role,
            path,
            f"short names are {', '.join(known)}; anything else is a dotted path.",
            did_you_mean(path, known),
        )


def _instantiate(name: str, cls: type, params: Mapping[str, object], seed: int) -> object:
    """Create the estimator; unknown params are refused before the class sees them."""
    accepted = [
        parameter.name
        for parameter in inspect.signature(cls).parameters.values()
        if parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
    ]
    extras = _LIGHTGBM_EXTRAS if cls.__module__.startswith("lightgbm.") else frozenset()
    for key in params:
        if key not in accepted and key not in extras:
            raise InvalidInput(
                f"param of {name}",
                key,
                f"{cls.__name__} takes {', '.join(accepted)}.",
                did_you_mean(key, [*accepted, *extras]),
            )
        _check_reach(f"param {key} of {name}", key, params[key], to_lightgbm=bool(extras))
    defaults: dict[str, object] = {"random_state": seed} if "random_state" in accepted else {}
    if extras:  # one thread, as sklearn's default; same rows, seed and version give the same trees
        defaults |= {"n_jobs": 1, "deterministic": True, "force_row_wise": True}
    try:
        return cls(**{**defaults, **{key: _by_class(value) for key, value in params.items()}})
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"params of {name}", dict(params), f"{error}.") from error


def _check_reach(what: str, key: str, value: object, *, to_lightgbm: bool) -> None:
    """Refuse values that reach further than the param they are given for."""
    if key == "memory" and isinstance(value, str):
        raise InvalidInput(
            what, value, "joblib would write to this directory and unpickle what it finds there."
        )
    if not to_lightgbm:
        return
    # LightGBM gets its params as one line of NAME=VALUE with blanks between: a blank inside a text
    # would begin another param.
    for item in value if isinstance(value, (list, tuple)) else (value,):
        if isinstance(item, (list, tuple)):
            _check_reach(what, key, item, to_lightgbm=True)
        elif isinstance(item, str) and ("=" in item or any(mark.isspace() for mark in item)):
            raise InvalidInput(what, item, "it is one word, without blanks and equals signs.")


def _by_class(value: object) -> object:
    """Give ``{"0": 1, "1": 5}`` its classes back: JSON has texts for keys only."""
    if isinstance(value, Mapping) and value and set(value) <= {"0", "1"}:
        return {int(key): item for key, item in value.items()}
    return value


def _scaled(recipe: RecipeSpec) -> bool:
    if recipe.preprocessing != "auto":
        return recipe.preprocessing == "scaled"
    return recipe.resampler not in _NO_DISTANCES or recipe.classifier not in _SCALE_FREE


def described_params(recipe: RecipeSpec) -> dict[str, object]:
    """Flatten a recipe into run params: names, and every param that it sets itself."""
    found: dict[str, object] = {
        "classifier": recipe.classifier,
        "resampler": recipe.resampler,
        "preprocessing": recipe.preprocessing,
    }
    for role, name, params in (
        ("classifier", recipe.classifier, recipe.classifier_params),
        ("resampler", recipe.resampler, recipe.resampler_params),
    ):
        for key, value in {**recipe.options.get(name, {}), **params}.items():
            found[f"{role}.{key}"] = value
    return found
