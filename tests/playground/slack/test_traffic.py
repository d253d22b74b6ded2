"""The inspector's log holds no token of the bot's, and nothing that was typed into an input for secrets."""

from __future__ import annotations

import json

from playground.slack.traffic import Traffic


def test_tokens_and_secrets_are_masked_wherever_they_stand():
    """In a request and in its answer, at any depth; everything else stays as it was."""
    told = []
    traffic = Traffic(told.append)
    traffic.mask("xoxb-made-up")
    values = {
        "secret": {"value": {"type": "plain_text_input", "value": "typed-made-up"}},
        "reason": {"value": {"type": "plain_text_input", "value": "because"}},
    }
    payload = {"payload": [{"view": {"id": "V1", "state": {"values": values}}}], "token": "xoxb-made-up"}
    traffic.add("to_bot", "view_submission", "ok", 1.0, payload, {"echo": payload})
    shown = json.dumps(traffic.after(0))
    assert told == traffic.after(0)
    assert "typed-made-up" not in shown
    assert "xoxb-made-up" not in shown
    assert shown.count("because") == 2
    assert values["secret"]["value"]["value"] == "typed-made-up", "the bot still gets it"
