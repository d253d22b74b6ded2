"""The demo without a browser: the real bot and the scenario buttons."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from playground.child import Begin, begun
from playground.people import ALERTS_CHANNEL, APPROVER, ASKER, NEWCOMER, ONCALL_CHANNEL
from playground.world import ACCOUNTS, CONFIG, HANDOVER

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def begin() -> Begin:
    """As by a person: what is told of the process is true of those that people have."""
    return begun


class Story:
    """Asks, approves and looks, as people do."""

    def __init__(self, demo: Any, person: Any, until: Any) -> None:
        self.demo = demo
        self.asker, self.approver = person(ASKER), person(APPROVER)
        self.until = until

    def press(self, name: str) -> str:
        return str(self.asker.post("scenario", name=name)["told"])

    def buttons(self) -> dict[str, dict[str, Any]]:
        """The Approve button of each message that has one, by the message's ts."""
        return {
            message["ts"]: {"block_id": block["block_id"], "action_id": "approve", "value": element["value"]}
            for message in self.approver.messages(ONCALL_CHANNEL)
            for block in message.get("blocks", [])
            for element in block.get("elements", [])
            if element.get("action_id") == "approve"
        }

    def ask(self) -> str:
        """Ask for the rotation; the ts of the plan."""
        before = set(self.buttons())
        self.until(lambda: self.asker.state()["bot"]["connected"])
        self.asker.post("command", channel=ONCALL_CHANNEL, command="/rotate-hive-tokens", text="")
        return str(self.until(lambda: set(self.buttons()) - before).pop())

    def approve(self, ts: str) -> None:
        self.until(lambda: self.asker.state()["bot"]["connected"])
        self.approver.post("action", channel=ONCALL_CHANNEL, message_ts=ts, **self.buttons()[ts])

    def text(self, ts: str) -> str:
        return str(next(m["text"] for m in self.approver.messages(ONCALL_CHANNEL) if m["ts"] == ts))

    def handed_over(self) -> bool:
        held = self.demo.world.vault.get(HANDOVER)
        return all(held[a.handover_field] == self.demo.world.vault.get(a.source)["token"] for a in ACCOUNTS)


@pytest.fixture
def story(demo: Any, person: Any, until: Any) -> Story:
    told = Story(demo, person, until)
    for healing in ("unseal", "allow", "recycle"):
        told.press(healing)
    return told


def test_survives_a_kill_in_the_middle(story: Story, demo: Any, until: Any) -> None:
    """Killed after its write was stored and before it heard so, the bot comes back and ends the run, once."""
    ts = story.ask()
    starts, seen = demo.bot.starts, len(demo.world.vault.log)
    story.press("kill")
    story.approve(ts)
    until(lambda: demo.bot.starts > starts)
    until(lambda: "done and verified" in story.text(ts).lower(), 60)
    assert story.handed_over()
    writes = [entry.path for entry in list(demo.world.vault.log)[seen:] if entry.method in ("PUT", "POST")]
    assert (writes.count(HANDOVER), writes.count(CONFIG)) == (1, 1)


def test_edit_meanwhile_makes_a_new_plan(story: Story, until: Any) -> None:
    """A plan that does not fit any more is not applied; another one takes its place."""
    ts = story.ask()
    story.press("edit-config")
    before = set(story.buttons())
    story.approve(ts)
    fresh = until(lambda: set(story.buttons()) - before)
    assert len(fresh) == 1
    assert ts not in story.buttons()
    assert not story.handed_over()


def test_sealed_vault_is_told(story: Story, until: Any) -> None:
    """A sealed Vault is named to whoever asks, and after unsealing the same command gives a plan without a restart."""
    starts = story.demo.bot.starts
    story.press("seal")
    story.asker.post("command", channel=ONCALL_CHANNEL, command="/rotate-hive-tokens", text="")
    until(lambda: any("sealed" in str(m) for m in story.asker.messages(ONCALL_CHANNEL)), 60)
    story.press("unseal")
    story.ask()
    assert story.demo.bot.starts == starts


def test_denied_writing_changes_nothing(story: Story, until: Any) -> None:
    """Without the right to write the run ends with the reason, and Vault is as it was."""
    before = story.demo.world.vault.get(HANDOVER), story.demo.world.vault.get(CONFIG)
    ts = story.ask()
    story.press("deny")
    story.approve(ts)
    until(lambda: any("403" in str(m) for m in story.asker.messages(ONCALL_CHANNEL)), 60)
    assert (story.demo.world.vault.get(HANDOVER), story.demo.world.vault.get(CONFIG)) == before
    story.press("allow")


def test_slack_limits_only_delay(story: Story, until: Any) -> None:
    """With 429 on posts and updates, the story ends as without, a little later."""
    ts = story.ask()
    story.press("slack-429")
    story.approve(ts)
    until(lambda: "done and verified" in story.text(ts).lower(), 60)


