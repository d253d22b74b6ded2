"""What a person typed, as Slack hands it over."""

from __future__ import annotations

import pytest

from bot.edges.payloads import Command

BODY = {"command": "/c", "user_id": "U1A", "channel_id": "C1A", "trigger_id": "1.2.3"}


@pytest.mark.parametrize(
    ("sent", "typed"),
    [("a &amp; b", "a & b"), ("&lt;x&gt;", "<x>"), ("&amp;lt;", "&lt;"), ("plain", "plain"), ("", "")],
)
def test_entities_are_read_as_the_characters_typed(sent: str, typed: str) -> None:
    """Each entity is read once: what looks like one after reading was typed so."""
    assert Command.of({**BODY, "text": sent}).text == typed
