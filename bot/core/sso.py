"""Red Hat SSO (Keycloak) as handlers see it: what a refresh grant says of a token, and how a person signs in anew.

A realm is named in the settings (`sso.<realm>`). Asking changes the state of a session: it keeps an idle one alive,
makes one that has just ended vanish, and may hand out a new refresh token in the old one's place (upstream.md, 000).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from bot.core.secret import Secret
from bot.core.value import Value

Verdict = Literal[
    "good",
    "session_not_found",
    "session_not_active",
    "ordinary_session",
    "client_session_ended",
    "token_not_active",
    "invalid_token",
    "wrong_client",
    "stale_token",
    "owner_disabled",
    "no_token",
    "client_refused",
    "refused",  # invalid_grant in words that nobody knows
]


class Words(Value):
    """How the server says no: any of `errors`, and in the description any of `parts` (empty: whatever it says)."""

    verdict: Verdict
    errors: tuple[str, ...] = ("invalid_grant",)
    parts: tuple[str, ...] = ("",)


WORDS = (  # the first that fits; words of a description, because whole sentences differ between versions of the server
    Words(verdict="session_not_found", parts=("offline user session not found",)),
    Words(verdict="session_not_active", parts=("offline session not active",)),
    Words(
        verdict="stale_token", parts=("stale token", "stale refresh token", "token reuse exceeded", "issued before the")
    ),
    Words(verdict="wrong_client", parts=("token client and authorized client", "unmatching clients")),
    Words(verdict="client_session_ended", parts=("required client", "client session not active")),
    Words(verdict="owner_disabled", parts=("user disabled",)),
    Words(verdict="token_not_active", parts=("token is not active", "refresh token expired")),
    Words(verdict="invalid_token", parts=("invalid refresh token",)),
    Words(verdict="ordinary_session", parts=("session not active",)),
    Words(verdict="no_token", errors=("invalid_request",), parts=("no refresh token",)),
    Words(verdict="client_refused", errors=("unauthorized_client", "invalid_client")),
    Words(verdict="refused"),
)


def verdict(error: str, description: str) -> Verdict | None:
    """What a refusal means: the `error` of the answer and its description, or a text that has both in it. None for an
    error that says nothing of tokens and clients."""
    error, description = (" ".join(text.casefold().split()) for text in (error, description))
    return next(
        (
            words.verdict
            for words in WORDS
            if any(one in error for one in words.errors) and any(part in description for part in words.parts)
        ),
        None,
    )


class Judged(Value):
    """What the realm said of a token. `told`: one sentence of ours. A realm that did not answer, or answered with
    something else than the protocol, judged nothing: that is Transient or Refused, never "invalid"."""

    verdict: Verdict
    told: str
    offline: bool = False  # the answer says that the token has no end of its own (refresh_expires_in 0)
    access_seconds: float | None = None  # life of the access token that was handed out

    @property
    def good(self) -> bool:
        return self.verdict == "good"


@dataclass(frozen=True)
class Refreshed:
    """`access`: an access token, when it was good. `instead`: the refresh token that takes the old one's place, when
    the realm rotates them; whoever asked must keep it, for the old one may be worth nothing now."""

    judged: Judged
    access: Secret | None = None
    instead: Secret | None = None


class Sso(Protocol):
    def realms(self) -> tuple[str, ...]: ...

    def issuer(self, realm: str) -> str:
        """What tokens of this realm name as `iss`."""
        ...

    def client(self, realm: str) -> str:
        """The client_id that the bot uses there."""
        ...

    def refresh(self, realm: str, token: Secret, *, client: str = "") -> Refreshed:
        """A refresh grant for the token, as this client (empty: the realm's own). Asked again for the same token within
        the realm's `least_seconds_between_probes`, the first answer is given again without asking; later,
        for an hour, a token that was given in its place is tried instead of it, and given again."""
        ...

    def login(self, realm: str, account: str) -> Refreshed:
        """A client_credentials grant (with secret, or private_key_jwt) for a service account of the settings."""
        ...
