"""Any incident, however hostile its texts, becomes a message that Slack takes and that answers what people ask."""

from __future__ import annotations

import itertools
import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.core.alert import Alert
from bot.core.diagnosis import Diagnosis, Mood, Offer, RunbookStep
from bot.core.incident import IncidentState, IncidentView, Tick
from bot.core.plan import Note, Table
from bot.core.view import Trouble
from bot.edges import blocks, lists, offers, render
from playground.slack import rules

NOW = 1_900_000_000.0
OPEN_CIE = Offer(label="Open a CIE", command="open-cie", ask={"region": "us-south"}, danger=True)
BOTH = Diagnosis(
    verdict="both_failing",
    mood=Mood.BAD,
    title="Neither jwt nor token logs in to Red Hat in us-south",
    reason=("Both methods are failing: no login is left. CIE.", "jwt: 311 failed and 5 succeeded within the hour."),
    since=NOW - 5400,
    evidence=(Note(label="CIE", text="needed"),),
    table=Table(head=("method", "status", "count"), rows=(("jwt", "failed", "311"), ("token", "failed", "311"))),
    links=(Note(label="Prometheus", text="https://prometheus.example.com/graph?g0.expr=a%7B%7D&g0.range_input=3h"),),
    unchecked=(Note(label="quay.io's status page", text="Open https://status.quay.io/ and look for incidents."),),
    steps=(
        RunbookStep(name="open-cie", text="Open a CIE.", offer=OPEN_CIE),
        RunbookStep(name="contact-support", text="Contact Red Hat support."),
    ),
    offers=(Offer(label="Page the squad", command="escalate"),),
    runbook="diagnose-redhat-auth",
)
OPEN = IncidentView(
    id="i-abc2345",
    revision=3,
    handler="redhat-auth",
    key="us-south",
    state=IncidentState.OPEN,
    opened_at=NOW - 900,
    looked_at=NOW,
    next_look_at=NOW + 120,
    firing=2,
    resolved=1,
    notices=3,
    alerts=(Alert(identity="1", status="firing", labels={"alertname": "redhat_auth"}, starts_at=NOW - 900),),
    diagnosis=BOTH,
)


def also(**more: Any) -> IncidentView:
    return OPEN.model_copy(update=more)


def shown(message: render.Message) -> str:
    return "\n".join(blocks.texts(message.blocks))


def buttons(message: render.Message) -> list[dict[str, Any]]:
    given = [block.get("accessory") for block in message.blocks]
    given += [element for block in message.blocks if block["type"] == "actions" for element in block["elements"]]
    return [one for one in given if one]


def place_of(message: render.Message, words: str) -> int:
    """The index of the first block that says it."""
    return next(n for n, block in enumerate(message.blocks) if any(words in text for text in blocks.texts(block)))


def test_it_answers_in_the_order_in_which_people_ask() -> None:
    """What fails; since when and whether it goes on; why; the counts; what to check by hand; what to do."""
    message = render.incident_message(OPEN)
    asked = ["Neither jwt nor token", "Since ", "no login is left", "method", "by hand", "What to do now", "Alerts:"]
    places = [place_of(message, words) for words in asked]
    assert places == sorted(places)
    assert message.blocks[0]["text"]["text"] == "🔴 Failing: Neither jwt nor token logs in to Red Hat in us-south"
    assert "*Still failing* at the last look" in shown(message)
    assert "(90 min)" in shown(message)
    assert "*CIE*: needed" in shown(message)


def test_the_notification_tells_it_without_the_blocks() -> None:
    """What, since when, whether still, and the reason; plain words."""
    assert render.incident_message(OPEN).text == (
        "Failing: Neither jwt nor token logs in to Red Hat in us-south since 2030-03-17 16:16 UTC; still failing. "
        "Both methods are failing: no login is left. CIE. Incident i-abc2345."
    )


def test_the_notification_of_an_end_says_when_it_began() -> None:
    """That logins work again "since" the begin of the trouble is what nobody may read."""
    over = BOTH.model_copy(update={"over": True, "mood": Mood.WATCH, "title": "Logins work again"})
    told = render.incident_message(also(diagnosis=over)).text
    assert told.startswith("Over: Logins work again; it began 2030-03-17 16:16 UTC; nothing is failing now.")


def test_of_what_is_closed_nobody_says_that_it_still_fails() -> None:
    """Nobody looks any more, so what is known is of the last look."""
    told = render.incident_message(also(state=IncidentState.CLOSED, closed_at=NOW)).text
    assert told.startswith("Closed: ")
    assert "; still failing at the last look." in told


def test_what_began_before_all_that_was_read() -> None:
    """The begin of what was read is not told as the begin of the trouble."""
    message = render.incident_message(also(diagnosis=BOTH.model_copy(update={"earlier": True})))
    assert "(more than 90 min)" in shown(message)
    assert "Since before " in shown(message)
    assert "since before 2030-03-17 16:16 UTC" in message.text


