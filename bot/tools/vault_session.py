"""A session with Vault: logged in when needed, prolonged in time, logged in again when the token is gone."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

from bot.core.errors import Told
from bot.settings import Vault
from bot.tools.http_answer import LOADING
from bot.tools.vault_login import Exchange, Lease, Resolve, login, look_up, renew
from bot.tools.vault_told import Doing, Reply, refusal


class Held(NamedTuple):
    """A client with its token, how to send with it, and how long that token lives. Replaced whole, never changed."""

    exchange: Exchange
    lease: Lease


class VaultSession:
    """Thread-safe. `clock` gives seconds and never goes back."""

    def __init__(self, settings: Vault, resolve: Resolve, clock: Callable[[], float]) -> None:
        self._settings = settings
        self._resolve = resolve
        self._clock = clock
        self._lock = threading.Lock()
        self._held: Held | None = None

    def call(self, doing: Doing, send: Callable[[Any], Any], also: tuple[int, ...] = ()) -> Reply:
        """The answer if it is a success, "nothing there" (404), "changed meanwhile" (400) or a status in `also`;
        otherwise raises in words."""
        held = self._ready()
        reply = held.exchange(send, doing)
        if reply.status in (401, 403):
            before, held = held, self._after_refusal(held)
            reply = reply if held is before else held.exchange(send, doing)
        if reply.ok or reply.absent or reply.overtaken or reply.status in also:
            return reply
        raise refusal(reply, doing, token_unknown=not held.lease.known)

    @property
    def known(self) -> bool:
        """Does Vault tell about our token? It does not when the token is wrong, over, or may not look itself up."""
        return self._ready().lease.known

    @property
    def expires_in(self) -> float | None:
        """Seconds until the bot's token ends; None if it never does or Vault does not tell."""
        ends = self._ready().lease.ends
        return None if ends is None else max(0.0, ends - self._clock())

    def _ready(self) -> Held:
        with self._lock:
            if self._held is None:
                return self._log_in()
            due = self._held.lease.due
            if due is not None and self._clock() >= due:
                return self._prolong(self._held)
            return self._held

    def _log_in(self) -> Held:
        with LOADING:  # hvac and requests load here, at the first call, and not while another client loads
            from bot.tools.vault_wire import connect, exchange

        client = connect(self._settings)
        send = partial(exchange, client, settings=self._settings)
        self._held = Held(send, login(self._settings.auth, self._resolve, client, send, self._clock()))
        return self._held

    def _prolong(self, held: Held) -> Held:
        """Renew or log in again. While the token at hand still lives, a failure only puts off the next try."""
        now = self._clock()
        try:
            longer = renew(held.lease, held.exchange, now) if held.lease.renewable else None
            self._held = self._log_in() if longer is None else held._replace(lease=longer)
        except Told:
            left = (held.lease.ends or now) - now
            if left <= 0:
                raise
            self._held = held._replace(lease=replace(held.lease, due=now + left / 2))
        return self._held

    def _after_refusal(self, held: Held) -> Held:
        """What to try once more with: the same if the token is in order, else a new login (maybe another's)."""
        with self._lock:
            if self._held is not held and self._held is not None:
                return self._held
            if look_up(held.exchange, self._clock()).known:
                return held
            return self._log_in()
