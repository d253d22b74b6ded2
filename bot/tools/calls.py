"""One call of an HTTP API that answers in JSON, and what its refusals mean in general. Each call is sent once.

What makes something new at each call is marked `once`: without a clear answer nobody knows whether it was made, or is
about to be. Who asks again looks for it first, and does so when it has surely come about if it ever does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.core.errors import Refused, Told, Transient
from bot.tools.http_answer import LOADING, Answer, within

SETTLES = 10.0  # seconds
AGAIN = "Try again in a minute; if it goes on, check the network between the bot and it."


@dataclass(frozen=True)
class Service:
    """Who is called. `name` begins a sentence, `setting` is its part of the settings; `seconds` for one call."""

    name: str
    setting: str
    seconds: float
    ca_file: Path | None = None

    def send(self, method: str, url: str, *, headers: Mapping[str, str], once: bool = False, **content: Any) -> Answer:
        """The answer, whatever it says. `content`: json, data or params. Raises when none came."""
        answer = self.ask(method, url, headers=headers, **content)
        if answer.how != "answered":
            raise self.unheard(answer, once=once)
        return answer

    def ask(self, method: str, url: str, *, headers: Mapping[str, str], **content: Any) -> Answer:
        """As `send`, and what kept the answer from coming. Raises nothing."""
        with LOADING:
            from bot.tools import http_session

        def look(seconds: float) -> Answer:
            session = http_session.Session(seconds=seconds, ca_file=self.ca_file)
            return http_session.look(
                session, lambda it: it.request(method, url, headers=dict(headers), allow_redirects=False, **content)
            )

        return within(self.seconds, look)

    def unheard(self, answer: Answer, *, once: bool = False) -> Told:
        """The error for no answer at all."""
        what = answer.silence(self.name, self.seconds)
        if answer.how in ("certificate", "tls", "ca_file"):
            return Refused(what, f"Check {self.setting}.ca_file and its address in the settings.")
        if answer.how == "unsendable":
            return Refused(what, f"Check the secrets that {self.setting} names; a line break at the end is enough.")
        return _unknown(what) if once and answer.doubtful else Transient(what, AGAIN)

    def refusal(
        self, answer: Answer, doing: str, known: Mapping[int, tuple[str, str]] | None = None, *, once: bool = False
    ) -> Told:
        """The error for an answer that is not the one hoped for. `known`: status -> what it means, what to do."""
        status = answer.status
        if known and status in known and answer.after is None:
            means, now = known[status]
            return Refused(f"{self.name} did not {doing}: {means} ({status}).", now)
        if status == 429 or answer.after is not None:
            return Transient(f"{self.name} is asked too often ({status}).", "It is tried again.", after=answer.after)
        if status >= 500 or status < 300:
            what = f"{self.name} could not {doing} ({status})."
            return _unknown(what) if once and status != 503 else Transient(what, AGAIN)
        if status in (401, 403):
            return Refused(f"{self.name} does not let the bot in ({status}).", f"Check the secrets of {self.setting}.")
        if status < 400:
            return Refused(f"{self.name} sent the bot elsewhere ({status}).", f"Correct {self.setting}.address.")
        return Refused(f"{self.name} did not {doing} ({status}).", f"Check {self.setting} in the settings.")


def _unknown(what: str) -> Transient:
    return Transient(what, AGAIN, after=SETTLES, unheard=True)
