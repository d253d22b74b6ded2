"""What Slack answers when it does not do as asked."""

from __future__ import annotations

from typing import Any


class ApiError(Exception):
    """An answer `{"ok": false, "error": …}`. `messages` go to `response_metadata.messages`."""

    def __init__(self, error: str, messages: list[str] | None = None, **more: Any) -> None:
        super().__init__(error)
        self.error = error
        self.messages = messages or []
        self.more = more

    def answer(self) -> dict[str, Any]:
        """The body of the answer."""
        body: dict[str, Any] = {"ok": False, "error": self.error, **self.more}
        if self.messages:
            body["response_metadata"] = {"messages": [f"[ERROR] {message}" for message in self.messages]}
        return body


class Limited(ApiError):
    """Too many calls: HTTP 429 with `Retry-After` (whole seconds)."""

    def __init__(self, after: int) -> None:
        super().__init__("ratelimited")
        self.after = after


class Unkind(Exception):
    """A person asked the playground for something that cannot be: answered 4xx with this sentence."""


class Undelivered(Exception):
    """The bot did not take a payload. `reason` as Slack names it in X-Slack-Retry-Reason."""

    def __init__(self, reason: str, *, again: bool = True) -> None:
        super().__init__(reason)
        self.reason = reason
        self.again = again