def test_each_step_has_its_button_or_its_tick() -> None:
    """A step with an offer has the offer's button, one without can be ticked; a ticked one says by whom."""
    found = {b["action_id"]: b for b in buttons(render.incident_message(OPEN)) if b["action_id"] in ("offer", "tick")}
    first = next(b for b in buttons(render.incident_message(OPEN)) if b["text"]["text"] == "Open a CIE")
    assert json.loads(first["value"]) == {"incident": "i-abc2345", "offer": offers.digest(OPEN_CIE)}
    assert first["style"] == "danger"
    assert json.loads(found["tick"]["value"]) == {"incident": "i-abc2345", "step": "contact-support"}
    ticked = render.incident_message(also(ticks=(Tick(step="contact-support", user="U123", at=NOW),)))
    assert "✔️ done by <@U123>" in shown(ticked)
    assert "tick" not in {b["action_id"] for b in buttons(ticked)}


def test_no_button_carries_what_it_does() -> None:
    """Neither a command nor a parameter stands in a value: only names that are looked up."""
    for one in buttons(render.incident_message(OPEN)):
        assert set(json.loads(one["value"])) <= {"incident", "offer", "step"}
        assert "us-south" not in one["value"]


def test_an_offer_is_found_by_what_it_was() -> None:
    """The digest finds exactly this offer; with another parameter it is another offer, and not found."""
    moved = OPEN_CIE.model_copy(update={"ask": {"region": "eu-de"}})
    assert offers.find(BOTH, offers.digest(OPEN_CIE)) == OPEN_CIE
    assert offers.find(BOTH, offers.digest(moved)) is None
    assert offers.find(None, offers.digest(OPEN_CIE)) is None
    again = Diagnosis.model_validate_json(BOTH.model_dump_json())
    assert offers.find(again, offers.digest(OPEN_CIE)) == OPEN_CIE


def test_a_closed_incident_has_nothing_to_press() -> None:
    """Closed: said in the headline, and no buttons."""
    message = render.incident_message(also(state=IncidentState.CLOSED, closed_at=NOW))
    assert message.blocks[0]["text"]["text"].startswith("✔️ Closed: ")
    assert buttons(message) == []


@pytest.mark.parametrize(
    ("changes", "sign", "goes_on"),
    [
        ({"diagnosis": None}, "🔎 Looking: redhat-auth us-south", "It is being looked at"),
        ({"diagnosis": None, "trouble": Trouble(what="It broke.")}, "⚠️ Could not look", "It is being looked at"),
        ({"diagnosis": BOTH.model_copy(update={"mood": Mood.UNKNOWN})}, "❔ Not known", "Whether it still fails is"),
        ({"diagnosis": BOTH.model_copy(update={"mood": Mood.WATCH})}, "🟡 Watch", "Still failing"),
        (
            {"diagnosis": BOTH.model_copy(update={"mood": Mood.WATCH, "over": True})},
            "🟢 Over",
            "Nothing is failing now",
        ),
        ({"diagnosis": BOTH.model_copy(update={"mood": Mood.GOOD, "over": True})}, "✅ Well", "Nothing is failing now"),
    ],
)
def test_what_is_not_known_is_not_called_well(changes: dict[str, Any], sign: str, goes_on: str) -> None:
    """Each mood has its sign and its word, and says of the present only what is known."""
    message = render.incident_message(also(**changes))
    assert message.blocks[0]["text"]["text"].startswith(sign)
    assert goes_on in shown(message)
    assert ("❔" in sign) == ("not known" in message.text)


def test_the_counts_and_the_state_are_told() -> None:
    """Firing, resolved, left out by the sender; who is on it; when it is looked at next; what was started."""
    view = also(truncated=4990, owner="U9", runs=tuple(f"r-{n}" for n in range(7)), state=IncidentState.QUIET)
    told = shown(render.incident_message(view))
    for words in ("2 firing, 1 resolved", "4990 more not sent", "<@U9> is on it", "quiet", "next look", "and 2 more"):
        assert words in told


def test_a_failed_look_is_told_and_what_is_shown_is_called_older() -> None:
    """The trouble's two sentences, and a mark on the diagnosis below it."""
    told = shown(render.incident_message(also(trouble=Trouble(what="Prometheus is away.", now="Look at it."))))
    assert "*The last look failed*: Prometheus is away. Look at it. What stands below is older." in told


def test_steps_that_do_not_fit_are_counted() -> None:
    """Thirty long steps: as many as fit, and the number of the others with the runbook's name."""
    many = tuple(RunbookStep(name=f"s-{n}", text="x" * 400) for n in range(30))
    message = render.incident_message(also(diagnosis=BOTH.model_copy(update={"steps": many})))
    assert re.search(r"… and 2\d more steps: see the runbook diagnose-redhat-auth\.", shown(message))


