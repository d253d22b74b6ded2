"""Clicks, modals and their rules: triggers, hashes, stale and forged interactions."""

from __future__ import annotations

import pytest
from slack_sdk.errors import SlackApiError

ADA, BEN, EVE = "U0ADA", "U0BEN", "U0EVE"
ONCALL, AWAY = "C0ONCALL", "C0AWAY"


def plain(text):
    return {"type": "plain_text", "text": text}


def buttons(*names):
    elements = [{"type": "button", "action_id": name, "value": name, "text": plain(name)} for name in names]
    return [{"type": "actions", "block_id": "row", "elements": elements}]


def modal(title="Why", blocks=None, **more):
    return {"type": "modal", "title": plain(title), "submit": plain("Go"), "blocks": blocks or [], **more}


def typed(block_id="b", **more):
    element = {"type": "plain_text_input", "action_id": "a", **more}
    return {"type": "input", "block_id": block_id, "label": plain("L"), "element": element}


def refused(call, **args):
    with pytest.raises(SlackApiError) as error:
        call(**args)
    return error.value.response["error"]


def listening(seen, answers=None):
    """A bot that notes every action, submission and closing, and answers submissions as told."""
    import re

    def build(app):
        @app.action(re.compile(".*"))
        async def action(ack, body):
            seen.append(body)
            await ack()

        @app.view(re.compile(".*"))
        async def submitted(ack, body):
            seen.append(body)
            await ack(**(answers.pop(0) if answers else {}))

        @app.view_closed(re.compile(".*"))
        async def closed(ack, body):
            seen.append(body)
            await ack()

    return build


def test_payload_of_a_click(place, bot):
    """A click carries what Slack's does: the whole message, its place, the person, the choice, ways to answer."""
    there, seen = place(), []
    bot(there, listening(seen))
    ts = there.client.chat_postMessage(channel=ONCALL, text="plan", blocks=buttons("yes", "no"))["ts"]
    there.do("action", user=BEN, channel=ONCALL, message_ts=ts, block_id="row", action_id="no")
    (body,) = seen
    assert body["type"] == "block_actions"
    assert body["user"]["id"] == BEN
    assert body["channel"] == {"id": ONCALL, "name": "oncall"}
    assert body["container"] == {"type": "message", "message_ts": ts, "channel_id": ONCALL, "is_ephemeral": False}
    assert body["message"]["blocks"][0]["elements"][1]["text"] == {"type": "plain_text", "text": "no", "emoji": True}
    (action,) = body["actions"]
    assert (action["type"], action["block_id"], action["action_id"], action["value"]) == ("button", "row", "no", "no")
    assert {"action_ts"} <= set(action)
    assert {"team", "api_app_id", "trigger_id", "response_url", "state"} <= set(body)


def test_click_in_an_ephemeral(place, bot):
    """A click in an ephemeral message says so and does not carry the message; others cannot click there."""
    there, seen = place(), []
    bot(there, listening(seen))
    args = {"channel": ONCALL, "user": ADA, "text": "x", "blocks": buttons("yes")}
    ts = there.client.chat_postEphemeral(**args)["message_ts"]
    click = {"channel": ONCALL, "message_ts": ts, "block_id": "row", "action_id": "yes"}
    assert "error" in there.do("action", user=BEN, **click)
    assert there.do("action", user=ADA, **click) == {"ok": True}
    assert seen[0]["container"]["is_ephemeral"] is True
    assert "message" not in seen[0]


def test_stale_clicks(place, bot):
    """A button that is gone cannot be clicked, but by a client that lags behind; a foreign person cannot at all."""
    there, seen = place(), []
    bot(there, listening(seen))
    ts = there.client.chat_postMessage(channel=ONCALL, text="plan", blocks=buttons("yes"))["ts"]
    there.client.chat_update(channel=ONCALL, ts=ts, text="done", blocks=[])
    click = {"channel": ONCALL, "message_ts": ts, "block_id": "row", "action_id": "yes"}
    assert "error" in there.do("action", user=BEN, **click)
    assert "error" in there.do("action", user=EVE, **click, stale=True)
    assert seen == []
    assert there.do("action", user=BEN, **click, stale=True) == {"ok": True}
    assert seen[0]["actions"][0]["value"] == "yes"
    assert "blocks" not in seen[0]["message"]


def test_forged_interactions(place, bot):
    """The forge brings any payload over the trusted channel, and refuses what is no payload."""
    there, seen = place(), []
    bot(there, listening(seen))
    forged = {"type": "block_actions", "user": {"id": EVE}, "actions": [{"action_id": "yes", "type": "button"}]}
    assert there.do("forge", kind="interactive", payload=forged)["ok"]
    assert seen[0]["user"]["id"] == EVE
    assert "error" in there.do("forge", kind="letter", payload={})
    assert "error" in there.do("forge", kind="interactive")


