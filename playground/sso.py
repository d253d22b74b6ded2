"""A stand-in for one realm of Red Hat SSO (Keycloak), spoken as upstream.md tells (seed 000).

realm = SsoStandIn()
token = realm.offline_token("ocm-ci")
server = run_in_thread(realm.app(), date_header=False)      # sso.<realm>.address: server.url + realm.PATH
realm.end_session("ocm-ci")                 # what the token gets now: Offline user session not found
realm.whose(access)                         # for other stand-ins: the claims of a good access token, or None

Whoever signs in by device flow opens <address>/device in a browser, or a test calls `realm.approve(code, user)`.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from email.utils import formatdate
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from playground import sso_device
from playground.sso_clients import Client, Clients
from playground.sso_device import Devices
from playground.sso_sessions import No, Sessions, invalid_grant
from playground.sso_tokens import Mint

PATH = "/auth/realms/redhat-external"
PROTOCOL = "/protocol/openid-connect"
DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
SCOPES = {"openid", "offline_access", "profile", "email"}
PAGE = "<!doctype html><title>Maintenance</title><h1>gobbledygook</h1>"


class SsoStandIn:
    """`state`: "up", "html" (a page with 200), "login" (redirect), "empty", "garbage" (no JSON), "text" (JSON that does
    not say so), or a status of an error page. `refusal`: status, error and description of every answer of the token
    endpoint. `off`: seconds that its clock is ahead. `delay`: seconds before an answer. `offers_device`: does it say
    that it does device flow? `forms`, `logins`: the fields
    and the Authorization of each request that came to the token endpoint."""

    PATH = PATH

    def __init__(self, issuer: str = f"https://sso.example.com{PATH}") -> None:
        self.issuer = issuer
        self.state: str | int = "up"
        self.refusal: tuple[int, str, str] | None = None
        self.retry_after: int | None = None
        self.off = self.delay = 0.0
        self.offers_device = True
        self.access_seconds = 900.0
        self.forms: list[dict[str, str]] = []
        self.logins: list[str] = []
        self.mint = Mint(issuer)
        self.sessions = Sessions(self.mint, self.now)
        self.clients = Clients(self.now, lambda: (issuer, f"{issuer}{PROTOCOL}/token"))
        self.devices = Devices(self.now)
        self.clients.add(Client("cloud-services"))

    def now(self) -> float:
        return time.time() + self.off

    # --- what happens to people and tokens ---

    def offline_token(self, user: str, client: str = "cloud-services") -> str:
        """A new offline token of this user's, with a session of its own."""
        return self.sessions.open(user, client)

    def ordinary_token(self, user: str, client: str = "cloud-services", seconds: float = 1800.0) -> str:
        """A refresh token that is no offline one."""
        return self.sessions.open(user, client, seconds=seconds)

    def end_session(self, user: str) -> None:
        """The user's sessions are revoked."""
        for session in self.sessions.of(user):
            session.state = "gone"

    def idle(self, user: str) -> None:
        """The user's sessions have lain idle too long; the next use finds out."""
        for session in self.sessions.of(user):
            session.state = "idle"

    def recycle(self, user: str, client: str = "cloud-services") -> str:
        """Somebody signed in anew as this user: a good token, beside whatever there was."""
        return self.offline_token(user, client)

    def rotate(self, on: bool = True) -> None:
        """From now on each refresh gives a new token and spends the old one (or no longer)."""
        self.sessions.rotating = on

    def approve(self, code: str, user: str) -> bool:
        """The person with the code signs in as this user and approves."""
        return self.devices.decide(code, user)

    def deny(self, code: str) -> bool:
        return self.devices.decide(code, None)

    def whose(self, access: str) -> dict[str, Any] | None:
        """The claims of an access token that is good now."""
        claims = self.mint.read(access)
        return claims if claims and claims.get("typ") == "Bearer" and claims["exp"] > self.now() else None

    # --- over HTTP ---

    def app(self) -> Starlette:
        """The ASGI application; it tells the time itself (`date_header=False`)."""
        routes = [
            ("GET", f"{PATH}/.well-known/openid-configuration", self._discovery),
            ("GET", f"{PATH}{PROTOCOL}/certs", self._certs),
            ("POST", f"{PATH}{PROTOCOL}/token", self._token),
            ("POST", f"{PATH}{PROTOCOL}/auth/device", self._device),
            ("GET", f"{PATH}/device", self._page),
            ("POST", f"{PATH}/device", self._decided),
        ]
        known = [Route(path, self._guarded(answer), methods=[method]) for method, path, answer in routes]
        return Starlette(routes=[*known, Route("/{path:path}", self._guarded(self._unknown))])

    def _guarded(self, answer: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
        async def guarded(request: Request) -> Response:
            await asyncio.sleep(self.delay)
            try:
                response = await answer(request) if self.state == "up" else self._fault(request)
            except No as no:
                response = _json(no.status, {"error": no.error, "error_description": no.description})
            response.headers["Date"] = formatdate(self.now(), usegmt=True)
            if self.state == "text":
                response.headers["Content-Type"] = "text/plain"
            if self.retry_after is not None and response.status_code >= 400:
                response.headers["Retry-After"] = str(self.retry_after)
            return response

        return guarded

    def _fault(self, request: Request) -> Response:
        if isinstance(self.state, int):
            return Response(PAGE, self.state, media_type="text/html")
        return {
            "html": lambda: Response(PAGE, media_type="text/html"),
            "login": lambda: Response(status_code=302, headers={"Location": str(request.url)}),
            "empty": lambda: Response(b"", media_type="application/json"),
            "garbage": lambda: Response(b'{"access_token": ', media_type="application/json"),
            "text": lambda: _json(200, {"access_token": "gobbledygook", "expires_in": 900}),
        }[self.state]()

    async def _unknown(self, _: Request) -> Response:
        return _json(404, {"error": "Realm does not exist"})

    async def _discovery(self, request: Request) -> Response:
        base = _base(request)
        document: dict[str, Any] = {
            "issuer": self.issuer,
            "token_endpoint": f"{base}{PROTOCOL}/token",
            **({"device_authorization_endpoint": f"{base}{PROTOCOL}/auth/device"} if self.offers_device else {}),
            "jwks_uri": f"{base}{PROTOCOL}/certs",
            "grant_types_supported": ["refresh_token", "client_credentials", DEVICE_GRANT],
        }
        return _json(200, document)

    async def _certs(self, _: Request) -> Response:
        return _json(200, self.mint.jwks())

    async def _token(self, request: Request) -> Response:
        form = await _form(request)
        authorization = request.headers.get("Authorization", "")
        self.forms.append(form)
        self.logins.append(authorization)
        if self.refusal is not None:
            raise No(*self.refusal)
        client = self.clients.authenticated(form, authorization)
        grants = {
            "refresh_token": self._refreshed, "client_credentials": self._logged_in, DEVICE_GRANT: self._signed_in,
        }  # fmt: skip
        if form.get("grant_type") not in grants:
            raise No(400, "unsupported_grant_type", "Unsupported grant_type")
        return _json(200, grants[form["grant_type"]](client, form), {"Cache-Control": "no-store"})

    def _refreshed(self, client: Client, form: Mapping[str, str]) -> dict[str, Any]:
        if not form.get("refresh_token"):
            raise No(400, "invalid_request", "No refresh token")
        session, token = self.sessions.refresh(form["refresh_token"], client.id)
        ends = 0 if session.offline else 1800
        return self._tokens(session.user.sub, session.user.name, client, session.sid, ends, token)

    def _logged_in(self, client: Client, form: Mapping[str, str]) -> dict[str, Any]:
        if client.public:
            raise No(401, "unauthorized_client", "Public client not allowed to retrieve service account")
        if not set(form.get("scope", "").split()) <= SCOPES:
            raise No(400, "invalid_scope", "Invalid scopes: gobbledygook")
        user = self.sessions.user(f"service-account-{client.id}")
        return self._tokens(user.sub, user.name, client, "", 0, None)

    def _signed_in(self, client: Client, form: Mapping[str, str]) -> dict[str, Any]:
        found = self.devices.ask(form.get("device_code", ""), client.id)
        token = self.sessions.open(found.user, client.id, seconds=None if found.offline else 1800.0)
        user = self.sessions.user(found.user)
        sid = (self.mint.read(token) or {})["sid"]
        return self._tokens(user.sub, user.name, client, sid, 0 if found.offline else 1800, token)

    def _tokens(self, sub: str, name: str, client: Client, sid: str, ends: int, token: str | None) -> dict[str, Any]:
        access = self.mint.access(subject=sub, client=client.id, session=sid, now=self.now(),
                                  seconds=self.access_seconds, name=name)  # fmt: skip
        answer = {
            "access_token": access,
            "expires_in": int(self.access_seconds),
            "refresh_expires_in": ends,
            "token_type": "Bearer",
            "not-before-policy": 0,
            "session_state": sid,
            "scope": "openid offline_access" if token and not ends else "openid",
        }
        return answer if token is None else {**answer, "refresh_token": token}

    async def _device(self, request: Request) -> Response:
        form = await _form(request)
        client = self.clients.authenticated(form, request.headers.get("Authorization", ""))
        if not client.device:
            raise No(
                400, "unauthorized_client", "Client is not allowed to initiate OAuth 2.0 Device Authorization Grant"
            )
        begun = self.devices.begin(client.id, offline="offline_access" in form.get("scope", "").split())
        page = f"{_base(request)}/device"
        return _json(200, {
            "device_code": begun.device, "user_code": begun.code, "verification_uri": page,
            "verification_uri_complete": f"{page}?user_code={begun.code}", "expires_in": int(self.devices.lasts),
            "interval": self.devices.interval,
        })  # fmt: skip

    async def _page(self, request: Request) -> Response:
        return HTMLResponse(sso_device.form(request.query_params.get("user_code", ""), self.sessions.users))

    async def _decided(self, request: Request) -> Response:
        form = await _form(request)
        code, user = form.get("user_code", ""), form.get("user", "")
        approved = form.get("answer") == "yes"
        if approved and user not in self.sessions.users:
            raise invalid_grant("Invalid user credentials")
        if not self.devices.decide(code, user if approved else None):
            return HTMLResponse(sso_device.form(code, self.sessions.users, "This code is not good, or no longer."), 400)
        told = f"You are signed in as {user}. " if approved else "It was turned down. "
        return HTMLResponse(sso_device.end(told + "You can close this page."))


def _base(request: Request) -> str:
    return str(request.base_url).rstrip("/") + PATH


async def _form(request: Request) -> dict[str, str]:
    return {name: str(value) for name, value in (await request.form()).items()}


def _json(status: int, body: dict[str, Any], headers: dict[str, str] | None = None) -> Response:
    return Response(json.dumps(body), status, headers, "application/json")
