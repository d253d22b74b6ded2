"""An engine by hand with an hourly schedule."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from bot.core.plan import Report
from bot.core.view import State
from bot.engine import schedules, ticker
from bot.engine.messages import message
from bot.settings import Schedule, Standing


class Hourly:
    """A bench with an hourly schedule of /world under a standing approval, whose step is undone by `again`."""

    def __init__(self, bench: Any, *, stands: bool = True, tell: Any = "trouble", **ask: Any) -> None:
        self.bench = bench
        document = {"folder": str(bench.folder), "on_failure": "go_on"} | ask
        plans = {"tokens": Schedule(command="world", ask=document, every_minutes=60, channel="C7", tell=tell)}
        standing = {"s": Standing(owner="U5", command="world", ask=document, until="2030-01-01")} if stands else {}
        parts = {"schedules": plans, "standing": standing}
        object.__setattr__(bench.shop, "settings", bench.shop.settings.model_copy(update=parts))
        bench.shop.write(lambda conn: schedules.sync(conn, plans, bench.now))

    def warn(self, *, plan: tuple[str, ...] = (), report: tuple[str, ...] = (), **more: Any) -> None:
        """From now on the handler says this."""
        make = self.bench.world.plan
        self.bench.with_handler(
            plan=lambda ask, settings, tools: make(ask, settings, tools).model_copy(update={"warnings": plan, **more}),
            report=lambda plan, settings, tools: Report(warnings=report),
        )

    def tick(self) -> str:
        """An hour later: the run that the schedule asks for, as it is after its planning."""
        (self.bench.folder / "ledger").unlink(missing_ok=True)
        self.bench.now += 3600
        ticker.fire_schedules(self.bench.shop)
        run: str = self.bench.desk.schedules()[0].last_run
        self.bench.plan(run)
        return run

    def hour(self) -> Any:
        """The run of an hour as it ended."""
        run = self.tick()
        return self.bench.apply(run) if self.bench.see(run).state == State.APPROVED else self.bench.see(run)

    def rows(self) -> list[tuple[str, str]]:
        """(run, slot) of all messages, in the order in which they were wanted."""
        query = sa.select(message.c.run, message.c.slot).order_by(message.c.id)
        return [tuple(row) for row in self.bench.shop.read(lambda conn: conn.execute(query).all())]

    def slots(self, run: str) -> list[str]:
        return [slot for owner, slot in self.rows() if owner == run]
