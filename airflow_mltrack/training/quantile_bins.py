"""Cut numbers into bins of about equally many rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_mltrack.exceptions import InvalidInput

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


def quantile_edges(values: Floats, bins: int) -> Floats:
    """Return the inner edges between bins, increasing.

    Equal numbers are never torn apart, so there may be fewer bins than asked for: one more than
    there are edges.

    :param values: shape (rows,), finite, at least one.
    :param bins: how many bins to aim at, 2 or more.
    """
    import numpy as np

    if bins < 2:
        raise InvalidInput("number of bins", bins, "it is at least 2.")
    ordered = np.sort(values)
    # The last row of each bin, in whole numbers: shares such as 0.3 have no exact float.
    last = (np.arange(1, bins) * ordered.size + bins - 1) // bins - 1
    edges = np.unique(ordered[last])
    lower = ordered[ordered < ordered[-1]]
    # The highest number is no edge: it would leave the last bin empty.
    below: Floats = edges[edges < ordered[-1]]
    return below if below.size or not lower.size else lower[-1:]


def bin_of(values: Floats, edges: Floats) -> NDArray[np.int64]:
    """Return the number of each value's bin, from 0; a value on an edge lies in the lower bin."""
    import numpy as np

    return np.searchsorted(edges, values, side="left").astype(np.int64)
