"""What a person types after a command, read into the command's `Ask`.

Words as in a shell: `key=value`, `--key value`, `--key=value`, `--flag`, `--no-flag`, and bare words for positional
fields. A field that takes many is repeated or separated by commas. Names and choices may be in any case, because
phones capitalise the first letter.
"""

from __future__ import annotations

import re
import shlex
import unicodedata
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError

from bot.core.errors import Told
from bot.core.fields import FieldView, choices, fields
from bot.core.handler import Ask, Handler

LIMIT = 4000  # characters of one command; Slack's own composer takes no more in one message
ECHO = 40  # characters of input an error may repeat
_TRUE, _FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")
_SPACES = re.compile(r"[\s\u00a0\u2000-\u200a\u202f\u3000]+")
_UNSEEN = dict.fromkeys(map(ord, "\u200b\u2060\ufeff\u00ad"))  # come along with a paste and mean nothing
_QUOTES = str.maketrans({**dict.fromkeys("“”„‟«»", '"'), **dict.fromkeys("‘’‚‛", "'")})
_NAMED = re.compile(r"(?:--)?([A-Za-z][\w-]*)=(.*)", re.DOTALL)


class AskError(Told):
    """The text does not fit the command. `usage` shows how it does, `field` names the parameter at fault."""

    def __init__(self, what: str, usage: str, field: str | None = None) -> None:
        super().__init__(what, f"Type it like this: {usage}")
        self.usage = usage
        self.field = field


def parse(text: str, handler: Handler) -> Ask:
    """The parameters a person typed. Raises AskError, and nothing else."""
    return read(_Words(handler).read(text), handler)


def read(values: Mapping[str, str | list[str]], handler: Handler) -> Ask:
    """The parameters from words by field name. Raises AskError for the first field that does not fit."""
    result = check(values, handler)
    if isinstance(result, Ask):
        return result
    field, what = next(iter(result.items()))
    raise AskError(what, usage(handler), field or None)


def check(values: Mapping[str, str | list[str]], handler: Handler) -> Ask | dict[str, str]:
    """The parameters from words by field name, or one sentence per field that does not fit ("" for all together)."""
    try:
        return handler.ask.model_validate(_typed(values, handler))
    except ValidationError as error:
        views = {v.name: v for v in fields(handler)}
        told: dict[str, str] = {}
        for one in error.errors(include_url=False):
            name = str(one["loc"][0]) if one["loc"] else ""
            told.setdefault(name, _sentence(one, views.get(name)))
        return told


def usage(handler: Handler) -> str:
    """How to type the command: `/rotate-hive-tokens [ONLY] [--handover-only]`."""
    return f"/{handler.name} {hint(handler)}".rstrip()


def hint(handler: Handler) -> str:
    """The usage without the command's name, positional fields first."""
    views = sorted(fields(handler), key=lambda v: not v.positional)
    return " ".join(_shape(v) if v.required else f"[{_shape(v)}]" for v in views)


def spell(ask: Ask, handler: Handler) -> str:
    """The text a person would type for these parameters, without the command; `parse` reads it back."""
    views, words = fields(handler), []
    for name, value in ask.model_dump(mode="json").items():
        view = next(v for v in views if v.name == name)
        if value is None or value == type(ask).model_fields[name].default:
            continue
        if isinstance(value, bool):
            words.append(view.flag if value else "--no-" + view.flag[2:])
        else:
            word = ",".join(map(str, value)) if isinstance(value, list) else str(value)
            words.append(shlex.quote(f"{name}={word}"))
    return " ".join(words)


def missing(handler: Handler, text: str) -> bool:
    """Should a form be shown: does the text lack a required field, or is it a question mark?"""
    if text.strip() in ("?", "？"):
        return True
    try:
        given = _Words(handler).read(text)
    except AskError:
        return False
    return any(v.required and v.name not in given for v in fields(handler))


def given(handler: Handler, text: str) -> dict[str, str | list[str]]:
    """The words by field name, as far as they can be read; to fill a form. Never raises."""
    try:
        return {} if text.strip() in ("?", "？") else _Words(handler).read(text)
    except AskError:
        return {}


def echo(text: str) -> str:
    """Input as an error may repeat it: without what cannot be seen, at most 40 characters."""
    seen = "".join(c for c in text[: 2 * ECHO] if c == " " or unicodedata.category(c)[0] not in "CZ")
    return seen if len(seen) <= ECHO and len(text) <= 2 * ECHO else seen[: ECHO - 1] + "…"