def test_choices(place, bot):
    """Selects, checkboxes and pickers report the option chosen; options that are not there cannot be."""
    there, seen = place(), []
    bot(there, listening(seen))
    options = [{"text": plain(name), "value": name} for name in ("one", "two")]
    elements = [
        {"type": "static_select", "action_id": "select", "options": options},
        {"type": "checkboxes", "action_id": "boxes", "options": options},
        {"type": "datepicker", "action_id": "date"},
        {"type": "users_select", "action_id": "user"},
        {"type": "overflow", "action_id": "more", "options": options},
    ]
    blocks = [{"type": "actions", "block_id": "row", "elements": elements}]
    ts = there.client.chat_postMessage(channel=ONCALL, text="plan", blocks=blocks)["ts"]
    place_of = {"user": ADA, "channel": ONCALL, "message_ts": ts, "block_id": "row"}
    there.do("action", **place_of, action_id="select", selected="two")
    there.do("action", **place_of, action_id="boxes", selected_options=["one", "two"])
    there.do("action", **place_of, action_id="date", selected="2030-01-31")
    there.do("action", **place_of, action_id="user", selected=BEN)
    there.do("action", **place_of, action_id="more", selected={"value": "one"})
    assert "error" in there.do("action", **place_of, action_id="select", selected="three")
    actions = [body["actions"][0] for body in seen]
    assert actions[0]["selected_option"]["value"] == "two"
    assert [option["value"] for option in actions[1]["selected_options"]] == ["one", "two"]
    assert actions[2]["selected_date"] == "2030-01-31"
    assert actions[3]["selected_user"] == BEN
    assert actions[4]["selected_option"]["value"] == "one"
    assert set(seen[-1]["state"]["values"]["row"]) == {"select", "boxes", "date", "user"}


def test_triggers(place):
    """A trigger opens one modal, within three seconds."""
    there = place()
    space, opened = there.workspace, there.client.views_open
    trigger = space.trigger(ADA)
    assert opened(trigger_id=trigger, view=modal())["view"]["id"]
    assert refused(opened, trigger_id=trigger, view=modal()) == "exchanged_trigger_id"
    assert refused(opened, trigger_id="1.2.3", view=modal()) == "invalid_trigger_id"
    late, now = space.trigger(ADA), space.clock
    space.clock = lambda: now() + 3
    assert refused(opened, trigger_id=late, view=modal()) == "expired_trigger_id"


def test_a_bad_view_does_not_use_up_the_trigger(place):
    """A refused view leaves the trigger for the next try."""
    there = place()
    trigger = there.workspace.trigger(ADA)
    assert refused(there.client.views_open, trigger_id=trigger, view=modal("x" * 25)) == "invalid_arguments"
    assert there.client.views_open(trigger_id=trigger, view=modal())["ok"]


def test_view_updates(place):
    """A view is updated by its id or its present external id; an old hash is a conflict; typed text stays; others cannot see it."""
    there = place()
    client = there.client
    trigger = there.workspace.trigger(ADA)
    view = client.views_open(trigger_id=trigger, view=modal(external_id="mine", blocks=[typed()]))["view"]
    there.do("action", user=ADA, view_id=view["id"], block_id="b", action_id="a", value="typed")
    new = client.views_update(view_id=view["id"], hash=view["hash"], view=modal("Two", [typed()]))["view"]
    assert new["id"] == view["id"]
    assert new["hash"] != view["hash"]
    assert there.state(ADA)["views"][0]["state"]["values"]["b"]["a"]["value"] == "typed"
    conflict = {"view_id": view["id"], "hash": view["hash"], "view": modal()}
    assert refused(client.views_update, **conflict) == "hash_conflict"
    assert refused(client.views_update, view_id="V0NONE", view=modal()) == "not_found"
    by_name = {"external_id": "mine", "view": modal(external_id="mine")}
    assert refused(client.views_update, **by_name) == "not_found"
    assert refused(client.api_call, api_method="views.update", json={"view": modal()}) == "invalid_arguments"
    assert "owner" not in new
    assert there.state(BEN)["views"] == []
    assert "error" in there.do("submit", user=BEN, view_id=view["id"], state={})


def test_pushed_views(place):
    """Views stack up to three; closing shows the one below."""
    there = place()
    client, space = there.client, there.workspace
    view = client.views_open(trigger_id=space.trigger(ADA), view=modal("1"))["view"]
    for title in ("2", "3"):
        view = client.views_push(trigger_id=space.trigger(ADA, view["id"]), view=modal(title))["view"]
    too_deep = {"trigger_id": space.trigger(ADA, view["id"]), "view": modal("4")}
    assert refused(client.views_push, **too_deep) == "push_limit_reached"
    there.do("close", user=ADA, view_id=view["id"])
    assert [v["title"]["text"] for v in there.state(ADA)["views"]] == ["1", "2"]
    assert refused(client.views_push, trigger_id=space.trigger(ADA), view=modal()) == "not_found"


