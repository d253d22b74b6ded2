"""The real Slack edge between the strict Slack of the playground and a desk that keeps its rows in memory."""

from __future__ import annotations

import asyncio
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import httpx
import pytest
from pydantic import Field

from bot.core.alert import Notice
from bot.core.desk import AuditEntry, ScheduleView
from bot.core.errors import Refused, Transient
from bot.core.handing_in import Invited
from bot.core.handler import Ask, Handler, HandlerSettings
from bot.core.incident import IncidentView
from bot.core.intake import Decision, Outcome, Request
from bot.core.inventory import Holding
from bot.core.people import Rule
from bot.core.plan import Plan, Stage, Step
from bot.core.secret import Secret
from bot.core.view import RunView, State, StepView
from bot.edges import slack
from bot.edges.alert_channel import AlertSources
from bot.edges.manifest import manifest
from bot.edges.webhooks import Keys
from bot.settings import Settings, parse
from bot.tools import slack_clients
from bot.tools.webhook_keys import bearer_check, pagerduty_check
from playground.server import Server, run_in_thread
from playground.slack import Times, Workspace, create

ASKER, APPROVER, STRANGER = "U0ASKER", "U0APPROVER", "U0STRANGER"
CHANNEL, AWAY = "C0ONCALL", "C0AWAY"


class Rotate(Ask):
    only: Literal["alpha", "beta"] | None = Field(
        default=None, description="One of them", json_schema_extra={"positional": True}
    )


class Grant(Ask):
    who: str = Field(description="Who gets it", json_schema_extra={"positional": True})


class Nothing(Step):
    kind: Literal["test.nothing"] = "test.nothing"

    def says(self) -> str:
        return "Do nothing at all"


def _no_plan(ask: Any, settings: Any, tools: Any) -> Plan:
    raise Refused("The desk of these tests does not plan.")


HANDLERS = {
    "rotate-demo": Handler("rotate-demo", "Rotate the demo", Rotate, HandlerSettings, _no_plan, example="alpha"),
    "grant-demo": Handler("grant-demo", "Grant something", Grant, HandlerSettings, _no_plan, example="somebody"),
}


