"""Reads YAML that somebody else wrote: plain data only, in bounded time and memory.

The events of the parser are put together here, without recursion. Aliases are copied, so that
nothing is shared or endless, and every copy counts; tags other than those of plain data, merge keys
and repeated keys are refused, because two readers may understand them differently.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

BYTES = 16 * 1024 * 1024
"""A larger text is not read."""
NODES = 200_000
"""A document with more texts, lists and mappings, copies among them, is not read."""
DEPTH = 60
"""Lists and mappings that are nested deeper are not read."""

_PLAIN = {
    event: frozenset(f"tag:yaml.org,2002:{name}" for name in names.split())
    for event, names in {
        "ScalarEvent": "bool float int null str timestamp",
        "SequenceStartEvent": "seq",
        "MappingStartEvent": "map",
    }.items()
}
"""Event to the tags that its value may have."""
_TIME = "tag:yaml.org,2002:timestamp"
_MERGE = "tag:yaml.org,2002:merge"
_TEXT = "tag:yaml.org,2002:str"
_INTEGER = 2**63
_NUMBER = 100
"""A longer number stays text: 1:1:1... would take for ever."""


def read_yaml(data: bytes) -> Any:
    """Read one document of plain data; dates and huge whole numbers stay the texts that they are.

    :param data: in UTF-8.
    :raises ValueError: when it is no such document; says why.
    """
    import yaml

    if len(data) > BYTES:
        raise ValueError(f"it is larger than {BYTES} bytes")
    text = data.decode("utf-8")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    builder = _Builder(yaml.SafeLoader(""))
    try:
        for event in yaml.parse(text, Loader=loader):
            builder.take(event)
    except yaml.YAMLError as error:
        raise ValueError(f"it is no YAML ({' '.join(str(error).split())})") from error
    if len(builder.documents) != 1:
        raise ValueError(f"it holds {len(builder.documents)} documents, not 1")
    return builder.documents[0]


@dataclass(slots=True)
class _Open:
    """A list or mapping whose end has not come yet."""

    value: list[Any] | dict[str, Any]
    anchor: str | None
    key: str | None = None
    """Of a mapping: the key whose value comes next."""


@dataclass(slots=True)
class _Builder:
    """Puts events together."""

    rules: Any
    """PyYAML's safe loader, which knows what a text without a tag means."""
    documents: list[Any] = field(default_factory=list)
    open: list[_Open] = field(default_factory=list)
    anchors: dict[str, Any] = field(default_factory=dict)
    nodes: int = 0
    copied: int = 0
    """Characters that aliases have repeated."""

    def take(self, event: Any) -> None:
        """Take the parser's next event."""
        kind = type(event).__name__
        if kind == "ScalarEvent":
            self._put(self._scalar(event), event.anchor)
        elif kind in ("SequenceStartEvent", "MappingStartEvent"):
            self._begin(event, [] if kind == "SequenceStartEvent" else {})
        elif kind in ("SequenceEndEvent", "MappingEndEvent"):
            done = self.open.pop()
            self._put(done.value, done.anchor, counted=True)
        elif kind == "AliasEvent":
            if event.anchor not in self.anchors:
                raise ValueError(
                    f"alias {event.anchor[:40]!r} stands before what it names is whole"
                )
            self._put(self._copy(self.anchors[event.anchor], len(self.open)), None, counted=True)

    def _begin(self, event: Any, value: list[Any] | dict[str, Any]) -> None:
        _check_tag(event)
        if len(self.open) >= DEPTH:
            raise ValueError(f"it is nested deeper than {DEPTH} levels")
        self._count()
        self.open.append(_Open(value, event.anchor))

    def _scalar(self, event: Any) -> Any:
        import yaml

        _check_tag(event)
        tag = event.tag or self.rules.resolve(yaml.ScalarNode, event.value, event.implicit)
        if tag == _MERGE:
            raise ValueError("it merges mappings (<<)")
        is_text = tag not in _PLAIN["ScalarEvent"] or tag in (_TIME, _TEXT)
        if is_text or len(event.value) > _NUMBER:
            return event.value
        try:
            found = self.rules.yaml_constructors[tag](self.rules, yaml.ScalarNode(tag, event.value))
        except (ValueError, KeyError, IndexError) as error:
            raise ValueError(f"{event.value[:40]!r} is not what its tag says") from error
        is_large = isinstance(found, int) and not -_INTEGER <= found < _INTEGER
        return event.value if is_large else found

    def _put(self, value: Any, anchor: str | None, *, counted: bool = False) -> None:
        """Put a value where it belongs: into the list or mapping that is open."""
        if not counted:
            self._count()
        if anchor:
            self.anchors[anchor] = value
        if not self.open:
            self.documents.append(value)
            return
        holder = self.open[-1]
        if isinstance(holder.value, list):
            holder.value.append(value)
        elif holder.key is None:
            holder.key = _key(value, holder.value)
        else:
            holder.value[holder.key] = value
            holder.key = None

    def _copy(self, value: Any, depth: int) -> Any:
        """Copy what an alias names; nothing that is named is deeper than what may be opened."""
        self._count()
        if depth > DEPTH:
            raise ValueError(f"it is nested deeper than {DEPTH} levels")
        if isinstance(value, list):
            return [self._copy(item, depth + 1) for item in value]
        if isinstance(value, dict):
            return {
                self._copy(key, depth): self._copy(item, depth + 1) for key, item in value.items()
            }
        self.copied += len(value) if isinstance(value, str) else 0
        if self.copied > BYTES:
            raise ValueError(f"its aliases repeat more than {BYTES} characters")
        return value

    def _count(self) -> None:
        self.nodes += 1
        if self.nodes > NODES:
            raise ValueError(f"it holds more than {NODES} values")


def _check_tag(event: Any) -> None:
    if event.tag not in (None, "!") and event.tag not in _PLAIN[type(event).__name__]:
        raise ValueError(f"it has the tag {event.tag[:80]!r}, which is no plain data there")


def _key(value: Any, holder: dict[str, Any]) -> str:
    if type(value) in (list, dict):
        raise ValueError("a key of a mapping is a list or a mapping")
    name = str(value)
    if name in holder:
        raise ValueError(f"the key {name[:80]!r} stands twice in a mapping")
    return name


def is_shallow(value: Any) -> bool:
    """Say whether plain data is nested no deeper than :data:`DEPTH` levels."""
    level = [value]
    for _ in range(DEPTH):
        level = [part for item in level for part in _parts(item)]
    return not any(isinstance(item, (list, dict)) for item in level)


def _parts(item: Any) -> Iterator[Any]:
    if isinstance(item, (list, dict)):
        yield from item.values() if isinstance(item, dict) else item


def texts_in(value: Any) -> Iterator[str]:
    """Give every text in plain data, keys among them."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            yield item
        elif isinstance(item, dict):
            waiting.extend((*item, *item.values()))
        elif isinstance(item, list):
            waiting.extend(item)