@pytest.mark.parametrize("clear", [False, True])
def test_closing(place, bot, clear):
    """A closed view is told to the bot when it asked for it; with clear_on_close all of the stack closes."""
    there, seen = place(), []
    bot(there, listening(seen))
    client, space = there.client, there.workspace
    low = client.views_open(trigger_id=space.trigger(ADA), view=modal("1", notify_on_close=True))["view"]
    top = modal("2", notify_on_close=True, clear_on_close=clear)
    view = client.views_push(trigger_id=space.trigger(ADA, low["id"]), view=top)["view"]
    there.do("close", user=ADA, view_id=view["id"])
    assert [(body["type"], body["is_cleared"]) for body in seen] == [("view_closed", clear)] * (2 if clear else 1)
    assert [v["id"] for v in there.state(ADA)["views"]] == ([] if clear else [low["id"]])


def test_answers_to_a_submission(place, bot):
    """Update, push and clear are done; errors for unknown blocks and broken views are trouble for the person."""
    answers = [
        {"response_action": "update", "view": modal("Two", [typed()])},
        {"response_action": "push", "view": modal("Three")},
        {"response_action": "errors", "errors": {"elsewhere": "?"}},
        {"response_action": "update", "view": modal("x" * 25)},
        {"response_action": "clear"},
    ]
    there, seen = place(), []
    bot(there, listening(seen, answers))
    view = there.client.views_open(trigger_id=there.workspace.trigger(ADA), view=modal("One"))["view"]

    def submit():
        titles = [v["title"]["text"] for v in there.state(ADA)["views"]]
        values = {"b": {"a": {"type": "plain_text_input", "value": "typed"}}}
        answer = there.do("submit", user=ADA, view_id=view["id"], state={"values": values})
        return titles, answer.get("ok")

    assert submit() == (["One"], True)
    assert submit() == (["Two"], True)
    assert submit() == (["Two", "Three"], False)
    assert submit() == (["Two", "Three"], False)
    assert submit() == (["Two", "Three"], True)
    assert there.state(ADA)["views"] == []
    assert seen[1]["view"]["state"]["values"]["b"]["a"]["value"] == "typed"


def test_what_slack_itself_asks_of_inputs(place, bot):
    """Missing and too short answers are not even sent; initial values count as answers."""
    there, seen = place(), []
    bot(there, listening(seen))
    blocks = [typed("short", min_length=3), typed("given", initial_value="there"), {**typed("free"), "optional": True}]
    view = there.client.views_open(trigger_id=there.workspace.trigger(ADA), view=modal(blocks=blocks))["view"]
    values = {"short": {"a": {"type": "plain_text_input", "value": "ab"}}}
    submission = {"user": ADA, "view_id": view["id"], "state": {"values": values}}
    assert there.do("submit", **submission) == {"errors": {"short": "Please enter at least 3 characters."}}
    assert seen == []
    values["short"]["a"]["value"] = "abc"
    assert there.do("submit", **submission) == {"ok": True}
    kept = seen[0]["view"]["state"]["values"]
    assert [kept[name]["a"]["value"] for name in ("short", "given", "free")] == ["abc", "there", None]


def test_home(place):
    """The Home tab is published for a person, keeps its id, and refuses an old hash."""
    there = place()
    publish = there.client.views_publish
    first = publish(user_id=ADA, view={"type": "home", "blocks": []})["view"]
    second = publish(user_id=ADA, view={"type": "home", "blocks": []}, hash=first["hash"])["view"]
    assert first["id"] == second["id"]
    again = {"user_id": ADA, "view": {"type": "home", "blocks": []}, "hash": first["hash"]}
    assert refused(publish, **again) == "hash_conflict"
    assert refused(publish, user_id=ADA, view=modal()) == "invalid_arguments"
    assert there.do("home", user=ADA)["view"]["id"] == first["id"]
    assert there.do("home", user=BEN)["view"] is None


def test_no_command_in_threads(place):
    """Slack knows no commands in threads, nor in channels one is not in, nor for people it does not know."""
    there = place()
    for body in (
        {"user": ADA, "channel": ONCALL, "thread_ts": "1.0"},
        {"user": BEN, "channel": AWAY},
        {"user": "U0NOBODY", "channel": ONCALL},
        {"user": "U0HIVEKEEP", "channel": ONCALL},
    ):
        answer = there.people.post("/command", json={**body, "command": "/do", "text": ""})
        assert (answer.status_code, "error" in answer.json()) == (400, True)
