"""/push-tokens: every service on its own, only what is missing, and nothing for an account that is not sure."""

from __future__ import annotations

from typing import Any

import pytest

from bot.core.errors import Refused, Transient
from bot.core.plan import Plan, RunRef
from bot.core.ports import ReadTools
from handlers.managed_mail import TOLD
from handlers.managed_tokens import SIGN_IN
from handlers.push_tokens import HANDLER

DUNE = ["dune_pro@gpvm1.example.com", "dune_pro@gpvm2.example.com"]
NODE = DUNE[0]
AWAY = Transient("gpvm1.example.com does not answer.", "Is it up?")
NEEDY = Refused(f"dune_pro {SIGN_IN}: Vault can get no access token.", "Someone signs in once.")


def kinds(plan: Plan) -> list[str]:
    return [step.kind for _, _, step in plan.steps]


def test_all_services_are_brought_everywhere(scene: Any) -> None:
    """Each to all its schedds and nodes, with the UID that is remembered or that the file sets."""
    assert scene.apply(scene.plan(HANDLER)) == {}
    expected = [(DUNE[0], 501), (DUNE[1], 501), ("dune_ana@gpvm1.example.com", 700), ("nova_pro@n1.example.com", 502)]
    assert sorted(scene.grid.pushed) == sorted(expected)
    assert len(scene.grid.stored) == 6
    assert scene.grid.mails == []


def test_what_was_brought_a_short_while_ago_is_left_alone(scene: Any) -> None:
    """And asked for by a schedule, nothing is posted; after the fresh minutes all of it is due once more."""
    scene.apply(scene.plan(HANDLER))
    answer = scene.answer(HANDLER)
    assert answer.quiet
    assert "Nothing to do" in answer.title
    scene.grid.now += 3600
    assert kinds(scene.plan(HANDLER)).count("tokens.push") == 4


def test_another_token_is_due_everywhere(scene: Any) -> None:
    """However short ago the old one was brought."""
    scene.apply(scene.plan(HANDLER))
    scene.grid.holds.clear()
    scene.grid.generation = 2
    plan = scene.plan(HANDLER)
    scene.grid.pushed.clear()
    assert scene.apply(plan) == {}
    assert len(scene.grid.pushed) == 4


def test_asking_again_does_exactly_what_has_failed(scene: Any) -> None:
    """One node is away: the others have their token, and only that node is in the next plan."""
    scene.grid.broken[NODE] = AWAY
    failed = scene.apply(scene.plan(HANDLER, service=["dune_pro"]))
    assert list(failed.values()) == [str(AWAY)]
    assert scene.grid.pushed == [(DUNE[1], 501)]
    again = scene.plan(HANDLER, service=["dune_pro"])
    assert [step.where for _, _, step in again.steps if step.kind == "tokens.push"] == [NODE]
    assert "tokens.store" not in kinds(again)
    del scene.grid.broken[NODE]
    assert scene.apply(again) == {}
    assert scene.answer(HANDLER, service=["dune_pro"]).quiet


def test_a_service_without_token_says_so_everywhere(scene: Any) -> None:
    """Its nodes tell the service's sentence, count no error of their own, and other services are not kept."""
    scene.grid.broken["dune_pro"] = NEEDY
    failed = scene.apply(scene.plan(HANDLER))
    assert set(failed.values()) == {str(NEEDY)}
    assert len(failed) == 1 + 2 + 2  # had, stored, pushed
    assert len(scene.grid.pushed) == 2
    assert scene.tools.records.get("tokens.trouble", f"push:{NODE}") is None
    assert scene.tools.records.get("tokens.trouble", "obtain:dune_pro").value["errors"] == 1


def test_the_report_counts_and_offers_to_sign_in(scene: Any) -> None:
    """Who must act stands there with the button; the service's nodes are not listed one by one."""
    scene.grid.broken |= {"dune_pro": NEEDY, "nova_pro@n1.example.com": AWAY}
    scene.grid.down.add("n1.example.com")
    plan = scene.plan(HANDLER)
    scene.apply(plan)
    report = scene.report(HANDLER, plan)
    assert [note.text for note in report.notes[:3]] == ["2 of 3 services", "4 of 6 schedds", "1 of 4 nodes"]
    assert [row[0] for row in report.table.rows] == ["dune_pro", "nova_pro@n1.example.com"]
    assert [(offer.command, offer.ask) for offer in report.offers] == [("onboard-tokens", {"service": "dune_pro"})]
    assert report.warnings == ("Did not answer when asked: n1.example.com.",)


