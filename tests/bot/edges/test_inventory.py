"""The credentials as people see them: what needs somebody first, never a colour alone, within Slack's limits."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any, get_args

from hypothesis import given, settings
from hypothesis import strategies as st

from bot.core.checklist import Offer
from bot.core.inventory import Credential, Freshness, Holding
from bot.edges import blocks, home, inventory
from playground.slack import rules
from tests.bot.edges.shown import shown

ASKER, CHANNEL = "U0ASKER", "C0ONCALL"
ROTATE = Offer(label="Rotate alpha", command="rotate-demo", ask={"only": "alpha"})
STATES = get_args(Freshness)


def held(
    name: str, state: Freshness = "fresh", command: str = "refresh-demo", trouble: str = "", **more: Any
) -> Holding:
    facts = {"name": name, "state": state, "expires_at": 1e9, **more}
    return Holding(command=command, credential=Credential(**facts), looked_at=1e9 - 60, trouble=trouble)


MIXED = (
    held("dev/ecr", "expired", told="Nobody refreshed it.", offer=ROTATE),
    held("test/ecr", "missing", told="The secret is not there.", expires_at=None),
    held("ops/ecr", "due", expires_at=1e9 + 600),
    *(held(f"prod-{n}/ecr", expires_at=1e9 + 3600 + n) for n in range(8)),
)


def tab(holdings: tuple[Holding, ...], **more: Any) -> dict[str, Any]:
    return home.home("cli:ann", [], [], [], [], holdings=holdings, **more)


def message(holdings: tuple[Holding, ...], *, all_of_them: bool = False) -> blocks.Message:
    return inventory.message(holdings, "There are none.", all_of_them=all_of_them)


def test_a_fresh_inventory_is_one_line_per_command() -> None:
    """How many, which expires first and when it was looked at; nothing to press."""
    fresh = tuple(held(f"{n}", command=name, expires_at=1e9 + n) for name in ("a", "b") for n in range(3))
    view = tab(fresh)
    made = next(b for b in view["blocks"] if b.get("block_id") == "inventory-all")
    first, second = made["text"]["text"].splitlines()
    assert first.startswith("`/a` · ✅ 3 fresh · next expires `0` <!date^1000000000^")
    assert "looked at <!date^999999940^" in second
    assert not [b for b in view["blocks"] if "accessory" in b]


def test_what_needs_somebody_comes_first_with_sentence_and_button() -> None:
    """In the Home tab and in the message: sign and word, name, why, and what mends it; the counts above."""
    for document in (tab(MIXED), message(MIXED)):
        told = shown(document)
        assert "🔴 1 expired, ⛔ 1 missing, 🟡 1 due soon, ✅ 8 fresh" in told
        assert "🔴 *expired* · `dev/ecr` · expired <!date^1000000000^" in told
        assert told.index("Nobody refreshed it.") < told.index("The secret is not there.") < told.index("`ops/ecr` ·")
    assert "Credentials (2 need somebody)" in shown(tab(MIXED))
    assert message(MIXED).text == "2 credentials need somebody: 1 expired, 1 missing, 1 due soon, 8 fresh."


def test_the_next_to_expire_are_named() -> None:
    """Five of the fresh ones, or all of one command's; the rest is counted."""
    assert "prod-4/ecr" in shown(message(MIXED))
    assert "prod-5/ecr" not in shown(message(MIXED))
    assert "… and 3 more that are fresh" in shown(message(MIXED))
    assert "prod-7/ecr" in shown(message(MIXED, all_of_them=True))


def test_a_failed_look_is_told_with_the_age_of_what_stands_there() -> None:
    """Old figures are never shown as if they were of now."""
    told = shown(tab((held("a", trouble="The cluster dev did not answer."),)))
    assert "⚠️ *The last look failed*: The cluster dev did not answer. What stands here is older." in told


def test_a_command_that_could_never_look_says_so_once() -> None:
    """There is nothing older to stand there, and the reason is not told twice."""
    why = "The cluster dev did not answer."
    told = shown(tab((held("refresh-demo", "unknown", told=why, trouble=why, expires_at=None),)))
    assert told.count(why) == 1
    assert "❔ *not known* · `refresh-demo`" in told
    assert "is older" not in told


