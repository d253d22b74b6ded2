"""Vault and Slack broken in every way: a sentence, no half-done state left unexplained, recovery without a restart."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from playground.people import ONCALL_CHANNEL, OWNER
from playground.vault_answers import Answer
from playground.vault_faults import Fault
from playground.world import ACCOUNTS, CONFIG, HANDOVER

pytestmark = pytest.mark.slow

Start = Callable[..., Any]
WRITES = ("create", "update")
SOURCE = ACCOUNTS[0].source
ONE = "only=hive-frontend --handover-only"
BROKEN = {
    "500": (Fault(answer=Answer(500, {"errors": ["hvs.internal"]})), "Vault failed inside when asked to"),
    "garbage": (Fault(answer=Answer(200, raw=b"<html>hvs.login</html>")), "does not speak like Vault"),
    "cut": (Fault(cut=5), "The connection to Vault at 127.0.0.1"),
    "slow": (Fault(delay=1.5), "did not answer within 1 s"),
}


def hurried(settings: dict[str, Any]) -> None:
    """Short timeouts, so that slow is slow soon; at the terminal is somebody whom the settings name."""
    settings["vault"]["timeout"] = 1
    settings["slack"]["timeout"] = 2
    settings["people"] = dict.fromkeys(settings["people"], OWNER)


@pytest.fixture
def scene(started: Start, watched: Callable[[Any], Any]) -> Any:
    scene = watched(started(1, name="hurried", adjust=hurried, hurried=True))
    scene.starts = scene.demo.bot.starts
    yield scene
    assert scene.demo.bot.starts == scene.starts, "it recovered without a restart"
    scene.vault.heal()
    scene.space.faults.clear()
    scene.sound()


def broken(fault: Fault, path: str, times: int = 0, capabilities: tuple[str, ...] = ()) -> Fault:
    return Fault(path, capabilities, times, fault.answer, fault.delay, fault.cut)


def works(scene: Any) -> None:
    """All is well: a plan, an approval, done."""
    run, since = scene.proposed(), scene.asked
    scene.approve(run)
    scene.once(run, since)


def test_vault_refuses_while_planning(scene: Any) -> None:
    """Sealed and denied are told at once, in words that say what to do, and nothing is planned."""
    scene.vault.sealed = True
    told = scene.ended(scene.ask(), "refused")
    assert "Vault is sealed (503)" in told
    assert "unseal" in told
    assert "Nothing was changed." in told
    scene.vault.sealed = False
    scene.vault.deny("app-sre", "read")
    told = scene.ended(scene.ask(), "refused")
    assert "The bot's role needs `read`" in told.replace("\\u0060", "`")
    scene.vault.heal()
    works(scene)


def test_vault_fails_while_planning(scene: Any) -> None:
    """Errors, garbage, cut and slow answers: tried again, and told when that does not help."""
    for (fault, _), path in zip(list(BROKEN.values())[:2], (SOURCE, ACCOUNTS[1].source), strict=True):
        scene.vault.faults.add(broken(fault, path))
    scene.vault.faults.add(broken(BROKEN["cut"][0], CONFIG))
    scene.vault.faults.add(broken(BROKEN["slow"][0], HANDOVER, capabilities=("read",)))
    asked = {
        "500": scene.ask(text=ONE),
        "garbage": scene.ask(text="only=aws-account-operator --handover-only"),
        "cut": scene.ask(text="only=hive-frontend"),
    }
    for name, run in asked.items():
        told = scene.ended(run, "refused")
        assert BROKEN[name][1] in told
        assert "hvs." not in told
    scene.vault.heal()
    works(scene)


@pytest.mark.parametrize("name", BROKEN)
def test_vault_fails_for_a_moment(scene: Any, name: str) -> None:
    """Two bad answers while planning and two while writing delay the run, and that is all."""
    fault, _ = BROKEN[name]
    scene.vault.faults.add(broken(fault, SOURCE, 2))
    run, since = scene.proposed(), scene.asked
    for path in (HANDOVER, CONFIG):
        scene.vault.faults.add(broken(fault, path, 1, WRITES))
    scene.approve(run)
    if name == "slow":  # Vault stores what it got also when nobody waits for the answer any more
        scene.ended(run, "done")
        assert scene.handed_over()
    else:
        scene.once(run, since)


def test_writing_is_denied(scene: Any, system: Any) -> None:
    """403 on the second write: the first is put back, and the message names the right that is missing."""
    before = [scene.vault.get(path) for path in (HANDOVER, CONFIG)]
    run = scene.proposed()
    scene.vault.faults.add(Fault(CONFIG, ("update",), answer=Answer(403, {"errors": ["hvs.denied"]})))
    scene.approve(run)
    told = scene.ended(run, "undone")
    assert "Vault refused to write sd-uhc/sandbox (403)" in told
    assert "needs ˋupdateˋ" in told
    assert "put back" in told
    assert "hvs." not in told
    assert [scene.vault.get(path) for path in (HANDOVER, CONFIG)] == before
    scene.vault.heal()
    works(scene)


def test_sealed_in_the_middle(scene: Any) -> None:
    """Sealed between two writes, it can neither go on nor put back: it says how things are, and asking again ends it."""
    run = scene.proposed()

    def seal(path: str, when: str) -> None:
        if (path, when) == (HANDOVER, "after"):
            scene.vault.sealed = True

    scene.vault.on_write = seal
    scene.approve(run)
    told = scene.ended(run, "stopped")
    assert "Vault is sealed (503)" in told
    assert "could not be put back" in told or "left so" in told
    scene.vault.on_write = None
    scene.vault.sealed = False
    again = scene.proposed()
    scene.approve(again)
    scene.ended(again, "done")
    assert scene.handed_over()


def test_vault_goes_on_failing_while_writing(scene: Any) -> None:
    """500 at every write: after patience it is told, and Vault is as it was."""
    before = [scene.vault.get(path) for path in (HANDOVER, CONFIG)]
    run = scene.proposed()
    scene.vault.faults.add(broken(BROKEN["500"][0], CONFIG, capabilities=WRITES))
    scene.approve(run)
    told = scene.ended(run, "undone")
    assert "Vault failed inside when asked to write sd-uhc/sandbox" in told
    assert [scene.vault.get(path) for path in (HANDOVER, CONFIG)] == before


SLACK = {
    "ratelimited": {"method": "chat.update", "kind": "ratelimited", "count": 2, "seconds": 2},
    "error500": {"method": "chat.update", "kind": "error500", "count": 2},
    "slow": {"method": "chat.update", "kind": "slow", "count": 1, "seconds": 3},
    "cut": {"method": "chat.update", "kind": "cut", "count": 1},
}


@pytest.mark.parametrize("name", SLACK)
def test_slack_fails_while_applying(scene: Any, name: str, system: Any) -> None:
    """The run does not wait for Slack, and Slack shows its end as soon as it can, once."""
    run, since = scene.proposed(), scene.asked
    scene.post(system.ASKER, "fault", **SLACK[name])
    scene.approve(run)
    scene.once(run, since)


@pytest.mark.parametrize("name", ["ratelimited", "error500", "cut"])
def test_slack_fails_at_the_first_message(scene: Any, name: str, system: Any) -> None:
    """Refused, failed, or posted with the answer lost: in the end there is one message."""
    scene.post(system.ASKER, "fault", **{**SLACK[name], "method": "chat.postMessage", "count": 1})
    run, since = scene.proposed(), scene.asked
    assert len(scene.heads(run)) == 1
    scene.approve(run)
    scene.once(run, since)


def test_approved_from_the_command_line_while_slack_is_down(scene: Any, system: Any) -> None:
    """Slack is away: an owner named in the settings approves at the terminal, it runs, and Slack catches up later."""
    run, since = scene.proposed(), scene.asked
    scene.post(system.ASKER, "fault", method="*", kind="down", seconds=600)
    answer = scene.line("approve", run, "--json")
    told = json.loads(answer.stdout)
    assert told["accepted"] is True, told
    system.until(lambda: scene.state(run) == "done", 30, lambda: scene.about(run))
    assert "Waits for approval" in scene.text(run)
    scene.space.faults.clear()
    scene.once(run, since)
    assert scene.space.messages[ONCALL_CHANNEL]
    scene.connected()