@dataclass
class PaperDesk:
    """The other side of bot.core.desk.Desk, on dictionaries: enough rules to see what the edge makes of the answers."""

    handlers: Mapping[str, Handler] = field(default_factory=lambda: HANDLERS)
    down: bool = False
    broken: bool = False
    slow: float = 0.0
    requests: dict[str, Request] = field(default_factory=dict)
    decisions: dict[str, Outcome] = field(default_factory=dict)
    decided: list[Decision] = field(default_factory=list)
    views: dict[str, RunView] = field(default_factory=dict)
    refusals: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    notices: dict[str, Notice] = field(default_factory=dict)
    noticed: int = 0  # calls, repeats included
    stories: dict[str, IncidentView] = field(default_factory=dict)
    held: tuple[Holding, ...] = ()
    again: dict[str, tuple[str, str]] = field(default_factory=dict)  # key -> run, user
    given: dict[str, tuple[str, str, str, Secret | None]] = field(default_factory=dict)  # key -> run, name, user, what
    acted: dict[str, tuple[str, str, str, str]] = field(default_factory=dict)  # key -> incident, user, action, step
    lock: threading.Lock = field(default_factory=threading.Lock)

    def _store(self) -> None:
        time.sleep(self.slow)
        if self.broken:
            raise RuntimeError("a fault with a secret in its text")
        if self.down:
            raise Transient("The store did not answer.", "It is tried again by itself.")

    def rule(self, command: str) -> Rule:
        return Rule(approve=("approvers",))

    def ask(self, request: Request) -> str:
        self._store()
        if request.asker == STRANGER:
            raise Refused("You may not ask for this command.", "Ask someone in oncall to do it.")
        with self.lock:
            self.requests.setdefault(request.key, request)
            run = f"r-{list(self.requests).index(request.key):07d}"
            self.views.setdefault(run, view(run, request))
            return run

    def decide(self, decision: Decision) -> Outcome:
        self._store()
        with self.lock:
            if decision.key not in self.decisions:
                self.decisions[decision.key] = self._outcome(decision)
            return self.decisions[decision.key]

    def _outcome(self, decision: Decision) -> Outcome:
        run = self.views.get(decision.run)
        if run is None:
            return Outcome(accepted=False, told="There is no such run.", run=decision.run)
        if decision.user != APPROVER:
            return Outcome(accepted=False, told="You may not decide this plan.", run=decision.run)
        if decision.digest not in (None, run.digest):
            return Outcome(accepted=False, told="The plan has changed since.", run=decision.run)
        if run.state is not State.PROPOSED:
            return Outcome(accepted=False, told="It is decided already.", run=decision.run)
        self.decided.append(decision)
        state = {"approve": State.APPROVED, "deny": State.DENIED, "cancel": State.CANCELLED}[decision.verdict]
        self.views[run.id] = run.model_copy(update={"state": state})
        return Outcome(accepted=True, told=f"Thank you: {decision.verdict} counted.", run=decision.run)

    def tick(self, key: str, run: str, step: str, user: str, *, done: bool = True) -> Outcome:
        self._store()
        with self.lock:
            self.acted.setdefault(key, (run, user, "tick" if done else "untick", step))
        return Outcome(accepted=True, told="Noted.", run=run)

    def run(self, run: str) -> RunView | None:
        self._store()
        return self.views.get(run)

    def runs(self, *, open_only: bool = False, limit: int = 20) -> tuple[RunView, ...]:
        self._store()
        return tuple(reversed(self.views.values()))[:limit]

    def waiting_for(self, user: str, *, limit: int = 20) -> tuple[RunView, ...]:
        self._store()
        waiting = [v for v in self.views.values() if v.state is State.PROPOSED]
        return tuple(waiting) if user == APPROVER else ()

    def schedules(self) -> tuple[ScheduleView, ...]:
        return ()

    def inventory(self) -> tuple[Holding, ...]:
        self._store()
        return self.held

    def ask_again(self, key: str, run: str, user: str) -> Outcome:
        self._store()
        if user == STRANGER:
            return Outcome(accepted=False, told="You may not ask for this command.", run=run)
        with self.lock:
            self.again.setdefault(key, (run, user))
        return Outcome(accepted=True, told="Looking into it as run r-new2345.", run="r-new2345")

    def hand_in(self, key: str, run: str, name: str, user: str, secret: Secret) -> Outcome:
        self._store()
        if user == STRANGER:
            return Outcome(accepted=False, told="You may not ask for this command.", run=run)
        with self.lock:
            self.given.setdefault(key, (run, name, user, secret))
        return Outcome(accepted=True, told="It is in Vault now.", run="r-new2345")

    def sign_in(self, key: str, run: str, name: str, user: str) -> Outcome:
        self._store()
        if user == STRANGER:
            return Outcome(accepted=False, told="You may not ask for this command.", run=run)
        with self.lock:
            self.given.setdefault(key, (run, name, user, None))
        invited = Invited(link="https://sso.example.com/device?user_code=ABCD-EFGH", code="ABCD-EFGH", until=1795419900)
        return Outcome(accepted=True, told="Compare the code.", run=run, invited=invited)

    def audit(self, *, limit: int = 20, run: str | None = None) -> tuple[AuditEntry, ...]:
        self._store()
        return (AuditEntry(number=1, at=1.0, who=ASKER, what="asked", run=run, facts={}, before="0", hash="1"),)

    def refuse(self, who: str, what: str, facts: dict[str, Any]) -> None:
        self._store()
        self.refusals.append((who, what, facts))

    def check(self) -> None:
        self._store()

    def notice(self, notice: Notice) -> tuple[str, ...]:
        self._store()
        with self.lock:
            self.noticed += 1
            self.notices.setdefault(notice.key, notice)
            return (f"i-{list(self.notices).index(notice.key):07d}",)

    def incidents(self, *, open_only: bool = False, limit: int = 20) -> tuple[IncidentView, ...]:
        self._store()
        return tuple(self.stories.values())[:limit]

    def incident(self, incident: str) -> IncidentView | None:
        self._store()
        return self.stories.get(incident)

    def incident_action(
        self, key: str, incident: str, user: str, action: Literal["take", "tick", "look", "close"], step: str = ""
    ) -> Outcome:
        self._store()
        if incident not in self.stories:
            return Outcome(accepted=False, told="There is no such incident.", run=incident)
        self.acted.setdefault(key, (incident, user, action, step))
        return Outcome(accepted=True, told=f"Noted: {action}.", run=incident)


