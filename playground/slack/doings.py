"""What people do: type a command, write, click, submit, close. Slack's own part of each, up to the bot's answer."""

from __future__ import annotations

from typing import Any

from playground.slack import chat, payloads, rules, views
from playground.slack.delivery import Delivery
from playground.slack.errors import ApiError, Undelivered, Unkind
from playground.slack.workspace import BOT_USER, Channel, Json, Workspace

TROUBLE = "We had some trouble connecting. Try again?"


class Doings:
    """People's actions on a workspace. Unkind when a person's Slack would not let them."""

    def __init__(self, workspace: Workspace, delivery: Delivery) -> None:
        self.workspace = workspace
        self.delivery = delivery

    async def command(self, body: Json) -> Json:
        """A slash command: over when the bot has acknowledged or Slack's three seconds are."""
        user, channel = self._who(body), self._where(body)
        known = self.workspace.commands.get(str(body.get("command")))
        if known is None or "commands" not in self.workspace.scopes:
            raise Unkind(f"{body.get('command')} is not a valid command.")
        if body.get("thread_ts"):
            raise Unkind(f"{known.command} is not supported in threads. Sorry!")
        payload = payloads.command(self.workspace, user, channel, known, str(body.get("text") or ""))
        try:
            answer = await self.delivery.send("slash_commands", payload)
        except Undelivered as failure:
            error = "operation_timeout" if failure.reason == "timeout" else "dispatch_failed"
            self._toast(user, f"{known.command} failed with the error “{error}”")
            return {"ok": False, "error": error}
        self._command_answer(channel, user, answer)
        return {"ok": True}

    def _command_answer(self, channel: Channel, user: str, answer: Any) -> None:
        if not isinstance(answer, dict) or not (answer.get("text") or answer.get("blocks")):
            return
        try:
            rules.check_message(answer)
        except ApiError as error:
            self._toast(user, f"Slack refused the app's answer: {error.error}")
            return
        if answer.get("response_type") == "in_channel":
            self.workspace.keep(channel, chat.body(self.workspace, answer))
        else:
            chat.whisper(self.workspace, channel.id, user, answer)

    async def message(self, body: Json) -> Json:
        """A message by a person."""
        user, channel = self._who(body), self._where(body)
        text = str(body.get("text") or "").strip()
        if not text:
            raise Unkind("A message needs text.")
        message: Json = {"type": "message", "ts": self.workspace.ts(), "user": user, "blocks": [], "attachments": []}
        message["text"] = payloads.composed(self.workspace, text)
        if body.get("thread_ts"):
            message["thread_ts"] = body["thread_ts"]
        self.workspace.keep(channel, message)
        return {"ok": True, "ts": message["ts"]}

    async def action(self, body: Json) -> Json:
        """A click or a choice. With `stale`, one that was on the message before: a client that lags behind."""
        user = self._who(body)
        payload = self._view_action(user, body) if body.get("view_id") else self._message_action(user, body)
        if payload is None:
            return {"ok": True}
        try:
            await self.delivery.send("interactive", payload)
        except Undelivered as failure:
            self._toast(user, TROUBLE)
            return {"ok": False, "error": failure.reason}
        return {"ok": True}

    def _message_action(self, user: str, body: Json) -> Json | None:
        channel = self._where(body)
        ts = str(body.get("message_ts"))
        message, _ = self._message(channel, user, ts)
        versions = [message]
        if body.get("stale"):
            versions += reversed(self.workspace.past.get((channel.id, ts), []))
        found = next(filter(None, (_find(version, body) for version in versions)), None)
        if found is None:
            raise Unkind("There is no such button on this message now.")
        block, element = found
        values = self.workspace.inputs.setdefault((user, channel.id, ts), {})
        _remember(values, element, body)
        if not _tells(block):
            return None
        action = payloads.acted(self.workspace, element, body)
        return payloads.in_message(self.workspace, user, channel, message, action, values)

    def _message(self, channel: Channel, user: str, ts: str) -> tuple[Json, bool]:
        try:
            return chat.message_of(self.workspace, channel.id, user, ts)
        except ApiError:
            raise Unkind("There is no such message in this channel.") from None

    def _view_action(self, user: str, body: Json) -> Json | None:
        view = self._view(user, body)
        found = _find(view, body)
        if found is None:
            raise Unkind("There is nothing like that in this view.")
        block, element = found
        _remember(view["state"]["values"], element, body)
        if not _tells(block):
            return None
        action = payloads.acted(self.workspace, element, body)
        return payloads.in_view(self.workspace, user, view, action)

    async def submit(self, body: Json) -> Json:
        """Submit a modal: `{ok}` or `{errors}`."""
        user = self._who(body)
        view = self._view(user, body)
        given = (body.get("state") or {}).get("values") or {}
        errors = fill(view, given)
        if errors:
            return {"errors": errors}
        try:
            answer = await self.delivery.send("interactive", payloads.submission(self.workspace, user, view))
        except Undelivered:
            self._toast(user, TROUBLE)
            return {"ok": False, "error": TROUBLE}
        return self._submitted(user, view, answer if isinstance(answer, dict) else {})

    def _submitted(self, user: str, view: Json, answer: Json) -> Json:
        action = answer.get("response_action")
        known = {block["block_id"] for block in view["blocks"] if block["type"] == "input"}
        try:
            if action == "errors":
                errors = answer.get("errors")
                if not isinstance(errors, dict) or not errors or not set(errors) <= known:
                    raise ApiError("invalid_errors")
                return {"errors": errors}
            self._follow(user, view, action, answer)
        except ApiError:
            self._toast(user, TROUBLE)
            return {"ok": False, "error": TROUBLE}
        return {"ok": True}

    def _follow(self, user: str, view: Json, action: str | None, answer: Json) -> None:
        if action in ("update", "push"):
            rules.check_view(answer.get("view"), "modal")
        if action == "update":
            views.replace(self.workspace, view, answer["view"])
        elif action == "push":
            views.push(self.workspace, user, answer["view"])
        elif action == "clear":
            views.close_all(self.workspace, user)
        elif view["id"] in self.workspace.views:
            views.close(self.workspace, view)

    async def close(self, body: Json) -> Json:
        """Close a modal; the bot is told when the view asked for it."""
        user = self._who(body)
        view = self._view(user, body)
        closed = views.close_all(self.workspace, user) if view["clear_on_close"] else [view]
        views.close(self.workspace, view)
        for each in closed:
            if each["notify_on_close"]:
                await self._tell_closed(user, each, cleared=len(closed) > 1)
        return {"ok": True}

    async def _tell_closed(self, user: str, view: Json, *, cleared: bool) -> None:
        try:
            await self.delivery.send("interactive", payloads.closing(self.workspace, user, view, cleared=cleared))
        except Undelivered:
            return

    async def home(self, body: Json) -> Json:
        """Open the App Home: the bot hears of it; what was published before is shown at once."""
        user = self._who(body)
        view = self.workspace.homes.get(user)
        event: Json = {
            "type": "app_home_opened",
            "user": user,
            "channel": self.workspace.direct(user).id,
            "tab": "home",
        }
        event["event_ts"] = self.workspace.ts()
        if view is not None:
            event["view"] = views.public(view)
        if "app_home_opened" in self.workspace.events:
            self.delivery.event(event)
        return {"ok": True, "view": view}

    def _who(self, body: Json) -> str:
        user = str(body.get("user"))
        if user not in self.workspace.users or user == BOT_USER:
            raise Unkind("There is no such person.")
        return user

    def _where(self, body: Json) -> Channel:
        channel = self.workspace.channels.get(str(body.get("channel")))
        if channel is None or body["user"] not in channel.members:
            raise Unkind("You are not in this channel.")
        return channel

    def _view(self, user: str, body: Json) -> Json:
        home = self.workspace.homes.get(user)
        found = self.workspace.views.get(str(body.get("view_id")))
        if home is not None and home["id"] == body.get("view_id"):
            return home
        if found is None or found["owner"] != user:
            raise Unkind("This window is not open any more.")
        return found

    def _toast(self, user: str, text: str) -> None:
        self.workspace.emit({"type": "toast", "text": text, "kind": "error", "for": [user]})


