"""What an import has done and what it could not do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

Progress = Callable[["ImportReport"], None]
"""Called now and then with how far it is."""
MOST_LINES = 500
"""Most notes and problems that are kept word by word; more are counted."""
KINDS = (
    "experiments",
    "runs",
    "params",
    "tags",
    "points",
    "inputs",
    "files",
    "bytes",
    "logged models",
    "registered models",
    "versions",
    "aliases",
)
"""What is counted, in the order of the report."""


@dataclass(slots=True)
class ImportReport:
    """Counts and findings of one import."""

    address: str
    """The source, without credentials."""
    done: Counter[str] = field(default_factory=Counter)
    """What this import has written, by kind."""
    known: Counter[str] = field(default_factory=Counter)
    """What an earlier import had brought whole."""
    notes: list[str] = field(default_factory=list)
    """What is different here on purpose, one sentence each."""
    problems: list[str] = field(default_factory=list)
    """What is missing here, one sentence each; importing again tries it again."""
    differences: list[str] = field(default_factory=list)
    """What the comparison at the end has found."""
    there: Counter[str] = field(default_factory=Counter)
    """What the source holds."""
    here: Counter[str] = field(default_factory=Counter)
    """What of it is here."""
    unsaid: Counter[str] = field(default_factory=Counter)
    """Lines that found no room, by list."""

    def note(self, sentence: str) -> None:
        """Remember what is different on purpose."""
        self._add("notes", sentence)

    def problem(self, sentence: str) -> None:
        """Remember what is missing."""
        self._add("problems", sentence)

    def compare(self, what: str, there: Mapping[str, int], here: Mapping[str, int]) -> None:
        """Count both sides, and remember where they differ.

        :param what: whose counts these are, for example ``run 4eac``.
        """
        self.there.update(there)
        self.here.update(here)
        for kind in there:
            if there[kind] != here[kind]:
                self.difference(f"{what}: {there[kind]:,} {kind} there, {here[kind]:,} here.")

    def difference(self, sentence: str) -> None:
        """Remember that both sides differ."""
        self._add("differences", sentence)

    @property
    def is_whole(self) -> bool:
        """Whether everything is here, and was found to be."""
        return not self.problems and not self.differences

    def _add(self, name: Literal["notes", "problems", "differences"], sentence: str) -> None:
        lines: list[str] = getattr(self, name)
        if len(lines) < MOST_LINES:
            lines.append(sentence)
        else:
            self.unsaid[name] += 1
