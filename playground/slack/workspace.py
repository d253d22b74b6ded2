"""The workspace: who and what is in it, in memory. Every change is told to the watchers."""

from __future__ import annotations

import random
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from playground.slack.errors import ApiError
from playground.slack.faults import Faults
from playground.slack.traffic import Traffic

Json = dict[str, Any]
Watcher = Callable[[Json], None]

TEAM, APP, BOT_USER, BOT = "T0PLAYGRND", "A0PLAYGRND", "U0HIVEKEEP", "B0HIVEKEEP"
PAST = 20  # versions of a message kept for clients that lag behind
EVENTS = frozenset({"app_home_opened", "app_mention", "message.channels", "message.groups", "message.im"})


@dataclass(frozen=True)
class Times:
    """How long things take or live, in seconds. Tests shorten what they wait for."""

    ack: float = 3.0
    trigger: float = 3.0
    response_url: float = 30 * 60.0
    retries: tuple[float, ...] = (0.0, 60.0, 300.0)
    refresh_grace: float = 10.0


@dataclass(frozen=True)
class User:
    id: str
    name: str
    real_name: str
    title: str = ""
    color: str = "4a5568"
    is_bot: bool = False


@dataclass
class Channel:
    id: str
    name: str
    topic: str = ""
    members: list[str] = field(default_factory=list)
    is_private: bool = False
    is_archived: bool = False
    im_with: str | None = None


@dataclass(frozen=True)
class Command:
    command: str
    description: str = ""
    usage_hint: str = ""
    should_escape: bool = False


@dataclass(frozen=True)
class Usergroup:
    id: str
    handle: str
    name: str
    users: tuple[str, ...]


@dataclass
class Trigger:
    """What a person did that lets the bot open a modal: once, and soon."""

    user: str
    expires: float
    view: str | None = None
    used: bool = False


@dataclass
class ResponseUrl:
    """A response_url: five uses, half an hour."""

    channel: str
    user: str
    expires: float
    message_ts: str | None = None
    uses: int = 0


