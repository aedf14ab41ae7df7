"""The rules of the governed registry in plain Python, to compare the real one with."""

from __future__ import annotations

from dataclasses import dataclass, field

from airflow_mltrack.exceptions import (
    ApprovalRefused,
    Conflict,
    MltrackError,
    NotFound,
    PromotionRefused,
)

LIVE, AWAY = "Production", "Archived"
STAGES = ("None", "Staging", LIVE, AWAY)
AUTHOR = "ada"

GATED_EDGES = {
    ("None", "Staging"): "",
    ("Staging", LIVE): "verdict approval reason",
    (LIVE, AWAY): "reason",
    ("None", AWAY): "reason",
    ("Staging", AWAY): "reason",
}
"""What each move of a gated model asks for."""

Error = type[MltrackError]


@dataclass
class Version:
    """What is known of one version."""

    stage: str = "None"
    verdicts: list[tuple[bool, int | None]] = field(default_factory=list)
    """Each with whether it passed, and what was live then."""
    answers: dict[str, tuple[bool, int]] = field(default_factory=dict)
    """Person to what was said last, and how many verdicts there were then."""
    asked: set[str] = field(default_factory=set)


@dataclass
class Rules:
    """One registered model."""

    gated: bool = False
    gates: bool = False
    versions: dict[int, Version] = field(default_factory=dict)
    aliases: dict[str, int] = field(default_factory=dict)
    arrivals: list[tuple[int, bool]] = field(default_factory=list)
    """Each version that became live, with whether that was going back."""
    last: int = 0

    @property
    def live(self) -> int | None:
        return next((n for n, version in self.versions.items() if version.stage == LIVE), None)

    @property
    def stages(self) -> dict[int, str]:
        return {number: version.stage for number, version in self.versions.items()}

    def register(self) -> None:
        self.last += 1
        self.versions[self.last] = Version()

    def asks(self, source: str, target: str) -> set[str] | None:
        """Say what a move asks for; None where it may not be gone."""
        if self.gated:
            asked = GATED_EDGES.get((source, target))
            if asked is None:
                return None
            needs = set(asked.split())
        else:
            needs = set()
        return needs | ({"verdict"} if self.gates and target == LIVE else set())

    def asks_of_rollback(self) -> set[str]:
        return {"verdict", "approval"} if self.gated else {"verdict"} if self.gates else set()

    def is_judged(self, number: int) -> bool:
        verdicts = self.versions[number].verdicts
        return self.gates and bool(verdicts) and verdicts[-1] == (True, self.live)

    def is_approved(self, number: int) -> bool:
        version = self.versions[number]
        barred = {AUTHOR, *version.asked}
        said = [
            yes
            for person, (yes, seen) in version.answers.items()
            if person not in barred and seen == len(version.verdicts)
        ]
        return bool(said) and all(said)

    def lacks(self, number: int, needs: set[str], *, reason: bool) -> bool:
        return (
            ("verdict" in needs and not self.is_judged(number))
            or ("approval" in needs and not self.is_approved(number))
            or ("reason" in needs and not reason)
        )

    def promotion(self, number: int, stage: str, expected: object, *, reason: bool) -> Error | None:
        """Promote; or say why not. ``expected`` is "any", or what the caller thinks is live."""
        if number not in self.versions:
            return NotFound
        version = self.versions[number]
        if version.stage == stage:
            return None
        needs = self.asks(version.stage, stage)
        if needs is None:
            return PromotionRefused
        if expected not in ("any", self.live):
            return Conflict
        if self.lacks(number, needs, reason=reason):
            return PromotionRefused
        self._move(number, stage, back=False)
        return None

    def rollback(self, to: int | None, *, emergency: bool) -> Error | None:
        if to is None:
            to = self.previous
            if to is None:
                return NotFound
        elif to not in self.versions:
            return NotFound
        elif to not in {number for number, _ in self.arrivals}:
            return PromotionRefused
        if to == self.live:
            return Conflict
        if not emergency and self.lacks(to, self.asks_of_rollback(), reason=True):
            return PromotionRefused
        self._move(to, LIVE, back=True)
        return None

    @property
    def previous(self) -> int | None:
        """The version that going back would bring."""
        stack: list[int] = []
        for number, back in self.arrivals:
            if number not in self.versions:
                continue
            if back and number in stack:
                stack = stack[: len(stack) - stack[::-1].index(number)]
            elif stack[-1:] != [number]:
                stack.append(number)
        while stack and stack[-1] == self.live:
            stack.pop()
        return stack[-1] if stack else None

    def judge(self, number: int, *, passed: bool) -> None:
        if number in self.versions:
            self.versions[number].verdicts.append((passed, self.live))

    def _asks_for_approval(self, number: int) -> set[str] | Error:
        if number not in self.versions:
            return NotFound
        needs = self.asks(self.versions[number].stage, LIVE)
        if self.versions[number].stage == LIVE:
            needs = None
        if needs is None and number in {arrived for arrived, _ in self.arrivals}:
            return self.asks_of_rollback()
        return PromotionRefused if needs is None else needs

    def request(self, number: int, person: str) -> Error | None:
        needs = self._asks_for_approval(number)
        if isinstance(needs, type):
            return needs
        self.versions[number].asked.add(person)
        return None

    def answer(self, number: int, person: str, *, yes: bool) -> Error | None:
        needs = self._asks_for_approval(number)
        if isinstance(needs, type):
            return needs
        version = self.versions[number]
        judged = bool(version.verdicts) and version.verdicts[-1][0]
        if (yes and "verdict" in needs and not judged) or person in {AUTHOR, *version.asked}:
            return ApprovalRefused
        version.answers[person] = (yes, len(version.verdicts))
        return None

    def alias(self, name: str, number: int) -> Error | None:
        if number not in self.versions:
            return NotFound
        self.aliases[name] = number
        return None

    def delete(self, number: int) -> Error | None:
        if number not in self.versions:
            return NotFound
        if number == self.live and (self.gated or self.gates):
            return Conflict
        del self.versions[number]
        self.aliases = {name: at for name, at in self.aliases.items() if at != number}
        return None

    def _move(self, number: int, stage: str, *, back: bool) -> None:
        if stage == LIVE:
            if self.live is not None:
                self.versions[self.live].stage = AWAY
            self.arrivals.append((number, back))
        self.versions[number].stage = stage
