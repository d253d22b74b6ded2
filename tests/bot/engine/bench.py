"""An engine by hand, without its executor: a workshop whose works the test calls."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import sqlalchemy as sa
from cryptography.fernet import Fernet

from bot.core.handler import HandlerSettings
from bot.core.intake import Decision, Outcome, Request
from bot.core.view import RunView, State
from bot.engine import applying, planning, store
from bot.engine.durable import Queues
from bot.engine.stored_desk import StoredDesk
from bot.engine.workshop import Patience, Workshop
from bot.settings import Settings

QUICK = Patience(attempts=3, first=0.001, most=0.002)


def unsynchronised(connection: Any, _record: Any) -> None:
    """The power stays on in these tests, and the disk belongs to others too."""
    connection.execute("PRAGMA synchronous=OFF")


class Bench:
    """An engine by hand: the works are called by the test, and time stands still until the test moves it."""

    def __init__(self, world: ModuleType, folder: Path, settings: Settings) -> None:
        self.now = 1_000_000.0
        self.folder, self.world = folder, world
        engine = store.connect(settings)
        if engine.dialect.name == "sqlite":
            sa.event.listen(engine, "connect", unsynchronised)
        tools = world.tools(lambda: self.now)
        self.shop = Workshop(
            engine, Queues(engine, Fernet(Fernet.generate_key())), settings, {"world": world.HANDLER},
            {"world": HandlerSettings()}, tools, tools, world.Friends(), lambda: self.now, QUICK,
        )  # fmt: skip
        self.desk = StoredDesk(self.shop)

    def ask(self, key: str = "k", *, by: str = "U1", **ask: Any) -> str:
        """A new run of /world by U1."""
        document = {"folder": str(self.folder)} | ask
        return self.desk.ask(Request(key=key, command="world", ask=document, asker=by, text="as typed"))

    def plan(self, run: str) -> RunView:
        planning.plan(self.shop, run, keep)
        return self.see(run)

    def proposal(self, key: str = "k", **ask: Any) -> RunView:
        view = self.plan(self.ask(key, **ask))
        assert view.state == State.PROPOSED, view
        return view

    def decide(self, view: RunView, verdict: str = "approve", user: str = "U2", **more: Any) -> Outcome:
        known = {"key": f"{view.id}-{verdict}-{user}", "digest": view.digest} | more
        return self.desk.decide(Decision(run=view.id, verdict=verdict, user=user, **known))

    def apply(self, run: str) -> RunView:
        applying.apply(self.shop, run, keep)
        return self.see(run)

    def carried_out(self, key: str = "k", **ask: Any) -> RunView:
        view = self.proposal(key, **ask)
        assert self.decide(view).accepted
        return self.apply(view.id)

    def see(self, run: str) -> RunView:
        view = self.desk.run(run)
        assert view is not None
        return view

    def with_handler(self, **parts: Any) -> None:
        """Other parts for /world: an inventory, a report."""
        handler = dataclasses.replace(self.world.HANDLER, **parts)
        self.shop = dataclasses.replace(self.shop, handlers={"world": handler})
        self.desk._shop = self.shop

    def lines(self) -> list[list[str]]:
        return self.world.lines(str(self.folder))

    def mood(self, verb: str, name: str, text: str) -> None:
        (self.folder / f"mood-{verb}-{name}").write_text(text)

    def audited(self) -> list[str]:
        return [entry.what for entry in self.desk.audit(limit=1000)]

    def close(self) -> None:
        self.shop.queues.close()
        self.shop.store.dispose()


def keep(_name: str, call: Callable[[], Any]) -> Any:
    """A checkpoint that never has anything."""
    return call()
