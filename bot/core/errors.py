"""What went wrong, for people: one sentence of what and where, one of what to do now.

A foreign exception stops at the tool that called the client. Its text, arguments and cause do not travel,
because clients put server text, request bodies and tokens into them (design, section 5).
"""


class Told(Exception):
    """An error a person can act on. `what` says what and where, `now` says what to do; both are safe to show."""

    def __init__(self, what: str, now: str = "") -> None:
        super().__init__(what, now)
        self.what = what
        self.now = now

    def __str__(self) -> str:
        return f"{self.what} {self.now}".strip()


class Transient(Told):
    """The outside system did not answer as it should; the engine tries again with backoff. `after`: seconds.
    `unheard`: a change was asked for and nobody knows what came of it; it may even be carried out later."""

    def __init__(self, what: str, now: str = "", *, after: float | None = None, unheard: bool = False) -> None:
        super().__init__(what, now)
        self.after = after
        self.unheard = unheard


class Refused(Told):
    """The world or a rule said no. Trying again without a change elsewhere is pointless."""


class Drifted(Told):
    """The world moved since the plan was shown; what was approved no longer fits it."""


class Unverified(Told):
    """The change was made but its proof failed; it is to be undone."""
