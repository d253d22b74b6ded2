"""The bot as a whole: what a person types or signs in for is in Vault, and nowhere else in the world."""

from __future__ import annotations

import asyncio
import json
import re
import secrets
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import Field

from bot import app
from bot.core.handing_in import Wanted
from bot.core.handler import Ask, Handler, HandlerSettings
from bot.core.plan import Answer
from bot.core.ports import ReadTools
from bot.core.secret import Secret, SecretRef
from bot.edges import slack
from bot.edges.manifest import manifest
from bot.settings import parse
from bot.tools import slack_clients
from playground import ci_jobs
from playground.server import run_in_thread
from playground.slack import Workspace, create
from playground.sso import SsoStandIn
from playground.world import World, settings_document
from tests.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]
ASKER, OTHER, CHANNEL = "U0ASKER", "U0OTHER", "C0ONCALL"
INTO = SecretRef(path="sd-uhc/handed-in", field="token")


class WantAsk(Ask):
    given: bool = Field(default=False, description="Is it there?")


def want(ask: WantAsk, settings: HandlerSettings, tools: ReadTools) -> Answer:
    if ask.given:
        there = tools.vault.find(INTO.path, INTO.field) is not None
        return Answer(command="want-token", title="It is there" if there else "It is not there")
    typed = Wanted(name="token", label="Hand in a token", into=INTO, command="want-token", ask={"given": True})
    signed = typed.model_copy(update={"name": "sign-in", "label": "Sign in", "way": "sso/one"})
    return Answer(command="want-token", title="A token is wanted", wanted=(typed, signed))


WANT = Handler("want-token", "Want a token", WantAsk, HandlerSettings, want)


