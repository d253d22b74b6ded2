"""Who a token is, asked of a cluster over HTTP, and what is said when the cluster cannot tell."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from bot.core.errors import Refused, Told, Transient
from bot.core.secret import Secret
from bot.settings import Cluster
from bot.tools.cluster import Clusters
from playground import broken
from playground.cluster import ClusterStandIn

NAME = "system:serviceaccount:hive:hive-frontend"
FOREIGN = "gobbledygook"
Ask = Callable[..., str | None]


@pytest.fixture
def cluster(cluster_server: Any) -> ClusterStandIn:
    stand_in = ClusterStandIn()
    cluster_server.app = stand_in.app()
    return stand_in


@pytest.fixture
def token(canary: Any) -> str:
    return str(canary("service account token"))


@pytest.fixture
def ask(cluster: ClusterStandIn, cluster_server: Any, token: str) -> Ask:
    def asked(address: str = "", text: str = token, **more: Any) -> str | None:
        settings = Cluster(address=address or cluster_server.url, **{"timeout": 5, **more})
        return Clusters({"hive": settings}).who("hive", Secret(text)).name

    return asked


def told_by(call: Callable[[], Any], kind: type[Told], token: str) -> str:
    with pytest.raises(kind) as caught:
        call()
    error = caught.value
    assert type(error) is kind
    assert error.__cause__ is None
    assert error.__context__ is None
    assert FOREIGN not in repr(error)
    assert token not in repr(error)
    assert error.now
    return str(error)


def test_a_modern_cluster_says_the_name(cluster: ClusterStandIn, ask: Ask, token: str) -> None:
    """SelfSubjectReview gives the account's name, with one request that carries the token."""
    cluster.accept(token, NAME)
    assert ask() == NAME
    assert [entry.path for entry in cluster.log] == ["/apis/authentication.k8s.io/v1/selfsubjectreviews"]


def test_an_old_cluster_only_accepts(cluster: ClusterStandIn, ask: Ask, token: str) -> None:
    """Without SelfSubjectReview the token is accepted without a name."""
    cluster.reviews = False
    cluster.accept(token, NAME)
    assert ask() is None


@pytest.mark.parametrize("reviews", [True, False])
def test_a_token_that_is_not_accepted(reviews: bool, cluster: ClusterStandIn, ask: Ask, token: str) -> None:
    """401 is Refused with the cluster's name; after a revocation too."""
    cluster.reviews = reviews
    assert "Cluster hive at 127.0.0.1 does not accept the token (401)" in told_by(ask, Refused, token)
    cluster.accept(token, NAME)
    ask()
    cluster.revoke(token)
    told_by(ask, Refused, token)


def test_nobody_is_not_somebody(cluster: ClusterStandIn, ask: Ask, token: str) -> None:
    """A cluster that lets everybody in as anonymous has not accepted the token."""
    cluster.accept(token, "system:anonymous")
    assert "does not accept the token" in told_by(ask, Refused, token)


def test_configured_and_not() -> None:
    """Only clusters of the settings can be asked; another name is refused in words."""
    clusters = Clusters({"hive": Cluster(address="https://api.example.com:6443")})
    assert clusters.configured("hive")
    assert not clusters.configured("other")
    with pytest.raises(Refused, match="no address for cluster other"):
        clusters.who("other", Secret("x"))


@pytest.mark.parametrize(
    ("status", "kind", "words"),
    [(400, Refused, "did not understand"), (403, Refused, "does not say who the token is"), (404, Refused, "did not"),
     (429, Transient, "could not say"), (500, Transient, "could not say"), (503, Transient, "could not say")],
)  # fmt: skip
def test_each_status_has_its_sentence(
    status: int, kind: type[Told], words: str, cluster: ClusterStandIn, ask: Ask, token: str
) -> None:
    """Statuses are told with their number, in our words, and recovery needs no restart."""
    cluster.accept(token, NAME)
    cluster.fault = status
    said = told_by(ask, kind, token)
    assert words in said
    assert f"({status})" in said
    cluster.fault = None
    assert ask() == NAME


