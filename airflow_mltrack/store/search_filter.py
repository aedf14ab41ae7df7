"""Filter and order strings of run search, read into trees.

The grammar is MLflow's, widened by OR, NOT, parentheses, IN, NOT LIKE, IS NULL on everything,
doubled quotes inside quotes, times in ISO form, and numbers compared with params and tags::

    filter     = [ either [ AND ] ]
    either     = both { OR both }
    both       = one { AND one }
    one        = NOT one | "(" either ")" | comparison
    comparison = field ( sign value | [ NOT ] like text | [ NOT ] IN list | IS [ NOT ] NULL )
    field      = [ entity "." ] key         the key bare, in backticks or in double quotes
    like       = LIKE | ILIKE
    order      = field [ ASC | DESC ]
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from enum import Enum
from math import isnan
from typing import TypeAlias

from airflow_mltrack.exceptions import InvalidFilter
from airflow_mltrack.store.search_tokens import Token, tokenize

DEPTH_LIMIT = 50
"""Most parentheses and NOTs inside each other."""
COMPARISON_LIMIT = 500
"""Most comparisons of a filter."""
LIST_LIMIT = 10_000
"""Most values of a list."""


class Kind(str, Enum):
    """What kind of values a field has."""

    TEXT = "text"
    NUMBER = "number"
    TIME = "time"


class Entity(str, Enum):
    """What a field belongs to."""

    METRIC = "metric"
    PARAM = "param"
    TAG = "tag"
    ATTRIBUTE = "attribute"
    DATASET = "dataset"


ENTITIES = {
    "metric": Entity.METRIC,
    "metrics": Entity.METRIC,
    "param": Entity.PARAM,
    "params": Entity.PARAM,
    "parameter": Entity.PARAM,
    "parameters": Entity.PARAM,
    "tag": Entity.TAG,
    "tags": Entity.TAG,
    "attribute": Entity.ATTRIBUTE,
    "attributes": Entity.ATTRIBUTE,
    "attr": Entity.ATTRIBUTE,
    "run": Entity.ATTRIBUTE,
    "dataset": Entity.DATASET,
    "datasets": Entity.DATASET,
}
ATTRIBUTES = {
    "run_id": Kind.TEXT,
    "run_name": Kind.TEXT,
    "status": Kind.TEXT,
    "user_id": Kind.TEXT,
    "artifact_uri": Kind.TEXT,
    "start_time": Kind.TIME,
    "end_time": Kind.TIME,
    "duration": Kind.NUMBER,
    "parent_run_id": Kind.TEXT,
    "dag_id": Kind.TEXT,
    "dag_run_id": Kind.TEXT,
    "task_id": Kind.TEXT,
    "map_index": Kind.NUMBER,
    "attempt": Kind.NUMBER,
}
"""Attributes of a run that can be searched; ``duration`` is in milliseconds."""
DATASET_KEYS = ("name", "digest", "context")


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What a filter over one kind of record may name."""

    record: str
    """What is searched, for example ``run``."""
    attributes: Mapping[str, Kind]
    """An attribute that several kinds of record have is of one kind in all of them."""
    aliases: Mapping[str, str]
    """Other spellings of attributes, in lower case."""
    entities: Mapping[str, Entity]
    """Prefix before the dot, in lower case, to what it means."""
    example: str
    """Fields to name where something else was found."""

    def kind(self, field: Field) -> Kind:
        """Say what the values of a field are."""
        if field.entity is Entity.ATTRIBUTE:
            return self.attributes[field.key]
        return Kind.NUMBER if field.entity is Entity.METRIC else Kind.TEXT


_ORDERING = ("<", "<=", ">", ">=")
_SIGNS = ("=", "!=", *_ORDERING)
_KEYWORDS = ("AND", "OR", "NOT", "IN", "IS", "NULL", "LIKE", "ILIKE")


@dataclass(frozen=True, slots=True)
class Field:
    """Something of a run that can be compared or ordered by."""

    entity: Entity
    key: str

    @property
    def kind(self) -> Kind:
        """What its values are, for a field of a run."""
        return RUNS.kind(self)


Value: TypeAlias = "str | float | datetime | tuple[str, ...] | None"


@dataclass(frozen=True, slots=True)
class Comparison:
    """A field compared with a value.

    ``operator`` is one of ``= != < <= > >= LIKE ILIKE IN IS NULL`` or, with NOT, ``NOT LIKE``,
    ``NOT ILIKE``, ``NOT IN``, ``IS NOT NULL``.
    """

    field: Field
    operator: str
    value: Value = None


