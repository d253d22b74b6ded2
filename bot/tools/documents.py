"""base64 of YAML, as in the field `config` of sd-uhc/sandbox (upstream.md, seed 000)."""

from __future__ import annotations

import base64
import binascii
import string
from collections.abc import Mapping
from dataclasses import dataclass

from bot.core.errors import Refused
from bot.core.ports import Inside
from bot.core.secret import Secret
from bot.tools.yaml_scalars import NOW, Events, located, parsed, spliced

LIMIT = 2_000_000  # characters of base64; Vault itself takes no more than 1 MiB in one value unless told otherwise
MARK = "\ufeff"  # byte order mark, as some editors write it; parsers count it differently
COMMON = frozenset(string.ascii_letters + string.digits)


@dataclass(frozen=True)
class _Spelling:
    """How the base64 was written, so that it can be written the same way: the alphabet, and padding or not."""

    url_safe: bool
    padded: bool

    def encode(self, text: str) -> str:
        encoded = (base64.urlsafe_b64encode if self.url_safe else base64.b64encode)(text.encode())
        return encoded.decode() if self.padded else encoded.decode().rstrip("=")


class Base64Yaml:
    """Implements `bot.core.ports.Documents`. Errors name lines, never content."""

    def find(self, document: Secret, inside: Inside) -> Secret | None:
        """The text at a place, None if there is no such place. Refused if the document or the place is not sound."""
        _, _, events = _opened(document)
        number = located(events, (inside,)).get(inside)
        return None if number is None else Secret(events[number].value)

    def replace(self, document: Secret, values: Mapping[Inside, Secret]) -> Secret:
        """The document with these places replaced and every other character as it was, in base64 without line wraps.

        Refused if a place does not exist, or if the result would read differently anywhere else. A value that other
        places share through an alias changes for them too: that is what sharing it says.
        """
        spelling, text, events = _opened(document)
        numbers = located(events, tuple(values))
        if len(numbers) < len(values):
            raise Refused("A place that is to be replaced is not in the document.", "Correct the place.")
        new = {numbers[inside]: secret.reveal() for inside, secret in values.items()}
        mark = MARK if text.startswith(MARK) else ""
        return Secret(spelling.encode(mark + spliced(text[len(mark) :], events, new)))


def _opened(document: Secret) -> tuple[_Spelling, str, Events]:
    spelling, raw = _decoded(document.reveal())
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise Refused("The document is not UTF-8 text.", NOW) from None
    return spelling, text, parsed(text.removeprefix(MARK))


def _decoded(encoded: str) -> tuple[_Spelling, bytes]:
    """The bytes of base64 in either alphabet, with or without line wraps and padding. Refused otherwise."""
    if len(encoded) > LIMIT:
        raise Refused(f"The document is longer than {LIMIT} characters of base64.", NOW)
    packed = "".join(encoded.split())
    body = packed.rstrip("=")
    url_safe = not COMMON.issuperset(body.replace("+", "").replace("/", ""))
    spelling = _Spelling(url_safe=url_safe, padded=len(packed) % 4 == 0)
    try:
        padded = body + "=" * (-len(body) % 4)
        return spelling, base64.b64decode(padded, altchars=b"-_" if url_safe else None, validate=True)
    except (binascii.Error, ValueError):
        raise Refused("The document is not base64.", NOW) from None
