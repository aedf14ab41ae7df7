"""Policies: what can be read, what is refused and how."""

from __future__ import annotations

import math

import pytest

from airflow_mltrack.exceptions import InvalidInput
from airflow_mltrack.lifecycle.gates.champion import ChampionGate
from airflow_mltrack.lifecycle.gates.kinds import GATES
from airflow_mltrack.lifecycle.gates.threshold import ThresholdGate
from airflow_mltrack.lifecycle.policy import GATE_KINDS, parse_policy, policy_digest

AUC: dict[str, object] = {"metric": "auc", "min": 0.7}
VERSUS: dict[str, object] = {"metric": "auc", "versus": "champion", "min_difference": -0.005}


def test_the_kind_of_a_check_is_told_by_its_keys() -> None:
    policy = parse_policy(
        {"checks": [AUC, {"name": "b", "metric": "brier", "max": 0.2, "kind": "threshold"}, VERSUS]}
    )
    kinds: list[object] = [type(gate) for gate in policy.gates]
    assert kinds == [ThresholdGate, ThresholdGate, ChampionGate]
    assert [gate.name for gate in policy.gates] == ["auc", "b", "auc_versus_champion"]
    assert policy.needs_champion
    assert not parse_policy({"checks": [AUC]}).needs_champion


@pytest.mark.parametrize(("days", "expected"), [(7, 7.0), (0.5, 0.5), (None, None)])
def test_a_verdict_counts_as_long_as_the_policy_says(
    days: float | None, expected: float | None
) -> None:
    assert parse_policy({"checks": [AUC], "valid_days": days}).valid_days == expected
    assert parse_policy({"checks": [AUC]}).valid_days == 30


def test_metric_constants_come_from_the_policy() -> None:
    options = parse_policy(
        {"checks": [AUC], "cost_matrix": {"false_negative": 9}, "precision": 0.8}
    ).options
    assert (options.costs.false_negative, options.precision) == (9, 0.8)


def test_equal_policies_have_equal_digests() -> None:
    one = {"checks": [{"min": 0.7, "metric": "auc"}], "valid_days": 30.0}
    other = {"valid_days": 30, "checks": [{"metric": "auc", "min": 0.7}]}
    assert policy_digest(one) == policy_digest(other)
    assert policy_digest(one) != policy_digest({"checks": [AUC], "valid_days": 31})


@pytest.mark.parametrize(
    ("check", "message"),
    [
        ("auc", "check 1"),
        ({"metric": "acu", "min": 0.7}, "known are auc.*Did you mean auc"),
        ({"metric": 7, "min": 0.7}, "check metric"),
        ({"min": 0.7}, "check metric"),
        (
            {"metric": "auc", "kind": "treshold", "min": 1},
            "known are threshold, champion.*Did you mean threshold",
        ),
        ({"metric": "auc", "kind": ["x"], "min": 1}, "known are threshold, champion"),
        ({"metric": "auc"}, "exactly one of the keys min and max"),
        ({"metric": "auc", "min": 0.7, "max": 0.9}, "exactly one of the keys min and max"),
        ({"metric": "auc", "minimum": 0.7}, "threshold check key 'minimum'.*Did you mean"),
        ({"metric": "auc", "min": "0.7"}, "finite number"),
        ({"metric": "auc", "min": True}, "finite number"),
        ({"metric": "auc", "min": 10**400}, "finite number"),
        ({"metric": "auc", "min": 0.7, "confident": "yes"}, "true or false"),
        ({"metric": "auc", "min": 0.7, "name": ""}, "check name"),
        ({"metric": "auc", "min": 0.7, "name": 7}, "check name"),
        ({"metric": "auc", "min": 0.7, "name": "a\nb"}, "check name"),
        ({"metric": "auc", "versus": "challenger", "min_difference": 0}, "it is champion"),
        ({"metric": "auc", "versus": "champion", "min": 0}, "champion check key 'min'"),
        ({"metric": "auc", "versus": "champion"}, "min_difference and max_difference"),
    ],
)
def test_a_check_that_cannot_be_read_is_refused_with_what_is_known(
    check: object, message: str
) -> None:
    with pytest.raises(InvalidInput, match=message):
        parse_policy({"checks": [check]})


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        ({}, "policy checks"),
        ({"checks": []}, "policy checks"),
        ({"checks": "auc"}, "policy checks"),
        ({"checks": [AUC], "valid_for": 3}, "policy key 'valid_for'.*Did you mean valid_days"),
        ({"checks": [AUC], "valid_days": 0}, "above 0"),
        ({"checks": [AUC], "valid_days": "30"}, "number of days"),
        ({"checks": [AUC], "valid_days": True}, "number of days"),
        ({"checks": [AUC], "valid_days": 1e9}, "at most"),
        ({"checks": [AUC, AUC]}, "two checks have it"),
        ({"checks": [{"metric": "auc", "min": math.nan}]}, "NaN"),
        ({"checks": [AUC], "cost_matrix": {"misses": 1}}, "cost matrix key"),
        ({"checks": [AUC], "cost_matrix": 5}, "mapping"),
        ({"checks": [AUC], "precision": 0}, "above 0"),
        ({"checks": [AUC], "precision": "high"}, "number"),
        ([AUC], "it is a mapping"),
    ],
)
def test_a_policy_that_cannot_be_read_is_refused(policy: object, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        parse_policy(policy)  # type: ignore[arg-type]


def test_every_kind_is_listed_under_its_own_name() -> None:
    kinds = [gate.KIND for gate in GATES]
    assert list(GATE_KINDS) == kinds
    assert len(set(kinds)) == len(kinds)
    assert {
        "threshold",
        "champion",
        "slice",
        "calibration",
        "expected_cost",
        "fairness",
        "score_drift",
    } <= set(kinds)


def test_an_error_says_which_check_it_is_about() -> None:
    with pytest.raises(InvalidInput, match=r"check 2, a slice check: check by .None."):
        parse_policy({"checks": [AUC, {"kind": "slice", "metric": "auc", "min": 0.5}]})


def test_a_severity_is_read_and_an_unknown_one_refused() -> None:
    warning = {**VERSUS, "severity": "warning"}
    first, second = parse_policy({"checks": [AUC, warning]}).gates
    assert (first.severity, second.severity) == ("error", "warning")
    with pytest.raises(InvalidInput, match=r"error or warning.*Did you mean warning"):
        parse_policy({"checks": [AUC, {**VERSUS, "severity": "warnin"}]})


def test_a_policy_of_warnings_alone_is_refused() -> None:
    with pytest.raises(InvalidInput, match="all are warnings, so every version would pass"):
        parse_policy({"checks": [{**AUC, "severity": "warning"}]})


@pytest.mark.parametrize(
    ("name", "message"),
    [("n" * 201, "200 bytes"), ("a//b", "empty"), ("./b", "no . part"), ("é" * 101, "200 bytes")],
)
def test_a_name_that_can_name_no_file_is_refused(name: str, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        parse_policy({"checks": [{**AUC, "name": name}]})


def test_a_cost_beyond_floats_is_refused() -> None:
    with pytest.raises(InvalidInput, match="finite number"):
        parse_policy({"checks": [AUC], "cost_matrix": {"false_negative": 10**400}})
