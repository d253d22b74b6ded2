"""What the bot relies on in Red Hat SSO (Keycloak). Asked of the stand-in; and of a real realm when
HIVEKEEPER_LIVE_SSO_ISSUER is set (_CLIENT if it is not cloud-services, _CA for a CA file), as far as the rest is there:
_TOKEN, an offline token of that client, which is refreshed and so kept alive; _ACCOUNT and _SECRET of a service account;
_DEVICE=1 where the client may begin sign-ins by device flow (one is begun and left to lapse)."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import jwt
import pytest

from bot.core.errors import Refused
from bot.core.secret import Secret
from bot.identity import Realm
from bot.settings import parse
from bot.tools.fingerprints import KeyedFingerprints
from bot.tools.sign_ins import BrowserSignIns
from bot.tools.sso import Realms
from bot.tools.sso_device import DeviceFlow
from bot.tools.sso_wire import Endpoints
from bot.tools.tokens import JwtClaims
from playground.server import run_in_thread
from playground.sso import SsoStandIn
from playground.sso_clients import Client

PARTS = ("ISSUER", "CLIENT", "CA", "TOKEN", "ACCOUNT", "SECRET", "DEVICE")
LIVE = {part: os.environ.get(f"HIVEKEEPER_LIVE_SSO_{part}", "") for part in PARTS}


@dataclass
class Place:
    """A realm; empty: this place has none. `account`: client id and secret. `realm`: the stand-in itself."""

    settings: dict[str, Any]
    token: str = field(default="", repr=False)
    account: tuple[str, str] = field(default=("", ""), repr=False)
    device: bool = False
    realm: SsoStandIn | None = None

    def configured(self, **changed: Any) -> dict[str, Realm]:
        accounts = {"ci": {"method": "client_secret", "client_id": self.account[0] or "x", "secret": {"env": "X"}}}
        own = {"timeout": 20, "device_flow": self.device, "accounts": accounts}
        return dict(parse({"sso": {"here": self.settings | own | changed}}, "settings of the test").sso)

    def open(self, secret: str = "", **changed: Any) -> Realms:
        key = KeyedFingerprints(Secret("a key for these tests only"))
        return Realms(self.configured(**changed), lambda _: Secret(secret or self.account[1]), key)

    @property
    def sign_ins(self) -> BrowserSignIns:
        return BrowserSignIns({"sso": DeviceFlow(self.configured())})


def stand_in() -> Iterator[Place]:
    realm, secret = SsoStandIn(), secrets.token_hex()
    realm.clients.add(Client("ocm-ci", secret=secret))
    server = run_in_thread(realm.app(), date_header=False)
    settings = {"issuer": realm.issuer, "address": server.url + realm.PATH}
    yield Place(settings, realm.offline_token("bee"), ("ocm-ci", secret), device=True, realm=realm)
    server.stop()


def live() -> Iterator[Place]:
    settings = {"issuer": LIVE["ISSUER"]} | ({"client_id": LIVE["CLIENT"]} if LIVE["CLIENT"] else {})
    settings |= {"ca_file": LIVE["CA"]} if LIVE["CA"] else {}
    yield Place(settings, LIVE["TOKEN"], (LIVE["ACCOUNT"], LIVE["SECRET"]), device=bool(LIVE["DEVICE"]))


PLACES = {"stand-in": stand_in, "live": live}


@pytest.fixture(scope="module", params=["stand-in", *(["live"] if LIVE["ISSUER"] else [])])
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    yield from PLACES[request.param]()


@pytest.fixture
def played() -> Iterator[Place]:
    """The stand-in alone, fresh: for what a real realm cannot be asked to do."""
    yield from stand_in()


def test_what_a_realm_says_of_itself(place: Place) -> None:
    """The issuer to the letter, its endpoints, and the keys that its tokens are signed with."""
    document = Endpoints("here", place.configured()["here"]).discovered()
    assert document["issuer"] == place.settings["issuer"]
    assert document["token_endpoint"].endswith("/protocol/openid-connect/token")
    assert document["device_authorization_endpoint"].endswith("/protocol/openid-connect/auth/device")
    assert place.open().issuer("here") == document["issuer"]


@pytest.mark.parametrize("token", ["x", "a.b.c", jwt.encode({"typ": "Offline"}, "0" * 64, algorithm="HS256")])
def test_a_token_that_is_none_of_its_own(place: Place, token: str) -> None:
    """Whatever it is, it is invalid, and no trouble of the server's."""
    assert place.open().refresh("here", Secret(token)).judged.verdict == "invalid_token"


def test_no_token(place: Place) -> None:
    """Told apart from one that is not good."""
    assert place.open().refresh("here", Secret("")).judged.verdict in ("no_token", "invalid_token")


def test_a_client_that_is_not_there(place: Place) -> None:
    """The client is refused before the token is looked at."""
    token, client = Secret(place.token or "x"), f"hivekeeper-{secrets.token_hex(4)}"
    assert place.open().refresh("here", token, client=client).judged.verdict == "client_refused"


def test_a_good_offline_token(place: Place, canary: Any) -> None:
    """It has no end of its own, and the realm signs what it gives for it with keys that it publishes."""
    if not place.token:
        return
    canary.add("offline token", place.token)
    claims = JwtClaims().claims(Secret(place.token))
    assert claims["typ"] == "Offline"
    assert claims["iss"] == place.settings["issuer"]
    assert claims["azp"] == place.open().client("here")
    assert claims.keys() >= {"sub", "iat", "jti"}
    found = place.open().refresh("here", Secret(place.token))
    assert (found.judged.good, found.judged.offline) == (True, True)
    assert found.judged.access_seconds is not None
    assert found.access is not None
    access = JwtClaims().claims(found.access)
    assert (access["typ"], access["iss"], access["azp"]) == ("Bearer", claims["iss"], claims["azp"])
    assert access["exp"] - time.time() == pytest.approx(found.judged.access_seconds, abs=60)


