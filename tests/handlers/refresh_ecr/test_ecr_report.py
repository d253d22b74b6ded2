"""The inventory of pull secrets, and the report after a refresh."""

from __future__ import annotations

from typing import Any

import pytest

from bot.core import ask as asks
from handlers import diagnose_image_pull
from handlers.ecr_again import target_of
from handlers.ecr_report import inventory

ECR = "111122223333.dkr.ecr.us-east-1.amazonaws.com"
HOUR = 3600


def held(world: Any, name: str = "dev/cf-dev/ecr-secret") -> Any:
    found = {one.name: one for one in inventory(world.settings, world.read_tools)}
    assert set(found) == {"dev/cf-dev/ecr-secret", "test/cf-test/ecr-secret"}
    return found[name]


def test_the_life_of_a_credential(world: Any) -> None:
    """Missing, fresh, due, expired: each with its dates, and with an offer that mends exactly it."""
    one = held(world)
    assert (one.state, one.written_at, one.expires_at) == ("missing", None, None)
    assert one.offer.ask == {"env": ["dev"], "namespace": ["cf-dev"]}
    assert one.offer.command == "refresh-ecr"
    world.apply(world.plan(env=("dev",), restart=False))
    one = held(world)
    assert (one.state, one.told, one.offer) == ("fresh", "", None)
    assert abs(one.expires_at - world.now() - 12 * HOUR) < 300
    world.wait(7 * HOUR)
    assert held(world).state == "due"
    world.wait(6 * HOUR)
    one = held(world)
    assert one.state == "expired"
    assert "ended" in one.told
    plan = world.plan(**one.offer.ask)
    assert [step.target.name for step in plan.stages[0].steps] == ["dev/cf-dev"]


def test_what_people_are_told_without_asking(world: Any) -> None:
    """That pods cannot pull, and a login that the schedule should have renewed; with what to type. Not what is fresh,
    what the next tick renews in time, or what nobody can read."""
    assert held(world).alarm == "missing"
    assert held(world).told.endswith("New pods there cannot pull: /refresh-ecr dev namespace=cf-dev")
    world.apply(world.plan(env=("dev",), restart=False))
    seen = []
    for hours in (8, 2.9, 0.6, 1):  # of twelve
        seen.append((held(world).state, held(world).alarm))
        last = held(world).told
        world.wait(hours * HOUR)
    assert seen == [("fresh", ""), ("due", ""), ("due", "ends soon"), ("due", "ends soon")]
    assert last.endswith("It should have been renewed by now: /refresh-ecr dev namespace=cf-dev")
    assert held(world).alarm == "expired"
    world.clusters["one"].down()
    assert (held(world).state, held(world).alarm) == ("unknown", "")
    world.clusters["one"].heal()
    world.put_secret({"auths": 7})
    assert held(world).alarm == "unusable"


def test_what_people_are_told_to_type(world: Any) -> None:
    """The words of an alarm are a command that takes on just this secret."""
    typed = held(world).told.rpartition("/refresh-ecr ")[2]
    plan = world.plan(**asks.parse(typed, world.handler).model_dump())
    assert [step.target.name for step in plan.stages[0].steps] == ["dev/cf-dev"]


def test_the_offer_is_a_command(world: Any) -> None:
    """What is offered is what the command takes."""
    world.handler.ask.model_validate(held(world).offer.ask)


@pytest.mark.parametrize(
    ("document", "more", "state", "told"),
    [
        ({"auths": {ECR: {"auth": "QVdTOng="}}}, {}, "unknown", "nobody knows when this login ends"),
        ({"auths": {"quay.io": {"auth": "eDp5"}}}, {}, "missing", "no login for this registry"),
        ({"auths": {ECR: {"auth": "QVdTOng="}}}, {"type": "Opaque"}, "degraded", "of type Opaque"),
        ({"auths": {ECR: {"auth": "???"}}}, {}, "degraded", "cannot be used"),
        ({"auths": 7}, {}, "degraded", "cannot be used"),
    ],
)
def test_what_others_made(world: Any, document: Any, more: Any, state: str, told: str) -> None:
    """A secret by somebody else: its state and one sentence about it; a refresh takes each of them on."""
    world.put_secret(document, **more)
    one = held(world)
    assert one.state == state
    assert told in one.told
    assert world.plan(env=("dev",), restart=False).title == "Refresh 1 ECR pull secret"


