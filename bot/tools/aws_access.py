"""One way into Amazon: where its keys come from, and calls made with them. botocore loads at the first call."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple

from bot.cloud import AssumeRole, AwsAccess, StaticKeys, WebIdentity
from bot.core.errors import Refused, Told
from bot.core.secret import Secret
from bot.sources import FromEnv, FromFile, FromVault, SecretSource
from bot.tools.aws_told import OPERATIONS, OUTDATED, Doing, Failed, Failure, Wants, clock, refusal
from bot.tools.http_answer import LOADING
from bot.tools.kept import Kept

Resolve = Callable[[SecretSource], Secret]
REGION = re.compile(r"[a-z]{2}(?:-[a-z]{2,12}){1,3}-[0-9]{1,2}")
EARLY = 300  # seconds before their end from which the keys of a role are not used any more
WRONG_CLOCK = 300  # seconds between ours and AWS's, from which something that has ended already is our clock's fault


class Held(NamedTuple):
    """Keys, and when they end (seconds since the epoch; None: botocore sees to that)."""

    keys: Any
    ends: float | None = None


class Access:
    """Thread-safe. `source`: the way in that takes the role on, for one that is a role."""

    def __init__(
        self, name: str, settings: AwsAccess, resolve: Resolve, now: Callable[[], float], source: Access | None = None
    ) -> None:
        self._name, self._settings, self._resolve = name, settings, resolve
        self._now, self._source = now, source
        self._held: Kept[Held] = Kept()

    def ask(self, wants: Wants, region: str) -> dict[str, Any]:
        """AWS's answer. Raises in words. Kept keys that AWS does not take any more are replaced once."""
        if not REGION.fullmatch(region):
            raise Refused("That is not the name of an AWS region.", "Write it like us-east-1.")
        doing = self.doing(wants, region)
        operation = "GetCallerIdentity" if wants == "who" else "GetAuthorizationToken"
        send = partial(_wire().call, self._settings, doing, operation, now=self._now)
        answer = self._try(send, self.keys(region))
        if isinstance(answer, Failed) and answer.failure.code in OUTDATED and not self._fixed:
            self.forget(region)
            answer = self._try(send, self.keys(region))
        good: dict[str, Any] = self._good(answer, doing)
        return good

    def doing(self, wants: Wants, region: str) -> Doing:
        role = getattr(self._settings.auth, "role_arn", "its role")
        return Doing(wants, self._name, region, seconds=self._settings.timeout, role=role)

    def ended(self, answer: dict[str, Any], ends: float, doing: Doing) -> Told | None:
        """The error for something new that has ended already, None if it has not."""
        if ends > self._now():
            return None
        skew = _wire().skew(answer, self._now())
        wrong = skew is not None and abs(skew) > WRONG_CLOCK
        return clock(skew, doing) if wrong else refusal(Failure("misshapen"), doing)

    # --- keys ------------------------------------------------------------------------------------------------

    def keys(self, region: str) -> Any:
        """Those of a role are kept until shortly before their end; static ones are read each time."""
        auth = self._settings.auth
        if isinstance(auth, StaticKeys):
            return self._static(auth)
        if isinstance(auth, AssumeRole | WebIdentity):
            return self._held.get(region, self._lasts, lambda: self._role(auth, region)).keys
        return self._held.get("", self._lasts, lambda: self._found(region)).keys

    def forget(self, region: str) -> None:
        """Look for keys anew next time: somebody may have mended them."""
        for key in (region, ""):
            self._held.forget(key)
        if self._source:
            self._source.forget(region)

    def _lasts(self, held: Held) -> bool:
        return held.ends is None or held.ends - EARLY > self._now()

    def _static(self, auth: StaticKeys) -> Any:
        known = (auth.access_key_id, auth.secret_access_key, auth.session_token)
        return _wire().keys(*(self._sendable(source) if source else None for source in known))

    def _sendable(self, source: SecretSource) -> str:
        """botocore would quote a bad one in its error."""
        text = self._resolve(source).reveal()
        if not text.isascii() or not text.isprintable() or " " in text:
            what = f"A key of AWS access {self._name} has characters that none has."
            raise Refused(what, f"Put it anew where aws.{self._name}.auth says; a line break is enough to spoil it.")
        return text

    def _found(self, region: str) -> Held:
        return Held(self._good(self._try(_wire().found, self._settings, region), self.doing("who", region)))

    def _role(self, auth: AssumeRole | WebIdentity, region: str) -> Held:
        how = {"RoleArn": auth.role_arn, "RoleSessionName": auth.session_name, "DurationSeconds": auth.minutes * 60}
        if isinstance(auth, WebIdentity):
            token = self._sendable(FromFile(file=auth.token_file))
            doing = self.doing("web role", region)
            answer = self._send(doing, "AssumeRoleWithWebIdentity", None, WebIdentityToken=token, **how)
        else:
            assert self._source is not None  # the settings see to that
            doing = replace(self.doing("role", region), signer=auth.source)
            answer = self._send(doing, "AssumeRole", self._source.keys(region), **how, **self._external(auth))
        return self._taken_on(answer, doing)

    def _external(self, auth: AssumeRole) -> dict[str, str]:
        known = auth.external_id
        if isinstance(known, FromEnv | FromFile | FromVault):
            return {"ExternalId": self._resolve(known).reveal()}
        return {"ExternalId": known} if known else {}

    def _taken_on(self, answer: dict[str, Any], doing: Doing) -> Held:
        told = answer.get("Credentials") or {}
        parts = [told.get(name) for name in ("AccessKeyId", "SecretAccessKey", "SessionToken")]
        ends = told.get("Expiration")
        if not isinstance(ends, datetime) or not all(isinstance(part, str) and part for part in parts):
            raise refusal(Failure("misshapen"), doing)
        if problem := self.ended(answer, ends.timestamp(), doing):
            raise problem
        return Held(_wire().keys(*parts), ends.timestamp())

    # --- asking ----------------------------------------------------------------------------------------------

    @property
    def _fixed(self) -> bool:
        return isinstance(self._settings.auth, StaticKeys)

    def _send(self, doing: Doing, operation: str, keys: Any, **parameters: Any) -> dict[str, Any]:
        send = partial(_wire().call, self._settings, doing, operation, now=self._now, **parameters)
        answer: dict[str, Any] = self._good(self._try(send, keys), doing)
        return answer

    @staticmethod
    def _try(ask: Callable[..., Any], *arguments: Any) -> Any:
        """What `ask` gives, or Failed: not raised, so that no foreign error hangs on ours."""
        try:
            return ask(*arguments)
        except Failed as failed:
            return failed

    def _good(self, answer: Any, doing: Doing) -> Any:
        """The answer; or the error in words, after which keys are looked for anew."""
        if not isinstance(answer, Failed):
            return answer
        self.forget(doing.region)
        raise refusal(answer.failure, replace(doing, wants=OPERATIONS.get(answer.operation, doing.wants)))


def _wire() -> Any:
    with LOADING:
        from bot.tools import aws_wire

        return aws_wire
