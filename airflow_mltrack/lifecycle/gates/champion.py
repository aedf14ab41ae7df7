"""A metric of the candidate against the version that is live, scored on the same rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from airflow_mltrack.exceptions import InvalidInput
from airflow_mltrack.lifecycle.gates.check_fields import (
    CONFIDENCE_KEYS,
    check_keys,
    plain_name,
    read_bound,
    read_choice,
    read_metric,
    read_name,
    read_severity,
)
from airflow_mltrack.lifecycle.gates.decision_threshold import choose_threshold, read_threshold
from airflow_mltrack.lifecycle.gates.gate import Champion, Evidence, Measured, MetricGate, Outcome
from airflow_mltrack.training.intervals import paired_difference, resamples_for
from airflow_mltrack.training.metrics import metric_value
from airflow_mltrack.training.paired_tests import delong, mcnemar

BOOTSTRAP, DELONG, MCNEMAR = "bootstrap", "delong", "mcnemar"
METHODS = (BOOTSTRAP, DELONG, MCNEMAR)
ACCURACY = "accuracy"
"""What McNemar's test compares."""
_KEYS = ("metric", "versus", "method", "threshold", "min_difference", "max_difference")
_RESAMPLES = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class ChampionGate(MetricGate):
    """``{"metric": "auc", "versus": "champion", "min_difference": -0.005}``.

    The difference is candidate minus champion; for a metric where less is better use
    ``max_difference``. ``method`` is how its interval is found: ``bootstrap`` (paired, any metric),
    ``delong`` (AUC) or ``mcnemar`` (accuracy at a decision threshold). Where no other version is
    live the check passes and says so.
    """

    KIND: ClassVar[str] = "champion"
    NEEDS_CHAMPION: ClassVar[bool] = True

    method: str = BOOTSTRAP
    threshold: float | None = None
    """Where both decide; None means each where its training says."""

    @classmethod
    def from_json(cls, check: Mapping[str, object]) -> ChampionGate:
        """Read a check; see :class:`~airflow_mltrack.lifecycle.gates.gate.Gate`."""
        check_keys("champion check", check, (*_KEYS, *CONFIDENCE_KEYS))
        read_choice(check, "versus", ("champion",), default="champion")
        method = read_choice(check, "method", METHODS, default=BOOTSTRAP)
        metric = _metric_of(check, method)
        if "threshold" in check and method != MCNEMAR:
            raise InvalidInput(
                "check threshold",
                check["threshold"],
                f"the method {method} decides nothing.",
                f'Leave it out, or use the method "{MCNEMAR}".',
            )
        return cls(
            name=read_name(check, plain_name(metric, "versus_champion")),
            severity=read_severity(check),
            metric=metric,
            bound=read_bound(check, "min_difference", "max_difference"),
            method=method,
            threshold=read_threshold(check),
        )

    def judge(self, evidence: Evidence) -> Outcome:
        """Measure the difference and its interval."""
        champion = evidence.champion
        if champion is None:
            return self.unopposed(evidence)
        measure = {BOOTSTRAP: self._resample, DELONG: self._delong, MCNEMAR: self._mcnemar}
        return self.decide(evidence, lambda: measure[self.method](evidence, champion))

    def _resample(self, evidence: Evidence, champion: Champion) -> Measured:
        target, options, level = evidence.target, evidence.options, self.bound.confidence
        ours, theirs = (
            metric_value(self.metric, target, score, options=options)
            for score in (evidence.score, champion.score)
        )
        n = resamples_for(level, _RESAMPLES)
        difference, low, high = paired_difference(
            self.metric, target, evidence.score, champion.score, n=n, level=level, options=options
        )
        return Measured(
            difference,
            (low, high),
            self._words(difference, (low, high), champion, theirs),
            champion_value=theirs,
            method="paired bootstrap",
            data={**_facts(evidence, champion), **_values(ours, theirs), "resamples": n},
        )

    def _delong(self, evidence: Evidence, champion: Champion) -> Measured:
        found = delong(evidence.target, evidence.score, champion.score, level=self.bound.confidence)
        return Measured(
            found.difference,
            found.interval,
            self._words(found.difference, found.interval, champion, found.second, found.p_value),
            champion_value=found.second,
            method=DELONG,
            p_value=found.p_value,
            data={
                **_facts(evidence, champion),
                **_values(found.first, found.second),
                "covariance": found.covariance,
            },
        )

    def _mcnemar(self, evidence: Evidence, champion: Champion) -> Measured:
        ours = choose_threshold(self.threshold, evidence.threshold)
        theirs = choose_threshold(self.threshold, champion.threshold)
        found = mcnemar(
            evidence.target,
            evidence.score >= ours.value,
            champion.score >= theirs.value,
            level=self.bound.confidence,
        )
        return Measured(
            found.difference,
            found.interval,
            self._words(found.difference, found.interval, champion, found.second, found.p_value),
            champion_value=found.second,
            method=MCNEMAR,
            p_value=found.p_value,
            data={
                **_facts(evidence, champion),
                **_values(found.first, found.second),
                "candidate_decision": ours.to_json(),
                "champion_decision": theirs.to_json(),
                "both_right": found.both_right,
                "only_candidate_right": found.only_first_right,
                "only_champion_right": found.only_second_right,
                "both_wrong": found.both_wrong,
                "test": "exact binomial" if found.exact else "chi-squared, continuity corrected",
            },
        )

    def _words(
        self,
        difference: float,
        interval: tuple[float, float],
        champion: Champion,
        theirs: float,
        p_value: float | None = None,
    ) -> str:
        tested = "" if p_value is None else f", p {p_value:.2g}"
        words = (
            f"{self.metric} differs by {difference:+.4f} ({self.bound.percent} {interval[0]:+.4f} "
            f"to {interval[1]:+.4f}{tested}) from version {champion.version} now live, with "
            f"{theirs:.4f} on the same rows"
        )
        knows = " (it learned from some of them, which favours it)"
        return words + (knows if champion.knows_rows else "")


def _metric_of(check: Mapping[str, object], method: str) -> str:
    if method == MCNEMAR:
        return read_choice(check, "metric", (ACCURACY,), default=ACCURACY)
    metric = read_metric(check)
    if method == DELONG and metric != "auc":
        raise InvalidInput(
            "check metric",
            metric,
            f"the method {DELONG} compares auc.",
            f'Use the method "{BOOTSTRAP}", which compares any metric.',
        )
    return metric


def _facts(evidence: Evidence, champion: Champion) -> dict[str, object]:
    return {
        "champion_version": champion.version,
        "champion_digest": champion.model.manifest.digest,
        "champion_knows_rows": champion.knows_rows,
        "rows": int(evidence.target.size),
        "events": int(evidence.target.sum()),
    }


def _values(ours: float, theirs: float) -> dict[str, object]:
    return {"candidate": ours, "champion": theirs}
