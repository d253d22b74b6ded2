"""Looking into an incident: what is found is stored once, changes are told, failures too, and pictures are few."""

from __future__ import annotations

from typing import Any

import pytest

from bot.core.diagnosis import Chart, Diagnosis, Mood, RunbookStep, Series
from bot.core.errors import Refused, Transient
from bot.core.incident import IncidentState
from bot.core.ports import Place
from bot.engine import messages, tables, watching
from bot.engine.ticker import Ticker


def chart(n: float) -> Chart:
    return Chart(
        title="Logins", unit="failures", series=(Series(name="jwt", points=((n, 1.0), (n + 60, None))),), alt="one"
    )


def found(verdict: str = "failing", mood: Mood = Mood.BAD, **more: Any) -> Diagnosis:
    return Diagnosis(verdict=verdict, mood=mood, title=f"It is {verdict}", **more)


OVER = found("recovered", Mood.WATCH, over=True)


def test_a_diagnosis_is_stored_and_shown(story: Any) -> None:
    """Whole, with the time of the look and of the next; the message is wanted at the new revision; nothing is told in
    the thread of a first verdict, which the message itself tells."""
    id = story.hear()
    diagnosis = found(chart=chart(1), steps=(RunbookStep(name="cie", text="Open a CIE"),), reason=("10 of 10 fail",))
    view = story.look(diagnosis)
    assert view.diagnosis == diagnosis
    assert (view.looked_at, view.next_look_at) == (story.bench.now, story.bench.now + 60)
    (head,) = story.row(messages.message, run=id, slot="head")
    assert head.wanted == view.revision
    assert story.notes() == []
    (subject,) = story.seen
    assert (subject.incident, subject.key, [a.identity for a in subject.alerts], subject.began) == (
        id,
        "",
        ["a"],
        story.bench.now,
    )


def test_a_look_counts_once(story: Any) -> None:
    """Work that is done again after a crash finds that its turn is over, and calls no handler."""
    story.hear()
    first = story.look()
    assert story.look(OVER) == first
    assert len(story.seen) == 1


def test_a_change_of_the_verdict_is_told_once(story: Any) -> None:
    """With what it is and what it was; in the audit as well. The same verdict again is silent."""
    story.hear()
    story.look(found("jwt_failing"))
    for _ in range(2):
        story.bench.now += 60
        Ticker(story.bench.shop).tick()
        story.look(found("both_failing"))
    assert story.notes() == ["Now bad (both failing): It is both_failing. It was bad (jwt failing): It is jwt_failing."]
    assert story.bench.audited() == ["incident_opened", "diagnosed", "diagnosed"]


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (Refused("Prometheus said no (401).", "Check its password."), "Prometheus said no (401). Check its password."),
        (Transient("Prometheus did not answer.", "Try later."), "Prometheus did not answer. Try later."),
        (ValueError("foreign text"), "an error that the bot does not know (ValueError"),
    ],
)  # fmt: skip
def test_a_diagnosis_that_fails_is_told_once(story: Any, error: Exception, told: str) -> None:
    """In our words; what was known stays, and the next look comes. When it works again, the trouble is gone."""
    story.hear()
    story.look()
    for _ in range(2):
        story.bench.now += 120
        Ticker(story.bench.shop).tick()
        view = story.look(error)
    (note,) = story.notes()
    assert told in note
    assert "foreign text" not in f"{note}{view}"
    assert view.trouble.what in note
    assert view.diagnosis.verdict == "failing"
    assert view.next_look_at == story.bench.now + 60
    assert len(story.seen) == (1 + 3 + 3 if isinstance(error, Transient) else 3)
    story.bench.now += 120
    Ticker(story.bench.shop).tick()
    assert story.look(found()).trouble is None


@pytest.mark.parametrize("nothing", [None, "a text", {"verdict": "x"}])
def test_what_is_no_diagnosis_is_a_failure(story: Any, nothing: Any) -> None:
    """A handler that gives something else does not hurt the engine."""
    story.hear()
    story.finds = nothing
    assert "TypeError" in story.look().trouble.what


def test_a_handler_that_is_gone_is_told(story: Any) -> None:
    """An incident may outlive its handler, by a deploy."""
    story.hear()
    story.answered_by()
    assert "no alert handler sso" in story.look().trouble.what


