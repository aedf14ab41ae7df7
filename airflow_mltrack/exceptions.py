"""Every error that this package raises on purpose.

::

    MltrackError
    ├── NotFound                 a named thing does not exist
    ├── Conflict                 somebody else changed it first, or it exists already
    ├── InvalidInput             (also a ValueError) a value breaks a rule
    │   ├── InvalidFilter        a filter string, with the character where it went wrong
    │   └── UntrustedImport      a dotted path outside the allow-list
    ├── PromotionRefused         the rules of the stage forbid it; holds what is missing
    ├── ApprovalRefused          this person may not approve it, or there is nothing to approve on
    ├── SweepFailed              too few trials ended well; holds how they ended
    ├── DataUnavailable          a source of data does not answer; a retry may help
    ├── StoreError
    │   ├── StoreUnavailable     a retry may help
    │   ├── LoginRefused         the server answers, but does not let this user in
    │   └── SchemaOutOfDate      holds the command that helps
    ├── ArtifactError
    │   ├── ArtifactUnavailable  a retry may help
    │   └── ArtifactCorrupt      the bytes are not the recorded ones; holds both digests
    └── ModelPackageError
        ├── UnsupportedModel     no safe format for this object
        ├── UntrustedPackage     holds types that the registry does not trust
        └── EnvironmentMismatch  this interpreter cannot load it faithfully

A class takes facts and words itself: the thing, the value, the rule, the next step. No message
holds a password or an access key.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_SHOWN = 120


def shorten(value: object, limit: int = _SHOWN) -> str:
    """Show a value in one short line of an error message."""
    text = value if isinstance(value, str) else repr(value)
    text = text.encode("unicode_escape").decode("ascii") if not text.isprintable() else text
    return text if len(text) <= limit else f"{text[: limit - 1]}… ({len(text)} characters)"


class MltrackError(Exception):
    """Root of every error raised on purpose. It can be pickled, and so cross process pools."""

    def __reduce__(self) -> tuple[Any, ...]:
        # Exception's own way calls the class with the message alone; ours take facts.
        return _rebuilt, (type(self), self.args), self.__dict__


class NotFound(MltrackError):
    """A named thing does not exist.

    :param kind: what was looked for, for example ``run``.
    :param name: the id or name that was given.
    :param hint: the next step, one sentence.
    """

    def __init__(self, kind: str, name: object, hint: str = "") -> None:
        self.kind, self.name, self.hint = kind, name, hint
        super().__init__(f"{kind} {shorten(name)!r} does not exist.{_tail(hint)}")


class Conflict(MltrackError):
    """Somebody else changed it first, or it exists already with other content.

    :param kind: what the conflict is about, for example ``param``.
    :param name: its id or name.
    :param reason: what collided with what, one sentence.
    :param hint: the next step, one sentence.
    """

    def __init__(self, kind: str, name: object, reason: str, hint: str = "") -> None:
        self.kind, self.name, self.reason, self.hint = kind, name, reason, hint
        super().__init__(f"{kind} {shorten(name)!r}: {reason}{_tail(hint)}")


class InvalidInput(MltrackError, ValueError):
    """A value breaks a rule.

    :param what: which input, for example ``metric key``.
    :param value: what was given; shortened in the message.
    :param rule: the rule, one sentence.
    :param hint: the next step, one sentence.
    """

    def __init__(self, what: str, value: object, rule: str, hint: str = "") -> None:
        self.what, self.value, self.rule, self.hint = what, value, rule, hint
        super().__init__(f"{what} {shorten(value)!r} is not valid: {rule}{_tail(hint)}")


class InvalidFilter(InvalidInput):
    """A filter or ordering that cannot be read.

    :param text: the whole filter string.
    :param position: index of the offending character, from 0.
    :param expected: what could have stood there.
    """

    def __init__(self, text: str, position: int, expected: str) -> None:
        self.text, self.position, self.expected = text, position, expected
        self.what, self.value, self.rule = "filter", text, f"expected {expected}"
        self.hint = ""
        found = shorten(text[position : position + 20]) if position < len(text) else "the end"
        MltrackError.__init__(
            self,
            f"The filter cannot be read at character {position + 1}: expected {expected}, "
            f"found {found!r}.\n  {shorten(text, 200)}\n  {' ' * min(position, 199)}^",
        )


class UntrustedImport(InvalidInput):
    """A dotted import path outside the modules that may be imported by name.

    :param path: the dotted path that was given.
    :param allowed: the top-level modules that may be named.
    """

    def __init__(self, path: str, allowed: Sequence[str]) -> None:
        self.path, self.allowed = path, tuple(allowed)
        super().__init__(
            "import path",
            path,
            f"only these modules may be named: {', '.join(sorted(allowed))}.",
            "Add the module to MLTRACK_TRUSTED_MODULES if you trust its code.",
        )


class PromotionRefused(MltrackError):
    """The rules of the stage do not allow this transition.

    :param model: registered model name.
    :param version: version number.
    :param stage: the stage that was asked for.
    :param reasons: everything that is missing or failed, one sentence each.
    :param hint: the next step, one sentence.
    """

    def __init__(
        self, model: str, version: int, stage: str, reasons: Sequence[str], hint: str = ""
    ) -> None:
        self.model, self.version, self.stage = model, version, stage
        self.reasons, self.hint = tuple(reasons), hint
        listed = "".join(f"\n  - {reason}" for reason in reasons)
        super().__init__(
            f"{shorten(model)} version {version} may not become {shorten(stage)}:{listed}"
            + (f"\n{hint}" if hint else "")
        )


class ApprovalRefused(MltrackError):
    """An approval that would not count is not taken.

    :param model: registered model name.
    :param version: version number.
    :param stage: the stage that it was for.
    :param approver: who wanted to approve.
    :param reason: why not, one sentence.
    :param hint: the next step, one sentence.
    """

    def __init__(
        self, model: str, version: int, stage: str, approver: str, reason: str, hint: str = ""
    ) -> None:
        self.model, self.version, self.stage = model, version, stage
        self.approver, self.reason, self.hint = approver, reason, hint
        super().__init__(
            f"{shorten(approver)} may not approve {shorten(model)} version {version} for "
            f"{shorten(stage)}: {reason}{_tail(hint)}"
        )


class SweepFailed(MltrackError):
    """Too few trials of a sweep ended well: completed, or given up by the pruner.

    :param run_id: the sweep's parent run.
    :param counts: number of trials by state.
    :param needed: how many had to end well, at least one of them complete.
    :param errors: what the failed ones said, the most frequent first.
    """

    def __init__(
        self, run_id: str, counts: Mapping[str, int], needed: int, errors: Sequence[str] = ()
    ) -> None:
        self.run_id, self.counts, self.needed = run_id, dict(counts), needed
        self.errors = tuple(errors)
        ended = ", ".join(f"{number} {state}" for state, number in self.counts.items() if number)
        listed = "".join(f"\n  - {shorten(error, 300)}" for error in errors)
        super().__init__(
            f"Sweep {shorten(run_id)} needs at least {needed} trials that end as COMPLETE or "
            f"PRUNED, one of them COMPLETE; they ended as: {ended or 'there are no trials'}."
            + (f" What went wrong:{listed}" if listed else "")
            + f"\nLook at its trials: mltrack runs list --parent {shorten(run_id)}"
        )


class DataUnavailable(MltrackError):
    """A source of data does not answer, or stopped in the middle; a retry may help.

    A table's server, for example, or an MLflow server that is imported from.

    :param source: its address, without credentials.
    :param reason: what happened, one sentence.
    """

    def __init__(self, source: str, reason: str) -> None:
        self.source, self.reason = source, reason
        super().__init__(
            f"The source {shorten(source)!r} cannot be read now: {reason} "
            "Check the address, or try again."
        )


class StoreError(MltrackError):
    """The tracking database refused or failed.

    :param message: what happened, without credentials.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)