def _find(shown: Json, body: Json) -> tuple[Json, Json] | None:
    return payloads.find(shown.get("blocks") or [], str(body.get("block_id")), str(body.get("action_id")))


def _tells(block: Json) -> bool:
    """Whether the bot hears of a choice in this block: of an input only when the block says so."""
    return block["type"] != "input" or bool(block.get("dispatch_action"))


def _remember(values: Json, element: Json, body: Json) -> None:
    if element["type"] in ("button", "overflow"):
        return
    entry = {"type": element["type"], **payloads.chosen(element, body)}
    values.setdefault(body["block_id"], {})[body["action_id"]] = entry


def fill(view: Json, given: Json) -> Json:
    """Put what was typed into a view's state. What Slack itself finds wrong, by block_id."""
    errors: Json = {}
    values = view["state"]["values"]
    for block in view["blocks"]:
        if block["type"] != "input":
            continue
        element, name = block["element"], block["block_id"]
        entry = dict((given.get(name) or {}).get(element["action_id"]) or {})
        kept = values.get(name, {}).get(element["action_id"]) or payloads.chosen(element, payloads.initial(element))
        entry = {"type": element["type"], **kept, **entry}
        values[name] = {element["action_id"]: entry}
        wrong = _wrong(block, element, entry)
        if wrong:
            errors[name] = wrong
    return errors


def _wrong(block: Json, element: Json, entry: Json) -> str | None:
    value = next((each for key, each in entry.items() if key != "type" and each not in (None, "", [])), None)
    if value is None:
        return None if block.get("optional") else "Please complete this required field."
    if isinstance(value, str) and len(value) < int(element.get("min_length") or 0):
        return f"Please enter at least {element['min_length']} characters."
    if isinstance(value, str) and len(value) > int(element.get("max_length") or 3000):
        return f"Please enter at most {element.get('max_length') or 3000} characters."
    return None