def test_a_list_names_each_incident_and_who_is_on_it() -> None:
    """/hivekeeper incidents: sign, sentence, id, state, owner; a hint when there is none."""
    told = shown(lists.incidents_message([OPEN, also(id="i-2", owner="U9")]))
    assert told.count("Neither jwt nor token") == 2
    assert "nobody is on it yet" in told
    assert "<@U9> is on it" in told
    assert "No incidents" in shown(lists.incidents_message([]))


HOSTILE = st.builds(
    lambda piece, times: piece * times,
    st.sampled_from(
        ["<!channel> ", "<@U1>", "<https://evil.example.com|ok>", "*b*_i_~s~`c` ", "&lt;!here&gt;", "\u202eabc\n", "\x00",
         "🐝👩‍👩‍👧", "&", "plain words ", "> q\n", "javascript:alert(1)", "https://ok.example.com/a|b>", ""]
    ) | st.text(min_size=1, max_size=6),
    st.sampled_from([1, 5, 50, 1500]),
)  # fmt: skip
OURS = re.compile(
    r"<(@[UW][A-Z0-9]+|!date\^\d+\^\{date_short_pretty\} \{time\}\|[-\d: ]+UTC|https?://[^\s<>|]+\|[^<>|]+)>"
)


@st.composite
def incidents(draw: st.DrawFn) -> IncidentView:
    """An incident with few or very many parts, whose texts are drawn from a handful of hostile ones."""
    texts = itertools.cycle(draw(st.lists(HOSTILE, min_size=1, max_size=5)))
    times = itertools.cycle(draw(st.lists(st.sampled_from([None, 0.5, NOW, float("nan"), 1e300]), min_size=1)))

    def one() -> str:
        return next(texts)

    def some() -> range:
        return range(draw(st.sampled_from([0, 1, 3, 40, 110])))

    def offer() -> Offer:
        return Offer(label=one()[:75], command=one(), ask={one(): one()}, danger=draw(st.booleans()))

    notes = tuple(Note(label=one(), text=one()) for _ in some())
    links = tuple(Note(label=one(), text=f"https://x.example.com/{'a' * 90}?b=c&d={n}") for n in some())
    names = itertools.cycle(["open-cie", one(), "x" * 3000, ""])
    diagnosis = Diagnosis(
        verdict=one()[:40],
        mood=draw(st.sampled_from(Mood)),
        title=one()[:150] or "-",
        reason=tuple(one() for _ in some()),
        since=next(times),
        evidence=notes,
        table=Table(head=tuple(one() for _ in range(draw(st.integers(0, 22)))), rows=tuple((one(),) for _ in some())),
        links=(*notes[:3], *links),
        unchecked=notes,
        steps=tuple(
            RunbookStep(name=next(names), text=one(), offer=offer() if draw(st.booleans()) else None)
            for _ in range(draw(st.integers(0, 30)))
        ),
        offers=tuple(offer() for _ in range(draw(st.integers(0, 30)))),
        runbook=one(),
        over=draw(st.booleans()),
    )
    people = itertools.cycle(["U123", "cli:ann", one(), ""])
    return IncidentView(
        id="i-abc2345",
        revision=1,
        handler=one(),
        key=one(),
        state=draw(st.sampled_from(IncidentState)),
        opened_at=next(times) or 0,
        closed_at=next(times),
        looked_at=next(times),
        next_look_at=next(times),
        firing=draw(st.integers(0, 10**9)),
        truncated=draw(st.integers(0, 10**9)),
        alerts=tuple(
            Alert(identity="x", status="firing", labels={"alertname": one()}, starts_at=0, link=one()) for _ in some()
        ),
        diagnosis=diagnosis if draw(st.booleans()) else None,
        trouble=Trouble(what=one(), now=one()) if draw(st.booleans()) else None,
        ticks=tuple(Tick(step=next(names), user=next(people), at=next(times) or 0) for _ in some()),
        owner=next(people) if draw(st.booleans()) else None,
        runs=tuple(one() for _ in some()),
    )


@settings(max_examples=settings.default.max_examples * 3 // 5, deadline=None)
@given(incidents())
def test_any_incident_becomes_a_message_that_slack_takes(view: IncidentView) -> None:
    """Two checkers, written apart, take it; no mention, link or header comes from a text; it has a text of its own."""
    message = render.incident_message(view)
    blocks.check(message, "message")
    rules.check_message({"text": message.text, "blocks": message.blocks}, longest=4000)
    assert message.text.strip()
    for text in [message.text, *blocks.texts(message.blocks)]:
        rest = OURS.sub("", text)
        assert "<" not in rest
        assert "<https://evil" not in text
        assert not re.search("[\x00-\x09\x0b-\x1f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", rest)
    assert sum(block["type"] == "header" for block in message.blocks) == 1
    assert (buttons(message) == []) == (view.state is IncidentState.CLOSED)
