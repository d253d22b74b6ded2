"""Before anything was tried nothing alarms; afterwards who got nothing is told, and how to mend it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bot.core.errors import Refused
from bot.core.inventory import Credential
from bot.tools.sign_ins import BrowserSignIns
from handlers.managed_tokens import SIGN_IN
from handlers.onboard_tokens import HANDLER as ONBOARD
from handlers.push_tokens import HANDLER as PUSH
from handlers.tokens_status import HANDLER as STATUS


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


@pytest.mark.parametrize(("more", "told"), [({"banned": True}, "is banned"), ({"active": False}, "is not active"),
                                            ({"known": False}, "does not know")])  # fmt: skip
def test_an_account_that_ferry_rules_out_gets_no_token_at_all(scene: Any, more: dict[str, Any], told: str) -> None:
    """Nothing is had or stored for it either; people are told in the plan, in the report, by the inventory, where no
    node has a button, and by mail."""
    scene.uid("dunepro", 501, **more)
    for _ in range(2):
        plan = scene.plan(PUSH, service=["dune_pro"])
        assert [step.kind for _, _, step in plan.steps] == ["tokens.tell"]
        assert "Bring no Vault token of dune_pro" in plan.title
        assert scene.apply(plan) == {}
    for line in (*plan.warnings, *scene.report(PUSH, plan).warnings):
        assert line.startswith("Gets no token: ")
        assert told in line
    assert (scene.grid.holds, scene.grid.stored) == ({}, [])
    assert {to for to, _, _ in scene.grid.mails} == {("admins@example.com",), ("dune@example.com",)}
    scene.apply(scene.plan(PUSH, test=True))
    assert not any(where.startswith("dune_pro@") for where in scene.grid.stored)
    found = inventory(scene)
    assert (found["dune_pro"].alarm, found["dune_pro"].offer.command) == ("uid", "refresh-uids")  # type: ignore[union-attr]  # it has one
    assert found["dune_pro@gpvm1.example.com"].offer is None


def test_an_account_that_is_ruled_out_after_the_plan_was_shown_gets_nothing(scene: Any) -> None:
    """Neither from Vault nor into HTCondor nor onto nodes; the others get theirs."""
    plan = scene.plan(PUSH)
    scene.uid("dunepro", 501, banned=True)
    failed = scene.apply(plan)
    assert len(failed) == 5
    assert all("is banned" in told for told in failed.values())
    assert not any("dune_pro@" in where for where in (*scene.grid.stored, *(where for where, _ in scene.grid.pushed)))


def test_a_uid_that_changed_has_the_button_that_uses_it(scene: Any) -> None:
    """Asking FERRY again would say the same. Not while the account is ruled out anyway."""
    scene.apply(scene.plan(PUSH))
    scene.uid("dunepro", 501, becomes=999)
    assert inventory(scene)["dune_pro"].offer.ask == {"account": ["dunepro"], "accept": True}  # type: ignore[union-attr]  # it has one
    asks = [one.ask for one in scene.answer(STATUS).offers if one.command == "refresh-uids"]
    assert asks == [{"account": ["dunepro"], "accept": True}]
    scene.uid("dunepro", 501, becomes=999, banned=True)
    assert inventory(scene)["dune_pro"].offer.ask == {"account": ["dunepro"]}  # type: ignore[union-attr]  # it has one


def test_what_htcondor_says_of_a_sign_in_counts(scene: Any) -> None:
    """Its program may find out first that a person is needed: then nobody is told that all works."""
    scene.tools = replace(scene.tools, sign_ins=BrowserSignIns({"vault": Ways()}))
    scene.grid.broken["dune_pro@s1.example.com"] = Refused(f"dune_pro {SIGN_IN}.", "Someone signs in once.")
    scene.apply(scene.plan(PUSH))
    assert SIGN_IN in scene.answer(ONBOARD, service="dune_pro").notes[-1].text
