"""The whole story, from new tokens in production to a verified hand-over, in both modes and on both KV versions."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest

from playground.ci_jobs import NINE

pytestmark = pytest.mark.slow

WORLDS = [("socket", 2), ("http", 1), ("socket", 1), ("http", 2)]
IDS = [f"{mode}-kv{kv}" for mode, kv in WORLDS]
Start = Callable[..., Any]


@pytest.fixture(scope="module", params=WORLDS, ids=IDS)
def each(request: pytest.FixtureRequest) -> Any:
    """Of a module, so that all tests in one world come together."""
    return request.param


@pytest.fixture(scope="module", params=WORLDS[:1:-1], ids=IDS[:1:-1])
def one(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture
def scene(each: Any, started: Start, watched: Callable[[Any], Any]) -> Any:
    mode, kv = each
    return watched(started(kv, mode=mode))


@pytest.fixture
def either(one: Any, started: Start, watched: Callable[[Any], Any]) -> Any:
    """One world of each mode, for what does not touch Vault in new ways."""
    mode, kv = one
    return watched(started(kv, mode=mode))


def answered(scene: Any, system: Any, user: str, button: Any, **more: Any) -> str:
    """What this person alone is told after pressing."""
    before = len(scene.told(user))
    scene.press(user, button, **more)
    return str(system.until(lambda: scene.told(user)[before:])[0])


def test_hand_over(scene: Any, system: Any) -> None:
    """Asked, shown, refused to strangers and to the asker, approved, done: both copies hold production's tokens."""
    old = {a.name: scene.world.fingerprint(scene.vault.get(system.HANDOVER)[a.handover_field]) for a in system.ACCOUNTS}
    run = scene.proposed(system.SECOND)
    plan = scene.text(run)
    for account in system.ACCOUNTS:
        new = scene.world.fingerprint(scene.vault.get(account.source)["token"])
        assert f"`{old[account.name]}` → `{new}`" in plan
        assert account.subject in plan
        assert account.source in plan
    assert "Hand 2 hive tokens to OCM CI" in plan
    since = scene.asked
    for user, words in ((system.NEWCOMER, "may not decide"), (system.SECOND, "cannot approve it yourself")):
        assert words in answered(scene, system, user, scene.button(run, "approve"))
    assert scene.writes(since) == []
    stale = scene.button(run, "approve")
    scene.approve(run)
    report = scene.ended(run, "done")
    assert "Done and verified" in report
    assert "service-api-tests-ocm-pr-check" in report
    assert scene.button(run, "approve") is None
    assert scene.handed_over()
    encoded = scene.vault.get(system.CONFIG)["config"]
    assert encoded == base64.b64encode(base64.b64decode(encoded)).decode()
    assert sorted({path.split("-before-")[0] for path in scene.writes(since)}) == [system.CONFIG, system.HANDOVER]
    assert "done already" in answered(scene, system, system.OWNER, stale, stale=True)
    assert len(scene.heads(run)) == 1
    scene.sound()
    verified = scene.line("audit", "verify", "--json")
    assert (verified.returncode, json.loads(verified.stdout)["ok"]) == (0, True), verified


def test_deny_says_why(either: Any, system: Any) -> None:
    """Denied with a reason: the message says who and why, the buttons are gone, nothing was written."""
    run, since = either.proposed(), either.asked
    stale = either.button(run, "approve")
    either.press(system.APPROVER, either.button(run, "deny"))
    view = system.until(lambda: either.space.stacks.get(system.APPROVER))[-1]
    state = {"values": {"reason": {"value": {"value": "Freeze until *Monday* <!channel>"}}}}
    assert either.post(system.APPROVER, "submit", view_id=view, state=state) == {"ok": True}
    text = either.ended(run, "denied")
    assert "Freeze until" in text
    assert "<!channel>" not in text
    assert f"<@{system.APPROVER}>" in text
    assert either.button(run, "approve") is None
    assert "denied already" in answered(either, system, system.OWNER, stale, stale=True)
    assert either.writes(since) == []
    either.sound()


