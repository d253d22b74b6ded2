"""Single values in the text of a YAML document: find them, replace them, leave every other character alone.

The text is read as a stream of events with libyaml (which is also what Go programs read YAML with), never loaded into
objects and never written out again. So comments, order, quotes, anchors and line widths stay by construction, and
nested aliases cost nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any

import yaml

from bot.core.errors import Refused
from bot.core.ports import Inside

Event = Any  # the types of PyYAML's stubs know neither anchors nor styles, and have every mark missing
Events = tuple[Event, ...]

DEPTH = 64
EVENTS = 400_000
EXPANDED = 1_000_000  # nodes once all aliases are followed; a document of 10,000 lines has about 40,000
LOADER: Any = getattr(yaml, "CLoader", yaml.Loader)  # only its parser is used: no object is ever built
STANDARD = frozenset(
    f"tag:yaml.org,2002:{name}"
    for name in ("str", "int", "float", "bool", "null", "map", "seq", "set", "omap", "pairs", "binary", "timestamp")
)
TEXT = "tag:yaml.org,2002:str"
NOW = "Correct the document, then ask again."
# Plain text that no version of YAML takes for a number, a date or a word like `yes`; tokens are of this form.
PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{7,}")
PROPERTIES = re.compile(r"(?:[&!]\S*(?:\s+|\Z))*")
BLOCK = ("|", ">")


def parsed(text: str, *, any_tag: bool = False) -> Events:
    """The events of a document's text. Refused, by line only, when it is no single sound document."""
    events: list[Event] = []
    depth = 0
    try:
        for event in yaml.parse(text, Loader=LOADER):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            events.append(event)
            if depth > DEPTH or len(events) > EVENTS:
                raise Refused(f"The document is nested too deep or too long{_line(event)}.", NOW)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f" (line {mark.line + 1})" if mark else ""
        raise Refused(f"The document is not valid YAML{line}.", NOW) from None
    _check(events, any_tag)
    return tuple(events)


def _check(events: list[Event], any_tag: bool) -> None:
    if sum(isinstance(event, yaml.DocumentStartEvent) for event in events) != 1:
        raise Refused("The text does not hold exactly one YAML document.", NOW)
    for event in events:
        tag = getattr(event, "tag", None)
        if not any_tag and tag is not None and tag not in STANDARD:
            raise Refused(f"The document uses a tag that is not part of YAML{_line(event)}.", NOW)
    if _expanded(events) > EXPANDED:
        raise Refused("The document's aliases multiply it beyond measure.", NOW)


def _expanded(events: list[Event]) -> int:
    """How many nodes the document has once its aliases are followed (counted up to a little over the limit)."""
    sizes: dict[str, int] = {}
    begun: list[tuple[str | None, int]] = [(None, 0)]
    for event in events:
        if isinstance(event, yaml.CollectionStartEvent):
            begun.append((event.anchor, 1))
            continue
        if isinstance(event, yaml.CollectionEndEvent):
            anchor, size = begun.pop()
        elif isinstance(event, yaml.AliasEvent):
            anchor, size = None, _aliased(event, sizes)
        elif isinstance(event, yaml.ScalarEvent):
            anchor, size = event.anchor, 1
        else:
            continue
        if anchor:
            sizes[anchor] = size
        begun[-1] = (begun[-1][0], min(begun[-1][1] + size, EXPANDED + 1))
    return begun[0][1]


def _aliased(event: Event, sizes: Mapping[str, int]) -> int:
    if event.anchor not in sizes:  # never defined, or defined by what contains it
        raise Refused(f"The document has an alias without an anchor before it{_line(event)}.", NOW)
    return sizes[event.anchor]


@dataclass
class _Collection:
    """A collection that the walk is inside of. `place` is None below a key that is not plain text."""

    mapping: bool
    place: Inside | None
    count: int = 0
    key: str | None = None
    keys: set[str] = field(default_factory=set)

    def take(self, event: Event) -> tuple[bool, Inside | None]:
        """The next node: is it a value, and at which place?"""
        number, self.count = self.count, self.count + 1
        if not self.mapping:
            return True, self._at(number)
        if number % 2:
            return True, None if self.key is None else self._at(self.key)
        self.key = event.value if isinstance(event, yaml.ScalarEvent) else None
        if self.key in self.keys:
            raise Refused(f"The document has a key twice in one mapping{_line(event)}.", NOW)
        if self.key is not None:
            self.keys.add(self.key)
        return False, None

    def _at(self, step: str | int) -> Inside | None:
        return None if self.place is None else (*self.place, step)


