"""An engine by hand that answers alerts."""

from __future__ import annotations

import dataclasses
from typing import Any

import sqlalchemy as sa

from bot.core.alert import Alert, Matcher, Notice
from bot.core.diagnosis import AlertHandler, Diagnosis, Mood, Watching
from bot.core.handler import HandlerSettings
from bot.core.incident import IncidentView
from bot.engine import diagnosing, messages, outbox
from tests.bot.engine.bench import Bench, keep


class Story:
    """A bench with one alert handler, "sso", whose findings the test decides: a diagnosis, or an error to raise."""

    def __init__(self, bench: Bench) -> None:
        self.bench, self.desk = bench, bench.desk
        self.finds: Diagnosis | Exception = Diagnosis(verdict="failing", mood=Mood.BAD, title="Logins fail")
        self.seen: list[Any] = []
        self.answered_by(
            AlertHandler(
                "sso", "", HandlerSettings, ((Matcher(label="alertname", equal="sso"),),), self._diagnose,
                watching=Watching(every=120, quiet=1800, longest=43200),
            )
        )  # fmt: skip

    def answered_by(self, *handlers: AlertHandler) -> None:
        by_name = {handler.name: handler for handler in handlers}
        own = {name: HandlerSettings() for name in by_name}
        self.bench.shop = dataclasses.replace(self.bench.shop, alert_handlers=by_name, alert_settings=own)
        self.bench.desk._shop = self.bench.shop

    def _diagnose(self, subject: Any, settings: Any, tools: Any) -> Any:
        self.seen.append(subject)
        if isinstance(self.finds, Exception):
            raise self.finds
        return self.finds

    def hear(self, status: str = "firing", name: str = "a", **more: Any) -> str:
        """A notice of its own with one alert; the incident's id."""
        now = self.bench.now
        alert = Alert(identity=name, status=status, labels={"alertname": "sso"}, starts_at=more.pop("at", now),
                      ends_at=now if status == "resolved" else None)  # type: ignore[arg-type]  # fmt: skip
        key = f"{status}-{name}-{now}-{more}"
        (id,) = self.desk.notice(Notice(key=key, origin=more.pop("origin", "alertmanager"), alerts=(alert,), **more))
        return id

    def look(self, finds: Diagnosis | Exception | None = None) -> IncidentView:
        """The look that waits is taken."""
        self.finds = finds or self.finds
        diagnosing.diagnose(self.bench.shop, self.view.id, keep)
        return self.view

    @property
    def view(self) -> IncidentView:
        """The only incident as it is."""
        (view,) = self.desk.incidents()
        return view

    def row(self, table: sa.Table, **which: Any) -> list[Any]:
        return self.bench.shop.read(lambda conn: list(conn.execute(sa.select(table).filter_by(**which))))

    def notes(self) -> list[str]:
        """What was told in the thread, in order."""
        rows = self.row(messages.message, run=self.view.id)
        return [row.note["text"] for row in rows if row.slot.startswith("note-")]

    def sender(self, board: Any) -> outbox.Sender:
        return outbox.Sender(self.bench.shop.store, board, self.desk.shown, lambda: self.bench.now)
