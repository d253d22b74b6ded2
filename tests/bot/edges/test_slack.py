"""Commands, clicks, forms and the Home tab, against the strict Slack of the playground, in both modes."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from slack_sdk import WebClient

from bot.core.ports import Place
from bot.edges.messenger import SlackMessenger

ASKER, APPROVER, STRANGER, CHANNEL, AWAY = "U0ASKER", "U0APPROVER", "U0STRANGER", "C0ONCALL", "C0AWAY"
Start = Callable[..., Any]
both = pytest.mark.parametrize("mode", ["socket", "http"])


def proposed(world: Any) -> tuple[Any, str]:
    """A plan that waits, shown in the channel: its view and the ts of its message."""
    world.command("/rotate-demo alpha")
    world.told("Looking into it")  # stored, however busy the machine
    (view,) = world.desk.views.values()
    client = WebClient(world.tokens[0], base_url=world.api_url, retry_handlers=[])
    return view, SlackMessenger(client).post(Place(channel=CHANNEL), view, "key-1")


def press(world: Any, ts: str, action: str, user: str = APPROVER) -> None:
    message = world.workspace.message(CHANNEL, ts)
    block = next(b for b in message["blocks"] if b["type"] == "actions")
    answer = world.person(
        "action", user=user, channel=CHANNEL, message_ts=ts, block_id=block["block_id"], action_id=action
    )
    assert answer == {"ok": True}


def shown(world: Any, user: str) -> list[dict[str, Any]]:
    """The blocks of this person's Home tab."""
    return list((world.workspace.homes.get(user) or {"blocks": []})["blocks"])


def last_payload(world: Any, kind: str) -> dict[str, Any]:
    entries = [e["request"] for e in world.workspace.traffic.after(0) if e["direction"] == "to_bot"]
    return next(json.loads(json.dumps(e)) for e in reversed(entries) if e.get("type", "command") == kind)


@both
def test_a_command_is_stored_and_answered(start: Start, mode: str) -> None:
    """What was typed is in the store with who, where and which parameters, and the person reads the run's id."""
    world = start(mode)
    assert world.command("/rotate-demo alpha") == {"ok": True}
    assert "r-0000000" in world.told("Looking into it")
    (request,) = world.desk.requests.values()
    assert (request.command, request.ask, request.asker) == ("rotate-demo", {"only": "alpha"}, ASKER)
    assert (request.channel, request.text, request.source) == (CHANNEL, "alpha", "slack")


@both
def test_a_command_delivered_twice_is_one_request(start: Start, mode: str) -> None:
    """A replay of the very same payload stores nothing new and names the same run."""
    world = start(mode)
    world.command("/rotate-demo alpha")
    world.told("Looking into it")
    again = last_payload(world, "command")
    assert world.forge("slash_commands", again)["ok"]
    assert len(world.desk.requests) == 1


@both
def test_bad_input_is_told_with_the_usage(start: Start, mode: str) -> None:
    """Words that do not fit store nothing; the person reads how to type it."""
    world = start(mode)
    assert world.command("/rotate-demo alhpa") == {"ok": True}
    assert world.told("/rotate-demo")
    assert not world.desk.requests


@both
def test_hostile_text_is_an_error_and_harmless(start: Start, until: Start, mode: str) -> None:
    """Mentions of everybody, markup, direction marks and 100,000 characters come back inert or not at all."""
    world = start(mode)
    for text in ("<!channel> *x*", "\u202egnp.exe", "a" * 90_000, "'unclosed", "\x00"):
        assert world.command(f"/rotate-demo {text}") == {"ok": True}
    assert not world.desk.requests
    said = until(lambda: world.whispers() if len(world.whispers()) == 5 else None)
    assert not any(
        "<!channel>" in each or "\u202e" in each or "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" in each for each in said
    )


@both
def test_an_asker_without_the_right_is_told(start: Start, mode: str) -> None:
    """The desk's refusal reaches the person in its own sentences."""
    world = start(mode)
    world.command("/rotate-demo alpha", user=STRANGER)
    assert "Ask someone in oncall" in world.told("You may not ask", STRANGER)