def test_dates_for_another_registry(world: Any) -> None:
    """Dates that were written for another registry say nothing about this one's login."""
    notes = {"hivekeeper/registry": "other.example.com", "hivekeeper/written-at": "2020-01-01T00:00:00Z",
             "hivekeeper/expires-at": "2999-01-01T00:00:00Z"}  # fmt: skip
    world.put_secret({"auths": {ECR: {"auth": "QVdTOng="}}}, annotations=notes)
    assert held(world).state == "unknown"
    assert "its dates are another registry's, so nobody knows when this login ends" in held(world).told


def test_a_validity_that_is_shorter_than_amazon_s(world: Any) -> None:
    """Where the settings trust a login for eight hours, the next refresh is needed after eight, whatever Amazon says."""
    world.configure(token_validity_hours=8)
    plan = world.plan(env=("dev",), restart=False)
    assert world.apply(plan) == {}
    report = world.report(plan)
    assert [row[4] for row in report.table.rows] == ["8 h"]
    assert abs(report.notes[0].at - world.now() - 8 * HOUR) < 5
    world.wait(3 * HOUR)
    assert held(world).state == "due"


@pytest.mark.parametrize("date", ["", "tomorrow", "2999-01-01", "2999-01-01T00:00:00", "9" * 400])
def test_dates_that_are_none(world: Any, date: str) -> None:
    """A date that cannot be read counts as none."""
    notes = {"hivekeeper/registry": ECR, "hivekeeper/written-at": "2020-01-01T00:00:00Z", "hivekeeper/expires-at": date}
    world.put_secret({"auths": {ECR: {"auth": "QVdTOng="}}}, annotations=notes)
    assert held(world).state == "unknown"


def test_a_cluster_that_is_away(world: Any) -> None:
    """What cannot be read is unknown, says why, and offers nothing; the others are read."""
    world.apply(world.plan(env=("test",)))
    world.clusters["one"].down()
    one = held(world)
    assert (one.state, one.offer) == ("unknown", None)
    assert one.told
    assert held(world, "test/cf-test/ecr-secret").state == "fresh"


def test_the_report_is_the_status(world: Any) -> None:
    """Each secret with namespace, dates, registry, validity and next refresh; nothing failed, nothing offered."""
    plan = world.plan()
    assert world.apply(plan) == {}
    report = world.report(plan)
    assert report.table.head == ("secret", "namespace", "written", "registry", "validity", "next refresh needed")
    assert [row[:2] for row in report.table.rows] == [("ecr-secret", "dev/cf-dev"), ("ecr-secret", "test/cf-test")]
    assert {row[3:5] for row in report.table.rows} == {(ECR, "12 h")}
    assert [(note.label, note.text) for note in report.notes] == [
        ("Next refresh needed", "dev/cf-dev"),
        ("Next refresh needed", "test/cf-test"),
    ]
    assert report.warnings == ()
    assert report.offers == ()


def test_what_failed_is_apart(world: Any) -> None:
    """A secret that was not written is named, with what was not restarted for it, and offered again; exactly that."""
    plan = world.plan()
    world.clusters["one"].deny("create", "secrets")
    world.apply(plan)
    report = world.report(plan)
    assert report.warnings == (
        "Not written: dev/cf-dev.",
        "Not restarted: naming-server-new in dev/cf-dev.",
    )
    assert [row[1] for row in report.table.rows if row[2] == "never"] == ["dev/cf-dev"]
    (offer,) = report.offers
    assert offer.ask == report.again
    world.clusters["one"].heal()
    again = world.plan(**offer.ask)
    assert [step.target.name for step in again.stages[0].steps] == ["dev/cf-dev"]
    assert world.apply(again) == {}


@pytest.mark.parametrize("ask", [{"force": True}, {"restart": True}, {"force": True, "restart": True}])
def test_what_is_done_is_not_forced_once_more(world: Any, ask: dict[str, Any]) -> None:
    """Of a run that wrote and restarted what was fresh already, just what failed is asked for again: the restart without
    the write where that is done, and no Deployment twice."""
    world.deploy("web", cluster="two", namespace="cf-test")
    world.apply(world.plan())
    world.wait(60)
    world.run, restarts = "run-2", "restart" in ask
    plan = world.plan(**ask)
    world.clusters["two"].deny("patch", "deployments")
    if "force" in ask:
        world.clusters["two"].deny("update", "secrets")
    failed = world.apply(plan)
    assert all("cf-test" in said for said in failed)
    again = world.report(plan).again
    assert (again["env"], again["namespace"], again["force"]) == (["test"], ["cf-test"], "force" in ask)
    world.clusters["two"].heal()
    new = world.plan(**again)
    assert {target_of(step).name for _, _, step in new.steps} == {"test/cf-test"}
    assert world.apply(new) == {}
    assert (world.restarted(name="web", cluster="two", namespace="cf-test") != "") == restarts
    assert world.report(new).again is None


