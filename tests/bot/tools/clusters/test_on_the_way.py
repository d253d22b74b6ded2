"""What goes wrong on the way to a cluster: each its sentence and cure, and nothing foreign in them."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bot.core.errors import Refused, Transient
from bot.core.kubernetes import POD, Kind
from bot.tools.kubernetes import KubernetesClusters
from playground import broken
from tests.bot.tools.clusters.servers import (
    FOREIGN,
    answering,
    heard_by,
    tls_server,
    told_by,
)
from tests.certificates import certificate

Opened = Callable[..., KubernetesClusters]

WHERE = "Cluster dev at 127.0.0.1"
BREAKS = {
    "reset": (broken.reset, "The connection to cluster dev at 127.0.0.1 broke off"),
    "closed": (broken.cut(b""), "broke off"),
    "silent": (broken.silent, WHERE + " did not answer within 0.2 s"),
    "a byte at a time": (broken.drip(broken.answer(200, b"x" * 999), 0.1), WHERE + " did not answer within 0.2 s"),
    "not HTTP": (broken.cut(b"SSH-2.0-" + FOREIGN.encode()), "broke off"),
    "cut in the head": (broken.cut(b"HTTP/1.1 200 OK\r\nContent-Type: appl"), "does not speak like Kubernetes"),
    "cut in the body": (broken.cut(broken.answer(200, b'{"kind": "Pod"}' * 9)[:-3]), "broke off"),
}


@pytest.mark.parametrize(("breaks", "words"), BREAKS.values(), ids=BREAKS.keys())
def test_broken_connections_are_told(breaks: Any, words: str, opened: Opened, token: str) -> None:
    """The network's troubles are Transient, name the cluster, come in time, and are met once: only the engine repeats."""
    patience = 0.2 if "within" in words else 60
    with broken.broken(breaks) as server:
        began = time.monotonic()
        assert words in told_by(lambda: opened(server.url, timeout=patience).version("dev"), Transient, token)
        assert time.monotonic() - began < 20
        assert server.came(1) == 1


def test_nobody_listens_and_no_such_name(opened: Opened, token: str) -> None:
    """A closed port and an unknown host are told apart."""
    port = broken.unused_port()
    said = told_by(lambda: opened(f"http://127.0.0.1:{port}").version("dev"), Transient, token)
    assert WHERE + " does not accept connections" in said
    assert "port" in said
    said = told_by(lambda: opened("https://cluster.invalid").version("dev"), Transient, token)
    assert "The host name of cluster dev at cluster.invalid cannot be resolved" in said
    assert "name server" in said


@pytest.mark.parametrize("address", ["api.example.com:6443", "ftp://127.0.0.1", "http://[::", "nonsense"])
def test_an_address_that_is_none(address: str, opened: Opened, token: str) -> None:
    """A wrong address is for a person to mend."""
    assert "has no http or https address" in told_by(lambda: opened(address).version("dev"), Refused, token)


def test_a_token_with_a_line_break_is_not_shown(opened: Opened, token: str) -> None:
    """http.client quotes a bad header in its error; ours does not."""
    for bad in ("\n", "\r\nx: y", "€", " "):
        clusters = opened("http://127.0.0.1:1", text=token + bad)
        assert "characters that no token has" in told_by(lambda c=clusters: c.version("dev"), Refused, token)


def test_tls(opened: Opened, token: str, tmp_path: Path) -> None:
    """A certificate that is not trusted, no TLS at all, and a CA file that is not there: told apart."""
    own = certificate(tmp_path, "cluster")
    with tls_server(own) as port:
        address = f"https://127.0.0.1:{port}"
        assert "v1.33" in opened(address, ca_file=own[0]).version("dev")
        said = told_by(lambda: opened(address).version("dev"), Refused, token)
        assert "shows a certificate that the bot does not trust. Check the cluster's ca_file." in said
    with heard_by(lambda _: broken.answer(400)) as address:
        plain = address.replace("http:", "https:")
        assert "No TLS connection to cluster dev" in told_by(lambda: opened(plain).version("dev"), Transient, token)
    missing = opened("https://127.0.0.1:1", ca_file=tmp_path / "none.pem")
    assert "The CA file for cluster dev" in told_by(lambda: missing.version("dev"), Refused, token)


def test_redirects_are_not_followed(opened: Opened, token: str) -> None:
    """The token goes to the address of the settings and nowhere else."""
    with answering(broken.answer(200, b"{}")) as other:
        moved = broken.answer(302, b"", f"Location: {other.url}/version")
        with answering(moved) as server:
            said = told_by(lambda: opened(server.url).version("dev"), Refused, token)
        assert "sent the bot to another address (302)" in said
        assert other.heard == 0


def test_proxies_of_the_environment_are_not_used(
    opened: Opened, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Neither proxies nor kubeconfigs are taken from the environment."""
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    with answering(broken.answer(200, b'{"gitVersion": "v1.33.1"}')) as server:
        assert opened(server.url).version("dev") == "v1.33.1"


def test_secrets_are_not_handled_as_plain_objects(opened: Opened) -> None:
    """Whatever the spelling, no Secret's values come or go as plain JSON."""
    clusters = opened("http://127.0.0.1:1")
    for kind in (Kind(group="", version="v1", plural=plural, kind="Secret") for plural in ("secrets", "Secrets")):
        for call in (
            lambda k=kind: clusters.find("dev", k, "x", "cf-dev"),
            lambda k=kind: clusters.all("dev", k, "cf-dev"),
            lambda k=kind: clusters.create("dev", k, {}, "cf-dev"),
            lambda k=kind: clusters.patch("dev", k, "x", {}, "cf-dev"),
            lambda k=kind: clusters.delete("dev", k, "x", "cf-dev"),
        ):
            with pytest.raises(Refused, match="cannot be handled like other objects"):
                call()


@pytest.mark.parametrize("name", ["..", ".", "a/b", "a%2fb", "a b", "../secrets/x", "a?b", "a#b", "ä", "x" * 254])
def test_names_that_climb_are_refused(name: str, opened: Opened) -> None:
    """A name is one segment of a path, and nothing is sent for one that is not."""
    with answering(broken.answer(200, b"{}")) as server:
        clusters = opened(server.url)
        for call in (lambda: clusters.find("dev", POD, name, "cf-dev"), lambda: clusters.all("dev", POD, name)):
            with pytest.raises(Refused, match="no object there can have"):
                call()
        assert server.heard == 0


def test_the_reader_cannot_write(opened: Opened) -> None:
    """What planning gets has no method that changes anything."""
    names = {name for name in dir(opened("http://127.0.0.1:1").reader) if not name.startswith("_")}
    assert not names & {
        "write_secret",
        "back_up_secret",
        "restore_secret",
        "drop_backup",
        "delete_secret",
        "create",
        "patch",
        "delete",
    }
