"""The program of the chaos tests: `python forks.py` forks one bot per line of input, and ends with it."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

import world  # beside this file

from bot.core.handler import HandlerSettings


def bot(order: dict[str, Any]) -> None:
    """Run the engine on an order until its run has ended and its message shows that: then write down how."""
    from cryptography.fernet import Fernet

    from bot.core.intake import Decision, Request
    from bot.core.view import OPEN
    from bot.engine import desk as engine
    from bot.engine.workshop import Patience
    from bot.settings import parse

    folder = Path(order["folder"])
    world.EVENTS.update(count=0, kill=order["kill"])
    settings = world.document(folder, order.get("store")) | (
        {"schedules": world.KEEPER_PLANS} if order.get("keeps") else {}
    )
    running = engine.start(
        parse(settings, "world"), {"world": world.KEEPER if order.get("keeps") else world.HANDLER}, {"world": HandlerSettings()},
        world.tools(), world.tools(), world.Friends(), world.Board(folder / "slack"), cipher=Fernet(order["key"]),
        patience=Patience(attempts=3, first=0.01, most=0.05), alert_handlers={"alarm": world.ALARM},
        alert_settings={"alarm": HandlerSettings()},
    )  # fmt: skip
    if order.get("after", 0):
        threading.Timer(order["after"], os.kill, (os.getpid(), signal.SIGKILL)).start()
    desk = running.desk
    if order.get("alarm"):
        listen(desk, folder)
    if order.get("keeps"):
        keep_watch(desk, folder)
    run = desk.ask(Request(key="order", command="world", ask=order["ask"], asker="U1"))
    while (view := desk.run(run)) is None or view.state in OPEN or not shown(folder, run, view):
        if view and view.state == "proposed":
            desk.decide(Decision(key="click", run=run, verdict="approve", user="U2", digest=view.digest))
        time.sleep(0.03)
    (folder / "outcome").write_text(view.model_dump_json())
    (folder / "events").write_text(str(world.EVENTS["count"]))
    os._exit(0)


def listen(desk: Any, folder: Path) -> None:
    """Hear an alarm, and that it is over, as from a sender that repeats itself; until the story has ended."""
    (id,) = desk.notice(world.alarm("firing"))
    while (view := desk.incident(id)) is None or view.diagnosis is None:
        time.sleep(0.03)
    while view.state != "closed" or not shown(folder, id, view):
        desk.notice(world.alarm("resolved"))
        time.sleep(0.1)
        view = desk.incident(id)
    while sum("_note-" in file.name for file in (folder / "slack").iterdir()) < 2:
        time.sleep(0.05)
    (folder / "outcome").write_text(view.model_dump_json())
    (folder / "events").write_text(str(world.EVENTS["count"]))
    os._exit(0)


def keep_watch(desk: Any, folder: Path) -> None:
    """Wait until what is held was looked at, and what it needs was asked for, planned and shown."""
    while not desk.inventory() or not (runs := desk.runs()) or runs[0].state == "asked":
        time.sleep(0.03)
    while not shown(folder, runs[0].id, desk.run(runs[0].id)):
        time.sleep(0.03)
    (folder / "outcome").write_text(json.dumps([one.credential.name for one in desk.inventory()]))
    (folder / "events").write_text(str(world.EVENTS["count"]))
    os._exit(0)


def shown(folder: Path, run: str, view: Any) -> bool:
    """Does the message show the run as it is?"""
    path = folder / "slack" / f"{run}_head"
    return path.exists() and json.loads(path.read_text())["revision"] >= view.revision


def hurry() -> None:
    """Loads the engine once, so that the forked bots start at once. How far apart they do things is told elsewhere."""
    from bot.engine import desk, inventory, messages, outbox, store, ticker, watching  # noqa: F401

    store.BUSY = 60  # on a busy machine a thread may be without a turn for seconds
    messages.APART = outbox.STORY_APART = outbox.PROGRESS_APART = 0.1
    ticker.PERIOD, watching.APART, inventory.APART = 0.25, 0.3, 0.3


def main() -> None:
    """For each line of input (JSON) fork a bot, wait for its end and answer with its status, or what killed it."""
    world.die_with_parent()
    hurry()
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            world.die_with_parent()
            os.dup2(2, 1)  # the log goes where nobody waits for an answer
            try:
                bot(json.loads(line))
            except BaseException:
                import traceback

                traceback.print_exc()
                os._exit(1)
        _, status = os.waitpid(pid, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
