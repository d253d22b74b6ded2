"""Offline tokens that the bot looks after: where each lies, whose it has to be, and where a good one may come from."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from bot.core.errors import Refused
from bot.core.handler import HandlerSettings, Need
from bot.core.ports import Inside, ReadTools
from bot.core.secret import SecretRef
from bot.core.value import Value

CURE, KEEP, RUN = "fix-offline-session", "keep-offline-alive", "run-ci-jobs"
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,59}$")]


class Source(Value):
    """A place in Vault: path and field, and the keys into a base64 YAML document if the field holds one."""

    path: str = Field(min_length=1, max_length=512)
    field: str = Field(min_length=1, max_length=200)
    inside: Inside = ()

    @property
    def ref(self) -> SecretRef:
        return SecretRef(path=self.path, field=self.field, inside=self.inside)


class Put(Value):
    """One part of a service account's login: where it comes from, and where in the same field of Vault it goes."""

    source: Source
    inside: Inside = Field(min_length=1)


class Account(Value):
    """A service account that can take the token's place, where the consumer can log in as one."""

    name: str = Field(min_length=1, description="Its name under sso.<realm>.accounts.")
    puts: tuple[Put, ...] = Field(min_length=1, description="Its id and its secret or key.")


class Place(Source):
    """One offline token. `client`, `subject`: for whom it has to be; empty: the realm's client, and the account of the
    token that is there. `probe`: may it be tried while a plan is made, or only as an approved step?"""

    field: str = Field(default="config", min_length=1, max_length=200)
    inside: Inside = ("self", "token")
    realm: str = "redhat"
    client: str = Field(default="", max_length=255)
    subject: str = Field(default="", max_length=255)
    production: Source | None = None
    account: Account | None = None
    probe: Literal["step", "planning"] = "step"

    def asks_as(self, tools: ReadTools) -> str:
        """The client that the token is for."""
        return self.client or tools.sso.client(self.realm)

    @property
    def noted(self) -> str:
        """The field beside the token that says when it was last refreshed."""
        return f"{self._stem}-refreshed-at"

    @property
    def failed(self) -> str:
        """The field beside the token that says when Red Hat SSO last refused it."""
        return f"{self._stem}-refused-at"

    @property
    def _stem(self) -> str:
        return "-".join(map(str, (self.field, *self.inside)))


class Settings(HandlerSettings):
    """Shared by everything about offline tokens."""

    places: dict[Name, Place] = Field(default_factory=dict, description="Name -> an offline token. Default: none.")
    inbox: str = Field(
        default="sd-uhc/hivekeeper-inbox", description="Vault path where a token waits that a person handed in."
    )
    refresh_after_days: float = Field(
        default=6, gt=0, le=29, description="Days; a token that was used later than that is left alone."
    )
    idle_days: float = Field(default=30, gt=1, le=400, description="Days unused after which the realm ends a session.")
    token_page: str = Field(
        default="https://console.redhat.com/openshift/token",
        max_length=1000,
        description="Where a person gets a new offline token.",
    )

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        refs = [place.ref for place in self.places.values()]
        if len(refs) != len(set(refs)):
            raise ValueError("places: two entries are the same place")
        return self

    def handed_in(self, name: str) -> SecretRef:
        """Where a token waits that was handed in for a place."""
        return SecretRef(path=self.inbox, field=name)


def chosen(settings: Settings, name: str) -> tuple[str, Place]:
    """The place of this name; the only one when none is named. Refused when there is none, or more than one."""
    if not settings.places:
        raise Refused(
            "The settings name no offline token.",
            f"Describe one under commands.{CURE}.settings.places, then ask again.",
        )
    if not name and len(settings.places) == 1:
        return next(iter(settings.places.items()))
    if name in settings.places:
        return name, settings.places[name]
    raise Refused("There is no such offline token.", f"Ask with place=, one of: {', '.join(settings.places)}.")


def needs(settings: Settings) -> tuple[Need, ...]:
    """What the bot's role must be allowed in Vault. A refresh may give a new token: it is written where the old was."""
    found = [Need(path=settings.inbox, rights=("create", "read", "update"), reason="tokens that people hand in")]
    for name, place in settings.places.items():
        found.append(Need(path=place.path, rights=("read", "update"), reason=f"the offline token {name}"))
        if place.production:
            keeps = "production's copy, and what a refresh gives in its place"
            found.append(Need(path=place.production.path, rights=("read", "update"), reason=keeps))
        for put in place.account.puts if place.account else ():
            found.append(Need(path=put.source.path, rights=("read",), reason="the login of the service account"))
    return tuple(dict.fromkeys(found)) if settings.places else ()


def kept_alive(settings: Settings) -> tuple[Need, ...]:
    """What keeping tokens alive needs of it."""
    return tuple(need for need in needs(settings) if "update" in need.rights and need.path != settings.inbox)
