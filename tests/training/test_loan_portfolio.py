from __future__ import annotations

import pytest

from airflow_mltrack.exceptions import InvalidInput
from airflow_mltrack.training.dataset import DatasetSpec, load_dataset
from airflow_mltrack.training.loan_portfolio import TARGET, generate_portfolio, portfolio_uri


def test_any_process_makes_the_same_rows_and_knows_they_are_synthetic() -> None:
    spec = DatasetSpec(portfolio_uri(rows=500, seed=7), TARGET)
    first, second = load_dataset(spec), load_dataset(spec)
    assert first.record == second.record
    assert first.synthetic
    assert first.record.source_type == "generated"
    assert first.record.profile["synthetic"] is True
    assert first.record.source == spec.uri
    assert any("synthetic" in note for note in first.notes)


def test_another_seed_makes_other_rows() -> None:
    specs = [DatasetSpec(portfolio_uri(rows=500, seed=seed), TARGET) for seed in (1, 2)]
    assert len({load_dataset(spec).record.digest for spec in specs}) == 2


@pytest.mark.parametrize("rate", [0.04, 0.2])
def test_the_default_rate_is_the_wanted_one(rate: float) -> None:
    frame = generate_portfolio(rows=20_000, seed=1, default_rate=rate)
    assert frame[TARGET].mean() == pytest.approx(rate, abs=0.006)


def test_the_mechanism_shows_and_the_gaps_are_there() -> None:
    frame = generate_portfolio(rows=20_000, seed=1)
    late = frame["missed_payments_2y"] > 1
    assert frame[TARGET][late].mean() > 2 * frame[TARGET][~late].mean()
    assert frame["employment_years"].isna().mean() == pytest.approx(0.07, abs=0.01)
    assert frame["credit_utilization"].isna().mean() == pytest.approx(0.04, abs=0.01)
    assert frame["home"].isna().mean() == pytest.approx(0.03, abs=0.01)
    north = frame["region"] == "north"
    assert frame[TARGET][north].mean() == pytest.approx(frame[TARGET][~north].mean(), abs=0.01)


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("generated:stock_market", "only generator"),
        ("generated:loan_portfolio?row=5000", "Did you mean rows"),
        ("generated:loan_portfolio?rows=10", "between 100"),
        ("generated:loan_portfolio?rows=many", "it is a number"),
        ("generated:loan_portfolio?seed=-1", "not negative"),
        ("generated:loan_portfolio?default_rate=0.9", "between 0.001 and 0.5"),
    ],
)
def test_a_wrong_generator_uri_is_refused(uri: str, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        load_dataset(DatasetSpec(uri, TARGET))
