"""What Bolt calls: one listener per kind of payload, for Socket Mode and HTTP alike.

Each reads its payload strictly and hands it on; what is not ours is acknowledged, refused and audited here.
Bolt tells listeners apart by the names of their parameters (ack, body, respond, error).
"""

from __future__ import annotations

import logging
import re
from typing import Any

from slack_bolt import BoltResponse
from slack_bolt.async_app import AsyncApp
from slack_bolt.error import BoltUnhandledRequestError

from bot.core.errors import Refused, Told
from bot.edges import buttons, commands, forms, handing_in, render, tab
from bot.edges.alert_channel import AlertChannel
from bot.edges.parts import Call, Parts, unforeseen
from bot.edges.payloads import Click, Command, Foreign, HomeOpened, Submission, team_of

ANY = re.compile(r".*", re.DOTALL)
Body = dict[str, Any]
log = logging.getLogger(__name__)


class Listeners:
    def __init__(self, parts: Parts, alerts: AlertChannel | None = None) -> None:
        self._parts, self._alerts = parts, alerts

    def join(self, app: AsyncApp) -> None:
        """One listener per kind, because Bolt looks through its list one by one; our own tables go on from there."""
        app.command(ANY)(self.command)
        app.action(ANY)(self.action)
        app.view(ANY)(self.form)
        app.event("app_home_opened")(self.home)
        app.event("message")(self.message)
        app.error(self.error)

    async def command(self, ack: Call, body: Body, respond: Call) -> None:
        with self._parts.metrics.acknowledging("command"):
            try:
                self._check_team(body)
                await commands.handle(self._parts, Command.of(body), ack, respond)
            except Foreign:
                await self._refuse(body, "foreign_command")
                await ack(text="I could not read that command. Nothing was started.", response_type="ephemeral")

    async def action(self, ack: Call, body: Body) -> None:
        with self._parts.metrics.acknowledging("action"):
            try:
                self._check_team(body)
                await buttons.handle(self._parts, Click.of(body), ack)
            except Foreign:
                await ack()
                self._parts.threads.start(self._refuse_click(body))

    async def form(self, ack: Call, body: Body) -> None:
        secret = handing_in.taken_out(body)  # before anything else can keep it
        with self._parts.metrics.acknowledging("form"):
            try:
                self._check_team(body)
                await forms.handle(self._parts, Submission.of(body), ack, secret)
            except Foreign:
                await ack()
                await self._refuse(body, "foreign_form")

    async def home(self, body: Body) -> None:
        with self._parts.metrics.acknowledging("home"):
            try:
                self._check_team(body)
                opened = HomeOpened.of(body.get("event"))
            except Foreign:
                return await self._refuse(body, "foreign_event")
            if opened.tab in ("", "home"):
                self._parts.threads.start(tab.refresh(self._parts, opened.user))
            return None

    async def message(self, body: Body) -> BoltResponse | None:
        """What is said in channels the bot is in; most of it is nothing to us."""
        if self._alerts is None:
            return None
        with self._parts.metrics.acknowledging("message"):
            try:
                self._check_team(body)
                return await self._alerts.take(body)
            except Foreign:
                await self._refuse(body, "foreign_event")
        return None

    async def error(self, error: Exception, body: Body) -> BoltResponse:
        """What no listener took, and what one of ours did not foresee. Slack is answered 200 either way: another
        answer would make it repeat an event, and tell the person nothing."""
        if isinstance(error, BoltUnhandledRequestError):
            # Events that somebody subscribed the app to, and closed forms, are no attempt at anything.
            if body.get("type") not in ("event_callback", "view_closed"):
                await self._refuse(body, "unknown_payload")
            return BoltResponse(status=200, body="")
        log.error("a listener failed", extra={"error": type(error).__name__})
        if "command" not in body:
            return BoltResponse(status=200, body="")
        message = render.error_message(unforeseen(error))
        return BoltResponse(
            status=200, body={"response_type": "ephemeral", "text": message.text, "blocks": message.blocks}
        )

    async def unreadable(self, body: Body) -> None:
        """Bolt itself could not take this payload apart."""
        await self._refuse(body, "unreadable")

    def _check_team(self, body: Body) -> None:
        """People of other workspaces see shared channels too; their clicks are not for us."""
        ours = self._parts.team()
        if ours is not None and team_of(body) not in (ours, None):
            raise Foreign("team")

    async def _refuse_click(self, body: Body) -> None:
        await self._refuse(body, "foreign_click")
        try:
            click = Click.of(body)
        except Foreign:
            return
        told = Refused("That button is not one of mine, or it is damaged.", "Nothing was changed.")
        await self._parts.whisper.answer(click, render.error_message(told))

    async def _refuse(self, body: Body, reason: str) -> None:
        self._parts.metrics.refusals.labels(reason).inc()
        try:
            await self._parts.threads.call(self._parts.desk.refuse, who(body), reason, {"type": kind(body)})
        except Told as error:
            log.warning("a refusal could not be put into the audit log", extra={"reason": reason, "told": str(error)})


def who(body: Body) -> str:
    """The user a payload names, for the audit log; it may be anything, so only an id is repeated."""
    user = body.get("user_id") or body.get("user")
    name = user.get("id") if isinstance(user, dict) else user
    return name if isinstance(name, str) and re.fullmatch(r"[UW][A-Z0-9]{1,40}", name) else "unknown"


def kind(body: Body) -> str:
    """What sort of payload it says it is."""
    event = body.get("event")
    found = event.get("type") if isinstance(event, dict) else body.get("type", "command" if "command" in body else "")
    return found if isinstance(found, str) and re.fullmatch(r"[a-z_.]{1,60}", found) else "unknown"
