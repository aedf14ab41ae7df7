"""Checks that the decision trees of a loaded model stay inside their own arrays.

A type audit sees that a file holds a tree, not what is in it. scikit-learn follows the node numbers
of a tree without bounds checks, so a crafted tree can read foreign memory or end the process at the
first prediction (https://github.com/scikit-learn/scikit-learn/pull/34558; this module can go once
that check is in every scikit-learn that we support). The numbers are checked here, before anybody
predicts.
"""

from __future__ import annotations

from typing import Any

from airflow_mltrack.exceptions import UntrustedPackage
from airflow_mltrack.model_package.object_graph import type_name, walk

_LEAF = -1


def check_trees(model: object, where: str) -> None:
    """Refuse a model whose trees point outside themselves.

    :param model: what was loaded.
    :param where: package directory or URI, for the error.
    :raises UntrustedPackage: when a node points outside its tree, backwards, or to a feature that
        does not exist, or when a search tree's rows are not its data's rows.
    """
    for path, obj in walk(model):
        check = _CHECKS.get(type_name(obj))
        if not (check is None or check(obj)) or not _features_agree(obj):
            raise UntrustedPackage(
                where,
                (),
                reason=f"the tree at {path or 'its top'} points outside itself; it would crash or "
                "read foreign memory.",
            )


def _decision_tree(tree: Any) -> bool:
    state = tree.__getstate__()
    nodes, values = state["nodes"], state["values"]
    inner = nodes["left_child"] != _LEAF
    if len(nodes) != state["node_count"] or len(values) != len(nodes):
        return False
    return (
        _forward(nodes["left_child"], inner)
        and _forward(nodes["right_child"], inner)
        and _within(nodes["feature"][inner], tree.n_features)
    )


def _histogram_tree(predictor: Any) -> bool:
    nodes = predictor.nodes
    inner = nodes["is_leaf"] == 0
    categorical = inner & (nodes["is_categorical"] != 0)
    bitsets = min(len(predictor.binned_left_cat_bitsets), len(predictor.raw_left_cat_bitsets))
    return (
        _forward(nodes["left"], inner)
        and _forward(nodes["right"], inner)
        and _within(nodes["bitset_idx"][categorical], bitsets)
        and bool((nodes["feature_idx"][inner] >= 0).all())
    )


def _search_tree(tree: Any) -> bool:
    data, index, nodes, _ = tree.get_arrays()
    return (
        len(index) == len(data)
        and _within(index, len(data))
        and bool((nodes["idx_start"] <= nodes["idx_end"]).all())
        and _within(nodes["idx_start"], len(index) + 1)
        and _within(nodes["idx_end"], len(index) + 1)
    )


def _features_agree(estimator: Any) -> bool:
    """Whether an estimator's trees read only columns that the estimator checks its input for."""
    width = getattr(estimator, "__dict__", {}).get("n_features_in_")
    if width is None:
        return True
    trees = [estimator.__dict__.get("tree_")]
    # Bagging gives each tree some of the columns, through the tree's own input check.
    if "estimators_features_" not in estimator.__dict__:
        parts = estimator.__dict__.get("estimators_", ())
        trees += [getattr(part, "tree_", None) for part in _flat(parts)]
    if any(tree is not None and tree.n_features != width for tree in trees):
        return False
    predictors = estimator.__dict__.get("_predictors", ())
    limit = estimator.__dict__.get("_n_features", width)
    return limit <= width and all(
        _within(predictor.nodes["feature_idx"], limit)
        for predictor in _flat(predictors)
        if hasattr(predictor, "nodes")
    )


def _flat(parts: Any) -> list[Any]:
    """Give the items of a list, a list of lists or an array of objects."""
    items = list(parts.ravel()) if hasattr(parts, "ravel") else list(parts)
    return [deep for item in items for deep in (item if isinstance(item, list) else [item])]


def _forward(child: Any, inner: Any) -> bool:
    """Children come after their parent, which also rules out endless loops."""
    import numpy

    parents = numpy.flatnonzero(inner)
    return bool((child[inner] > parents).all() and (child[inner] < len(child)).all())


def _within(numbers: Any, limit: int) -> bool:
    return bool(((numbers >= 0) & (numbers < limit)).all())


_CHECKS = {
    "sklearn.tree._tree.Tree": _decision_tree,
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor": _histogram_tree,
    "sklearn.neighbors._kd_tree.KDTree": _search_tree,
    "sklearn.neighbors._ball_tree.BallTree": _search_tree,
}