@both
def test_a_store_that_is_down_is_told(start: Start, mode: str) -> None:
    """The person reads that nothing was started and what to do."""
    world = start(mode)
    world.desk.down = True
    assert world.command("/rotate-demo alpha") == {"ok": True}
    assert "nothing was started" in world.told("I could not store your request")
    assert world.command("/hivekeeper runs") == {"ok": True}
    assert world.told("The store did not answer")


@both
def test_a_fault_of_ours_is_admitted(start: Start, mode: str) -> None:
    """An error that nobody foresaw is told by its class, without its text, to who typed and to who pressed."""
    world = start(mode)
    _, ts = proposed(world)
    world.desk.broken = True
    assert world.command("/rotate-demo beta") == {"ok": True}
    assert "secret" not in world.told("nobody foresaw (RuntimeError)")
    press(world, ts, "approve")
    assert world.told("nobody foresaw (RuntimeError)", APPROVER)


@pytest.mark.slow  # Slack's three seconds are waited for
def test_a_slow_store_still_gets_an_answer_in_time(start: Start) -> None:
    """Slack is answered within its three seconds, and what came of the request is told afterwards."""
    world = start("socket")
    world.desk.slow = 2.6
    assert world.command("/rotate-demo alpha") == {"ok": True}
    assert not world.desk.requests
    assert world.told("takes longer than usual")
    assert world.told("Looking into it")
    world.desk.slow = 0


@both
def test_missing_parameters_open_a_form(start: Start, mode: str) -> None:
    """A command without what it requires opens a form; submitting it stores the request once."""
    world = start(mode)
    world.command("/grant-demo")
    view = world.modal(ASKER)
    block = next(b for b in view["blocks"] if b["type"] == "input")
    values = {block["block_id"]: {block["element"]["action_id"]: {"value": "somebody"}}}
    assert world.person("submit", user=ASKER, view_id=view["id"], state={"values": values}) == {"ok": True}
    assert world.told("Looking into it")
    (request,) = world.desk.requests.values()
    assert (request.command, request.ask, request.channel) == ("grant-demo", {"who": "somebody"}, CHANNEL)
    assert world.forge("interactive", last_payload(world, "view_submission"))["ok"]
    assert len(world.desk.requests) == 1


@both
def test_a_form_stays_open_when_the_store_is_down(start: Start, mode: str) -> None:
    """Submitting is answered with the error under the field, and works once the store is back."""
    world = start(mode)
    world.command("/grant-demo ?")
    view = world.modal(ASKER)
    block = next(b for b in view["blocks"] if b["type"] == "input")
    body = {
        "user": ASKER,
        "view_id": view["id"],
        "state": {"values": {block["block_id"]: {block["element"]["action_id"]: {"value": "x"}}}},
    }
    world.desk.down = True
    assert "nothing was started" in world.person("submit", **body)["errors"][block["block_id"]]
    world.desk.down = False
    assert world.person("submit", **body) == {"ok": True}
    assert len(world.desk.requests) == 1


@both
def test_approving_counts_once(start: Start, mode: str) -> None:
    """A click reaches the desk with the digest that was seen; the clicker is told; a replay counts nothing."""
    world = start(mode)
    view, ts = proposed(world)
    press(world, ts, "approve")
    assert world.told("Thank you: approve counted", APPROVER)
    assert world.forge("interactive", last_payload(world, "block_actions"))["ok"]
    press(world, ts, "approve")
    assert world.told("It is decided already", APPROVER)
    (decision,) = world.desk.decided
    assert (decision.run, decision.digest, decision.user) == (view.id, view.digest, APPROVER)


@both
def test_a_click_by_the_wrong_person_is_told_to_them_alone(start: Start, mode: str) -> None:
    """The refusal is whispered to who pressed, in the same channel, and nothing is decided."""
    world = start(mode)
    _, ts = proposed(world)
    press(world, ts, "approve", STRANGER)
    assert world.told("You may not decide", STRANGER)
    assert not any("You may not decide" in w for w in world.whispers(APPROVER))
    assert not world.desk.decided