GARBAGE = [b"", FOREIGN.encode(), b"<html>", b"[]", b"{", b'{"kind": "APIGroupList"}', b'{"status": {"userInfo": {"username": 7}}}', b"\xff"]  # fmt: skip


@pytest.mark.parametrize("garbage", GARBAGE)
def test_garbage_is_not_believed(garbage: bytes, cluster: ClusterStandIn, ask: Ask, token: str) -> None:
    """200 with something else than Kubernetes' answers names the address as what to check."""
    cluster.garbage = garbage
    assert "does not speak like Kubernetes" in told_by(ask, Transient, token)


BREAKS = {
    "reset": (broken.reset, "broke off"),
    "closed": (broken.cut(b""), "broke off"),
    "silent": (broken.silent, "did not answer within 0.5 s"),
    "not HTTP": (broken.cut(b"SSH-2.0-" + FOREIGN.encode()), "broke off"),
    "cut in the body": (broken.cut(broken.answer(200, b"x" * 90)[:-3]), "broke off"),
}


@pytest.mark.parametrize(("breaks", "words"), BREAKS.values(), ids=BREAKS.keys())
def test_broken_connections_are_told(breaks: Any, words: str, ask: Ask, token: str) -> None:
    """The network's troubles are Transient, named by the cluster, and met once: nobody repeats but the engine."""
    with broken.broken(breaks) as server:
        patience = 0.5 if "within" in words else 60
        said = told_by(lambda: ask(server.url, timeout=patience), Transient, token)
        assert words in said
        assert "luster hive at 127.0.0.1" in said
        assert server.came(1) == 1


def test_slow_is_waited_for(cluster: ClusterStandIn, ask: Ask, token: str) -> None:
    """Slower than usual, but within the timeout, is an answer."""
    cluster.accept(token, NAME)
    cluster.delay = 0.2
    assert ask(timeout=60) == NAME


def test_nobody_listens_and_no_such_name(ask: Ask, token: str) -> None:
    """A closed port and an unknown host are Transient, told apart, and not called slow."""
    port = broken.unused_port()
    said = told_by(lambda: ask(f"http://127.0.0.1:{port}"), Transient, token)
    assert "Cluster hive at 127.0.0.1 does not accept connections" in said
    said = told_by(lambda: ask("https://cluster.invalid"), Transient, token)
    assert "The host name of cluster hive at cluster.invalid cannot be resolved" in said


@pytest.mark.parametrize("address", ["api.example.com:6443", "ftp://127.0.0.1", "http://[::", "nonsense"])
def test_an_address_that_is_none_is_refused(address: str, ask: Ask, token: str) -> None:
    """A wrong address is for a person to mend."""
    assert "has no http or https address" in told_by(lambda: ask(address), Refused, token)


def test_redirects_are_not_followed(cluster: ClusterStandIn, cluster_server: Any, ask: Ask, token: str) -> None:
    """A token goes to the address of the settings and nowhere else."""
    with broken.broken(broken.cut(broken.answer(307, b"", f"Location: {cluster_server.url}/apis"))) as server:
        assert "sent the bot to another address (307)" in told_by(lambda: ask(server.url), Refused, token)
    assert not cluster.log


def test_a_token_with_a_line_break_is_not_shown(ask: Ask, token: str) -> None:
    """http.client quotes a bad header in its error; ours does not."""
    for bad in ("\n", "\r\nx: y", "€"):
        assert "characters that no token has" in told_by(lambda end=bad: ask(text=token + end), Refused, token)


def test_proxies_of_the_environment_are_not_used(
    cluster: ClusterStandIn, ask: Ask, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The token does not pass through a proxy that the settings do not name."""
    cluster.accept(token, NAME)
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert ask() == NAME
