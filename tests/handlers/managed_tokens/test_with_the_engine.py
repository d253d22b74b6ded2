"""The same with the engine: asked for, approved by somebody else, carried out, reported, and asked for once more."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

from bot.core.errors import Transient
from bot.core.intake import Decision, Request
from bot.core.view import State
from bot.engine import desk
from bot.engine.workshop import Patience
from bot.settings import parse
from handlers.push_tokens import HANDLER as PUSH
from handlers.refresh_uids import HANDLER as REFRESH

pytestmark = pytest.mark.slow
NODE = "dune_pro@gpvm1.example.com"


class Nobody:
    def of(self, slack_group: str) -> frozenset[str]:
        return frozenset()


@pytest.fixture
def engine(scene: Any, tmp_path: Path) -> Iterator[Any]:
    settings = parse(
        {"data_dir": str(tmp_path / "data"), "groups": {"leads": {"users": ["U2"]}},
         "commands": {"push-tokens": {"approve": ["leads"]}, "refresh-uids": {"approve": ["leads"]}}},
        "the test",
    )  # fmt: skip
    handlers = {one.name: one for one in (PUSH, REFRESH)}
    running = desk.start(
        settings, handlers, {name: one.settings() for name, one in handlers.items()}, scene.tools, scene.read_tools,
        Nobody(), None, cipher=Fernet(Fernet.generate_key()), clock=time.time,
        patience=Patience(attempts=2, first=0.001, most=0.002),
    )  # fmt: skip
    yield running.desk
    running.stop()


def until(found: Callable[[], Any]) -> Any:
    """What there is at last; half a minute is long."""
    end = time.monotonic() + 30
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


def test_what_has_failed_is_done_when_asked_again(scene: Any, engine: Any) -> None:
    """UIDs come from FERRY, then three of four places get their token; asked again, the fourth does, and only that."""
    from bot.core.grid import Account

    scene.grid.now = time.time()
    for name, uid in (("dunepro", 501), ("novapro", 502)):
        scene.grid.accounts[name] = Account(name=name, uid=uid, active=True)
    ask = {"account": [], "accept": False}
    refreshed = carried_out(engine, engine.ask(Request(key="r", command="refresh-uids", ask=ask, asker="U1")))
    assert refreshed.state == State.DONE, refreshed
    scene.grid.broken[NODE] = Transient("gpvm1.example.com does not answer.", "Is it up?")
    wanted = {"service": [], "node": [], "test": False}
    first = carried_out(engine, engine.ask(Request(key="p", command="push-tokens", ask=wanted, asker="U1")))
    assert first.state == State.PARTLY
    assert len(scene.grid.pushed) == 3
    assert first.report.notes[2].text == "3 of 4 nodes"
    scene.grid.broken.clear()
    again = carried_out(engine, engine.ask_again("a", first.id, "U1").run)
    assert again.state == State.DONE
    assert [where for where, _ in scene.grid.pushed[3:]] == [NODE]
    quiet = carried_out(engine, engine.ask(Request(key="q", command="push-tokens", ask=wanted, asker="U1")))
    assert quiet.state == State.ANSWERED
    assert quiet.answer.quiet
