"""What is told of Red Hat SSO's answers: one sentence of ours for each, none of theirs (upstream.md, seed 000)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.core.errors import Refused, Told, Transient
from bot.core.sso import Verdict
from bot.tools.http_answer import Answer

JUDGED: Mapping[Verdict, str] = {
    "good": "{sso} accepts the token.",
    "session_not_found": "{sso} no longer has the offline session: it was revoked, or not used for too long.",
    "session_not_active": "The offline session at {sso} has just ended: its longest life or idle time is over.",
    "client_session_ended": "{sso} still has the session, but the client's part of it has ended: it was revoked, lay "
    "idle too long, or a spent token was used.",
    "ordinary_session": "The session at {sso} has ended, and it was an ordinary one: this is no offline token.",
    "token_not_active": "{sso} says that the token is past its end, or not valid yet.",
    "invalid_token": "{sso} does not know the token as its own: it is damaged, of another realm, or of no account.",
    "wrong_client": "{sso} issued the token for another client than the one that asks.",
    "stale_token": "A newer token took the place of this one at {sso}, or all up to a date were revoked.",
    "owner_disabled": "The account that owns the token is disabled at {sso}.",
    "no_token": "No token was sent to {sso}: the place it was read from is empty.",
    "client_refused": "{sso} refuses the client, not the token.",
    "refused": "{sso} refuses the token, in words that the bot does not know.",
}
LOST = "Most likely by the bot's own try before, whose answer was lost: then nobody has the newer token."
LOGGED_IN = "{sso} lets the service account log in."
CLIENTS = (  # words of a description -> why the service account is refused; the first that fits
    ("token reuse detected", "{sso} has seen this very login before: it takes each only once."),
    ("token is not active", "{sso} says that the service account's login is past its end, or not valid yet."),
    ("unable to load public key", "{sso} has no public key for the service account, or none with its kid."),
    ("signature on jwt token", "{sso} has another public key for the service account than the one it signs with."),
    ("invalid signature algorithm", "{sso} does not take the algorithm that the service account signs with."),
    ("invalid token audience", "{sso} is not whom the service account's login is meant for: its issuer is another."),
    ("retrieve service account", "{sso} has no service account switched on for the client."),
    ("missing client_id", "{sso} was not told which client asks."),
)
CLIENT = "{sso} refuses the service account: its id, secret or key is wrong, or it is disabled."
ERRORS: Mapping[str, tuple[str, str]] = {
    "invalid_scope": ("the client may not have the scope it asks for", "Check {setting}.scope and the client there."),
    "unsupported_grant_type": ("it does not do this kind of login", "Ask those who run it, or switch it off here."),
    "not_allowed": ("the client or the person may have no offline token", "Ask those who run it for offline_access."),
    "access_denied": ("it does not let the client in", "Ask those who run it."),
}
STATUSES: Mapping[int, tuple[str, str]] = {
    403: ("something in front of it keeps the bot out", "Ask those who run the network between the bot and it."),
    404: ("there is no such realm", "Check {setting}.issuer, and its address if that is another."),
}
AGAIN = "That says nothing of any token. Try again in a minute; if it goes on, look whether it is up."
CLOCKS = 30.0  # seconds that two clocks may differ before a token's times cannot be judged


def judged(verdict: Verdict, sso: str) -> str:
    return JUDGED[verdict].format(sso=sso)


def client(description: str, sso: str) -> str:
    """Why a service account is refused."""
    said = " ".join(description.casefold().split())
    return next((told for words, told in CLIENTS if words in said), CLIENT).format(sso=sso)


def failure(answer: Answer, sso: str, setting: str, doing: str) -> Told:
    """The error for an answer that judges nothing: the server's trouble, something in front of it, a wrong address."""
    status = answer.status
    if status == 429:
        return Transient(f"{sso} is asked too often ({status}).", AGAIN, after=answer.after)
    if status >= 500:
        return Transient(f"{sso} could not {doing}: it has trouble of its own ({status}).", AGAIN, after=answer.after)
    if 300 <= status < 400:
        return Refused(
            f"{sso} sends the bot elsewhere ({status}).", f"Correct {setting}.issuer: nothing is sent by a redirect."
        )
    means, now = STATUSES.get(status) or _said(answer)
    if status not in STATUSES and (status < 300 or spoken(answer) is None):
        page = f"{sso} answered {status}, but not as the protocol says: something else stands in front of it."
        return Transient(page, AGAIN)
    return Refused(f"{sso} did not {doing}: {means} ({status}).", now.format(setting=setting))


def spoken(answer: Answer) -> dict[str, Any] | None:
    """The answer's object, if it speaks the protocol at all."""
    json = answer.kind == "application/json" or answer.kind.endswith("+json")
    return answer.object if json else None


def _said(answer: Answer) -> tuple[str, str]:
    error = (spoken(answer) or {}).get("error")
    unknown = ("the bot does not know its error", "Check {setting} in the settings.")
    return ERRORS.get(error, unknown) if isinstance(error, str) else unknown


def apart(answer: Answer, now: float) -> float | None:
    """Seconds that the bot's clock is ahead of the server's (negative: behind) when the answer comes, if that is too
    many to judge times by; None if it is not, or cannot be said."""
    if answer.date is None:
        return None
    ahead = now - answer.date
    late = max(min(ahead, answer.latency or 0.0), 0.0)  # the answer may have been on its way for so long
    return ahead - late if abs(ahead - late) > CLOCKS else None


def clocks(ahead: float, sso: str) -> Refused:
    """The clocks of the bot and of the server differ."""
    minutes = max(round(abs(ahead) / 60), 1)
    return Refused(
        f"The bot's clock is about {minutes} min {'ahead of' if ahead > 0 else 'behind'} that of {sso}, so whether a "
        "token is past its end cannot be judged.",
        "Set the bot's clock (NTP); if it is right, tell those who run the realm.",
    )