def values(events: Events) -> Iterator[tuple[Inside, int]]:
    """Every value with its place and the number of its event. Refused at a key that is there twice."""
    inside: list[_Collection] = []
    for number, event in enumerate(events):
        if isinstance(event, yaml.CollectionEndEvent):
            inside.pop()
        elif isinstance(event, yaml.NodeEvent):
            is_value, place = inside[-1].take(event) if inside else (True, ())
            if is_value and place is not None:
                yield place, number
            if isinstance(event, yaml.CollectionStartEvent):
                inside.append(_Collection(isinstance(event, yaml.MappingStartEvent), place))


def located(events: Events, wanted: tuple[Inside, ...]) -> dict[Inside, int]:
    """The numbers of the wanted scalars that exist. Refused for a place that is shared, tagged, or no single value."""
    spelled = {tuple(str(step) for step in place): place for place in wanted}
    found: dict[Inside, int] = {}
    for place, number in values(events):
        event = events[number]
        path = tuple(str(step) for step in place)
        if isinstance(event, yaml.AliasEvent):
            _check_not_shared(event, path, spelled)
        elif path in spelled and _fits(place, spelled[path]):
            _check_text(event)
            found[spelled[path]] = number
    return found


def _fits(place: Inside, wanted: Inside) -> bool:
    """A list is entered by number only; a key of a mapping may be written as a number in the settings."""
    return all(isinstance(want, int) for step, want in zip(place, wanted, strict=True) if isinstance(step, int))


def _check_not_shared(event: Event, path: tuple[str, ...], wanted: Mapping[tuple[str, ...], Inside]) -> None:
    if any(place[: len(path)] == path for place in wanted):
        raise Refused(
            f"A wanted place in the document is an alias{_line(event)}.", "Name the place where the value is written."
        )


def _check_text(event: Event) -> None:
    if not isinstance(event, yaml.ScalarEvent):
        raise Refused(f"A wanted place in the document holds more than one value{_line(event)}.", "Correct the place.")
    if event.tag not in (None, TEXT):
        raise Refused(f"A wanted place in the document is not text{_line(event)}.", "Correct the place.")


def spliced(text: str, events: Events, new: Mapping[int, str]) -> str:
    """The text with the scalars of these events replaced. Refused if anything else would read differently."""
    parts: list[str] = []
    at = 0
    for number in sorted(new):
        event = events[number]
        raw = text[event.start_mark.index : event.end_mark.index]
        kept = PROPERTIES.match(raw)
        start = event.start_mark.index + (kept.end() if kept and (event.anchor or event.tag) else 0)
        parts += [text[at:start], _written(text[start : event.end_mark.index], event.style, new[number])]
        at = event.end_mark.index
    result = "".join((*parts, text[at:]))
    if not _same_but(events, parsed(result), new):
        raise Refused("The value cannot be put there without changing the rest of the document.", NOW)
    return result


def _written(raw: str, style: str | None, value: str) -> str:
    """The value in the style of what it replaces, as far as that can hold it."""
    if style in BLOCK:
        return _quoted(value) + _after_block(raw)
    if PLAIN.fullmatch(value) and style != '"':
        return f"'{value}'" if style == "'" else value if raw else f" {value}"
    return _quoted(value) if raw else f" {_quoted(value)}"


def _after_block(raw: str) -> str:
    """What of a block scalar's text is not its value: the comment behind its sign, and the empty lines at its end."""
    _, sign, comment = raw.splitlines()[0].partition(" #")
    return (sign and f" {sign}{comment}") + raw[len(raw.rstrip(" \t\r\n")) :]


def _quoted(value: str) -> str:
    return yaml.dump(value, Dumper=yaml.SafeDumper, default_style='"', width=10**9).rstrip("\n")


def _same_but(before: Events, after: Events, new: Mapping[int, str]) -> bool:
    return len(before) == len(after) and all(
        _reads_alike(one, other) if number not in new else _reads_as(one, other, new[number])
        for number, (one, other) in enumerate(zip(before, after, strict=True))
    )


MEANING = {
    yaml.ScalarEvent: attrgetter("anchor", "tag", "implicit", "value", "style"),
    yaml.AliasEvent: attrgetter("anchor"),
    yaml.SequenceStartEvent: attrgetter("anchor", "tag", "implicit", "flow_style"),
    yaml.MappingStartEvent: attrgetter("anchor", "tag", "implicit", "flow_style"),
    yaml.DocumentStartEvent: attrgetter("explicit", "version", "tags"),
    yaml.DocumentEndEvent: attrgetter("explicit"),
}


def _reads_alike(one: Event, other: Event) -> bool:
    if type(one) is not type(other):
        return False
    meaning = MEANING.get(type(one))
    return meaning is None or bool(meaning(one) == meaning(other))


def _reads_as(one: Event, other: Event, value: str) -> bool:
    return isinstance(other, yaml.ScalarEvent) and (other.value, other.anchor, other.tag) == (
        value,
        one.anchor,
        one.tag,
    )


def _line(event: Event) -> str:
    return f" (line {event.start_mark.line + 1})"
