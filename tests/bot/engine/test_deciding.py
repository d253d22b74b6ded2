"""Decisions: who, on what, in which state, once."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from structlog.testing import capture_logs

from bot.core.errors import Transient
from bot.core.intake import Decision, Outcome
from bot.core.view import State
from bot.engine import store, ticker


def needing(bench: Any, approvals: int) -> None:
    """Let /world need so many approvals."""
    commands = {"world": bench.shop.settings.commands["world"].model_copy(update={"approvals": approvals})}
    object.__setattr__(bench.shop, "settings", bench.shop.settings.model_copy(update={"commands": commands}))


def test_an_approval_starts_the_work_once(bench: Any) -> None:
    """The state, the decision and the enqueued work are there together."""
    view = bench.proposal()
    outcome = bench.decide(view)
    assert outcome == Outcome(accepted=True, told="Approved. It starts now.", run=view.id)
    after = bench.see(view.id)
    assert after.state == State.APPROVED
    assert [d.user for d in after.decisions] == ["U2"]
    assert bench.shop.queues.state("apply", view.id) == "waiting"


def test_a_member_of_a_slack_group_may_approve(bench: Any) -> None:
    """Groups of the settings may be Slack user groups, read at the time of the decision."""
    assert bench.decide(bench.proposal(), user="U4").accepted


@pytest.mark.parametrize("verdict", ["approve", "deny", "cancel"])
def test_a_stranger_changes_nothing(bench: Any, verdict: str) -> None:
    """The refusal is a sentence, and it is audited."""
    view = bench.proposal()
    outcome = bench.decide(view, verdict, "U7")
    assert not outcome.accepted
    assert outcome.told
    assert bench.see(view.id) == view
    assert bench.audited()[-1] == "refused_decision"


def test_four_eyes(bench: Any) -> None:
    """The asker does not count as approver, unless a group of theirs says so."""
    mine = bench.plan(bench.ask("one", by="U2"))
    assert "you cannot approve it yourself" in bench.decide(mine, user="U2").told
    assert bench.decide(bench.plan(bench.ask("two", by="U9")), user="U9").accepted


def test_a_wrong_digest_is_refused(bench: Any) -> None:
    """What a person did not see, a person does not approve; a forged payload looks the same."""
    view = bench.proposal()
    assert "not the plan that was shown" in bench.decide(view, digest="0" * 64).told
    assert bench.see(view.id).state == State.PROPOSED


def test_without_a_digest_the_proposal_as_it_stands_counts(bench: Any) -> None:
    """The command line names the run by hand."""
    assert bench.decide(bench.proposal(), digest=None).accepted


def test_a_replayed_click_gets_its_first_answer(bench: Any) -> None:
    """Same key, same answer, nothing done twice; a refusal is remembered too."""
    view = bench.proposal()
    first = bench.decide(view, key="click")
    assert bench.decide(view, key="click") == first
    assert bench.audited().count("approved") == 1
    refused = bench.decide(view, key="late", user="U3")
    assert not refused.accepted
    assert bench.decide(view, key="late", user="U3") == refused


def test_a_stolen_key_gives_nothing_away(bench: Any) -> None:
    """The key of somebody else's click neither decides nor shows what it decided."""
    view = bench.proposal()
    bench.decide(view, key="click")
    outcome = bench.decide(view, key="click", user="U3")
    assert not outcome.accepted
    assert "sent once before" in outcome.told


def test_two_approvals_are_two_people(bench: Any) -> None:
    """One person twice is one person."""
    needing(bench, 2)
    view = bench.proposal()
    assert bench.decide(view).told == "Approved. 1 more approval is needed."
    assert "already" in bench.decide(view, key="again").told
    assert bench.see(view.id).state == State.PROPOSED
    assert bench.decide(view, user="U3").accepted
    assert bench.see(view.id).state == State.APPROVED


