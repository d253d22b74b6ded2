"""Which key of a credentials document is meant for which registry: the way Kubernetes looks it up.

A key may carry a scheme, a path that narrows it to some repositories, and shell patterns in the parts of its host.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from fnmatch import fnmatchcase
from typing import NamedTuple

HUB = "docker.io"
HUB_KEY = "https://index.docker.io/v1/"  # what everybody writes for Docker Hub
HUB_HOSTS = (HUB, "index.docker.io")
SCHEME = re.compile(r"https?://")
VERSION = re.compile(r"/v[12](?=/)")
PLAUSIBLE = re.compile(r"(?=.{1,253}(?::|$))[\w*?^\[\]-]{1,63}(?:\.[\w*?^\[\]-]{1,63})*(?::[0-9]{1,5})?", re.ASCII)
PATH = re.compile(r"(?:/[\w.*?~%-]*)*", re.ASCII)
LONGEST_PATH = 255


class Place(NamedTuple):
    """A key without scheme and API version: a host with its port, and a path that is empty or begins with a slash."""

    host: str
    path: str


def place(key: str) -> Place:
    """What Kubernetes makes of a key (or of a repository, which is written the same way)."""
    bare = SCHEME.sub("", key, count=1) if SCHEME.match(key) else key
    host, slash, path = bare.partition("/")
    whole = VERSION.sub("", slash + path, count=1) if VERSION.match(slash + path) else slash + path
    return Place(host, "" if whole == "/" else whole)


def plausible(key: str) -> bool:
    """Can it be the name of a registry at all? What cannot may be anything, a secret too, and is not shown."""
    host, path = place(key)
    named = "." in host or ":" in host or host == "localhost"
    fits = PLAUSIBLE.fullmatch(host) and PATH.fullmatch(path) and len(path) <= LONGEST_PATH
    return named and bool(fits)


def same(one: str, other: str) -> bool:
    """Do both keys name the same registry (or the same part of one)?"""
    return _canonical(place(one)) == _canonical(place(other))


def fitting(keys: Collection[str], wanted: str) -> list[str]:
    """The keys whose login is offered to the registry `wanted` (host, or host/repository), the most special first."""
    target = place(wanted)
    found = [key for key in keys if _covers(place(key), target)]
    if not found and target.host in HUB_HOSTS:
        found = [key for key in keys if _canonical(place(key)) == Place(HUB, "")]
    return sorted(found, key=lambda key: "".join(place(key)), reverse=True)


def _canonical(place: Place) -> Place:
    return place._replace(host=HUB) if place.host in HUB_HOSTS else place


def _covers(pattern: Place, target: Place) -> bool:
    globs, glob_port = _split(pattern.host)
    parts, port = _split(target.host)
    alike = glob_port == port and len(globs) == len(parts) and target.path.startswith(pattern.path)
    return alike and all(fnmatchcase(part, glob.replace("[^", "[!")) for part, glob in zip(parts, globs, strict=True))


def _split(host: str) -> tuple[list[str], str]:
    name, _, port = host.partition(":")
    return name.split("."), port