class _Words:
    """One reading of one text: words are taken from the left and put to fields."""

    def __init__(self, handler: Handler) -> None:
        self.usage = usage(handler)
        self.views = {v.name: v for v in fields(handler)}
        self.free = [v for v in self.views.values() if v.positional]
        self.values: dict[str, str | list[str]] = {}

    def read(self, text: str) -> dict[str, str | list[str]]:
        words = iter(self._split(text))
        for word in words:
            if word == "--":
                for rest in words:
                    self._bare(rest)
            else:
                self._word(word, words)
        return self.values

    def _split(self, text: str) -> list[str]:
        if len(text) > LIMIT:
            raise self._error(f"That is too long: {len(text):,} characters, and {LIMIT:,} is the limit.")
        plain = _plain(text)
        unseen = next((c for c in plain if unicodedata.category(c)[0] == "C"), None)
        if unseen:
            raise self._error(f"There is a character that cannot be seen (U+{ord(unseen):04X}); type the text anew.")
        try:
            return shlex.split(plain)
        except ValueError:
            raise self._error("A quotation mark is not closed, or a backslash stands at the end.") from None

    def _word(self, word: str, rest: Iterator[str]) -> None:
        if named := _NAMED.fullmatch(word):
            self._put(self._field(named[1]), named[2])
        elif word.startswith("--"):
            self._flag(word[2:], rest)
        elif re.match(r"-[A-Za-z]", word):
            raise self._unknown(word)
        else:
            self._bare(word)

    def _flag(self, name: str, rest: Iterator[str]) -> None:
        view = self._find(name)
        negated = self._find(name[3:]) if name.lower().startswith("no-") else None
        if view is None and negated and negated.type == "flag":
            return self._put(negated, "false")
        view = self._field(name)
        if view.type == "flag" and not view.many:
            return self._put(view, "true")
        value = next(rest, None)
        if value is None:
            raise self._error(f"{view.flag} needs a value.", view.name)
        return self._put(view, value)

    def _bare(self, word: str) -> None:
        view = next((v for v in self.free if v.many or v.name not in self.values), None)
        if view is None:
            raise self._unknown(word)
        self._put(view, word)

    def _put(self, view: FieldView, value: str) -> None:
        if view.many:
            words = self.values.setdefault(view.name, [])
            assert isinstance(words, list)
            words.extend(part.strip() for part in value.split(",") if part.strip())
        elif view.name in self.values:
            raise self._error(f"{view.name} is given twice.", view.name)
        else:
            self.values[view.name] = value

    def _find(self, name: str) -> FieldView | None:
        return self.views.get(name.lower().replace("-", "_"))

    def _field(self, name: str) -> FieldView:
        if view := self._find(name):
            return view
        raise self._unknown(name)

    def _unknown(self, word: str) -> AskError:
        names = {_key(v.name): v.flag if v.type == "flag" else v.name + "=" for v in self.views.values()}
        near = get_close_matches(_key(word[:ECHO]), names, n=1, cutoff=0.6)
        meant = f" Did you mean {names[near[0]]}?" if near else ""
        return self._error(f"I do not know what to do with “{echo(word)}”.{meant}")

    def _error(self, what: str, field: str | None = None) -> AskError:
        return AskError(what, self.usage, field)


def _plain(text: str) -> str:
    """The text with the quotes, dashes and spaces that editors make turned into what they were typed as."""
    text = _SPACES.sub(" ", text.translate(_UNSEEN).translate(_QUOTES))
    text = re.sub(r"(?:(?<=^)|(?<=\s))[—–](?=\w)", "--", text)
    return text.replace("—", "--").replace("–", "-")


def _key(word: str) -> str:
    return word.lower().lstrip("-").partition("=")[0].replace("-", "_")


def _shape(view: FieldView) -> str:
    what = "|".join(view.options) if 0 < len("|".join(view.options)) <= 80 else view.name.upper()
    if view.type == "flag" and not view.many:
        if view.default is None and not view.required:
            return f"{view.flag}|--no-{view.flag[2:]}"
        return view.flag if view.default != "true" else "--no-" + view.flag[2:]
    many = " …" if view.many else ""
    return f"{what}{many}" if view.positional else f"{view.name}={what}{',…' if view.many else ''}"


def _typed(values: Mapping[str, str | list[str]], handler: Handler) -> dict[str, Any]:
    views = {v.name: v for v in fields(handler)}
    return {name: _value(value, views[name], handler) for name, value in values.items()}


def _value(value: str | list[str], view: FieldView, handler: Handler) -> Any:
    if isinstance(value, list):
        return [_value(word, view, handler) for word in value]
    word = value.strip().lower()
    if view.type == "flag":
        return True if word in _TRUE else False if word in _FALSE else value
    if view.type == "choice":
        known = choices(handler, view.name)
        return known.get(value, {k.lower(): v for k, v in known.items()}.get(word, value))
    return value


def _sentence(error: Any, view: FieldView | None) -> str:
    name = view.name if view else "The text"
    typed = error["input"] if isinstance(error["input"], str) else ""
    said = f", not “{echo(typed)}”" if typed else ""
    if error["type"] == "missing":
        return f"{name} is missing."
    if view and view.type == "choice":
        near = get_close_matches(typed[:ECHO].lower(), view.options, n=1, cutoff=0.6)
        return f"{name} must be {_listed(view.options)}{said}." + (f" Did you mean {near[0]}?" if near else "")
    rules = {"flag": "true or false", "integer": "a whole number", "number": "a number"}
    if view and view.type in rules and error["type"].endswith(("_parsing", "_type", "_from_float", "_size")):
        return f"{name} must be {rules[view.type]}{said}."
    if view and error["type"] == "string_pattern_mismatch":
        return f"{name} cannot be “{echo(typed)}”. {view.help}"[:300].rstrip(". ") + "."
    reason = str(error["msg"]).removeprefix("Value error, ")
    return f"{name}: {reason.replace(typed, echo(typed)) if typed else reason}"[:300].rstrip(".") + "."


def _listed(options: tuple[str, ...]) -> str:
    shown = options[:8]
    rest = f" or one of {len(options) - 8} more" if len(options) > 8 else ""
    return " or ".join(filter(None, [", ".join(shown[:-1]), shown[-1]])) + rest