@dataclass
class Workspace:
    """The state. Methods, people and deliveries change it from one event loop; `emit` may be called by any thread."""

    users: dict[str, User]
    channels: dict[str, Channel]
    commands: dict[str, Command]
    usergroups: dict[str, Usergroup]
    name: str = "Playground"
    paid: bool = True
    limited: bool = True
    times: Times = field(default_factory=Times)
    clock: Callable[[], float] = time.time
    scopes: frozenset[str] = frozenset()
    events: frozenset[str] = EVENTS
    home_tab: bool = True
    bot_token: str = ""
    app_token: str = ""
    base_url: str = ""
    messages: dict[str, list[Json]] = field(default_factory=dict)
    past: dict[tuple[str, str], list[Json]] = field(default_factory=dict)
    ephemerals: dict[tuple[str, str], list[Json]] = field(default_factory=dict)
    inputs: dict[tuple[str, str, str], Json] = field(default_factory=dict)
    views: dict[str, Json] = field(default_factory=dict)
    stacks: dict[str, list[str]] = field(default_factory=dict)
    homes: dict[str, Json] = field(default_factory=dict)
    triggers: dict[str, Trigger] = field(default_factory=dict)
    response_urls: dict[str, ResponseUrl] = field(default_factory=dict)
    tickets: set[str] = field(default_factory=set)
    uploads: dict[str, Json] = field(default_factory=dict)
    incoming: dict[str, tuple[str, str]] = field(default_factory=dict)  # path of a webhook -> channel and bot
    scenarios: list[Json] = field(default_factory=list)
    watchers: list[Watcher] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.faults = Faults(self.now)
        self.traffic = Traffic(lambda entry: self.emit({"type": "traffic", "entry": entry}))
        self._last_ts = 0.0

    @classmethod
    def of(
        cls,
        *,
        users: Iterable[Mapping[str, Any]],
        channels: Iterable[Mapping[str, Any]],
        commands: Iterable[Mapping[str, Any]] = (),
        usergroups: Mapping[str, Any] | None = None,
        bot_name: str = "hivekeeper",
        **more: Any,
    ) -> Workspace:
        """A workspace from plain data: the fields of User, Channel and Command; user groups as `{"S…": [user ids]}`.

        A channel without `members` has everybody in it; add the bot as BOT_USER, or let the people invite it.
        """
        bot = User(BOT_USER, bot_name, bot_name, "app", "5b3a99", is_bot=True)
        everybody = [User(**user) for user in users]
        rooms = [Channel(**{"members": [u.id for u in everybody] + [BOT_USER], **channel}) for channel in channels]
        groups = [_usergroup(key, value) for key, value in (usergroups or {}).items()]
        return cls(
            users={user.id: user for user in [*everybody, bot]},
            channels={room.id: room for room in rooms},
            commands={c["command"]: Command(**c) for c in commands},
            usergroups={group.id: group for group in groups},
            **more,
        )

    def now(self) -> float:
        """Seconds since the epoch; a test may turn the clock."""
        return self.clock()

    def emit(self, event: Json) -> None:
        """Tell the watchers. `for` (user ids) narrows who of the people may see it."""
        for watcher in list(self.watchers):
            watcher(event)

    def ts(self) -> str:
        """A new message timestamp, above all before it."""
        self._last_ts = max(round(time.time(), 6), round(self._last_ts + 0.000001, 6))
        return f"{self._last_ts:.6f}"

    def channel(self, name: str) -> Channel:
        """A channel by id, or by `#name`."""
        found = self.channels.get(name)
        if found is None and name.startswith("#"):
            found = next((c for c in self.channels.values() if c.name == name[1:]), None)
        if found is None:
            raise ApiError("channel_not_found")
        return found

    def direct(self, user: str) -> Channel:
        """The direct messages between a person and the bot."""
        if user not in self.users:
            raise ApiError("user_not_found")
        name = "D" + user[1:]
        return self.channels.setdefault(name, Channel(name, "", members=[user, BOT_USER], im_with=user))

    def message(self, channel: str, ts: str) -> Json:
        """A message that is there now."""
        for message in self.messages.get(channel, []):
            if message["ts"] == ts:
                return message
        raise ApiError("message_not_found")

    def keep(self, channel: Channel, message: Json) -> Json:
        """Add a message; a reply counts at its parent."""
        parent = self._parent(channel, message)
        self.messages.setdefault(channel.id, []).append(message)
        self.emit({"type": "message", "channel": channel.id, "message": message, "for": list(channel.members)})
        if parent is not None:
            self._count_reply(channel, parent, message)
        return message

    def change(self, channel: Channel, message: Json, **new: Any) -> None:
        """Change a message in place; what it was is kept for stale clients."""
        before = dict(message)
        past = self.past.setdefault((channel.id, message["ts"]), [])
        past.append(before)
        del past[:-PAST]
        message.update(new)
        event = {"type": "message_changed", "channel": channel.id, "message": message, "previous": before}
        self.emit({**event, "for": list(channel.members)})

    def remove(self, channel: Channel, message: Json) -> None:
        self.messages[channel.id].remove(message)
        event = {"type": "message_deleted", "channel": channel.id, "ts": message["ts"], "message": message}
        self.emit({**event, "for": list(channel.members)})

    def trigger(self, user: str, view: str | None = None) -> str:
        """A new trigger_id."""
        name = f"{random.randrange(10**12)}.{random.randrange(10**12)}.{secrets.token_hex(16)}"
        self.triggers[name] = Trigger(user, self.now() + self.times.trigger, view)
        return name

    def response_url(self, channel: str, user: str, message_ts: str | None = None) -> str:
        """A new response_url."""
        name = secrets.token_urlsafe(18)
        expires = self.now() + self.times.response_url
        self.response_urls[name] = ResponseUrl(channel, user, expires, message_ts)
        return f"{self.base_url}/response/{name}"

    def _parent(self, channel: Channel, message: Json) -> Json | None:
        thread = message.get("thread_ts")
        if thread is None:
            return None
        parent = next((m for m in self.messages.get(channel.id, []) if m["ts"] == thread), None)
        if parent is None:
            raise ApiError("thread_not_found")
        if parent.get("thread_ts", thread) != thread:
            raise ApiError("cannot_reply_to_message")
        return parent

    def _count_reply(self, channel: Channel, parent: Json, reply: Json) -> None:
        who = reply.get("user")
        repliers = list(dict.fromkeys([*parent.get("reply_users", []), who]))
        parent.update(
            thread_ts=parent["ts"],
            reply_count=parent.get("reply_count", 0) + 1,
            reply_users=repliers,
            reply_users_count=len(repliers),
            latest_reply=reply["ts"],
        )
        event = {"type": "message_changed", "channel": channel.id, "message": parent, "quiet": True}
        self.emit({**event, "for": list(channel.members)})


def _usergroup(key: str, value: Any) -> Usergroup:
    if isinstance(value, Mapping):
        handle = str(value.get("handle", key.lower()))
        return Usergroup(key, handle, str(value.get("name", handle)), tuple(value["users"]))
    return Usergroup(key, key.lower(), key, tuple(value))
