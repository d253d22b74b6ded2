"""A server in a thread."""

from __future__ import annotations

import asyncio
import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from playground.server import run_in_thread


async def hello(request):
    return PlainTextResponse("hello")


APP = Starlette(routes=[Route("/", hello)])


def test_serves_until_stopped():
    """It listens when it returns, on loopback, and neither port nor thread is left after stop()."""
    before = threading.active_count()
    server = run_in_thread(APP)
    assert server.url.startswith("http://127.0.0.1:")
    assert httpx.get(server.url, trust_env=False).text == "hello"
    server.stop()
    assert threading.active_count() <= before
    with pytest.raises(httpx.ConnectError):
        httpx.get(server.url, trust_env=False)


def test_stop_cuts_what_is_under_way():
    """A request that would never be answered and a connection that is kept open hold up nobody."""
    began = threading.Event()

    async def never(request):
        began.set()
        await asyncio.Event().wait()

    server = run_in_thread(Starlette(routes=[Route("/", hello), Route("/never", never)]))
    with httpx.Client(trust_env=False, timeout=60) as idle, ThreadPoolExecutor() as pool:
        assert idle.get(server.url).text == "hello"
        asked = pool.submit(httpx.get, f"{server.url}/never", trust_env=False, timeout=60)
        assert began.wait(30)
        server.stop()
        with pytest.raises(httpx.TransportError):
            asked.result(30)
        with pytest.raises(httpx.TransportError):
            idle.get(server.url)
    server.stop()


def test_taken_port():
    """A port that somebody has is an OSError at once."""
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError):
        run_in_thread(APP, taken.getsockname()[1])
