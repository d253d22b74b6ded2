"""forks.py as a program: it forks a bot per order, and says how that ended."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any


class Zygote:
    """One order after the other: `run`, or `begin` and then `ended`."""

    def __init__(self) -> None:
        self._program = subprocess.Popen(
            [sys.executable, Path(__file__).with_name("forks.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def begin(self, **order: Any) -> None:
        assert self._program.stdin
        self._program.stdin.write(json.dumps(order) + "\n")
        self._program.stdin.flush()

    def ended(self) -> int:
        """The status of the bot's process; negative is what killed it."""
        assert self._program.stdout
        return int(self._program.stdout.readline())

    def run(self, **order: Any) -> int:
        self.begin(**order)
        return self.ended()

    def close(self) -> None:
        assert self._program.stdin
        self._program.stdin.close()
        self._program.wait(60)
