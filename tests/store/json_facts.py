"""JSON-able data of every shape, for property tests."""

from __future__ import annotations

from hypothesis import strategies as st

TEXT = st.text(st.characters(exclude_characters="\x00", codec="utf-8"), max_size=8)
FACTS = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
