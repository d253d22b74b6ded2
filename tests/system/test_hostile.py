"""What strangers, forged payloads and hostile text can do: nothing, and the audit log says so."""

from __future__ import annotations

import base64
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest

from playground.slack import payloads
from playground.slack.http_mode import encoded, signed
from playground.world import CONFIG, HANDOVER

pytestmark = pytest.mark.slow

Start = Callable[..., Any]


@pytest.fixture(scope="module", params=[("socket", 1), ("http", 2)], ids=["socket", "http"])
def world(request: pytest.FixtureRequest) -> Any:
    """Of a module, so that all tests in one world come together."""
    return request.param


@pytest.fixture
def scene(world: Any, started: Start, watched: Callable[[Any], Any]) -> Any:
    mode, kv = world
    return watched(started(kv, mode=mode))


def click(scene: Any, user: str, value: Any, action: str = "approve") -> dict[str, Any]:
    """A click as Slack sends it, with any value."""
    channel = scene.space.channels["C0ONCALL"]
    message = {"ts": "1.000001", "user": "U0HIVEKEEP", "text": "x", "blocks": []}
    pressed = {"type": "button", "block_id": "decide", "action_id": action, "action_ts": "1.1",
               "value": value if isinstance(value, str) else json.dumps(value)}  # fmt: skip
    return payloads.in_message(scene.space, user, channel, message, pressed, {})


def forge(scene: Any, payload: dict[str, Any], kind: str = "interactive") -> None:
    """Brought over the channel that the bot trusts; it acknowledges, whatever it is."""
    assert scene.post("U0MIRA", "forge", kind=kind, payload=payload)["ok"] is True


def refused(scene: Any, known: int) -> list[Any]:
    """What has been refused since the audit log had so many entries."""
    return list(scene.rows("SELECT what, who, facts FROM audit WHERE number > :known AND "
                           "(what LIKE '%refused%' OR what LIKE 'foreign%' OR what LIKE '%signature' "
                           "OR what LIKE 'un%')", known=known))  # fmt: skip


def newest(scene: Any) -> int:
    return int(scene.rows("SELECT max(number) FROM audit")[0][0] or 0)


def test_forged_clicks(scene: Any, system: Any) -> None:
    """A wrong digest, a foreign user, a run that is none, garbage, a foreign button: refused, audited, nothing moves."""
    run, since = scene.proposed(), scene.asked
    digest = scene.rows("SELECT digest FROM run WHERE id = :run", run=run)[0][0]
    right = {"run": run, "digest": digest}
    forgeries = [
        click(scene, system.APPROVER, {"run": run, "digest": "0" * 64}),
        click(scene, system.NEWCOMER, right),
        click(scene, system.APPROVER, {"run": "r-nowhere", "digest": digest}),
        click(scene, system.APPROVER, {**right, "more": 1}),
        click(scene, system.APPROVER, "'; DROP TABLE run; --"),
        click(scene, system.APPROVER, "\x00" * 1500),
        click(scene, system.APPROVER, right, action="apply_now"),
        {**click(scene, system.APPROVER, right), "user": {"id": "<!channel>"}},
        {**click(scene, system.APPROVER, right), "team": {"id": "T0OTHERS", "domain": "others"}},
        {**click(scene, system.APPROVER, right), "actions": []},
        {**click(scene, system.APPROVER, right), "type": "shortcut"},
    ]
    for payload in forgeries:
        known = newest(scene)
        forge(scene, payload)
        system.until(lambda k=known: refused(scene, k), 20, lambda p=payload: json.dumps(p)[-700:] + scene.log())
        assert scene.state(run) == "proposed"
    assert scene.writes(since) == []
    replay = click(scene, system.APPROVER, right)
    forge(scene, replay)
    scene.once(run, since)
    known, decided = newest(scene), scene.audited(run).count("approved")
    forge(scene, replay)
    forge(scene, {**replay, "user": payloads.person(scene.space, system.OWNER)})
    system.until(lambda: refused(scene, known))
    assert scene.audited(run).count("approved") == decided == 1
    scene.sound()


def test_forged_form(scene: Any, system: Any) -> None:
    """A submitted form with a forged target, and one of a command that does not exist, change nothing."""
    run, since = scene.proposed(), scene.asked
    for metadata, form in (({"run": run, "digest": "0" * 64}, "deny"), ({"command": "rm", "channel": "C0ONCALL"}, "ask"),
                           ("<!channel>", "deny"), ({}, "nonsense")):  # fmt: skip
        text = metadata if isinstance(metadata, str) else json.dumps(metadata)
        view = {"id": "V1", "hash": f"1.{form}", "type": "modal", "callback_id": form, "private_metadata": text,
                "state": {"values": {}}}  # fmt: skip
        known = newest(scene)
        forge(scene, {**payloads.common(scene.space, "view_submission", system.APPROVER), "view": view})
        system.until(lambda k=known: refused(scene, k), 20, lambda v=view: v)
    assert scene.state(run) == "proposed"
    assert scene.writes(since) == []
    scene.type(system.ASKER, "/hivekeeper", f"cancel {run}")