def test_a_test_pushes_nothing(scene: Any) -> None:
    """Tokens are had and stored; nodes and UIDs are nobody's business."""
    scene.tools.records.drop("tokens.uid", "novapro")
    plan = scene.plan(HANDLER, test=True)
    assert set(kinds(plan)) == {"tokens.obtain", "tokens.store", "tokens.tell"}
    assert plan.warnings == ()


def test_one_node_is_one_node(scene: Any) -> None:
    """Services that are not on it are left out, and a node that nobody has is refused."""
    plan = scene.plan(HANDLER, node=["GPVM1.example.com"])
    assert sorted(s.where for _, _, s in plan.steps if s.kind == "tokens.push") == ["dune_ana@gpvm1.example.com", NODE]
    with pytest.raises(Refused, match="None of these services"):
        scene.plan(HANDLER, node=["elsewhere.example.com"])


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (None, "is not known"),
        ({"known": False}, "does not know"),
        ({"active": False}, "not active"),
        ({"banned": True}, "banned"),
        ({"becomes": 999}, "999"),
        ({"uid": None}, "no UID"),
    ],
)
def test_nothing_is_pushed_where_the_uid_is_not_sure(scene: Any, value: dict[str, Any] | None, told: str) -> None:
    """It is said, who holds the token is told by an alarm, and the other services get theirs."""
    scene.tools.records.drop("tokens.uid", "dunepro")
    if value is not None:
        scene.uid("dunepro", **{"uid": 501, **value})
    plan = scene.plan(HANDLER)
    assert any(told in line for line in plan.warnings)
    scene.apply(plan)
    assert {where for where, _ in scene.grid.pushed} == {"dune_ana@gpvm1.example.com", "nova_pro@n1.example.com"}
    assert [(one.name, one.alarm) for one in inventory(scene) if one.alarm] == [("dune_pro", "uid")]


def test_a_bot_that_was_restarted_gets_the_token_anew(scene: Any) -> None:
    """It remembers no token; the rest of the run still brings one."""
    plan = scene.plan(HANDLER, service=["dune_pro"])
    scene.apply(plan, until="tokens.ping")
    scene.grid.holds.clear()
    assert scene.apply(Plan(**{**dict(plan), "stages": plan.stages[1:]})) == {}
    assert {where for where, _ in scene.grid.pushed} == set(DUNE)


def test_two_tokens_of_one_run_are_both_brought(scene: Any) -> None:
    """Restarted in mid-run, the bot goes on with another token; what got the first one is not told as missing."""
    plan, run = scene.plan(HANDLER), RunRef(id="of the test")
    for number, (*_, step) in enumerate(plan.steps):
        if number == len(plan.steps) // 2:
            scene.grid.holds.clear()
            scene.grid.generation += 1
        step.do(scene.tools, run)
    report = scene.report(HANDLER, plan)
    assert [note.text for note in report.notes] == ["3 of 3 services", "6 of 6 schedds", "4 of 4 nodes"]
    assert (report.table, report.again) == (None, None)


def test_services_do_not_wait_for_each_other(scene: Any) -> None:
    """Once there are tokens, all that is to be done stands in one stage, which the engine works on side by side, service
    by service: nodes wait for no schedd. Nodes were looked at before, and people are told afterwards."""
    plan = scene.plan(HANDLER)
    stages = [{step.kind for step in stage.steps} for stage in plan.stages]
    assert stages == [{"tokens.obtain", "tokens.ping"}, {"tokens.store", "tokens.push"}, {"tokens.tell"}]
    order = [step.service for step in plan.stages[1].steps]
    assert order == sorted(order, key=["dune_pro", "dune_ana", "nova_pro"].index)


def test_what_an_earlier_run_has_brought_is_not_told_as_brought(scene: Any) -> None:
    """A minute later the bot has lost its tokens and gets none for a service: its places are missing in this run."""
    scene.apply(scene.plan(HANDLER))
    scene.grid.now += 60
    scene.grid.holds.clear()
    scene.grid.generation += 1
    scene.grid.broken["dune_pro"] = Transient("Vault does not answer.", "Is it up?")
    plan = scene.plan(HANDLER)
    scene.apply(plan)
    report = scene.report(HANDLER, plan)
    assert [note.text for note in report.notes[:3]] == ["2 of 3 services", "4 of 6 schedds", "2 of 4 nodes"]
    assert {where.partition("@")[0] for where in report.again["service"]} == {"dune_pro"}


