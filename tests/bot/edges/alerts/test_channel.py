"""Messages of the integrations become notices; everything else that is said in the channel does not."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.alert import Notice
from bot.edges.alerts import channel

NAME = "armada-deploy/armada_kubx_deployer_redhat_auth"
TITLE = f"[FIRING:1] {NAME} us-south (armada-kubx-deployer critical)"
LOG = "can't get access token: invalid_grant: Offline user session not found"
OURS = frozenset({"U0HIVEKEEP", "B0HIVEKEEP"})
TS = "1767323045.000100"


def knows(text: str) -> bool:
    return "invalid_grant" in text


def attachment(title: str = TITLE, **more: Any) -> dict[str, Any]:
    link = "http://alertmanager.example.com/#/alerts?receiver=chatops"
    return {
        "id": 1,
        "color": "a30200",
        "fallback": f"{title} | <{link}>",
        "title": title,
        "title_link": link,
        "mrkdwn_in": ["fallback", "pretext", "text"],
        **more,
    }


def posted(*attachments: dict[str, Any], **more: Any) -> dict[str, Any]:
    """As Alertmanager's Slack receiver makes Slack send it: no text at all."""
    return {
        "type": "message",
        "subtype": "bot_message",
        "bot_id": "B0ALERTS",
        "username": "Alertmanager",
        "text": "",
        "ts": TS,
        "event_ts": TS,
        "channel": "C0ONCALL",
        "attachments": list(attachments),
        **more,
    }


def edited(now: dict[str, Any], before: dict[str, Any] | None, at: str = "1767323345.000200") -> dict[str, Any]:
    event = {"type": "message", "subtype": "message_changed", "channel": "C0ONCALL", "ts": at, "event_ts": at}
    return {**event, "message": now, **({"previous_message": before} if before else {})}


def read(event: dict[str, Any], event_id: str = "Ev1") -> Notice | None:
    return channel.notice(event, event_id, OURS, knows)


def told(event: dict[str, Any], event_id: str = "Ev1") -> Notice:
    found = read(event, event_id)
    assert found is not None
    return found


def test_alertmanagers_message_is_an_alert() -> None:
    """Though its text is empty: name and status from the title, the thread to answer in, the time of the message."""
    found = told(posted(attachment()))
    (one,) = found.alerts
    assert (one.name, one.status, one.starts_at) == (NAME, "firing", 1767323045.0001)
    assert (found.origin, found.channel, found.ts, found.truncated) == ("channel", "C0ONCALL", TS, 0)
    assert found.text == TITLE
    assert found.link.startswith("http://alertmanager.example.com/")


def test_a_resolved_message_is_of_the_same_alert() -> None:
    """It comes as a message of its own, with other common labels perhaps; its identity is the group's."""
    firing = told(posted(attachment())).alerts[0]
    over = told(posted(attachment(f"[RESOLVED] {NAME} us-south (critical)"), ts="1767323345.000200")).alerts[0]
    assert (over.identity, over.status) == (firing.identity, "resolved")
    assert over.ends_at is not None
    assert firing.starts_at < over.ends_at
    other = told(posted(attachment(TITLE.replace("us-south", "eu-de")))).alerts[0]
    assert other.identity != firing.identity


def test_an_edit_updates_and_a_second_edit_fires_anew() -> None:
    """Firing, edited to resolved, edited to firing: the same message, the last one a new occurrence."""
    firing, over = posted(attachment()), posted(attachment(f"[RESOLVED] {NAME} us-south"))
    end = told(edited(over, firing), "Ev2")
    assert (end.alerts[0].status, end.alerts[0].starts_at, end.ts) == ("resolved", 1767323045.0001, TS)
    again = told(edited(firing, over, "1767323645.000300"), "Ev3")
    assert (again.alerts[0].status, again.alerts[0].starts_at, again.ts) == ("firing", 1767323645.0003, TS)
    assert len({told(firing).key, end.key, again.key}) == 3


def test_an_edit_that_says_nothing_new_is_nothing() -> None:
    """Slack edits messages to add replies and previews; without knowing what was before, it counts."""
    before = posted(attachment())
    assert read(edited({**before, "reply_count": 2, "thread_ts": TS}, before)) is None
    assert read(edited(before, None)) is not None


def test_a_delivery_again_is_the_same_notice() -> None:
    """Slack repeats an event under its event_id."""
    assert told(posted(attachment())).key == told(posted(attachment())).key
    assert told(posted(attachment()), "Ev2").key != told(posted(attachment())).key


def test_a_group_tells_how_many_it_does_not_name() -> None:
    """A title that counts five, without a list, is one alert and four left out."""
    assert told(posted(attachment(TITLE.replace("FIRING:1", "FIRING:5")))).truncated == 4


