"""An incident's message: what is failing, since when, whether it still fails, why, what to do, and who does it.

Read from the top it answers what a person asks at 3 a.m., in that order.
"""

from __future__ import annotations

from bot.core.diagnosis import Diagnosis, Mood
from bot.core.incident import IncidentState, IncidentView
from bot.edges import offers, verdict
from bot.edges.blocks import Block, Message, check
from bot.edges.elements import button, context, header, section, words
from bot.edges.text import code, count, mrkdwn, notice, person, plain, utc, when

OVER = (IncidentState.CLOSED,)
_LOOKING = ("🔎", "Looking")
_RUNS = 5  # named; the rest is counted


def incident_message(view: IncidentView) -> Message:
    """The incident as it stands. Buttons are there until it is closed."""
    live = view.state not in OVER
    found = view.diagnosis
    blocks = [header("title", title(view)), section("state", _standing(view)), *_trouble(view)]
    if found:
        blocks += [
            *verdict.why(found),
            *verdict.figures(found),
            *verdict.unchecked(found),
            *verdict.steps(view, found, live=live),
            *(verdict.others(view, found) if live else []),
            *verdict.links(found),
        ]
    blocks += [_alerts(view), _followed(view), *([_buttons(view)] if live else [])]
    message = Message(story(view), blocks)
    check(message, "message")
    return message


def title(view: IncidentView) -> str:
    """Sign, word and sentence (plain text)."""
    sign, word = _sign(view)
    return f"{sign} {word}: {plain(_about(view), 130)}"


def line(view: IncidentView) -> str:
    """One incident in a list (mrkdwn)."""
    sign, word = _sign(view)
    own = f"{person(view.owner)} is on it" if view.owner else "nobody is on it yet"
    rest = [code(view.id, 60), _state(view), own, f"began {when(view.opened_at)}"]
    return f"{sign} {word} · *{mrkdwn(_about(view), 150)}*\n{' · '.join(rest)}"


def story(view: IncidentView) -> str:
    """The whole of it in two sentences: the notification text."""
    found, (_, word) = view.diagnosis, _sign(view)
    since = f"{_began(found)} {utc(found.since)}" if found and found.since is not None else ""
    then = " at the last look" if view.state is IncidentState.CLOSED and found else ""
    first = f"{word}: {notice(_about(view), 200).rstrip('.')}{since}; {_goes_on(view).lower()}{then}."
    reason = notice(found.reason[0], 500) if found and found.reason else ""
    trouble = notice(f"The last look failed: {view.trouble.what}", 400) if view.trouble else ""
    return " ".join(filter(None, [first, trouble, reason, notice(f"Incident {view.id}.", 80)]))


def _began(found: Diagnosis) -> str:
    """What is over began then; that it "works again since" then would be wrong."""
    return ("; it began" if found.over else " since") + (" before" if found.earlier else "")


def _sign(view: IncidentView) -> tuple[str, str]:
    if view.state is IncidentState.CLOSED:
        return "✔️", "Closed"
    if view.diagnosis is None:
        return ("⚠️", "Could not look") if view.trouble else _LOOKING
    if view.diagnosis.over and view.diagnosis.mood is Mood.WATCH:
        return "🟢", "Over"
    return verdict.MOODS[view.diagnosis.mood]


def _about(view: IncidentView) -> str:
    """What it is about, foreign text."""
    if view.diagnosis:
        return view.diagnosis.title
    return " ".join(filter(None, [view.handler, view.key]))


def _goes_on(view: IncidentView) -> str:
    """Does it still fail? Said only as far as it is known."""
    found = view.diagnosis
    if found is None:
        return "It is being looked at"
    if found.over:
        return "Nothing is failing now"
    if found.mood is Mood.UNKNOWN:
        return "Whether it still fails is not known"
    return "Nothing is failing" if found.mood is Mood.GOOD else "Still failing"


