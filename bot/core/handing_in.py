"""Secrets that a person hands in privately, and sign-ins that a person does in a browser.

Neither ever stands in the store, a log or a channel: what is handed in goes straight into Vault.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Any, Protocol

from pydantic import Field

from bot.core.errors import Refused
from bot.core.secret import Secret, SecretRef
from bot.core.value import Value

ELSEWHERE = "the tokens' vault"
LONGEST = 3000  # characters that can be handed in: as many as an input of Slack's takes


class Wanted(Value):
    """A secret that an answer asks a person for. `into`: where in Vault it is put; then `command` is asked for with
    `ask`, which names that place and never the secret. `way`: the person signs in there (`SignIns`) instead of typing
    it; empty: a form that only this person sees takes it. A way that puts it where it belongs by itself has another
    system than "vault" in `into` (a way "vault/…" has `ELSEWHERE`). `page`: where a person gets it, an address of the
    settings."""

    name: str = Field(min_length=1, max_length=60)  # tells it from others of the same answer
    label: str = Field(max_length=75)  # on the button
    hint: str = Field(default="", max_length=300)
    into: SecretRef
    command: str
    ask: dict[str, Any] = Field(default_factory=dict)
    way: str = ""
    page: str = Field(default="", max_length=1000)


@dataclass(frozen=True)
class Invitation:
    """A sign-in that was begun. `link` and `code` are for the one person who asked; `device` is for the bot alone."""

    link: str
    code: str
    device: Secret
    expires_at: float  # seconds since the epoch
    every: float  # seconds between two questions whether it is done


class SignIns(Protocol):
    """Ways to sign in, by name: "sso/<realm>" (OAuth device flow), "vault/<issuer>_<role>" (Vault's OIDC)."""

    def ways(self) -> tuple[str, ...]: ...

    def start(self, way: str) -> Invitation: ...

    def poll(self, way: str, device: Secret) -> Secret | None:
        """What signing in gave; None while the person has not finished. Refused when it was denied or took too long;
        Transient with `after` when asked too often."""
        ...


class Invited(Value):
    """An invitation as the one person it is for gets to see it. `until`: seconds since the epoch; `left`: seconds until
    then, as it is told."""

    link: str
    code: str
    until: float
    left: float


class HandedIn(Value):
    """Who gave what an answer wanted, and when: never what it was. `run` was asked for with it."""

    name: str
    user: str
    at: float
    run: str
    signed_in: bool = False


class Seal(Protocol):
    """Makes a secret fit to lie in the store for some minutes, and opens it again."""

    def close(self, secret: Secret) -> str: ...

    def open(self, sealed: str) -> Secret:
        """Refused when it was not sealed with one of our keys."""
        ...


def typed(text: object) -> Secret:
    """What a person typed or pasted, as a secret; space around it is no part of it. Refused, without a word of it,
    when it is nothing, too long, or holds characters that cannot be seen."""
    if not isinstance(text, str) or not text.strip():
        raise Refused("Nothing was handed in.", "Paste the secret, and send it once more.")
    if len(text.strip()) > LONGEST:
        raise Refused(f"That is longer than {LONGEST} characters.", "Is it what was asked for? Nothing was kept.")
    if any(unicodedata.category(one) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp") for one in text.strip()):
        raise Refused(
            "There is a line break or another invisible character in it.",
            "Copy it anew, in one piece. Nothing was kept.",
        )
    return Secret(text.strip())
