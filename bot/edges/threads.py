"""Blocking calls and work that outlives an answer, for asynchronous code.

A pool of our own, because the engine replaces the event loop's default one and waits in it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")
log = logging.getLogger(__name__)


class Threads:
    """Runs the desk's calls, a few at a time: more would only wait for the same store."""

    def __init__(self, size: int = 8) -> None:
        self._pool = ThreadPoolExecutor(size, thread_name_prefix="desk")
        self._tasks: set[asyncio.Task[Any]] = set()

    async def call(self, function: Callable[P, R], *args: P.args, **named: P.kwargs) -> R:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, lambda: function(*args, **named))

    def start(self, work: Coroutine[Any, Any, R]) -> asyncio.Task[R]:
        """Begin something that may end after the answer to Slack; kept until it ends, its failure logged."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("work after an answer failed", extra={"error": type(error).__name__})

    async def close(self, patience: float = 5) -> None:
        """Wait a little for what is under way, then let go."""
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=patience)
            for task in late:
                task.cancel()
        self._pool.shutdown(wait=False, cancel_futures=True)
