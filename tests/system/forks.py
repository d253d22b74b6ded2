"""The program of zygote.py: it loads the bot once, and forks a process per order, which begins as `python -m bot` would.

An order has the bot's arguments, folder and environment, whether it is hurried, and three descriptors: of the connection
on which its process id and then its exit code are told, of its standard output, and of its standard error.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import json
import os
import pkgutil
import signal
import socket
import sys
import threading
from functools import partial
from types import FrameType
from typing import Any

import bot
import handlers
from bot.engine import desk

SIZE = 65_536  # bytes of an order, at most
LATER = (
    "alembic.command", "alembic.config", "hvac.utils", "kubernetes.client.rest", "markdown_it",
    "matplotlib.backends.backend_agg", "prometheus_api_client", "prometheus_client",
)  # fmt: skip  # what the bot loads where it first needs it; not what would find Kerberos, or none, at that moment
SCRIPTS = ("bot.__main__", "bot.engine.migrations.")
CHILDREN = {signal.SIGCHLD}


def load() -> None:
    """All of the bot, so that what is forked has nothing to load any more."""
    for package in (bot, handlers):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not found.name.startswith(SCRIPTS):
                importlib.import_module(found.name)
    for name in LATER:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()
    assert threading.active_count() == 1, "a thread is not forked"


def die_with_parent() -> None:
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


class Forks:
    """`taken` returns in each forked process, with its order; the program itself ends in it when nobody orders any more."""

    def __init__(self, orders: socket.socket) -> None:
        self._orders = orders
        self._told: dict[int, socket.socket] = {}
        signal.signal(signal.SIGCHLD, self._ended)

    def taken(self) -> dict[str, Any]:
        while True:
            text, descriptors, _, _ = socket.recv_fds(self._orders, SIZE, 3)
            if not text:
                sys.exit()
            signal.pthread_sigmask(signal.SIG_BLOCK, CHILDREN)
            told, output, errors = descriptors
            pid = os.fork()
            if pid == 0:
                self._leave(told, output, errors)
                return dict(json.loads(text))
            self._told[pid] = socket.socket(fileno=told)
            self._told[pid].send(str(pid).encode())
            os.close(output)
            os.close(errors)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, CHILDREN)

    def _ended(self, number: int, frame: FrameType | None) -> None:
        while self._told:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            with self._told.pop(pid) as told:
                told.send(str(os.waitstatus_to_exitcode(status)).encode())

    def _leave(self, told: int, output: int, errors: int) -> None:
        """In the fork: what belongs to the program is not its own."""
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, CHILDREN)
        die_with_parent()
        os.setsid()
        for one in (self._orders, *self._told.values()):
            one.close()
        nothing = os.open(os.devnull, os.O_RDONLY)
        for number, given in enumerate((nothing, output, errors)):
            os.dup2(given, number)
        for given in {nothing, output, errors, told}:
            os.close(given)


def hurry() -> None:
    """What is away, or has not answered, is tried again and looked for sooner than people would want it."""
    desk.Patience = partial(desk.Patience, first=0.1, most=1.0)  # type: ignore[assignment,misc]  # as it is called
    desk.Sender = partial(desk.Sender, settle=2.0)  # type: ignore[assignment,misc]  # likewise


def become(order: dict[str, Any]) -> None:
    if order["hurried"]:
        hurry()
    os.chdir(order["folder"])
    os.environ.clear()
    os.environ.update(order["environment"])
    sys.path[:0] = [order["folder"], *filter(None, order["environment"].get("PYTHONPATH", "").split(os.pathsep))]
    sys.argv = [*order["arguments"]]
    from bot.cli import main

    main()


if __name__ == "__main__":
    die_with_parent()
    load()
    orders = socket.socket(fileno=int(sys.argv[1]))
    orders.send(b"loaded")
    become(Forks(orders).taken())
