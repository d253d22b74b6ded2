"""Requests to one registry and to its token service: within one time for all of them, and no redirect is followed.

Logins go to the registry's own address and to the token service that it names, over https only; over http only where
the settings say that the registry is on this machine.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from bot.cloud import Registry
from bot.sources import is_loopback
from bot.tools import docker_hosts
from bot.tools.challenges import Challenge, challenges
from bot.tools.http_answer import LOADING, Answer, twice

LONGEST_BODY = 4_194_304  # bytes: what registries take for a manifest
LONGEST_URL = 2_000
HUB_ADDRESS = "https://registry-1.docker.io"
AGENT = "hivekeeper"


@dataclass(frozen=True)
class Heard:
    """An answer with what of its headers matters. `versioned`: it says that it is a registry."""

    answer: Answer
    challenges: tuple[Challenge, ...] = ()
    versioned: bool = False


class Line:
    """Everything that is asked of one registry for one question. Not for several threads."""

    def __init__(self, host: str, registries: Mapping[str, Registry]) -> None:
        self.host = host
        self._registries = registries
        self._own = registries.get(host, Registry())
        self._base = (self._own.address or _public(host)).rstrip("/")
        self.seconds = self._own.timeout
        self._ends = time.monotonic() + self.seconds

    def get(self, path: str, headers: Mapping[str, str]) -> Heard:
        """Ask the registry."""
        return self._get(self._base + path, headers, {}, self._own)

    def token(self, realm: str, headers: Mapping[str, str], params: Mapping[str, str]) -> Heard | None:
        """Ask the token service that the registry names; None when that is no place to send a login to."""
        url = self._safe(realm)
        return self._get(url, headers, params, self._of(realm)) if url else None

    def _safe(self, realm: str) -> str | None:
        """Where the token service is really reached; None if that is not safe."""
        try:
            parts = urlsplit(realm)
            host, port = parts.hostname or "", parts.port
        except ValueError:
            return None
        clean = realm.isascii() and realm.isprintable() and " " not in realm and len(realm) <= LONGEST_URL
        if not host or not clean or "@" in parts.netloc or "\\" in realm or port == 0:
            return None
        if address := self._of(realm).address if parts.netloc in self._registries else None:
            return parts._replace(
                scheme=urlsplit(address).scheme, netloc=urlsplit(address).netloc, fragment=""
            ).geturl()
        here = self._base.startswith("http://") and is_loopback(host)
        return (
            parts._replace(fragment="").geturl()
            if parts.scheme == "https" or (parts.scheme == "http" and here)
            else None
        )

    def _of(self, realm: str) -> Registry:
        return self._registries.get(urlsplit(realm).netloc, self._own)

    def _get(self, url: str, headers: Mapping[str, str], params: Mapping[str, str], how: Registry) -> Heard:
        with LOADING:
            from bot.tools import http_session

        heard: list[Heard] = []

        def look(seconds: float) -> Answer:
            session = http_session.Session(seconds=seconds, ca_file=how.ca_file, limit=LONGEST_BODY)
            sent = {"User-Agent": AGENT, **headers}
            answer = http_session.look(
                session, lambda it: it.get(url, headers=sent, params=dict(params), allow_redirects=False)
            )
            told = session.last.headers if answer.how == "answered" and session.last is not None else {}
            asked = challenges(told.get("WWW-Authenticate", ""))
            heard.append(Heard(answer, asked, told.get("Docker-Distribution-Api-Version", "") == "registry/2.0"))
            return answer

        answer = twice(max(self._ends - time.monotonic(), 0.001), look)
        return next((each for each in heard if each.answer is answer), Heard(answer))


def _public(host: str) -> str:
    return HUB_ADDRESS if host in docker_hosts.HUB_HOSTS else f"https://{host}"