class Whole:
    """The bot with Slack, Vault and a realm in miniature."""

    def __init__(self, folder: Path) -> None:
        self.outside, self.realm = World(kv=1), SsoStandIn()
        self.servers = [run_in_thread(one.app()) for one in (self.outside.vault, self.outside.cluster, self.realm)]
        users = [{"id": one, "name": one.lower(), "real_name": one} for one in (ASKER, OTHER)]
        self.space = Workspace.of(users=users, channels=[{"id": CHANNEL, "name": "oncall"}], limited=False)
        bot, own = f"xoxb-{secrets.token_hex(12)}", f"xapp-{secrets.token_hex(12)}"
        self.servers.append(
            run_in_thread(
                create(self.space, mode="socket", request_url="http://127.0.0.1:9", signing_secret=secrets.token_hex(12),
                       bot_token=bot, app_token=own, manifest=manifest({"want-token": WANT}))
            )
        )  # fmt: skip
        self.url = self.servers[-1].url
        self.settings = parse(self._document(folder, bot), "test")
        parts = app.Parts(self.settings)
        membership, messenger = parts.slack()
        self.running = parts.start(messenger, membership)
        self.http = httpx.Client(timeout=20, trust_env=False)
        self._end = self._edge(bot, own)

    def _document(self, folder: Path, bot: str) -> dict[str, Any]:
        kept = folder / "kept"
        kept.mkdir()
        for name, text in (("bot-token", bot), ("vault-token", self.outside.vault_token),
                           ("fingerprint-key", self.outside.key)):  # fmt: skip
            (kept / name).write_text(text)
        vault, cluster, realm = (server.url for server in self.servers[:3])
        document = settings_document(folder=kept, slack_url=self.url, vault_url=vault, cluster_url=cluster,
                                     jobs=ci_jobs.write_jobs(folder))  # fmt: skip
        issuer = {"issuer": self.realm.issuer, "address": f"{realm}{self.realm.PATH}", "device_flow": True}
        slack_ = document["slack"] | {"channel": CHANNEL}
        slack_ = {name: slack_[name] for name in ("bot_token", "api_url", "channel", "mode")}
        return document | {"data_dir": str(folder / "data"), "slack": slack_, "commands": {"want-token": {}},
                           "groups": {}, "sso": {"one": issuer}}  # fmt: skip

    def _edge(self, bot: str, own: str) -> Callable[[], None]:
        loop, stop = asyncio.new_event_loop(), asyncio.Event()
        client = slack_clients.async_web_client(self.settings.slack, Secret(bot))
        serving = slack.serve(self.settings, self.running.desk, client=client, stop=stop,
                              make_socket=slack_clients.socket(Secret(own)))  # fmt: skip
        thread = threading.Thread(target=lambda: loop.run_until_complete(serving), daemon=True)
        thread.start()

        def end() -> None:
            loop.call_soon_threadsafe(stop.set)
            thread.join(20)

        return end

    def close(self) -> None:
        self._end()
        self.running.stop()
        self.http.close()
        for server in self.servers:
            server.stop()

    def do(self, doing: str, **body: Any) -> Any:
        answer = self.http.post(f"{self.url}/playground/{doing}", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def asked(self) -> tuple[str, str]:
        """A new run that wants, and the ts of its message once the buttons are there."""
        before = {view.id for view in self.running.desk.runs()}
        until(lambda: self.do("command", user=ASKER, channel=CHANNEL, command="/want-token", text="").get("ok"))
        run = until(lambda: next((v.id for v in self.running.desk.runs() if v.id not in before and v.answer), None))
        return run, until(lambda: self._message(run, "wanted-0-do"))

    def _message(self, run: str, block: str) -> str | None:
        for message in list(self.space.messages.get(CHANNEL, [])):
            words = json.dumps(message)
            if run in words and block in words:
                return str(message["ts"])
        return None

    def press(self, ts: str, n: int, action: str, user: str = ASKER) -> None:
        block = f"wanted-{n}-do"
        assert self.do("action", user=user, channel=CHANNEL, message_ts=ts, block_id=block, action_id=f"{action}-{n}")[
            "ok"
        ]

    def whispers(self, user: str = ASKER) -> str:
        return json.dumps(self.space.ephemerals.get((user, CHANNEL), []))

    def seen(self) -> str:
        """All that Slack has and shows, and the audit log."""
        shown = (self.space.messages, list(self.space.ephemerals.values()), self.space.traffic.after(0))
        return json.dumps(shown, default=str) + str(self.running.desk.audit(limit=1000))


@pytest.fixture
def whole(tmp_path: Path, canary: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Whole]:
    monkeypatch.setattr(app, "HANDLERS", (WANT,))
    made = Whole(tmp_path)
    canary.may_hold(tmp_path / "kept")
    try:
        yield made
    finally:
        made.close()


def test_what_is_typed_is_in_vault_and_nowhere_else(whole: Whole, canary: Any) -> None:
    """Not in the log, the store, Slack, its traffic, the audit; the message says who; what follows finds it there."""
    token = canary("typed")
    run, ts = whole.asked()
    whole.press(ts, 0, "hand-in")
    view = until(lambda: (whole.space.stacks.get(ASKER) or [None])[-1])
    values = {"secret": {"value": {"type": "plain_text_input", "value": token}}}
    assert whole.do("submit", user=ASKER, view_id=view, state={"values": values}) == {"ok": True}
    until(lambda: "It is in Vault now" in whole.whispers())
    assert whole.outside.vault.get(INTO.path) == {INTO.field: token}
    until(lambda: f"handed in by <@{ASKER}>" in json.dumps(whole.space.messages, default=str))
    assert whole._message(run, "wanted-0-do") is None
    until(lambda: any(v.answer and v.answer.title == "It is there" for v in whole.running.desk.runs()))
    seen = whole.seen()
    assert "view_submission" in seen
    assert token not in seen


def test_who_signs_in_gives_the_bot_a_token_that_nobody_sees(whole: Whole, canary: Any) -> None:
    """By the realm's device flow: the link to one person, the token to Vault, the device code sealed."""
    run, ts = whole.asked()
    whole.press(ts, 1, "sign-in")
    until(lambda: "Open the page to sign in" in whole.whispers())
    code = re.search(r"Code: `([A-Z0-9-]+)`", whole.whispers())
    assert code, whole.whispers()
    assert code[1] not in json.dumps(whole.space.messages, default=str)
    assert whole.realm.approve(code[1], "ada")
    until(lambda: whole.running.desk.run(run).handed_in)
    token = whole.outside.vault.get(INTO.path)[INTO.field]
    canary.add("offline", token)
    for form in whole.realm.forms:
        canary.add(f"device {form['device_code']}"[:12], form["device_code"])
    until(lambda: any(v.answer and v.answer.title == "It is there" for v in whole.running.desk.runs()))
    until(lambda: "You are signed in" in whole.seen())
    assert token not in whole.seen()