def view(run: str, request: Request) -> RunView:
    plan = Plan(
        command=request.command, title="Rotate two demo tokens", subject="demo", stages=(Stage(steps=(Nothing(),)),)
    )
    return RunView(
        id=run,
        revision=1,
        command=request.command,
        text=request.text,
        asker=request.asker,
        source=request.source,
        state=State.PROPOSED,
        asked_at=time.time(),
        proposed_at=time.time(),
        expires_at=time.time() + 3600,
        plan=plan,
        digest=plan.digest,
        steps=(StepView(stage=0, place=0, says="Do nothing at all", reversible=False),),
        channel=request.channel,
    )


def eventually(what: Callable[[], Any], seconds: float = 30) -> Any:
    """The first true answer; fails after the deadline."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := what():
            return found
        time.sleep(0.01)
    raise AssertionError("it did not happen in time")


@dataclass
class World:
    """The edge in a thread of its own, and the people of a workspace in front of it."""

    workspace: Workspace
    app: Any
    slack_port: int
    desk: PaperDesk
    port: int
    tokens: tuple[str, str, str]  # bot, app, signing secret
    stop: Callable[[], None]
    http: httpx.Client
    server: Server | None = None
    keys: dict[str, str] = field(default_factory=dict)  # of the webhooks, by source

    @property
    def api_url(self) -> str:
        return f"http://127.0.0.1:{self.slack_port}/api/"

    def open_slack(self) -> None:
        self.server = run_in_thread(self.app, self.slack_port)

    def close_slack(self) -> None:
        if self.server:
            self.server.stop()
        self.server = None

    def close(self) -> None:
        self.stop()
        self.close_slack()
        self.http.close()

    def forget(self) -> None:
        """Nothing has happened here."""
        self.desk.__init__()  # type: ignore[misc]  # the edge keeps the object; only what it knows goes
        self.workspace.faults.clear()
        for told in ("messages", "past", "ephemerals", "views", "stacks", "homes"):
            getattr(self.workspace, told).clear()

    def guard(self, canary: Any) -> None:
        for name, token in (*zip(("bot", "app", "signing"), self.tokens, strict=True), *self.keys.items()):
            canary.add(name, token)

    def person(self, doing: str, **body: Any) -> dict[str, Any]:
        answer = self.http.post(f"http://127.0.0.1:{self.slack_port}/playground/{doing}", json=body)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def command(self, text: str, *, user: str = ASKER, channel: str = CHANNEL) -> dict[str, Any]:
        name, _, rest = text.partition(" ")
        return self.person("command", user=user, channel=channel, command=name, text=rest)

    def forge(self, kind: str, payload: Any) -> dict[str, Any]:
        return self.person("forge", kind=kind, payload=payload)

    def whispers(self, user: str = ASKER, channel: str = CHANNEL) -> list[str]:
        return [whole(m) for m in self.workspace.ephemerals.get((user, channel), [])]

    def told(self, words: str, user: str = ASKER, channel: str = CHANNEL) -> str:
        """The whisper with these words in it, once it has come."""
        found: str = eventually(lambda: next((w for w in self.whispers(user, channel) if words in w), None))
        return found

    def modal(self, user: str) -> dict[str, Any]:
        """The modal this person sees, once it is open."""
        stack = eventually(lambda: self.workspace.stacks.get(user))
        return self.workspace.views[stack[-1]]

    def bot_url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def ready(self) -> bool:
        try:
            return self.http.get(self.bot_url("/readyz")).status_code == 200
        except httpx.HTTPError:
            return False


def whole(message: dict[str, Any]) -> str:
    return f"{message.get('text', '')} {message.get('blocks', '')}"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as bound:
        return int(bound.getsockname()[1])


def made_workspace(**more: Any) -> Workspace:
    users = [{"id": u, "name": u[2:].lower(), "real_name": u[2:].title()} for u in (ASKER, APPROVER, STRANGER)]
    commands = [{"command": "/not-mine"}]  # of another version of the bot; the rest comes from the manifest
    channels = [{"id": CHANNEL, "name": "oncall"}, {"id": AWAY, "name": "away", "members": [ASKER, APPROVER]}]
    groups = {"S0GROUP": [APPROVER]}
    return Workspace.of(users=users, channels=channels, commands=commands, usergroups=groups, limited=False, **more)


def opened(mode: Literal["socket", "http"], *, slack_up: bool = True, limit: int = 100_000) -> World:
    bot_token, app_token, signing = (f"{kind}{secrets.token_hex(12)}" for kind in ("xoxb-", "xapp-", ""))
    port, slack_port, desk = free_port(), free_port(), PaperDesk()
    space = made_workspace(times=Times(retries=(0.05,)))
    document = {
        "slack": {"mode": mode, "api_url": f"http://127.0.0.1:{slack_port}/api/", "timeout": 2},
        "web": {"port": port, "body_limit": limit},
        "webhooks": {"body_limit": limit},
        "alerts": {"channels": [CHANNEL]},
    }
    keys = {source: secrets.token_hex(16) for source in ("alertmanager", "grafana", "pagerduty")}
    app = create(
        space,
        mode=mode,
        request_url=f"http://127.0.0.1:{port}/slack/events",
        signing_secret=signing,
        bot_token=bot_token,
        app_token=app_token,
        manifest=manifest(HANDLERS),
    )
    server = run_in_thread(app, slack_port) if slack_up else None
    settings = parse(document, "test")
    stop = serving(settings, desk, Secret(bot_token), Secret(app_token), Secret(signing), sources(desk, keys))
    http = httpx.Client(timeout=10, trust_env=False)
    world = World(space, app, slack_port, desk, port, (bot_token, app_token, signing), stop, http, server, keys)
    if slack_up:
        eventually(world.ready)
    return world


@pytest.fixture(scope="session")
def worlds() -> Iterator[dict[str, World]]:
    """Running worlds by mode, kept for the next test: starting one takes longer than most tests."""
    kept: dict[str, World] = {}
    yield kept
    for world in kept.values():
        world.close()


@pytest.fixture
def start(worlds: dict[str, World], canary: Any) -> Callable[[Any], World]:
    """`start(mode)` gives a running world in which nothing has happened yet."""

    def of(mode: Literal["socket", "http"]) -> World:
        if mode not in worlds:
            worlds[mode] = opened(mode)
        worlds[mode].forget()
        worlds[mode].guard(canary)
        return worlds[mode]

    return of


@pytest.fixture
def fresh(canary: Any) -> Iterator[Callable[..., World]]:
    """`fresh(mode, slack_up=, limit=)` gives a world of the test's own, which ends with it."""
    made: list[World] = []

    def of(mode: Literal["socket", "http"] = "socket", **how: Any) -> World:
        made.append(opened(mode, **how))
        made[-1].guard(canary)
        return made[-1]

    yield of
    for world in made:
        world.close()


