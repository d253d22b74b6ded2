"""Which handlers the settings leave on, and the handlers' own parts of the settings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol, TypeVar

from pydantic import ValidationError

from bot import mistakes
from bot.core.diagnosis import AlertHandler
from bot.core.errors import Refused
from bot.core.handler import HandlerSettings

SEE = "See docs/settings.example.yaml."


class Named(Protocol):
    """A command's handler or an alert's."""

    @property
    def name(self) -> str: ...

    @property
    def settings(self) -> type[HandlerSettings]: ...


class Decided(Protocol):
    """What the settings say of one handler."""

    @property
    def enabled(self) -> bool: ...

    @property
    def settings(self) -> dict[str, Any]: ...


H = TypeVar("H", bound=Named)


def of(handlers: Iterable[H], decided: Mapping[str, Decided], place: str) -> dict[str, H]:
    """The handlers by name without those that are off. `place` is where the settings decide it. Refused for a name
    there that no handler has."""
    known = {handler.name: handler for handler in handlers}
    for name in decided:
        if name not in known:
            raise Refused(f"{place}.{name} in the settings is no handler.", f"There are: {', '.join(known)}.")
    return {name: each for name, each in known.items() if name not in decided or decided[name].enabled}


def knowing(handlers: Iterable[AlertHandler], decided: Mapping[str, Decided], place: str) -> dict[str, AlertHandler]:
    """The alert handlers that are on, each with what of it its own settings decide."""
    known = of(handlers, decided, place)
    own = settings(known, decided, place)
    return {name: each.knowing(own[name]) for name, each in known.items()}


def settings(handlers: Mapping[str, Named], decided: Mapping[str, Decided], place: str) -> dict[str, HandlerSettings]:
    """Each handler's own settings. Refused, by place and rule and never by the input, when they are not right."""
    return {name: _settings(each, decided.get(name), f"{place}.{name}") for name, each in handlers.items()}


def _settings(handler: Named, decided: Decided | None, place: str) -> HandlerSettings:
    try:
        return handler.settings.model_validate(decided.settings if decided else {})
    except ValidationError as error:
        raise Refused(f"{place}.settings is not right: {mistakes.told(error)}.", SEE) from None
