"""What `hivekeeper check` finds, one thing at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from bot.core.errors import Told
from bot.core.value import Value


class Finding(Value):
    """One thing looked at. `good` None: nothing to look at, or only worth knowing."""

    subject: str
    good: bool | None
    told: str
    now: str = ""


def looked(subject: str, look: Callable[[], str]) -> Iterator[Finding]:
    """The finding of a look that tells a sentence, or raises one."""
    try:
        yield Finding(subject=subject, good=True, told=look())
    except Told as told:
        yield Finding(subject=subject, good=False, told=told.what, now=told.now)
