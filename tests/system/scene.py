"""A demo with people in it, and all that can be seen of it from outside (loaded by the fixture `system`)."""

from __future__ import annotations

import base64
import json
import os
import pwd
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from cryptography.fernet import Fernet

from bot.engine import audit
from playground.child import begun, clean_environment
from playground.people import APPROVER, ASKER, NEWCOMER, ONCALL_CHANNEL, OWNER, SECOND
from playground.serve import Demo
from playground.slack import Times
from playground.vault_engines import KvV2
from playground.world import ACCOUNTS, CONFIG, HANDOVER
from tests.system.zygote import zygote

__all__ = [
    "ACCOUNTS", "APPROVER", "ASKER", "CONFIG", "HANDOVER", "NEWCOMER", "OWNER", "PATIENT", "SECOND", "Scene", "until",
]  # fmt: skip

TOKEN = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]+")
OPEN = ("asked", "proposed", "approved", "applying")
COMMAND = "/rotate-hive-tokens"
PATIENT = Times(ack=20, trigger=20)  # a busy machine is no slow bot


def until(wanted: Callable[[], Any], seconds: float = 60, told: Callable[[], object] = lambda: "") -> Any:
    """The first true answer; fails, with what `told` says, when there is none in time."""
    end, pause = time.monotonic() + seconds, 0.02
    while time.monotonic() < end:
        if found := wanted():
            return found
        time.sleep(pause)
        pause = min(1.2 * pause, 0.1)  # each look takes from what is looked at
    raise AssertionError(f"it did not happen in time. {told()}")


