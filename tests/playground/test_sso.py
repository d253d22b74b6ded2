"""The played realm: its page, its words for signed logins, and the doors it opens to other stand-ins."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from playground.server import run_in_thread
from playground.sso import DEVICE_GRANT, SsoStandIn
from playground.sso_clients import ASSERTION, Client

KEY = ec.generate_private_key(ec.SECP256R1())
PUBLIC = KEY.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


@pytest.fixture
def realm() -> SsoStandIn:
    made = SsoStandIn()
    made.clients.add(Client("ocm-ci", key=PUBLIC.decode()))
    return made


@pytest.fixture
def http(realm: SsoStandIn) -> Iterator[httpx.Client]:
    server = run_in_thread(realm.app(), date_header=False)
    with httpx.Client(base_url=server.url + realm.PATH, trust_env=False) as client:
        yield client
    server.stop()


def ask(http: httpx.Client, **form: Any) -> httpx.Response:
    return http.post("/protocol/openid-connect/token", data=form)


def assertion(realm: SsoStandIn, *, algorithm: str = "ES256", key: Any = KEY, **changed: Any) -> str:
    claims = {"iss": "ocm-ci", "sub": "ocm-ci", "aud": realm.issuer, "exp": time.time() + 60, "jti": str(uuid.uuid4())}
    return jwt.encode({name: it for name, it in (claims | changed).items() if it is not None}, key, algorithm=algorithm)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"client_assertion_type": ""}, "Parameter client_assertion_type is missing"),
        ({"client_assertion": ""}, "client_assertion parameter missing"),
        ({"sub": None}, "Token sub claim is required"),
        ({"client_id": "other"}, "client_id parameter does not match sub claim"),
        ({"algorithm": "HS256", "key": "0" * 64}, "Invalid signature algorithm"),
        ({"aud": "https://other.example.com"}, "Invalid token audience"),
        ({"exp": None}, "Token exp claim is required"),
        ({"exp": 1}, "Token is not active"),
        ({"iat": 9e9}, "Token is not active"),
        ({"jti": None}, "Token jti claim is required"),
        ({"key": ec.generate_private_key(ec.SECP256R1())}, "Signature on JWT token failed validation"),
        ({"sub": "secret", "iss": "secret"}, "Unable to load public key"),
        ({"client_assertion": "x"}, "Client authentication with signed JWT failed"),
    ],
    ids=lambda value: value if isinstance(value, str) else "-".join(value),
)
def test_signed_logins_are_refused_in_keycloaks_words(
    realm: SsoStandIn, http: httpx.Client, changed: dict[str, Any], words: str
) -> None:
    """Each fault has its description, with status 400 and invalid_client."""
    realm.clients.add(Client("secret", secret="x"))
    form = {"grant_type": "client_credentials", "client_assertion_type": ASSERTION}
    fields = {name: value for name, value in changed.items() if name.startswith("client_")}
    claims = {name: value for name, value in changed.items() if name not in fields}
    answer = ask(http, **{**form, "client_assertion": assertion(realm, **claims), **fields})
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_client")
    assert words in answer.json()["error_description"]


def test_a_signed_login_is_good_for_once(realm: SsoStandIn, http: httpx.Client) -> None:
    """The same JWT a second time is reuse, by whatever name it calls the realm."""
    for audience in (realm.issuer, f"{realm.issuer}/protocol/openid-connect/token", ["x", realm.issuer]):
        form = {"grant_type": "client_credentials", "client_assertion_type": ASSERTION,
                "client_assertion": assertion(realm, aud=audience)}  # fmt: skip
        assert ask(http, **form).status_code == 200
        assert ask(http, **form).json()["error_description"] == "Token reuse detected"


def test_nobody_asks(http: httpx.Client) -> None:
    """A request without a client, and one for a grant that there is not."""
    assert ask(http, grant_type="refresh_token").json()["error_description"] == "Missing client_id parameter"
    odd = ask(http, grant_type="password", client_id="cloud-services")
    assert odd.json()["error"] == "unsupported_grant_type"


@pytest.mark.parametrize(("answer", "status", "error"), [("yes", 200, None), ("no", 400, "access_denied")])
def test_a_person_decides_on_the_page(
    realm: SsoStandIn, http: httpx.Client, answer: str, status: int, error: str | None
) -> None:
    """The link opens a page with the code in it and the people to sign in as; one click decides, once."""
    realm.devices.interval = 0
    realm.sessions.user("bee <b>")
    begun = http.post("/protocol/openid-connect/auth/device", data={"client_id": "cloud-services"}).json()
    page = http.get(begun["verification_uri_complete"])
    assert f'value="{begun["user_code"]}"' in page.text
    assert "<option>bee &lt;b&gt;</option>" in page.text
    form = {"user_code": begun["user_code"].lower(), "user": "bee <b>", "answer": answer}
    assert http.post("/device", data=form).status_code == 200
    assert http.post("/device", data=form).status_code == 400
    told = ask(http, grant_type=DEVICE_GRANT, client_id="cloud-services", device_code=begun["device_code"])
    assert (told.status_code, told.json().get("error")) == (status, error)


def test_what_the_page_refuses(realm: SsoStandIn, http: httpx.Client) -> None:
    """A made-up code, and somebody whom the realm does not know."""
    code = realm.devices.begin("cloud-services", offline=True).code
    realm.sessions.user("bee")
    assert http.post("/device", data={"user_code": "<x>", "user": "bee", "answer": "yes"}).status_code == 400
    assert http.post("/device", data={"user_code": code, "user": "wasp", "answer": "yes"}).status_code == 400
    assert realm.devices.waiting() == [code]


def test_other_stand_ins_ask_whose_a_token_is(realm: SsoStandIn, http: httpx.Client) -> None:
    """An access token of this realm, until its end; no refresh token, and nobody else's."""
    token = realm.offline_token("bee")
    form = {"grant_type": "refresh_token", "client_id": "cloud-services", "refresh_token": token}
    access = ask(http, **form).json()["access_token"]
    claims = realm.whose(access)
    assert claims is not None
    assert claims["preferred_username"] == "bee"
    other = SsoStandIn("https://other.example.com/auth/realms/x")
    assert (realm.whose(token), other.whose(access), realm.whose("x")) == (None, None, None)
    realm.off = 901.0
    assert realm.whose(access) is None


def test_it_tells_its_own_time(realm: SsoStandIn, http: httpx.Client) -> None:
    """One Date, as far ahead as its clock."""
    realm.off = 7200.0
    (date,) = http.get("/.well-known/openid-configuration").headers.get_list("Date")
    assert parsedate_to_datetime(date).timestamp() == pytest.approx(time.time() + 7200, abs=5)
    assert http.get("/nothing").status_code == 404
