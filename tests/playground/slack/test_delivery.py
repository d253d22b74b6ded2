"""Commands, clicks, modals and events between people and a real Bolt app."""

from __future__ import annotations

import asyncio

import pytest

from playground.slack import Times

ADA, BEN, EVE = "U0ADA", "U0BEN", "U0EVE"
ONCALL, AWAY = "C0ONCALL", "C0AWAY"
BUTTONS = [
    {"type": "section", "text": {"type": "mrkdwn", "text": "A plan"}},
    {
        "type": "actions",
        "block_id": "decide",
        "elements": [
            {
                "type": "button",
                "action_id": "yes",
                "value": "r-1",
                "style": "primary",
                "text": {"type": "plain_text", "text": "Yes"},
            }
        ],
    },
]
MODAL = {
    "type": "modal",
    "callback_id": "why",
    "title": {"type": "plain_text", "text": "Why"},
    "submit": {"type": "plain_text", "text": "Send"},
    "notify_on_close": True,
    "blocks": [
        {
            "type": "input",
            "block_id": "reason",
            "label": {"type": "plain_text", "text": "Reason"},
            "element": {"type": "plain_text_input", "action_id": "text"},
        }
    ],
}


def story(seen):
    """A bot that answers a command with buttons, a click with a modal, a submission with a sentence."""

    def build(app):
        @app.command("/do")
        async def command(ack, body, client):
            seen.append(("command", body))
            await ack("On it.")
            await client.chat_postMessage(channel=body["channel_id"], text="A plan", blocks=BUTTONS)

        @app.action("yes")
        async def click(ack, body, client):
            seen.append(("click", body))
            await ack()
            await client.views_open(trigger_id=body["trigger_id"], view=MODAL)

        @app.view("why")
        async def submitted(ack, body, client):
            seen.append(("submit", body))
            text = body["view"]["state"]["values"]["reason"]["text"]["value"]
            if text == "no":
                await ack(response_action="errors", errors={"reason": "Say more."})
                return
            await ack()
            await client.chat_postEphemeral(channel=ONCALL, user=body["user"]["id"], text="Noted.")

        @app.view_closed("why")
        async def closed(ack, body):
            seen.append(("closed", body))
            await ack()

        @app.event("app_home_opened")
        async def home(event, client):
            blocks = [{"type": "section", "text": {"type": "mrkdwn", "text": "Home"}}]
            await client.views_publish(user_id=event["user"], view={"type": "home", "blocks": blocks})

    return build


def through(there, until, seen):
    """The whole story, as a person lives it."""
    assert there.do("command", user=ADA, channel=ONCALL, command="/do", text="for @ben in #oncall") == {"ok": True}
    assert seen[0][1]["text"] == f"for <@{BEN}|ben> in <#{ONCALL}|oncall>"
    message = until(lambda: next((m for m in there.said() if m["text"] == "A plan"), None))
    assert any(m.get("ephemeral") and m["text"] == "On it." for m in there.said())
    assert not any(m.get("ephemeral") for m in there.said(user=BEN))
    click = {"channel": ONCALL, "message_ts": message["ts"], "block_id": "decide", "action_id": "yes"}
    assert there.do("action", user=BEN, **click) == {"ok": True}
    view = until(lambda: there.state(BEN)["views"])[0]
    empty = there.do("submit", user=BEN, view_id=view["id"], state={"values": {}})
    assert empty == {"errors": {"reason": "Please complete this required field."}}
    values = {"reason": {"text": {"type": "plain_text_input", "value": "no"}}}
    assert there.do("submit", user=BEN, view_id=view["id"], state={"values": values}) == {
        "errors": {"reason": "Say more."}
    }
    values["reason"]["text"]["value"] = "because"
    assert there.do("submit", user=BEN, view_id=view["id"], state={"values": values}) == {"ok": True}
    until(lambda: any(m["text"] == "Noted." for m in there.said(user=BEN)))
    assert there.state(BEN)["views"] == []
    there.do("home", user=ADA)
    until(lambda: there.state()["home"])


