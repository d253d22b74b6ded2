"""One thread with an event loop for all SSH of this process, started when it is first needed."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

Result = TypeVar("Result")
THREADS = 64


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
                # GSSAPI waits for the KDC in threads of these
                self._loop.set_default_executor(ThreadPoolExecutor(THREADS, thread_name_prefix="ssh-gss"))
                threading.Thread(target=self._loop.run_forever, name="ssh", daemon=True).start()
            return self._loop