class StoreUnavailable(StoreError):
    """The tracking database cannot be reached now; a retry may help.

    :param where: the database's address without credentials.
    :param reason: the driver's words, without credentials.
    """

    def __init__(self, where: str, reason: str) -> None:
        self.where, self.reason = where, reason
        super().__init__(
            f"The tracking database {where} cannot be reached: {reason.strip()} "
            "Check that it runs and that the connection is right: mltrack doctor"
        )


class LoginRefused(StoreError):
    """The tracking database's server answers, but does not let this user in; no retry helps.

    :param where: the database's address without credentials.
    :param reason: the driver's words, without credentials.
    """

    def __init__(self, where: str, reason: str) -> None:
        self.where, self.reason = where, reason
        super().__init__(
            f"The tracking database {where} refuses the connection: {reason.strip()} "
            "Check user, password and database name of the connection: mltrack doctor"
        )


class SchemaOutOfDate(StoreError):
    """The database's schema is not the one this code works with.

    :param current: revision found in the database, None when there is none.
    :param head: revision this code needs.
    :param known: whether this code knows the revision that was found.
    """

    def __init__(self, current: str | None, head: str, *, known: bool = True) -> None:
        self.current, self.head, self.known = current, head, known
        if known:
            self.command = "mltrack db upgrade"
            advice = f"Back it up, then run: {self.command}"
        else:
            self.command = "pip install --upgrade airflow-mltrack"
            advice = f"A newer airflow-mltrack has upgraded it. Run: {self.command}"
        super().__init__(
            f"The tracking database has schema {current or 'none'}, this version of "
            f"airflow-mltrack needs {head}. {advice}"
        )


