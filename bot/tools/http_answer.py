"""What came of one look over HTTP, as a value, and what to tell people of a look that got no answer."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

How = Literal[
    "answered", "timeout", "dns", "certificate", "tls", "ca_file", "refused", "cut", "circles", "too_long", "unsendable"
]

LOADING = threading.Lock()  # HTTP clients load at the first look, and in one thread at a time
PAUSE = 0.25  # seconds before a second try
BLIPS: tuple[How, ...] = ("dns", "refused", "cut")  # worth one more try: each is told at once
UNSENT: tuple[How, ...] = ("dns", "certificate", "tls", "ca_file", "refused", "unsendable")
BUSY = (502, 503, 504)  # a proxy whose server is away for a moment
GAVE_UP = (500, 502, 504)  # who answers so may have been heard all the same by who does the work

SENTENCES: dict[How, str] = {
    "timeout": "{where} did not answer within {seconds:g} s.",
    "dns": "The host name of {where} cannot be resolved.",
    "certificate": "{where} shows a certificate that the bot does not trust.",
    "tls": "No TLS connection to {where} could be made.",
    "ca_file": "The CA file for {where} is not there.",
    "refused": "{where} does not accept connections.",
    "cut": "The connection to {where} broke off before the answer was complete.",
    "circles": "{where} sends the bot round in circles.",
    "too_long": "{where} answered with more than the bot reads.",
    "unsendable": "A header or login for {where} has characters that none may have.",
}


@dataclass(frozen=True)
class Answer:
    """`how` is "answered" when a whole HTTP answer came; then status, body and the rest are its. Seconds. `kind`: its
    media type, in small letters; `date`: the time it tells, since the epoch."""

    how: How
    status: int = 0
    body: bytes = field(default=b"", repr=False)
    after: float | None = None
    moved: bool = False  # a redirect that was not followed
    latency: float | None = None
    kind: str = ""
    date: float | None = None
    unsent: bool = False  # nobody has heard the request

    @cached_property
    def document(self) -> Any:
        """The body's JSON, None if it is none."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None

    @property
    def object(self) -> dict[str, Any] | None:
        return self.document if isinstance(self.document, dict) else None

    @property
    def doubtful(self) -> bool:
        """Nobody knows whether what was asked for is done, or will be."""
        return self.how not in ("answered", *UNSENT) and not self.unsent

    @property
    def blip(self) -> bool:
        """Might a second try help at once?"""
        return self.how in BLIPS or (self.status in BUSY and self.object is None)

    def silence(self, where: str, seconds: float) -> str:
        """One sentence for a look that got no answer. `where` starts with a capital letter."""
        return SENTENCES[self.how].format(where=where, seconds=seconds)


def twice(seconds: float, look: Callable[[float], Answer]) -> Answer:
    """`look(seconds left)`, and once more after a blip if half of the time is still left; never longer in all."""
    began = time.monotonic()
    first = within(seconds, look)
    left = seconds - (time.monotonic() - began) - PAUSE
    if not first.blip or left < seconds / 2:
        return first
    time.sleep(PAUSE)
    return within(left, look)


def within(seconds: float, look: Callable[[float], Answer]) -> Answer:
    """Not longer than that, whatever hangs: name resolution cannot be hurried, and a header may come byte by byte. What
    is late is left to end by itself, and not begun."""
    answers: list[Answer] = []
    began = time.monotonic()

    def work() -> None:
        if time.monotonic() - began < seconds:
            answers.append(look(seconds))

    thread = threading.Thread(target=work, daemon=True, name="look")
    thread.start()
    thread.join(seconds)
    return answers[0] if answers else Answer("timeout", latency=time.monotonic() - began)
