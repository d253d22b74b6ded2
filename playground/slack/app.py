"""The stand-in put together."""

from __future__ import annotations

from typing import Any, Literal

from starlette.applications import Starlette

from playground.slack import incoming, web_api
from playground.slack.delivery import Delivery, Transport
from playground.slack.http_mode import HttpMode
from playground.slack.methods import EVENT_SCOPES, EVERY_SCOPE
from playground.slack.people import People
from playground.slack.socket_mode import SocketMode
from playground.slack.workspace import EVENTS, Command, Workspace


def create(
    workspace: Workspace,
    *,
    mode: Literal["socket", "http"] = "socket",
    request_url: str | None = None,
    signing_secret: str = "",
    bot_token: str,
    app_token: str = "",
    manifest: dict[str, Any] | None = None,
) -> Starlette:
    """A workspace with the app installed, as an ASGI application that needs no lifespan.

    `manifest` is the app's manifest as data: its scopes, events, Home tab and commands are what is installed; without
    one all events are, and the scopes that the methods here need. In http mode payloads go to `request_url`, signed
    with `signing_secret`.
    """
    workspace.bot_token, workspace.app_token = bot_token, app_token
    workspace.traffic.mask(bot_token, app_token, signing_secret)
    install(workspace, manifest)
    transport = _transport(workspace, mode, request_url, signing_secret)
    delivery = Delivery(workspace, transport)
    routes = [*web_api.routes(workspace), *People(workspace, delivery).routes(), incoming.route(workspace)]
    if isinstance(transport, SocketMode):
        routes.append(transport.route())
    app = Starlette(routes=routes)
    app.state.workspace, app.state.delivery = workspace, delivery
    return app


def install(workspace: Workspace, manifest: dict[str, Any] | None) -> None:
    """Give the app what its manifest asks for."""
    if manifest is None:
        workspace.scopes, workspace.events = EVERY_SCOPE, EVENTS
        return
    features = manifest.get("features", {})
    scopes = manifest.get("oauth_config", {}).get("scopes", {})
    events = manifest.get("settings", {}).get("event_subscriptions", {}).get("bot_events", [])
    workspace.scopes = frozenset([*scopes.get("bot", []), *scopes.get("bot_optional", [])])
    allowed = {event for event, scope in EVENT_SCOPES.items() if not scope or scope in workspace.scopes}
    workspace.events = frozenset(events) & allowed
    workspace.home_tab = bool(features.get("app_home", {}).get("home_tab_enabled"))
    for each in features.get("slash_commands", []):
        known = {key: each[key] for key in ("command", "description", "usage_hint", "should_escape") if key in each}
        workspace.commands[each["command"]] = Command(**known)


def _transport(workspace: Workspace, mode: str, request_url: str | None, signing_secret: str) -> Transport:
    if mode == "socket":
        return SocketMode(workspace)
    if not request_url or not signing_secret:
        raise ValueError("http mode needs a request_url and a signing_secret")
    return HttpMode(workspace, request_url, signing_secret)
