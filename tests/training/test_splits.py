from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import train_test_split

from airflow_mltrack.exceptions import InvalidInput
from airflow_mltrack.training.dataset import Dataset, DatasetSpec, load_dataset
from airflow_mltrack.training.splits import Split, SplitSpec, make_split

WriteTable = Callable[..., DatasetSpec]


def all_parts(split: Split) -> list[np.ndarray]:
    return [split.test_rows, *(rows for fold in split.folds for rows in fold)]


@pytest.mark.parametrize(
    "spec",
    [
        SplitSpec(),
        SplitSpec(validation="cv", folds=4),
        SplitSpec(validation="cv", folds=3, repeats=2),
        SplitSpec(time_column="age"),
        SplitSpec(time_column="age", validation="cv", folds=3),
    ],
)
def test_no_trial_sees_a_test_row_and_no_fold_scores_what_it_fitted(
    dataset: Dataset, spec: SplitSpec
) -> None:
    split = make_split(dataset, spec)
    assert sorted([*split.test_rows, *split.train_rows]) == list(range(300))
    for fit, validation in split.folds:
        assert not set(fit) & set(validation)
        assert not {*fit, *validation} & set(split.test_rows)


def test_folds_cover_the_training_rows_once_per_repeat(dataset: Dataset) -> None:
    split = make_split(dataset, SplitSpec(validation="cv", folds=3, repeats=2))
    assert len(split.folds) == 6
    scored = np.concatenate([validation for _, validation in split.folds])
    assert sorted(scored) == sorted([*split.train_rows, *split.train_rows])


def test_every_part_has_the_same_share_of_events(dataset: Dataset) -> None:
    for rows in all_parts(make_split(dataset, SplitSpec(validation="cv"))):
        assert dataset.target[rows].mean() == pytest.approx(0.25, abs=0.01)


def test_the_hold_out_is_the_plain_one_that_everybody_knows(dataset: Dataset) -> None:
    split = make_split(dataset, SplitSpec(test_size=0.3, seed=42))
    train, test = train_test_split(
        np.arange(300), test_size=0.3, random_state=42, stratify=dataset.target
    )
    np.testing.assert_array_equal(split.train_rows, train)
    np.testing.assert_array_equal(split.test_rows, test)


def test_the_digest_tells_splits_apart(dataset: Dataset) -> None:
    digests = [
        make_split(dataset, spec).digest
        for spec in (SplitSpec(), SplitSpec(), SplitSpec(seed=1), SplitSpec(validation="cv"))
    ]
    assert digests[0] == digests[1]
    assert len(set(digests)) == 3


def test_a_time_split_never_looks_into_the_future(dataset: Dataset) -> None:
    age = dataset.frame["age"].to_numpy()
    split = make_split(dataset, SplitSpec(time_column="age", validation="cv", folds=3))
    assert age[split.train_rows].max() < age[split.test_rows].min()
    assert len(split.folds) == 3
    for fit, validation in split.folds:
        assert age[fit].max() < age[validation].min()
    sizes = [fit.size for fit, _ in split.folds]
    assert sizes == sorted(sizes)


def test_dates_order_rows_too(frame: pd.DataFrame, write: WriteTable) -> None:
    days = pd.date_range("2025-01-01", periods=300).strftime("%Y-%m-%d")[::-1]
    dataset = load_dataset(write(frame.assign(day=days), time_column="day"))
    split = make_split(dataset, SplitSpec())
    assert split.test_rows.max() < split.train_rows.min()


def test_a_time_column_without_times_is_refused(frame: pd.DataFrame, write: WriteTable) -> None:
    with pytest.raises(InvalidInput, match="neither numbers nor ISO 8601"):
        make_split(load_dataset(write(frame)), SplitSpec(time_column="home"))
    with pytest.raises(InvalidInput, match="18 rows have no value"):
        make_split(load_dataset(write(frame)), SplitSpec(time_column="income"))
    with pytest.raises(InvalidInput, match="no such column"):
        make_split(load_dataset(write(frame)), SplitSpec(time_column="day"))


def test_one_moment_cannot_be_split(frame: pd.DataFrame, write: WriteTable) -> None:
    dataset = load_dataset(write(frame.assign(day=5), time_column="day"))
    with pytest.raises(InvalidInput, match="both classes must be there"):
        make_split(dataset, SplitSpec())


@pytest.mark.parametrize(
    ("events", "spec", "words"),
    [
        (1, SplitSpec(), "1 rows of one class"),
        (3, SplitSpec(validation="cv", folds=5), "smaller class has only 2"),
        (2, SplitSpec(), "1 rows of one class"),
    ],
)
def test_too_few_events_are_refused_with_numbers(
    write: WriteTable, events: int, spec: SplitSpec, words: str
) -> None:
    table = pd.DataFrame({"a": range(40), "bad": [1] * events + [0] * (40 - events)})
    with pytest.raises(InvalidInput, match=words):
        make_split(load_dataset(write(table)), spec)


def test_a_spec_survives_json() -> None:
    spec = SplitSpec(test_size=0.2, validation="cv", folds=5, repeats=2, seed=1)
    assert SplitSpec.from_json(spec.to_json()) == spec


@pytest.mark.parametrize(
    "data",
    [
        {"test_size": 0},
        {"test_size": 1.0},
        {"test_size": True},
        {"validation_size": "a"},
        {"folds": 1},
        {"folds": 2.5},
        {"repeats": 0},
        {"seed": -1},
        {"validation": "loo"},
        {"time_column": "t", "repeats": 2},
        {"fold": 3},
    ],
)
def test_a_wrong_spec_is_refused(data: dict[str, object]) -> None:
    with pytest.raises(InvalidInput):
        SplitSpec.from_json(data)
