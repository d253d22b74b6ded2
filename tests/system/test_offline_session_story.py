"""An offline session that is gone everywhere: a person hands a token in, or signs in, and nobody else ever sees it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from playground.offline import PLACE, PRODUCTION, STRANGER, USER

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

INBOX = "sd-uhc/hivekeeper-inbox"


@pytest.fixture
def scene(started: Callable[..., Any], watched: Callable[[Any], Any], canary: Any) -> Any:
    """Nobody has a good token. None that ever was, nor a device code, may be found anywhere afterwards."""
    made = watched(started(1, name="offline story"))
    made.demo.offline.mend()
    made.demo.offline.end()
    yield made
    made.vault.on_write = None
    made.hide()
    for number, token in enumerate(made.demo.offline.issued):
        canary.add(f"token {number}", token)
    for number, form in enumerate(form for form in made.demo.offline.realm.forms if "device_code" in form):
        canary.add(f"device code {number}", form["device_code"])


def needed(scene: Any, system: Any) -> str:
    """Ask; the run whose answer wants a token of a person."""
    run = str(scene.ask(command="/fix-offline-session"))
    assert "A person is needed" in scene.ended(run, "answered")
    system.until(lambda: scene.button(run, "hand-in-0"))
    return run


def hand_in(scene: Any, system: Any, run: str, token: str) -> None:
    """Press the button and fill in the form, as often as Slack says that it had trouble."""

    def handed() -> bool:
        scene.space.stacks.pop(system.ASKER, None)
        scene.press(system.ASKER, scene.button(run, "hand-in-0"))
        view = system.until(lambda: (scene.space.stacks.get(system.ASKER) or [None])[-1], 10, scene.log)
        values = {"secret": {"value": {"type": "plain_text_input", "value": token}}}
        return bool(scene.post(system.ASKER, "submit", view_id=view, state={"values": values}).get("ok"))

    system.until(handed, 30, scene.log)


def follower(scene: Any, system: Any, state: str, after: str) -> str:
    """The newest run that was asked for with what lies in the inbox, once it is so."""
    query = "SELECT id FROM run WHERE id != :after AND state = :state ORDER BY asked_at DESC"

    def told() -> str:
        return f"{scene.told(system.ASKER)[-2:]} {scene.log()}"

    return str(system.until(lambda: scene.rows(query, state=state, after=after), 60, told)[0][0])


def cured(scene: Any, system: Any, run: str) -> None:
    """Its plan is approved; what was handed in stands in the config, and is good."""
    system.until(lambda: scene.button(run, "approve"), 60, lambda: scene.about(run))
    assert "sd-uhc/hivekeeper-inbox" in scene.text(run)
    scene.approve(run)
    assert "Run these jobs again" in scene.ended(run, "done")
    assert token(scene) == scene.vault.get(INBOX)[PLACE]
    assert scene.demo.offline.told(token(scene)) == ("good at Red Hat SSO", True)
    scene.sound()


def token(scene: Any) -> str:
    """As it stands in the config."""
    found = re.search(r"\n  token: (eyJ\S+)\n", scene.config())
    assert found
    return found[1]


def test_handed_in(scene: Any, system: Any) -> None:
    """Somebody else's token is refused with the reason, and changes nothing; the right one, after an approval, cures."""
    offline, before = scene.demo.offline, scene.config()
    asked = needed(scene, system)
    hand_in(scene, system, asked, offline.issue(STRANGER))
    refused = follower(scene, system, "refused", asked)
    assert "belongs to another account" in scene.ended(refused, "refused")
    assert scene.text(refused).count("Nothing was changed") == scene.text(refused).count("Put the right token there")
    assert scene.config() == before
    again = needed(scene, system)
    hand_in(scene, system, again, offline.issue())
    cured(scene, system, follower(scene, system, "proposed", again))
    system.until(lambda: f"handed in by <@{system.ASKER}>" in scene.text(again))
    assert scene.vault.get(PRODUCTION)["token"] != token(scene)


def test_killed_when_it_was_handed_in(scene: Any, system: Any, kills: Any) -> None:
    """Killed when the token is in Vault and before it hears so, the bot has no run to go on with: the form is still
    there, and handing it in once more does all of it."""
    asked = needed(scene, system)
    killed = kills.at(scene, INBOX, "after")
    given = scene.demo.offline.issue()
    hand_in(scene, system, asked, given)
    assert killed.wait(60), scene.log()
    scene.connected()
    assert scene.vault.get(INBOX)[PLACE] == given
    hand_in(scene, system, asked, given)
    cured(scene, system, follower(scene, system, "proposed", asked))


def test_killed_while_somebody_signs_in(scene: Any, system: Any) -> None:
    """The sign-in outlives the bot: who approves on the realm's page while it is down is waited for by the next one."""
    asked = needed(scene, system)
    before = len(scene.told(system.ASKER))
    scene.press(system.ASKER, scene.button(asked, "sign-in-1"))
    told = system.until(lambda: [one for one in scene.told(system.ASKER)[before:] if "Code: `" in one], 30, scene.log)
    code = re.search(r"Code: `([A-Z0-9-]+)`", told[0])
    assert code
    scene.demo.bot.hold()
    assert scene.demo.offline.realm.approve(code[1], USER)
    scene.demo.bot.start()
    scene.connected()
    cured(scene, system, follower(scene, system, "proposed", asked))
    assert code[1] not in str(scene.space.messages)
