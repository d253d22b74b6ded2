"""The commands that call somebody: what they propose, that it happens once, and what they say without the means."""

from __future__ import annotations

from typing import Any

import pytest

from bot.core.errors import Refused, Transient
from bot.core.plan import Answer, Plan
from handlers import contact_redhat, escalate_redhat_auth, open_cie
from handlers.redhat_auth import TITLE
from handlers.tickets import quoted

CIE, CONTACT, ESCALATE = open_cie.HANDLER, contact_redhat.HANDLER, escalate_redhat_auth.HANDLER


def kinds(plan: Any) -> list[str]:
    assert isinstance(plan, Plan), plan
    return [step.kind for _, _, step in plan.steps]


def test_a_cie_pages_and_opens_an_issue(world: Any) -> None:
    """Both with the title, to the letter; what the bot saw goes with them; nothing can be taken back, and that shows."""
    world.both_fail()
    plan = world.ask(CIE, region="us-south", incident="i-abc")
    assert kinds(plan) == ["pager.page", "tracker.open-issue"]
    assert not any(step.reversible for _, _, step in plan.steps)
    assert plan.warnings == ()
    world.apply(plan)
    (event,), (issue,) = world.pagerduty.events, world.github.issues
    assert event["payload"]["summary"] == issue["title"] == TITLE
    assert "Both methods are failing" in issue["body"]
    assert issue["labels"] == [{"name": "cie"}]


def test_one_cie_for_an_incident(world: Any) -> None:
    """Asking again, from another process and for another region, finds the one that is there."""
    world.both_fail()
    world.apply(world.ask(CIE, region="us-south", incident="i-abc"))
    again = world.ask(CIE, world.tools(without=("pager",)), incident="i-abc")
    assert isinstance(again, Answer)
    assert again.text[0].endswith("/issues/1")
    assert isinstance(world.ask(CIE, incident="i-xyz"), Plan)


def test_a_cie_through_a_webhook(world: Any) -> None:
    """Alone or beside the others; title, what was seen, region and links go with it, none of them an alert's."""
    world.both_fail()
    tools = world.tools(without=("pager", "tracker"), hooked=True)
    plan = world.ask(CIE, tools, region="us-south", incident="i-abc")
    assert kinds(plan) == ["webhook.call"]
    world.apply(plan, tools)
    world.apply(
        plan, world.tools(without=("pager", "tracker"), hooked=True)
    )  # nobody knows of the first call any more; the receiver does
    (told,) = world.webhook.opened
    assert (told["title"], told["region"]) == (TITLE, "us-south")
    assert told["marker"].endswith("i-abc")
    assert "Both methods are failing" in told["body"]
    assert "Accounts endpoint" in told["links"]
    again = world.ask(CIE, tools, region="us-south", incident="i-abc")
    assert isinstance(again, Answer)
    assert kinds(world.ask(CIE, world.tools(hooked=True), incident="i-xyz")) == [
        "pager.page", "tracker.open-issue", "webhook.call",
    ]  # fmt: skip


def test_a_crash_between_the_calls(world: Any) -> None:
    """After a crash anywhere the plan goes on without a second page or a second issue."""
    world.both_fail()
    plan = world.ask(CIE, region="us-south", incident="i-abc")
    world.github.cut = world.pagerduty.cut = True
    for tools in (world.tools(), world.tools()):
        for _, _, step in plan.steps:
            with pytest.raises(Transient):
                step.do(tools, _run())
            break
    with pytest.raises(Transient):
        plan.steps[1][2].do(world.tools(), _run())
    world.github.cut = world.pagerduty.cut = False
    world.apply(plan)
    world.apply(plan)
    assert len(world.pagerduty.incidents) == len(world.github.issues) == 1


def _run() -> Any:
    from bot.core.plan import RunRef

    return RunRef(id="run-1")


def test_a_tracker_that_does_not_answer_keeps_nobody_from_a_cie(world: Any) -> None:
    """What cannot be looked up is proposed once more: made twice, it is the same issue."""
    world.both_fail()
    tools = world.tools()
    plan = world.ask(CIE, tools, region="us-south", incident="i-abc")
    plan.steps[0][2].do(tools, _run())
    world.github.state = 500
    assert kinds(world.ask(CIE, tools, region="us-south", incident="i-abc")) == ["pager.page", "tracker.open-issue"]


