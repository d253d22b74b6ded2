"""What an answer wants from people: a button each, and after it was given by whom; the form for it, and the way in."""

from __future__ import annotations

import json
from collections.abc import Iterator

from bot.core.handing_in import LONGEST, HandedIn, Invited, Wanted
from bot.core.view import RunView
from bot.edges.blocks import Block, Message, check
from bot.edges.elements import button, context, section, words
from bot.edges.text import code, count, link, mrkdwn, person, plain, when

HAND_IN, SIGN_IN = "hand-in", "sign-in"  # action ids; the first is the callback_id of the form, too
SECRET = "secret"  # noqa: S105  # block_id of its input, by which the inspector of the playground knows what to hide
VALUE = "value"
_SHOWN = 5


def blocks(view: RunView) -> list[Block]:
    """For each: what it is for and its button, or who gave it."""
    wanted = view.answer.wanted[:_SHOWN] if view.answer else ()
    given = {one.name: one for one in view.handed_in}
    return [block for n, one in enumerate(wanted) for block in _one(view, n, one, given.get(one.name))]


def find(view: RunView | None, name: str) -> Wanted | None:
    """What the answer in the store wants under this name."""
    wanted = view.answer.wanted if view and view.answer else ()
    return next((one for one in wanted if one.name == name), None)


def value(run: str, name: str, channel: str | None = None) -> str:
    """What a button or a form carries: which run, and what of it; a form also where its button was pressed."""
    where = {"channel": channel} if channel else {}
    return json.dumps({"run": run, "name": name, **where}, separators=(",", ":"))


def form(view: RunView, wanted: Wanted, channel: str | None = None) -> Block:
    """Takes the secret. It says where that goes, and who sees it."""
    lead = (
        f"{_about(wanted)}\nIt goes straight into Vault, at {code(str(wanted.into), 300)}, and is kept "
        f"nowhere else; nobody gets to see it. Then /{mrkdwn(wanted.command, 80)} is asked for: if that would change "
        "something, its plan waits for approval."
    )
    entry = {"type": "plain_text_input", "action_id": VALUE, "min_length": 1, "max_length": LONGEST}
    made: Block = {
        "type": "modal",
        "callback_id": HAND_IN,
        "title": words("Hand in a secret"),
        "submit": words("Hand it in"),
        "close": words("Cancel"),
        "private_metadata": value(view.id, wanted.name, channel),
        "blocks": [
            section("about", lead.strip()),
            {"type": "input", "block_id": SECRET, "label": words(plain(wanted.label, 75)), "element": entry},
        ],
    }
    check(made, "modal")
    return made


def invitation(invited: Invited) -> Message:
    """The way to the sign-in, for one person."""
    way = link(invited.link, "Open the page to sign in", 2000) or code(invited.link, 2000)
    coded = f"Code: {code(invited.code, 60)}. The page shows it or asks for it; if it shows another one, stop there."
    lines = [
        f"🔑 *{way}*",
        *([coded] if invited.code else []),
        f"You have {minutes(invited.left)}: it ends {when(invited.until)}. Only you see this: do not pass it on. What "
        "comes of it goes straight into Vault, and you are told when it is there.",
    ]
    message = Message("Sign in with your browser: the link is in this message.", [section("way", "\n".join(lines))])
    check(message, "message")
    return message


def minutes(seconds: float) -> str:
    """How much time there is, for people; never more than there is."""
    whole = int(seconds // 60)
    return count(whole, "minute") if whole else "less than a minute"


def _about(wanted: Wanted) -> str:
    """What it is, and where a person gets it (mrkdwn)."""
    return "\n".join(filter(None, (mrkdwn(wanted.hint, 300), link(wanted.page, "Get one here", 1000))))


def _one(view: RunView, n: int, wanted: Wanted, given: HandedIn | None) -> Iterator[Block]:
    if given:
        how = "signed in" if given.signed_in else "handed in"
        text = f"🔑 {mrkdwn(wanted.label, 75)}: {how} by {person(given.user)} {when(given.at)}"
        yield context(f"wanted-{n}", f"{text}, see run {code(given.run, 60)}")
        return
    if about := _about(wanted):
        yield section(f"wanted-{n}", about)
    press = button(f"{SIGN_IN if wanted.way else HAND_IN}-{n}", plain(wanted.label, 75), value(view.id, wanted.name))
    yield {"type": "actions", "block_id": f"wanted-{n}-do", "elements": [{**press, "style": "primary"}]}
