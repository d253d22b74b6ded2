"""Figures go to a Pushgateway in groups of their own: what one kind of work pushes, another does not wipe."""

from __future__ import annotations

import base64
import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from bot.core.errors import Refused, Told, Transient
from bot.core.grid import Figure
from bot.managed import Pushgateway
from bot.sources import FromEnv
from bot.tools import pushgateway as tool
from bot.tools.pushgateway import PushedFigures
from playground import broken
from playground.child import leashed
from playground.server import run_in_thread
from tests.certificates import certificate


@pytest.fixture(scope="module")
def gateway(server_binary: Callable[[str], str]) -> Iterator[str]:
    """A real one, in memory."""
    yield from _running(server_binary, [])


def _running(server_binary: Callable[[str], str], options: list[str]) -> Iterator[str]:
    port = broken.unused_port()
    command = [server_binary("prometheus-pushgateway"), f"--web.listen-address=127.0.0.1:{port}", *options]
    server = subprocess.Popen(leashed(command), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/")
    ends = time.monotonic() + 60
    while time.monotonic() < ends:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            break
        except OSError:
            time.sleep(0.02)
    yield f"127.0.0.1:{port}"
    server.terminate()
    server.wait(10)


def figure(name: str, value: float, **labels: str) -> Figure:
    return Figure(name=name, help="A figure", value=value, labels=labels)


def shown(gateway: str, *names: str) -> list[str]:
    lines = httpx.get(f"http://{gateway}/metrics").text.splitlines()
    return [line for line in lines if line.startswith(tuple(f"{name}{{" for name in names))]


def pushed(address: str, resolve: Any, **changed: Any) -> PushedFigures:
    return PushedFigures(Pushgateway(**{"address": address, "timeout": 60, **changed}), resolve)


@pytest.mark.slow
def test_one_group_does_not_wipe_another(gateway: str, resolve: Any) -> None:
    """A push takes the place of the last one of its own grouping, whole, and of no other."""
    one = pushed(f"http://{gateway}", resolve)
    one.push((figure("managed_tokens_last_ferry_refresh", 1.7e9),), {"executable": "refresh-uids"})
    nodes = tuple(
        figure("managed_tokens_last_token_push_timestamp", n, node=f"n{n}", service="dune_production") for n in (1, 2)
    )
    one.push(nodes, {"executable": "push-tokens"})
    one.push(nodes[1:], {"executable": "push-tokens"})
    assert shown(gateway, "managed_tokens_last_ferry_refresh", "managed_tokens_last_token_push_timestamp") == [
        'managed_tokens_last_ferry_refresh{executable="refresh-uids",instance="",job="managed_tokens"} 1.7e+09',
        'managed_tokens_last_token_push_timestamp{executable="push-tokens",instance="",job="managed_tokens",node="n2",service="dune_production"} 2',
    ]


@pytest.mark.slow
def test_a_histogram_arrives_whole(gateway: str, resolve: Any) -> None:
    """With all of its bounds, beside gauges; pushed again it stands once."""
    within = ((0.5, 1), (1.0, 3), (float("inf"), 4))
    took = Figure(
        name="managed_took_seconds", help="A figure", value=7.5, labels={"service": "dune_pro"}, within=within
    )
    for _ in range(2):
        pushed(f"http://{gateway}", resolve).push((took, figure("managed_beside", 1)), {"executable": "push-tokens"})
    lines = [line.rpartition(" ")[2] for line in shown(gateway, "managed_took_seconds_bucket")]
    assert lines == ["1", "3", "4"]
    (count,), (total,) = shown(gateway, "managed_took_seconds_count"), shown(gateway, "managed_took_seconds_sum")
    assert (count.rpartition(" ")[2], total.rpartition(" ")[2]) == ("4", "7.5")


@pytest.mark.slow
def test_odd_texts_arrive_as_they_are(gateway: str, resolve: Any) -> None:
    """Slashes, quotes, line breaks and letters of any kind in groupings and labels, and no number at all."""
    odd = 'a/b "c"\n\\ü'
    pushed(f"http://{gateway}", resolve).push((figure("managed_odd", float("inf"), note=odd),), {"group": odd})
    (line,) = shown(gateway, "managed_odd")
    assert line.endswith(" NaN")
    assert line.count('a/b \\"c\\"\\n\\\\ü') == 2


@pytest.mark.slow
def test_what_the_gateway_refuses(gateway: str, resolve: Any, clean: Any) -> None:
    """The same series in two groups with another type is told as a fault, in our words."""
    one = pushed(f"http://{gateway}", resolve)
    httpx.post(f"http://{gateway}/metrics/job/other", content="# TYPE managed_odd_kind counter\nmanaged_odd_kind 1\n")
    with pytest.raises(Refused, match="at odds") as problem:
        one.push((figure("managed_odd_kind", 1),), {"executable": "x"})
    clean(problem.value)
    assert "ready" in tool.check(Pushgateway(address=f"http://{gateway}"), resolve)


@pytest.mark.slow
def test_over_tls(server_binary: Any, tmp_path: Path, resolve: Any, clean: Any) -> None:
    """With the right authority it works, with another it is refused."""
    cert, key = certificate(tmp_path, "gateway")
    config = tmp_path / "web.yml"
    config.write_text(f"tls_server_config: {{cert_file: {cert}, key_file: {key}}}\n")
    os.chmod(tmp_path, 0o755)
    for gateway in _running(server_binary, [f"--web.config.file={config}"]):
        pushed(f"https://{gateway}", resolve, ca_file=cert).push((figure("managed_x", 1),), {"executable": "x"})
        with pytest.raises(Refused, match="does not trust") as problem:
            pushed(f"https://{gateway}", resolve).push((figure("managed_x", 1),), {"executable": "x"})
        clean(problem.value)


class Asked:
    """Takes a push from who has the right login, and remembers which requests came."""

    def __init__(self, login: str) -> None:
        self._login = login
        self.came: list[tuple[str, str]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        self.came.append((scope["method"], scope["path"]))
        given = dict(scope["headers"]).get(b"authorization", b"").decode()
        right = given == f"Basic {base64.b64encode(self._login.encode()).decode()}"
        await send({"type": "http.response.start", "status": 200 if right else 401, "headers": []})
        await send({"type": "http.response.body", "body": b"" if right else b"gobbledygook"})


def test_the_login_goes_along(resolve: Any, kept: dict[str, str], canary: Any, clean: Any) -> None:
    """As basic auth, by reference; another is refused. In clear it goes over loopback at most."""
    kept["PUSH"] = canary("password")
    asked = Asked(f"bot:{kept['PUSH']}")
    server = run_in_thread(asked)
    login = {"username": "bot", "password": FromEnv(env="PUSH")}
    pushed(server.url, resolve, **login).push((figure("x", 1),), {"executable": "x"})
    assert asked.came == [("PUT", "/metrics/job/managed_tokens/executable/x")]
    with pytest.raises(Refused, match="not let the bot in") as problem:
        pushed(server.url, resolve).push((figure("x", 1),), {"executable": "x"})
    clean(problem.value)
    server.stop()
    with pytest.raises(ValueError, match="a login needs https"):
        Pushgateway(address="http://pushgateway.example.com", **login)


@pytest.mark.parametrize(
    ("status", "kind"), [(500, Transient), (503, Transient), (404, Refused), (302, Refused), (413, Refused)]
)
def test_a_gateway_in_trouble(resolve: Any, clean: Any, status: int, kind: type[Told]) -> None:
    """Each status has its sentence, without the server's words."""
    with broken.broken(broken.cut(broken.answer(status, b"gobbledygook"))) as server, pytest.raises(kind) as problem:
        pushed(server.url, resolve).push((figure("x", 1),), {"executable": "x"})
    clean(problem.value)


def test_a_gateway_that_is_away_or_slow(resolve: Any) -> None:
    """To be tried again, also one whose head comes a byte at a time and would never end."""
    endless = broken.drip(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 9999, 0.05)
    for breaks in (broken.silent, endless):
        with broken.broken(breaks) as server, pytest.raises(Transient, match=r"did not answer within 0\.2 s"):
            pushed(server.url, resolve, timeout=0.2).push((figure("x", 1),), {"executable": "x"})
    with pytest.raises(Transient, match="does not accept connections"):
        pushed(f"http://127.0.0.1:{broken.unused_port()}", resolve).push((figure("x", 1),), {"executable": "x"})


@pytest.mark.parametrize(
    ("figures", "grouping"),
    [
        ((figure("x", 1),), {}),
        ((figure("x-y", 1),), {"executable": "x"}),
        ((figure("x", 1, job="other"),), {"executable": "x"}),
        ((figure("x", 1, executable="other"),), {"executable": "x"}),
        ((figure("x", 1, a="1"), figure("x", 2, a="1")), {"executable": "x"}),
    ],
    ids=["no grouping", "name", "job", "label of the group", "twice"],
)
def test_figures_that_make_no_sense(resolve: Any, figures: Any, grouping: Any) -> None:
    """They are refused before anything is sent: one of them would cost the whole push."""
    with broken.broken(broken.reset) as server, pytest.raises(Refused, match="igure"):
        pushed(server.url, resolve).push(figures, grouping)
    assert server.heard == 0
