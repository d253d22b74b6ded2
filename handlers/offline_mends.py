"""What mends each verdict of Red Hat SSO on an offline token: one sentence for a person."""

from __future__ import annotations

from collections.abc import Mapping

from bot.core.sso import Judged, Verdict
from handlers.offline_tokens import CURE

HAND = f"/{CURE} with cure=hand"
MENDS: Mapping[Verdict, str] = {
    "session_not_found": f"A new token is needed: production's if it has another one, else ask for {HAND}.",
    "session_not_active": "A new token is needed; this one will be “not found” from now on. Production's if it has "
    f"another one, else ask for {HAND}.",
    "stale_token": "Whoever used it last has its successor: find out who that is. If nobody kept it, as when the bot "
    f"was stopped in the middle, ask for {HAND}. Give each user of it a token of its own.",
    "wrong_client": f"A token is needed that was issued for the client the consumer logs in as: ask for {HAND}.",
    "ordinary_session": f"A token is needed from a login with the scope offline_access: ask for {HAND}.",
    "token_not_active": f"An offline token has no end, so this is none: ask for {HAND}.",
    "invalid_token": f"Copy it anew and whole from where it was issued, and into the right realm; or ask for {HAND}.",
    "owner_disabled": "Have the account enabled, or name another one as `subject` of the place in the settings.",
    "no_token": f"The place is empty: ask for {HAND}.",
    "client_refused": "Have the client looked at by those who run the realm; another token will not help.",
    "refused": f"Ask those who run the realm what they logged; a new token may help: {HAND}.",
}


def mend(judged: Judged) -> str:
    """What to do now; empty for a token that is good."""
    return MENDS.get(judged.verdict, "")
