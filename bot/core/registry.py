"""Container registries and the documents that hold their credentials (`.dockerconfigjson`)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, Protocol

from bot.core.errors import Refused
from bot.core.secret import Secret
from bot.core.value import Value

Outcome = Literal[
    "ok",
    "expired",  # the token was good once
    "denied",  # the principal may not; see `principal`, `action`, `resource`
    "unauthorized",  # no credentials, or wrong ones
    "no_repository",
    "no_tag",
    "rate_limited",
    "dns",
    "tls",
    "timeout",
    "unreachable",
    "not_a_registry",
    "error",
]

PART = re.compile(r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*", re.ASCII)
TAG = re.compile(r"\w[\w.-]{0,127}", re.ASCII)
DIGEST = re.compile(r"[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[0-9a-fA-F]{32,}", re.ASCII)
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"  # bounded, so that no text takes long to be no host
HOST = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\.?(?::[0-9]{{1,5}})?", re.ASCII)


class Image(Value):
    """Where an image is: registry host (with port), repository, and a tag or a digest."""

    host: str
    repository: str
    reference: str

    @property
    def by_digest(self) -> bool:
        return ":" in self.reference

    def __str__(self) -> str:
        return f"{self.host}/{self.repository}{'@' if self.by_digest else ':'}{self.reference}"


def image(text: str) -> Image:
    """An image as people and pods write it: "nginx" is docker.io/library/nginx:latest. Refused for what is none."""
    name, _, digest = text.partition("@")
    first, slash, rest = name.partition("/")
    has_host = bool(slash) and ("." in first or ":" in first or first == "localhost")
    host, path = (first, rest) if has_host else ("docker.io", name)
    path, colon, tag = path.partition(":")
    if host == "docker.io" and "/" not in path:
        path = f"library/{path}"
    reference = digest or tag or "latest"
    good = HOST.fullmatch(host) and all(PART.fullmatch(part) for part in path.split("/")) and len(path) <= 255
    named = DIGEST.fullmatch(reference) if digest else TAG.fullmatch(reference) and (bool(tag) or not colon)
    if not (good and named):
        raise Refused("That is not the name of an image.", "Write it as host/repository:tag.")
    return Image(host=host, repository=path, reference=reference)


class Pull(Value):
    """What a registry said when it was asked for a manifest, or for nothing but a login. `told`: one sentence of ours.

    Of a denial across accounts: who (an ARN), which action and which resource were named. `platforms`: "linux/amd64"
    and so on, of a manifest list; empty when the manifest does not tell. `tried`: was the login looked at? A registry
    that takes anybody never asks for one.
    """

    outcome: Outcome
    told: str
    status: int | None = None
    principal: str = ""
    action: str = ""
    resource: str = ""
    platforms: tuple[str, ...] = ()
    tried: bool = True


@dataclass(frozen=True)
class Login:
    user: str
    password: Secret


class Registries(Protocol):
    """The registry API, version 2, with Basic and token authentication. A failure is an answer, not an error."""

    def pull(self, image: Image, login: Login | None) -> Pull:
        """Ask for the image's manifest, as a node that pulls it would."""
        ...

    def accepts(self, host: str, login: Login | None) -> Pull:
        """Does the registry take this login at all? ("ok" says nothing about any repository, nor about a login that was
        not `tried`.)"""
        ...


class Entry(Value):
    """One registry of a credentials document, without its credentials. `trouble`: why it cannot be used, or ""."""

    host: str  # as it stands there: without scheme for Kubernetes, but people write it with one too
    fingerprint: str  # of its `auth`, or of user and password
    has_email: bool = False
    trouble: str = ""


class DockerConfigs(Protocol):
    """`{"auths": {"<host>": {"auth": base64 of user:password, …}}}` (upstream.md, seeds 001 and 004). Pure functions of
    their arguments; Refused, without a word of the content, for a document that is none."""

    def entries(self, document: Secret) -> tuple[Entry, ...]:
        """Its registries in the order of the document."""
        ...

    def login(self, document: Secret, host: str) -> Login | None:
        """The credentials for this host; None when there are none."""
        ...

    def auth(self, document: Secret, key: str) -> Secret | None:
        """The `auth` of exactly this entry, as it stands there; None when there is none. Refused when it is no text."""
        ...

    def put(self, document: Secret | None, host: str, login: Login) -> Secret:
        """The document with this registry's entry replaced or added (user, password and auth); all others, and the
        entry's other keys such as the e-mail, stay. A new document for None."""
        ...

    def merge(self, old: Secret, new: Secret) -> Secret:
        """Both documents' entries: those of `new` replace or join those of `old`, field by field; nothing of `old` is
        ever dropped, a null in `new` drops nothing. Equal content gives `old` back byte for byte."""
        ...

    def problems(self, document: Secret) -> tuple[str, ...]:
        """What is wrong with it, each in one sentence: structure, base64, hosts that can be none, duplicate keys."""
        ...