def _standing(view: IncidentView) -> str:
    found = view.diagnosis
    looked = f"at the last look, {when(view.looked_at)}" if view.looked_at is not None else ""
    goes_on = " ".join(filter(None, [f"*{_goes_on(view)}*", looked]))
    return "\n".join(filter(None, [_since(view, found), goes_on, _owner(view)]))


def _since(view: IncidentView, found: Diagnosis | None) -> str:
    if found is None or found.since is None:
        return f"The first alert came {when(view.opened_at)}; since when it fails is not known."
    before, more = ("before ", "more than ") if found.earlier else ("", "")
    lasted = "" if found.over or view.looked_at is None else _lasting(view.looked_at - found.since, more)
    return f"{'It began' if found.over else 'Since'} {before}{when(found.since)}{lasted}"


def _lasting(seconds: float, more: str) -> str:
    """How long it had lasted at the last look; nothing for what makes no sense."""
    if not 60 <= seconds < 366 * 86400:
        return ""
    minutes = int(seconds // 60)
    return f" ({more}{minutes} min)" if minutes < 120 else f" ({more}{minutes // 60} h {minutes % 60:02} min)"


def _owner(view: IncidentView) -> str:
    if view.owner:
        return f"🙋 {person(view.owner)} is on it"
    return "" if view.state in OVER else "Nobody has taken it on yet"


def _trouble(view: IncidentView) -> list[Block]:
    if not view.trouble:
        return []
    older = " What stands below is older." if view.diagnosis else ""
    told = f"⚠️ *The last look failed*: {mrkdwn(view.trouble.what, 300)} {mrkdwn(view.trouble.now, 300)}"
    return [section("trouble", told.rstrip() + older)]


def _alerts(view: IncidentView) -> Block:
    """How many alerts there are, and a few of their names."""
    asked = view.firing + view.resolved + view.truncated == 0
    counts = [
        "asked by hand, no alert" if asked else f"{view.firing} firing, {view.resolved} resolved",
        f"{view.truncated} more not sent by the alerting system" if view.truncated else "",
        f"{view.notices} notices" if view.notices > 1 else "",
    ]
    names = list(dict.fromkeys(alert.name for alert in view.alerts if alert.name))
    said = [code(name, 90) for name in names[:3]]
    more = [f"and {len(names) - 3} more names"] if len(names) > 3 else []
    return context("alerts", f"Alerts: {', '.join(filter(None, counts))}", *said, *more)


def _followed(view: IncidentView) -> Block:
    runs = [code(run, 40) for run in view.runs[-_RUNS:]]
    more = f" and {len(view.runs) - _RUNS} more" if len(view.runs) > _RUNS else ""
    return context(
        "followed",
        _state(view),
        f"{mrkdwn(view.handler, 60)} {mrkdwn(view.key, 60)}".strip(),
        f"incident {code(view.id, 60)}",
        f"started from here: {', '.join(runs)}{more}" if runs else "",
    )


def _state(view: IncidentView) -> str:
    if view.state is IncidentState.CLOSED:
        return f"closed {when(view.closed_at)}"
    if view.state is IncidentState.HANDED_OVER:
        return "not watched any more: people go on"
    look = f", next look {when(view.next_look_at)}" if view.next_look_at is not None else ""
    if view.state is IncidentState.QUIET:
        return f"quiet, closes if it stays so{look}"
    return f"watched{look}" if look else "watched"


def _buttons(view: IncidentView) -> Block:
    value = offers.about(view.id)
    first = {} if view.owner else {"style": "primary"}
    elements = [
        button("take", "I am on it", value, **first),
        button("look", "Look again", value),
        button("close", "Close", value, confirm=_confirm(view)),
    ]
    return {"type": "actions", "block_id": "incident", "elements": elements}


def _confirm(view: IncidentView) -> Block:
    firing = f"{count(view.firing, 'alert is', 'alerts are')} still firing. " if view.firing else ""
    return {
        "title": words("Close this incident?"),
        "text": words(f"{firing}It is not looked at any more. A new alert opens another one."),
        "confirm": words("Close"),
        "deny": words("Go back"),
    }
