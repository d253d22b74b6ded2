"""The outbox across crashes, lost answers and several senders: nothing lost, nothing twice."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from bot.core.ports import Place
from bot.core.view import State


def test_a_post_of_unknown_outcome_is_looked_for_before_it_is_repeated(office: Any) -> None:
    """Slack stored the message but the answer was lost: it is found, brought up to date, and never posted twice."""
    office.slack.modes["C1"] = "lost"
    office.change()
    office.note("n")
    office.send()
    office.change()
    office.slack.modes["C1"] = "ok"
    office.settle()
    assert office.slack.views("r-1/head") == [2]
    assert len(office.slack.views("r-1/note-n")) == 1
    assert len(office.calls("find")) == 1


def test_an_update_that_is_carried_out_late_does_not_stay(office: Any) -> None:
    """Slack did not answer, and shows the old revision only after the next one: that is not how it stays."""
    office.change()
    office.send()
    office.slack.modes["C1"] = "late"
    office.change(state=State.APPROVED)
    office.send()
    office.slack.modes["C1"] = "ok"
    office.change(state=State.DONE)
    office.settle()
    assert office.slack.views("r-1/head") == [3]
    assert [status for *_, status in office.calls("update")] == [503, 200, 200]


def test_a_refused_search_leads_to_no_second_post(office: Any) -> None:
    """While Slack refuses to be searched, a post of unknown outcome stays unknown; it is not repeated on chance."""
    office.slack.modes["C1"] = "lost"
    office.change()
    office.send()
    office.slack.modes["C1"] = "gone"
    office.send(10)
    office.slack.modes["C1"] = "ok"
    office.settle()
    assert office.slack.views("r-1/head") == [1]
    assert [status for *_, status in office.calls("find")] == [404, 200]


@pytest.mark.parametrize("method", ["post", "update"])
def test_a_change_during_a_call_is_not_lost(office: Any, method: str) -> None:
    """The run changes while its message is on the way to Slack: the newer revision follows."""
    real = office.wire

    class Overtaken(type(real)):
        def post(self, place: Place, view: Any, key: str) -> str:
            office.change()
            return real.post(place, view, key)

        def update(self, place: Place, ts: str, view: Any) -> None:
            if office.runs["r-1"].revision < 4:
                office.change()
            real.update(place, ts, view)

    if method == "update":
        office.change()
        office.send()
    office.wire = Overtaken(office.slack)
    office.sender = office.another()
    office.change()
    office.settle()
    assert office.slack.views("r-1/head") == [office.runs["r-1"].revision] == [4]


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_crash_around_a_post_neither_loses_nor_doubles(office: Any, moment: str) -> None:
    """A process that dies right before or right after Slack took the post leaves one message, after the restart."""
    office.wire.dies = moment
    office.change()
    with pytest.raises(office.killed):
        office.send()
    office.sender = office.another()
    office.settle()
    assert office.slack.views("r-1/head") == [1]
    assert office.slack.now < 1000 + 10, "on SQLite the dead process's lease does not have to run out"


def test_several_senders_share_the_work(office: Any) -> None:
    """Three senders at once on sixty messages in sixty channels: each is posted once."""
    for number in range(60):
        office.change(f"r-{number}", f"C{number}")
    senders = [office.sender, office.another(), office.another()]
    for sender in senders:
        sender._take_over()
    threads = [threading.Thread(target=sender.send_due) for sender in senders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [office.slack.views(f"r-{n}/head") for n in range(60)] == [[1]] * 60
    assert len(office.slack.calls) == 60


def test_a_sender_that_was_stopped_for_long_does_not_spoil_the_row(office: Any) -> None:
    """A sender comes back from an update after its lease, when another has taken over: the latest is shown in the end."""
    office.change()
    office.send()
    slow, real = office.another(), office.wire

    class Stuck(type(office.wire)):
        def update(self, place: Place, ts: str, view: Any) -> None:
            office.slack.now += 100
            newest = office.change()
            office.sender.send_due()
            assert office.slack.views("r-1/head") == [newest]
            real.update(place, ts, view)

    slow._take_over()
    slow._messenger = Stuck(office.slack)
    office.change()
    slow._round()
    assert office.slack.views("r-1/head") == [2], "the late update has overwritten the newer one"
    office.settle()
    assert office.slack.views("r-1/head") == [3]


RUNS = st.sampled_from(["r-1", "r-2", "r-3"])
CHANNEL = {"r-1": "C1", "r-2": "C1", "r-3": "C2"}
EVENTS = st.one_of(
    st.tuples(st.just("change"), RUNS, st.sampled_from(list(State))),
    st.tuples(st.just("note"), RUNS, st.sampled_from(["a", "b"])),
    st.tuples(
        st.just("mode"), st.sampled_from(["C1", "C2"]), st.sampled_from(["ok", "down", "busy", "gone", "lost", "late"])
    ),
    st.tuples(st.just("send"), st.floats(0, 40), st.none()),
    st.tuples(st.just("die"), st.sampled_from(["before", "after"]), st.floats(0, 10)),
)


@examples(max_examples=examples.default.max_examples * 3 // 5, deadline=None)
@given(events=st.lists(EVENTS, max_size=25))
def test_whatever_happens_slack_shows_the_truth_once(fresh_office: Callable[[], Any], events: list[Any]) -> None:
    """After any order of changes, outages, lost answers, 429s and crashes: when Slack is well again, each run has one
    message with its latest revision and each note is there once; no two posts in a channel were within a second."""
    office, notes = fresh_office(), set()
    for kind, one, other in events:
        match kind:
            case "change":
                office.change(one, CHANNEL[one], other)
            case "note":
                office.note(other, one)
                notes.add(f"{one}/note-{other}")
            case "mode":
                office.slack.modes[one] = other
            case "send":
                office.send(one)
            case "die":
                office.wire.dies = one
                try:
                    office.send(other)
                except office.killed:
                    office.sender = office.another()
                office.wire.dies = ""
    office.slack.modes.clear()
    office.settle()
    assert {run: office.slack.views(f"{run}/head") for run in office.runs} == {
        run: [v.revision] for run, v in office.runs.items()
    }
    for note in notes:
        assert len(office.slack.views(note)) == (note.split("/")[0] in office.runs)
    assert office.slack.early == 0
