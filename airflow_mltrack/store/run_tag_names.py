"""Tags by which MLflow's clients look for what is an attribute here: name, user, parent.

A filter on such a tag finds runs by the tag, where somebody set it, and by the attribute.
"""

from __future__ import annotations

from dataclasses import replace

from airflow_mltrack.store.search_filter import (
    And,
    Comparison,
    Entity,
    Field,
    Node,
    Not,
    Or,
    OrderTerm,
)

ATTRIBUTE_TAGS = {
    "mlflow.runName": "run_name",
    "mlflow.user": "user_id",
    "mlflow.parentRunId": "parent_run_id",
}
"""Tag to the attribute that says the same."""


def with_attributes(node: Node) -> Node:
    """Let comparisons of those tags look at the attributes, too."""
    if isinstance(node, Not):
        return Not(with_attributes(node.part))
    if not isinstance(node, Comparison):
        return replace(node, parts=tuple(map(with_attributes, node.parts)))
    attribute = _attribute(node.field)
    if attribute is None or isinstance(node.value, float):  # text attributes are no numbers
        return node
    both = (node, replace(node, field=attribute))
    return And(both) if node.operator == "IS NULL" else Or(both)


def ordered_by_attribute(term: OrderTerm) -> OrderTerm:
    """Order by the attribute instead of the tag."""
    attribute = _attribute(term.field)
    return term if attribute is None else replace(term, field=attribute)


def _attribute(field: Field) -> Field | None:
    key = ATTRIBUTE_TAGS.get(field.key) if field.entity is Entity.TAG else None
    return None if key is None else Field(Entity.ATTRIBUTE, key)
