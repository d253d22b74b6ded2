"""What the tests of the outbox share: a small Slack that speaks HTTP and keeps time by the test's clock."""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from collections import defaultdict
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import sqlalchemy as sa

from bot.core.errors import Refused, Transient
from bot.core.ports import Place
from bot.core.view import NoteView, RunView, State
from bot.engine import messages, outbox, store
from bot.settings import Settings
from tests.bot.engine.bench import unsynchronised


class Killed(BaseException):
    """The process ends here, as far as the store and Slack can tell."""


class Slack(ThreadingHTTPServer):
    """Keeps messages, and answers as it is told to: `modes` by channel ("ok", "down", "busy", "gone", "lost", or "late":
    an update is given no answer, and carried out right after the next one)."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.reset()
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def reset(self) -> None:
        self.now = 1000.0
        self.modes: dict[str, str] = defaultdict(lambda: "ok")
        self.messages: dict[str, dict[str, Any]] = {}
        self.calls: list[tuple[float, str, str, int]] = []  # when, method, channel, status
        self.late: list[dict[str, Any]] = []
        self.posts: dict[str, list[float]] = defaultdict(list)
        self.early = 0  # posts that came within a second of the one before
        self.guard = threading.Lock()

    def answer(self, method: str, body: dict[str, Any]) -> tuple[int, Any]:
        mode, channel = self.modes[body["channel"]], body["channel"]
        if mode == "late" and method == "update":
            self.late.append(body)
        if mode in ("down", "gone", "late"):
            return (404, None) if mode == "gone" else (503, None)
        early = method == "post" and any(self.now - t < 0.999 for t in self.posts[channel][-1:])
        self.early += early
        if mode == "busy" or early:
            return 429, 30
        if method == "find":
            return 200, next((ts for ts, m in self.messages.items() if m["key"] == body["key"]), None)
        if method == "update":
            for one in (body, *self.late):
                self.messages[one["ts"]] |= {"view": one["view"]}
            self.late.clear()
            return (200, None) if mode != "lost" else (504, None)
        ts = f"{len(self.messages)}.0"
        self.posts[channel].append(self.now)
        self.messages[ts] = body | {"ts": ts}
        return (200, ts) if mode != "lost" else (504, None)

    def views(self, key: str) -> list[Any]:
        """What is shown under a key; one item for a message that was posted once."""
        return [m["view"] for m in self.messages.values() if m["key"] == key]


class Handler(BaseHTTPRequestHandler):
    server: Slack
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.server.guard:
            status, answer = self.server.answer(self.path[1:], body)
            self.server.calls.append((self.server.now, self.path[1:], body["channel"], status))
        content = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the calls are kept."""


class Wire:
    """A messenger that speaks to the Slack above, and dies where it is told to."""

    def __init__(self, slack: Slack) -> None:
        self.url = f"http://127.0.0.1:{slack.server_port}/"
        self.dies = ""  # "before" or "after" the next call

    def post(self, place: Place, view: Any, key: str) -> str:
        return self._call("post", place, view=shown(view), key=key)

    def find(self, place: Place, key: str) -> str | None:
        return self._call("find", place, key=key)

    def update(self, place: Place, ts: str, view: Any) -> None:
        self._call("update", place, view=shown(view), ts=ts)

    def delete(self, place: Place, ts: str) -> None:
        self._call("delete", place, ts=ts)

    def _call(self, method: str, place: Place, **body: Any) -> Any:
        self._maybe_die("before")
        data = json.dumps({"channel": place.channel, "thread": place.thread, **body}).encode()
        try:
            with urllib.request.urlopen(urllib.request.Request(self.url + method, data), timeout=60) as response:
                answer = json.load(response)
        except urllib.error.HTTPError as error:
            if error.code == 429:
                raise Transient("Slack is busy.", after=float(error.read())) from None
            if error.code == 404:
                raise Refused("The channel is gone.", "Invite the bot.") from None
            raise Transient("Slack did not answer.") from None
        self._maybe_die("after")
        return answer

    def _maybe_die(self, moment: str) -> None:
        if self.dies == moment:
            self.dies = ""
            raise Killed


def shown(view: Any) -> Any:
    return [view.text, *view.mention] if isinstance(view, NoteView) else view.revision


TABLES = [messages.message, messages.message_pace]


class Office:
    """The runs of a test, a store, a Slack, and as many senders as it likes."""

    def __init__(self, engine: sa.Engine, slack: Slack) -> None:
        self.engine, self.slack = engine, slack
        self.runs: dict[str, RunView] = {}
        self.wire = Wire(slack)
        self.sender = self.another()
        self.killed = Killed

    def another(self) -> outbox.Sender:
        return outbox.Sender(self.engine, self.wire, self.runs.get, lambda: self.slack.now, lease=40, settle=5)

    def change(
        self, run: str = "r-1", channel: str = "C1", state: State = State.PROPOSED, thread: str | None = None
    ) -> int:
        """The run gets a new revision, which its message should show."""
        revision = self.runs[run].revision + 1 if run in self.runs else 1
        self.runs[run] = RunView(
            id=run, revision=revision, command="c", asker="U1", source="slack", state=state, asked_at=0
        )
        with store.writing(self.engine) as conn:
            outbox.want(conn, run=run, revision=revision, channel=channel, thread=thread, due=self.slack.now)
        return revision

    def note(self, name: str, run: str = "r-1", text: str = "text") -> None:
        with store.writing(self.engine) as conn:
            outbox.note(conn, run=run, name=name, text=text, mention=("U7",), due=self.slack.now)

    def send(self, seconds: float = 0) -> float | None:
        self.slack.now += seconds
        return self.sender.send_due()

    def settle(self, rounds: int = 400) -> None:
        """Let time pass until nothing waits."""
        for _ in range(rounds):
            pause = self.send()
            if pause is None:
                return
            self.slack.now += max(pause, 0.01)
        raise AssertionError("the outbox never came to rest")

    def calls(self, method: str) -> list[tuple[float, str, int]]:
        return [(now, channel, status) for now, m, channel, status in self.slack.calls if m == method]


TABLES = [messages.message, messages.message_pace]


@pytest.fixture(scope="module")
def fresh_office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Office]]:
    """Makes an empty outbox with an empty Slack; for tests that need several in a row."""
    engine = store.connect(Settings(data_dir=tmp_path_factory.mktemp("outbox")))
    sa.event.listen(engine, "connect", unsynchronised)
    with store.writing(engine) as conn:
        store.metadata.create_all(conn, tables=TABLES)
    slack = Slack()
    yield lambda: fresh(engine, slack)
    slack.shutdown()
    slack.server_close()
    engine.dispose()


@pytest.fixture
def office(fresh_office: Callable[[], Office]) -> Office:
    """An outbox, its runs, and a small Slack on loopback."""
    return fresh_office()


def fresh(engine: sa.Engine, slack: Slack) -> Office:
    slack.reset()
    with store.writing(engine) as conn:
        for table in TABLES:
            conn.execute(table.delete())
    return Office(engine, slack)
