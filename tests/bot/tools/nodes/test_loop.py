"""What waits beside the event loop."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading

import pytest

from bot.tools.nodes_loop import Loop

HANGS = """
import asyncio, threading
from bot.tools.nodes_loop import Loop

async def wait():
    async with asyncio.timeout(0.1):
        await asyncio.get_running_loop().run_in_executor(None, threading.Event().wait)

try:
    Loop().run(wait())
except TimeoutError:
    print("given up")
"""


def test_what_hangs_does_not_keep_the_bot_from_ending() -> None:
    """A KDC that says nothing holds a thread for half a minute: a bot that is stopped does not wait for that."""
    done = subprocess.run([sys.executable, "-c", HANGS], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "given up"


def test_what_hangs_takes_no_place_from_others() -> None:
    """However many wait for a KDC, a name is resolved at once; what fails there is raised where it is waited for."""
    end = threading.Event()

    async def many() -> int:
        loop = asyncio.get_running_loop()
        waiting = [loop.run_in_executor(None, end.wait) for _ in range(200)]
        found = await loop.run_in_executor(None, int, "7")
        with pytest.raises(ValueError, match="invalid literal"):
            await loop.run_in_executor(None, int, "seven")
        end.set()
        await asyncio.gather(*waiting)
        return found

    assert Loop().run(many()) == 7
