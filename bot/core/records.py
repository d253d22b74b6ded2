"""What handlers remember between runs: small open facts in the bot's own store, with their history. Never a secret."""

from __future__ import annotations

from typing import Any, Protocol

from pydantic import Field

from bot.core.value import Value


class Record(Value):
    """One fact. `kind` and `key` name it ("uid", "novapro"), `value` is JSON. `since`: when it became this value,
    `seen_at`: when it was last confirmed (seconds since the epoch)."""

    kind: str = Field(min_length=1, max_length=60)
    key: str = Field(min_length=1, max_length=255)
    value: dict[str, Any]
    since: float
    seen_at: float
    run: str = ""  # that wrote it last


class RecordsReader(Protocol):
    def get(self, kind: str, key: str) -> Record | None: ...

    def all(self, kind: str) -> tuple[Record, ...]:
        """By key."""
        ...

    def history(self, kind: str, key: str, *, limit: int = 20) -> tuple[Record, ...]:
        """The values it had, newest first; the present one is the first."""
        ...


class Records(RecordsReader, Protocol):
    def put(self, kind: str, key: str, value: dict[str, Any], *, run: str) -> None:
        """Set it. The same value again only confirms it; another one begins a new entry of its history, of which 50
        are kept. Writing the same value for the same run twice is writing it once, also when another run has put
        something else meanwhile: that stays. Refused for more than 16 KiB of JSON or a name that is not printable,
        TypeError for what is not JSON (a Secret), Transient when the store is away."""
        ...

    def drop(self, kind: str, key: str) -> None:
        """Forget it, with its history."""
        ...
