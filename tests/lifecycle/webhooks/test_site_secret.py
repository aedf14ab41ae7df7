"""Secrets of webhooks in the database: only who has the site's secret reads them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_mltrack.exceptions import InvalidInput
from airflow_mltrack.lifecycle.webhooks.site_secret import (
    OWN_SECRET_LIMIT,
    check_own_secret,
    seal,
    unseal,
)

KEY = b"the webhook secret of this site"
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=100)


@given(secret=TEXT)
def test_what_was_sealed_is_read_with_the_same_secret_only(secret: str) -> None:
    sealed = seal(secret, KEY)
    assert unseal(sealed, KEY) == secret.encode()
    assert seal(secret, KEY) != sealed  # equal secrets cannot be told
    with pytest.raises(InvalidInput, match="another webhook secret of this site"):
        unseal(sealed, KEY + b".")


def test_a_token_that_was_touched_is_refused_without_being_shown() -> None:
    sealed = seal("hush", KEY)
    other = "A" if sealed[40] != "A" else "B"
    for touched in ("", "é", sealed[:-4], sealed[:40] + other + sealed[41:]):
        with pytest.raises(InvalidInput, match="anew") as caught:
            unseal(touched, KEY)
        assert "hush" not in str(caught.value)
        assert not touched or touched not in str(caught.value)


@pytest.mark.parametrize("secret", ["", "x" * (OWN_SECRET_LIMIT + 1), "hush\x00", "hush\ud800"])
def test_a_secret_that_cannot_be_kept_is_refused_without_being_shown(secret: str) -> None:
    with pytest.raises(InvalidInput, match="1 to 1,000") as caught:
        check_own_secret(secret)
    assert "hush" not in str(caught.value)
    assert caught.value.__cause__ is None
