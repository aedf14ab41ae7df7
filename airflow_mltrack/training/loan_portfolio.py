"""A generated loan portfolio: made-up rows with a documented default mechanism.

The chance that loan *i* defaults is ``1 / (1 + exp(-(a + r_i)))``, where ``a`` is set such that the
mean chance is the wanted rate and ``r_i`` is the sum of

====================================  ==========================================================
amount over income                    1.2 x (loan_amount / annual_income), at most 3.6
credit utilisation                    1.5 x share of the limit in use; 1.2 more above 0.75
arrears                               0.8 x payments missed in two years, at most 3.2
inquiries                             0.25 x credit inquiries in six months
interest rate                         0.1 x (rate in percent - 11)
length of credit history              -0.05 x years
employment                            -0.06 x years, at least -0.9; +0.3 where not stated
home                                  rent 0.35, mortgage 0, own -0.35
purpose                               business 0.7, education 0.2, car -0.3, else 0
young and indebted (interaction)      1.4 where age < 30 and debt_to_income > 0.35
guarantor                             -1.1
what no column shows                  normal noise, standard deviation 0.4
====================================  ==========================================================

``region`` and ``open_accounts`` have no effect. About 7% of ``employment_years``, 4% of
``credit_utilization`` and 3% of ``home`` are missing. The same options give the same table.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

from airflow_mltrack.exceptions import InvalidInput
from airflow_mltrack.training.close_names import check_known_keys
from airflow_mltrack.training.table_file import TableFile

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

GENERATED_SCHEME = "generated"
TARGET = "defaulted"
_NAME = "loan_portfolio"
_FEWEST, _MOST = 100, 5_000_000
_PURPOSES = ("car", "consumption", "education", "business", "refurbishment")
_HOMES = ("rent", "mortgage", "own")
_REGIONS = ("north", "east", "south", "west")


def portfolio_uri(*, rows: int = 10_000, seed: int = 42, default_rate: float = 0.04) -> str:
    """Name a generated portfolio; any process that reads the URI makes the same rows."""
    return f"{GENERATED_SCHEME}:{_NAME}?rows={rows}&seed={seed}&default_rate={default_rate}"


def generate_from_uri(uri: str) -> TableFile:
    """Make the table that a ``generated:`` URI names, with the sha256 of its CSV form.

    :raises InvalidInput: when the URI names no generator or an option is not allowed.
    """
    parts = urlsplit(uri)
    if parts.path != _NAME:
        raise InvalidInput(
            "data set URI", uri, f"the only generator is {GENERATED_SCHEME}:{_NAME}."
        )
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    check_known_keys("generator", options, ("rows", "seed", "default_rate"))
    frame = generate_portfolio(
        rows=int(_number(options, "rows", 10_000)),
        seed=int(_number(options, "seed", 42)),
        default_rate=_number(options, "default_rate", 0.04),
    )
    digest = hashlib.sha256(frame.to_csv(index=False, lineterminator="\n").encode()).hexdigest()
    return TableFile(frame, digest, "generated", ["the rows are synthetic: made by a generator"])


def generate_portfolio(
    *, rows: int = 10_000, seed: int = 42, default_rate: float = 0.04
) -> pd.DataFrame:
    """Make loans with the mechanism described at the top of this module.

    :param rows: 100 to 5,000,000.
    :param default_rate: expected share of defaults, 0.001 to 0.5.
    :raises InvalidInput: when an option is out of range.
    """
    import numpy as np
    import pandas as pd

    if not _FEWEST <= rows <= _MOST:
        raise InvalidInput("generator rows", rows, f"it lies between {_FEWEST} and {_MOST}.")
    if not 0.001 <= default_rate <= 0.5:
        raise InvalidInput("generator default_rate", default_rate, "it lies between 0.001 and 0.5.")
    if seed < 0:
        raise InvalidInput("generator seed", seed, "it is not negative.")
    generator = np.random.default_rng(seed)
    frame = pd.DataFrame(_loans(generator, rows))
    hidden = generator.normal(0.0, 0.4, rows)
    risk = _risk(frame) + hidden
    chance = 1 / (1 + np.exp(-(risk + _level(risk, default_rate))))
    frame[TARGET] = (generator.random(rows) < chance).astype("int64")
    return frame


def _loans(generator: np.random.Generator, rows: int) -> dict[str, object]:
    """Draw the columns; missing values are part of the draw."""
    import numpy as np

    income = np.round(generator.lognormal(10.5, 0.45, rows), -2)
    age = generator.integers(20, 75, rows)
    return {
        "loan_amount": np.round(income * generator.lognormal(-1.2, 0.6, rows), -2),
        "term_months": generator.choice([12, 24, 36, 48, 60, 84], rows),
        "interest_rate": np.round(generator.normal(11, 3.2, rows).clip(2.5, 24), 2),
        "annual_income": income,
        "debt_to_income": np.round(generator.beta(2.2, 4.5, rows), 3),
        "age": age,
        "employment_years": _with_gaps(
            generator, np.minimum(generator.gamma(1.6, 4.5, rows).round(1), age - 18.0), 0.07
        ),
        "credit_history_years": np.minimum(generator.gamma(2.5, 4.0, rows).round(1), age - 18.0),
        "credit_utilization": _with_gaps(
            generator, np.round(generator.beta(1.4, 2.4, rows), 3), 0.04
        ),
        "missed_payments_2y": generator.poisson(0.25, rows),
        "inquiries_6m": generator.poisson(0.9, rows),
        "open_accounts": 1 + generator.poisson(4.5, rows),
        "home": _with_gaps(generator, generator.choice(_HOMES, rows, p=[0.42, 0.4, 0.18]), 0.03),
        "purpose": generator.choice(_PURPOSES, rows, p=[0.27, 0.33, 0.1, 0.12, 0.18]),
        "region": generator.choice(_REGIONS, rows),
        "has_guarantor": generator.random(rows) < 0.12,
    }


def _with_gaps(
    generator: np.random.Generator, values: NDArray[np.generic], share: float
) -> NDArray[np.object_] | Floats:
    """Take away a share of the values."""
    import numpy as np

    gone = generator.random(values.size) < share
    if values.dtype.kind == "f":
        return np.where(gone, np.nan, values.astype(np.float64))
    found = values.astype(object)
    found[gone] = None
    return found


def _risk(loans: pd.DataFrame) -> Floats:
    """Sum the effects that columns show."""
    employment = loans["employment_years"]
    used = loans["credit_utilization"].fillna(0.4)
    strained = (loans["age"] < 30) & (loans["debt_to_income"] > 0.35)
    home = {"rent": 0.35, "own": -0.35}
    purpose = {"business": 0.7, "education": 0.2, "car": -0.3}
    total = (
        (1.2 * loans["loan_amount"] / loans["annual_income"]).clip(upper=3.6)
        + 1.5 * used
        + 1.2 * (used > 0.75)
        + (0.8 * loans["missed_payments_2y"]).clip(upper=3.2)
        + 0.25 * loans["inquiries_6m"]
        + 0.1 * (loans["interest_rate"] - 11)
        - 0.05 * loans["credit_history_years"]
        + (-0.06 * employment).clip(lower=-0.9).fillna(0.3)
        + loans["home"].map(home).fillna(0.0).astype(float)
        + loans["purpose"].map(purpose).fillna(0.0).astype(float)
        + 1.4 * strained
        - 1.1 * loans["has_guarantor"]
    )
    return total.to_numpy(dtype="float64")


def _level(risk: Floats, default_rate: float) -> float:
    """Find the intercept that makes the mean chance equal the wanted rate, by bisection."""
    import numpy as np

    low, high = -40.0, 40.0
    for _ in range(80):
        middle = (low + high) / 2
        if (1 / (1 + np.exp(-(risk + middle)))).mean() < default_rate:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _number(options: dict[str, str], name: str, default: float) -> float:
    text = options.get(name)
    if text is None:
        return default
    try:
        return float(text) if name == "default_rate" else int(text)
    except ValueError as error:
        raise InvalidInput(f"generator {name}", text, "it is a number.") from error
