"""What the bot relies on in Vault. Always asked of the stand-in; of a real Vault or OpenBao too when
HIVEKEEPER_LIVE_VAULT (its address) and HIVEKEEPER_LIVE_VAULT_TOKEN (of an administrator) are set.

On a real one it makes its own mounts, policies and logins under a random name and removes them."""

from __future__ import annotations

import json
import os
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from bot import settings
from bot.core.errors import Drifted, Refused
from bot.core.secret import Secret
from bot.tools.fingerprints import KeyedFingerprints
from bot.tools.vault import Vault, open_vault
from playground.server import run_in_thread
from playground.vault import VaultStandIn
from playground.vault_tokens import Login

LIVE = os.environ.get("HIVEKEEPER_LIVE_VAULT", "")
LIVE_TOKEN = os.environ.get("HIVEKEEPER_LIVE_VAULT_TOKEN", "")
CA = os.environ.get("HIVEKEEPER_LIVE_VAULT_CA", "")  # its CA file, if the public ones do not do
PLACES = ["stand-in", *(["live"] if LIVE and LIVE_TOKEN else [])]
POLICY = {"{v1}/open/*": ["create", "read", "update", "delete"], "{v1}/look": ["read"],
          "{v2}/data/open/*": ["create", "read", "update"], "{v2}/data/look": ["read"]}  # fmt: skip
FINGERPRINTS = KeyedFingerprints(Secret("a key for these tests only"))


@dataclass
class Place:
    """A Vault to ask: `v1` and `v2` are mounts of ours, `limited` a token with `POLICY`."""

    url: str
    token: str = field(repr=False)
    v1: str
    v2: str
    limited: str = field(repr=False)
    issue: Callable[..., str]  # (ttl=, renewable=) -> token
    logins: dict[str, settings.VaultAuth]
    known: dict[str, str] = field(repr=False)
    client: httpx.Client = field(default_factory=lambda: httpx.Client(trust_env=False, timeout=60, verify=CA or True))

    def ask(self, method: str, path: str, body: Any = None, token: str | None = None) -> httpx.Response:
        headers = {"X-Vault-Token": self.token if token is None else token, "X-Vault-Request": "true"}
        return self.client.request(method, f"{self.url}/v1/{path}", headers=headers, json=body)

    def open(self, auth: settings.VaultAuth | None = None, token: str | None = None) -> Vault:
        by_token = settings.TokenAuth(token=settings.FromEnv(env="TOKEN"))
        known = {**self.known, "TOKEN": token or self.token}
        ca_file = Path(CA) if CA and self.url == LIVE.rstrip("/") else None
        given = settings.Vault(address=self.url, auth=auth or by_token, ca_file=ca_file)
        return open_vault(given, lambda source: Secret(known[source.env]), FINGERPRINTS)  # type: ignore[union-attr]


@pytest.fixture(scope="module", params=PLACES)
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    yield from stand_in() if request.param == "stand-in" else live()


def references(known: dict[str, str], mounts: dict[str, str]) -> dict[str, settings.VaultAuth]:
    env = {name: settings.FromEnv(env=name) for name in known}
    return {
        "approle": settings.AppRoleAuth(role_id=env["ROLE"], secret_id=env["SECRET"], mount=mounts["approle"]),
        "jwt": settings.JwtAuth(role="bot", jwt=env["JWT"], mount=mounts["jwt"]),
    }


def stand_in() -> Iterator[Place]:
    token, known = secrets.token_hex(), {name: secrets.token_hex() for name in ("ROLE", "SECRET", "JWT")}
    vault = VaultStandIn.of({"one": 1, "two": 2}, tokens={token: ("root",)})
    vault.tokens.policies["limited"] = {
        path.format(v1="one", v2="two"): tuple(granted) for path, granted in POLICY.items()
    }
    vault.tokens.logins += [
        Login("approle", "approle", {"role_id": known["ROLE"], "secret_id": known["SECRET"]}, ("limited",), 600),
        Login("jwt", "jwt", {"role": "bot", "jwt": known["JWT"]}, ("limited",), 600),
    ]
    server = run_in_thread(vault.app())

    def issue(**more: Any) -> str:
        return vault.tokens.issue(("limited",), **more)

    logins = references(known, {"approle": "approle", "jwt": "jwt"})
    yield Place(server.url, token, "one", "two", issue(), issue, logins, known)
    server.stop()


