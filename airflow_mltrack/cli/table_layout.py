"""How wide the columns of a table are, and which ones a narrow terminal leaves out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

GAP = 2
"""Blanks between two columns."""
EDGE = 1
"""Blanks on the left and on the right of a table."""
_LONGEST_WORD = 24
_FOLDED = 12  # what a longer word, such as an id, is broken into
_NARROWEST = 12


@dataclass(frozen=True, slots=True)
class ColumnNeed:
    """How much room a column wants, and with how little it can still be read."""

    least: int
    natural: int


def need(label: str, cells: Sequence[str], *, wraps: bool) -> ColumnNeed:
    """Measure a column.

    :param wraps: whether its cells may be broken between words; numbers and ids may not.
    """
    lines = [*label.split("\n"), *cells]
    natural = max(map(len, lines))
    if not wraps:
        return ColumnNeed(natural, natural)
    lengths = [len(word) for line in lines for word in line.split()]
    words = max((one if one <= _LONGEST_WORD else _FOLDED for one in lengths), default=0)
    least = max(len(label.partition("\n")[0]), words, min(natural, _NARROWEST))
    return ColumnNeed(least, natural)


def fitting(
    needs: Mapping[str, ColumnNeed], width: int, *, droppable: Sequence[str] = ()
) -> dict[str, int]:
    """Choose columns and their widths for a terminal.

    :param needs: column to what it needs, in the order of the table.
    :param width: of the terminal, in characters.
    :param droppable: columns to leave out while there is not enough room, the first one first.
    :return: column to width; together wider than the terminal when nothing else can be left out.
    """
    kept = dict(needs)
    for name in droppable:
        if _room(kept, width) >= sum(one.least for one in kept.values()):
            break
        kept.pop(name, None)
    widths = {name: one.least for name, one in kept.items()}
    spare = max(0, _room(kept, width) - sum(widths.values()))
    wanting = sorted(kept, key=lambda name: kept[name].natural - kept[name].least)
    for place, name in enumerate(wanting):
        # Who wants little gets all of it, and leaves the rest of its share to the others.
        given = min(kept[name].natural - kept[name].least, spare // (len(wanting) - place))
        widths[name] += given
        spare -= given
    return widths


def _room(columns: Mapping[str, ColumnNeed], width: int) -> int:
    return width - 2 * EDGE - GAP * max(0, len(columns) - 1)
