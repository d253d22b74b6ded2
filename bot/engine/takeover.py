"""Replicas on PostgreSQL: each says every few seconds that it lives, and takes over the work of one that does not.

Only the database's clock is compared. A replica that cannot say that it lives ends itself before the others take
its work over, because two that work on one run would both change the world.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import sqlalchemy as sa

from bot.core.errors import Transient
from bot.engine.durable import stranded
from bot.engine.store import metadata, writing
from bot.engine.workshop import log

BEAT = 5.0  # seconds between two signs of life
LIFE = 40.0  # seconds without one after which a replica counts as dead
FENCE = 0.6  # of its life: without a sign of life for so long, a replica ends itself

replica = sa.Table(
    "replica",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("seen", sa.Double, nullable=False),  # by the database's clock
)

NOW = sa.text("SELECT extract(epoch FROM clock_timestamp())::float8")


class Takeover:
    """A thread, of which `round` is one round. `life` in seconds."""

    def __init__(
        self, engine: sa.Engine, me: str, recover: Callable[[list[str]], None], lost: Callable[[], None],
        *, life: float = LIFE,
    ) -> None:  # fmt: skip
        self._engine, self._me, self._recover, self._lost = engine, me, recover, lost
        self._life = life
        self._stopping = threading.Event()
        self._recovering = threading.Thread()
        self._thread = threading.Thread(target=self._run, name="takeover", daemon=True)

    def start(self) -> None:
        """Give the first sign of life, then go on in a thread. Transient when the store is away."""
        self.round()
        self._thread.start()

    def stop(self) -> None:
        """Sign off, so that nobody waits for this replica's life to end."""
        self._stopping.set()
        self._thread.join(BEAT)
        self._sign_off()

    def _run(self) -> None:
        alive = time.monotonic()
        while not self._stopping.wait(min(BEAT, self._life / 8)):
            try:
                self.round()
                alive = time.monotonic()
            except Exception as error:  # whatever it was, no sign of life was given, and this thread must go on
                log.warning("no sign of life could be given", replica=self._me, error=type(error).__name__)
            if time.monotonic() - alive > self._life * FENCE:
                self._lost()
                return

    def round(self) -> tuple[str, ...]:
        """Say that we live, and take over from the dead; who they were."""
        with writing(self._engine) as conn:
            now = float(conn.execute(NOW).scalar_one())
            self._sign(conn, now)
            seen = {row.id: row.seen for row in conn.execute(sa.select(replica))}
            at_work = stranded(conn, self._me)
            conn.execute(replica.delete().where(replica.c.seen < now - 100 * self._life))
        dead = tuple(sorted(one for one, changed in at_work.items() if seen.get(one, changed) < now - self._life))
        if dead and not self._recovering.is_alive():
            log.warning("takes over", dead=dead)
            self._recovering = threading.Thread(target=self._recover, args=(list(dead),), name="recover", daemon=True)
            self._recovering.start()  # beside us: it waits without limit while the database is away
        return dead

    def _sign(self, conn: sa.Connection, now: float) -> None:
        if conn.execute(replica.update().where(replica.c.id == self._me).values(seen=now)).rowcount == 0:
            conn.execute(replica.insert().values(id=self._me, seen=now))

    def _sign_off(self) -> None:
        """Seen long ago: what we still had at hand may be taken at once."""
        try:
            with writing(self._engine) as conn:
                conn.execute(
                    replica.update().where(replica.c.id == self._me).values(seen=replica.c.seen - 2 * self._life)
                )
        except Transient:
            log.warning("no sign-off could be given", replica=self._me)
