"""A requests session for looking only: bounded in time and size, kept from the environment and from foreign hosts.

Imported at the first look, under `http_answer.LOADING`.
"""

from __future__ import annotations

import io
import socket
import ssl
import time
from collections.abc import Callable
from datetime import UTC
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.exceptions import InvalidHeader, InvalidURL, Timeout, TooManyRedirects
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError
from urllib3.exceptions import TimeoutError as PoolTimeout
from urllib3.util.retry import Retry

from bot.tools.connections import never_late
from bot.tools.http_answer import Answer, How
from bot.tools.tls import distrusted, links

AT_ONCE = 65_536  # bytes
ENOUGH = 8_000_000  # bytes
NO_RETRY = Retry(total=0, read=False)


class TooLong(Exception):
    """The body is longer than the limit."""


class NoCaFile(Exception):
    """The CA file of the settings is not there."""


class Session(requests.Session):
    """For one look. `last`: the newest answer with its whole body. Clients drop it."""

    def __init__(self, *, seconds: float, ca_file: Path | None, limit: int = ENOUGH) -> None:
        super().__init__()
        self.trust_env = False  # no proxy, no netrc, and REQUESTS_CA_BUNDLE would win over our CA file
        self.verify = str(ca_file) if ca_file else True
        self.max_redirects = 3
        self.last: requests.Response | None = None
        self._ends = time.monotonic() + seconds
        self._limit = limit
        self.hooks["response"].append(self._keep)
        for scheme in ("https://", "http://"):
            adapter = HTTPAdapter(max_retries=NO_RETRY)
            never_late(adapter.poolmanager)
            self.mount(scheme, adapter)

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        self.last = None
        if isinstance(self.verify, str) and not Path(self.verify).is_file():
            raise NoCaFile
        kwargs["timeout"] = max(self._ends - time.monotonic(), 0.001)
        return super().send(request, **kwargs)

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """Only within the same origin: headers with credentials go with it."""
        target = super().get_redirect_target(resp)
        return target if target and _origin(urljoin(resp.url, target)) == _origin(resp.url) else None

    def _keep(self, response: requests.Response, **_: Any) -> None:
        """Runs before requests reads the body itself, which it would do without limits."""
        body = bytearray()
        while more := response.raw.read1(AT_ONCE, decode_content=True):
            body += more
            if len(body) > self._limit:
                raise TooLong
            if time.monotonic() > self._ends:
                raise Timeout
        if not body and _beheaded(response):
            raise ConnectionResetError
        response.raw.close()
        response.raw = io.BytesIO(bytes(body))
        self.last = response


def look(session: Session, ask: Callable[[Session], object]) -> Answer:
    """Let `ask` send its request in the session; what came of it, in our words. Raises nothing."""
    began = time.monotonic()
    try:
        with session:
            ask(session)
    except Exception as problem:
        # Everything: clients fail in their own ways, with the body and the login in their texts.
        if session.last is None or isinstance(problem, TooManyRedirects):
            return Answer(how(problem), latency=time.monotonic() - began, unsent=unsent(problem))
    if session.last is None:
        return Answer("cut", latency=time.monotonic() - began)
    return _heard(session.last, time.monotonic() - began)


def _heard(response: requests.Response, latency: float) -> Answer:
    after = response.headers.get("Retry-After", "")
    return Answer(
        "answered",
        status=response.status_code,
        body=response.content,
        after=min(float(after), 3600.0) if after.isascii() and after.isdigit() else None,
        moved=300 <= response.status_code < 400,
        latency=latency,
        kind=response.headers.get("Content-Type", "").partition(";")[0].strip().lower(),
        date=_date(response.headers.get("Date", "")),
    )


def _date(text: str) -> float | None:
    """Seconds since the epoch; a time without a zone is taken for UTC, as HTTP has no other."""
    try:
        told = parsedate_to_datetime(text)
        return (told if told.tzinfo else told.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None


def _beheaded(response: requests.Response) -> bool:
    """Did a success end in the middle of its head? http.client takes what came for all, and its body for empty."""
    framed = {"Content-Length", "Transfer-Encoding"} & {name.title() for name in response.headers}
    return response.status_code == 200 and not framed


def how(problem: Exception) -> How:
    """The first that fits anywhere in the chain of errors."""
    chain = list(links(problem))
    if distrusted(problem):
        return "certificate"
    for kinds, how in KINDS:
        if any(isinstance(link, kinds) for link in chain):
            return how
    return "cut"


def unsent(problem: Exception) -> bool:
    """Was there no connection to send anything over?"""
    return any(isinstance(link, NewConnectionError | ConnectTimeoutError) for link in links(problem))


KINDS: tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], How], ...] = (
    (TooLong, "too_long"),
    (NoCaFile, "ca_file"),
    (TooManyRedirects, "circles"),
    ((InvalidHeader, InvalidURL, UnicodeError), "unsendable"),
    ((ssl.SSLEOFError, ssl.SSLZeroReturnError), "cut"),
    (ssl.SSLError, "tls"),
    (socket.gaierror, "dns"),
    ((ConnectionRefusedError, NewConnectionError), "refused"),  # urllib3 calls the latter a kind of timeout
    ((Timeout, PoolTimeout, TimeoutError), "timeout"),
)


def _origin(url: str) -> tuple[str, str | None, int | None]:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return url, None, None
    return parts.scheme, parts.hostname, port or {"http": 80, "https": 443}.get(parts.scheme)
