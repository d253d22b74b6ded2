"""The outbox: the latest rendering, within Slack's limits, whatever Slack answers."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from bot.core.view import RunView, State
from bot.engine import messages, outbox, store
from bot.settings import Settings
from tests.waiting import until


def test_only_the_latest_rendering_is_sent(office: Any) -> None:
    """Three changes before the first look cost one post, of the third; then nothing waits."""
    for _ in range(3):
        office.change()
    assert office.send() is None
    assert office.slack.views("r-1/head") == [3]
    assert len(office.slack.calls) == 1
    with store.reading(office.engine) as conn:
        assert outbox.place(conn, "r-1") == ("C1", "0.0")
        assert outbox.place(conn, "r-2") is None


def test_an_older_wish_changes_nothing(office: Any) -> None:
    """Wanting a revision that is already shown makes nothing due."""
    revision = office.change()
    office.send()
    with store.writing(office.engine) as conn:
        outbox.want(conn, run="r-1", revision=revision, channel="C1", thread=None, due=0)
    assert office.send(10) is None
    assert len(office.slack.calls) == 1


def test_notes_wait_for_the_head_and_are_said_once(office: Any) -> None:
    """A note written before its head goes into the head's thread after it; the same name again says nothing."""
    office.note("reminder")
    assert office.send() is None
    office.change()
    office.note("reminder", text="again")
    office.settle()
    (note,) = [m for m in office.slack.messages.values() if m["key"] == "r-1/note-reminder"]
    assert (note["thread"], note["view"], note["channel"]) == ("0.0", ["text", "U7"], "C1")


def test_notes_of_a_head_in_a_thread_go_to_that_thread(office: Any) -> None:
    """Slack's threads have one level: a note on a reply is a reply beside it."""
    office.change(thread="77.7")
    office.note("a")
    office.settle()
    assert {m["thread"] for m in office.slack.messages.values()} == {"77.7"}


def test_one_post_a_second_in_a_channel_and_channels_side_by_side(office: Any) -> None:
    """Five runs in each of two channels take four seconds in both, never meet a 429, and none waits for the other's."""
    for number in range(5):
        for channel in ("C1", "C2"):
            office.change(f"r-{channel}-{number}", channel)
    start = office.slack.now
    office.settle()
    for channel in ("C1", "C2"):
        assert office.slack.posts[channel] == pytest.approx([start + n for n in range(5)], abs=0.1)
    assert {status for *_, status in office.slack.calls} == {200}


def test_progress_is_shown_every_two_seconds_and_the_end_at_once(office: Any) -> None:
    """Twenty changes in two seconds of applying are few updates; the final state does not wait for the two seconds."""
    office.change(state=State.APPLYING)
    office.send()
    for _ in range(20):
        office.change(state=State.APPLYING)
        office.send(0.1)
    assert len(office.calls("update")) <= 2
    revision = office.change(state=State.DONE)
    office.send(0.01)
    assert office.slack.views("r-1/head") == [revision]


def test_retry_after_is_kept_for_that_channel_only(office: Any) -> None:
    """After a 429 with thirty seconds the channel is left alone that long, while another channel is served."""
    office.slack.modes["C1"] = "busy"
    office.change("r-1", "C1")
    assert office.send() == pytest.approx(30)
    office.change("r-2", "C2")
    office.slack.modes["C1"] = "ok"
    office.send(29)
    assert office.slack.views("r-2/head") == [1]
    assert office.slack.views("r-1/head") == []
    office.send(1.5)
    assert office.slack.views("r-1/head") == [1]
    assert len(office.calls("post")) == 3
    assert office.calls("find") == []


def test_slack_down_is_never_given_up_on(office: Any) -> None:
    """Over an hour without Slack the attempts get rarer, at most two a minute; minutes after its return all is shown."""
    office.slack.modes["C1"] = "down"
    office.change()
    start = office.slack.now
    while office.slack.now < start + 3600:
        office.slack.now += max(office.sender.send_due() or 0, 0.01)
    assert 60 < len(office.slack.calls) < 3600 / 15 + 10
    with store.reading(office.engine) as conn:
        (told,) = outbox.troubles(conn)
        assert (told.run, told.trouble.what) == ("r-1", "Slack did not answer.")
        assert outbox.lag(conn, office.slack.now)[0] in (0, 1)
    office.slack.modes["C1"] = "ok"
    end = office.slack.now
    office.settle()
    assert office.slack.now - end < 60
    assert office.slack.views("r-1/head") == [1]
    with store.reading(office.engine) as conn:
        assert outbox.troubles(conn) == ()
        assert outbox.lag(conn, office.slack.now) == (0, 0.0)