def test_the_keys_fit_the_tokens(place: Place) -> None:
    """An access token is verified by the published key of its kid."""
    if not place.token:
        return
    found = place.open().refresh("here", Secret(place.token))
    assert found.access is not None
    text, keys = found.access.reveal(), Endpoints("here", place.configured()["here"]).discovered()["jwks_uri"]
    known = jwt.PyJWKSet.from_dict(httpx.get(keys, verify=place.settings.get("ca_file") or True).json())
    key = known[jwt.get_unverified_header(text)["kid"]]
    jwt.decode(text, key, algorithms=["RS256", "PS256", "ES256"], options={"verify_aud": False})


def test_a_service_account(place: Place, canary: Any) -> None:
    """Its login is an access token and no more; with another secret it is refused."""
    if not place.account[0]:
        return
    canary.add("secret", place.account[1])
    found = place.open().login("here", "ci")
    assert (found.judged.good, found.access is not None, found.instead) == (True, True, None)
    assert place.open(secrets.token_hex()).login("here", "ci").judged.verdict == "client_refused"


def test_a_sign_in_begins(place: Place) -> None:
    """With a link, a code and an end; nobody has approved it yet."""
    if not place.device:
        return
    invited = place.sign_ins.start("sso/here")
    assert invited.link.startswith(("https://", "http://127.0.0.1"))
    assert invited.expires_at > time.time() + 30
    assert place.sign_ins.poll("sso/here", invited.device) is None


def test_a_sign_in_that_nobody_began(place: Place) -> None:
    """Refused, with the advice to begin anew."""
    if place.device:
        with pytest.raises(Refused, match="anew"):
            place.sign_ins.poll("sso/here", Secret("nobodys"))


# --- what a session comes to: of the stand-in only, because it ends them ---


def tried(place: Place, token: str, client: str = "") -> str:
    """The verdict, asked anew each time."""
    return place.open().refresh("here", Secret(token), client=client).judged.verdict


def test_a_session_that_lay_idle(played: Place) -> None:
    """It is found to have ended once; from then on it is not found."""
    assert played.realm
    played.realm.idle("bee")
    assert [tried(played, played.token) for _ in range(3)] == ["session_not_active", *["session_not_found"] * 2]
    assert tried(played, played.realm.recycle("bee")) == "good"


def test_a_session_that_was_revoked(played: Place) -> None:
    """Not found at once."""
    assert played.realm
    played.realm.end_session("bee")
    assert tried(played, played.token) == "session_not_found"


def test_a_token_that_is_not_offline(played: Place) -> None:
    """Good while its session lasts; then it says so in words of its own, by the end it names itself or before."""
    assert played.realm
    token = played.realm.ordinary_token("bee", seconds=60)
    assert tried(played, token) == "good"
    played.realm.idle("bee")
    assert [tried(played, token) for _ in range(2)] == ["ordinary_session"] * 2
    assert tried(played, played.realm.ordinary_token("bee", seconds=-60)) == "token_not_active"


def test_tokens_of_others(played: Place) -> None:
    """Another client's, another realm's, one that was cut off."""
    assert played.realm
    played.realm.clients.add(Client("rhsm-api"))
    assert tried(played, played.token, "rhsm-api") == "wrong_client"
    assert tried(played, SsoStandIn("https://other.example.com/auth/realms/x").offline_token("bee")) == "invalid_token"
    assert tried(played, played.token[:-20]) == "invalid_token"


def test_rotation(played: Place) -> None:
    """The token before the newest is refused for reuse, older ones as stale; the newest is good."""
    assert played.realm
    played.realm.rotate()
    tokens = [Secret(played.token)]
    for _ in range(2):
        instead = played.open().refresh("here", tokens[-1]).instead
        assert instead is not None
        tokens.append(instead)
    verdicts = [played.open().refresh("here", token).judged.verdict for token in tokens]
    assert verdicts == ["stale_token", "stale_token", "good"]


@pytest.mark.parametrize(
    ("state", "verdict"),
    [
        ("without client", "client_session_ended"),
        ("client idle", "client_session_ended"),
        ("of another client", "wrong_client"),
    ],
)
def test_a_session_and_its_client(played: Place, state: Any, verdict: str) -> None:
    """The ways in which a session may not go with the client any more."""
    assert played.realm
    played.realm.sessions.of("bee")[0].state = state
    assert tried(played, played.token) == verdict


def test_what_happens_to_the_owner(played: Place) -> None:
    """All tokens up to now revoked, the account disabled, the account gone."""
    assert played.realm
    owner = played.realm.sessions.user("bee")
    owner.not_before = time.time() + 60
    assert tried(played, played.token) == "stale_token"
    owner.enabled = False
    assert tried(played, played.token) == "owner_disabled"
    del played.realm.sessions.users["bee"]
    assert tried(played, played.token) == "invalid_token"


@pytest.mark.parametrize("old", [False, True], ids=["new words", "old words"])
def test_servers_of_two_ages(played: Place, old: bool) -> None:
    """An unknown client is refused with one error or the other: the verdict is the same."""
    assert played.realm
    played.realm.clients.old_words = old
    assert tried(played, played.token, "nobody") == "client_refused"
