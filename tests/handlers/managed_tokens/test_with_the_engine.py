"""The same with the engine: asked for, approved by somebody else, carried out, reported, and asked for once more."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

from bot.core.errors import Transient
from bot.core.grid import Account
from bot.core.intake import Decision, Request
from bot.core.view import State
from bot.engine import desk
from bot.engine.workshop import Patience
from bot.settings import parse
from handlers.push_tokens import HANDLER as PUSH
from handlers.refresh_uids import HANDLER as REFRESH

pytestmark = pytest.mark.slow
NODE, OTHER = "dune_pro@gpvm1.example.com", "nova_pro@n1.example.com"
WANTED: dict[str, Any] = {"service": [], "node": [], "test": False}


class Nobody:
    def of(self, slack_group: str) -> frozenset[str]:
        return frozenset()


@pytest.fixture
def start(scene: Any, tmp_path: Path) -> Iterator[Callable[[], Any]]:
    """`start()`: the desk of an engine; the one before it has ended."""
    settings = parse(
        {"data_dir": str(tmp_path / "data"), "groups": {"leads": {"users": ["U2"]}},
         "commands": {"push-tokens": {"approve": ["leads"]}, "refresh-uids": {"approve": ["leads"]}}},
        "the test",
    )  # fmt: skip
    handlers, cipher = {one.name: one for one in (PUSH, REFRESH)}, Fernet(Fernet.generate_key())
    running: list[Any] = []

    def begin() -> Any:
        while running:
            running.pop().stop()
        running.append(desk.start(
            settings, handlers, {name: one.settings() for name, one in handlers.items()}, scene.tools,
            scene.read_tools, Nobody(), None, cipher=cipher, clock=time.time,
            patience=Patience(attempts=2, first=0.001, most=0.002),
        ))  # fmt: skip
        return running[-1].desk

    yield begin
    for one in running:
        one.stop()


@pytest.fixture
def engine(start: Callable[[], Any]) -> Any:
    return start()


def until(found: Callable[[], Any]) -> Any:
    """What there is at last; a minute is long."""
    end = time.monotonic() + 60
    while not (seen := found()):
        assert time.monotonic() < end, "it never came"
        time.sleep(0.02)
    return seen


def carried_out(engine: Any, run: str) -> Any:
    """The run when it has ended, approved if that is what it waits for."""
    view = until(lambda: one if (one := engine.run(run)).state not in (State.ASKED,) else None)
    if view.state == State.PROPOSED:
        outcome = engine.decide(Decision(key=f"d-{run}", run=run, verdict="approve", user="U2"))
        assert outcome.accepted, outcome.told
    ended = (State.ANSWERED, State.REFUSED, State.PARTLY, State.STOPPED, State.DONE)
    return until(lambda: one if (one := engine.run(run)).state in ended else None)


def uids(scene: Any, engine: Any) -> None:
    """FERRY is asked, and its answers remembered."""
    scene.grid.now = time.time()
    for name, uid in (("dunepro", 501), ("novapro", 502)):
        scene.grid.accounts[name] = Account(name=name, uid=uid, active=True)
    ask = {"account": [], "accept": False}
    refreshed = carried_out(engine, engine.ask(Request(key="r", command="refresh-uids", ask=ask, asker="U1")))
    assert refreshed.state == State.DONE, refreshed


def test_what_has_failed_is_done_when_asked_again(scene: Any, engine: Any) -> None:
    """UIDs come from FERRY, then three of four places get their token; asked again, the fourth does, and only that."""
    uids(scene, engine)
    scene.grid.broken[NODE] = Transient("gpvm1.example.com does not answer.", "Is it up?")
    first = carried_out(engine, engine.ask(Request(key="p", command="push-tokens", ask=WANTED, asker="U1")))
    assert first.state == State.PARTLY
    assert len(scene.grid.pushed) == 3
    assert first.report.notes[2].text == "3 of 4 nodes"
    scene.grid.broken.clear()
    again = carried_out(engine, engine.ask_again("a", first.id, "U1").run)
    assert again.state == State.DONE
    assert [where for where, _ in scene.grid.pushed[3:]] == [NODE]
    quiet = carried_out(engine, engine.ask(Request(key="q", command="push-tokens", ask=WANTED, asker="U1")))
    assert quiet.state == State.ANSWERED
    assert quiet.answer.quiet


def test_what_failed_twice_is_all_that_is_tried_the_third_time(scene: Any, start: Callable[[], Any]) -> None:
    """Of two places one fails again. The bot is restarted in between, and so has another token: asked again, each run
    does just what the one before it has left, and brings it the token of now."""
    uids(scene, engine := start())
    for where in (NODE, OTHER):
        scene.grid.broken[where] = Transient("It does not answer.", "Is it up?")
    run = carried_out(engine, engine.ask(Request(key="p", command="push-tokens", ask=WANTED, asker="U1")))
    assert (run.state, len(scene.grid.pushed), len(scene.grid.stored)) == (State.PARTLY, 2, 6)
    for mended, state in ((OTHER, State.PARTLY), (NODE, State.DONE)):
        del scene.grid.broken[mended]
        scene.grid.holds.clear()
        scene.grid.generation += 1
        scene.grid.now = time.time()
        engine, done = start(), len(scene.grid.pushed)
        run = carried_out(engine, engine.ask_again(f"again-{mended}", run.id, "U1").run)
        assert run.state == state, run
        assert [where for where, _ in scene.grid.pushed[done:]] == [mended]
    assert len(scene.grid.stored) == 6