def test_at_one_instant_one_wins(bench: Any) -> None:
    """Ten people press at once: one approval counts, one piece of work, nine kind sentences."""
    view, outcomes = bench.proposal(), []
    start = threading.Barrier(10)

    def press(number: int) -> None:
        start.wait()
        for _ in range(5):  # SQLite has one writer, and a person presses again
            try:
                outcomes.append(bench.decide(view, user=["U2", "U3", "U4"][number % 3], key=f"p{number}"))
                return
            except Transient:
                continue

    threads = [threading.Thread(target=press, args=(n,)) for n in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(outcomes) == 10
    assert sum(o.accepted for o in outcomes) == 1
    assert all("approved already" in o.told for o in outcomes if not o.accepted)
    assert bench.audited().count("approved") == 1


def test_a_denial_ends_it(bench: Any) -> None:
    """Any approver may deny, with a reason that is kept; an approval after it gets a kind sentence."""
    view = bench.proposal()
    assert bench.decide(view, "deny", reason="not on a Friday").told == "Denied. Nothing was changed."
    after = bench.see(view.id)
    assert (after.state, after.decisions[0].reason, after.finished_at) == (State.DENIED, "not on a Friday", bench.now)
    assert "denied already" in bench.decide(view, user="U3").told


def test_the_asker_may_cancel(bench: Any) -> None:
    """Also while the plan is still being made; planning then finds nothing to do."""
    view = bench.proposal("one")
    assert bench.decide(view, "cancel", "U1").accepted
    assert bench.see(view.id).state == State.CANCELLED
    young = bench.see(bench.ask("two"))
    assert bench.decide(young, "cancel", "U1").accepted
    assert bench.plan(young.id).state == State.CANCELLED


def test_after_its_time_a_plan_is_not_approved(bench: Any) -> None:
    """Also before the ticker has come by."""
    view = bench.proposal()
    bench.now += 3601
    assert "has expired" in bench.decide(view).told
    bench.shop.write(lambda conn: None)
    ticker.Ticker(bench.shop).tick()
    assert bench.see(view.id).state == State.EXPIRED
    assert "has expired" in bench.decide(view, user="U3").told


def test_an_unknown_run_is_told(bench: Any) -> None:
    """And audited, with the id that was asked for."""
    view = bench.proposal().model_copy(update={"id": "r-nowhere"})
    assert bench.decide(view).told == "There is no run r-nowhere."
    assert bench.desk.audit()[-1].facts["run"] == "r-nowhere"


def test_when_slack_cannot_say_who_is_in_a_group(bench: Any) -> None:
    """The person is told so, nothing is decided, and the same click may be tried again."""

    class Away:
        def of(self, slack_group: str) -> frozenset[str]:
            raise Transient("Slack did not answer.", "Try again.")

    view, friends = bench.proposal(), bench.shop.membership
    object.__setattr__(bench.shop, "membership", Away())
    bench.shop.__dict__.pop("recent", None)  # nor does anybody remember
    assert bench.decide(view, user="U3", key="click").told.startswith("Slack did not answer. Nothing was decided")
    assert bench.desk.waiting_for("U3") == ()
    assert bench.desk.waiting_for("U2") == (view,)
    object.__setattr__(bench.shop, "membership", friends)
    assert bench.decide(view, user="U3", key="click").accepted


def test_what_waits_for_whom(bench: Any) -> None:
    """A person sees the proposals they may decide, not their own, the soonest to expire first."""
    first = bench.proposal("one")
    bench.now += 10
    second, own = bench.proposal("two"), bench.plan(bench.ask("three", by="U3"))
    assert [v.id for v in bench.desk.waiting_for("U3")] == [first.id, second.id]
    assert own.id in [v.id for v in bench.desk.waiting_for("U2")]
    assert bench.desk.waiting_for("U7") == ()
    assert len(bench.desk.waiting_for("U2", limit=1)) == 1


def test_while_the_store_is_away_a_decision_says_so(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another writer holds the store for longer than we wait: Transient, nothing decided."""
    monkeypatch.setattr(store, "BUSY", 0.2)
    view = bench.proposal()
    with store.writing(bench.shop.store), pytest.raises(Transient):
        bench.decide(view)
    assert bench.see(view.id).state == State.PROPOSED


def test_each_run_ends_with_one_line_in_the_log(bench: Any) -> None:
    """Who, what, how it ended and how long it took: however it ended, and once, though it is decided twice."""
    view = bench.proposal()
    with capture_logs() as lines:
        bench.decide(view, "deny")
        bench.decide(view, "cancel", "U1")
    (line,) = [line for line in lines if line["event"] == "run ended"]
    assert (line["run"], line["state"], line["asker"], line["digest"]) == (view.id, "denied", view.asker, view.digest)
    assert line["seconds"] >= 0


def test_a_reason_holds_only_what_a_database_takes(bench: Any) -> None:
    """A NUL in a reason does not make the denial fail on PostgreSQL."""
    outcome = bench.desk.decide(Decision(key="k", run=bench.proposal().id, verdict="deny", user="U2", reason="a\0b"))
    assert outcome.accepted
    assert bench.see(outcome.run).decisions[0].reason == "ab"
