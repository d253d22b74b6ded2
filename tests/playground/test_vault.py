"""The Vault stand-in's own promises: faults, hooks, policies and a log without secrets. Its protocol: contracts/."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from playground.server import run_in_thread
from playground.vault import VaultStandIn
from playground.vault_answers import Answer
from playground.vault_faults import Fault
from playground.vault_tokens import Tokens, matches


@pytest.fixture
def vault(canary: Any) -> Iterator[tuple[VaultStandIn, httpx.Client]]:
    token = canary("root")
    stand_in = VaultStandIn.of({"one": 1, "two": 2}, {"one/a": {"x": "1"}, "two/a": {"x": "1"}}, {token: ("root",)})
    server = run_in_thread(stand_in.app())
    with httpx.Client(base_url=server.url, headers={"X-Vault-Token": token}, trust_env=False) as client:
        yield stand_in, client
    server.stop()


def test_the_hook_hears_of_a_write_before_and_after(vault: tuple[VaultStandIn, httpx.Client]) -> None:
    """`on_write` is called with the path, before the value is stored and after, while the client waits."""
    stand_in, client = vault
    heard: list[tuple[str, str, Any]] = []
    stand_in.on_write = lambda path, moment: heard.append((path, moment, stand_in.get("one/a")))
    client.put("/v1/one/a", json={"x": "2"})
    client.get("/v1/one/a")
    assert heard == [("one/a", "before", {"x": "1"}), ("one/a", "after", {"x": "2"})]


def test_the_log_holds_no_values(vault: tuple[VaultStandIn, httpx.Client], canary: Any) -> None:
    """Requests are logged with the fields' names and fingerprints; equal values look equal, values are not there."""
    stand_in, client = vault
    secret = canary("written")
    canary.watch("the request log", lambda: repr(stand_in.log))
    client.put("/v1/one/b", json={"x": secret})
    client.post("/v1/two/data/b", json={"data": {"x": secret}})
    client.get("/v1/two/data/b")
    marks = [entry.fields["x"] for entry in stand_in.log]
    assert len(marks) == 3
    assert len(set(marks)) == 1
    assert len(marks[0]) == 8


def test_faults_hit_what_they_name_as_often_as_told(vault: tuple[VaultStandIn, httpx.Client]) -> None:
    """A fault of one path and capability, three times, leaves all else alone and then is over."""
    stand_in, client = vault
    stand_in.faults.add(Fault(path="two/a", capabilities=("update",), times=3, answer=Answer(500, {"errors": []})))
    assert client.get("/v1/two/data/a").status_code == 200
    assert client.put("/v1/one/a", json={"x": "1"}).status_code == 204
    statuses = [client.post("/v1/two/data/a", json={"data": {}}).status_code for _ in range(4)]
    assert statuses == [500, 500, 500, 200]


def test_denied_and_healed(vault: tuple[VaultStandIn, httpx.Client]) -> None:
    """`deny` takes one capability below a path from everybody until `heal`."""
    stand_in, client = vault
    stand_in.deny("one", "update")
    assert client.put("/v1/one/a", json={"x": "2"}).status_code == 403
    assert client.get("/v1/one/a").status_code == 200
    stand_in.heal()
    assert client.put("/v1/one/a", json={"x": "2"}).status_code == 204


def test_a_cut_answer_breaks_the_connection(vault: tuple[VaultStandIn, httpx.Client]) -> None:
    """`cut` ends the connection in the middle of the body."""
    stand_in, client = vault
    stand_in.faults.add(Fault(cut=5, times=1))
    with pytest.raises(httpx.RemoteProtocolError):
        client.get("/v1/one/a")
    assert client.get("/v1/one/a").status_code == 200


def test_sealed_and_standby(vault: tuple[VaultStandIn, httpx.Client]) -> None:
    """Sealed answers 503 everywhere and in health; a standby redirects to the active node."""
    stand_in, client = vault
    stand_in.sealed = True
    assert client.get("/v1/one/a").json() == {"errors": ["Vault is sealed"]}
    assert client.get("/v1/sys/health").status_code == 503
    stand_in.heal()
    stand_in.standby = "http://active.example.com:8200"
    moved = client.get("/v1/one/a", follow_redirects=False)
    assert (moved.status_code, moved.headers["Location"]) == (307, "http://active.example.com:8200/v1/one/a")
    assert client.get("/v1/sys/health").status_code == 429


def test_a_body_that_is_no_json_is_400(vault: tuple[VaultStandIn, httpx.Client]) -> None:
    """As Vault does with what it cannot parse."""
    _, client = vault
    for body in (b"{", b"[]", b"\xff"):
        assert client.put("/v1/one/a", content=body).status_code == 400


@pytest.mark.parametrize(
    ("pattern", "path", "fits"),
    [("a/b", "a/b", True), ("a/b", "a/bc", False), ("a/b*", "a/bc/d", True), ("a/*", "a/", True), ("*", "x/y", True),
     ("a/+/c", "a/b/c", True), ("a/+/c", "a/b/d/c", False), ("+/b*", "x/bc", True), ("a/+", "a/b", True),
     ("a/b", "a", False), ("a/+/c*", "a/b", False)],
)  # fmt: skip
def test_policy_paths(pattern: str, path: str, fits: bool) -> None:
    """`*` ends a pattern, `+` is one segment, all else is literal."""
    assert matches(pattern, path) is fits


def test_the_best_policy_path_counts_and_deny_wins() -> None:
    """Of all the token's policies only the pattern that fits best counts, with what all of them grant there."""
    tokens = Tokens(lambda: 0)
    tokens.policies |= {
        "wide": {"a/*": ("read", "update"), "a/b": ("read",)},
        "more": {"a/b": ("delete",)},
        "none": {"a/b": ("deny",)},
    }
    assert not tokens.may(tokens.issue(("wide",)), "a/b", "update")
    assert tokens.may(tokens.issue(("wide",)), "a/c", "update")
    both = tokens.issue(("wide", "more"))
    assert tokens.may(both, "a/b", "read")
    assert tokens.may(both, "a/b", "delete")
    assert not tokens.may(both, "a/b", "update")
    assert not tokens.may(tokens.issue(("wide", "none")), "a/b", "read")
