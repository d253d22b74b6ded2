"""Messages in a channel where monitoring posts: Alertmanager's, Grafana's and PagerDuty's, and posted logs.

Their integrations leave `text` empty and put the words into attachments; what stands there is unescaped and unlinked
first. Only a bot's attachments count: below a person's message, they show what a link leads to.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bot.core.alert import Alert, Notice
from bot.core.value import sha256
from bot.edges.alerts import subject, values
from bot.edges.alerts.subject import Listed, Status
from bot.edges.blocks import texts

SPOKEN = (None, "bot_message", "file_share", "thread_broadcast", "me_message")
_LINK = re.compile(r"<(https?://[^|<>\s]{1,2000})(?:\|([^<>]{0,2000}))?>")
_INCIDENT = re.compile(r"https://[a-z0-9-]{1,63}(?:\.eu)?\.pagerduty\.com/incidents/([A-Za-z0-9]{1,40})\b")
_LABEL = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,60}")
_TS = re.compile(r"[0-9]{1,11}(\.[0-9]{1,9})?")
_OVER = re.compile(r"\bresolved\b", re.I)


@dataclass(frozen=True)
class Said:
    """What a message says, without when: the same for two versions of a message that differ only in looks."""

    alerts: tuple[tuple[str, Listed], ...] = ()  # identity and content
    text: str = ""
    link: str = ""
    left_out: int = 0


def notice(
    event: Mapping[str, Any], event_id: str, ours: frozenset[str], recognises: Callable[[str], bool]
) -> Notice | None:
    """What a `message` event says; None for chatter, for what we said ourselves, and for edits that change nothing.

    `event_id` makes a repeated delivery the same notice. `ours` are the ids we post under. `recognises` knows logs.
    """
    edited = event.get("subtype") == "message_changed"
    message = event.get("message") if edited else event
    channel = event.get("channel")
    if not isinstance(message, Mapping) or not isinstance(channel, str) or _mine(message, ours):
        return None
    said = said_in(message, channel, recognises)
    before = event.get("previous_message") if edited else None
    earlier = said_in(before, channel, recognises) if isinstance(before, Mapping) else None
    posted = _seconds(message.get("ts"))
    if said is None or said == earlier or posted is None:
        return None
    now = (edited and _seconds(event.get("event_ts"))) or posted
    return Notice(
        key=f"channel:{values.line(event_id, 100) or sha256([channel, posted, said.text])}",
        origin="channel",
        group=channel,
        alerts=tuple(_alert(identity, each, posted, now, _over(earlier, identity)) for identity, each in said.alerts),
        text=said.text,
        channel=channel,
        ts=message["thread_ts"] if _seconds(message.get("thread_ts")) else message["ts"],
        link=said.link,
        truncated=said.left_out,
    )


def said_in(message: Mapping[str, Any], channel: str, recognises: Callable[[str], bool]) -> Said | None:
    """What one version of a message says, if it is an alert or a log that somebody knows."""
    if message.get("subtype") not in SPOKEN:
        return None
    if message.get("bot_id"):
        said = _incident(message) if "pagerduty" in _poster(message) else _posted(message, channel)
        if said is not None:
            return said
    words = _words(message)
    return Said(text=words) if words and recognises(words) else None


def _mine(message: Mapping[str, Any], ours: frozenset[str]) -> bool:
    return any(isinstance(who := message.get(name), str) and who in ours for name in ("user", "bot_id"))


def _poster(message: Mapping[str, Any]) -> str:
    profile = message.get("bot_profile")
    name = profile.get("name") if isinstance(profile, Mapping) else ""
    return f"{values.line(message.get('username'), 200)} {values.line(name, 200)}".lower()


def _posted(message: Mapping[str, Any], channel: str) -> Said | None:
    """What Alertmanager or Grafana posted: one subject with what its body lists."""
    for part in _parts(message):
        title = plain(part.get("title")) or plain(part.get("fallback")) or plain(part.get("text"))
        title = title.strip().partition("\n")[0]
        said = subject.read(title)
        if said is None:
            continue
        body = plain(part.get("text"))
        listed = subject.alerts(body, said.status)
        alerts = [(sha256(each.labels)[:32], each) for each in listed if each.labels]
        if not alerts:
            labels = values.labels({**_fields(part), "alertname": said.name})
            alerts = [(sha256([channel, said.group])[:32], Listed(said.status, labels, {"summary": title[:1000]}))]
        return Said(
            alerts=tuple(alerts),
            text=values.text(f"{title}\n{body}".strip(), values.TEXT),
            link=values.link(part.get("title_link")),
            left_out=max(0, said.count - len(alerts)),
        )
    return None


def _incident(message: Mapping[str, Any]) -> Said | None:
    """What PagerDuty posted. Its layout is not documented: the incident's address and the word "resolved" are taken."""
    raw = _raw(message)
    for found in _LINK.finditer(raw):
        if number := _INCIDENT.match(found[1]):
            title = re.sub(r"^\[?#[0-9]+\]?:?\s*", "", plain(found[2] or ""))
            read = subject.read(title)
            status: Status = "resolved" if _OVER.search(_LINK.sub(" ", raw)[:500]) else "firing"
            labels = values.labels({"alertname": read.name if read else title})
            return Said(((number[1], Listed(status, labels, {}, found[1])),), _words(message), found[1])
    return None


