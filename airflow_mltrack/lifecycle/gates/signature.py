"""Whether those who call the live version can call the candidate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, ClassVar

from airflow_mltrack.exceptions import InvalidInput
from airflow_mltrack.lifecycle.gates.check_fields import (
    check_keys,
    read_flag,
    read_name,
    read_severity,
)
from airflow_mltrack.lifecycle.gates.gate import (
    AT_MOST,
    Bound,
    BoundGate,
    Champion,
    Evidence,
    Measured,
    Outcome,
)
from airflow_mltrack.model_package.signature_compatibility import compare_signatures

if TYPE_CHECKING:
    from airflow_mltrack.model_package.reader import LoadedModel
    from airflow_mltrack.model_package.signature import Signature

_SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class SignatureGate(BoundGate):
    """``{"kind": "signature"}``: a request that the live version accepts suits the candidate too.

    Observed is the number of changes that break callers: a column that is new, a type that takes
    fewer values, a column that may no longer be missing, another form of the answer. With
    ``"strict": true`` every change counts, harmless ones as well. Values seen in training (ranges,
    categories) are no part of it: those are for a ``constraints`` check. Where no other version is
    live the check passes and says so.
    """

    KIND: ClassVar[str] = "signature"
    NEEDS_CHAMPION: ClassVar[bool] = True

    strict: bool = False

    @property
    def observes(self) -> str:
        """Name of the count."""
        return "signature_changes" if self.strict else "breaking_changes"

    @classmethod
    def from_json(cls, check: Mapping[str, object]) -> SignatureGate:
        """Read a check; see :class:`~airflow_mltrack.lifecycle.gates.gate.Gate`."""
        check_keys("signature check", check, ("strict",))
        return cls(
            name=read_name(check, "signature"),
            severity=read_severity(check),
            bound=Bound(AT_MOST, 0.0),
            strict=read_flag(check, "strict"),
        )

    def judge(self, evidence: Evidence) -> Outcome:
        """Count the changes against the live version."""
        champion = evidence.champion
        if champion is None:
            return self.unopposed(evidence)
        return self.decide(evidence, lambda: self._measure(evidence, champion))

    def _measure(self, evidence: Evidence, champion: Champion) -> Measured:
        live = _signature(champion.model, f"version {champion.version} now live")
        changes = compare_signatures(live, _signature(evidence.candidate, "the candidate"))
        counted = [change for change in changes if self.strict or change.breaks]
        does = "tell it from" if self.strict else "break callers of"
        message = f"{len(counted)} changes {does} version {champion.version} now live"
        if counted:
            shown = [change.message for change in counted[:_SHOWN]]
            message += f" ({' '.join(shown)}{' And more.' if len(counted) > _SHOWN else ''})"
        data = {
            "live_version": champion.version,
            "strict": self.strict,
            "changes": [asdict(change) for change in changes],
        }
        return Measured(float(len(counted)), None, message, data=data)


def _signature(model: LoadedModel, whose: str) -> Signature:
    signature = model.manifest.signature
    if signature is None:
        raise InvalidInput(
            "signature",
            None,
            f"{whose} has none.",
            "Log the model with training_data or an example.",
        )
    return signature
