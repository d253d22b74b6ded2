"""Red Hat SSO (Keycloak): is a token good, and may a service account log in? As OCM's own client asks (upstream.md)."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from bot.core import sso
from bot.core.errors import Refused, Transient
from bot.core.ports import Fingerprints
from bot.core.secret import Secret
from bot.core.sso import Judged, Refreshed
from bot.identity import ClientSecret, Realm
from bot.sources import SecretSource
from bot.tools import sso_assertion, sso_told
from bot.tools.http_answer import Answer
from bot.tools.kept import Kept
from bot.tools.sso_wire import Endpoints

Resolve = Callable[[SecretSource], Secret]
Key = tuple[str, str, str]  # realm, client, fingerprint of a token
KEPT_SECONDS = 3600.0  # the most that least_seconds_between_probes may be
SPENT = ("stale_token", "client_session_ended")  # verdicts on a token that was used once already
JUDGING = (400, 401)  # statuses with which the protocol says no


@dataclass(frozen=True)
class Probe:
    """What a token was found to be, and when (seconds of a clock that only runs forward)."""

    at: float
    found: Refreshed


class Realms:
    """Implements `bot.core.sso.Sso`. Thread-safe. Answers are kept in memory only, by the token's fingerprint."""

    def __init__(
        self,
        realms: Mapping[str, Realm],
        resolve: Resolve,
        fingerprints: Fingerprints,
        *,
        clock: Callable[[], float] = time.time,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self._realms, self._resolve, self._fingerprints = dict(realms), resolve, fingerprints
        self._clock, self._ticks = clock, ticks
        self._probes: Kept[Probe] = Kept()
        self._when: dict[Key, float] = {}  # of each key in it
        self._newer: dict[Key, Secret] = {}  # what the realm gave in a token's place
        self._lost: dict[Key, float] = {}  # when a token was tried and no answer came: it may be spent

    def realms(self) -> tuple[str, ...]:
        return tuple(self._realms)

    def issuer(self, realm: str) -> str:
        return self._at(realm).realm.issuer

    def client(self, realm: str) -> str:
        return self._at(realm).realm.client_id

    def refresh(self, realm: str, token: Secret, *, client: str = "") -> Refreshed:
        """See `bot.core.sso.Sso.refresh`. Without `access` when that has ended since the answer came."""
        at = self._at(realm)
        asking = client or at.realm.client_id
        key = realm, asking, self._fingerprints.of(token)
        least = at.realm.least_seconds_between_probes
        self._tidy()
        probe = self._probes.get(key, lambda one: self._age(one) < least, lambda: self._probed(at, key, token))
        self._when[key] = probe.at
        lives = probe.found.judged.access_seconds
        ended = lives is not None and self._age(probe) >= lives
        return replace(probe.found, access=None) if ended else probe.found

    def login(self, realm: str, account: str) -> Refreshed:
        """See `bot.core.sso.Sso.login`. Each call is a login."""
        at = self._at(realm)
        known = at.realm.accounts.get(account)
        if known is None:
            raise Refused(
                "There is no such service account in the settings.", f"Add {at.setting}.accounts.{account[:60]}."
            )
        form = {"grant_type": "client_credentials", "client_id": known.client_id, "scope": at.realm.scope}
        headers: dict[str, str] = {}
        if isinstance(known, ClientSecret):
            login = f"{known.client_id}:{self._resolve(known.secret).reveal()}".encode("utf-8", "surrogatepass")
            headers["Authorization"] = f"Basic {base64.b64encode(login).decode()}"
        else:
            place = f"{at.setting}.accounts.{account}.key"
            key = self._resolve(known.key)
            form |= sso_assertion.form(known, key, audience=at.realm.issuer, now=self._clock(), place=place)
        answer = at.post(at.realm.token_url, form, headers)
        found = self._judged(at, answer, "let the service account log in")
        return replace(found, judged=self._of_account(at, answer, found.judged))

    def _at(self, realm: str) -> Endpoints:
        known = self._realms.get(realm)
        if known is None:
            raise Refused("There is no such realm in the settings.", f"Add sso.{realm[:60]} with its issuer.")
        return Endpoints(realm, known)

    def _tidy(self) -> None:
        """Tokens are not kept longer than any realm needs them."""
        for key, when in list(self._when.items()):
            if self._ticks() - when > KEPT_SECONDS:
                self._when.pop(key, None)
                self._newer.pop(key, None)
                self._lost.pop(key, None)
                self._probes.forget(key)

    def _age(self, probe: Probe) -> float:
        return self._ticks() - probe.at

    def _probed(self, at: Endpoints, key: Key, token: Secret) -> Probe:
        """A token whose successor is known is not sent again, for it may be spent: the successor is tried, and given
        again. Whoever could not keep that the first time is here once more."""
        newest = self._newer.get(key, token)
        form = {"grant_type": "refresh_token", "client_id": key[1], "refresh_token": newest.reveal()}
        asked = self._ticks()
        try:
            found = self._judged(at, at.post(at.realm.token_url, form), "judge the token")
        except Transient:
            self._when[key] = self._lost[key] = asked
            raise
        if key in self._lost and found.judged.verdict in SPENT:
            told = f"{found.judged.told} {sso_told.LOST}"
            found = replace(found, judged=found.judged.model_copy(update={"told": told}))
        if found.judged.good and found.instead is None:
            found = replace(found, instead=newest)
        if found.instead is not None and self._fingerprints.same(found.instead, token):
            found = replace(found, instead=None)
        if found.instead is not None:
            self._newer[key] = found.instead
        return Probe(asked, found)

    def _judged(self, at: Endpoints, answer: Answer, doing: str) -> Refreshed:
        document = sso_told.spoken(answer) or {}
        if answer.status == 200 and (access := at.token(document, "access_token")) is not None:
            offline, lives = document.get("refresh_expires_in"), document.get("expires_in")
            good = Judged(
                verdict="good",
                told=sso_told.judged("good", at.called),
                offline=offline == 0 and not isinstance(offline, bool),
                access_seconds=float(lives) if isinstance(lives, int | float) and 0 < lives < 1e9 else None,
            )
            return Refreshed(good, access, at.token(document, "refresh_token"))
        error, description = (str(document.get(name) or "") for name in ("error", "error_description"))
        verdict = sso.verdict(error, description) if answer.status in JUDGING else None
        if verdict is None:
            raise at.failure(answer, doing)
        timely = verdict == "token_not_active" or "token is not active" in description.casefold()
        if timely and (ahead := sso_told.apart(answer, self._clock())) is not None:
            raise sso_told.clocks(ahead, at.called)
        return Refreshed(Judged(verdict=verdict, told=sso_told.judged(verdict, at.called)))

    def _of_account(self, at: Endpoints, answer: Answer, judged: Judged) -> Judged:
        if judged.good:
            return judged.model_copy(update={"told": sso_told.LOGGED_IN.format(sso=at.called), "offline": False})
        description = str((sso_told.spoken(answer) or {}).get("error_description") or "")
        return judged.model_copy(update={"told": sso_told.client(description, at.called)})