def sources(desk: PaperDesk, keys: dict[str, str]) -> AlertSources:
    """The ways alerts come in, with two keys each: the other one is being replaced."""
    both = {source: (Secret(secrets.token_hex(16)), Secret(key)) for source, key in keys.items()}
    checks = Keys(bearer_check(both["alertmanager"]), bearer_check(both["grafana"]), pagerduty_check(both["pagerduty"]))
    return AlertSources(desk, checks, recognises=lambda text: "invalid_grant" in text)


def serving(
    settings: Settings, desk: PaperDesk, bot: Secret, app: Secret, signing: Secret, alerts: AlertSources
) -> Callable[[], None]:
    """Run the edge in a thread; returns how to end it, which fails if it ended by itself."""
    loop, stop, failed = asyncio.new_event_loop(), asyncio.Event(), []

    async def run() -> None:
        await slack.serve(
            settings,
            desk,
            client=slack_clients.async_web_client(settings.slack, bot),
            stop=stop,
            verify=slack_clients.signature_check(signing),
            make_socket=slack_clients.socket(app),
            alerts=alerts,
        )

    def main() -> None:
        try:
            loop.run_until_complete(run())
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=main, name="edge", daemon=True)
    thread.start()

    def end() -> None:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        assert not thread.is_alive(), "the edge did not end"
        assert not failed, failed

    return end


@pytest.fixture
def until() -> Callable[..., Any]:
    return eventually


@pytest.fixture
def paper_desk() -> PaperDesk:
    return PaperDesk()