def test_grafanas_body_gives_the_labels() -> None:
    """Each alert it lists, with Slack's escapes taken back and links unlinked."""
    body = (
        f"**Firing**\n\nValue: A=1\nLabels:\n - alertname = {NAME}\n - region = us-south\n - note = a &lt; b &amp; c\n"
        "Annotations:\n - summary = bad\nSource: <https://grafana.example.com/x>\n"
    )
    found = told(posted(attachment("[FIRING:1] Auth Folder", text=body, footer="Grafana v11"), username="Grafana"))
    (one,) = found.alerts
    assert one.labels == {"alertname": NAME, "region": "us-south", "note": "a < b & c"}
    assert one.link == "https://grafana.example.com/x"
    assert one.annotations == {"summary": "bad"}


def test_fields_that_name_labels_are_labels() -> None:
    """So a region can be told in Alertmanager's own message; the name cannot be put over."""
    fields = [
        {"title": "Region", "value": "us-south"},
        {"title": "How to", "value": "x"},
        {"title": "alertname", "value": "y"},
        7,
    ]
    assert told(posted(attachment(fields=fields))).alerts[0].labels == {"alertname": NAME, "region": "us-south"}


@pytest.mark.parametrize(
    ("words", "status"), [("Triggered", "firing"), ("Resolved", "resolved"), ("Unresolved", "firing")]
)
def test_pagerdutys_message_is_its_incident(words: str, status: str) -> None:
    """Its layout is unknown, the incident's address is not: the same identity as by webhook."""
    text = f"{words} <https://acme.pagerduty.com/incidents/PINCIDENT1|[#7] {TITLE}>"
    for message in (
        posted(text=text, username="PagerDuty"),
        posted(attachment("x", text=text), bot_profile={"name": "PagerDuty"}, username=None),
        posted(blocks=[{"type": "section", "text": {"type": "mrkdwn", "text": text}}], username="PagerDuty"),
    ):
        (one,) = told(message).alerts
        assert (one.identity, one.status, one.name) == ("PINCIDENT1", status, NAME)


def test_an_answer_in_a_thread_is_answered_there() -> None:
    """An alert posted as a reply belongs to the thread's first message."""
    assert told(posted(attachment(), thread_ts="1767320000.000001")).ts == "1767320000.000001"


def test_a_posted_log_is_told_as_text() -> None:
    """By a person, by a CI bot, in a snippet: what a handler recognises is a notice with the text."""
    person = {"type": "message", "user": "U0ASKER", "ts": TS, "channel": "C0ONCALL", "text": f"why?\n```{LOG}```"}
    snippet = {**person, "text": "", "subtype": "file_share", "files": [{"preview": LOG}]}
    bot = posted(attachment("Build failed", text=LOG), username="CI")
    for message in (person, snippet, bot):
        found = told(message)
        assert (found.alerts, found.ts) == ((), TS)
        assert LOG in found.text


@pytest.mark.parametrize(
    "message",
    [
        {"user": "U0ASKER", "text": f"did {NAME} fire again? [FIRING:1] looks odd"},
        {"user": "U0ASKER", "text": "see", "attachments": [attachment(from_url="https://am.example.com/")]},
        {"user": "U0ASKER", "text": "see", "attachments": [attachment()]},
        {"bot_id": "B0CI", "text": "Build 7 passed"},
        {"bot_id": "B0CI", "text": "", "attachments": [attachment("Deploy done")]},
        {"bot_id": "B0CI", "text": "see", "attachments": [attachment(from_url="https://am.example.com/")]},
        {"bot_id": "B0CI", "text": "page <https://acme.pagerduty.com/incidents/PX|x>"},
        {"bot_id": "B0HIVEKEEP", "text": "", "attachments": [attachment()]},
        {"user": "U0HIVEKEEP", "text": LOG},
        {"subtype": "channel_join", "user": "U0ASKER", "text": LOG},
        {"subtype": "message_deleted", "previous_message": posted(attachment())},
        {},
    ],
)
def test_chatter_is_nothing(message: dict[str, Any]) -> None:
    """People, other bots, previews of links, ourselves, joins and deletions."""
    assert read({"type": "message", "ts": TS, "channel": "C0ONCALL", **message}) is None
    assert read(edited({"ts": TS, **message}, None)) is None


def test_our_edits_are_ours() -> None:
    """What we change in our own message is not an alert either."""
    ours = posted(attachment(), bot_id="B0HIVEKEEP")
    assert read(edited(ours, None)) is None


ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.just(TITLE) | st.just("B0X"),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["title", "text", "fallback", "fields", "value", "title_link", "blocks", "preview", "name"]
            ),
            inner,
        )
    ),
    max_leaves=10,
)


@given(
    st.dictionaries(
        st.sampled_from(["text", "attachments", "blocks", "files", "bot_id", "user", "username", "bot_profile",
                         "thread_ts", "ts", "channel", "subtype", "event_ts", "message", "previous_message"]),
        ODD,
    )
)  # fmt: skip
def test_any_message_is_a_notice_or_nothing(message: dict[str, Any]) -> None:
    """No shape of a message is an error, and a notice can be stored."""
    for event in (posted(**message), edited(posted(**message), message)):
        found = channel.notice(event, "Ev1", OURS, knows)
        if found is not None:
            assert Notice.model_validate_json(found.model_dump_json()) == found
