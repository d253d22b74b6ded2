"""A stand-in for Amazon: STS and ECR's login, spoken as AWS does (upstream.md, seed 004).

aws = AwsStandIn()
keys = aws.user("hivekeeper")               # keys.key_id, keys.secret, keys.arn
role = aws.role("ecr-reader", trusts=(keys.arn,))
server = run_in_thread(aws.app(), date_header=False)     # endpoint_url of an access; AWS tells its own time
aws.password_good(password)                 # what the registry asks: a principal, "expired", or None
"""

from __future__ import annotations

import asyncio
import base64
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from email.utils import formatdate
from typing import Any, Literal
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from playground import aws_answers, aws_signature
from playground.aws_faults import FAULTS, Fault

TARGET = "AmazonEC2ContainerRegistry_V20150921."
HOURS = 3600.0
EVERYTHING = frozenset({"*"})


@dataclass(frozen=True)
class Keys:
    """A principal's keys. `ends`: seconds since the epoch, None for those of a user. `may`: actions, or "*"."""

    arn: str
    key_id: str
    secret: str = field(repr=False)
    token: str = field(default="", repr=False)
    ends: float | None = None
    may: frozenset[str] = EVERYTHING


@dataclass(frozen=True)
class Role:
    """`trusts`: ARNs that may take it on; `subjects`: web identities that may. `longest`: seconds of one session."""

    arn: str
    trusts: frozenset[str]
    subjects: frozenset[str]
    external_id: str
    longest: int
    may: frozenset[str]


class Refusal(Exception):
    def __init__(self, fault: Fault) -> None:
        super().__init__()
        self.fault = fault


