"""Acknowledgement of a slash command: our bot, which stores it first, beside bare Bolt apps that store nothing.

`python benchmarks/ack.py [seconds]`: signed commands over HTTP at ten a second, open loop, to each server in turn and
several times around, so that a busy machine is unfair to all alike. Bare Bolt answers in two ways: as it comes (it
looks for an `ack()` every 10 ms) and with process_before_response.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import statistics
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlencode

import aiohttp
from bot_process import CHANNEL, USER, World, bot, child, unused_port, world
from slack_sdk.signature import SignatureVerifier

RATE, ROUNDS = 10, 3
NAMES = {"bare": "bare Bolt", "eager": "bare Bolt, process_before_response", "ours": "hivekeeper, stored first"}


def serve_bare(port: int, eager: bool) -> None:
    """A Bolt app as its documentation shows it, on the same server as ours."""
    import uvicorn
    from slack_bolt.adapter.starlette.async_handler import AsyncSlackRequestHandler
    from slack_bolt.async_app import AsyncApp
    from slack_sdk.web.async_client import AsyncWebClient
    from starlette.applications import Starlette
    from starlette.routing import Route

    client = AsyncWebClient(os.environ["BENCH_BOT"], base_url=os.environ["BENCH_API"])
    app = AsyncApp(client=client, signing_secret=os.environ["BENCH_SIGN"], process_before_response=eager)

    @app.command("/secret-consumers")
    async def answer(ack) -> None:  # type: ignore[no-untyped-def]  # Bolt gives parameters by name
        await ack("On it.")

    route = Route("/slack/events", AsyncSlackRequestHandler(app).handle, methods=["POST"])
    uvicorn.run(Starlette(routes=[route]), host="127.0.0.1", port=port, access_log=False, log_level="error")


async def load(url: str, secret: str, seconds: float) -> list[float]:
    """Milliseconds from request to complete response, one per command."""
    signer = SignatureVerifier(secret)
    async with aiohttp.ClientSession() as session:
        tasks, begun = [], time.perf_counter()
        for number in range(int(seconds * RATE)):
            await asyncio.sleep(max(0, begun + number / RATE - time.perf_counter()))
            tasks.append(asyncio.create_task(one(session, url, signer)))
        return list(await asyncio.gather(*tasks))


async def one(session: aiohttp.ClientSession, url: str, signer: SignatureVerifier) -> float:
    fields = {"command": "/secret-consumers", "text": "sd-uhc/sandbox", "user_id": USER, "channel_id": CHANNEL}
    trigger = f"{time.time_ns()}.bench"
    body = urlencode({**fields, "trigger_id": trigger, "team_id": "T0PLAYGRND", "response_url": "http://127.0.0.1:9/x"})
    stamp = str(int(time.time()))
    headers = {
        "content-type": "application/x-www-form-urlencoded",
        "X-Slack-Request-Timestamp": stamp,
        "X-Slack-Signature": str(signer.generate_signature(timestamp=stamp, body=body)),
    }
    begun = time.perf_counter()
    async with session.post(url, data=body, headers=headers) as response:
        await response.read()
        response.raise_for_status()
    return (time.perf_counter() - begun) * 1000


def bare(at: World, port: int, kind: str) -> contextlib.AbstractContextManager[object]:
    environment = {**at.environment, "BENCH_API": at.api_url}
    return child([sys.executable, __file__, kind, str(port)], environment)


def measure(seconds: float) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {name: [] for name in NAMES}
    with contextlib.ExitStack() as stack:
        at = stack.enter_context(world(Path(stack.enter_context(tempfile.TemporaryDirectory())), "http"))
        ports = {kind: unused_port() for kind in ("bare", "eager")}
        urls = {"ours": at.events_url, **{k: f"http://127.0.0.1:{p}/slack/events" for k, p in ports.items()}}
        for kind, port in ports.items():
            stack.enter_context(bare(at, port, kind))
            listens(port)
        stack.enter_context(bot(at))
        for name in NAMES:
            asyncio.run(load(urls[name], at.signing_secret, 1))  # warm
        for _ in range(ROUNDS):
            for name in NAMES:
                found[name] += asyncio.run(load(urls[name], at.signing_secret, seconds))
    return found


def listens(port: int) -> None:
    """A bare app has no health address: it is up when it takes connections."""
    for _ in range(2000):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.01)
    raise SystemExit("a bare app did not start")


def main(seconds: float) -> None:
    found = measure(seconds)
    print(f"load average of the machine at the end: {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
    figures = {name: (statistics.median(v), sorted(v)[int(len(v) * 0.99)]) for name, v in found.items()}
    for name, (p50, p99) in figures.items():
        print(f"{NAMES[name]:40} p50 {p50:7.2f} ms   p99 {p99:7.2f} ms   ({len(found[name])} commands)")
    for name in ("bare", "eager"):
        (a50, a99), (b50, b99) = figures["ours"], figures[name]
        print(
            f"ours minus {NAMES[name]:36} p50 {a50 - b50:+7.2f} ms (x{a50 / b50:.2f})   "
            f"p99 {a99 - b99:+7.2f} ms (x{a99 / b99:.2f})"
        )


if __name__ == "__main__":
    if len(sys.argv) > 2:
        serve_bare(int(sys.argv[2]), sys.argv[1] == "eager")
    else:
        main(float(sys.argv[1]) if len(sys.argv) > 1 else 10)
