"""A sender process that is killed in the middle of its calls, against a Slack that is down, slow and busy in turns.

This file is also the program of that process: `python test_outbox_chaos.py FOLDER URL`.
"""

from __future__ import annotations

import ctypes
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections import defaultdict
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from bot.core.errors import Transient
from bot.core.ports import Place
from bot.core.view import RunView, State
from bot.engine import messages, outbox, store
from bot.settings import Settings

pytestmark = pytest.mark.slow

SETTLE = 1.0  # seconds; longer than the slow Slack below takes to store a post whose sender is dead
RUNS, CHANNELS, KILLS = 10, 10, 12


class Slack(ThreadingHTTPServer):
    """Kills the process at its other end now and then: before or after it has done what was asked."""

    daemon_threads = True
    request_queue_size = 50

    def __init__(self, seed: int) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.dice, self.guard = random.Random(seed), threading.Lock()
        self.victim: subprocess.Popen[bytes] | None = None
        self.kills: list[str] = []
        self.last: dict[str, float] = defaultdict(float)
        self.posted: dict[str, list[str]] = defaultdict(list)
        self.shown: dict[str, Any] = {}
        self.calm = False
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def answer(self, method: str, body: dict[str, Any]) -> tuple[int, Any]:
        with self.guard:
            trouble = (
                "none"
                if self.calm
                else self.dice.choice(["none", "none", "none", "down", "busy", "slow", "before", "after"])
            )
            pause = self.dice.uniform(0.05, SETTLE / 2) if trouble == "slow" else 0
        if trouble == "before":
            self.kill(f"before {method}")
        time.sleep(pause)
        with self.guard:
            if trouble == "down":
                return 503, None
            if trouble == "busy" or (method == "post" and time.monotonic() - self.last[body["channel"]] < 0.5):
                return 429, 1
            result = self.do(method, body)
        if trouble == "after":
            self.kill(f"after {method}")
        return 200, result

    def do(self, method: str, body: dict[str, Any]) -> Any:
        if method == "find":
            return next(iter(self.posted[body["key"]]), None)
        if method == "post":
            ts = f"{sum(map(len, self.posted.values()))}.0"
            self.posted[body["key"]].append(ts)
            self.last[body["channel"]] = time.monotonic()
            self.shown[ts] = body["view"]
            return ts
        self.shown[body["ts"]] = body["view"]
        return None

    def kill(self, when: str) -> None:
        if self.victim and self.victim.poll() is None:
            self.kills.append(when)
            self.victim.kill()


class Handler(BaseHTTPRequestHandler):
    server: Slack

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        status, answer = self.server.answer(self.path[1:], body)
        try:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(answer).encode())
        except OSError:
            pass  # whoever asked is dead

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


class Wire:
    """The messenger of the process that is killed."""

    def __init__(self, url: str) -> None:
        self.url = url

    def post(self, place: Place, view: Any, key: str) -> str:
        return self._call("post", place, view=view.revision if isinstance(view, RunView) else view.text, key=key)

    def find(self, place: Place, key: str) -> str | None:
        return self._call("find", place, key=key)

    def update(self, place: Place, ts: str, view: Any) -> None:
        self._call("update", place, ts=ts, view=view.revision)

    def delete(self, place: Place, ts: str) -> None:
        raise AssertionError("the outbox deletes nothing")

    def _call(self, method: str, place: Place, **body: Any) -> Any:
        data = json.dumps({"channel": place.channel, **body}).encode()
        try:
            with urllib.request.urlopen(urllib.request.Request(self.url + method, data), timeout=5) as response:
                return json.load(response)
        except urllib.error.HTTPError as error:
            raise Transient("Slack did not answer.", after=float(error.read()) if error.code == 429 else None) from None
        except (OSError, ValueError):
            raise Transient("Slack did not answer.") from None


def view_of(folder: Path, run: str) -> RunView:
    """What a run looks like now: the test writes its revision into a file."""
    revision = int((folder / run).read_text())
    return RunView(id=run, revision=revision, command="c", asker="U1", source="slack", state=State.DONE, asked_at=0)


def main(folder: Path, url: str) -> None:
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # dies with the test
    engine = store.connect(Settings(data_dir=folder))
    sender = outbox.Sender(engine, Wire(url), lambda run: view_of(folder, run), time.time, settle=SETTLE)
    sender.run(threading.Event())


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    engine = store.connect(Settings(data_dir=tmp_path))
    with store.writing(engine) as conn:
        store.metadata.create_all(conn, tables=[messages.message, messages.message_pace])
    yield engine
    engine.dispose()


def change(engine: sa.Engine, folder: Path, run: int, revision: int) -> None:
    """The run's new revision, and after its second a note."""
    (folder / f"r-{run}.new").write_text(str(revision))
    os.replace(folder / f"r-{run}.new", folder / f"r-{run}")
    with store.writing(engine) as conn:
        outbox.want(conn, run=f"r-{run}", revision=revision, channel=f"C{run % CHANNELS}", thread=None, due=time.time())
        if revision == 2:
            outbox.note(conn, run=f"r-{run}", name="n", text="t", mention=(), due=time.time())


@pytest.mark.timeout(180)
def test_kill_nine_neither_loses_nor_doubles(engine: sa.Engine, tmp_path: Path) -> None:
    """Killed a dozen times inside its calls, between changes from elsewhere: in the end each run has one
    message with the latest revision and one note."""
    slack, dice, revisions = Slack(seed=2), random.Random(2), dict.fromkeys(range(RUNS), 0)

    def start() -> subprocess.Popen[bytes]:
        command = [sys.executable, __file__, str(tmp_path), f"http://127.0.0.1:{slack.server_port}/"]
        return subprocess.Popen(command, stdout=subprocess.DEVNULL)

    deadline = time.monotonic() + 80
    try:
        while len(slack.kills) < KILLS and time.monotonic() < deadline:
            if slack.victim is None or slack.victim.poll() is not None:
                slack.victim = start()
            run = dice.randrange(RUNS)
            revisions[run] += 1
            change(engine, tmp_path, run, revisions[run])
            time.sleep(dice.uniform(0, 0.15))  # the pace of the world, nothing is waited for
        for run in range(RUNS):
            revisions[run] = max(revisions[run], 1) + 1
            change(engine, tmp_path, run, revisions[run])
        slack.calm = True
        if slack.victim is None or slack.victim.poll() is not None:
            slack.victim = start()
        at_rest(engine)
    finally:
        if slack.victim:
            slack.victim.kill()
            slack.victim.wait()
        slack.shutdown()
        slack.server_close()
    assert len(slack.kills) >= 5, slack.kills
    keys = [f"r-{run}/{slot}" for run in range(RUNS) for slot in ("head", "note-n")]
    assert {key: len(slack.posted[key]) for key in keys} == dict.fromkeys(keys, 1)
    assert {run: slack.shown[slack.posted[f"r-{run}/head"][0]] for run in range(RUNS)} == revisions


def at_rest(engine: sa.Engine) -> None:
    deadline = time.monotonic() + 80
    while True:
        with store.reading(engine) as conn:
            waiting = conn.execute(sa.select(messages.message).where(messages.message.c.due_at.is_not(None))).all()
        if not waiting:
            return
        assert time.monotonic() < deadline, waiting
        time.sleep(0.1)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
