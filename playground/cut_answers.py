"""An answer that may break off in its middle."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.types import Send


async def answered(send: Send, status: int, headers: Mapping[str, str], content: bytes, cut: int | None) -> None:
    """The whole of it; or, with `cut`, so many bytes of its content, after which the connection is closed."""
    pairs = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": pairs})
    if cut is None:
        await send({"type": "http.response.body", "body": content})
    elif cut:
        await send({"type": "http.response.body", "body": content[:cut], "more_body": True})
