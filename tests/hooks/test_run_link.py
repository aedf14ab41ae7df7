from __future__ import annotations

from types import SimpleNamespace

import pytest

from airflow_mltrack.hooks.run_link import RunLink, model_url, run_url, show_run


@pytest.mark.parametrize(
    ("base_url", "expected"),
    [
        ("http://localhost:8080", "/mltrack/runs/abc"),
        ("https://host/airflow/", "/airflow/mltrack/runs/abc"),
    ],
)
def test_the_link_stays_below_airflows_own_address(
    base_url: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", base_url)
    assert run_url("abc") == expected


def test_a_models_name_cannot_leave_its_place_in_the_address(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://host/airflow/")
    assert model_url("a)/../b?c") == "/airflow/mltrack/models/a%29%2F..%2Fb%3Fc"


def test_the_link_is_the_same_early_and_at_the_end() -> None:
    pushed: dict[str, str] = {}
    operator = SimpleNamespace()
    ti = SimpleNamespace(xcom_push=lambda key, value: pushed.update({key: value}))
    show_run(operator, ti, "abc")
    final = RunLink().get_link(operator, ti_key=ti)  # type: ignore[arg-type]
    assert pushed == {"_link_RunLink": final}


def test_a_task_without_a_run_has_no_link() -> None:
    assert RunLink().get_link(SimpleNamespace(), ti_key=None) == ""  # type: ignore[arg-type]
