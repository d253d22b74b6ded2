"""Signing in for a service at the Vault that gives grid tokens (OIDC, as htgettoken does it): somebody approves in the
browser, and Vault gets a refresh token, which lies there and nowhere else."""

from __future__ import annotations

import json
import re
import secrets
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from bot.core.errors import Refused, Told
from bot.core.grid import Service, Services
from bot.core.handing_in import Invitation
from bot.core.secret import Secret
from bot.managed import VaultTokens
from bot.tools import vault_tokens_wire
from bot.tools.sso_device import link_of
from bot.tools.vault_tokens_wire import Granted, Site

LASTS = 600.0  # seconds that Vault and the usual issuers wait for the person; Vault does not say
EVERY = 5.0
LONGEST = 120.0  # seconds between two questions
TRIES = 3  # to store what was got: Vault gives it only once
PAUSE = 0.5
CODE = re.compile(r"[A-Za-z0-9-]{4,24}")
SHOWN = ("auth_url", "user_code", "poll_interval")  # all else of the answer is for the next question


class OidcFlow:
    """The ways "vault/<service>" of `bot.tools.sign_ins`. Nothing is kept: any replica may ask whether it is done."""

    def __init__(
        self,
        settings: VaultTokens | None,
        services: Services,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._settings = settings
        self._services = services
        self._clock = clock
        self._sleep = sleep

    def names(self) -> tuple[str, ...]:
        """Of the services; none while the managedTokens file cannot be read."""
        try:
            return tuple(self._known()) if self._settings is not None else ()
        except Told:
            return ()

    def start(self, name: str) -> Invitation:
        there, nonce, began = self._site(name), secrets.token_urlsafe(24), self._clock()
        told = there.begin(nonce)
        link, code = link_of({"verification_uri": told.get("auth_url")}), str(told.get("user_code") or "")
        rest = {key: value for key, value in told.items() if key not in SHOWN and isinstance(value, str)}
        if link is None or "state" not in rest or not (code == "" or CODE.fullmatch(code)):
            raise Refused(
                f"Vault began a sign-in for {name} without a link that can be shown.", "Tell those who run it."
            )
        device = Secret(json.dumps({**rest, "client_nonce": nonce}))
        return Invitation(link, code, device, expires_at=began + LASTS, every=_every(told))

    def poll(self, name: str, device: Secret) -> Secret | None:
        """The refresh token, when it is where Vault gets access tokens with it."""
        there = self._site(name)
        granted = there.ask(json.loads(device.reveal()))
        if granted is None:
            return None
        refresh = granted.told.get("oauth2_refresh_token")
        if not isinstance(refresh, str) or not refresh:
            raise Refused(
                f"Somebody signed in for {name}, but Vault got no refresh token.",
                "Those who run it must let the issuer give one (offline_access).",
            )
        self._store(there, granted, Secret(refresh))
        return Secret(refresh)

    def _store(self, there: Site, granted: Granted, refresh: Secret) -> None:
        """With a few tries, as the sign-in is over at Vault and cannot be asked about again."""
        for left in reversed(range(TRIES)):
            try:
                there.store(granted.token, refresh)
                break
            except Told as told:
                if left == 0 or isinstance(told, Refused):
                    raise Refused(
                        f"Somebody signed in for {there.service}, but that could not be stored. {told.what}",
                        f"{told.now} Then sign in once more.",
                    ) from None
                self._sleep(PAUSE)
        with suppress(Told):
            there.revoke(granted.token)  # it has done its work; what is left of it ends by itself

    def _site(self, name: str) -> Site:
        service = self._known().get(name)
        if service is None or self._settings is None:
            raise Refused(f"There is no service {name} any more.", "Look at the managedTokens file.")
        return vault_tokens_wire.site(self._settings, service)

    def _known(self) -> dict[str, Service]:
        return {service.name: service for service in self._services.read().services}


def _every(told: Mapping[str, Any]) -> float:
    """Vault writes a number as text here."""
    try:
        return min(max(float(str(told.get("poll_interval") or EVERY)), 1.0), LONGEST)
    except ValueError:
        return EVERY
