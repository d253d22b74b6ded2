"""An experiment with two nodes and two schedds, played in memory, with the bot's real file reader and its real memory."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from bot.core.errors import Told
from bot.core.grid import Account, Held, Placed, Service
from bot.core.handler import Handler
from bot.core.plan import Answer, Plan, Report, RunRef, Vocabulary
from bot.core.ports import ReadTools, Tools
from bot.engine import schema, store, tables
from bot.engine.records import StoredReader, StoredRecords
from bot.settings import Settings
from bot.tools.managed_tokens_file import ManagedTokensFile

NOTHING: Any = None  # systems that nothing here is asked of
FILE: dict[str, Any] = {
    "keytabPath": "/keytabs",
    "kerberosPrincipalPattern": "{{.Account}}@EXAMPLE.COM",
    "vaultServer": "vault.example.com",
    "condorCollectorHost": "collector.example.com",
    "errorCountToSendMessage": 2,
    "notifications": {"admin_email": "admins@example.com"},
    "experiments": {
        "dune": {
            "emails": ["dune@example.com"],
            "roles": {
                "pro": {"account": "dunepro", "destinationNodes": ["gpvm1.example.com", "gpvm2.example.com"]},
                "ana": {"account": "duneana", "destinationNodes": ["gpvm1.example.com"], "desiredUIDOverride": 700},
            },
        },
        "nova": {
            "emails": ["nova@example.com"],
            "roles": {"pro": {"account": "novapro", "destinationNodes": ["n1.example.com"]}},
        },
    },
}


@dataclass
class Grid:
    """The outside, as the ports have it. `broken`: what fails, by name of service, "service@place", account or receiver."""

    now: float = 1_900_000_000.0
    broken: dict[str, Told] = field(default_factory=dict)
    holds: dict[str, Held] = field(default_factory=dict)
    generation: int = 1
    life: float = 7 * 86400.0
    stored: list[str] = field(default_factory=list)
    pushed: list[tuple[str, int]] = field(default_factory=list)
    issuer: str = ""
    moved: dict[str, str] = field(default_factory=dict)
    down: set[str] = field(default_factory=set)
    accounts: dict[str, Account] = field(default_factory=dict)
    mails: list[tuple[tuple[str, ...], str, str]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def _fails(self, name: str) -> None:
        if name in self.broken:
            raise self.broken[name]

    def held(self, service: Service) -> Held | None:
        return self.holds.get(service.name)

    def source(self, service: Service) -> str:
        return f"https://{service.vault_server}:8200 auth/kerberos-{self.issuer or service.experiment}_{service.role}"

    def obtain(self, service: Service) -> Held:
        self._fails(service.name)
        mark = f"{self.generation:08x}"
        held = Held(service=service.name, expires_at=self.now + self.life, fingerprint=mark, how="login")
        return self.holds.setdefault(service.name, held)

    def forget(self, service: Service) -> None:
        self.holds.pop(service.name, None)

    def schedds(self, service: Service) -> tuple[str, ...]:
        self._fails("collector")
        return ("s1.example.com", "s2.example.com")

    def store(self, service: Service, schedd: str) -> None:
        self._fails(f"{service.name}@{schedd}")
        with self.lock:
            self.stored.append(f"{service.name}@{schedd}")

    def there(self, node: str) -> str:
        return self.moved.get(node, f"{node}:22/tmp")

    def reachable(self, node: str) -> bool:
        return node not in self.down

    def placed(self, service: Service, node: str, uid: int) -> tuple[Placed, ...]:
        return ()

    def push(self, service: Service, node: str, uid: int) -> tuple[Placed, ...]:
        self._fails(f"{service.name}@{node}")
        with self.lock:
            self.pushed.append((f"{service.name}@{node}", uid))
        return ()

    def account(self, name: str) -> Account | None:
        self._fails(name)
        return self.accounts.get(name)

    def configured(self) -> bool:
        return True

    def send(self, to: tuple[str, ...], subject: str, body: str, *, key: str) -> None:
        self._fails(to[0])
        self.mails.append((to, subject, body))


@dataclass
class Scene:
    grid: Grid
    tools: Tools
    reader: StoredReader
    path: Path
    runs: int = 0
    failed: dict[str, Told] = field(default_factory=dict)

    @property
    def document(self) -> dict[str, Any]:
        return FILE

    @property
    def read_tools(self) -> ReadTools:
        whole = {one.name: getattr(self.tools, one.name) for one in fields(ReadTools)}
        return ReadTools(**{**whole, "records": self.reader})

    def file(self, document: Mapping[str, Any]) -> None:
        self.path.write_text(json.dumps(document), encoding="utf-8")

    def ask(self, handler: Handler, settings: Mapping[str, Any] | None = None, **ask: Any) -> Plan | Answer:
        """What the handler makes of it, having gone through the store's JSON and back."""
        made = handler.plan(handler.ask(**ask), handler.settings.model_validate(settings or {}), self.read_tools)
        if isinstance(made, Answer):
            return made
        again = Vocabulary(handler.steps, handler.premises).read(json.loads(made.model_dump_json()))
        assert again == made
        return again

    def plan(self, handler: Handler, **ask: Any) -> Plan:
        made = self.ask(handler, **ask)
        assert isinstance(made, Plan), made
        return made

    def answer(self, handler: Handler, **ask: Any) -> Answer:
        made = self.ask(handler, **ask)
        assert isinstance(made, Answer), made
        return made

    def apply(self, plan: Plan, *, until: str = "") -> dict[str, str]:
        """All steps as the engine does them, up to those of a kind; what failed, by what the step says."""
        self.runs += 1
        run, failed = RunRef(id=f"run-{self.runs}"), {}
        for _, _, step in plan.steps:
            if until and step.kind == until:
                break
            try:
                if step.proves or not step.done(self.read_tools):
                    step.do(self.tools, run)
                    assert step.done(self.read_tools), step.says()
            except Told as told:
                failed[step.says()] = str(told)
        return failed

    def report(self, handler: Handler, plan: Plan) -> Report:
        assert handler.report is not None, "it makes one"
        return handler.report(plan, handler.settings(), self.read_tools)

    def uid(self, account: str, uid: int, **more: Any) -> None:
        """As `/refresh-uids` remembers it."""
        value = {"uid": uid, "known": True, "active": True, "banned": False, "expires_on": "", "becomes": None, **more}
        self.tools.records.put("tokens.uid", account, value, run="earlier")


