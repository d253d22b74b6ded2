"""How far steps are while they run. A step tells as often as it likes and never waits for the store: one thread writes
the latest of all steps down, now and then, and nothing is lost but an older text."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any

import sqlalchemy as sa

from bot.core.errors import Told
from bot.core.view import State
from bot.engine import runs
from bot.engine.matching import visible
from bot.engine.store import writing
from bot.engine.tables import run, run_step
from bot.engine.workshop import Workshop, log

APART = 2.0  # seconds between two texts of one step
LIMIT = 200  # characters of one


class Progress:
    """Use it as a context around the steps. At its end what was not written yet is dropped: the steps have ended."""

    def __init__(self, shop: Workshop, apart: float = APART) -> None:
        self._shop, self._apart = shop, apart
        self._guard, self._news, self._over = threading.Lock(), threading.Event(), threading.Event()
        self._told: dict[tuple[int, int], tuple[Any, str]] = {}  # (stage, place) -> the step's row and its latest text
        self._thread: threading.Thread | None = None

    def of(self, row: Any) -> Callable[[str], None]:
        """`RunRef.tell` of the step with this row, for this attempt."""

        def tell(text: str) -> None:
            line = " ".join(visible(str(text), 4 * LIMIT).split())
            with self._guard:
                self._told[row.stage, row.place] = row, line if len(line) <= LIMIT else f"{line[: LIMIT - 1]}…"
                if self._thread is None and not self._over.is_set():
                    self._thread = threading.Thread(target=self._run, name="progress", daemon=True)
                    self._thread.start()
            self._news.set()

        return tell

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._news.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while self._news.wait() and not self._over.is_set():
            self._news.clear()
            self._write()
            self._over.wait(self._apart)

    def _write(self) -> None:
        with self._guard:
            told, self._told = self._told, {}
        try:
            with writing(self._shop.store) as conn:
                _store(conn, self._shop, list(told.values()))
        except Told:  # the store is away: later, unless a newer text has come
            with self._guard:
                self._told = told | self._told
            self._news.set()
        except Exception as error:
            log.error("progress not written", error=type(error).__name__)
        else:
            self._shop.changed.set()


def _store(conn: sa.Connection, shop: Workshop, told: list[tuple[Any, str]]) -> None:
    """Of steps that are still as when they began to tell: the same attempt, not ended, and something new."""
    changed = {row.run for row, text in told if _changed(conn, row, text)}
    for id in changed:
        runs.shown_anew(conn, shop, id)


def _changed(conn: sa.Connection, row: Any, text: str) -> bool:
    here = run_step.c.run == row.run, run_step.c.stage == row.stage, run_step.c.place == row.place
    same = run_step.c.attempt == row.attempt, run_step.c.state == row.state, run_step.c.progress != text
    applying = sa.exists().where(run.c.id == row.run, run.c.state == State.APPLYING)
    return conn.execute(run_step.update().where(*here, *same, applying).values(progress=text)).rowcount == 1
