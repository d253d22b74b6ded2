"""What is told of Kerberos's codes."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.errors import Refused, Transient
from bot.core.grid import Service
from bot.tools import kerberos, kerberos_told

BEE = Service(name="dune_bee", experiment="dune", role="bee", account="bee", principal="bee@X.LOCAL", keytab="/k/bee")


class Foreign(Exception):
    """As gssapi's errors are: a code of 32 bits, read with or without its sign, and text."""

    def __init__(self, number: int, *, signed: bool = False) -> None:
        super().__init__("KDC kdc7.internal.example.com said: hunter2")
        self.min_code = number + kerberos_told.BASE - (1 << 32 if signed else 0)


@given(number=st.integers(-10, 400), signed=st.booleans())
def test_every_code_becomes_two_sentences_of_ours(number: int, signed: bool) -> None:
    """Whatever the code is: what and what to do, with nothing of the library's text, signed or not."""
    told = kerberos_told.failure(Foreign(number, signed=signed), BEE)
    assert isinstance(told, Refused | Transient)
    assert told.what.endswith(".")
    assert told.now
    assert "hunter2" not in str(told)
    assert "{" not in str(told)
    assert str(told) == str(kerberos_told.failure(Foreign(number, signed=not signed), BEE))


@pytest.mark.parametrize(
    ("number", "words"),
    [(6, "does not know the principal bee@X.LOCAL"), (7, "does not know the server"), (23, "key of bee@X.LOCAL has expired"),
     (24, "does not accept the key"), (37, "clock"), (148, "clock"), (156, "No KDC"), (195, "holds no key"), (14, "encryption"),
     (154, "no realm that fits"), (136, "configuration cannot be understood")],
)  # fmt: skip
def test_codes_and_their_meaning(number: int, words: str) -> None:
    """The codes of krb5.h, each by what a person can do about it."""
    assert words in kerberos_told.failure(Foreign(number), BEE).what


def test_only_an_absent_kdc_and_an_ended_ticket_are_tried_again() -> None:
    """All else stays wrong until somebody changes something."""
    again = {number for number, meaning in kerberos_told.MEANINGS.items() if meaning.kind is Transient}
    assert again == {29, 32, 156, 220}


def test_without_the_extra_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not an ImportError."""
    monkeypatch.setitem(sys.modules, "gssapi", None)
    with pytest.raises(Refused, match="without Kerberos"):
        kerberos.library()
