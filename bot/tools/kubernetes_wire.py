"""One request to a cluster's API, by the transport of the official client. Nothing comes from the environment or from a
kubeconfig, nothing is repeated or redirected, and no exception gets out."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from bot.clusters import Cluster
from bot.core.errors import Refused
from bot.core.secret import Secret
from bot.tools.address import host, is_http
from bot.tools.http_answer import LOADING, Answer, within

CONNECTIONS = 16  # kept per cluster
CONNECTING = 5.0  # seconds, at most
AT_ONCE = 65_536  # bytes
ENOUGH = 64 * 1024 * 1024  # bytes of an answer
JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"


@dataclass(frozen=True)
class Request:
    """`path` is quoted already; `body` is what is to be sent as JSON."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: Any = field(default=None, repr=False)
    content_type: str = JSON

    @property
    def changes(self) -> bool:
        """Is it more than a question?"""
        return self.method != "GET" and not self.path.endswith("reviews")

    @property
    def target(self) -> str:
        return f"{self.path}?{urlencode(self.query)}" if self.query else self.path


class Wire:
    """The connections to one cluster, shared by all threads. `where` is what sentences call it."""

    def __init__(self, name: str, settings: Cluster) -> None:
        self.where = f"Cluster {name} at {host(settings.address) or 'its address'}"
        self.seconds = settings.timeout
        self._settings = settings
        self._transport: Any = None

    def send(self, request: Request, token: Secret) -> Answer:
        """What came of it, never later than the settings' timeout. Refused for what cannot be sent."""
        self._check(token)
        ca_file = self._settings.ca_file
        if ca_file and not ca_file.is_file():
            return Answer("ca_file")
        transport = self._opened()
        return within(self.seconds, lambda seconds: self._exchange(transport, request, token, seconds))

    def close(self) -> None:
        """Give the connections up; they are made again when needed."""
        if self._transport is not None:
            self._transport.close()

    def _check(self, token: Secret) -> None:
        """What the client would fail at in its own words, with the token in them."""
        if not is_http(self._settings.address):
            raise Refused(f"{self.where} has no http or https address.", "Correct its address in the settings.")
        text = token.reveal()
        if not text.isascii() or not text.isprintable() or " " in text:
            raise Refused(f"The token for {lower(self.where)} has characters that no token has.", "Replace it.")

    def _opened(self) -> Any:
        with LOADING:  # the client's modules import each other: two threads that load them at once would deadlock
            if self._transport is None:
                self._transport = _transport(self._settings)
            return self._transport

    def _exchange(self, transport: Any, request: Request, token: Secret, seconds: float) -> Answer:
        from bot.tools.http_session import how, unsent

        began = time.monotonic()
        try:
            return self._heard(transport, request, token, seconds)
        except Exception as problem:
            # Everything: the client may fail in its own ways, and http.client quotes the token in its texts.
            return Answer(how(problem), latency=time.monotonic() - began, unsent=unsent(problem))

    def _heard(self, transport: Any, request: Request, token: Secret, seconds: float) -> Answer:
        headers = {"Authorization": f"Bearer {token.reveal()}", "Accept": JSON, "User-Agent": "hivekeeper"}
        if request.body is not None:
            headers["Content-Type"] = request.content_type
        url = self._settings.address.rstrip("/") + request.target
        timeouts = (min(seconds, CONNECTING), seconds)
        raw = transport.request(request.method, url, headers, request.body, _request_timeout=timeouts).response
        try:
            body = self._read(raw, time.monotonic() + seconds)
        except Exception:
            raw.close()  # not for the next request: the rest of this answer is still in it
            raise
        after = raw.headers.get("Retry-After", "")
        return Answer("answered", status=raw.status, body=body, moved=300 <= raw.status < 400,
                      after=min(float(after), 3600.0) if after.isascii() and after.isdigit() else None)  # fmt: skip

    def _read(self, raw: Any, ends: float) -> bytes:
        from bot.tools.http_session import TooLong

        body = bytearray()
        while more := raw.read1(AT_ONCE):
            body += more
            if len(body) > ENOUGH:
                raise TooLong
            if time.monotonic() > ends:
                raise TimeoutError
        return bytes(body)


def _transport(settings: Cluster) -> Any:
    import certifi
    from kubernetes.client.configuration import Configuration  # some hundred modules
    from kubernetes.client.rest import RESTClientObject
    from urllib3 import Retry

    import bot.tools.http_session  # noqa: F401 - it loads requests, and this is where loading is done
    from bot.tools.connections import keep_fresh_and_prompt

    ca_file = str(settings.ca_file) if settings.ca_file else certifi.where()
    configuration = Configuration(
        host=settings.address.rstrip("/"), ssl_ca_cert=ca_file, proxy="", no_proxy="",
        retries=Retry(total=False), connection_pool_maxsize=CONNECTIONS,
    )  # fmt: skip
    transport = RESTClientObject(configuration)
    keep_fresh_and_prompt(transport.pool_manager)
    return transport


def lower(where: str) -> str:
    """`where` within a sentence."""
    return where[0].lower() + where[1:]