def send(url: str, body: bytes, headers: dict[str, str]) -> int:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=60) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_signatures(started: Start, watched: Callable[[Any], Any], system: Any) -> None:
    """In HTTP mode a missing, bad, old or borrowed signature is answered 401, changes nothing and is audited."""
    scene = watched(started(2, mode="http"))
    run, since = scene.proposed(), scene.asked
    digest = scene.rows("SELECT digest FROM run WHERE id = :run", run=run)[0][0]
    body, media = encoded("interactive", click(scene, system.APPROVER, {"run": run, "digest": digest}))
    secret = (scene.demo.folder / "signing-secret").read_text()
    url = scene.line_to_bot()
    kind, known = {"content-type": media}, newest(scene)
    assert send(url, body, kind) == 401
    assert send(url, body, kind | signed("another", body)) == 401
    assert send(url, body, kind | signed(secret, body, time.time() - 600)) == 401
    assert send(url, body, kind | signed(secret, b"another body")) == 401
    assert send(url, body, kind | {"X-Slack-Request-Timestamp": "x" * 999, "X-Slack-Signature": "v0=\u00e9"}) == 401
    reasons = {"unsigned", "bad_signature", "stale_signature"}
    system.until(lambda: reasons <= {row[0] for row in scene.rows("SELECT what FROM audit WHERE number > :n", n=known)})
    assert scene.state(run) == "proposed"
    assert scene.writes(since) == []
    assert send(url, body, kind | signed(secret, body)) == 200
    scene.once(run, since)


HOSTILE = [
    "<!channel> *bold* `code` <https://evil.example.com|click me> &lt;",
    "only=<@U0TOMAS>",
    "\u202eevitcefed \u2066 only=hive-frontend",
    "--handover-only\x00\x1b[2J",
    "a" * 100_000,
    "only='hive-frontend",
    "$(reboot) `reboot` ; rm -rf / | cat {{7*7}} %s%n ../../etc/passwd",
]


@pytest.mark.parametrize("text", HOSTILE, ids=[str(number) for number in range(len(HOSTILE))])
def test_hostile_text(scene: Any, system: Any, text: str) -> None:
    """Typed after each command, it gets a sentence; nobody is mentioned, nothing starts, nothing is written."""
    since, known = scene.asked, len(scene.rows("SELECT id FROM run"))
    for command in ("/rotate-hive-tokens", "/hivekeeper"):
        told = scene.type(system.NEWCOMER, command, text)
        assert "<!channel>" not in told
        assert "<@U0TOMAS>" not in told
        assert "\u202e" not in told
        assert "<https://evil" not in told
        assert len(told) < 5000
    assert len(scene.rows("SELECT id FROM run")) == known
    assert scene.writes(since) == []


def test_hostile_path(scene: Any, system: Any) -> None:
    """A hostile argument that is well formed is shown as text and finds no jobs."""
    run = scene.ask(system.NEWCOMER, "'<!channel> *x* ../../etc'", "/secret-consumers")
    told = scene.ended(run, "answered")
    assert "No CI jobs read" in told
    assert "<!channel>" not in told


BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{after}: &{after} [{', '.join([f'*{before}'] * 9)}]\n"
    for before, after in zip("abcdefgh", "bcdefghi", strict=True)
)
LONG = "".join(f"key_{number}: value {number}\n" for number in range(10_000))


def encoded_config(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


CONFIGS = {
    "bomb": encoded_config(BOMB),
    "long, without the places": encoded_config(LONG),
    "no base64": "%%% this is no base64 %%%",
    "base64 of bytes": base64.b64encode(bytes(range(256))).decode(),
    "base64 of a tag that makes objects": encoded_config("!!python/object/apply:os.system ['true']\n"),
    "empty": "",
    "a list": encoded_config("- 1\n- 2\n"),
    "two documents": encoded_config("hive: 1\n---\nhive: 2\n"),
    "never closed": encoded_config("hive: [[[[[[" * 5000),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_hostile_config(started: Start, watched: Callable[[Any], Any], system: Any, name: str) -> None:
    """A config that cannot be what people meant is refused with a sentence that names it, in less than a minute; nothing is written."""
    scene = watched(started(1))
    good = scene.vault.get(CONFIG)
    scene.vault.put(CONFIG, {**good, "config": CONFIGS[name]})
    since = scene.asked
    try:
        told = scene.ended(scene.ask(), "refused")
    finally:
        scene.vault.put(CONFIG, good)
    assert "sd-uhc/sandbox" in told
    assert "Nothing was changed." in told
    assert "does not know" not in told
    assert scene.writes(since) == []


def test_long_config_is_rotated(started: Start, watched: Callable[[Any], Any], system: Any) -> None:
    """Ten thousand lines more are kept as they are."""
    scene = watched(started(1))
    good = scene.vault.get(CONFIG)
    scene.vault.put(CONFIG, {**good, "config": encoded_config(scene.config() + LONG)})
    run = scene.proposed()
    scene.approve(run)
    scene.ended(run, "done")
    assert scene.handed_over()
    assert scene.config().endswith(LONG)
    assert scene.vault.get(HANDOVER)["rotated-by"] == "hand, last spring"
    scene.world.start_over()
