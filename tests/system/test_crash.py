"""kill -9 of the real bot wherever it hurts: after the automatic restart every effect has happened exactly once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from playground.slack import Times
from playground.world import ACCOUNTS, CONFIG, HANDOVER

pytestmark = pytest.mark.slow

Start = Callable[..., Any]
BACKUPS = {HANDOVER: f"{HANDOVER}-before-", CONFIG: f"{CONFIG}-before-"}
MOMENTS = [
    *((1, path, when) for path in (*BACKUPS.values(), *BACKUPS) for when in ("before", "after")),
    *((2, path, when) for path in BACKUPS for when in ("before", "after")),
]
UNDOING = [(1, CONFIG, "before"), (1, HANDOVER, "after"), (2, CONFIG, "after"), (2, HANDOVER, "before")]


def named(moment: Any) -> str:
    return str(moment).replace("sd-uhc/", "")


def key(message: Any) -> str | None:
    """Which row of the bot's outbox a message belongs to."""
    found: str | None = (message.get("metadata") or {}).get("event_payload", {}).get("key")
    return found


@pytest.mark.parametrize("moment", MOMENTS, ids=named)
def test_killed_at_a_write(moment: Any, started: Start, watched: Callable[[Any], Any], system: Any, kills: Any) -> None:
    """Killed right before or right after any write to Vault, the run goes on by itself and ends as without."""
    kv, path, when = moment
    scene = watched(started(kv))
    run, since, before = scene.proposed(), scene.asked, scene.versions()
    starts = scene.demo.bot.starts
    killed = kills.at(scene, path, when)
    scene.approve(run)
    assert killed.wait(60), scene.about(run)
    scene.once(run, since)
    assert scene.demo.bot.starts == starts + 1
    assert scene.versions() == [number + 1 for number in before]


def planning(kills: Any, scene: Any) -> Any:
    return kills.when_vault(scene, lambda _, path: path == CONFIG)


def proposing(kills: Any, scene: Any) -> Any:
    return kills.when_slack(scene, lambda entry: entry["what"] == "chat.postMessage")


@pytest.mark.parametrize("arm", [planning, proposing])
def test_killed_before_the_proposal(
    arm: Callable[[Any, Any], Any], started: Start, watched: Callable[[Any], Any], system: Any, kills: Any
) -> None:
    """Killed while it plans, or when Slack has the message and the bot does not know: one plan, one message."""
    scene = watched(started(1))
    killed, starts = arm(kills, scene), scene.demo.bot.starts
    run = scene.ask()
    assert killed.wait(60)
    system.until(lambda: scene.demo.bot.starts > starts)
    scene.connected()
    system.until(lambda: scene.button(run, "approve"), 60, lambda: scene.about(run))
    since = scene.asked
    scene.approve(run)
    scene.once(run, since)


def test_killed_while_it_waits(started: Start, watched: Callable[[Any], Any]) -> None:
    """A plan survives the bot that made it, and its button still works."""
    scene = watched(started(1))
    run, since = scene.proposed(), scene.asked
    scene.kill()
    scene.approve(run)
    scene.once(run, since)


def test_killed_while_it_decides(started: Start, watched: Callable[[Any], Any], system: Any, kills: Any) -> None:
    """Killed between the click and the decision: nothing is decided, and the second click counts, once."""
    scene = watched(started(1))
    run, since = scene.proposed(), scene.asked
    killed = kills.when_slack(scene, lambda entry: entry["what"] == "usergroups.users.list")
    scene.space.times = Times()  # Slack waits three seconds for who is dead
    scene.post(system.APPROVER, "action", **scene.button(run, "approve"))
    scene.space.times = system.PATIENT
    assert killed.wait(60)
    scene.connected()
    assert scene.state(run) == "proposed"
    assert scene.writes(since) == []
    scene.approve(run)
    scene.once(run, since)
    assert scene.audited(run).count("approved") == 1


def checking(kills: Any, scene: Any) -> Any:
    return kills.when_vault(scene, lambda _, path: path == HANDOVER)


def reporting(kills: Any, scene: Any) -> Any:
    return kills.when_slack(scene, lambda entry: "Done and verified" in str(entry["request"]))


def noting(kills: Any, scene: Any) -> Any:
    return kills.when_slack(
        scene, lambda entry: entry["what"] == "chat.postMessage" and "thread_ts" in entry["request"]
    )


@pytest.mark.parametrize("arm", [checking, reporting, noting])
def test_killed_after_the_approval(
    arm: Callable[[Any, Any], Any], started: Start, watched: Callable[[Any], Any], system: Any, kills: Any
) -> None:
    """Killed while it looks once more, when Slack shows the end, or when the note is posted: all is told once."""
    scene = watched(started(1))
    run, since = scene.proposed(), scene.asked
    killed = arm(kills, scene)
    scene.approve(run)
    assert killed.wait(60), scene.about(run)
    scene.once(run, since)
    ends = [m for m in scene.space.messages["C0ONCALL"] if key(m) == f"{run}/note-end"]
    assert len(ends) == 1


@pytest.mark.parametrize("moment", UNDOING, ids=named)
def test_killed_while_it_undoes(moment: Any, started: Start, watched: Callable[[Any], Any], kills: Any) -> None:
    """The proof fails, and it is killed while putting back: everything is as it was, and the message says so."""
    kv, path, when = moment
    scene = watched(started(kv))
    before = [scene.vault.get(HANDOVER), scene.vault.get(CONFIG)]
    run, killed = scene.proposed(), kills.at(scene, path, when, nth=2)
    for account in ACCOUNTS:
        scene.world.cluster.revoke(scene.vault.get(account.source)["token"])
    scene.approve(run)
    assert killed.wait(60), scene.about(run)
    text = scene.ended(run, "undone")
    assert [scene.vault.get(HANDOVER), scene.vault.get(CONFIG)] == before
    assert "put back" in text
    assert len(scene.heads(run)) == 1
    scene.sound()