class ArtifactError(MltrackError):
    """Bytes could not be stored or read.

    :param key: the artifact's key or path.
    :param reason: what happened, one sentence, without credentials.
    """

    def __init__(self, key: str, reason: str) -> None:
        self.key, self.reason = key, reason
        super().__init__(f"Artifact {shorten(key)!r}: {reason}")


class ArtifactUnavailable(ArtifactError):
    """The artifact store cannot be reached or refuses; a retry may help."""


class ArtifactCorrupt(ArtifactError):
    """The bytes in the store are not the bytes that were recorded.

    :param key: the artifact's key or path.
    :param expected: recorded sha256, hexadecimal.
    :param found: sha256 of what was read, hexadecimal.
    """

    def __init__(self, key: str, expected: str, found: str) -> None:
        self.expected, self.found = expected, found
        super().__init__(
            key,
            f"its sha256 is {found}, recorded was {expected}. "
            "It was changed or damaged after it was logged; restore it from a backup.",
        )


class ModelPackageError(MltrackError):
    """A model package could not be written or read.

    :param message: the thing, the rule and the next step.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)


class UnsupportedModel(ModelPackageError):
    """No safe format can hold this object.

    :param type_name: dotted name of the object's class.
    :param reason: why, one sentence.
    """

    def __init__(self, type_name: str, reason: str) -> None:
        self.type_name, self.reason = type_name, reason
        super().__init__(
            f"A {type_name} cannot be packaged safely: {reason} "
            'Use format="pickle" only if everyone who loads it trusts its author.'
        )


class UntrustedPackage(ModelPackageError):
    """A package holds types that the registry does not trust, or is not what it says it is.

    :param where: package directory or URI.
    :param types: dotted names of the types that are not trusted.
    :param reason: why it is refused when it is not about types, one sentence with the next step.
    """

    def __init__(self, where: str, types: Sequence[str], *, reason: str = "") -> None:
        self.where, self.types, self.reason = where, tuple(types), reason
        if reason:
            message = f"The model package {shorten(where)} is refused: {reason} Nothing was loaded."
        else:
            message = (
                f"The model package {shorten(where)} holds types that are not trusted: "
                f"{', '.join(sorted(types))}. Nothing was loaded. Look at them, and if they are "
                "yours, add them to MLTRACK_TRUSTED_TYPES."
            )
        super().__init__(message)


class EnvironmentMismatch(ModelPackageError):
    """This interpreter's libraries cannot load the package faithfully.

    :param where: package directory or URI.
    :param differences: library to (packaged with, found here); found is None when missing.
    """

    def __init__(self, where: str, differences: dict[str, tuple[str, str | None]]) -> None:
        self.where, self.differences = where, dict(differences)
        listed = "; ".join(
            f"{name} {packaged} (here: {found or 'missing'})"
            for name, (packaged, found) in sorted(differences.items())
        )
        super().__init__(
            f"The model package {shorten(where)} was made with {listed}. "
            "Install its requirements.txt in a fresh environment and load it there."
        )


def _rebuilt(kind: type[MltrackError], args: tuple[object, ...]) -> MltrackError:
    error = kind.__new__(kind)
    error.args = args
    return error


def _tail(hint: str) -> str:
    return f" {hint}" if hint else ""