def _parts(message: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The attachments, without those that show what a link leads to, and the message's own text as one more."""
    attached = message.get("attachments")
    found = [a for a in attached[:20] if isinstance(a, Mapping)] if isinstance(attached, list) else []
    return [a for a in found if not (a.get("from_url") or a.get("is_msg_unfurl"))] + [{"text": message.get("text")}]


def _fields(part: Mapping[str, Any]) -> dict[str, str]:
    """An attachment's fields whose titles could be names of labels, in small letters."""
    fields = part.get("fields")
    pairs = [f for f in fields[: values.LABELS] if isinstance(f, Mapping)] if isinstance(fields, list) else []
    named = [(plain(f.get("title")), plain(f.get("value"))) for f in pairs]
    return {name.lower(): value for name, value in named if _LABEL.fullmatch(name)}


def _raw(message: Mapping[str, Any]) -> str:
    """Every text of a message as Slack keeps it."""
    found = [message.get("text")]
    for part in _parts(message)[:-1]:
        found += [part.get(name) for name in ("pretext", "title", "text", "fallback")]
        found.append(f"<{part.get('title_link')}|{part.get('title')}>")
        found += list(texts(part.get("blocks")))
    if not message.get("text"):
        found += list(texts(message.get("blocks")))
    files = message.get("files")
    found += [f.get("preview") for f in files[:5] if isinstance(f, Mapping)] if isinstance(files, list) else []
    return "\n".join(values.text(each, values.TEXT) for each in found if each)[: 4 * values.TEXT]


def _words(message: Mapping[str, Any]) -> str:
    return values.text(plain(_raw(message), 4 * values.TEXT).strip(), values.TEXT)


def plain(value: Any, limit: int = 60_000) -> str:
    """Slack's markup as a person sees it: links as their addresses, entities as characters."""
    told = _LINK.sub(lambda m: m[1], values.text(value, limit))
    return told.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def _alert(identity: str, said: Listed, posted: float, now: float, again: bool) -> Alert:
    over = said.status == "resolved"
    return Alert(
        identity=identity,
        status=said.status,
        labels=said.labels,
        annotations=said.annotations,
        starts_at=now if again and not over else posted,
        ends_at=now if over else None,
        link=values.link(said.link),
    )


def _over(earlier: Said | None, identity: str) -> bool:
    """Did the message say before that this alert was resolved? Then it fires anew."""
    return earlier is not None and any(i == identity and a.status == "resolved" for i, a in earlier.alerts)


def _seconds(ts: Any) -> float | None:
    """Slack's timestamps are seconds with a serial number behind the point."""
    return float(ts) if isinstance(ts, str) and _TS.fullmatch(ts) else None
