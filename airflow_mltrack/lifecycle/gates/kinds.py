"""The list of all kinds of gates; a new kind adds one line here."""

from __future__ import annotations

from airflow_mltrack.lifecycle.gates.calibration import CalibrationGate
from airflow_mltrack.lifecycle.gates.champion import ChampionGate
from airflow_mltrack.lifecycle.gates.constraints import ConstraintsGate
from airflow_mltrack.lifecycle.gates.dataset import DatasetGate
from airflow_mltrack.lifecycle.gates.expected_cost import ExpectedCostGate
from airflow_mltrack.lifecycle.gates.fairness import FairnessGate
from airflow_mltrack.lifecycle.gates.function import FunctionGate
from airflow_mltrack.lifecycle.gates.gate import Gate
from airflow_mltrack.lifecycle.gates.latency import LatencyGate
from airflow_mltrack.lifecycle.gates.memory import MemoryGate
from airflow_mltrack.lifecycle.gates.package_size import PackageSizeGate
from airflow_mltrack.lifecycle.gates.score_drift import ScoreDriftGate
from airflow_mltrack.lifecycle.gates.signature import SignatureGate
from airflow_mltrack.lifecycle.gates.slice import SliceGate
from airflow_mltrack.lifecycle.gates.threshold import ThresholdGate

GATES: tuple[type[Gate], ...] = (
    ThresholdGate,
    ChampionGate,
    SliceGate,
    CalibrationGate,
    ExpectedCostGate,
    FairnessGate,
    ScoreDriftGate,
    SignatureGate,
    ConstraintsGate,
    DatasetGate,
    LatencyGate,
    PackageSizeGate,
    MemoryGate,
    FunctionGate,
)
"""Every kind, in the order in which messages name them."""
