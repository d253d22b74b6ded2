"""The manifest agrees with the handlers, with the code's calls of Slack, and with Slack's limits."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema
import yaml

from bot.edges.manifest import EVENTS, SCOPES, manifest, text
from handlers import HANDLERS

ROOT = Path(__file__).parents[3]
SCHEMA = ROOT.parent / "shared" / "data" / "slack-manifest.schema.json"
COMMANDS = {handler.name: handler for handler in HANDLERS}

# Bot scopes of the Web API methods (docs.slack.dev); None: any bot token may.
NEEDS: dict[str, tuple[str, ...]] = {
    "auth_test": (),
    "apps_connections_open": (),
    "chat_postMessage": ("chat:write",),
    "chat_postEphemeral": ("chat:write",),
    "chat_update": ("chat:write",),
    "chat_delete": ("chat:write",),
    "conversations_history": ("channels:history", "groups:history", "im:history"),
    "conversations_replies": ("channels:history", "groups:history", "im:history"),
    "files_upload_v2": ("files:write",),
    "usergroups_users_list": ("usergroups:read",),
    "views_open": (),
    "views_update": (),
    "views_publish": (),
}


def test_the_file_is_what_the_handlers_make() -> None:
    """manifest.yml is the output of `hivekeeper manifest`, to the letter."""
    assert (ROOT / "manifest.yml").read_text() == text(manifest(COMMANDS))


def test_every_command_is_declared() -> None:
    """Each handler's command stands there once, and nothing else but our own."""
    declared = [c["command"] for c in manifest(COMMANDS)["features"]["slash_commands"]]
    assert sorted(declared) == sorted(["/hivekeeper", *(f"/{name}" for name in COMMANDS)])


def test_slacks_limits_are_kept() -> None:
    """Names and texts are within what Slack takes (facts of the manifest, version 2)."""
    made = manifest(COMMANDS, url="https://bot.example.com/slack/events")
    shown = made["display_information"]
    assert len(shown["name"]) <= 35
    assert len(shown["description"]) <= 140
    assert len(made["features"]["slash_commands"]) <= 50
    for command in made["features"]["slash_commands"]:
        assert len(command["command"]) <= 32
        assert len(command["description"]) <= 2000
        assert len(command.get("usage_hint", "")) <= 1000


def test_the_official_schema_accepts_both_modes() -> None:
    """Where Slack's own schema lies beside the checkout, both variants are valid by it."""
    schema = json.loads(SCHEMA.read_text()) if SCHEMA.exists() else {}
    for url in (None, "https://bot.example.com/slack/events"):
        jsonschema.validate(manifest(COMMANDS, url=url), schema)


def test_the_scopes_are_those_that_the_code_needs() -> None:
    """Each method the bot calls has its scope, and no scope is asked for that no call needs."""
    sources = "".join(p.read_text() for p in (ROOT / "bot").rglob("*.py"))
    called = set(
        re.findall(r"lient\.((?:auth|apps|chat|views|conversations|usergroups|users|files|reactions)_\w+)", sources)
    )
    assert called <= set(NEEDS)
    needed = {scope for method in called for scope in NEEDS[method]} | {"commands"}
    assert needed == set(SCOPES)


def test_the_events_are_those_that_are_listened_to() -> None:
    """Each subscribed event has a listener, and each listener its subscription."""
    sources = "".join(p.read_text() for p in (ROOT / "bot" / "edges").rglob("*.py"))
    assert set(re.findall(r"\.event\(\s*\"(\w+)\"", sources)) == {e.partition(".")[0] for e in EVENTS}


def test_http_mode_puts_the_address_everywhere() -> None:
    """Commands, events and interactivity go to the one address; Socket Mode is off."""
    url = "https://bot.example.com/slack/events"
    made = yaml.safe_load(text(manifest(COMMANDS, url=url)))
    assert {c["url"] for c in made["features"]["slash_commands"]} == {url}
    assert made["settings"]["event_subscriptions"]["request_url"] == url
    assert made["settings"]["interactivity"]["request_url"] == url
    assert made["settings"]["socket_mode_enabled"] is False
