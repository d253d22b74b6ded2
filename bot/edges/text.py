"""Text that may be shown in Slack. Everything that did not come out of this source is foreign and goes through here.

`plain` is for plain_text and table cells, `notice` for the notification text, `mrkdwn` and `code` for mrkdwn objects,
which are always sent verbatim, so that Slack makes no links by itself. Limits are in UTF-16 units, the strictest
reading of what Slack's documentation calls characters.
"""

from __future__ import annotations

import math
import re
import unicodedata
from datetime import UTC, datetime

_KEPT = "\u200c\u200d"  # joiners: some scripts and most composed emoji need them
_JOINER = "\u200d"
_ADDRESS = re.compile(r"https?://[A-Za-z0-9.\[\]:-]+(/[!-;=?-{}~]*)?(\?[!-;=?-{}~]*)?(#[!-;=?-{}~]*)?")
_USER, _GROUP = re.compile(r"[UW][A-Z0-9]{1,40}"), re.compile(r"S[A-Z0-9]{1,40}")
_MARKUP = str.maketrans({"*": "∗", "~": "∼", "`": "ˋ"})  # look-alikes: Slack knows no escape for these
_OUTER = re.compile(r"(?<![A-Za-z0-9_])_+|_+(?![A-Za-z0-9_])")  # an underscore inside a word formats nothing
_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def size(text: str) -> int:
    """UTF-16 units."""
    return len(text) if text.isascii() else len(text) + sum(c > "\uffff" for c in text)


def clean(text: str, limit: int) -> str:
    """One line without control characters, direction marks and other invisible things, cut to the limit."""
    window = 2 * limit + 100
    seen = text[:window]
    if not seen.isprintable():
        seen = "".join(" " if c.isspace() else c for c in seen if c.isspace() or _visible(c))
    return cut(" ".join(seen.split()) + ("…" if len(text) > window else ""), limit)


def plain(text: str, limit: int) -> str:
    """Foreign text for where Slack parses nothing. Angle brackets become look-alikes all the same."""
    return clean(text, limit).replace("<", "‹").replace(">", "›")


def mrkdwn(text: str, limit: int) -> str:
    """Foreign text for a mrkdwn object: it formats nothing, mentions nobody, links nowhere."""
    text = _still(clean(text, limit).translate(_MARKUP))
    # Once more after the cut: it may go through a word, and leave an underscore at its end.
    return _still(_escaped(re.sub(r"^>+", lambda m: "›" * len(m[0]), text), limit))


def _still(text: str) -> str:
    """Underscores outside words, which would begin or end slanted text, become look-alikes of the same length."""
    return _OUTER.sub(lambda m: "ˍ" * len(m[0]), text)


def notice(text: str, limit: int) -> str:
    """Foreign text for the notification text of a message."""
    return _escaped(clean(text, limit), limit)


def code(text: str, limit: int) -> str:
    """Foreign text as inline code: for names and paths that people copy."""
    inside = _escaped(clean(text, limit).replace("`", "ˋ"), limit - 2)
    return f"`{inside}`" if inside else ""


def link(address: str, label: str, limit: int) -> str:
    """A link for mrkdwn to an address that came from the settings; nothing for what is no plain web address."""
    shown = _escaped(address, 10 * limit)
    if not _ADDRESS.fullmatch(address) or size(shown) > limit:
        return ""
    return f"<{shown}|{mrkdwn(label, 80).replace('|', '¦') or 'link'}>"


def cut(text: str, limit: int) -> str:
    """The text, or as much of it as fits with a mark at the end; what people see as one character stays whole."""
    if size(text) <= limit:
        return text
    end = _fitting(text, limit - 1)
    while end > 0 and _joined(text, end):
        end -= 1
    return text[: end or _fitting(text, limit - 1)].rstrip() + "…"


def person(user: str, limit: int = 80) -> str:
    """Who asked or decided, for mrkdwn: a mention only if it is a Slack user id."""
    if _USER.fullmatch(user):
        return f"<@{user}>"
    return mrkdwn(someone(user), limit)


def someone(user: str) -> str:
    """Somebody who is not in Slack, in words (still foreign text)."""
    kind, _, name = user.partition(":")
    return {"cli": f"{name} (command line)", "schedule": f"the schedule {name}"}.get(kind, user)


def mention(who: str) -> str:
    """A mention of a user or a user group, nothing for any other text."""
    if _USER.fullmatch(who):
        return f"<@{who}>"
    return f"<!subteam^{who}>" if _GROUP.fullmatch(who) else ""


def when(at: float | None) -> str:
    """A time for mrkdwn, in each reader's own time zone."""
    words = utc(at)
    return words if at is None or words == _NEVER else f"<!date^{int(at)}^{{date_short_pretty}} {{time}}|{words}>"


def moment(at: float | None) -> str:
    """A time for mrkdwn in UTC, which people compare with logs, and in each reader's own time zone."""
    words = utc(at)
    return words if words == _NEVER else f"{words} ({when(at)})"


_NEVER = "at an unknown time"


def utc(at: float | None) -> str:
    """A time in words."""
    if at is None or not math.isfinite(at) or not 0 <= at < 32503680000:
        return _NEVER
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")


def count(number: int, one: str, many: str = "") -> str:
    """1 step, 2 steps."""
    return f"{number} {one if number == 1 else many or one + 's'}"


def _visible(c: str) -> bool:
    return c in _KEPT or unicodedata.category(c)[0] != "C"


def _fitting(text: str, limit: int) -> int:
    """How many characters of the text fit into so many UTF-16 units."""
    taken = 0
    for index, c in enumerate(text):
        taken += 2 if c > "\uffff" else 1
        if taken > limit:
            return index
    return len(text)


def _joined(text: str, at: int) -> bool:
    """Would a cut here tear apart what people see as one character?"""
    before, after = text[at - 1], text[at]
    letters = re.search("[\U0001f1e6-\U0001f1ff]*$", text[:at])
    half_flag = "\U0001f1e6" <= after <= "\U0001f1ff" and letters is not None and len(letters[0]) % 2 == 1
    skin = "\U0001f3fb" <= after <= "\U0001f3ff"
    return half_flag or skin or _JOINER in (before, after) or unicodedata.category(after)[0] == "M"


def _escaped(text: str, limit: int) -> str:
    """Escaped for mrkdwn; what is dropped to fit the limit is dropped before it is escaped."""
    full = text.translate(_ENTITIES)
    while size(full) > limit:
        text = cut(text, max(1, min(size(text) - 1, int(size(text) * limit / size(full)))))
        full = text.translate(_ENTITIES)
        if len(text) <= 1:
            break
    return full
