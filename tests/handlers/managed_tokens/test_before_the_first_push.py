"""Before anything was tried nothing alarms; afterwards who got nothing is told, and how to mend it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bot.core.errors import Refused
from bot.core.inventory import Credential
from bot.tools.sign_ins import BrowserSignIns
from handlers.managed_tokens import SIGN_IN
from handlers.onboard_tokens import HANDLER as ONBOARD
from handlers.push_tokens import HANDLER as PUSH


class Ways:
    """A Vault where people sign in for one service."""

    def names(self) -> tuple[str, ...]:
        return ("dune_pro",)

    def start(self, name: str) -> Any:
        raise AssertionError(name)

    def poll(self, name: str, device: Any) -> Any:
        raise AssertionError(name)


def inventory(scene: Any) -> dict[str, Credential]:
    found = PUSH.inventory(PUSH.settings(), scene.read_tools)  # type: ignore[misc]  # it has one
    return {one.name: one for one in found}


def test_a_new_site_has_one_line_for_a_service(scene: Any) -> None:
    """No node is listed, nobody is rung, and a button does the first push, or asks FERRY before."""
    scene.tools.records.drop("tokens.uid", "dunepro")
    found = inventory(scene)
    assert sorted(found) == ["dune_ana", "dune_pro", "nova_pro"]
    assert {(one.state, one.alarm) for one in found.values()} == {("missing", "")}
    offers = {name: one.offer.command for name, one in found.items() if one.offer}
    assert offers["dune_ana"] == "push-tokens"
    assert offers.get("dune_pro", "refresh-uids") == "refresh-uids"
    assert "is not known" in found["dune_pro"].told


def test_who_was_pushed_nowhere_is_in_the_report(scene: Any) -> None:
    """No step could fail for it, so a run that is done must still say so; a test run pushes for nobody anyway."""
    scene.uid("dunepro", 501, becomes=999)
    plan = scene.plan(PUSH)
    assert scene.apply(plan) == {}
    (told,) = scene.report(PUSH, plan).warnings
    assert "Pushed nowhere" in told
    assert "999" in told
    scene.grid.now += 7200
    plan = scene.plan(PUSH, test=True)
    scene.apply(plan)
    assert scene.report(PUSH, plan).warnings == ()


def test_what_htcondor_says_of_a_sign_in_counts(scene: Any) -> None:
    """Its program may find out first that a person is needed: then nobody is told that all works."""
    scene.tools = replace(scene.tools, sign_ins=BrowserSignIns({"vault": Ways()}))
    scene.grid.broken["dune_pro@s1.example.com"] = Refused(f"dune_pro {SIGN_IN}.", "Someone signs in once.")
    scene.apply(scene.plan(PUSH))
    assert SIGN_IN in scene.answer(ONBOARD, service="dune_pro").notes[-1].text
