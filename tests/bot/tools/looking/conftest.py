"""Stand-ins of what a diagnosis looks at, one server each for the session, and ways to break them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from bot.core.secret import Secret
from bot.looking import Prometheus
from bot.sources import FromEnv
from bot.tools import http_answer
from bot.tools.prometheus import PrometheusServers
from playground import broken
from playground.prometheus import PrometheusStandIn
from playground.server import run_in_thread
from tests.certificates import certificate

FOREIGN = "gobbledygook"  # in what broken servers say; must be in no sentence of ours
QUERY = "(sum by (status,method) (count_over_time(armada_kubx_deployer_redhat_auth{}[1h])))"


class Served:
    """A server whose application is another one for each test."""

    def __init__(self) -> None:
        self.app: Any = None
        self._server = run_in_thread(self)
        self.url, self.port = self._server.url, self._server.port

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await self.app(scope, receive, send)

    def stop(self) -> None:
        self._server.stop()


@pytest.fixture(autouse=True)
def _no_long_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pause before a second try is for the world's sake."""
    monkeypatch.setattr(http_answer, "PAUSE", 0.01)


@pytest.fixture(scope="session")
def served() -> Iterator[Served]:
    server = Served()
    yield server
    server.stop()


@pytest.fixture
def stand_in(served: Served) -> PrometheusStandIn:
    fresh = PrometheusStandIn()
    served.app = fresh.app()
    return fresh


@pytest.fixture
def secrets() -> dict[str, str]:
    """What `resolve` finds, by the name of the environment variable."""
    return {}


@pytest.fixture
def open_it(served: Served, stand_in: PrometheusStandIn, secrets: dict[str, str]) -> Callable[..., PrometheusServers]:
    """`open_it(address=…, timeout=…)`: Prometheus of the region "us-south", by default the stand-in."""

    def resolve(source: Any) -> Secret:
        assert isinstance(source, FromEnv)
        return Secret(secrets[source.env])

    def made(**changed: Any) -> PrometheusServers:
        region = Prometheus.model_validate({"address": served.url, "timeout": 60, **changed})
        return PrometheusServers({"us-south": region}, resolve)

    return made


@contextmanager
def over_tls(app: Any, crt: Path, key: Path) -> Iterator[str]:
    """The application over TLS; its address."""
    port = broken.unused_port()
    server = uvicorn.Server(uvicorn.Config(app, port=port, ssl_certfile=crt, ssl_keyfile=key, log_config=None))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 60
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.01)
    yield f"https://127.0.0.1:{port}"
    server.should_exit = server.force_exit = True
    thread.join(10)


@pytest.fixture
def tls() -> Any:
    return over_tls


@pytest.fixture
def make_certificate(tmp_path: Path) -> Callable[[str], tuple[Path, Path]]:
    return lambda name: certificate(tmp_path, name)


@pytest.fixture
def query() -> str:
    """The query of seed 002."""
    return QUERY


@pytest.fixture
def foreign() -> str:
    return FOREIGN