@both
def test_denying_asks_why(start: Start, mode: str) -> None:
    """Deny opens a form; its reason arrives with the decision."""
    world = start(mode)
    view, ts = proposed(world)
    press(world, ts, "deny")
    modal = world.modal(APPROVER)
    block = next(b for b in modal["blocks"] if b["type"] == "input")
    values = {block["block_id"]: {block["element"]["action_id"]: {"value": "not during the freeze"}}}
    assert world.person("submit", user=APPROVER, view_id=modal["id"], state={"values": values}) == {"ok": True}
    assert world.told("deny counted", APPROVER)
    (decision,) = world.desk.decided
    assert (decision.verdict, decision.reason, decision.digest) == ("deny", "not during the freeze", view.digest)


@both
def test_details_show_the_plan(start: Start, mode: str) -> None:
    """Details opens a modal with the digest; for a plan that has changed since, a sentence comes instead."""
    world = start(mode)
    view, ts = proposed(world)
    press(world, ts, "details")
    assert view.digest in str(world.modal(APPROVER)["blocks"])
    world.desk.views[view.id] = view.model_copy(update={"digest": "0" * 64})
    press(world, ts, "details")
    assert world.told("an older plan", APPROVER)


FORGED = [
    "",
    "null",
    "[]",
    '"r-1"',
    "{",
    '{"run": 1, "digest": 2}',
    '{"run": "../../etc/passwd", "digest": null}',
    '{"run": "r-0000000", "digest": "x"}',
    '{"run": "r-0000000", "digest": null, "user": "U0APPROVER"}',
    "\x00" * 100,
    "{" * 1900,
]


@both
def test_forged_button_values_change_nothing(start: Start, until: Start, mode: str) -> None:
    """A value that we did not make is refused, audited and told, whatever is in it."""
    world = start(mode)
    _, ts = proposed(world)
    press(world, ts, "approve", STRANGER)
    payload = last_payload(world, "block_actions")
    payload["user"]["id"] = APPROVER
    for number, value in enumerate(FORGED):
        payload["trigger_id"] = f"forged.{number}"
        payload["actions"] = [{**payload["actions"][0], "value": value}]
        assert world.forge("interactive", payload)["ok"]
    assert world.told("not one of mine", APPROVER)
    until(lambda: len(world.desk.refusals) == len(FORGED))
    assert not world.desk.decided
    assert [what for _, what, _ in world.desk.refusals] == ["foreign_click"] * len(FORGED)


@both
def test_a_wrong_digest_reaches_the_desk_and_is_refused(start: Start, mode: str) -> None:
    """A well-formed value with another digest is the desk's to refuse; its sentence is told."""
    world = start(mode)
    view, ts = proposed(world)
    press(world, ts, "approve", STRANGER)
    payload = last_payload(world, "block_actions")
    payload["user"]["id"], payload["trigger_id"] = APPROVER, "forged.1"
    payload["actions"] = [{**payload["actions"][0], "value": json.dumps({"run": view.id, "digest": "a" * 64})}]
    world.forge("interactive", payload)
    assert world.told("The plan has changed since", APPROVER)
    assert not world.desk.decided


