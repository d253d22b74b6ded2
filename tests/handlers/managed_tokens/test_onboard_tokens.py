"""/onboard-tokens and /tokens: who must sign in, and how everything is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bot.core.errors import Refused
from bot.core.handing_in import ELSEWHERE
from bot.tools.sign_ins import BrowserSignIns
from handlers.managed_tokens import SIGN_IN
from handlers.onboard_tokens import HANDLER as ONBOARD
from handlers.push_tokens import HANDLER as PUSH
from handlers.tokens_status import HANDLER as STATUS

NEEDY = Refused(f"dune_pro {SIGN_IN}: Vault can get no access token.", "Someone signs in once.")


class Ways:
    """A Vault where people sign in for one service."""

    def names(self) -> tuple[str, ...]:
        return ("dune_pro",)

    def start(self, name: str) -> Any:
        raise AssertionError(name)

    def poll(self, name: str, device: Any) -> Any:
        raise AssertionError(name)


@pytest.fixture(autouse=True)
def ways(scene: Any) -> None:
    scene.tools = replace(scene.tools, sign_ins=BrowserSignIns({"vault": Ways()}))


def test_what_follows_a_sign_in_is_the_first_push(scene: Any) -> None:
    """Vault keeps what comes of it, so nothing is put there by the bot."""
    (wanted,) = scene.answer(ONBOARD, service="DUNE_pro").wanted
    assert (wanted.way, wanted.into.system) == ("vault/dune_pro", ELSEWHERE)
    assert (wanted.command, wanted.ask) == ("push-tokens", {"service": ["dune_pro"]})
    assert PUSH.ask.model_validate(wanted.ask)


def test_an_experiment_of_two_services_is_asked_which(scene: Any) -> None:
    """And a service for which nobody can sign in is refused."""
    with pytest.raises(Refused, match="dune_pro, dune_ana"):
        scene.answer(ONBOARD, service="dune")
    with pytest.raises(Refused, match="Nobody can sign in"):
        scene.answer(ONBOARD, service="nova_pro")


def test_it_says_whether_a_sign_in_is_needed(scene: Any) -> None:
    """What the last push said, or that the last token was had without a person."""
    scene.grid.broken["dune_pro"] = NEEDY
    scene.apply(scene.plan(PUSH))
    assert SIGN_IN in scene.answer(ONBOARD, service="dune_pro").notes[-1].text
    scene.grid.broken.clear()
    scene.apply(scene.plan(PUSH))
    assert "It works" in scene.answer(ONBOARD, service="dune_pro").notes[-1].text


def test_the_status_names_who_must_act(scene: Any) -> None:
    """Those that need somebody stand first, with the button to sign in; a push would only fail again."""
    scene.grid.broken["dune_pro"] = NEEDY
    scene.apply(scene.plan(PUSH))
    answer = scene.answer(STATUS)
    rows = {row[0]: row for row in answer.table.rows}
    assert rows["dune_pro"][4] == "somebody of dune signs in: /onboard-tokens dune_pro"
    assert rows["nova_pro@n1.example.com"][1:] == ("fresh", "0 min ago", "7 days", "nobody")
    assert [row[1] for row in answer.table.rows].index("fresh") == 3
    assert [offer.command for offer in answer.offers] == ["onboard-tokens"]
    assert answer.notes[0].text == "2 of 3 services without trouble"


def test_the_status_of_an_experiment_is_its_own(scene: Any) -> None:
    """The services of others are not in it."""
    assert [row[0] for row in scene.answer(STATUS, experiment=["nova"]).table.rows] == [
        "nova_pro",
        "nova_pro@n1.example.com",
    ]
