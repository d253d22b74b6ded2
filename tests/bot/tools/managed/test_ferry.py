"""FERRY is asked with a client certificate or a bearer token, and its envelopes are judged, not its status alone."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from bot.core.errors import Refused, Told, Transient
from bot.core.grid import Account
from bot.managed import Ferry
from bot.sources import FromEnv
from bot.tools import ferry as tool
from bot.tools.calls import Service
from bot.tools.ferry import FerryAccounts
from bot.tools.http_answer import Answer
from playground import broken
from playground.ferry import FerryStandIn, serve, tls
from tests.certificates import certificate


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Path]]:
    """Certificates and keys of the server, of the bot, of a stranger, and of one that the server does not trust."""
    folder = tmp_path_factory.mktemp("certificates")
    return {name: certificate(folder, name) for name in ("server", "hivekeeper", "stranger", "untrusted")}


@pytest.fixture(scope="module")
def context(pairs: dict[str, tuple[Path, Path]]) -> ssl.SSLContext:
    folder = pairs["server"][0].parent
    trusted = folder / "clients.pem"
    trusted.write_bytes(pairs["hivekeeper"][0].read_bytes() + pairs["stranger"][0].read_bytes())
    return tls(*pairs["server"], trusted)


@pytest.fixture
def stand_in() -> FerryStandIn:
    return FerryStandIn({"dunepro": 50381, "mu2epro": 44592}, clients={"hivekeeper"})


@pytest.fixture
def url(stand_in: FerryStandIn, context: ssl.SSLContext) -> Iterator[str]:
    with serve(stand_in, context) as server:
        yield server.url


class Asking:
    def __init__(self, url: str, pairs: dict[str, tuple[Path, Path]], resolve: Any) -> None:
        self.url, self.pairs, self.resolve = url, pairs, resolve

    def __call__(self, who: str = "hivekeeper", **changed: Any) -> FerryAccounts:
        cert, key = self.pairs[who]
        given = {"address": self.url, "cert": cert, "key": key, "ca_file": self.pairs["server"][0], "timeout": 60}
        return FerryAccounts(Ferry(**{**given, **changed}), self.resolve)


@pytest.fixture
def asking(url: str, pairs: dict[str, tuple[Path, Path]], resolve: Any) -> Asking:
    return Asking(url, pairs, resolve)


def test_an_account_with_a_client_certificate(asking: Asking, stand_in: FerryStandIn) -> None:
    """The name is asked for in small letters; UID, state and day come back."""
    known = Account(name="dunepro", uid=50381, active=True, expires_on="2038-01-01")
    assert asking().account(" DunePro ") == known
    assert stand_in.log == ["/getUserInfo?username=dunepro"]


def test_an_account_with_a_bearer_token(asking: Asking, stand_in: FerryStandIn, kept: Any, canary: Any) -> None:
    """A token goes in the header and nowhere else."""
    kept["FERRY"] = canary("bearer")
    stand_in.tokens.add(kept["FERRY"])
    canary.watch("the log of FERRY", lambda: "\n".join(stand_in.log))
    bearer = asking(cert=None, key=None, token=FromEnv(env="FERRY"))
    found = bearer.account("mu2epro")
    assert found is not None
    assert found.uid == 44592


def test_a_name_that_ferry_does_not_know(asking: Asking) -> None:
    """200 with an envelope that says failure is None, not an account."""
    assert asking().account("nobody") is None


@pytest.mark.parametrize(
    ("about", "expected"),
    [
        ({"status": False}, {"active": False}),
        ({"status": None}, {"active": False}),
        ({"status": "true"}, {"active": False}),
        ({"uid": 0}, {"uid": None}),
        ({"uid": None}, {"uid": None}),
        ({"uid": -3}, {"uid": None}),
        ({"uid": True}, {"uid": None}),
        ({"uid": "77"}, {"uid": 77}),
        ({"uid": 2**31}, {"uid": None}),
        ({"banned": True}, {"banned": True}),
        ({"banned": False}, {"banned": False}),
        ({"expirationdate": "gobbledygook"}, {"expires_on": ""}),
    ],
)
def test_what_is_said_of_an_account(asking: Asking, stand_in: FerryStandIn, about: Any, expected: Any) -> None:
    """Only what says plainly that all is well is taken for that."""
    stand_in.about["dunepro"] = about
    found = asking().account("dunepro")
    assert found is not None
    assert {key: getattr(found, key) for key in expected} == expected


@pytest.mark.parametrize("name", ["", "a b", "a&username=b", "../x", "ä", "a" * 40, "-a", "a\nb"])
def test_a_name_that_could_not_be_one(asking: Asking, stand_in: FerryStandIn, name: str) -> None:
    """It is refused before it is sent."""
    with pytest.raises(Refused):
        asking().account(name)
    assert stand_in.log == []


@pytest.mark.parametrize("who", ["stranger", "untrusted"])
def test_a_certificate_that_may_not(asking: Asking, clean: Any, who: str) -> None:
    """Turned down by FERRY's word or in the handshake, it is refused, and the certificate named as a reason."""
    with pytest.raises(Told) as problem:
        asking(who).account("dunepro")
    clean(problem.value)
    assert who == "untrusted" or isinstance(problem.value, Refused)
    assert "ferry.cert" in problem.value.now


