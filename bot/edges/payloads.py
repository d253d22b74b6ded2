"""What Slack sends, read strictly. A payload that does not have the shape is nobody's click: it raises Foreign.

Even a signed payload carries what a client sent: button values and private metadata are looked up, never believed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

Id = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9]{1,40}$")]
UserId = Annotated[str, Field(pattern=r"^[UW][A-Z0-9]{1,40}$")]
Token = Annotated[str, Field(min_length=1, max_length=200)]  # trigger ids and the like


class Foreign(Exception):
    """A payload without the shape of ours. Carries nothing of it."""


class Payload(BaseModel):
    """A part of what Slack sends; Slack may add fields at any time, so others are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    @classmethod
    def of(cls, body: Any) -> Self:
        try:
            return cls.model_validate(body)
        except ValidationError:
            raise Foreign(cls.__name__) from None


class WithId(Payload):
    id: Id


class Person(Payload):
    id: UserId


class Command(Payload):
    command: str = Field(pattern=r"^/[^\s]{1,80}$")
    text: str = ""
    user_id: UserId
    channel_id: Id
    trigger_id: Token

    @field_validator("text")
    @classmethod
    def _as_typed(cls, text: str) -> str:
        """Slack spells the three characters of its markup as entities; the person typed the characters."""
        return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")

    @property
    def name(self) -> str:
        return self.command.removeprefix("/")

    @property
    def key(self) -> str:
        return f"slack:{self.trigger_id}"


class Pressed(Payload):
    action_id: str = Field(max_length=255)
    value: str = Field(default="", max_length=2000)


class Container(Payload):
    """Where a button is. `thread_ts`: the message that begins the thread of this one, itself if it is that one."""

    message_ts: str | None = None
    thread_ts: str | None = Field(default=None, pattern=r"^[0-9]{1,11}\.[0-9]{1,9}$")


class Click(Payload):
    """A button pressed in a message, a modal or the Home tab."""

    user: Person
    trigger_id: Token
    channel: WithId | None = None
    container: Container = Container()
    actions: Annotated[tuple[Pressed, ...], Field(min_length=1, max_length=25)]

    @property
    def key(self) -> str:
        return f"slack:{self.trigger_id}"

    @property
    def place(self) -> str | None:
        return self.channel.id if self.channel else None

    @property
    def thread(self) -> str | None:
        """The thread that the button is in; None in the channel itself, where a thread begins, too."""
        of = self.container
        return of.thread_ts if of.thread_ts != of.message_ts else None


class Target(BaseModel):
    """What a button or a modal is about; nothing else may be in its value."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    run: str = Field(pattern=r"^[a-z0-9-]{1,64}$")
    digest: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")

    @classmethod
    def of(cls, value: str) -> Target:
        try:
            return cls.model_validate_json(value)
        except ValidationError:
            raise Foreign(cls.__name__) from None


class About(BaseModel):
    """What a button of an incident is about: the incident, and which offer or step of it, by name."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    incident: str = Field(pattern=r"^[a-z0-9-]{1,64}$")
    offer: str = Field(default="", pattern=r"^([0-9a-f]{16})?$")
    step: str = Field(default="", pattern=r"^([a-z][a-z0-9.-]{0,62})?$")

    @classmethod
    def of(cls, value: str) -> About:
        try:
            return cls.model_validate_json(value)
        except ValidationError:
            raise Foreign(cls.__name__) from None


class StepOf(BaseModel):
    """What a button of a checklist is about: the run, the step by name, and its offer if it asks for that."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    run: str = Field(pattern=r"^[a-z0-9-]{1,64}$")
    step: str = Field(pattern=r"^[a-z][a-z0-9.-]{0,62}$")
    offer: str = Field(default="", pattern=r"^([0-9a-f]{16})?$")

    @classmethod
    def of(cls, value: str) -> StepOf:
        try:
            return cls.model_validate_json(value)
        except ValidationError:
            raise Foreign(cls.__name__) from None


class OfferOf(BaseModel):
    """What a button of a report or of the inventory is about: an offer by its digest, and the run or the credential
    that it is stored with."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    run: str = Field(default="", pattern=r"^[a-z0-9-]{0,64}$")
    holding: str = Field(default="", pattern=r"^([0-9a-f]{16})?$")
    offer: str = Field(pattern=r"^[0-9a-f]{16}$")

    @classmethod
    def of(cls, value: str) -> OfferOf:
        try:
            return cls.model_validate_json(value)
        except ValidationError:
            raise Foreign(cls.__name__) from None


class WantedOf(BaseModel):
    """What a button or a form is about that asks a person for a secret: the run, and the name of what it wants; of a
    form, where its button was pressed."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    run: str = Field(pattern=r"^[a-z0-9-]{1,64}$")
    name: str = Field(min_length=1, max_length=60)
    channel: Id | None = None

    @classmethod
    def of(cls, value: str) -> WantedOf:
        try:
            return cls.model_validate_json(value)
        except ValidationError:
            raise Foreign(cls.__name__) from None


class AskPlace(BaseModel):
    """The private metadata of a modal that asks for parameters: which command, and where it was typed."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    command: str = Field(max_length=80)
    channel: Id

    @classmethod
    def of(cls, value: str) -> AskPlace:
        try:
            return cls.model_validate_json(value)
        except ValidationError:
            raise Foreign(cls.__name__) from None


class State(Payload):
    values: dict[str, dict[str, dict[str, Any]]] = {}


class View(Payload):
    id: Token
    hash: Token
    callback_id: str = Field(default="", max_length=255)
    private_metadata: str = Field(default="", max_length=3000)
    state: State = State()


class Submission(Payload):
    type: Literal["view_submission"]
    user: Person
    view: View

    @property
    def key(self) -> str:
        return f"slack:{self.view.id}:{self.view.hash}"


class HomeOpened(Payload):
    user: UserId
    tab: str = ""


def team_of(body: Mapping[str, Any]) -> str | None:
    """The workspace that a payload says it comes from."""
    team = body.get("team_id")
    inner = body.get("team")
    if team is None and isinstance(inner, Mapping):
        team = inner.get("id")
    return team if isinstance(team, str) else None
