"""Tokens by schedule, under a standing approval: what the channel and the mailboxes hear of a week of hours."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from playground.people import ONCALL_CHANNEL
from tests.system.managed import ADMINS, Site, applied, site
from tests.system.managed_kills import mend, settle

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

DAYS = {"every_minutes": 3 * 24 * 60, "catch_up": True}  # it fires when the test says so


@pytest.fixture(scope="module")
def grid(kdc: Any, server_binary: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site(kdc, server_binary, tmp_path_factory.mktemp("grid"), played=True, fresh=0.001, schedule=DAYS) as made:
        yield made


@pytest.fixture
def scene(started: Callable[..., Any], watched: Callable[[Any], Any], canary: Any, grid: Site) -> Iterator[Any]:
    made = watched(started(1, name="hours", adjust=grid.adjust, environment=grid.environment()))
    if not made.rows("SELECT 1 FROM run WHERE command = 'refresh-uids'"):
        applied(made, made.ask(command="/refresh-uids"))
    yield made
    mend(grid)
    grid.hide(canary)


def runs(scene: Any) -> dict[str, str]:
    """The schedule's, with their states."""
    return {row.id: row.state for row in scene.rows("SELECT id, state FROM run WHERE source = 'schedule'")}


def due(scene: Any) -> None:
    with scene.db.begin() as conn:
        conn.exec_driver_sql("UPDATE schedule SET next_at = 1")


def ended(scene: Any, system: Any, known: dict[str, str]) -> str:
    """The one new run, once it has ended and Slack shows what it should."""

    def new() -> list[str]:
        return [run for run, state in runs(scene).items() if run not in known and state not in system.OPEN]

    (run,) = system.until(new, 120, scene.log)
    system.until(scene.quiet, 60, scene.log)
    return str(run)


def fire(scene: Any, system: Any) -> str:
    settle(scene)
    known = runs(scene)
    due(scene)
    return ended(scene, system, known)


def said(scene: Any, run: str) -> list[str]:
    """What stands in the channel of this run: the names of its messages."""
    keys = [(one.get("metadata") or {}).get("event_payload", {}).get("key", "")
            for one in list(scene.space.messages.get(ONCALL_CHANNEL, []))]  # fmt: skip
    return [key.removeprefix(f"{run}/") for key in keys if key.startswith(f"{run}/")]


def test_the_hour_that_was_missed_is_made_up_for(scene: Any, system: Any, grid: Site) -> None:
    """The bot was down when the time came: at its start it brings all tokens, once, asks nobody, and says nothing."""
    settle(scene)
    scene.demo.bot.hold()
    known = runs(scene)
    due(scene)
    scene.demo.bot.start()
    scene.connected()
    run = ended(scene, system, known)
    assert (scene.state(run), said(scene, run)) == ("done", []), scene.about(run)
    assert scene.audited(run).count("approved") == 1
    assert all(grid.good(token) for one in grid.services for node in one.nodes for token in grid.tokens(one, node))
    assert {len(grid.tokens(one, node)) for one in grid.services for node in one.nodes} == {2}
    assert grid.post.came == []
    assert run in scene.type(system.ASKER, "/hivekeeper", "runs")
    scene.sound()


def test_trouble_is_told_once_and_so_is_its_end(scene: Any, system: Any, grid: Site) -> None:
    """A disk is full: the channel sees the run, those concerned get one mail each, though the bot is killed as the first
    goes out. While it lasts nobody is written to again. Once it is over, the channel hears it in a line, and they in one
    mail; then all is quiet."""
    fire(scene, system)
    node = grid.nodes.played[grid.nova.nodes[0]]
    before = grid.tokens(grid.nova, grid.nova.nodes[0])
    node.disk = "full"
    grid.post.kept = scene.demo.bot.kill
    first = fire(scene, system)
    assert grid.post.kept is None, "it was killed"
    assert scene.state(first) == "partly", scene.about(first)
    assert said(scene, first)[:1] == ["head"]
    assert "There is no room left" in scene.text(first)
    assert grid.tokens(grid.nova, grid.nova.nodes[0]) == before
    assert addressed(grid) == {grid.nova.mail: 1, ADMINS: 1}
    fire(scene, system)
    assert addressed(grid) == {grid.nova.mail: 1, ADMINS: 1}
    node.disk = ""
    third = fire(scene, system)
    assert (scene.state(third), said(scene, third)) == ("done", ["note-well"]), scene.about(third)
    assert addressed(grid) == {grid.nova.mail: 2, ADMINS: 2}
    assert "over" in grid.post.to(grid.nova.mail)[-1]
    fourth = fire(scene, system)
    assert (scene.state(fourth), said(scene, fourth)) == ("done", []), scene.about(fourth)
    assert addressed(grid) == {grid.nova.mail: 2, ADMINS: 2}
    scene.sound()


def addressed(grid: Site) -> dict[str, int]:
    """How many different mails each has got: what was sent again has the same Message-ID."""
    sent = {(address, message["Message-ID"]) for to, message in grid.post.came for address in to}
    return {address: sum(to == address for to, _ in sent) for address in {to for to, _ in sent}}
