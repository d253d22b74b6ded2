"""The HTTP side of hvac, kept from the environment, from foreign redirects and from leaking what it says.

Imported by `bot.tools.vault_session` at the first call only: hvac and requests take their time to load.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import urljoin, urlsplit

import hvac
import requests
from hvac.adapters import RawAdapter
from requests.adapters import HTTPAdapter
from requests.exceptions import InvalidURL

from bot.core.errors import Refused, Told, Transient
from bot.settings import Vault
from bot.tools.address import host, is_http
from bot.tools.connections import keep_fresh
from bot.tools.http_session import unsent
from bot.tools.tls import distrusted
from bot.tools.vault_told import Doing, Reply, misshapen

Send = Callable[[Any], Any]  # (hvac.Client) -> requests.Response


def connect(settings: Vault) -> hvac.Client:
    """An hvac client without a token that raises nothing for statuses and reads nothing from the environment."""
    session = requests.Session()
    session.trust_env = False  # no proxy, no netrc, and REQUESTS_CA_BUNDLE would win over our CA file
    session.verify = str(settings.ca_file) if settings.ca_file else True
    session.max_redirects = 3
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    session.get_redirect_target = partial(_same_host)  # type: ignore[method-assign]  # requests has no other hook for it
    for scheme in ("https://", "http://"):
        adapter = HTTPAdapter(pool_maxsize=16)
        keep_fresh(adapter.poolmanager)
        session.mount(scheme, adapter)
    return hvac.Client(
        url=settings.address.rstrip("/"),
        token="",  # not None: that would read VAULT_TOKEN and ~/.vault-token
        cert=(),  # not None: that would read VAULT_CLIENT_CERT
        timeout=settings.timeout,
        session=session,
        adapter=RawAdapter,
        namespace=settings.namespace,
        ignore_exceptions=True,
    )


def exchange(client: hvac.Client, send: Send, doing: Doing, settings: Vault) -> Reply:
    """Send one request and read its answer. Raises when nothing that Vault could have said came back."""
    try:
        response = send(client)
        reply = Reply(response.status_code, _document(response), _after(response))
    except Exception as problem:
        # Everything: a client may fail in its own ways, and its text can hold the token (InvalidHeader does).
        failure = _unheard(problem, doing, settings)
    else:
        if reply.status == 200 and reply.document is None:
            raise misshapen(doing)
        return reply
    raise failure  # outside the except block, so that the foreign error is not even its context


def _same_host(response: requests.Response) -> str | None:
    """Where a standby node sends us, if that is the same host in the same scheme and nothing is lost on the way."""
    target = response.headers.get("Location", "")
    there, here = urlsplit(urljoin(response.url, target)), urlsplit(response.url)
    stays = (there.scheme, there.hostname) == (here.scheme, here.hostname)
    return target if target and stays and response.status_code in (307, 308) else None


def _document(response: requests.Response) -> dict[str, Any] | None:
    try:
        document = response.json()
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def _after(response: requests.Response) -> float | None:
    text = response.headers.get("Retry-After", "")
    return min(float(text), 3600.0) if text.isascii() and text.isdigit() else None


def _unheard(problem: Exception, doing: Doing, settings: Vault) -> Told:
    """The error for a request that got no answer."""
    where = f"Vault at {host(settings.address) or 'vault.address'}"
    if told := _misconfigured(problem, where, settings):
        return told
    again = "Try again in a minute; if it goes on, check the network between the bot and Vault."
    unheard = doing.changes and not unsent(problem)
    return Transient(_silence(problem, where, doing, settings.timeout), again, unheard=unheard)


def _silence(problem: Exception, where: str, doing: Doing, seconds: float) -> str:
    if isinstance(problem, requests.exceptions.Timeout):
        return f"{where} did not answer within {seconds:g} s when asked to {doing}."
    if isinstance(problem, requests.exceptions.TooManyRedirects):
        return f"{where} sent the bot round in circles when asked to {doing}."
    if isinstance(problem, requests.exceptions.RequestException):
        return f"The connection to {where} failed when asked to {doing}."
    return f"{where} could not be asked to {doing} ({type(problem).__name__})."


def _misconfigured(problem: Exception, where: str, settings: Vault) -> Told | None:
    """What no second try will mend."""
    if distrusted(problem):
        return Refused(f"{where} shows a certificate that the bot does not trust.", "Check vault.ca_file.")
    if isinstance(problem, requests.exceptions.InvalidHeader | UnicodeError):
        return Refused("The bot's Vault token has characters that no token has.", "Check what vault.auth names.")
    if isinstance(problem, InvalidURL) or not is_http(settings.address):
        return Refused("vault.address is not an http or https address.", "Correct it in the settings.")
    if isinstance(problem, OSError) and settings.ca_file and not settings.ca_file.is_file():
        return Refused("The file that vault.ca_file names is not there.", "Correct vault.ca_file or put it there.")
    return None
