"""One cluster with the bot's login: the token read again when it changes, and no waiting for a cluster that is away."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection
from typing import NamedTuple

from bot.clusters import Cluster
from bot.core.errors import Refused, Transient
from bot.core.secret import Secret
from bot.sources import FromFile, SecretSource
from bot.tools.http_answer import Answer, How
from bot.tools.kubernetes_told import BUSY, Doing, absent, misshapen, refusal, silence
from bot.tools.kubernetes_wire import CONNECTIONS, Request, Wire, lower

Resolve = Callable[[SecretSource], Secret]
AWAY: tuple[How, ...] = ("timeout", "dns", "refused")  # what would keep everybody else waiting as well
PAUSE = 5.0  # seconds for which nobody asks a cluster that is away


class Away(NamedTuple):
    """What the cluster's silence was, and until when it is not asked again."""

    answer: Answer
    until: float


class Session:
    """Thread-safe; at most `CONNECTIONS` requests at a time. `clock` gives seconds and never goes back."""

    def __init__(
        self, name: str, settings: Cluster, resolve: Resolve, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.wire = Wire(name, settings)
        self._name, self._source = name, settings.token
        self._resolve, self._clock = resolve, clock
        self._turns = threading.BoundedSemaphore(CONNECTIONS)
        self._token: Secret | None = None
        self._away: Away | None = None

    @property
    def where(self) -> str:
        """The cluster, at the beginning of a sentence."""
        return self.wire.where

    def ask(self, request: Request, doing: Doing, also: Collection[int] = ()) -> Answer:
        """A success with a JSON object in it, or a status in `also`; a 404 only if it is the API that says so. Raises
        in words for everything else."""
        answer = self.send(request)
        if answer.status in also and (answer.status != 404 or absent(answer)):
            return answer
        if not 200 <= answer.status < 300:
            raise refusal(answer, doing, self.where, changes=request.changes)
        if answer.object is None:
            raise misshapen(self.where, changes=request.changes)
        return answer

    def send(self, request: Request) -> Answer:
        """Whatever whole answer came. After a 401 with a token that has been replaced since, asked once more."""
        token = self._login()
        answer = self._in_turn(request, token)
        newer = self._newer(token) if answer.status == 401 else None
        return answer if newer is None else self._in_turn(request, newer)

    def _login(self) -> Secret:
        """A file is read each time: the kubelet replaces the token in it every hour."""
        if self._source is None:
            raise Refused(
                f"The bot has no login for cluster {self._name}.", f"Set clusters.{self._name}.token in the settings."
            )
        token = self._token
        if token is None or isinstance(self._source, FromFile):
            token = self._token = self._resolve(self._source)
        return token

    def _newer(self, refused: Secret) -> Secret | None:
        """The token that stands there now, if it is another than the refused one."""
        self._token = None
        token = self._login()
        return token if token.reveal() != refused.reveal() else None

    def _in_turn(self, request: Request, token: Secret) -> Answer:
        self._not_while_away()
        if not self._turns.acquire(timeout=self.wire.seconds):
            raise Transient(f"The bot itself asks {lower(self.where)} too much at a time.", BUSY)
        try:
            self._not_while_away()  # those who waited for their turn need not find out again
            return self._noted(self.wire.send(request, token), request)
        finally:
            self._turns.release()

    def _noted(self, answer: Answer, request: Request) -> Answer:
        self._away = Away(answer, self._clock() + PAUSE) if answer.how in AWAY else None
        if answer.how != "answered":
            raise silence(answer, self.where, self.wire.seconds, changes=request.changes)
        return answer

    def _not_while_away(self) -> None:
        """One cluster that does not answer must not keep those waiting who have others to ask."""
        away = self._away
        if away and self._clock() < away.until:
            raise silence(away.answer, self.where, self.wire.seconds)
