"""The real bot as a child process, in front of the playground's Slack, for the benchmarks."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

import yaml

from playground.broken import unused_port
from playground.server import run_in_thread
from playground.slack import Workspace, create

USER, CHANNEL = "U0ASKER", "C0ONCALL"
CHANNELS = [{"id": CHANNEL, "name": "oncall"}, {"id": "C0FLOOR", "name": "floor"}]
OPENER = build_opener(ProxyHandler({}))


@dataclass(frozen=True)
class World:
    """A playground's Slack for HTTP mode, and the settings file and environment of a bot for it."""

    api_url: str
    bot_port: int
    signing_secret: str
    settings: Path
    environment: dict[str, str]
    workspace: Workspace

    @property
    def events_url(self) -> str:
        return f"http://127.0.0.1:{self.bot_port}/slack/events"


@contextmanager
def world(folder: Path, mode: str) -> Iterator[World]:
    tokens = {
        "BOT": f"xoxb-{secrets.token_hex(12)}",
        "APP": f"xapp-{secrets.token_hex(12)}",
        "SIGN": secrets.token_hex(16),
    }
    port = unused_port()
    users = [{"id": USER, "name": "asker", "real_name": "Asker"}]
    space = Workspace.of(users=users, channels=CHANNELS)
    app = create(
        space,
        mode=mode,
        request_url=f"http://127.0.0.1:{port}/slack/events",
        signing_secret=tokens["SIGN"],
        bot_token=tokens["BOT"],
        app_token=tokens["APP"],
    )
    server = run_in_thread(app)
    document = {
        "data_dir": str(folder / "data"),
        "slack": {
            "mode": mode,
            "api_url": f"{server.url}/api/",
            "bot_token": {"env": "BENCH_BOT"},
            "app_token": {"env": "BENCH_APP"},
            "signing_secret": {"env": "BENCH_SIGN"},
        },
        "web": {"port": port},
        "ci_jobs": {"directories": [str(folder / "jobs")]},
    }
    (folder / "jobs").mkdir(exist_ok=True)
    settings = folder / "settings.yaml"
    settings.write_text(yaml.safe_dump(document))
    environment = {**os.environ, **{f"BENCH_{name}": token for name, token in tokens.items()}}
    try:
        yield World(f"{server.url}/api/", port, tokens["SIGN"], settings, environment, space)
    finally:
        server.stop()


@contextmanager
def bot(at: World) -> Iterator[tuple[subprocess.Popen[bytes], float]]:
    """The bot, ready, and the seconds it took to be."""
    command = [sys.executable, "-m", "bot", "serve", "--settings", str(at.settings)]
    with child(command, at.environment) as process:
        yield process, ready(process, at.bot_port, "/readyz")


@contextmanager
def child(command: list[str], environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(command, env=environment)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(30)


def ready(process: subprocess.Popen[bytes], port: int, path: str) -> float:
    """Seconds until the address answers 200; fails when the process ends before."""
    begun = time.perf_counter()
    while process.poll() is None and time.perf_counter() - begun < 60:
        try:
            OPENER.open(f"http://127.0.0.1:{port}{path}", timeout=5)
            return time.perf_counter() - begun
        except (URLError, OSError):
            time.sleep(0.005)
    raise SystemExit("the server did not become ready")


def rss_mib(pid: int) -> float:
    """Resident memory of one process."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS:"))


def cpu_seconds(pid: int) -> float:
    """Processor time of one process so far: what start-up costs, however busy the machine is."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
