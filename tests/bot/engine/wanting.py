"""An engine by hand whose answers want secrets: typed, or signed in for."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import sqlalchemy as sa
from cryptography.fernet import Fernet, MultiFernet

from bot.core.handing_in import Invitation, Wanted
from bot.core.intake import Outcome
from bot.core.plan import Answer
from bot.core.secret import Secret, SecretRef
from bot.engine import messages
from bot.tools.fingerprints import KeyedFingerprints
from bot.tools.seal import FernetSeal
from tests.bot.engine.bench import Bench


class Safe:
    """Vault in memory: path -> field -> secret. `trouble` is raised by the next writes, which save the old value before,
    as KV 1 makes them; of `lost` ones, only the answer is. `writes` counts what was written."""

    def __init__(self) -> None:
        self.holds: dict[str, dict[str, Secret]] = {}
        self.trouble: list[Exception] = []
        self.lost: list[Exception] = []
        self.writes = 0
        self.backups: set[tuple[str, str]] = set()

    def read(self, path: str, field: str) -> Secret:
        return self.holds[path][field]

    def find(self, path: str, field: str) -> Secret | None:
        return self.holds.get(path, {}).get(field)

    def fields(self, path: str) -> frozenset[str]:
        return frozenset(self.holds.get(path, {}))

    def stamp(self, path: str, field: str) -> float | None:
        return None

    def write(self, path: str, values: Mapping[str, Secret], *, run: str) -> None:
        if {name: value.reveal() for name, value in self.holds.get(path, {}).items() if name in values} == {
            name: value.reveal() for name, value in values.items()
        }:
            return
        self.backups.add((path, run))
        if self.trouble:
            raise self.trouble.pop(0)
        self.writes += 1
        self.holds.setdefault(path, {}).update(values)
        if self.lost:
            raise self.lost.pop(0)

    def restore(self, path: str, was: Mapping[str, str | None], *, run: str) -> None:
        raise AssertionError("nobody undoes what a person has handed in")

    def retire(self, path: str, *, run: str) -> None:
        self.backups.discard((path, run))


class Gate:
    """A way to sign in, "sso/one", whose answers the test decides: None (not yet), a secret, or an error to raise."""

    def __init__(self, clock: Callable[[], float], canary: Callable[[str], str]) -> None:
        self._clock, self._canary = clock, canary
        self.answer: Secret | Exception | None = None
        self.begun: list[str] = []  # device codes
        self.asked: list[str] = []
        self.lasts, self.every = 600.0, 5.0

    def ways(self) -> tuple[str, ...]:
        return ("sso/one",)

    def start(self, way: str) -> Invitation:
        if isinstance(self.answer, Exception):
            raise self.answer
        self.begun.append(self._canary(f"device-{len(self.begun)}"))
        number, until = len(self.begun), self._clock() + self.lasts
        link = f"https://sso.example.com/device?code=ABCD-{number}"
        return Invitation(link, f"ABCD-{number}", Secret(self.begun[-1]), expires_at=until, every=self.every)

    def poll(self, way: str, device: Secret) -> Secret | None:
        self.asked.append(device.reveal())
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class Wanting:
    """A bench whose /world, asked for no stages, answers that it wants a token: typed, or signed in for."""

    INTO = SecretRef(path="kv/handed-in", field="token")

    def __init__(self, bench: Bench, canary: Callable[[str], str]) -> None:
        self.bench, self.canary = bench, canary
        self.safe, self.gate = Safe(), Gate(lambda: bench.now, canary)
        key = Fernet.generate_key()
        tools = dataclasses.replace(
            bench.shop.tools, vault=self.safe, sign_ins=self.gate, fingerprints=KeyedFingerprints(Secret("only for these tests")),
            seal=FernetSeal(lambda: MultiFernet([Fernet(key)])),
        )  # fmt: skip
        bench.with_handler(plan=self._plan)
        self.join(bench, tools)

    def join(self, bench: Bench, tools: Any = None) -> None:
        """Let another replica have the same tools."""
        tools = tools or self.bench.shop.tools
        parts = {"tools": tools, "vault": lambda: self.safe, "handlers": self.bench.shop.handlers}
        bench.shop = dataclasses.replace(bench.shop, **parts)
        bench.desk._shop = bench.shop

    def _plan(self, ask: Any, settings: Any, tools: Any) -> Any:
        if ask.stages:
            return self.bench.world.plan(ask, settings, tools)
        after = {"folder": ask.folder, "stages": [["a"]]}
        typed = Wanted(name="token", label="Hand in a token", into=self.INTO, command="world", ask=after)
        return Answer(
            command="world", title="A token is wanted",
            wanted=(typed, typed.model_copy(update={"name": "sign-in", "way": "sso/one"})),
        )  # fmt: skip

    def answered(self, key: str = "k") -> str:
        """A run whose answer wants both."""
        return self.bench.plan(self.bench.ask(key, stages=[])).id

    def hand_in(self, key: str, run: str, secret: str, *, user: str = "U1", name: str = "token") -> Outcome:
        return self.bench.desk.hand_in(key, run, name, user, Secret(secret))

    def sign_in(self, key: str, run: str, *, user: str = "U1", name: str = "sign-in") -> Outcome:
        return self.bench.desk.sign_in(key, run, name, user)

    @property
    def held(self) -> str | None:
        found = self.safe.find(self.INTO.path, self.INTO.field)
        return None if found is None else found.reveal()

    def told(self, user: str = "U1") -> list[str]:
        """What was told this person alone."""
        query = sa.select(messages.message).where(messages.message.c.channel == user)
        return [row.note["text"] for row in self.bench.shop.read(lambda conn: conn.execute(query).all())]