def test_a_restart_that_failed_is_all_that_is_left(world: Any) -> None:
    """The forced write before it was done: it is not done again."""
    world.apply(world.plan(env=("dev",)))
    world.wait(60)
    world.run = "run-2"
    plan = world.plan(env=("dev",), force=True, restart=True)
    world.clusters["one"].deny("patch", "deployments")
    assert len(world.apply(plan)) == 2
    world.clusters["one"].heal()
    new = world.plan(**world.report(plan).again)
    assert [step.kind for _, _, step in new.steps] == ["ecr.restart-deployment", "ecr.watch-rollout"]


def test_what_nobody_can_see_is_asked_for_again_too(world: Any) -> None:
    """A cluster that went away in the middle: its secrets may not have been written."""
    plan = world.plan()
    world.clusters["one"].down()
    world.apply(plan)
    report = world.report(plan)
    assert report.again["env"] == ["dev"]
    world.clusters["one"].heal()
    assert {target_of(step).name for _, _, step in world.plan(**report.again).steps} == {"dev/cf-dev"}


def test_what_the_plan_left_out_is_still_told(world: Any) -> None:
    """A cluster that was away when the plan was made: the report of a run that went well says so in the plan's own
    words, and offers just what is missing. What is paused is told once more too."""
    world.deploy("resting", paused=True)
    world.clusters["two"].down()
    plan = world.plan(restart=True)
    assert world.apply(plan) == {}
    report = world.report(plan)
    assert set(report.warnings) == set(plan.warnings)
    assert any(said.startswith("test/cf-test: left out. ") for said in report.warnings)
    assert any(said.startswith("resting in dev/cf-dev is paused") for said in report.warnings)
    assert [(one.ask["env"], one.ask["namespace"]) for one in report.offers] == [(["test"], ["cf-test"])]
    assert report.again is None
    world.clusters["two"].heal()
    later = world.plan(**report.offers[0].ask)
    assert {target_of(step).name for _, _, step in later.steps} == {"test/cf-test"}
    world.apply(later)
    assert world.report(plan).offers == (), "it was done meanwhile"


def test_failures_that_no_one_question_names(world: Any) -> None:
    """Two environments with two namespaces each, one failed in each: an offer for each, and all of it by the button."""
    world.space("b")
    world.space("a", "b", cluster="two")
    world.space("a")
    world.configure(namespaces=["a", "b"], restart=False)
    test = {**world.settings.model_dump(mode="json")["environments"]["test"], "namespaces": ["a", "b"]}
    given = world.settings.model_dump(mode="json")
    world.settings = type(world.settings).model_validate({"environments": {**given["environments"], "test": test}})
    plan = world.plan()
    for step in (plan.stages[0].steps[0], plan.stages[0].steps[3]):
        step.do(world.tools, world.ref)
    report = world.report(plan)
    assert report.again is None
    asked = [(offer.ask["env"], offer.ask["namespace"]) for offer in report.offers]
    assert asked == [(["dev"], ["b"]), (["test"], ["a"])]


def test_a_rollout_that_failed(world: Any) -> None:
    """A Deployment that does not start is named and its diagnosis offered; the secret is not written again for it."""
    plan = world.plan(env=("dev",))
    world.apply(plan, stages=2)
    world.registry.add("consultingfirm/frontend", "latest", pullers=())
    world.apply(plan)
    report = world.report(plan)
    assert report.warnings == ("Not rolled out: naming-server-new in dev/cf-dev.",)
    (offer,) = report.offers
    assert offer.command == diagnose_image_pull.HANDLER.name
    assert diagnose_image_pull.HANDLER.ask.model_validate(offer.ask).model_dump()["where"] == "dev/cf-dev"
    answer = world.answer(env=("dev",))
    assert "has not finished rolling out" in answer.warnings[0]
    assert not answer.quiet


def test_a_report_without_the_cluster(world: Any) -> None:
    """A cluster that is away when the report is made is said so, and the rest is reported."""
    plan = world.plan()
    world.apply(plan)
    world.clusters["one"].down()
    report = world.report(plan)
    assert [row[1] for row in report.table.rows] == ["test/cf-test"]
    assert len(report.warnings) == 1, "nobody knows whether it was written"
    assert report.warnings[0].startswith("dev/cf-dev:")
