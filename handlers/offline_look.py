"""What lies in a place for an offline token, told from its claims: nobody is asked, and the token is not shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from bot.core.errors import Refused
from bot.core.ports import ReadTools
from bot.core.secret import Secret, SecretRef
from bot.core.value import canonical
from handlers.offline_tokens import Place
from handlers.steps import lookup

Kind = Literal["offline", "refresh", "access", "other"]
KINDS: Mapping[str, Kind] = {"Offline": "offline", "Refresh": "refresh", "Bearer": "access"}
CALLED: Mapping[Kind, str] = {
    "offline": "an offline token",
    "refresh": "an ordinary refresh token, which ends with its login",
    "access": "an access token, which ends after minutes",
    "other": "a token of another kind",
}
DAY = 86_400.0
MAY_BE_AHEAD = 86_400.0  # seconds that `iat` may lie in the future; later it says nothing


@dataclass(frozen=True)
class Held:
    """A token by its claims. `mark`: its keyed fingerprint. `session`: the fingerprint of issuer, account, client and
    session; a token that Red Hat SSO gives in another's place has the same. `issued_at`: seconds since the epoch."""

    ref: SecretRef
    token: Secret = field(repr=False)
    mark: str
    session: str
    kind: Kind
    issuer: str
    client: str
    subject: str
    issued_at: float | None

    def told(self, now: float) -> str:
        """Whose it is, how old and by whom, in words."""
        age = "" if self.issued_at is None else f" {span(now - self.issued_at)} ago"
        by = f"issued{age} by {self.issuer}"
        return f"{CALLED[self.kind]} of client {self.client}, account {self.subject}, {by} ({self.mark})"


def held(ref: SecretRef, tools: ReadTools) -> Held | None:
    """What lies at a place; None if there is nothing. Refused, without a word of it, when it is not a JWT."""
    token = lookup(tools, ref)
    return None if token is None else judged(ref, token, tools)


def judged(ref: SecretRef, token: Secret, tools: ReadTools) -> Held:
    """A token by its claims. They are not verified: the realm is asked before anything rests on them."""
    try:
        claims = tools.tokens.claims(token)
    except Refused as refusal:
        raise Refused(f"{ref}: {refusal.what}", refusal.now) from None
    return Held(
        ref=ref,
        token=token,
        mark=tools.fingerprints.of(token),
        session=_session(claims, token, tools),
        kind=KINDS.get(str(claims.get("typ")), "other"),
        issuer=_word(claims.get("iss")),
        client=_word(claims.get("azp")),
        subject=_word(claims.get("sub")),
        issued_at=_date(claims.get("iat"), tools.now()),
    )


def unfit(found: Held, place: Place, subject: str, tools: ReadTools) -> str | None:
    """Why it may not stand in the place, as the end of a sentence; None if it may. `subject`: whose it has to be, empty
    if nobody knows."""
    issuer, client = tools.sso.issuer(place.realm), place.asks_as(tools)
    if found.kind != "offline":
        return f"is {CALLED[found.kind]}, not an offline one"
    if found.issuer != issuer:
        return f"was issued by another realm ({found.issuer}), not by {issuer}"
    if found.client != client:
        return f"was issued for another client ({found.client}), not for {client}"
    if subject and found.subject != subject:
        return f"belongs to another account ({found.subject}), not to {subject}"
    return None


def check(found: Held, place: Place, subject: str, tools: ReadTools, now: str) -> None:
    """Refused for a token that may not stand in the place. `now`: what to do then."""
    if why := unfit(found, place, subject, tools):
        raise Refused(f"The token in {found.ref} {why}.", now)


def older(one: Held, other: Held) -> bool:
    """Was the one issued before the other, as far as that can be known?"""
    return one.issued_at is not None and other.issued_at is not None and one.issued_at < other.issued_at


def used_at(found: Held, place: Place, tools: ReadTools) -> float | None:
    """When the token was last used as far as can be known (seconds since the epoch): issued, or refreshed by a run."""
    noted = tools.vault.stamp(place.path, place.noted)
    known = [at for at in (found.issued_at, noted) if at is not None]
    return max(known, default=None)


def span(seconds: float) -> str:
    """A length of time in its largest unit: "45 min", "7 h", "3 days"."""
    seconds = max(seconds, 0.0)
    if seconds < 2 * 3600:
        return f"{round(seconds / 60)} min"
    return f"{round(seconds / 3600)} h" if seconds < 2 * DAY else f"{round(seconds / DAY)} days"


def _session(claims: Mapping[str, Any], token: Secret, tools: ReadTools) -> str:
    """A token that names no session is its own: only the very same one is of it."""
    name = claims.get("sid") or claims.get("session_state")
    if not isinstance(name, str) or not name:
        return tools.fingerprints.of(token)
    whole = [str(claims.get(one)) for one in ("iss", "sub", "azp")]
    return tools.fingerprints.of(Secret(canonical([*whole, name]).decode("utf-8", "replace")))


def _word(value: Any) -> str:
    """A claim as it may be shown: one short line of plain characters."""
    if not isinstance(value, str) or not value:
        return "nobody" if value is None else "something that is no name"
    line = "".join(c if c.isascii() and c.isprintable() else "?" for c in value)
    return line if len(line) <= 120 else line[:119] + "…"


def _date(value: Any, now: float) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < now + MAY_BE_AHEAD:
        return None
    return float(value)