@dataclass(frozen=True, slots=True)
class And:
    """All of them; none of none is true."""

    parts: tuple[Node, ...] = ()


@dataclass(frozen=True, slots=True)
class Or:
    """At least one of them."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite: what has no such key, no end or NaN matches."""

    part: Node


Node: TypeAlias = "Comparison | And | Or | Not"


@dataclass(frozen=True, slots=True)
class OrderTerm:
    """One field to order by."""

    field: Field
    descending: bool = False


RUNS = Vocabulary(
    record="run",
    attributes=ATTRIBUTES,
    aliases={
        "run name": "run_name",
        "name": "run_name",
        "user": "user_id",
        "created": "start_time",
    },
    entities=ENTITIES,
    example="metrics.auc, params.depth, tags.team or status",
)
"""What run search knows."""


def parse(text: str, vocabulary: Vocabulary = RUNS) -> Node:
    """Read a filter; the empty one matches everything.

    :param vocabulary: what it may name.
    :raises InvalidFilter: says at which character it went wrong and what was expected there.
    """
    return _Parser(text, vocabulary).filter()


def parse_order(text: str, vocabulary: Vocabulary = RUNS) -> OrderTerm:
    """Read one ``order_by`` entry.

    :param vocabulary: what it may name.

    :raises InvalidFilter: says at which character it went wrong and what was expected there.
    """
    return _Parser(text, vocabulary).order()