def test_schedds_that_nobody_knows_keep_no_node_from_its_token(scene: Any) -> None:
    """The collector is away: a warning, and tokens are pushed."""
    scene.grid.broken["collector"] = Transient("The collector is away.")
    plan = scene.plan(HANDLER)
    assert plan.warnings == ("Not stored in HTCondor: The collector is away.",)
    assert scene.apply(plan) == {}
    assert len(scene.grid.pushed) == 4


def test_words_mean_experiments_and_services_in_any_case(scene: Any) -> None:
    """A word that means nothing is refused with the nearest one."""
    assert kinds(scene.plan(HANDLER, service=["DUNE"])).count("tokens.obtain") == 2
    with pytest.raises(Refused, match="Did you mean dune"):
        scene.plan(HANDLER, service=["dume"])


def inventory(scene: Any) -> tuple[Any, ...]:
    tools: ReadTools = scene.read_tools
    assert HANDLER.inventory is not None
    return HANDLER.inventory(HANDLER.settings(), tools)


def hourly(scene: Any, hours: int) -> None:
    for _ in range(hours):
        scene.apply(scene.plan(HANDLER, service=["dune_pro"]))
        scene.grid.now += 3600


def test_the_threshold_counts_from_the_first_error(scene: Any) -> None:
    """At the second in a row (as the file says) one mail goes to the experiment and one to the admins, and no other
    within the day; when it is over, one more each."""
    scene.grid.broken |= dict.fromkeys(DUNE, AWAY)
    hourly(scene, 1)
    assert scene.grid.mails == []
    hourly(scene, 5)
    assert sorted(to for to, _, _ in scene.grid.mails) == [("admins@example.com",), ("dune@example.com",)]
    assert all(body.count("does not answer") == 2 for _, _, body in scene.grid.mails)
    scene.grid.broken.clear()
    hourly(scene, 2)
    assert [subject for _, subject, _ in scene.grid.mails[2:]] == [
        "Vault tokens of dune: 2 over",
        "Vault tokens: 2 over",
    ]
    assert scene.tools.records.all(TOLD) == ()


def test_an_error_that_ends_in_between_begins_anew(scene: Any) -> None:
    """The threshold is of errors in a row."""
    for broken in (True, False, True, False):
        scene.grid.broken = {NODE: AWAY} if broken else {}
        hourly(scene, 1)
    assert scene.grid.mails == []


def test_a_sign_in_is_told_at_once(scene: Any) -> None:
    """Nothing else mends it, so no threshold holds; the inventory rings once for the service, not for its nodes."""
    scene.grid.broken["dune_pro"] = NEEDY
    hourly(scene, 1)
    assert len(scene.grid.mails) == 2
    assert [(one.name, one.alarm) for one in inventory(scene) if one.alarm] == [("dune_pro", "sign in")]


def test_an_experiment_that_wants_no_mail_gets_none(scene: Any) -> None:
    """The admins still do. A mail that cannot be sent is due again."""
    from copy import deepcopy

    document = deepcopy(scene.document)
    document["experiments"]["dune"]["roles"]["pro"]["disableNotificationsOverride"] = True
    scene.file(document)
    scene.grid.broken |= {"dune_pro": NEEDY, "admins@example.com": Transient("No mail goes out.")}
    hourly(scene, 1)
    assert scene.grid.mails == []
    del scene.grid.broken["admins@example.com"]
    hourly(scene, 1)
    assert [to for to, _, _ in scene.grid.mails] == [("admins@example.com",)]


def test_the_inventory_says_how_each_node_is(scene: Any) -> None:
    """Missing, fresh, due after hours without a push, expired at the end of the token; it rings when jobs fail."""
    assert {one.state for one in inventory(scene)} == {"missing"}
    scene.apply(scene.plan(HANDLER))
    assert {one.state for one in inventory(scene)} == {"fresh"}
    scene.grid.now += 4 * 3600
    assert {one.state for one in inventory(scene)} == {"due"}
    assert not any(one.alarm for one in inventory(scene))
    scene.grid.now += 7 * 86400 - 8 * 3600
    assert {one.alarm for one in inventory(scene) if "@" in one.name} == {"ends soon"}
    scene.grid.now += 8 * 3600
    assert {one.alarm for one in inventory(scene) if "@" in one.name} == {"expired"}


def test_a_short_life_is_no_alarm(scene: Any) -> None:
    """Where tokens live for hours only, one that was just brought is fresh, until its last quarter."""
    scene.grid.life = 4 * 3600.0
    scene.apply(scene.plan(HANDLER))
    assert {(one.state, one.alarm) for one in inventory(scene)} == {("fresh", "")}
    scene.grid.now += 3.5 * 3600
    assert {one.alarm for one in inventory(scene) if "@" in one.name} == {"ends soon"}