def test_every_state_has_a_sign_and_a_word_of_its_own() -> None:
    """People who see no colours, and screen readers, can tell them apart."""
    assert set(inventory.STATES) == set(STATES)
    for column in zip(*inventory.STATES.values(), strict=True):
        assert len(set(column)) == len(STATES)


DATE = re.compile(r"<!date\^\d+\^\{date_short_pretty\} \{time\}\|[-\d: ]+UTC>")
TEXT = st.text(max_size=200) | st.sampled_from(["<!channel>" * 20, "*a*_b_`c`" * 20, "\u202e" * 90, "<@U1>", "&" * 190])


@settings(max_examples=settings.default.max_examples // 4, deadline=None)
@given(
    st.lists(
        st.tuples(TEXT, st.sampled_from(STATES), st.sampled_from([None, 0.5, 1e9, 1e300])), min_size=1, max_size=4
    ),
    st.sampled_from([1, 3, 40, 500]),
    st.sampled_from([1, 2, 60]),
)
def test_slack_takes_any_inventory(some: list[tuple[str, Freshness, float | None]], size: int, commands: int) -> None:
    """However many, however hostile the texts: both checkers pass, and no mention or markup comes from a text."""
    parts = itertools.cycle(some)
    holdings = tuple(
        held(
            text or "-",
            state,
            f"{text[:50]}{n % commands}",
            trouble=text if n % 7 == 0 else "",
            told=text,
            expires_at=at,
            written_at=at,
            offer=Offer(label=text[:75], command="x", danger=n % 2 == 0),
        )
        for n, (text, state, at) in zip(range(size), parts, strict=False)
    )
    view, made = tab(holdings), message(holdings, all_of_them=size % 2 == 0)
    rules.check_view(view, "home")
    rules.check_message({"text": made.text, "blocks": made.blocks}, longest=4000)
    for text in [made.text, *blocks.texts(made.blocks), *blocks.texts(view["blocks"])]:
        assert "<" not in DATE.sub("", text)


Start = Callable[..., Any]


def asked_for(world: Any) -> None:
    world.desk.handlers = {
        name: replace(one, inventory=lambda *_: ()) if name == "rotate-demo" else one
        for name, one in world.desk.handlers.items()
    }


def test_it_can_be_asked_for(start: Start) -> None:
    """All of it, or what one command looks after; a command that looks after none is told as that."""
    world = start("http")
    world.command("/hivekeeper inventory")
    assert world.told("No command that is switched on here looks after credentials")
    asked_for(world)
    world.command("/hivekeeper inventory")
    assert world.told("They have not been looked at yet")
    world.desk.held = (*MIXED, held("mine/token", command="rotate-demo"))
    world.command("/hivekeeper inventory")
    assert world.told("dev/ecr")
    world.command("/hivekeeper inventory /rotate-demo")
    found = world.told("mine/token")
    assert "mine/token" in found
    assert "dev/ecr" not in world.whispers()[-1]
    world.command("/hivekeeper inventory grant-demo")
    assert "There are: rotate-demo." in world.told("/grant-demo looks after no credentials")


def test_what_mends_a_credential_can_be_pressed_at_home(start: Start, until: Start) -> None:
    """The parameters come from the store; an offer that is not made any more is refused, and both are told."""
    world = start("http")
    world.desk.held = MIXED
    world.person("home", user=ASKER)
    view = until(lambda: world.workspace.homes.get(ASKER))
    block = next(b for b in view["blocks"] if "accessory" in b)
    assert json.loads(block["accessory"]["value"]).keys() == {"holding", "offer"}
    press = {"user": ASKER, "view_id": view["id"], "block_id": block["block_id"], "action_id": inventory.OFFER}
    world.person("action", **press)
    (request,) = until(lambda: list(world.desk.requests.values()))
    assert (request.command, request.ask, request.asker, request.channel) == (
        "rotate-demo", {"only": "alpha"}, ASKER, None,
    )  # fmt: skip
    world.desk.held = MIXED[1:]
    world.person("action", **press)
    direct = "D" + ASKER[1:]
    until(lambda: any("out of date" in str(m) for m in world.workspace.messages.get(direct, [])))
    assert len(world.desk.requests) == 1