def test_cancel(either: Any, system: Any) -> None:
    """The asker takes a plan back; a stranger may not."""
    run, since = either.proposed(), either.asked
    assert "Only the asker or an approver" in either.type(system.NEWCOMER, "/hivekeeper", f"cancel {run}")
    assert "Cancelled. Nothing was changed." in either.type(system.ASKER, "/hivekeeper", f"cancel {run}")
    assert "Cancelled" in either.ended(run, "cancelled")
    assert either.writes(since) == []


def test_only_one_token(either: Any, system: Any) -> None:
    """`only=` hands over that token and leaves the other as it was."""
    other = either.vault.get(system.HANDOVER)["aws-account-operator-client-token"]
    run = either.proposed(text="only=hive-frontend")
    either.approve(run)
    either.ended(run, "done")
    held = either.vault.get(system.HANDOVER)
    assert held["hive-frontend-token"] == either.vault.get(system.ACCOUNTS[0].source)["token"]
    assert held["aws-account-operator-client-token"] == other
    assert held["hive-frontend-token"] in either.config()
    assert other in either.config()


def test_handover_only(either: Any, system: Any) -> None:
    """`--handover-only` writes the handover and not the config, and says what is left to the team."""
    before, since = either.vault.get(system.CONFIG), either.asked
    run = either.proposed(text="--handover-only")
    either.approve(run)
    report = either.ended(run, "done")
    assert either.vault.get(system.CONFIG) == before
    assert {path.split("-before-")[0] for path in either.writes(since)} == {system.HANDOVER}
    assert "OCM team" in report


def test_nothing_to_do(either: Any) -> None:
    """Asked again after a hand-over, the answer is that there is nothing to do, with no buttons."""
    first = either.proposed()
    either.approve(first)
    either.ended(first, "done")
    run = either.ask()
    assert "Nothing to do" in either.ended(run, "answered")
    assert either.button(run, "approve") is None


def test_consumers_are_exactly_nine(either: Any) -> None:
    """/secret-consumers names the nine jobs that read sd-uhc/sandbox, and none of those that read its neighbours."""
    run = either.ask(command="/secret-consumers", text="sd-uhc/sandbox")
    either.ended(run, "answered")
    table = next(block for block in either.heads(run)[0]["blocks"] if block["type"] == "table")
    names = [row[0]["text"] if "text" in row[0] else json.dumps(row[0]) for row in table["rows"][1:]]
    assert names == sorted(NINE)


def test_subcommands(either: Any, system: Any) -> None:
    """/hivekeeper lists, shows, audits, and says what it does not know."""
    run = either.proposed()
    told = {text: either.type(system.NEWCOMER, "/hivekeeper", text)
            for text in ("help", "runs", f"show {run}", "show r-aaaaaaa", "audit", f"audit {run}", "shwo", "show ../x")}  # fmt: skip
    assert "rotate-hive-tokens" in told["help"]
    assert run in told["runs"]
    assert "Hand 2 hive tokens to OCM CI" in told[f"show {run}"]
    assert "There is no run r-aaaaaaa" in told["show r-aaaaaaa"]
    assert "proposed" in told["audit"]
    assert "asked" in told[f"audit {run}"]
    assert "Did you mean" in told["shwo"]
    assert "is not the id of a run" in told["show ../x"]
    assert "may not decide" in either.type(system.NEWCOMER, "/hivekeeper", f"approve {run}")
    assert "Denied" in either.type(system.APPROVER, "/hivekeeper", f'deny {run} "not today"')
    assert "not today" in either.ended(run, "denied")