class _Parser:
    """Recursive descent over the tokens of one text."""

    def __init__(self, text: str, vocabulary: Vocabulary) -> None:
        self._text = text
        self._known_names = vocabulary
        self._tokens = tokenize(text)
        self._next = 0
        self._depth = 0
        self._comparisons = 0

    def filter(self) -> Node:
        if self._peek().kind == "end":
            return And()
        node = self._either()
        if self._peek().kind != "end":
            raise self._error("AND, OR or the end")
        return node

    def order(self) -> OrderTerm:
        field = self._field()
        if field.entity is Entity.DATASET:
            self._next = 0
            raise self._error("a metric, param, tag or attribute: runs have many data sets")
        descending = self._peek().is_word("DESC")
        if descending or self._peek().is_word("ASC"):
            self._take()
        if self._peek().kind != "end":
            raise self._error("ASC, DESC or the end")
        return OrderTerm(field, descending)

    def _either(self) -> Node:
        parts = [self._both()]
        while self._peek().is_word("OR"):
            self._take()
            parts.append(self._both())
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def _both(self) -> Node:
        parts = [self._one()]
        while self._peek().is_word("AND"):
            self._take()
            if self._peek().kind == "end" and not self._depth:
                break  # MLflow lets a filter end in AND
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def _one(self) -> Node:
        if not (self._peek().is_word("NOT") or self._peek().is_sign("(")):
            return self._comparison()
        if self._depth >= DEPTH_LIMIT:
            raise self._error(f"at most {DEPTH_LIMIT} parentheses and NOTs inside each other")
        self._depth += 1
        node = self._inner(self._take())
        self._depth -= 1
        return node

    def _inner(self, opening: Token) -> Node:
        if opening.kind == "word":
            return Not(self._one())
        node = self._either()
        if not self._peek().is_sign(")"):
            raise self._error("AND, OR or )")
        self._take()
        return node

    def _comparison(self) -> Node:
        self._comparisons += 1
        if self._comparisons > COMPARISON_LIMIT:
            raise self._error(f"at most {COMPARISON_LIMIT} comparisons")
        field = self._field()
        sign = self._peek()
        if sign.is_sign(*_SIGNS):
            self._take()
            return Comparison(field, sign.text, self._value(field, sign.text))
        if sign.is_word("IS"):
            return Comparison(field, self._null())
        return self._match(field)

    def _null(self) -> str:
        self._take()
        negated = self._negated()
        if not self._peek().is_word("NULL"):
            raise self._error("NULL" if negated else "NULL or NOT NULL")
        self._take()
        return "IS NOT NULL" if negated else "IS NULL"

    def _match(self, field: Field) -> Node:
        expected = ", ".join(_SIGNS) + ", IS NULL"
        if self._known_names.kind(field) is not Kind.TEXT:
            raise self._error(f"one of {expected}")
        negated = self._negated()
        if not self._peek().is_word("LIKE", "ILIKE", "IN"):
            raise self._error("LIKE, ILIKE or IN" if negated else f"one of {expected}, LIKE, IN")
        operator = self._take().text.upper()
        value = self._list() if operator == "IN" else self._quoted("quoted text")
        return Comparison(field, f"NOT {operator}" if negated else operator, value)

    def _negated(self) -> bool:
        if not self._peek().is_word("NOT"):
            return False
        self._take()
        return True

    def _field(self) -> Field:
        token = self._peek()
        if token.kind in ("double", "backtick"):
            return self._known(Entity.ATTRIBUTE, self._take().text, token.position)
        if token.kind != "word" or token.text.upper() in _KEYWORDS:
            raise self._error(f"a field such as {self._known_names.example}")
        self._take()
        prefix, dot, key = token.text.partition(".")
        if not dot:
            return self._known(Entity.ATTRIBUTE, token.text, token.position)
        entity = self._known_names.entities.get(prefix.lower())
        if entity is None:
            known: dict[Entity, str] = {}
            for name, meant in self._known_names.entities.items():
                if name.endswith("s"):
                    known.setdefault(meant, name)
            *first, last = known.values()
            raise self._error(f"{', '.join(first)} or {last}", token.position)
        position = token.position + len(prefix) + 1
        return self._known(entity, key or self._quoted_key(token), position)

    def _quoted_key(self, before: Token) -> str:
        token = self._peek()
        if token.kind not in ("double", "backtick") or token.position != before.end:
            raise self._error("a key, bare or in backticks or double quotes", before.end)
        return self._take().text

    def _known(self, entity: Entity, key: str, position: int) -> Field:
        if entity is Entity.ATTRIBUTE:
            lowered = key.lower()
            key = self._known_names.aliases.get(lowered, lowered)
            if key not in self._known_names.attributes:
                known = ", ".join(self._known_names.attributes)
                others = [f"{name}." for name in ("metrics", "params", "tags")]
                others = [name for name in others if name[:-1] in self._known_names.entities]
                raise self._error(f"an attribute ({known}) or {', '.join(others)}", position)
        if entity is Entity.DATASET and key not in DATASET_KEYS:
            raise self._error(f"one of {', '.join(DATASET_KEYS)}", position)
        if not key:
            raise self._error("a key", position)
        return Field(entity, key)

    def _value(self, field: Field, sign: str) -> str | float | datetime:
        kind = self._known_names.kind(field)
        if kind is Kind.NUMBER:
            return self._number("a number")
        if kind is Kind.TIME:
            return self._time()
        if field.entity in (Entity.PARAM, Entity.TAG) and self._peek().kind == "number":
            return self._number("a number")
        if sign in _ORDERING:
            return self._numeric_text(field)
        return self._quoted("quoted text")

    def _number(self, expected: str) -> float:
        if self._peek().kind != "number":
            raise self._error(expected)
        return float(self._take().text)

    def _numeric_text(self, field: Field) -> float:
        """Read a number in quotes: ``params.depth > '3'`` compares numbers, not text."""
        if field.entity not in (Entity.PARAM, Entity.TAG):
            raise self._error(
                "=, !=, LIKE, ILIKE or IN: text has no order here", self._last.position
            )
        token = self._peek()
        try:
            number = float(self._quoted("a number"))
        except ValueError:
            raise self._error("a number", token.position) from None
        if isnan(number):
            raise self._error("a number that is not NaN", token.position)
        return number

    def _time(self) -> float | datetime:
        expected = "milliseconds since 1970 or a quoted time such as '2026-01-31T12:00:00Z'"
        token = self._peek()
        if token.kind == "number":
            return self._number(expected)
        text = self._quoted(expected)
        try:
            # Python 3.10 does not read the Z.
            moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
            aware = moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
            return aware.astimezone(timezone.utc)
        except (ValueError, OverflowError):
            raise self._error(expected, token.position) from None

    def _list(self) -> tuple[str, ...]:
        if not self._peek().is_sign("("):
            raise self._error("( and quoted values")
        values: list[str] = []
        while not values or self._peek().is_sign(","):
            self._take()
            if values and self._peek().is_sign(")"):
                break  # a comma after the last value, as in Python
            if len(values) >= LIST_LIMIT:
                raise self._error(f"at most {LIST_LIMIT:,} values")
            values.append(self._quoted("quoted text"))
        if not self._peek().is_sign(")"):
            raise self._error(", or )")
        self._take()
        return tuple(values)

    def _quoted(self, expected: str) -> str:
        if self._peek().kind not in ("single", "double"):
            raise self._error(expected)
        return self._take().text

    @property
    def _last(self) -> Token:
        return self._tokens[self._next - 1]

    def _peek(self) -> Token:
        return self._tokens[self._next]

    def _take(self) -> Token:
        self._next += 1
        return self._last

    def _error(self, expected: str, position: int | None = None) -> InvalidFilter:
        where = self._peek().position if position is None else position
        return InvalidFilter(self._text, where, expected)
