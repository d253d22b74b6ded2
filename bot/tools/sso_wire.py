"""One realm's endpoints over HTTP. Each question is sent once, because asking changes sessions; no redirect is
followed, because tokens would go with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bot.core.errors import Refused, Told
from bot.core.secret import Secret
from bot.identity import Realm
from bot.tools import sso_told
from bot.tools.calls import Service
from bot.tools.http_answer import Answer

ACCEPT = {"Accept": "application/json"}
LONGEST = 32_768  # characters of a token


@dataclass(frozen=True)
class Endpoints:
    """`name`: the realm's in the settings."""

    name: str
    realm: Realm

    @property
    def called(self) -> str:
        """How a sentence begins."""
        return f"Red Hat SSO (realm {self.name})"

    @property
    def setting(self) -> str:
        return f"sso.{self.name}"

    def post(self, url: str, form: Mapping[str, str], headers: Mapping[str, str] | None = None) -> Answer:
        """Transient or Refused when no answer came."""
        return self._service.send("POST", url, headers=ACCEPT | dict(headers or {}), data=form)

    def discovered(self) -> dict[str, Any]:
        """What the realm says of itself (OpenID discovery). Transient or Refused when it does not."""
        url = f"{self.realm.base}/.well-known/openid-configuration"
        answer = self._service.send("GET", url, headers=ACCEPT)
        document = sso_told.spoken(answer)
        if answer.status != 200 or document is None:
            raise self.failure(answer, "say what it offers")
        return document

    def failure(self, answer: Answer, doing: str) -> Told:
        return sso_told.failure(answer, self.called, self.setting, doing)

    def token(self, document: Mapping[str, Any], field: str) -> Secret | None:
        """A token of an answer, None if there is none. Refused when something else stands there."""
        value = document.get(field)
        if value is None:
            return None
        fits = isinstance(value, str) and value and value.isascii() and value.isprintable() and len(value) <= LONGEST
        if not fits or " " in value:
            raise Refused(f"{self.called} gave something that is no token.", f"Check {self.setting}.issuer.")
        return Secret(value)

    @property
    def _service(self) -> Service:
        return Service(self.called, self.setting, self.realm.timeout, self.realm.ca_file)
