"""Claims of any shape are judged: accepted for the right account only, refused in words otherwise."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.errors import Refused
from handlers.service_accounts import Expected, judge

HIVE = Expected(namespace="hive", name="hive-frontend", cluster="hive-integration")
FLAT = "kubernetes.io/serviceaccount/"
NOW = 1_900_000_000.0
GOOD = {
    "iss": "kubernetes/serviceaccount",
    "sub": "system:serviceaccount:hive:hive-frontend",
    FLAT + "namespace": "hive",
    FLAT + "service-account.name": "hive-frontend",
}
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=200) | st.sampled_from(["hive"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["namespace", "pod", "name"]), inner),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from([*GOOD, "exp", "nbf", "kubernetes.io"]), ANYTHING))
def test_claims_of_any_shape(claims: dict[str, Any]) -> None:
    """Whatever the claims are, either they name the account in every place or there is a refusal in one clean line."""
    try:
        judge(claims, HIVE, "somewhere", NOW, 0)
    except Refused as refusal:
        assert refusal.what.startswith("The token in somewhere ")
        assert refusal.what.isprintable()
        assert len(refusal.what) < 400
    else:
        assert claims["sub"] == HIVE.subject


@given(st.sampled_from(sorted(GOOD)), ANYTHING)
def test_one_wrong_claim_is_enough(name: str, value: object) -> None:
    """A good token with any one of its identifying claims changed is refused; the issuer only if one is expected."""
    if value == GOOD[name]:
        return
    expected = HIVE.model_copy(update={"issuer": "https://issuer.example.com"})
    with pytest.raises(Refused):
        judge({**GOOD, name: value}, expected, "somewhere", NOW, 0)


@pytest.mark.parametrize(
    ("left", "told"),
    [(60, "1 min"), (59 * 60, "59 min"), (5 * 3600, "5 h"), (50 * 3600, "2 days"), (30 * 86400, None)],
)
def test_an_end_in_sight(left: float, told: str | None) -> None:
    """A token that ends within the time to warn says so in a unit that a person thinks in."""
    warnings = judge({**GOOD, "exp": NOW + left}, HIVE, "somewhere", NOW, 10 * 86400)
    assert warnings == (() if told is None else (f"The token in somewhere expires in {told}.",))