def unsynchronised(connection: Any, _record: Any) -> None:
    """The power stays on in these tests, and the disk belongs to others too."""
    connection.execute("PRAGMA synchronous=OFF")


@pytest.fixture(scope="session")
def memory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sa.Engine]:
    engine = store.connect(Settings(data_dir=tmp_path_factory.mktemp("store")))
    sa.event.listen(engine, "connect", unsynchronised)
    schema.migrate(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def scene(memory: sa.Engine, tmp_path: Path) -> Scene:
    with store.writing(memory) as conn:
        conn.execute(tables.record.delete())
    grid = Grid()
    path = tmp_path / "managedTokens.yml"
    records = StoredRecords(lambda: memory, lambda: grid.now, threading.Semaphore(4))
    played: Any = grid
    tools = Tools(
        vault=NOTHING, fingerprints=NOTHING, tokens=NOTHING, documents=NOTHING, clusters=NOTHING, jobs=NOTHING,
        now=lambda: grid.now, services=ManagedTokensFile(path), vault_tokens=played, credds=played, nodes=played,
        ferry=played, mail=played, records=records, commands=frozenset({"push-tokens", "onboard-tokens", "refresh-uids"}),
    )  # fmt: skip
    made = Scene(grid, tools, StoredReader(lambda: memory), path)
    made.file(FILE)
    made.uid("dunepro", 501)
    made.uid("novapro", 502)
    return made
