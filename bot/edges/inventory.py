"""The credentials that handlers look after: how many are in which state, which need somebody, what expires next.

A sign never stands without its word. `desk.inventory()` has them in the order of urgency already.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

from bot.core.inventory import Freshness, Holding
from bot.edges import offers
from bot.edges.blocks import Block, Message, check
from bot.edges.elements import button, context, header, section, sections
from bot.edges.text import code, count, mrkdwn, plain, size, when

OFFER = "mend"  # action id
STATES: dict[Freshness, tuple[str, str]] = {
    "expired": ("🔴", "expired"),
    "missing": ("⛔", "missing"),
    "degraded": ("⚠️", "degraded"),
    "unknown": ("❔", "not known"),
    "due": ("🟡", "due soon"),
    "fresh": ("✅", "fresh"),
}
NEEDING: tuple[Freshness, ...] = ("expired", "missing", "degraded", "unknown")
_SHOWN = 10  # with a section and a button each; the rest is counted
_NEXT = 5  # named of those that expire next
_VERB = "/hivekeeper inventory"


def blocks(holdings: Sequence[Holding], room: int) -> list[Block]:
    """For the Home tab, in not more than `room` characters; nothing if there are none."""
    if not holdings:
        return []
    wanting = needing(holdings)
    head = header(
        "inventory", f"Credentials ({count(len(wanting), 'needs', 'need')} somebody)" if wanting else "Credentials"
    )
    if room < 1000:
        return [head, context("inventory-where", f"There is no room here: {code(_VERB, 40)}")]
    told = sections("inventory-all", "", summary(holdings), min(2500, room // 2), f": {code(_VERB, 40)}")
    left = room - 300 - sum(size(block["text"]["text"]) for block in told)
    return [head, *told, *_ones(to_show(holdings), min(5000, left))]


def message(holdings: Sequence[Holding], nothing: str, *, all_of_them: bool) -> Message:
    """The answer to one person. `nothing` is said if there are none; `all_of_them`: as many of the fresh ones as fit,
    not only those that expire next."""
    told = summary(holdings) or [mrkdwn(nothing, 500)]
    fresh = [_line(one) for one in holdings if one.credential.state == "fresh"]
    named = fresh if all_of_them else fresh[:_NEXT]
    rest = [f"… and {len(fresh) - len(named)} more that are fresh"] if len(fresh) > len(named) else []
    made = Message(
        story(holdings) if holdings else plain(nothing, 500),
        [
            header("inventory", "Credentials"),
            *sections("inventory-all", "", told, 2500, " commands"),
            *_ones(to_show(holdings), 4000),
            *(
                sections("inventory-next", "*Next to expire*", [*named, *rest], 2500, " that are fresh")
                if fresh
                else []
            ),
        ],
    )
    check(made, "message")
    return made


def needing(holdings: Iterable[Holding]) -> list[Holding]:
    """Those that somebody has to see to."""
    return [one for one in holdings if one.credential.state in NEEDING]


def to_show(holdings: Iterable[Holding]) -> list[Holding]:
    """Those that are not simply well."""
    return [one for one in holdings if one.credential.state != "fresh"]


def summary(holdings: Iterable[Holding]) -> list[str]:
    """A line for each command (mrkdwn), two if its last look failed."""
    ordered = sorted(holdings, key=lambda one: one.command)
    return [_command(name, list(group)) for name, group in groupby(ordered, key=lambda one: one.command)]


def story(holdings: Sequence[Holding]) -> str:
    """The whole of it in a sentence: the notification text."""
    wanting = len(needing(holdings))
    first = (
        f"{count(wanting, 'credential needs', 'credentials need')} somebody"
        if wanting
        else "No credential needs anybody"
    )
    return f"{first}: {_counts(holdings, signs=False)}."


def counts_of(holdings: Sequence[Holding]) -> dict[Freshness, int]:
    """How many there are in each state that occurs, most urgent first."""
    states = [one.credential.state for one in holdings]
    return {state: n for state in STATES if (n := states.count(state))}


def _counts(holdings: Sequence[Holding], *, signs: bool) -> str:
    parts = [(*STATES[state], n) for state, n in counts_of(holdings).items()]
    return ", ".join(f"{sign} {n} {word}" if signs else f"{n} {word}" for sign, word, n in parts)


def _command(name: str, group: list[Holding]) -> str:
    looked = f"looked at {when(min(one.looked_at for one in group))}"
    parts = [code(f"/{name}", 80), _counts(group, signs=True), _next(group), looked]
    failed = next((one.trouble for one in group if one.trouble and not _unseen(one)), "")
    older = f"\n⚠️ *The last look failed*: {mrkdwn(failed, 300)} What stands here is older." if failed else ""
    return " · ".join(filter(None, parts)) + older


def _unseen(one: Holding) -> bool:
    """Stands for a command whose looks have never worked; its own words say why."""
    return one.credential.state == "unknown" and one.credential.name == one.command


def _next(group: Iterable[Holding]) -> str:
    """Which of those that are still good expires first."""
    good = [one.credential for one in group if one.credential.state in ("fresh", "due")]
    dated = [(one.expires_at, one.name) for one in good if one.expires_at is not None]
    if not dated:
        return ""
    at, name = min(dated)
    return f"next expires {code(name, 120)} {when(at)}"


def _ones(given: Sequence[Holding], budget: int) -> list[Block]:
    """Each with its sentence and its button."""
    shown: list[Block] = []
    for n, one in enumerate(given[:_SHOWN]):
        block = _one(n, one)
        budget -= size(block["text"]["text"]) + 75
        if budget < 0:
            break
        shown.append(block)
    rest = len(given) - len(shown)
    return [
        *shown,
        *([context("inventory-more", f"… and {rest} more that are not fresh: {code(_VERB, 40)}")] if rest else []),
    ]


def _one(n: int, holding: Holding) -> Block:
    block = section(f"credential-{n}", _line(holding))
    offer = holding.credential.offer
    if offer is None:
        return block
    more = {"style": "danger"} if offer.danger else {}
    hint = plain(f"{offer.label}: {holding.credential.name}", 75)
    value = offers.of_credential(holding, offer)
    return {**block, "accessory": button(OFFER, plain(offer.label, 75), value, accessibility_label=hint, **more)}


def _line(holding: Holding) -> str:
    """Sign, word, name, when it expires, and in a second line what is to be done about it (mrkdwn)."""
    one = holding.credential
    sign, word = STATES[one.state]
    ends = f"{'expired' if one.state == 'expired' else 'expires'} {when(one.expires_at)}" if one.expires_at else ""
    written = f"written {when(one.written_at)}" if one.written_at and not one.expires_at else ""
    first = " · ".join(filter(None, [f"{sign} *{word}*", code(one.name, 220), ends, written]))
    return "\n".join(filter(None, [first, mrkdwn(one.told, 320)]))