def test_pictures_are_few(story: Any) -> None:
    """One at first, one for each new verdict, and one in half an hour while the verdict stays; never the same again."""
    story.hear()
    story.look(found(chart=chart(0)))
    (row,) = story.row(messages.message, slot="chart")
    wanted = [row.wanted]
    for n in range(1, 40):
        story.bench.now += 60
        Ticker(story.bench.shop).tick()
        story.look(found("failing" if n < 35 else "worse", chart=chart(n)))
        wanted += [row.wanted for row in story.row(messages.message, slot="chart")]
    assert wanted[:30] == [1] * 30
    assert wanted[30:35] == [2] * 5
    assert wanted[35:] == [3] * 5


def test_a_look_after_the_end_changes_nothing(story: Any) -> None:
    """Closed by a person while the handler was looking."""
    id = story.hear()
    story.desk.incident_action("k", id, "U1", "close")
    view = story.look()
    assert (view.state, view.diagnosis) == (IncidentState.CLOSED, None)
    (row,) = story.row(tables.incident)
    assert row.looked_turn == row.look_turn == 1


def test_news_during_a_look_are_looked_into_afterwards(story: Any) -> None:
    """But not at once: a storm costs one look in five seconds."""
    story.hear()
    for n in range(50):
        story.hear(name=f"b{n}")
    view = story.look()
    assert view.next_look_at == story.bench.now + watching.APART
    Ticker(story.bench.shop).tick()
    assert story.row(tables.incident)[0].look_turn == 1
    story.bench.now += watching.APART
    Ticker(story.bench.shop).tick()
    assert story.row(tables.incident)[0].look_turn == 2
    assert story.bench.shop.queues.state("diagnose", view.id, 2) == "waiting"


class Board:
    """Slack as a list of calls. An upload can be lost on its way back."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.there: set[str] = set()
        self.lost = 0

    def post(self, place: Place, view: Any, key: str) -> str:
        self.calls.append(("post", place, key))
        return f"ts-{key}"

    def update(self, place: Place, ts: str, view: Any) -> None:
        self.calls.append(("update", place, ts))

    def find(self, place: Place, key: str) -> str | None:
        self.calls.append(("find", place, key))
        return "ts" if key in self.there else None

    def upload(self, place: Place, picture: Chart, key: str) -> None:
        self.calls.append(("upload", place, key))
        self.there.add(key)
        if self.lost:
            self.lost -= 1
            raise Transient("Slack did not answer.", "")


def test_the_picture_comes_after_the_message_in_its_thread(story: Any) -> None:
    """With a key of its own for each picture, so that the next one is another."""
    board = Board()
    sender = story.sender(board)
    id = story.hear(channel="C7", ts="7.7", origin="channel")
    story.look(found(chart=chart(1)))
    send_all(story, sender)
    thread = Place(channel="C7", thread="7.7")
    assert board.calls == [("post", thread, f"{id}/head"), ("upload", thread, f"{id}/chart-1")]
    story.bench.now += 60
    Ticker(story.bench.shop).tick()
    story.look(found("worse", chart=chart(2)))
    send_all(story, sender)
    assert [c[::2] for c in board.calls[2:] if c[0] == "upload"] == [("upload", f"{id}/chart-2")]


def test_a_picture_of_unknown_outcome_is_looked_for(story: Any) -> None:
    """And not uploaded twice."""
    board = Board()
    board.lost = 1
    story.hear()
    story.look(found(chart=chart(1)))
    for _ in range(3):
        send_all(story, story.sender(board))
        story.bench.now += 60
    assert [call[0] for call in board.calls] == ["post", "upload", "find"]


def send_all(story: Any, sender: Any) -> None:
    while (pause := sender.send_due()) is not None and pause < 5:
        story.bench.now += pause


def test_updates_of_a_story_are_three_seconds_apart(story: Any) -> None:
    """A storm of notices is one post and few updates, and the last one shows the last state."""
    board = Board()
    sender = story.sender(board)
    for n in range(100):
        story.hear(name=f"h{n}")
        sender.send_due()
        story.bench.now += 0.1
    send_all(story, sender)
    kinds = [call[0] for call in board.calls]
    assert kinds.count("post") == 1
    assert kinds.count("update") <= 5
    (head,) = story.row(messages.message, slot="head")
    assert (head.shown, head.due_at) == (story.view.revision, None)


def test_the_document_holds_no_infinity(story: Any) -> None:
    """Numbers that no database takes are gaps in the picture."""
    story.hear()
    endless = Chart(
        title="x", unit="", series=(Series(name="s", points=((1.0, float("nan")), (2.0, float("inf")))),), alt=""
    )
    view = story.look(found(chart=endless))
    assert view.diagnosis.chart.series[0].points == ((1.0, None), (2.0, None))
