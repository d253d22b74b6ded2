"""The same look at many places at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from bot.core.errors import Told

Item = TypeVar("Item")
Found = TypeVar("Found")


def each(look: Callable[[Item], Found], items: Iterable[Item], *, at_most: int = 32) -> tuple[Found | Told, ...]:
    """What `look` finds for each item, in their order, `at_most` at the same time. One that fails in our words gives
    its error in its place and keeps none of the others; any other exception is raised."""
    wanted = tuple(items)
    if not wanted:
        return ()
    with ThreadPoolExecutor(max_workers=min(at_most, len(wanted)), thread_name_prefix="look") as pool:
        return tuple(pool.map(lambda item: _one(look, item), wanted))


def _one(look: Callable[[Item], Found], item: Item) -> Found | Told:
    try:
        return look(item)
    except Told as error:
        return error
