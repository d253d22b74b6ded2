"""Which handler answers an alert, and which incident of that handler it belongs to. Nothing here touches the store."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from bot.core.alert import Alert, Notice, specificity
from bot.core.diagnosis import AlertHandler
from bot.engine.workshop import log

KEY_LIMIT = 120  # characters of an incident's key, which comes from a label
TEXT_LIMIT = 8000  # characters of a posted text that a handler gets to see
T = TypeVar("T")


@dataclass
class Sorted:
    """A notice by where its alerts go: (handler, key) -> alerts (none for a posted text), and what nobody answers."""

    groups: dict[tuple[str, str], list[Alert]] = field(default_factory=dict)
    unhandled: list[str] = field(default_factory=list)  # names of alerts; "" for a text


def sort(handlers: Mapping[str, AlertHandler], notice: Notice) -> Sorted:
    """Every alert of the notice to its handler; a notice without alerts by what it says."""
    found = Sorted()
    for alert in notice.alerts:
        handler = by_labels(handlers.values(), alert.labels) or by_text(handlers.values(), words(alert, notice))
        if handler is None:
            found.unhandled.append(alert.name)
        else:
            found.groups.setdefault((handler.name, key(handler, alert)), []).append(alert)
    if not notice.alerts:
        handler = by_text(handlers.values(), notice.text)
        if handler is None:
            found.unhandled.append("")
        else:
            found.groups[handler.name, ""] = []
    return found


def by_labels(handlers: Iterable[AlertHandler], labels: dict[str, str]) -> AlertHandler | None:
    """The handler with the most specific matchers that all fit; of equals the one that is listed first."""
    fitting = [
        (specificity(matchers), handler)
        for handler in handlers
        for matchers in handler.matchers
        if all(_safely(handler, matcher.fits, labels, False) for matcher in matchers)
    ]
    return max(fitting, key=lambda one: one[0])[1] if fitting else None


def by_text(handlers: Iterable[AlertHandler], text: str) -> AlertHandler | None:
    """The first handler that recognises the text."""
    return next((h for h in handlers if text and _safely(h, h.recognises, text, False)), None)


def words(alert: Alert, notice: Notice) -> str:
    """What an alert says besides its labels."""
    return visible("\n".join((*alert.annotations.values(), notice.text)), TEXT_LIMIT)


def key(handler: AlertHandler, alert: Alert) -> str:
    """Which of the handler's incidents the alert belongs to, "" when it does not tell."""
    return visible(str(_safely(handler, handler.key, alert, "")), KEY_LIMIT)


def visible(text: str, limit: int) -> str:
    """Without control characters and halves of characters, which not every database keeps; cut."""
    return "".join(c for c in text if c.isprintable() or c in "\n\t")[:limit]


def _safely(handler: AlertHandler, ask: Callable[[T], object], of: T, otherwise: object) -> object:
    """A handler that fails on an alert must not lose it for the others."""
    try:
        return ask(of)
    except Exception as error:
        log.error("alert handler failed", handler=handler.name, error=type(error).__name__)
        return otherwise