def test_by_hand_it_is_one_a_day_and_region(world: Any) -> None:
    """Without an incident the day and the region are what makes it the same."""
    world.both_fail("us-south"), world.both_fail("eu-de")
    world.apply(world.ask(CIE, region="us-south"))
    assert isinstance(world.ask(CIE, world.tools(without=("pager",)), region="us-south"), Answer)
    assert isinstance(world.ask(CIE, region="eu-de"), Plan)


def test_a_cie_that_nothing_calls_for(world: Any) -> None:
    """It is proposed all the same, for a person may know better, with a warning."""
    world.well("us-south")
    plan = world.ask(CIE, region="us-south")
    assert isinstance(plan, Plan)
    assert "does not by itself call for a CIE" in plan.warnings[0]


def test_a_cie_without_the_means(world: Any) -> None:
    """The title to type, and what the bot saw."""
    world.both_fail("us-south")
    found = world.ask(CIE, world.tools(without=("pager", "tracker")), region="us-south")
    assert isinstance(found, Answer)
    assert TITLE in found.text


@pytest.mark.parametrize(("without", "left"), [("pager", "tracker.open-issue"), ("tracker", "pager.page")])
def test_only_what_is_configured(without: str, left: str, world: Any) -> None:
    """A page or an issue alone is a CIE too."""
    world.both_fail("us-south")
    assert kinds(world.ask(CIE, world.tools(without=(without,)), region="us-south")) == [left]


def test_a_region_nobody_knows(world: Any) -> None:
    """No plan is made for a place that is not there."""
    for handler in (CIE, CONTACT, ESCALATE):
        with pytest.raises(Refused, match="no region mars"):
            world.ask(handler, region="mars")


@pytest.mark.parametrize("handler", [CIE, CONTACT, ESCALATE], ids=lambda handler: handler.name)
@pytest.mark.parametrize("region", ["a b", "<!channel>", "x/../y", "a\nb", "é"])
def test_parameters_are_plain(handler: Any, region: str, world: Any) -> None:
    """What is no name is no parameter."""
    with pytest.raises(ValueError):
        handler.ask(region=region)


def test_the_text_for_red_hat(world: Any) -> None:
    """The service, the endpoint's state, each method with since when, the service account, the account; no secret."""
    world.both_fail("us-south")
    found = world.ask(CONTACT, world.tools(without=("cases",)), region="us-south")
    assert isinstance(found, Answer)
    told = "\n".join(found.text)
    for part in (
        "Red Hat OpenShift on IBM Cloud cannot authenticate to Red Hat. Clusters can be neither created nor deleted.",
        "https://api.openshift.com/api/accounts_mgmt/v1/ answers",
        "The jwt method (service account 2AtM67Ysf2lSXSQZIejS4LLhOfI, user name ibmcloud-rhoic-prod2) is failing in us-south since",
        "The token method, our backup, is failing in us-south since",
        "account 6525254",
    ):
        assert part in told
    assert "KEY" not in told


def test_the_text_does_not_overstate(world: Any) -> None:
    """With token carrying, and after it is over, the text says so; what was not checked is left to fill in."""
    (
        world.well("us-south"),
        world.happened("jwt", "failed", 30, since=30),
        world.happened("token", "success", 30, since=30),
    )
    tools = world.tools(without=("cases", "endpoints"))
    told = "\n".join(world.ask(CONTACT, tools, region="us-south").text)
    assert "is not failing in us-south" in told
    assert "neither created" not in told
    assert "[fill in, the bot could not check it]" in told


def test_the_text_says_since_when_also_of_an_old_failure(world: Any) -> None:
    """With its day, as far back as it goes, and not as far as a picture does."""
    world.happened("jwt", "failed", 300, since=600), world.happened("token", "success", 300, since=600)
    told = "\n".join(world.ask(CONTACT, world.tools(without=("cases",)), region="us-south").text)
    assert "is failing in us-south since 2030-03-17 07:4" in told


def test_the_text_for_an_endpoint_that_is_down(world: Any) -> None:
    """Logins that work all the same are no outage, and nothing is said that the lines below it contradict."""
    world.well("us-south")
    world.accounts.state = 503
    tools = world.tools(without=("cases",))
    told = world.ask(CONTACT, tools, region="us-south").text
    assert "at risk" in told[0]
    assert "does not work" in told[1]
    world.prometheus["us-south"].fault = "internal"
    assert "clusters is impacted" in world.ask(CONTACT, tools, region="us-south").text[0]