class AwsStandIn:
    """`fault`: the name of one in `playground.aws_faults.FAULTS`, or a status with a page that is none of AWS's; it
    hits the operations in `faulty` (empty: all). `delay` in seconds. `skew`: seconds that AWS's clock is ahead of ours.
    `regions`: those that this address answers for (empty: all). `lifetime`: seconds of a token. `asked`: operation,
    key id and region of each request; `mints`: how many tokens were given out."""

    def __init__(self, account: str = "123456789012", *, now: Callable[[], float] = time.time) -> None:
        self.account = account
        self.fault: str | int = ""
        self.faulty: frozenset[str] = frozenset()
        self.delay = 0.0
        self.skew = 0.0
        self.regions: frozenset[str] = frozenset()
        self.lifetime = 12 * HOURS
        self.retry_after: int | None = None
        self.asked: list[tuple[str, str, str]] = []
        self.mints = 0
        self._now = now
        self._lock = threading.Lock()
        self._keys: dict[str, Keys] = {}
        self._roles: dict[str, Role] = {}
        self._identities: dict[str, tuple[str, float]] = {}  # token -> subject, end
        self._passwords: dict[str, tuple[str, float]] = {}  # password -> principal, end

    # --- who there is ----------------------------------------------------------------------------------------

    def user(self, name: str, *, may: frozenset[str] = EVERYTHING, secret: str = "") -> Keys:
        """A user with new keys."""
        arn = f"arn:aws:iam::{self.account}:user/{name}"
        return self._add(Keys(arn, _key_id("AKIA"), secret or secrets.token_urlsafe(30), may=may))

    def role(
        self, name: str, *, trusts: tuple[str, ...] = (), subjects: tuple[str, ...] = (), external_id: str = "",
        longest: int = 3600, may: frozenset[str] = EVERYTHING,
    ) -> str:  # fmt: skip
        """The ARN of a new role."""
        arn = f"arn:aws:iam::{self.account}:role/{name}"
        self._roles[arn] = Role(arn, frozenset(trusts), frozenset(subjects), external_id, longest, may)
        return arn

    def session(self, keys: Keys, *, seconds: float = HOURS) -> Keys:
        """Temporary keys of the same principal."""
        return self._add(replace(keys, **_temporary(), ends=self.now() + seconds))

    def identity(self, subject: str, token: str, *, seconds: float = HOURS) -> None:
        """A web identity token that the OpenID provider has signed."""
        self._identities[token] = (subject, self.now() + seconds)

    def forbid(self, keys: Keys, *actions: str) -> None:
        """From now on these keys' principal may do all but this."""
        self._keys[keys.key_id] = replace(self._keys[keys.key_id], may=frozenset(f"!{action}" for action in actions))

    def revoke(self, keys: Keys) -> None:
        """The keys are deleted."""
        del self._keys[keys.key_id]

    def end_sessions(self) -> None:
        """All temporary keys end now."""
        with self._lock:
            self._keys = {name: replace(keys, ends=0) if keys.token else keys for name, keys in self._keys.items()}

    def _add(self, keys: Keys) -> Keys:
        with self._lock:
            self._keys[keys.key_id] = keys
        return keys

    # --- what the registry and scenarios ask -----------------------------------------------------------------

    def now(self) -> float:
        return self._now() + self.skew

    def password_good(self, password: str) -> str | Literal["expired"] | None:
        """Whose password it is, "expired" when it was one once, None when it never was."""
        known = self._passwords.get(password)
        if known is None:
            return None
        return known[0] if known[1] > self.now() else "expired"

    def password(self, keys: Keys, *, seconds: float) -> str:
        """A new login for the registries, as given out to these keys."""
        password, ends = secrets.token_urlsafe(600), self.now() + seconds
        with self._lock:
            self._passwords[password] = (keys.arn, ends)
        return password

    def expire(self, password: str) -> None:
        """This login ends now."""
        with self._lock:
            if password in self._passwords:
                self._passwords[password] = (self._passwords[password][0], 0)

    def expire_all(self) -> None:
        """Every token given out so far ends now."""
        with self._lock:
            self._passwords = {password: (who, 0) for password, (who, _) in self._passwords.items()}

    # --- answering -------------------------------------------------------------------------------------------

    def app(self) -> Starlette:
        """The ASGI application: both services at one address."""
        return Starlette(routes=[Route("/", self._endpoint, methods=["POST"])])

    async def _endpoint(self, request: Request) -> Response:
        body = await request.body()
        await asyncio.sleep(self.delay)
        target = request.headers.get("x-amz-target", "")
        form = {name: values[-1] for name, values in parse_qs(body.decode(errors="replace")).items()}
        operation = target.removeprefix(TARGET) if target else form.get("Action", "")
        answer = self._answer(operation, request, body, form)
        answer.headers["date"] = formatdate(self.now(), usegmt=True)
        answer.headers["x-amzn-requestid"] = secrets.token_hex(16)
        return answer

    def _answer(self, operation: str, request: Request, body: bytes, form: dict[str, str]) -> Response:
        hit = not self.faulty or operation in self.faulty
        if isinstance(self.fault, int) and hit:
            return Response("<html>gobbledygook</html>", self.fault, media_type="text/html")
        try:
            keys = self._signed_by(operation, request, body)
            if self.fault and hit:
                raise Refusal(FAULTS[str(self.fault)])
            return self._done(operation, keys, form, request)
        except Refusal as refusal:
            return self._refused(refusal.fault, operation, request)

    def _refused(self, fault: Fault, operation: str, request: Request) -> Response:
        asked = aws_signature.signed(request.headers)
        keys = self._keys.get(asked.key) if asked else None
        service = "ecr" if operation == "GetAuthorizationToken" else "sts"
        message = fault.message.format(arn=keys.arn if keys else "", action=f"{service}:{operation}")
        headers = {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}
        return aws_answers.error(service, fault, message, headers)

    def _signed_by(self, operation: str, request: Request, body: bytes) -> Keys | None:
        """The principal; None for what need not be signed."""
        asked = aws_signature.signed(request.headers)
        self.asked.append((operation, asked.key if asked else "", asked.region if asked else ""))
        if operation == "AssumeRoleWithWebIdentity":
            return None
        if asked is None:
            raise Refusal(FAULTS["unsigned"])
        keys = self._keys.get(asked.key)
        if keys is None or keys.token != asked.token:
            raise Refusal(FAULTS["unknown key"])
        if late := aws_signature.untimely(asked, self.now()):
            raise Refusal(replace(FAULTS["bad signature"], message=late))
        if self.regions and asked.region not in self.regions:
            raise Refusal(FAULTS["wrong region"])
        if not aws_signature.right(asked, keys.secret, request.url.path, request.headers, body):
            raise Refusal(FAULTS["bad signature"])
        if keys.ends is not None and keys.ends <= self.now():
            raise Refusal(FAULTS["expired"])
        return keys

    def _done(self, operation: str, keys: Keys | None, form: dict[str, str], request: Request) -> Response:
        if operation == "AssumeRoleWithWebIdentity":
            return self._assumed(operation, self._trusting(form), form)
        assert keys is not None
        if operation == "GetCallerIdentity":
            who = f"<Arn>{keys.arn}</Arn><UserId>AIDAEXAMPLE</UserId><Account>{self.account}</Account>"
            return aws_answers.sts(operation, who)
        if operation == "GetAuthorizationToken":
            asked = aws_signature.signed(request.headers)
            return self._token(keys, asked.region if asked else "")
        if operation == "AssumeRole":
            return self._assumed(operation, self._role(keys, form), form, chained=":assumed-role/" in keys.arn)
        raise Refusal(FAULTS["no such operation"])

    def _token(self, keys: Keys, region: str) -> Response:
        if not _may(keys.may, "ecr:GetAuthorizationToken"):
            raise Refusal(FAULTS["denied"])
        ends = self.now() + self.lifetime
        password = self.password(keys, seconds=self.lifetime)
        with self._lock:
            self.mints += 1
        data = {
            "authorizationToken": base64.b64encode(f"AWS:{password}".encode()).decode(),
            "expiresAt": round(ends, 3),
            "proxyEndpoint": f"https://{self.account}.dkr.ecr.{region}.amazonaws.com",
        }
        return aws_answers.ecr({"authorizationData": [data]})

    def _role(self, keys: Keys, form: dict[str, str]) -> Role:
        role = self._roles.get(form.get("RoleArn", ""))
        trusted = role is not None and keys.arn in role.trusts and _may(keys.may, "sts:AssumeRole")
        if role is None or not trusted or form.get("ExternalId", "") != role.external_id:
            words = f"User: {keys.arn} is not authorized to perform: sts:AssumeRole on resource: {form.get('RoleArn')}"
            raise Refusal(replace(FAULTS["denied"], message=words.replace("{", "").replace("}", "")))
        return role

    def _trusting(self, form: dict[str, str]) -> Role:
        subject, ends = self._identities.get(form.get("WebIdentityToken", ""), ("", 0.0))
        if not subject:
            raise Refusal(FAULTS["bad web token"])
        if ends <= self.now():
            raise Refusal(FAULTS["expired web token"])
        role = self._roles.get(form.get("RoleArn", ""))
        if role is None or subject not in role.subjects:
            raise Refusal(FAULTS["web identity denied"])
        return role

    def _assumed(self, operation: str, role: Role, form: dict[str, str], chained: bool = False) -> Response:
        seconds = int(form.get("DurationSeconds", "3600"))
        if seconds > (3600 if chained else role.longest):
            raise Refusal(FAULTS["chain too long" if chained else "session too long"])
        name, session = role.arn.rpartition("/")[2], form.get("RoleSessionName", "")
        arn = f"arn:aws:sts::{self.account}:assumed-role/{name}/{session}"
        keys = self._add(Keys(arn, **_temporary(), ends=self.now() + seconds, may=role.may))
        ends = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(keys.ends))
        return aws_answers.sts(
            operation,
            f"<AssumedRoleUser><AssumedRoleId>AROAEXAMPLE:{escape(session)}</AssumedRoleId><Arn>{escape(arn)}</Arn>"
            f"</AssumedRoleUser><Credentials><AccessKeyId>{keys.key_id}</AccessKeyId>"
            f"<SecretAccessKey>{keys.secret}</SecretAccessKey><SessionToken>{keys.token}</SessionToken>"
            f"<Expiration>{ends}</Expiration></Credentials>",
        )


def _may(allowed: frozenset[str], action: str) -> bool:
    forbidden = {entry for entry in allowed if entry.startswith("!")}
    return f"!{action}" not in forbidden if forbidden else bool({"*", action} & allowed)


def _key_id(prefix: str) -> str:
    return prefix + "".join(secrets.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") for _ in range(16))


def _temporary() -> dict[str, Any]:
    return {"key_id": _key_id("ASIA"), "secret": secrets.token_urlsafe(30), "token": secrets.token_urlsafe(200)}