def test_newcomer_may_not_approve(story: Story, person: Any, until: Any) -> None:
    """Who is in no group that approves gets a sentence of their own, and the plan still waits."""
    ts = story.ask()
    newcomer = person(NEWCOMER)
    newcomer.post("action", channel=ONCALL_CHANNEL, message_ts=ts, **story.buttons()[ts])
    until(lambda: any("may not decide" in m["text"] for m in newcomer.messages(ONCALL_CHANNEL)))
    assert ts in story.buttons()


def test_start_over_forgets(story: Story) -> None:
    """After starting over there is no plan, no stale token, and the same people."""
    story.ask()
    story.press("start-over")
    assert story.buttons() == {}
    assert story.handed_over()


def test_files_are_private(demo: Any) -> None:
    """The demo's folder and every secret in it are for their owner only."""
    assert demo.folder.stat().st_mode & 0o077 == 0
    for name in ("bot-token", "app-token", "vault-token", "fingerprint-key", "settings.yaml"):
        assert (demo.folder / name).stat().st_mode & 0o177 == 0, name


def test_no_secret_outside(story: Story, demo: Any, until: Any) -> None:
    """After a whole rotation no token is in the traffic, the settings, the bot's log or its arguments."""
    ts = story.ask()
    story.approve(ts)
    until(lambda: "done and verified" in story.text(ts).lower(), 60)
    places = {
        "traffic": str(demo.workspace.traffic.after(0)),
        "settings": (demo.folder / "settings.yaml").read_text(),
        "log": (demo.folder / "bot.log").read_text(),
        "arguments": Path(f"/proc/{demo.bot.pid}/cmdline").read_text(),
        "environment": Path(f"/proc/{demo.bot.pid}/environ").read_text(),
    }
    hidden = [*demo.world.accepted, demo.world.vault_token, demo.world.key, (demo.folder / "bot-token").read_text()]
    assert [place for place, text in places.items() if any(secret in text for secret in hidden)] == []


def test_other_hosts_are_refused(demo: Any) -> None:
    """A page of another name that resolves to loopback gets nothing (DNS rebinding)."""
    request = urllib.request.Request(f"{demo.url}/playground/world", headers={"Host": "evil.example.com"})
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=60)
    assert refused.value.code == 400
    refused.value.close()


def test_ends_cleanly(tmp_path: Path, until: Any) -> None:
    """One line tells the address; SIGTERM ends it with 0 and leaves neither files nor a process."""
    program = "from playground.serve import run; run('127.0.0.1', 0, open_browser=False, kv=2)"
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, env=environment)
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line.startswith("The playground is at http://127.0.0.1:")
    settings = next(tmp_path.glob("*/settings.yaml"))
    process.send_signal(signal.SIGTERM)
    rest = process.stdout.read()
    assert (process.wait(60), rest) == (0, "")
    process.stdout.close()
    assert list(tmp_path.iterdir()) == []
    assert not any(str(settings) in arguments(pid) for pid in Path("/proc").glob("[0-9]*"))


def arguments(process: Path) -> str:
    try:
        return (process / "cmdline").read_text()
    except OSError:
        return ""


def test_an_alert_is_answered_in_its_thread(demo: Any, person: Any, until: Any) -> None:
    """Both methods fail: under the alert stand what fails, the steps and the picture; recovery is told there too."""
    asker = person(ASKER)
    until(lambda: asker.state()["bot"]["connected"])
    asker.post("scenario", name="both-fail")

    def thread() -> list[Any]:
        return [m for m in asker.messages(ALERTS_CHANNEL) if m.get("thread_ts") and m.get("bot_id") != "B0ALERTS"]

    until(lambda: any("Both logins to Red Hat fail in us-south" in m["text"] for m in thread()), 60)
    until(lambda: any(file["mimetype"] == "image/png" for m in thread() for file in m.get("files", [])), 60)
    head = next(m for m in thread() if "Both logins" in m["text"])
    labels = {b["accessory"]["text"]["text"] for b in head["blocks"] if "accessory" in b}
    assert {"Open a CIE", "Contact Red Hat", "Escalate", "Done"} <= labels
    asker.post("scenario", name="recovers")
    press = {"block_id": "incident", "action_id": "look", "value": head["blocks"][-1]["elements"][1]["value"]}
    asker.post("action", channel=ALERTS_CHANNEL, message_ts=head["ts"], **press)
    until(lambda: any("Logins to Red Hat work again in us-south" in m["text"] for m in thread()), 60)
    assert len({m["thread_ts"] for m in thread() if m["ts"] == head["ts"] or m.get("files")}) == 1


def test_a_storm_of_alerts_is_one_message(demo: Any, person: Any, until: Any) -> None:
    """A thousand alerts by webhook, each call twice: one incident in the channel, with the counts."""
    asker = person(ASKER)
    until(lambda: asker.state()["bot"]["connected"])
    told = asker.post("scenario", name="storm")["told"]
    assert told.startswith("40 calls")
    until(lambda: any("500 firing, 500 resolved" in str(m.get("blocks")) for m in asker.messages(ONCALL_CHANNEL)), 60)
    heads = [m for m in asker.messages(ONCALL_CHANNEL) if "in eu-de" in m["text"] and "Incident i-" in m["text"]]
    assert len(heads) == 1
