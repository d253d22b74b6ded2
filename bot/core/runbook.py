"""Runbooks: Markdown with front matter, read into a value. Jekyll's front matter, Liquid variables and kramdown's
attribute lines are understood, because that is how organisations have them (seed 002); none of them is required.

Whatever a file holds, reading it gives a runbook; what could not be understood is in `warnings`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import yaml
from pydantic import Field

from bot.core.value import Value

if TYPE_CHECKING:
    from markdown_it.token import Token

LONGEST = 200_000  # characters; the rest of a longer file is not read
FRONT = re.compile(r"\A---[ \t]*\n(.*?)^---[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)
MARKER = re.compile(r"<!--\s*step:\s*([a-z][a-z0-9.-]{0,62})\s*-->")
ATTRIBUTES = re.compile(r"^[ \t]*\{:[^}\n]*\}[ \t]*$|(?<=\S)\{:[^}\n]*\}", re.MULTILINE)  # {: .label .label-purple}
VARIABLE = re.compile(r"\{\{-?\s*([A-Za-z_][\w-]*(?:\.[\w-]+)*)\s*-?\}\}")


class Item(Value):
    """One item of a numbered list. `name` is its marker, empty when it has none; `details` are the points below it."""

    number: int
    text: str
    name: str = ""
    section: str = ""
    details: tuple[str, ...] = ()


class Code(Value):
    """A code block: its language, and the paragraph right above it."""

    text: str
    language: str = ""
    section: str = ""
    said: str = ""


class Section(Value):
    """A heading and the paragraphs below it, up to the next heading."""

    title: str
    level: int
    text: tuple[str, ...] = ()


class Runbook(Value):
    """All texts are plain. `front` holds the plain values of the front matter; `spans` is code inside sentences."""

    name: str
    title: str
    front: dict[str, str] = Field(default_factory=dict)
    sections: tuple[Section, ...] = ()
    steps: tuple[Item, ...] = ()
    codes: tuple[Code, ...] = ()
    spans: tuple[str, ...] = ()
    links: tuple[tuple[str, str], ...] = ()
    warnings: tuple[str, ...] = ()

    def step(self, name: str) -> Item | None:
        """The step with this marker."""
        return next((step for step in self.steps if step.name == name), None)

    @property
    def markers(self) -> tuple[str, ...]:
        return tuple(step.name for step in self.steps if step.name)

    @property
    def promql(self) -> tuple[str, ...]:
        """The queries in code blocks that say they are PromQL."""
        return tuple(code.text.strip() for code in self.codes if code.language == "promql")


def named(file: str) -> str:
    """The name of a runbook by the name of its file: `open_cie.md` is open-cie."""
    return re.sub(r"\.(md|markdown)$", "", file).replace("_", "-").lower()


def parse(name: str, text: str, variables: Mapping[str, Any] | None = None) -> Runbook:
    """The runbook in a text. `variables` fill `{{ site.data.… }}`, looked up by their dotted names from the top or
    below `site.data`; a variable nobody has set is left as it stands, and named in `warnings`."""
    from markdown_it import MarkdownIt

    text, unknown = _filled(text[:LONGEST].replace("\r\n", "\n").lstrip("\ufeff"), variables or {})
    found = FRONT.match(text)
    front, trouble = _front(found.group(1)) if found else ({}, "")
    body = ATTRIBUTES.sub("", text[found.end() :] if found else text)
    reader = _Reader()
    reader.read(MarkdownIt("commonmark").enable("table").parse(body))
    heads = [section.title for section in reader.sections if section.title]
    title = front.get("runbook-name") or front.get("title") or next(iter(heads), name)
    twice = sorted({step.name for step in reader.steps if step.name and reader.names.count(step.name) > 1})
    return Runbook(
        name=name,
        title=title,
        front=front,
        sections=tuple(reader.sections),
        steps=tuple(reader.steps),
        codes=tuple(reader.codes),
        spans=tuple(reader.spans),
        links=tuple(dict.fromkeys(reader.links)),
        warnings=(
            *([trouble] if trouble else []),
            *(f"{{{{ {variable} }}}} is not set." for variable in unknown),
            *(f"The marker {marker} stands at more than one step." for marker in twice),
        ),
    )


def _filled(text: str, variables: Mapping[str, Any]) -> tuple[str, tuple[str, ...]]:
    unknown: dict[str, None] = {}

    def fill(match: re.Match[str]) -> str:
        value = _variable(match.group(1), variables)
        if value is None:
            unknown[match.group(1)] = None
        return match.group(0) if value is None else value

    return VARIABLE.sub(fill, text), tuple(unknown)


def _variable(dotted: str, variables: Mapping[str, Any]) -> str | None:
    for prefix in ("", "site.data.", "site."):
        if dotted.startswith(prefix):
            value = _inside(dotted.removeprefix(prefix), variables)
            if isinstance(value, str | int | float):
                return str(value)
    return None


def _inside(dotted: str, variables: Mapping[str, Any]) -> Any:
    if dotted in variables:
        return variables[dotted]
    here: Any = variables
    for key in dotted.split("."):
        here = here.get(key) if isinstance(here, Mapping) else None
    return here


def _front(text: str) -> tuple[dict[str, str], str]:
    """The plain values of the front matter; lists are joined with commas, deeper things left out."""
    try:
        document = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError, OverflowError):
        return {}, "The front matter is not valid YAML; it was left out."
    if not isinstance(document, dict):
        return {}, "" if document is None else "The front matter is not a mapping; it was left out."
    plain = {str(key)[:100]: _plain(value) for key, value in document.items() if not isinstance(key, tuple)}
    return {key: value for key, value in plain.items() if value is not None}, ""


def _plain(value: Any) -> str | None:
    if isinstance(value, list):
        parts = [part for part in map(_plain, filter(lambda one: not isinstance(one, list), value)) if part is not None]
        return ", ".join(parts)
    return None if value is None or isinstance(value, dict | set | bytes) else str(value)[:1000]


class _Reader:
    """One pass over the tokens. Items of the outermost numbered lists are steps; what is below belongs to them."""

    def __init__(self) -> None:
        self.sections: list[Section] = []
        self.steps: list[Item] = []
        self.codes: list[Code] = []
        self.spans: list[str] = []
        self.links: list[tuple[str, str]] = []
        self._said = ""

    @property
    def names(self) -> list[str]:
        return [step.name for step in self.steps]

    @property
    def _section(self) -> str:
        return self.sections[-1].title if self.sections else ""

    def read(self, tokens: list[Token]) -> None:
        at = 0
        while at < len(tokens):
            at = self._one(tokens, at)

    def _one(self, tokens: list[Token], at: int) -> int:
        """Take in what begins here; where the next thing begins."""
        token = tokens[at]
        if token.type == "heading_open":
            self.sections.append(Section(title=self._text(tokens[at + 1]), level=int(token.tag[1:])))
            return at + 3
        if token.type == "ordered_list_open":
            return self._list(tokens, at)
        if token.type == "inline":
            self._paragraph(self._text(token))
        elif token.type in ("fence", "code_block"):
            self._code(token)
        return at + 1

    def _paragraph(self, text: str) -> None:
        self._said = text
        if text and not self.sections:
            self.sections.append(Section(title="", level=1))
        if text:
            last = self.sections[-1]
            self.sections[-1] = last.model_copy(update={"text": (*last.text, text)})

    def _code(self, token: Token) -> None:
        language = token.info.split()[0].lower() if token.info.split() else ""
        self.codes.append(Code(text=token.content, language=language, section=self._section, said=self._said))

    def _list(self, tokens: list[Token], at: int) -> int:
        number = int(tokens[at].attrs.get("start", 1))
        end = _closing(tokens, at)
        at += 1
        while at < end:
            close = _closing(tokens, at)
            self.steps.append(self._item(number, tokens[at + 1 : close]))
            number, at = number + 1, close + 1
        return end + 1

    def _item(self, number: int, tokens: list[Token]) -> Item:
        texts: list[str] = []
        for token in tokens:
            if token.type == "inline" and (text := self._text(token)):
                texts.append(text)
                self._said = text
            elif token.type in ("fence", "code_block"):
                self._code(token)
        marks = [mark for token in tokens for mark in _marks(token)]
        first = texts[0] if texts else ""
        return Item(
            number=number, text=first, name=marks[0] if marks else "", section=self._section, details=tuple(texts[1:])
        )

    def _text(self, inline: Token) -> str:
        """The plain text of a paragraph; links and code in it are noted."""
        children = inline.children or []
        self.spans += [child.content for child in children if child.type == "code_inline"]
        self.links += _links(children)
        return " ".join("".join(_words(child) for child in children).split())


def _closing(tokens: list[Token], at: int) -> int:
    """Where what opens here closes."""
    kind = tokens[at].type.replace("_open", "_close")
    return next(i for i in range(at, len(tokens)) if tokens[i].type == kind and tokens[i].level == tokens[at].level)


def _marks(token: Token) -> Iterator[str]:
    if token.type == "html_block":
        yield from MARKER.findall(token.content)
    for child in token.children or []:
        if child.type == "html_inline":
            yield from MARKER.findall(child.content)


def _words(token: Token) -> str:
    if token.type in ("softbreak", "hardbreak"):
        return " "
    return str(token.content) if token.type in ("text", "code_inline", "image") else ""


def _links(children: list[Token]) -> Iterator[tuple[str, str]]:
    address, words = "", ""
    for child in children:
        if child.type == "link_open":
            address, words = str(child.attrs.get("href", "")), ""
        elif child.type == "link_close":
            yield " ".join(words.split()), address
        else:
            words += _words(child)