def live() -> Iterator[Place]:
    name = f"hivekeeper-{secrets.token_hex(4)}"
    place = Place(LIVE.rstrip("/"), LIVE_TOKEN, f"{name}-1", f"{name}-2", "", lambda: "", {}, {})
    mounts = {"approle": f"{name}-approle", "jwt": f"{name}-jwt"}

    def issue(ttl: float = 600, renewable: bool = False) -> str:
        body = {"policies": [name], "ttl": f"{int(ttl)}s", "renewable": renewable, "no_parent": True}
        return str(must(place.ask("POST", "auth/token/create", body))["auth"]["client_token"])

    try:
        for version, mount in ((1, place.v1), (2, place.v2)):
            must(place.ask("POST", f"sys/mounts/{mount}", {"type": "kv", "options": {"version": str(version)}}))
        rules = {p.format(v1=place.v1, v2=place.v2): {"capabilities": granted} for p, granted in POLICY.items()}
        must(place.ask("PUT", f"sys/policies/acl/{name}", {"policy": json.dumps({"path": rules})}))
        place.known = live_logins(place, mounts, name)
        place.logins, place.issue, place.limited = references(place.known, mounts), issue, issue()
        wait(lambda: place.ask("GET", f"{place.v2}/data/none").status_code == 404)
        yield place
    finally:
        for path in (f"sys/mounts/{place.v1}", f"sys/mounts/{place.v2}", f"sys/policies/acl/{name}",
                     f"sys/auth/{mounts['approle']}", f"sys/auth/{mounts['jwt']}"):  # fmt: skip
            place.ask("DELETE", path)


def live_logins(place: Place, mounts: dict[str, str], policy: str) -> dict[str, str]:
    approle, by_jwt = mounts["approle"], mounts["jwt"]
    life = {"token_policies": [policy], "token_ttl": "600s"}
    must(place.ask("POST", f"sys/auth/{approle}", {"type": "approle"}))
    must(place.ask("POST", f"auth/{approle}/role/bot", life))
    role = must(place.ask("GET", f"auth/{approle}/role/bot/role-id"))["data"]["role_id"]
    secret = must(place.ask("POST", f"auth/{approle}/role/bot/secret-id", {}))["data"]["secret_id"]
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    ).decode()  # fmt: skip
    must(place.ask("POST", f"sys/auth/{by_jwt}", {"type": "jwt"}))
    must(place.ask("POST", f"auth/{by_jwt}/config", {"jwt_validation_pubkeys": [pem]}))
    role_of_jwt = {"role_type": "jwt", "user_claim": "sub", "bound_audiences": ["vault"], **life}
    must(place.ask("POST", f"auth/{by_jwt}/role/bot", role_of_jwt))
    claims = {"sub": "bot", "aud": "vault", "iat": int(time.time()), "exp": int(time.time()) + 3600}
    return {"ROLE": role, "SECRET": secret, "JWT": jwt.encode(claims, key, algorithm="ES256")}


def must(response: httpx.Response) -> dict[str, Any]:
    assert response.status_code in (200, 204), response.status_code
    return dict(response.json()) if response.content else {}


