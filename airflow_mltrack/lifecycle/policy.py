"""A gate policy: what a version must show before it may go live. Plain data, so that it travels.

::

    {"checks": [{"name": "auc_floor", "metric": "auc", "min": 0.7},
                {"metric": "brier", "max": 0.2, "severity": "warning"},
                {"metric": "auc", "versus": "champion", "min_difference": -0.005}],
     "valid_days": 30}

A check's ``kind`` may be left out for ``champion`` (``versus`` tells it) and ``threshold``. A check
of severity ``warning`` is reported but fails no verdict. ``"confident": true`` asks the whole
interval (of level ``confidence``, 0.95), not only the observed value, to keep the limit.
``valid_days`` is how long a verdict counts: 30 when left out, ``null`` for ever. ``cost_matrix``
and ``precision`` are the constants of the metrics ``expected_cost`` and ``recall_at_precision``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from airflow_mltrack.entities.verdicts import ERROR
from airflow_mltrack.exceptions import InvalidInput
from airflow_mltrack.lifecycle.gates.check_fields import LARGEST
from airflow_mltrack.lifecycle.gates.gate import Gate
from airflow_mltrack.lifecycle.gates.kinds import GATES
from airflow_mltrack.store.canonical_json import canonical_value, digest_of
from airflow_mltrack.training.close_names import check_known_keys, did_you_mean
from airflow_mltrack.training.evaluation import cost_matrix
from airflow_mltrack.training.metrics import MetricOptions

DEFAULT_VALID_DAYS = 30.0
_LONGEST_VALID_DAYS = 36_500
GATE_KINDS: dict[str, type[Gate]] = {gate.KIND: gate for gate in GATES}
"""Every kind of check by name."""


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy that was read and can be judged by."""

    gates: tuple[Gate, ...]
    valid_days: float | None
    """Days that a verdict counts; None for ever."""
    options: MetricOptions = field(default_factory=MetricOptions)
    """Constants of some metrics."""

    @property
    def needs_champion(self) -> bool:
        """Whether the live version must be scored as well."""
        return any(gate.needs_champion for gate in self.gates)


def parse_policy(policy: Mapping[str, object]) -> Policy:
    """Read a policy.

    :raises InvalidInput: names the check, the value and what is known.
    """
    if not isinstance(policy, Mapping):
        raise InvalidInput("policy", policy, "it is a mapping with the key checks.")
    check_known_keys("policy", policy, ("checks", "valid_days", "cost_matrix", "precision"))
    canonical_value(policy)
    checks = policy.get("checks")
    if not isinstance(checks, (list, tuple)) or not checks:
        raise InvalidInput("policy checks", checks, "it is a list of at least one check.")
    gates = tuple(_read_gate(number, check) for number, check in enumerate(checks, start=1))
    _check_names(gates)
    _check_severities(gates)
    options = _options(policy)
    for gate in gates:
        gate.check_options(options)
    return Policy(gates, _valid_days(policy.get("valid_days", DEFAULT_VALID_DAYS)), options)


def policy_digest(policy: Mapping[str, object]) -> str:
    """Return the sha256 of a policy's canonical JSON: equal policies have equal digests."""
    return digest_of(policy)


def _read_gate(number: int, check: object) -> Gate:
    if not isinstance(check, Mapping):
        raise InvalidInput(f"check {number}", check, "it is a mapping.")
    kind = check.get("kind", "champion" if "versus" in check else "threshold")
    if not isinstance(kind, str) or kind not in GATE_KINDS:
        raise InvalidInput(
            f"check {number} kind",
            kind,
            f"known are {', '.join(GATE_KINDS)}.",
            did_you_mean(str(kind), GATE_KINDS),
        )
    try:
        return GATE_KINDS[kind].from_json(check)
    except InvalidInput as error:
        if type(error) is not InvalidInput:
            raise  # it words itself
        what = f"check {number}, a {kind} check: {error.what}"
        raise InvalidInput(what, error.value, error.rule, error.hint) from None


def _check_names(gates: tuple[Gate, ...]) -> None:
    seen: set[str] = set()
    for gate in gates:
        if gate.name in seen:
            raise InvalidInput(
                "check name", gate.name, "two checks have it.", 'Give each its own "name".'
            )
        seen.add(gate.name)


def _check_severities(gates: tuple[Gate, ...]) -> None:
    if all(gate.severity != ERROR for gate in gates):
        raise InvalidInput(
            "policy checks",
            [gate.name for gate in gates],
            "all are warnings, so every version would pass.",
            'Give at least one check the severity "error", or none.',
        )


def _options(policy: Mapping[str, object]) -> MetricOptions:
    costs = policy.get("cost_matrix", {})
    if not isinstance(costs, Mapping):
        raise InvalidInput("policy cost_matrix", costs, "it is a mapping.")
    for name, cost in costs.items():
        if isinstance(cost, (int, float)) and not -LARGEST <= cost <= LARGEST:
            raise InvalidInput(f"policy cost {name}", cost, "it is a finite number.")
    precision = policy.get("precision", MetricOptions().precision)
    if isinstance(precision, bool) or not isinstance(precision, (int, float)):
        raise InvalidInput("policy precision", precision, "it is a number.")
    if not 0 < precision <= 1:
        raise InvalidInput("policy precision", precision, "it lies above 0 and is at most 1.")
    return MetricOptions(precision=float(precision), costs=cost_matrix(costs))


def _valid_days(days: object) -> float | None:
    if days is None:
        return None
    if isinstance(days, bool) or not isinstance(days, (int, float)):
        raise InvalidInput("policy valid_days", days, "it is a number of days, or null for ever.")
    if not 0 < days <= _LONGEST_VALID_DAYS:
        raise InvalidInput(
            "policy valid_days", days, f"it lies above 0 and is at most {_LONGEST_VALID_DAYS}."
        )
    return float(days)