def test_a_slack_that_is_down_is_not_asked_for_every_message(office: Any) -> None:
    """With a hundred messages waiting and Slack away, the sender rests instead of running into a hundred time-outs."""
    for number in range(100):
        office.change(f"r-{number}", f"C{number}")
        office.slack.modes[f"C{number}"] = "down"
    assert office.send() > 0.5
    assert len(office.slack.calls) == outbox.DOWN
    office.slack.modes.clear()
    office.settle()
    assert all(office.slack.views(f"r-{n}/head") == [1] for n in range(100))


def test_a_refusal_is_told_and_tried_again_hourly(office: Any) -> None:
    """A channel that is gone marks the row with its sentence; an hour later, invited back, the message appears."""
    office.slack.modes["C1"] = "gone"
    office.change()
    office.note("waits")
    assert office.send() == pytest.approx(3600)
    office.change()
    office.send(3000)
    assert len(office.slack.calls) == 1
    with store.reading(office.engine) as conn:
        (told,) = outbox.troubles(conn, run="r-1")
    assert (told.slot, told.channel, told.trouble.what, told.trouble.now) == (
        "head",
        "C1",
        "The channel is gone.",
        "Invite the bot.",
    )
    office.slack.modes["C1"] = "ok"
    office.send(601)
    assert office.slack.views("r-1/head") == [2]
    assert office.calls("find") == [], "what was refused was not posted"


def test_a_broken_view_does_not_hold_up_the_others(office: Any) -> None:
    """A run whose view cannot be made waits with its trouble, by class name only, and the others are sent."""

    def view_of(run: str) -> RunView | None:
        if run == "r-bad":
            raise ValueError("text that must not travel")
        return office.runs.get(run)

    office.sender = outbox.Sender(office.engine, office.wire, view_of, lambda: office.slack.now)
    office.change("r-bad", "C1")
    office.change("r-good", "C1")
    office.send()
    assert office.slack.views("r-good/head") == [1]
    with store.reading(office.engine) as conn:
        (told,) = outbox.troubles(conn)
    assert (told.run, told.trouble.what) == ("r-bad", "The message could not be made or sent (ValueError).")


def test_a_run_that_is_gone_is_let_go(office: Any) -> None:
    """A row whose run is no longer there is not tried for ever, and forgetting removes the rows."""
    office.change()
    office.runs.clear()
    assert office.send() is None
    with store.writing(office.engine) as conn:
        outbox.forget(conn, ["r-1"])
        assert conn.execute(sa.select(sa.func.count()).select_from(messages.message)).scalar() == 0


def test_the_loop_sends_what_another_process_wrote_and_stops(office: Any) -> None:
    """The thread notices a new row when it is woken, within a second when it is not, and ends when told to."""
    stop, wake = threading.Event(), threading.Event()
    thread = threading.Thread(target=office.sender.run, args=(stop, wake), daemon=True)
    thread.start()
    office.change("r-1", "C1")
    wake.set()
    until(lambda: office.slack.views("r-1/head") == [1])
    office.change("r-2", "C2")
    until(lambda: office.slack.views("r-2/head") == [1])
    stop.set()
    wake.set()
    thread.join(60)
    assert not thread.is_alive()


def test_the_loop_outlives_a_store_that_is_away(office: Any, tmp_path: Path) -> None:
    """Without its tables the sender stumbles and goes on; when they come, it sends."""
    office.engine = store.connect(Settings(data_dir=tmp_path))
    office.sender = office.another()
    stop, wake = threading.Event(), threading.Event()
    thread = threading.Thread(target=office.sender.run, args=(stop, wake), daemon=True)
    thread.start()
    with store.writing(office.engine) as conn:
        store.metadata.create_all(conn, tables=[messages.message, messages.message_pace])
    office.change()
    wake.set()
    until(lambda: office.slack.views("r-1/head") == [1])
    stop.set()
    wake.set()
    thread.join(60)
    assert not thread.is_alive()
    office.engine.dispose()


def test_a_store_that_is_away_for_a_moment_holds_up_no_message(office: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Slack has the message when the store goes away: when it is back, the row does not wait for its lease to end."""
    monkeypatch.setattr(outbox, "LOOK", 0.05)

    def away(moment: str) -> None:
        if moment == "after" and not gone.is_set():
            with store.writing(office.engine) as conn:
                conn.execute(sa.text("ALTER TABLE message RENAME TO message_away"))
            gone.set()

    stop, gone, office.wire._maybe_die = threading.Event(), threading.Event(), away
    office.change()
    thread = threading.Thread(target=office.sender.run, args=(stop,), daemon=True)
    thread.start()
    assert gone.wait(60)
    with store.writing(office.engine) as conn:
        conn.execute(sa.text("ALTER TABLE message_away RENAME TO message"))
    office.slack.now += 6  # until the post is looked for; its lease would be much longer
    until(lambda: office.slack.calls and office.slack.calls[-1][1] == "update")
    assert office.slack.views("r-1/head") == [1]
    stop.set()
    thread.join(60)
