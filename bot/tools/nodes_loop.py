"""One thread with an event loop for all SSH of this process, started when it is first needed."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

Result = TypeVar("Result")


class Loop:
    """Thread-safe. The thread ends with the process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """What the work gives or raises. Who stops waiting for it stops it."""
        future = asyncio.run_coroutine_threadsafe(work, self._running())
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def _running(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                # Tasks of the library's own fail when a session ends; asyncio would log that in the node's words.
                self._loop.set_exception_handler(lambda _loop, _context: None)
                self._loop.set_default_executor(_OnTheirOwn())
                threading.Thread(target=self._loop.run_forever, name="ssh", daemon=True).start()
            return self._loop


class _OnTheirOwn(ThreadPoolExecutor):
    """A thread for each piece of work: GSSAPI waits for KDCs there, and the resolver for DNS. Those that hang, as
    neither can be hurried, take no place from others, and the process does not wait for them when it ends. There are no
    more than nodes that are worked on, and those that gave up lately."""

    def submit(self, fn: Callable[..., Result], /, *args: Any, **kwargs: Any) -> Future[Result]:
        future: Future[Result] = Future()
        threading.Thread(target=_work, args=(future, fn, args, kwargs), name="ssh-waits", daemon=True).start()
        return future


def _work(future: Future[Any], work: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        future.set_result(work(*args, **kwargs))
    except BaseException as problem:  # it is raised where it is waited for
        future.set_exception(problem)