def test_form(either: Any, system: Any) -> None:
    """A question mark opens a form; what is chosen there is what is planned."""
    assert either.post(system.ASKER, "command", channel="C0ONCALL", command="/rotate-hive-tokens", text="?")["ok"]
    view = system.until(lambda: either.space.stacks.get(system.ASKER))[-1]
    chosen = {"ask-only": {"value": {"selected_option": {"value": "aws-account-operator"}}}}
    before = {row[0] for row in either.rows("SELECT id FROM run")}
    assert either.post(system.ASKER, "submit", view_id=view, state={"values": chosen}) == {"ok": True}
    run = system.until(lambda: [r[0] for r in either.rows("SELECT id FROM run") if r[0] not in before])[0]
    system.until(lambda: either.button(run, "approve"), told=lambda: either.about(run))
    assert "Hand 1 hive token to OCM CI" in either.text(run)
    either.type(system.ASKER, "/hivekeeper", f"cancel {run}")
    either.ended(run, "cancelled")


def test_home_decides(either: Any, system: Any) -> None:
    """The Home tab of an approver shows what waits, a newcomer's does not; Approve works from there."""
    run = either.proposed()
    for user in (system.NEWCOMER, system.APPROVER):
        either.space.homes.pop(user, None)
        either.post(user, "home")
        system.until(lambda u=user: either.space.homes.get(u))
    assert f"decide-{run}" not in json.dumps(either.space.homes[system.NEWCOMER])
    home = either.space.homes[system.APPROVER]
    assert "Waits for you" in json.dumps(home)
    either.post(system.APPROVER, "action", view_id=home["id"], block_id=f"decide-{run}", action_id="approve")
    either.ended(run, "done")
    assert either.handed_over()
    system.until(lambda: f"decide-{run}" not in json.dumps(either.space.homes[system.APPROVER]))


def test_command_line(started: Start, watched: Callable[[Any], Any], system: Any) -> None:
    """Beside the running bot: `run` posts a plan in Slack, `approve` counts as the login's person, `show` tells all."""
    scene = watched(started(1, mode="socket"))
    asked = scene.line("run", "rotate-hive-tokens", "--no-wait", "--json")
    assert asked.returncode == 4, asked
    view = json.loads(asked.stdout.splitlines()[-1])
    run = view["id"]
    system.until(lambda: scene.button(run, "approve"), told=lambda: scene.about(run))
    own = scene.line("approve", run, "--json")
    assert (own.returncode, json.loads(own.stdout)["accepted"]) == (1, False)
    scene.type(system.SECOND, "/hivekeeper", f"cancel {run}")
    second = scene.proposed()
    assert scene.line("approve", second, "--digest", "0" * 64).returncode == 1
    approved = scene.line("approve", second)
    assert (approved.returncode, approved.stdout.strip()) == (0, "Approved. It starts now.")
    scene.ended(second, "done")
    seen = json.loads(scene.line("show", second, "--json").stdout)
    assert (seen["state"], seen["steps"][0]["state"]) == ("done", "done")
    assert scene.handed_over()


def test_expires(started: Start, watched: Callable[[Any], Any], system: Any) -> None:
    """Nobody decides: a reminder at half time mentions the next group, then it expires and nothing was changed."""

    def soon(settings: dict[str, Any]) -> None:
        settings["commands"]["rotate-hive-tokens"]["expires_minutes"] = 4 / 60

    scene = watched(started(1, name="soon", adjust=soon))
    run, since = scene.proposed(), scene.asked
    stale = scene.button(run, "approve")
    system.until(lambda: scene.state(run) == "expired")
    assert "Nobody decided in time. Nothing was changed." in scene.ended(run, "expired")
    notes = [m for m in scene.space.messages["C0ONCALL"] if m.get("thread_ts") == scene.heads(run)[0]["ts"]]
    assert any(f"<@{system.OWNER}>" in m["text"] and "still waits" in m["text"] for m in notes)
    assert "has expired" in answered(scene, system, system.APPROVER, stale, stale=True)
    assert scene.writes(since) == []
    scene.sound()