def test_socket_mode_story(place, bot, until):
    """A command, a click, a modal with an error, its submission and the Home tab pass over Socket Mode."""
    there, seen = place(), []
    bot(there, story(seen))
    through(there, until, seen)
    assert [kind for kind, _ in seen] == ["command", "click", "submit", "submit"]


def test_http_story(http_bot, until):
    """The same story passes over signed HTTP requests."""
    seen = []
    there = http_bot(story(seen))
    through(there, until, seen)
    assert there.state()["bot"]["connected"]


def test_late_acknowledgement_is_too_late(place, bot):
    """A command not acknowledged in Slack's time shows operation_timeout; its later answer is not shown, the next is."""
    release = asyncio.Event()

    def build(app):
        @app.command("/do")
        async def command(ack):
            await release.wait()
            await ack("answered")

    there = place(times=Times(ack=0.5))
    one = bot(there, build)
    with there.stream() as wait:
        answer = there.do("command", user=ADA, channel=ONCALL, command="/do", text="")
        assert answer == {"ok": False, "error": "operation_timeout"}
        assert "operation_timeout" in wait("toast")["text"]
    one.loop.call_soon_threadsafe(release.set)
    assert there.do("command", user=ADA, channel=ONCALL, command="/do", text="") == {"ok": True}
    assert [message["text"] for message in there.said()] == ["answered"]


@pytest.mark.parametrize("command", ["/raw", "/unknown"])
def test_unanswered_commands(place, command):
    """Without a bot a known command fails to dispatch; an unknown one is no command at all."""
    answer = place().do("command", user=ADA, channel=ONCALL, command=command, text="")
    assert answer["error"] in ("dispatch_failed", "/unknown is not a valid command.")


@pytest.mark.parametrize(
    ("answer", "shown"),
    [
        ({"text": "secret"}, [("secret", ADA)]),
        ({"text": "open", "response_type": "in_channel"}, [("open", ADA), ("open", BEN)]),
        ({"text": ""}, []),
        ({"text": "x", "blocks": [{"type": "sections"}]}, []),
    ],
)
def test_answers_to_a_command(place, bot, answer, shown):
    """What the acknowledgement says is shown to one or to all, not at all when it is empty or not valid."""

    def build(app):
        @app.command("/do")
        async def command(ack):
            await ack(**answer)

    there = place()
    bot(there, build)
    assert there.do("command", user=ADA, channel=ONCALL, command="/do", text="") == {"ok": True}
    assert [(m["text"], user) for user in (ADA, BEN) for m in there.said(user=user)] == shown


def test_escaping_is_as_the_command_says(place, bot):
    """Without should_escape names stay as they were typed; unknown names always do; the payload is Slack's."""
    seen = []

    def build(app):
        @app.command("/raw")
        async def raw(ack, body):
            seen.append(body)
            await ack()

        @app.command("/do")
        async def do(ack, body):
            seen.append(body)
            await ack()

    there = place()
    bot(there, build)
    text = "  @ben #oncall @nobody a@ben <!channel> "
    for command in ("/raw", "/do"):
        there.do("command", user=ADA, channel=ONCALL, command=command, text=text)
    assert seen[0]["text"] == text.strip()
    assert seen[1]["text"] == f"<@{BEN}|ben> <#{ONCALL}|oncall> @nobody a@ben <!channel>"
    assert (seen[0]["user_name"], seen[0]["channel_name"]) == ("ada", "oncall")
    assert seen[0]["response_url"].startswith(there.url)


def test_broken_bot_over_http(http_bot):
    """A bot that fails is a failed command for the person; a click on it is trouble."""

    def build(app):
        @app.command("/do")
        async def command(ack):
            raise RuntimeError

    there = http_bot(build)
    answer = there.do("command", user=ADA, channel=ONCALL, command="/do", text="")
    assert answer == {"ok": False, "error": "dispatch_failed"}
    ts = there.client.chat_postMessage(channel=ONCALL, text="A plan", blocks=BUTTONS)["ts"]
    click = {"channel": ONCALL, "message_ts": ts, "block_id": "decide", "action_id": "yes"}
    with there.stream(BEN) as wait:
        assert there.do("action", user=BEN, **click)["ok"] is False
        assert "trouble" in wait("toast")["text"]
