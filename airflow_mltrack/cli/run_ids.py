"""Let people type the first characters of a run id."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from airflow_mltrack.exceptions import Conflict, InvalidInput, NotFound

if TYPE_CHECKING:
    from airflow_mltrack.store.tracking_store import Transaction

_SHORTEST = 4
_FULL = 32


def full_run_id(tx: Transaction, given: str) -> str:
    """Complete a run id of which only the beginning was given.

    :raises NotFound: no run begins so.
    :raises Conflict: more than one run begins so.
    :raises InvalidInput: the text cannot be the beginning of an id, or is too short.
    """
    if not re.fullmatch(r"[0-9A-Za-z_.-]+", given):
        raise InvalidInput("run id", given, "it is made of letters and digits.", _HINT)
    if len(given) >= _FULL:
        return tx.runs.get(given).run_id
    if len(given) < _SHORTEST:
        raise InvalidInput("run id", given, f"give at least {_SHORTEST} characters.", _HINT)
    return _complete(tx, given)


_HINT = "See mltrack runs list"


def _complete(tx: Transaction, prefix: str) -> str:
    experiment_ids = [item.experiment_id for item in tx.experiments.list(view="all")]
    page = tx.search.runs(
        experiment_ids=experiment_ids,
        filter=f"attributes.run_id LIKE '{prefix.replace('_', '%')}%'",
        max_results=20,
        view="all",
    )
    # `_` is a wildcard of LIKE, so what was found is compared once more.
    found = [data.run.run_id for data in page.runs if data.run.run_id.startswith(prefix)]
    if prefix in found:
        return prefix
    if not found:
        raise NotFound("run", prefix, _HINT)
    if len(found) > 1:
        raise Conflict(
            "run id", prefix, f"several runs begin so: {', '.join(found[:5])}.", "Give more of it."
        )
    return found[0]
