"""What mends each verdict of Red Hat SSO on an offline token: one sentence for a person."""

from __future__ import annotations

from collections.abc import Mapping

from bot.core.sso import Judged, Verdict
from handlers.offline_tokens import CURE

HAND, HERE = f"ask for /{CURE} with cure=hand", "use a button of this message"
MENDS: Mapping[Verdict, str] = {
    "session_not_found": "A new token is needed: production's if it has another one, else {hand}.",
    "session_not_active": "A new token is needed; this one will be “not found” from now on. Production's if it has "
    "another one, else {hand}.",
    "stale_token": "Whoever used it last has its successor: find out who that is. If nobody kept it, as when the bot "
    "was stopped in the middle, {hand}. Give each user of it a token of its own.",
    "wrong_client": "A token is needed that was issued for the client the consumer logs in as: {hand}.",
    "client_session_ended": "A new token is needed: production's if it has another session, else {hand}. If two use "
    "one token and the realm spends it with each use, give each its own.",
    "ordinary_session": "A token is needed from a login with the scope offline_access: {hand}.",
    "token_not_active": "An offline token has no end unless the realm limits its life: {hand}.",
    "invalid_token": "Copy it anew and whole from where it was issued, and into the right realm; or {hand}.",
    "owner_disabled": "Have the account enabled, or name another one as `subject` of the place in the settings.",
    "no_token": "The place is empty: {hand}.",
    "client_refused": "Have the client looked at by those who run the realm; another token will not help.",
    "refused": "Ask those who run the realm what they logged; a new token may help: {hand}.",
}


def mend(judged: Judged, hand: str = HAND) -> str:
    """What to do now; empty for a token that is good. `hand`: how somebody hands a new one in."""
    return MENDS.get(judged.verdict, "").format(hand=hand)