def test_a_certificate_that_is_over(asking: Asking, stand_in: FerryStandIn, tmp_path: Path) -> None:
    """It is not sent, and told with its day: what a server does with one looks like a broken network."""
    cert, key = certificate(tmp_path, "over", days=-2)
    with pytest.raises(Refused, match=r"client certificate ended on 20\d\d-\d\d-\d\d") as problem:
        asking(cert=cert, key=key).account("dunepro")
    assert str(cert) in problem.value.now
    assert stand_in.log == []


def test_certificates_that_do_not_fit(asking: Asking, pairs: Any, tmp_path: Path, clean: Any) -> None:
    """A key of another pair, a missing file and a FERRY of another authority each have a sentence."""
    wrong = [
        ({"key": pairs["stranger"][1]}, "go together"),
        ({"cert": tmp_path / "none.pem"}, "cannot be read"),
        ({"ca_file": pairs["stranger"][0]}, "does not trust"),
    ]
    for changed, told in wrong:
        with pytest.raises(Refused, match=told) as problem:
            asking(**changed).account("dunepro")
        clean(problem.value)


@pytest.mark.parametrize(
    ("state", "kind"), [("database", Transient), (500, Transient), (503, Transient), (404, Refused), (200, Transient)]
)
def test_ferry_in_trouble(asking: Asking, stand_in: FerryStandIn, clean: Any, state: Any, kind: type[Told]) -> None:
    """What is no clear word about the account is an error, never None."""
    stand_in.state = state
    with pytest.raises(kind) as problem:
        asking().account("dunepro")
    clean(problem.value)


def test_ferry_away_or_slow(asking: Asking, stand_in: FerryStandIn) -> None:
    """Nobody there, and an answer that takes too long, are to be tried again."""
    stand_in.delay = 0.4
    for changed in ({"timeout": 0.1}, {"address": f"https://127.0.0.1:{broken.unused_port()}"}):
        with pytest.raises(Transient):
            asking(**changed).account("dunepro")


def test_the_check(asking: Asking, stand_in: FerryStandIn) -> None:
    """It asks for a name that there is not, and says whether that may be asked."""
    settings = asking()._settings
    ends = x509.load_pem_x509_certificate(asking.pairs["hivekeeper"][0].read_bytes()).not_valid_after_utc
    assert tool.check(settings, asking.resolve).endswith(f"good until {ends:%Y-%m-%d}.")
    stand_in.clients.clear()
    with pytest.raises(Refused, match="does not let the bot ask"):
        tool.check(settings, asking.resolve)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
ENVELOPES = st.dictionaries(
    st.sampled_from(["ferry_status", "ferry_error", "ferry_output"]),
    st.sampled_from(["success", "failure", ["username not found"], {"uid": 5, "status": True}]) | JSON,
)


@given(ENVELOPES | JSON, st.sampled_from([200, 401, 500]))
def test_any_envelope(document: Any, status: int) -> None:
    """Whatever comes, it is an account only when status and envelope say success; else an error of ours, or None."""
    answer = Answer("answered", status=status, body=json.dumps(document).encode())
    try:
        found = tool._output(answer, "dunepro", Service("FERRY", "ferry", 1))
    except Told:
        return
    assert status == 200
    assert document["ferry_status"] == ("failure" if found is None else "success")
