"""Vault tokens of services: had by Kerberos as htgettoken has them, kept in memory, used again while they are young."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from bot.core.errors import Refused, Told, Transient
from bot.core.grid import Held, Service
from bot.core.ports import Fingerprints
from bot.core.secret import Secret
from bot.managed import VaultTokens as Settings
from bot.tools import vault_tokens_told
from bot.tools.htgettoken import Program
from bot.tools.kept import Kept
from bot.tools.kerberos import Tickets
from bot.tools.vault_tokens_wire import Site, site

TRUSTED = 60.0  # seconds that Vault is not asked again whether a token still works
HOUR = 3600.0
DAY = 24 * HOUR
ENDLESS = 10 * 365 * 24 * HOUR


@dataclass(frozen=True)
class _Has:
    """A service's token, from where, as whom, and when Vault last took it."""

    token: Secret = field(repr=False)
    held: Held
    site: Site
    principal: str
    since: float
    taken_at: float

    def ages(self, now: float) -> bool:
        """Does it end within a day, or is half of its life over? The next hour may not bring another in time."""
        return self.held.expires_at - now < min(DAY, (self.held.expires_at - self.since) / 2)


class VaultTokens:
    """`bot.core.grid.VaultTokens`. Thread-safe; services do not wait for each other."""

    def __init__(
        self,
        settings: Settings,
        tickets: Tickets,
        fingerprints: Fingerprints,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._tickets = tickets
        self._fingerprints = fingerprints
        self._clock = clock
        self._has: dict[str, _Has] = {}
        self._asked: Kept[_Has] = Kept()
        self._program = Program(settings, tickets) if settings.way == "htgettoken" else None
        self.reader = Reader(self)

    def configured(self) -> bool:
        return True

    def held(self, service: Service) -> Held | None:
        has = self._has.get(service.name)
        return has.held if has is not None and self._good(has, service) else None

    def source(self, service: Service) -> str:
        try:
            there = site(self._settings, service)
        except Refused:
            return ""
        return f"{there.address} {there.kerberos} {there.creds}"

    def obtain(self, service: Service) -> Held:
        """See `bot.core.grid.VaultTokens.obtain`."""
        there = site(self._settings, service)

        def good(has: _Has) -> bool:
            now = self._clock()
            recent = now - has.taken_at < TRUSTED and not has.ages(now)
            return recent and self._has.get(service.name) is has and self._fits(has, service, there)

        before = self._has.get(service.name)
        has = self._asked.get(service.name, good, lambda: self._obtain(service, there))
        return has.held if has is not before else has.held.model_copy(update={"how": "kept"})

    def secret(self, service: Service) -> Secret:
        """The token itself, for those tools that bring it somewhere. Refused when none is held that is good."""
        has = self._has.get(service.name)
        if has is None or not self._good(has, service):
            raise Refused(f"The bot holds no Vault token for {service.name}.", "Get one first: /push-tokens does.")
        return has.token

    def forget(self, service: Service) -> None:
        self._asked.forget(service.name)
        self._has.pop(service.name, None)
        self._tickets.forget(service)

    def _good(self, has: _Has, service: Service) -> bool:
        return has.held.expires_at - self._clock() > service.min_lifetime

    def _fits(self, has: _Has, service: Service, there: Site) -> bool:
        """Is it good, and is the service still the one that it was had for?"""
        return self._good(has, service) and (has.site, has.principal) == (there, service.principal)

    def _obtain(self, service: Service, there: Site) -> _Has:
        has = self._has.get(service.name)
        try:
            again = self._still(has, there) if has is not None and self._fits(has, service, there) else None
        except Refused as refused:
            if vault_tokens_told.SIGN_IN in refused.what:  # jobs would get nothing with it
                self._has.pop(service.name, None)
            raise
        if again is None:
            self._has.pop(service.name, None)  # nobody is to bring it anywhere, even if there will be no other
        self._has[service.name] = now = self._younger(again, service, there) if again else self._new(service, there)
        return now

    def _younger(self, has: _Has, service: Service, there: Site) -> _Has:
        """Another one in good time before this one ends; while that cannot be had, this one is better than none."""
        if not has.ages(self._clock()):
            return has
        try:
            return self._new(service, there)
        except Told:
            return has

    def _still(self, has: _Has, there: Site) -> _Has | None:
        """The token at hand, if Vault takes it; also if Vault cannot be asked, as it was good and has its time yet."""
        held = has.held.model_copy(update={"how": "kept"})
        try:
            return replace(has, held=held, taken_at=self._clock()) if there.signed_in(has.token) else None
        except Transient:
            return replace(has, held=held)

    def _new(self, service: Service, there: Site) -> _Has:
        wanted = self._settings.ttl_hours * HOUR
        if wanted <= service.min_lifetime:
            raise vault_tokens_told.short(service.name, wanted, service.min_lifetime)
        token = self._program.token(service, there) if self._program else self._by_login(service, there, wanted)
        life = there.life(token)
        if life is None or 0 < life <= service.min_lifetime:
            raise vault_tokens_told.short(service.name, life or 0, service.min_lifetime)
        now = self._clock()
        held = Held(service=service.name, expires_at=now + (life or ENDLESS), how="login",
                    fingerprint=self._fingerprints.of(token))  # fmt: skip
        return _Has(token, held, there, service.principal, now, now)

    def _by_login(self, service: Service, there: Site, wanted: float) -> Secret:
        granted = there.exchange(there.log_in(self._tickets.negotiate(service, there.host)), wanted)
        if not there.signed_in(granted.token):
            raise Refused(
                f"Vault let {service.name} log in, but does not let it read {there.creds} (403).",
                "The policy of its Kerberos login must grant `read` there; check the credkey, too.",
            )
        return granted.token


class Reader:
    """`bot.core.grid.VaultTokensReader`: looks, and gets nothing."""

    __slots__ = ("held", "source")

    def __init__(self, tokens: VaultTokens) -> None:
        self.held, self.source = tokens.held, tokens.source
