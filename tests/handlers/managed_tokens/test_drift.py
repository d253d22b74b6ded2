"""What was approved is what runs: whatever else the file or FERRY say by then, nothing is done that was not shown."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from bot.core.errors import Drifted, Refused
from handlers.managed_tokens import SHOWN
from handlers.push_tokens import HANDLER

ROLE = {
    "account": "duneother",
    "keytabPathOverride": "/elsewhere/dunepro.keytab",
    "userPrincipalOverride": "root@EXAMPLE.COM",
    "vaultServerOverride": "vault.elsewhere.example.com",
    "condorCollectorHostOverride": "collector.elsewhere.example.com",
    "defaultRoleFileDestinationTemplateOverride": "/etc/cron.d/{{.Experiment}}",
}


def changed(scene: Any, key: str, value: Any) -> None:
    document = deepcopy(scene.document)
    document["experiments"]["dune"]["roles"]["pro"][key] = value
    scene.file(document)


@pytest.mark.parametrize("key", ROLE)
def test_another_file_than_was_shown_is_not_followed(scene: Any, key: str) -> None:
    """Neither to get a token, nor to store one, nor to push one; the other services are served."""
    plan = scene.plan(HANDLER)
    scene.uid("duneother", 501)
    changed(scene, key, ROLE[key])
    steps = [
        step for *_, step in plan.steps if getattr(step, "service", "") == "dune_pro" and step.kind != "tokens.ping"
    ]
    assert {step.kind for step in steps} == {"tokens.obtain", "tokens.store", "tokens.push"}
    for step in steps:
        with pytest.raises(Drifted, match="Since the plan was shown"):
            step.do(scene.tools, None)
    assert (scene.grid.holds, scene.grid.stored, scene.grid.pushed) == ({}, [], [])
    for *_, step in plan.steps:
        if getattr(step, "service", "") == "nova_pro":
            step.do(scene.tools, type("Run", (), {"id": "r"}))
    assert {where for where, _ in scene.grid.pushed} == {"nova_pro@n1.example.com"}


def test_another_vault_or_address_in_the_settings_is_not_followed(scene: Any) -> None:
    """A bot that was deployed anew between the approval and the run: it neither logs in elsewhere, nor pushes to another
    machine under the same name; where that is, the plan says."""
    plan = scene.plan(HANDLER, service=["dune_pro"])
    scene.grid.moved["gpvm1.example.com"] = "elsewhere.example.com:2222/tmp"
    failed = scene.apply(plan)
    assert [told for told in failed.values() if "gone or elsewhere" in told] == [*failed.values()]
    assert [where for where, _ in scene.grid.pushed] == ["dune_pro@gpvm2.example.com"]
    again = scene.plan(HANDLER, service=["dune_pro"])
    (push,) = [step for *_, step in again.steps if step.kind == "tokens.push"]
    assert "gpvm1.example.com (at elsewhere.example.com:2222/tmp)" in push.says()
    scene.grid.issuer = "others"
    assert all("another account, principal, keytab or Vault" in told for told in scene.apply(again).values())
    assert len(scene.grid.pushed) == 1


def test_a_token_that_was_had_as_somebody_else_is_brought_anew(scene: Any) -> None:
    """However short ago it was brought: the next plan has all places of the service again."""
    scene.apply(scene.plan(HANDLER))
    changed(scene, "userPrincipalOverride", "dune/pro@EXAMPLE.COM")
    plan = scene.plan(HANDLER)
    assert {step.service for *_, step in plan.steps if step.kind == "tokens.push"} == {"dune_pro"}
    assert "dune/pro@EXAMPLE.COM" in plan.steps[0][2].says() + plan.steps[1][2].says()


def test_addresses_of_mail_are_no_drift(scene: Any) -> None:
    """Nor are other nodes: what is approved is brought, and no more."""
    plan = scene.plan(HANDLER)
    document = deepcopy(scene.document)
    document["experiments"]["dune"]["emails"] = ["others@example.com"]
    document["experiments"]["dune"]["roles"]["pro"]["destinationNodes"].append("gpvm3.example.com")
    scene.file(document)
    assert scene.apply(plan) == {}
    assert not any("gpvm3" in where for where, _ in scene.grid.pushed)


@pytest.mark.parametrize("uid", [9000, {"banned": True}, {"active": False}, {"known": False}, {"becomes": 9000}])
def test_an_account_that_is_not_what_it_was_gets_nothing(scene: Any, uid: Any) -> None:
    """Another UID, banned, inactive, gone, or about to change, between the approval and the push."""
    plan = scene.plan(HANDLER, service=["dune_pro"])
    scene.uid("dunepro", **({"uid": uid} if isinstance(uid, int) else {"uid": 501, **uid}))
    step = next(step for _, _, step in plan.steps if step.kind == "tokens.push")
    with pytest.raises((Drifted, Refused)):
        step.do(scene.tools, None)
    assert scene.grid.pushed == []


def test_a_node_that_was_taken_out_of_the_file_gets_nothing(scene: Any) -> None:
    """Its owner may be somebody else by now."""
    plan = scene.plan(HANDLER, service=["dune_pro@gpvm1.example.com"])
    changed(scene, "destinationNodes", ["gpvm2.example.com"])
    failed = scene.apply(plan)
    assert any("gpvm1.example.com is gone or elsewhere" in told for told in failed.values())
    assert scene.grid.pushed == []


def test_all_that_decides_is_marked() -> None:
    """A new field of a service is either in its mark, or in the steps, or decides nothing of what is brought where."""
    from bot.core.grid import Service

    elsewhere = {"name", "nodes", "uid", "schedds", "stores", "constraint", "emails", "notify", "min_lifetime"}
    assert SHOWN | elsewhere == set(Service.model_fields)