class Scene:
    """`adjust` changes the bot's settings, `store` is the address of a PostgreSQL database (default: SQLite). A `hurried`
    bot soon tries again what did not work."""

    def __init__(
        self, kv: int = 1, *, mode: Any = "socket", store: str | None = None,
        adjust: Callable[[dict[str, Any]], None] = lambda _: None, environment: dict[str, str] | None = None,
        hurried: bool = False,
    ) -> None:  # fmt: skip
        self.canary: Any = None
        self._key = Fernet.generate_key()
        self.cipher = Fernet(self._key)
        self.store, self._also = store, adjust
        own = "PYTHONPATH" in (environment or {})  # a source that the zygote does not have
        self.demo = Demo("127.0.0.1", 0, kv, mode=mode, chatter=False, adjust=self._adjust, environment=environment,
                         pause=0.1, begin=begun if own else partial(zygote().begin, hurried=hurried))  # fmt: skip
        self.db = sa.create_engine(store or f"sqlite:///{self.demo.folder}/data/hivekeeper.sqlite",
                                   poolclass=sa.NullPool)  # fmt: skip
        self.space, self.vault, self.world = self.demo.workspace, self.demo.world.vault, self.demo.world
        self.close = self.demo.close
        self.space.times = PATIENT

    def _adjust(self, settings: dict[str, Any]) -> None:
        """The person at the terminal is an approver; the key that seals the executor's rows is ours."""
        settings["people"] = {pwd.getpwuid(os.getuid()).pw_name: APPROVER}
        file = str(Path(settings["data_dir"]).with_name("encryption-key"))
        with open(os.open(file, os.O_CREAT | os.O_WRONLY, 0o600), "wb") as out:
            out.write(self._key)
        settings["store"]["encryption_keys"] = [{"file": file}]
        if self.store:
            settings["store"]["url"] = self.store
        self._also(settings)

    def fresh(self) -> None:
        """All healed, production with new tokens, the bot connected. Old messages and runs stay."""
        self.vault.on_write = None
        self.vault.heal()
        self.space.faults.clear()
        self.space.times = PATIENT
        self.hide()
        self.world.recycle()
        self.hide()
        if not self.demo.bot.pid:
            self.demo.bot.start()
        self.connected()

    def hide(self) -> None:
        """Look for all secrets that Vault holds now, and for the bot's own."""
        for path in self.vault.paths():
            for name, value in (self.vault.get(path) or {}).items():
                self._hide(f"{path} {name}", str(value))
        for name in ("bot-token", "app-token", "signing-secret", "vault-token", "fingerprint-key",
                     "jenkins-token"):  # fmt: skip
            self.canary.add(name, (self.demo.folder / name).read_text())
        self.canary.add("encryption-key", self._key.decode())

    def _hide(self, name: str, value: str) -> None:
        if name.endswith("config"):
            text = base64.b64decode(value).decode()
            for number, token in enumerate(TOKEN.findall(text)):
                self.canary.add(f"{name} {number} {token[-6:]}", token)
        elif value.startswith(("eyJ", "AKIA")):
            self.canary.add(f"{name} {value[-6:]}", value)

    # --- people -------------------------------------------------------------------------------------------

    def connected(self) -> None:
        until(lambda: self.demo.bot.pid and self.get(f"state?user={ASKER}")["bot"]["connected"], 60, self.log)

    def get(self, what: str) -> Any:
        with urllib.request.urlopen(f"{self.demo.url}/playground/{what}", timeout=60) as answer:
            return json.load(answer)

    def post(self, user: str, what: str, **body: Any) -> Any:
        data = json.dumps({"user": user, **body}).encode()
        address, kind = f"{self.demo.url}/playground/{what}", {"Content-Type": "application/json"}
        try:
            with urllib.request.urlopen(urllib.request.Request(address, data, kind), timeout=60) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return json.load(error)

    def type(self, user: str, command: str, text: str = "", channel: str = ONCALL_CHANNEL) -> str:
        """Type a command; the sentence that only this person sees as the answer, in whole."""
        before = len(self.told(user, channel))
        answer = self.post(user, "command", channel=channel, command=command, text=text)
        assert answer == {"ok": True}, answer
        return str(until(lambda: self.told(user, channel)[before:], told=self.log)[0])

    def told(self, user: str, channel: str = ONCALL_CHANNEL) -> list[str]:
        """What only this person sees in the channel, oldest first: text and blocks."""
        return [shown(message) for message in list(self.space.ephemerals.get((user, channel), []))]

    def ask(self, user: str = ASKER, text: str = "", command: str = COMMAND) -> str:
        """Ask, and name the run."""
        answer = self.type(user, command, text)
        found = re.search(r"run (r-[a-z2-7]{7})", answer)
        assert found, answer
        return found[1]

    def proposed(self, user: str = ASKER, text: str = "") -> str:
        """Ask, and wait until the plan is shown with its buttons."""
        run = self.ask(user, text)
        until(lambda: self.button(run, "approve"), 60, lambda: self.about(run))
        return run

    def heads(self, run: str) -> list[Any]:
        """The messages of a run that are not notes."""
        return [m for messages in list(self.space.messages.values()) for m in list(messages)
                if (m.get("metadata") or {}).get("event_payload", {}).get("key") == f"{run}/head"]  # fmt: skip

    def text(self, run: str) -> str:
        """What a run's message shows now: text and blocks."""
        return shown(self.heads(run)[0]) if self.heads(run) else ""

    def button(self, run: str, action: str) -> dict[str, Any] | None:
        """How to press a button of the run's message; None if it has none."""
        for message in self.heads(run):
            for block in message["blocks"]:
                for element in block.get("elements", []):
                    if element.get("action_id") == action:
                        return {"channel": ONCALL_CHANNEL, "message_ts": message["ts"], "block_id": block["block_id"],
                                "action_id": action}  # fmt: skip
        return None

    def press(self, user: str, button: dict[str, Any] | None, **more: Any) -> None:
        assert button is not None

        def delivered() -> bool:
            answer = self.post(user, "action", **button, **more)
            assert answer.get("ok") or answer.get("error") in ("timeout", "connection_failed", "error"), answer
            return bool(answer.get("ok"))

        until(delivered, 60, self.log)  # Slack says that it had trouble connecting, and the person presses again

    def approve(self, run: str, user: str = APPROVER) -> None:
        """Approve, and see in the store that it counts."""
        self.press(user, self.button(run, "approve"))
        until(lambda: self.state(run) != "proposed", told=lambda: self.about(run))

    def ended(self, run: str, state: str, seconds: float = 60) -> str:
        """Wait until the run has ended so and its message shows it; what that shows."""
        until(lambda: self.state(run) not in OPEN and self.quiet(), seconds, lambda: self.about(run))
        assert self.state(run) == state, self.about(run)
        return self.text(run)

    # --- the store ----------------------------------------------------------------------------------------

    def rows(self, query: str, **values: Any) -> Sequence[Any]:
        with self.db.connect() as conn:
            return conn.execute(sa.text(query), values).all()

    def state(self, run: str) -> str | None:
        found = self.rows("SELECT state FROM run WHERE id = :run", run=run)
        return found[0][0] if found else None

    def quiet(self) -> bool:
        """Does every message show what it should?"""
        return not self.rows("SELECT 1 FROM message WHERE due_at IS NOT NULL")

    def audited(self, run: str | None = None) -> list[str]:
        """What the audit log says happened, in order."""
        query = "SELECT what FROM audit WHERE run = :run OR :run IS NULL ORDER BY number"
        return [row[0] for row in self.rows(query, run=run)]

    def sound(self) -> None:
        """Nothing is open, every message is right, the audit log is whole."""
        until(self.quiet, told=self.log)
        assert self.rows("SELECT id, state FROM run WHERE state IN ('asked', 'approved', 'applying')") == []
        found = audit.verify(self.db)
        assert found.ok, found.told

    def once(self, run: str, since: int) -> None:
        """Done: each write happened once, both copies are right, one message tells so, and nothing is left open."""
        report = self.ended(run, "done")
        backups = [f"{path}-before-{run}" for path in (HANDOVER, CONFIG)] if self.world.kv == 1 else []
        assert sorted(self.writes(since)) == sorted([HANDOVER, CONFIG, *backups]), self.about(run)
        assert self.handed_over()
        assert "Done and verified" in report
        assert self.button(run, "approve") is None
        assert len(self.heads(run)) == 1
        assert self.audited(run).count("done") == 1
        self.sound()

    # --- the world ----------------------------------------------------------------------------------------

    def handed_over(self) -> bool:
        """Do both copies hold production's tokens, the neighbours and comments as they were?"""
        held, text = self.vault.get(HANDOVER) or {}, self.config()
        tokens = {account.name: self.vault.get(account.source)["token"] for account in ACCOUNTS}  # type: ignore[index]
        return (
            all(held[account.handover_field] == tokens[account.name] for account in ACCOUNTS)
            and held["rotated-by"] == "hand, last spring"
            and f"frontend_token: {tokens['hive-frontend']}  # hive/hive-frontend\n" in text
            and f'token: "{tokens["aws-account-operator"]}"\n' in text
            and text.startswith("# clusters-service, sandbox: what OCM CI runs with.")
            and "limits: {max_clusters: 20, max_parallel: 4}\n" in text
        )

    def config(self) -> str:
        return base64.b64decode((self.vault.get(CONFIG) or {})["config"], validate=True).decode()

    def versions(self) -> list[int]:
        """How often each of both paths was ever written (KV 2; of KV 1, nothing is known)."""
        engine = self.vault.mounts["sd-uhc"]
        paths = [path.removeprefix("sd-uhc/") for path in (HANDOVER, CONFIG)]
        return [engine.keys[path].current for path in paths] if isinstance(engine, KvV2) else []

    def writes(self, since: int) -> list[str]:
        """The paths written with success since so many requests to Vault."""
        return [entry.path.replace("/data/", "/") for entry in list(self.vault.log)
                if entry.number > since and entry.method in ("PUT", "POST", "DELETE") and entry.status < 300
                and entry.path.startswith("sd-uhc")]  # fmt: skip

    @property
    def asked(self) -> int:
        """How many requests Vault has had."""
        return self.vault.log[-1].number if self.vault.log else 0

    def kill(self) -> None:
        """kill -9, and wait until it is gone; it is started again by itself."""
        pid = self.demo.bot.pid
        self.demo.bot.kill()
        until(lambda: self.demo.bot.pid != pid)

    def line(self, *words: str) -> subprocess.CompletedProcess[str]:
        """The command line beside the running bot."""
        command = [sys.executable, "-m", "bot", *words]  # settings.yaml lies in the folder
        return zygote().run(command, self.demo.folder, clean_environment() | {"COLUMNS": "200"})

    def line_to_bot(self) -> str:
        """Where the bot listens for Slack in HTTP mode."""
        return f"{self.demo.web}/slack/events"

    def log(self) -> str:
        return (self.demo.folder / "bot.log").read_text()[-3000:]

    def about(self, run: str) -> str:
        steps = self.rows("SELECT says, state, attempt, trouble FROM run_step WHERE run = :run", run=run)
        log = self.rows("SELECT what, facts FROM audit WHERE run = :run ORDER BY number", run=run)
        return f"{self.state(run)}; {self.text(run)[:400]}; {steps}; {log}; {self.log()}"


def shown(message: Any) -> str:
    """What a message says: its text for notifications, and its blocks."""
    return f"{message['text']}\n{json.dumps(message.get('blocks') or [], ensure_ascii=False)}"
