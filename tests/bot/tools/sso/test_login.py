"""Service accounts log in by secret, or with a JWT that they sign and that is good for once."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from bot.core.errors import Refused
from playground.sso_clients import ASSERTION, Client

Clean = Callable[[BaseException], None]
KEYS: dict[str, Any] = {
    "RS256": lambda: rsa.generate_private_key(public_exponent=65_537, key_size=2048),
    "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate,
}
SECRET = {"ci": {"method": "client_secret", "client_id": "ocm-ci", "secret": {"env": "SECRET"}}}


def signed(algorithm: str = "ES256", **more: Any) -> dict[str, Any]:
    own = {"method": "private_key_jwt", "client_id": "ocm-ci", "key": {"env": "KEY"}, "algorithm": algorithm}
    return {"ci": own | more}


def pair(scene: Any, canary: Any, algorithm: str = "ES256") -> str:
    """The bot gets the private key; the public one is returned."""
    made = KEYS[algorithm]()
    pem = made.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    scene.kept["KEY"] = pem
    canary.add("private key", pem.splitlines()[1])
    public = made.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return str(public.decode())


def test_by_secret(scene: Any, canary: Any) -> None:
    """In the header, as OCM's own client does, with client and scope in the form; there is no refresh token."""
    secret = scene.kept["SECRET"] = canary("client secret")
    scene.realm.clients.add(Client("ocm-ci", secret=secret))
    found = scene.open(accounts=SECRET).login("redhat", "ci")
    assert (found.judged.good, found.judged.offline, found.instead) == (True, False, None)
    assert scene.realm.whose(found.access.reveal())["azp"] == "ocm-ci"
    assert scene.realm.forms == [{"grant_type": "client_credentials", "client_id": "ocm-ci", "scope": "openid"}]
    assert scene.realm.logins == ["Basic " + base64.b64encode(f"ocm-ci:{secret}".encode()).decode()]


@pytest.mark.parametrize("client", [Client("ocm-ci", secret="another"), Client("ocm-ci"), None])
def test_a_secret_that_is_not_taken(scene: Any, canary: Any, client: Client | None) -> None:
    """Another secret, a client without an account, no such client: the client is refused, no token."""
    scene.kept["SECRET"] = canary("client secret")
    if client:
        scene.realm.clients.add(client)
    found = scene.open(accounts=SECRET).login("redhat", "ci")
    assert (found.judged.verdict, found.access) == ("client_refused", None)
    assert "service account" in found.judged.told


@pytest.mark.parametrize("algorithm", KEYS)
def test_by_signature(scene: Any, canary: Any, algorithm: str) -> None:
    """The realm takes it twice, because each is another; it names itself, the realm and its end."""
    scene.realm.clients.add(Client("ocm-ci", key=pair(scene, canary, algorithm), kid="k1"))
    tool = scene.open(accounts=signed(algorithm, kid="k1"))
    assert [tool.login("redhat", "ci").judged.verdict for _ in range(2)] == ["good", "good"]
    first, second = (
        jwt.decode(form["client_assertion"], options={"verify_signature": False}) for form in scene.realm.forms
    )
    assert first["jti"] != second["jti"]
    assert (first["iss"], first["sub"], first["aud"]) == ("ocm-ci", "ocm-ci", scene.realm.issuer)
    assert 0 < first["exp"] - time.time() <= 60
    form = {name: value for name, value in scene.realm.forms[0].items() if name != "client_assertion"}
    assert form == {"grant_type": "client_credentials", "client_id": "ocm-ci", "scope": "openid",
                    "client_assertion_type": ASSERTION}  # fmt: skip
    assert scene.realm.logins == ["", ""]


@pytest.mark.parametrize(
    ("client", "words"),
    [
        (lambda key: Client("ocm-ci", key=key, kid="k2"), "no public key for the service account"),
        (lambda _: Client("ocm-ci", secret="x"), "no public key for the service account"),
        (lambda _: Client("ocm-ci", key="gobbledygook"), "another public key"),
        (lambda key: Client("ocm-ci", key=key, enabled=False), "its id, secret or key is wrong, or it is disabled"),
    ],
    ids=["another kid", "a secret", "another key", "disabled"],
)
def test_a_signature_that_is_not_taken(scene: Any, canary: Any, client: Any, words: str) -> None:
    """What the realm lacks is said, by its words."""
    scene.realm.clients.add(client(pair(scene, canary)))
    judged = scene.open(accounts=signed(kid="k1")).login("redhat", "ci").judged
    assert judged.verdict == "client_refused"
    assert words in judged.told


@pytest.mark.parametrize(
    ("description", "words"),
    [
        ("Token reuse detected", "takes each only once"),
        ("Token is not active", "past its end, or not valid yet"),
        ("Invalid signature algorithm", "does not take the algorithm"),
        ("Invalid token audience", "its issuer is another"),
        ("Unable to load public key", "no public key"),
        (
            "Client authentication with signed JWT failed: Signature on JWT token failed validation",
            "another public key",
        ),
        ("Public client not allowed to retrieve service account", "no service account switched on"),
        ("Missing client_id parameter", "was not told which client asks"),
        ("Token exp claim is required", "its id, secret or key is wrong"),
    ],
)
def test_each_refusal_of_a_service_account(scene: Any, canary: Any, description: str, words: str) -> None:
    """One sentence for each, with none of the server's words around it."""
    pair(scene, canary)
    scene.realm.refusal = (400, "invalid_client", f"{description} gobbledygook")
    told = scene.open(accounts=signed()).login("redhat", "ci").judged.told
    assert words in told
    assert "gobbledygook" not in told


@pytest.mark.parametrize(("off", "words"), [(300.0, "5 min ahead of"), (-300.0, "5 min behind")])
def test_a_clock_that_spoils_signatures(scene: Any, canary: Any, clean: Clean, off: float, words: str) -> None:
    """The realm finds the login past its end or too early: it is the bot's clock, not the account."""
    scene.realm.clients.add(Client("ocm-ci", key=pair(scene, canary)))
    scene.off = off
    with pytest.raises(Refused, match=words) as told:
        scene.open(accounts=signed()).login("redhat", "ci")
    clean(told.value)


@pytest.mark.parametrize("key", ["gobbledygook", "", "EC"])
def test_a_key_that_is_none(scene: Any, canary: Any, clean: Clean, key: str) -> None:
    """Or of another kind: the place in the settings is named, and nothing is sent."""
    pair(scene, canary, "ES256")
    scene.kept["KEY"] = scene.kept["KEY"] if key == "EC" else key and canary(key)
    with pytest.raises(Refused, match=r"sso\.redhat\.accounts\.ci\.key names does not sign with RS256") as told:
        scene.open(accounts=signed("RS256")).login("redhat", "ci")
    assert "gobbledygook" not in str(told.value)
    assert told.value.__cause__ is None
    assert scene.realm.forms == []


def test_an_account_that_is_not_there(scene: Any) -> None:
    """The setting to make is named."""
    with pytest.raises(Refused, match=r"Add sso\.redhat\.accounts\.ci"):
        scene.open().login("redhat", "ci")
