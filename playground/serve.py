"""The demo put together: the stand-ins, the page on one visible port, and the real bot as a child process."""

from __future__ import annotations

import contextlib
import json
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
import webbrowser
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal, Self

import yaml
from starlette.applications import Starlette

from playground import ci_jobs, managed_tokens, offline, people, pull_secrets, redhat, world
from playground.broken import unused_port
from playground.child import Begin, Child, begun, clean_environment
from playground.cluster_pods import PULL
from playground.door import with_page
from playground.scenarios import Stage, scenarios
from playground.server import Server, run_in_thread
from playground.slack import Workspace, create, incoming
from playground.vault_answers import Entry

WRITES = ("POST", "PUT", "DELETE")
SEEN = 2.5  # seconds of a pull that people can watch
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


class Demo:
    """Everything that runs, from being made until `close` (or until `with` is left); nothing is left behind.

    For tests: `adjust` may change the bot's settings before they are written, `environment` is added to the bot's,
    `pause` is how many seconds a bot that ended stays down, `begin` how it is started, `pull` how many seconds nodes
    take to pull an image. `hourly`: with the schedules that would fire in the middle of one.
    """

    def __init__(
        self,
        host: str,
        port: int,
        kv: int,
        *,
        mode: Literal["socket", "http"] = "socket",
        chatter: bool = True,
        stale: bool = False,
        adjust: Callable[[dict[str, Any]], None] = lambda _: None,
        environment: Mapping[str, str] | None = None,
        pause: float = 0.5,
        begin: Begin = begun,
        pull: float = PULL,
        hourly: bool = False,
    ) -> None:
        self._mode: Literal["socket", "http"] = mode
        self._talks, self._adjust, self._hourly = chatter, adjust, hourly
        self.folder = Path(tempfile.mkdtemp(prefix="hivekeeper-demo-"))  # 0700
        self.offline = offline.Offline()
        self.world = world.World(kv, stale, self.offline)
        self.redhat = redhat.RedHat()
        self.pulls = pull_secrets.PullSecrets(pull=pull)
        self.managed = managed_tokens.ManagedTokens(self.world.vault, self.folder / "grid")
        self.workspace = Workspace.of(
            name=people.WORKSPACE, users=people.PEOPLE, channels=people.CHANNELS, usergroups=people.USERGROUPS
        )
        self.bot = Child(
            [sys.executable, "-m", "bot", "serve", "--settings", str(self.folder / "settings.yaml")],
            folder=self.folder,
            output=self.folder / "bot.log",
            environment=self._with_kerberos(clean_environment() | dict(environment or {})),
            pause=pause,
            told=self._bot_ended,
            begin=begin,
        )
        self._servers: list[Server] = []
        try:
            self._begin(host, port)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the bot, then the servers, and remove all files."""
        self.bot.close()
        self.redhat.close()
        self.pulls.close()
        self.managed.close()
        for server in self._servers:
            server.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def url(self) -> str:
        return self._page.url

    def _begin(self, host: str, port: int) -> None:
        vault = self._serve(self.world.vault.app())
        cluster = self._serve(self.world.cluster.app())
        bot_token, app_token = f"xoxb-demo-{secrets.token_hex(16)}", f"xapp-demo-{secrets.token_hex(16)}"
        signing_secret, web_port = secrets.token_hex(16), unused_port()
        self.web = f"http://127.0.0.1:{web_port}"
        slack = create(
            self.workspace,
            mode=self._mode,
            request_url=f"{self.web}/slack/events",
            signing_secret=signing_secret,
            bot_token=bot_token,
            app_token=app_token,
            manifest=manifest(),
        )
        self.app = self._application(slack, host)
        page = self._page = self._serve(self.app, port, host)
        inside = f"http://127.0.0.1:{page.port}"  # also where the page is shown on all addresses
        self.workspace.base_url = page.url
        self._keep("bot-token", bot_token)
        self._keep("app-token", app_token)
        self._keep("signing-secret", signing_secret)
        self._keep("vault-token", self.world.vault_token)
        self._keep("fingerprint-key", self.world.key)
        settings = world.settings_document(
            folder=self.folder,
            slack_url=inside,
            vault_url=vault.url,
            cluster_url=cluster.url,
            jobs=ci_jobs.write_jobs(self.folder),
            mode=self._mode,
            port=web_port,
        )
        for more in (one.settings(self._serve, self._keep) for one in (self.redhat, self.pulls, self.offline)):
            world.join(settings, more)
        world.join(settings, self.managed.settings(self._serve, self._keep, vault.url))
        world.join(settings, self.managed.schedules() if self._hourly else {})
        self._adjust(settings)
        self._keep("settings.yaml", yaml.safe_dump(settings, sort_keys=False))
        self.world.vault.on_request = self._vault_was_asked
        self._chatter()
        self.redhat.start()
        self.pulls.start(self._world_changed)
        self.managed.start(self._world_changed)
        self.bot.start()

    def _with_kerberos(self, environment: dict[str, str]) -> dict[str, str]:
        """In miniature, for a bot that is not told of a real one."""
        return environment if "KRB5_CONFIG" in environment else environment | self.managed.environment(environment)

    def _application(self, slack: Starlette, host: str) -> Starlette:
        self._monitoring = incoming.install(self.workspace, people.ALERTS_CHANNEL)
        stage = Stage(
            self.world, self.workspace, self.bot, redhat=self.redhat, pulls=self.pulls, offline=self.offline,
            managed=self.managed, say=self._say, alert=self._alert, storm=self._storm, fault=self._fault,
            afresh=self._afresh,
        )  # fmt: skip
        deeds = scenarios(stage)
        self.workspace.scenarios = [deed.button for deed in deeds.values()]
        return with_page(
            list(slack.routes),
            facts=self._facts,
            demo={"workspace": people.WORKSPACE, "me": people.ASKER, "people": people.BADGES},
            scenarios=deeds,
            emit=self.workspace.emit,
            hosts=list(LOOPBACK) if host in LOOPBACK else ["*"],
        )

    def _serve(self, app: Any, port: int = 0, host: str = "127.0.0.1") -> Server:
        server = run_in_thread(app, port, host=host)
        self._servers.append(server)
        return server

    def _keep(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.touch(mode=0o600)
        path.write_text(text, encoding="utf-8")
        return path

    def _vault_was_asked(self, entry: Entry) -> None:
        self.app.state.loop.call_soon_threadsafe(self._note, entry)

    def _note(self, entry: Entry) -> None:
        what = f"{entry.method} {entry.path}"
        self.workspace.traffic.add("to_vault", what, entry.status, 0, None, dict(entry.fields) or None)
        if entry.method in WRITES:
            self._show()

    def _facts(self) -> dict[str, Any]:
        seen = self.world.fingerprint
        grid, mail = self.managed.facts(seen), self.managed.mail.facts()
        return {**self.world.facts(), "pulls": self.pulls.facts(seen), "grid": grid, "mail": mail}

    def _show(self) -> None:
        self.workspace.emit({"type": "world", "facts": self._facts()})

    def _world_changed(self) -> None:
        self.app.state.loop.call_soon_threadsafe(self._show)

    def _say(self, channel: str, user: str, text: str) -> object:
        return self._post("message", {"channel": channel, "user": user, "text": text})

    def _alert(self, posted: dict[str, Any]) -> object:
        """Monitoring posts into its channel."""
        return self._send(self._monitoring, posted)

    def _storm(self) -> int:
        return redhat.send_storm(f"{self.web}/webhooks/alertmanager", self.redhat.alert_key, time.time())

    def _fault(self, body: dict[str, Any]) -> object:
        return self._post("fault", body)

    def _post(self, what: str, body: dict[str, Any]) -> object:
        return json.loads(self._send(f"/playground/{what}", body))

    def _send(self, path: str, body: dict[str, Any]) -> bytes:
        address = f"http://127.0.0.1:{self._page.port}{path}"
        request = urllib.request.Request(address, json.dumps(body).encode(), {"Content-Type": "application/json"})
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # a proxy has no business on loopback
        with opener.open(request, timeout=10) as answer:
            return bytes(answer.read())

    def _afresh(self) -> None:
        """An empty workspace and an empty store. The bot is down meanwhile."""
        space = self.workspace
        for kept in (space.messages, space.past, space.ephemerals, space.inputs, space.views, space.stacks,
                     space.homes, space.triggers, space.response_urls):  # fmt: skip
            kept.clear()
        shutil.rmtree(self.folder / "data", ignore_errors=True)
        self._chatter()
        space.emit({"type": "cleared"})

    def _chatter(self) -> None:
        for channel, user, text in people.CHATTER if self._talks else ():
            message = {"type": "message", "ts": self.workspace.ts(), "user": user, "text": text, "blocks": [],
                       "attachments": []}  # fmt: skip
            self.workspace.messages.setdefault(channel, []).append(message)

    def _bot_ended(self, told: str) -> None:
        print(f"{told} Its log: {self.folder / 'bot.log'}", file=sys.stderr)  # noqa: T201  the demo speaks to a terminal


def manifest() -> dict[str, Any]:
    """The app's manifest as the bot's own command line prints it: what a person would paste into Slack."""
    document: dict[str, Any] = json.loads(_printed())
    return document


@cache
def _printed() -> bytes:
    """It stays the same while this process lives."""
    command = [sys.executable, "-m", "bot", "manifest", "--json"]
    done = subprocess.run(command, capture_output=True, env=clean_environment(), timeout=60, check=False)
    if done.returncode:
        raise SystemExit("The bot cannot print its manifest. Try `hivekeeper manifest` to see why.")
    return done.stdout


def run(host: str = "127.0.0.1", port: int = 8400, *, open_browser: bool = True, kv: int = 1) -> None:
    """Run the demo until Ctrl-C or SIGTERM. SystemExit with a sentence when the port is taken."""
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: ended.set())
    try:
        demo = Demo(host, port, kv, stale=True, pull=SEEN, hourly=True)
    except OSError:
        raise SystemExit(f"Port {port} on {host} is not free. Name another with --port (0 takes any).") from None
    with demo:
        print(f"The playground is at {demo.url}/ (Ctrl-C ends it).", flush=True)  # noqa: T201  as above
        if open_browser:
            with contextlib.suppress(webbrowser.Error):
                webbrowser.open(demo.url)
        while not ended.wait(1):
            pass