def wait(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def fresh() -> str:
    return f"open/{secrets.token_hex(4)}"


def test_version_1_keeps_whole_documents(place: Place) -> None:
    """KV 1: a write replaces everything and answers 204, JSON types stay, an empty one is 400, nothing is 404."""
    path = f"{place.v1}/{fresh()}"
    nothing = place.ask("GET", path)
    assert (nothing.status_code, nothing.json()["errors"]) == (404, [])
    assert place.ask("PUT", path, {"a": "1", "b": [1, True, None, {"c": 1.5}]}).status_code == 204
    assert place.ask("GET", path).json()["data"] == {"a": "1", "b": [1, True, None, {"c": 1.5}]}
    assert place.ask("PUT", path, {"a": "2"}).status_code == 204
    assert place.ask("GET", path).json()["data"] == {"a": "2"}
    assert place.ask("PUT", path, {}).status_code == 400
    assert place.ask("LIST", f"{place.v1}/open").json()["data"]["keys"]
    assert [place.ask("DELETE", path).status_code for _ in range(2)] == [204, 204]
    assert place.ask("GET", path).status_code == 404


def test_version_2_writes_under_check_and_set(place: Place) -> None:
    """KV 2: `cas` is the version to follow, 0 for none; otherwise 400 with Vault's words for it."""
    path = f"{place.v2}/data/{fresh()}"
    assert place.ask("POST", path, {"data": {"a": "1"}, "options": {"cas": 0}}).json()["data"]["version"] == 1
    for cas in (0, 2):
        late = place.ask("POST", path, {"data": {"a": "x"}, "options": {"cas": cas}})
        assert late.status_code == 400
        assert any("check-and-set parameter did not match" in text for text in late.json()["errors"])
    assert place.ask("POST", path, {"data": {"a": "2"}, "options": {"cas": 1}}).json()["data"]["version"] == 2
    now = place.ask("GET", path).json()["data"]
    assert now["data"] == {"a": "2"}
    assert now["metadata"]["version"] == 2
    assert place.ask("GET", f"{path}?version=1").json()["data"]["data"] == {"a": "1"}
    assert place.ask("POST", path, {"data": {}, "options": {"cas": 2}}).status_code == 200


def test_version_2_deletes_softly(place: Place) -> None:
    """KV 2: a deleted version answers 404 with its number; undelete brings it back, destroy does not."""
    name = fresh()
    path = f"{place.v2}/data/{name}"
    place.ask("POST", path, {"data": {"a": "1"}})
    assert place.ask("DELETE", path).status_code == 204
    gone = place.ask("GET", path)
    assert gone.status_code == 404
    assert gone.json()["data"]["data"] is None
    assert gone.json()["data"]["metadata"]["version"] == 1
    assert gone.json()["data"]["metadata"]["deletion_time"]
    place.ask("POST", f"{place.v2}/undelete/{name}", {"versions": [1]})
    assert place.ask("GET", path).json()["data"]["data"] == {"a": "1"}
    place.ask("POST", f"{place.v2}/destroy/{name}", {"versions": [1]})
    destroyed = place.ask("GET", path)
    assert (destroyed.status_code, destroyed.json()["data"]["metadata"]["destroyed"]) == (404, True)
    assert place.ask("POST", path, {"data": {"a": "2"}, "options": {"cas": 1}}).json()["data"]["version"] == 2


def test_version_2_describes_its_versions(place: Place) -> None:
    """KV 2: metadata lists the versions, keeps custom metadata over writes, and `max_versions` prunes."""
    name = fresh()
    place.ask("POST", f"{place.v2}/metadata/{name}", {"custom_metadata": {"owner": "us"}, "max_versions": 2})
    for number in range(4):
        place.ask("POST", f"{place.v2}/data/{name}", {"data": {"n": number}})
    about = place.ask("GET", f"{place.v2}/metadata/{name}").json()["data"]
    assert about["current_version"] == 4
    assert sorted(about["versions"]) == ["3", "4"]
    assert about["custom_metadata"] == {"owner": "us"}
    pruned = place.ask("GET", f"{place.v2}/data/{name}?version=1")
    assert pruned.status_code == 404
    assert not (pruned.json().get("data") or {}).get("metadata")
    assert place.ask("DELETE", f"{place.v2}/metadata/{name}").status_code == 204
    assert place.ask("GET", f"{place.v2}/metadata/{name}").status_code == 404


def test_the_version_of_a_mount_can_be_found(place: Place) -> None:
    """Who may do something below a mount is told its path and version; others get 403; KV 2 has a configuration."""
    for mount, version in ((place.v1, "1"), (place.v2, "2")):
        told = place.ask("GET", f"sys/internal/ui/mounts/{mount}/open/x", token=place.limited).json()["data"]
        assert told["path"] == f"{mount}/"
        assert told["type"] == "kv"
        assert (told["options"] or {}).get("version", "1") == version
    assert place.ask("GET", "sys/internal/ui/mounts/nowhere/x", token=place.limited).status_code == 403
    config = place.ask("GET", f"{place.v2}/config").json()["data"]
    assert {"max_versions", "cas_required"} <= set(config)
    assert place.ask("GET", f"{place.v1}/config").status_code == 404


def test_version_2_warns_of_version_1_paths(place: Place) -> None:
    """A path without `data/` answers 404 with the warning by which the bot knows version 2."""
    for method in ("GET", "PUT"):
        told = place.ask(method, f"{place.v2}/some/path", {"a": "b"} if method == "PUT" else None)
        assert told.status_code == 404
        assert any(text.startswith("Invalid path for a versioned K/V") for text in told.json()["warnings"])


def test_no_mount_has_no_route(place: Place) -> None:
    """A path outside all mounts answers 404 and says that nothing handles it."""
    told = place.ask("GET", f"nowhere-{secrets.token_hex(4)}/x")
    assert told.status_code == 404
    assert any("no handler for route" in text for text in told.json()["errors"])


def test_tokens_look_themselves_up_and_renew(place: Place) -> None:
    """lookup-self tells ttl and renewable, renew-self the new lease; 400 when it cannot, 403 for a foreign token."""
    token, fixed = place.issue(ttl=600, renewable=True), place.issue(ttl=600, renewable=False)
    told = place.ask("GET", "auth/token/lookup-self", token=token).json()["data"]
    assert 0 < told["ttl"] <= 600
    assert told["renewable"] is True
    renewed = place.ask("POST", "auth/token/renew-self", {}, token=token).json()["auth"]
    assert 0 < renewed["lease_duration"] <= 600
    assert renewed["renewable"] is True
    assert place.ask("GET", "auth/token/lookup-self", token=fixed).json()["data"]["renewable"] is False
    assert place.ask("POST", "auth/token/renew-self", {}, token=fixed).status_code == 400
    assert place.ask("GET", "auth/token/lookup-self", token="hvs.nobodys").status_code == 403
    place.ask("POST", "auth/token/revoke-self", token=token)
    assert place.ask("GET", "auth/token/lookup-self", token=token).status_code == 403


def test_policies_refuse_with_403(place: Place) -> None:
    """What a policy does not grant is 403, for reading, creating and updating alike."""
    place.ask("PUT", f"{place.v1}/look", {"a": "b"})
    place.ask("POST", f"{place.v2}/data/look", {"data": {"a": "b"}})
    assert place.ask("GET", f"{place.v1}/look", token=place.limited).status_code == 200
    refused = [("PUT", f"{place.v1}/look", {"a": "c"}), ("POST", f"{place.v2}/data/look", {"data": {"a": "c"}}),
               ("GET", f"{place.v1}/closed", None), ("POST", f"{place.v2}/data/closed", {"data": {}})]  # fmt: skip
    for method, path, body in refused:
        assert place.ask(method, path, body, token=place.limited).status_code == 403


def test_health_needs_no_token(place: Place) -> None:
    """Anybody may ask whether Vault is awake."""
    health = place.ask("GET", "sys/health", token="")
    assert health.status_code == 200
    assert health.json()["sealed"] is False
    assert place.ask("GET", "sys/seal-status", token="").json()["sealed"] is False


@pytest.mark.parametrize("method", ["approle", "jwt"])
def test_the_bot_logs_in(place: Place, method: str) -> None:
    """The bot's own client gets in by each method, writes where the policy lets it and is told its token's life."""
    vault = place.open(place.logins[method])
    path = f"{place.v2}/{fresh()}"
    vault.write(path, {"a": Secret("1")}, run="r-1")
    assert vault.read(path, "a").reveal() == "1"
    assert 0 < (vault.expires_in or 0) <= 600
    with pytest.raises(Refused, match=rf"Vault refused to read {place.v1}/closed \(403\)"):
        vault.read(f"{place.v1}/closed", "a")


@pytest.mark.parametrize("method", ["approle", "jwt"])
def test_the_bot_is_turned_away(place: Place, method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With wrong credentials the bot says which login was refused, and shows none of them."""
    monkeypatch.setitem(place.known, "SECRET", "wrong")
    monkeypatch.setitem(place.known, "JWT", "wrong.wrong.wrong")
    with pytest.raises(Refused, match=f"refused the bot's login by {method}") as told:
        place.open(place.logins[method]).fields(f"{place.v1}/look")
    assert "wrong" not in str(told.value)


@pytest.mark.parametrize("version", [1, 2])
def test_the_bot_writes_and_puts_back(place: Place, version: int) -> None:
    """Write, again, restore and retire leave exactly the document there was, with a limited role."""
    mount, name = (place.v1 if version == 1 else place.v2), fresh()
    raw = f"{mount}/{name}" if version == 1 else f"{mount}/data/{name}"
    before = {"token": "old", "number": 7, "list": [1, {"a": True}]}
    must(place.ask("POST", raw, before if version == 1 else {"data": before}))
    vault = place.open(token=place.limited)
    was = {"token": FINGERPRINTS.of(Secret("old")), "more": None}
    for _ in range(2):
        vault.write(f"{mount}/{name}", {"token": Secret("new"), "more": Secret("x")}, run="r-1")
    found = place.ask("GET", raw).json()["data"]
    assert (found if version == 1 else found["data"]) == {**before, "token": "new", "more": "x"}
    vault.restore(f"{mount}/{name}", was, run="r-1")
    vault.retire(f"{mount}/{name}", run="r-1")
    found = place.ask("GET", raw).json()["data"]
    assert (found if version == 1 else found["data"]) == before
    assert place.ask("GET", f"{mount}/{name}-before-r-1").status_code == 404
    with pytest.raises(Drifted):
        vault.restore(f"{mount}/{name}", {"token": "00000000"}, run="r-1")