@both
def test_foreign_payloads_are_answered_and_audited(start: Start, until: Start, mode: str) -> None:
    """Other workspaces, unknown buttons, forms, shortcuts and shapes get a 200, change nothing, and are audited."""
    world = start(mode)
    _, ts = proposed(world)
    press(world, ts, "approve", STRANGER)
    click = last_payload(world, "block_actions")
    odd = [
        {**click, "team": {"id": "T0OTHER"}, "trigger_id": "a.1", "user": {**click["user"], "id": APPROVER}},
        {**click, "actions": [{**click["actions"][0], "action_id": "destroy"}]},
        {**click, "user": {"id": "not an id"}},
        {**click, "actions": [{"type": "button", "block_id": "b", "action_id": "approve", "value": 7}]},
        {
            "type": "view_submission",
            "user": click["user"],
            "team": click["team"],
            "view": {"id": "V1", "hash": "h", "callback_id": "other", "type": "modal"},
        },
        {"type": "shortcut", "callback_id": "x", "user": click["user"], "team": click["team"], "trigger_id": "t"},
        {"type": "message_action", "callback_id": "x", "user": click["user"], "team": click["team"]},
        {
            "type": "block_suggestion",
            "action_id": "x",
            "block_id": "y",
            "user": click["user"],
            "team": click["team"],
            "value": "",
        },
        {"type": "no_such_thing", "user": click["user"]},
        {**click, "actions": []},
    ]
    for payload in odd:
        assert world.forge("interactive", payload)["ok"], payload["type"]
    until(lambda: len(world.desk.refusals) == len(odd))
    assert not world.desk.decided


@both
def test_a_command_of_another_version_gets_a_kind_answer(start: Start, mode: str) -> None:
    """A command that the workspace offers and this bot does not have is answered, not left to time out."""
    world = start(mode)
    assert world.command("/not-mine now") == {"ok": True}
    assert "/hivekeeper help" in world.told("not switched on here")


@both
def test_the_home_tab_is_drawn(start: Start, until: Callable[..., Any], mode: str) -> None:
    """Opening the Home tab shows what waits for this person, and a decision from there redraws it."""
    world = start(mode)
    proposed(world)
    world.person("home", user=APPROVER)
    block = until(lambda: next((b for b in shown(world, APPROVER) if b["type"] == "actions"), None))
    home = world.workspace.homes[APPROVER]
    world.person("action", user=APPROVER, view_id=home["id"], block_id=block["block_id"], action_id="approve")
    until(lambda: world.desk.decided)
    until(lambda: "actions" not in [b["type"] for b in shown(world, APPROVER)])
    direct = "D" + APPROVER[1:]
    until(lambda: any("approve counted" in str(m) for m in world.workspace.messages.get(direct, [])))


@both
def test_hivekeeper_answers(start: Start, mode: str) -> None:
    """Every subcommand answers the person; decisions by hand reach the desk without a digest."""
    world = start(mode)
    world.command("/rotate-demo alpha")
    for text, words in (
        ("help", "grant-demo"),
        ("", "rotate-demo"),
        ("runs", "r-0000000"),
        ("show r-0000000", "Rotate two demo tokens"),
        ("show", "Which run?"),
        ("show r-nothere", "There is no run r-nothere"),
        ("show <!channel>", "is not the id of a run"),
        ("audit", "asked"),
        ("audit r-0000000", "asked"),
        ("aprove r-0000000", "Did you mean"),
        ("approve r-0000000", "You may not decide"),
    ):
        assert world.command(f"/hivekeeper {text}") == {"ok": True}
        assert world.told(words)
    world.command('/hivekeeper deny r-0000000 "not now, please"', user=APPROVER)
    assert world.told("deny counted", APPROVER)
    (decision,) = world.desk.decided
    assert (decision.verdict, decision.reason, decision.digest) == ("deny", "not now, please", None)
    world.command("/hivekeeper cancel r-0000000", user=APPROVER)
    assert world.told("It is decided already", APPROVER)


@both
def test_an_uninvited_bot_says_so(start: Start, mode: str) -> None:
    """Asked where it may not post, the bot stores the request and tells how to invite it."""
    world = start(mode)
    world.command("/rotate-demo alpha", channel=AWAY)
    assert "/invite" in world.told("I am not in this channel", ASKER, AWAY)
    assert len(world.desk.requests) == 1


@both
def test_slack_out_of_order_does_not_stop_decisions(start: Start, until: Callable[..., Any], mode: str) -> None:
    """While Slack's Web API fails, a click is still decided and acknowledged."""
    world = start(mode)
    _, ts = proposed(world)
    for kind in ("error500", "ratelimited", "cut", "down"):
        world.workspace.faults.add("chat.postEphemeral", kind, count=1)
    press(world, ts, "approve")
    until(lambda: world.desk.decided)
