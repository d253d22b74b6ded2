"""Notes, such as what is told of credentials: a line, whom it calls, and more lines under it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bot.core.view import NoteView
from bot.edges import render
from tests.bot.edges.shown import shown


def test_the_lines_stand_under_what_is_said() -> None:
    """Whom it calls comes first; the notification has the first line."""
    note = NoteView(
        run="alarm-x", text="1 needs somebody.", mention=("S0GROUP",), lines=("🔔 dev/a: *soon*", "✅ b: over")
    )
    message = render.note_message(note)
    assert shown(message) == "<!subteam^S0GROUP> 1 needs somebody.\n🔔 dev/a: ∗soon∗\n✅ b: over"
    assert message.text == "<!subteam^S0GROUP> 1 needs somebody."


@given(text=st.text(max_size=3000), lines=st.lists(st.text(max_size=600), max_size=12))
def test_any_note_becomes_a_message_that_calls_only_who_it_says(text: str, lines: list[str]) -> None:
    """Within Slack's limits; a line stays one line."""
    message = render.note_message(NoteView(run="r", text=text, lines=tuple(lines)))
    told = shown(message)
    assert "<@" not in told
    assert "<!" not in told
    assert told.count("\n") <= len(lines)