def test_a_case_is_opened_once(world: Any) -> None:
    """With the text, urgent for a CIE; asking again tells its number."""
    world.both_fail("us-south")
    plan = world.ask(CONTACT, region="us-south", incident="i-abc")
    assert kinds(plan) == ["support.open-case"]
    world.apply(plan)
    world.apply(plan)
    (case,) = world.cases.cases
    assert case["severity"] == "1 (Urgent)"
    assert "is failing in us-south since" in case["description"]
    assert "40 of 40 samples of our monitoring show a failure" in case["description"]
    again = world.ask(CONTACT, region="us-south", incident="i-abc")
    assert isinstance(again, Answer)
    assert case["caseNumber"] in again.title


@pytest.mark.parametrize("login", [True, False], ids=["login", "portal"])
def test_a_portal_that_is_away_keeps_nobody_from_the_text(login: bool, world: Any) -> None:
    """Red Hat's login, which the case API needs, may be just what fails: the text to copy is there all the same, with
    why the bot opens no case."""
    world.both_fail("us-south")
    world.cases.fault = None if login else 503
    if login:
        world.keys["offline"] = "revoked"
    found = world.ask(CONTACT, region="us-south", incident="i-abc")
    assert isinstance(found, Answer)
    assert "is failing in us-south since" in "\n".join(found.text)
    assert "cannot open a case now" in found.title
    assert ("refuses the offline token" if login else "Red Hat support") in found.warnings[0]
    assert "By hand: look whether there is a case" in found.warnings[0]


def test_an_escalation_that_cannot_be_looked_up_is_proposed(world: Any) -> None:
    """Nobody is left alone because a tracker does not answer: made twice, it is the same issue."""
    world.happened("jwt", "failed", 30, since=30)
    world.happened("token", "success", 30, since=30)
    world.github.state = 500
    plan = world.ask(ESCALATE, region="us-south", incident="i-abc")
    assert (kinds(plan), plan.on_failure) == (["tracker.open-issue"], "go_on"), (
        "or the engine would refuse to propose it"
    )


def test_the_policy_for_a_cie(world: Any) -> None:
    """The squad is paged, once."""
    world.both_fail("us-south")
    plan = world.ask(ESCALATE, region="us-south", incident="i-abc")
    assert kinds(plan) == ["pager.page"]
    world.apply(plan)
    world.apply(plan)
    assert len(world.pagerduty.incidents) == 1
    assert world.pagerduty.incidents != ("hivekeeper/redhat-auth/cie/i-abc",)


def test_the_policy_for_everything_else(world: Any) -> None:
    """An issue for later, and the channel is named."""
    world.settings = world.settings.model_copy(update={"slack_channel": "#armada-deploy"})
    (
        world.well("us-south"),
        world.happened("jwt", "failed", 30, since=30),
        world.happened("token", "success", 30, since=30),
    )
    plan = world.ask(ESCALATE, region="us-south")
    assert kinds(plan) == ["tracker.open-issue"]
    assert plan.notes[0].text == "#armada-deploy"
    world.apply(plan)
    assert world.github.issues[0]["title"].startswith("The jwt login to Red Hat fails in us-south")


def test_nothing_to_escalate(world: Any) -> None:
    """A person may know better; what the bot sees is said."""
    world.well("us-south")
    assert world.ask(ESCALATE, region="us-south").warnings == ("The bot sees nothing failing now.",)


def test_the_policy_without_the_means(world: Any) -> None:
    """Whom to call, by name."""
    world.settings = world.settings.model_copy(update={"policy": "armada-deploy"})
    world.both_fail("us-south")
    found = world.ask(ESCALATE, world.tools(without=("pager",)), region="us-south")
    assert isinstance(found, Answer)
    assert found.notes[0].text == "armada-deploy"


def test_an_issue_mentions_nobody(world: Any) -> None:
    """What Prometheus says stands in a block that nothing in it can close."""
    body = quoted(("```\n@everyone <!-- x -->", "`b`"))
    assert body.splitlines()[0] == "```text"
    assert body.splitlines()[-1] == "```"
    assert body.count("```") == 2
    assert len(body.splitlines()) == 4
