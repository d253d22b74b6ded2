"""What AWS, or the way to it, said, as our errors: each case its own sentence and its own cure (upstream.md, seed 004).

Of AWS's words only account ids and ARNs are passed on, and only if they have the shape of one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal

from bot.core.errors import Refused, Told, Transient
from bot.tools.denials import denial
from bot.tools.http_answer import SENTENCES, How

Wants = Literal["who", "role", "web role", "token"]
Local = Literal[
    "no_credentials", "half_credentials", "no_profile", "bad_profile", "source", "sso", "no_file", "bad_role", "proxy",
    "proxy_refused", "no_region", "misshapen", "unknown",
]  # fmt: skip
DOING: dict[Wants, str] = {
    "who": "say who the bot is",
    "role": "let the bot take on {role}",
    "web role": "let the bot take on {role}",
    "token": "give a token for ECR",
}
OPERATIONS: dict[str, Wants] = {
    "GetCallerIdentity": "who", "AssumeRole": "role", "AssumeRoleWithSAML": "role",
    "AssumeRoleWithWebIdentity": "web role", "GetAuthorizationToken": "token",
}  # fmt: skip


@dataclass(frozen=True)
class Doing:
    """What was wanted, through which way in and in which region."""

    wants: Wants
    access: str
    region: str
    seconds: float = 10
    role: str = "its role"
    signer: str = ""  # whose keys sign, if others than its own

    @property
    def where(self) -> str:
        return f"AWS in {self.region}"

    @property
    def auth(self) -> str:
        return f"aws.{self.access}.auth"

    def __str__(self) -> str:
        return DOING[self.wants].format(role=self.role)


@dataclass(frozen=True)
class Failure:
    """How a call failed. `how` "answered": AWS said no, with code, status and words, which are looked through and never
    shown. Otherwise `code` is the class of what went wrong. `skew`: seconds by which the bot's clock is ahead of AWS's,
    None if AWS did not tell the time."""

    how: How | Local
    code: str = field(default="", repr=False)
    status: int = 0
    text: str = field(default="", repr=False)
    skew: float | None = None
    after: float | None = None
    region_known: bool = True


class Failed(Exception):
    """Carries what failed; never leaves `bot.tools`. `operation`: the one that failed, which may be one on the way."""

    def __init__(self, failure: Failure, operation: str = "") -> None:
        super().__init__()
        self.failure, self.operation = failure, operation


@dataclass(frozen=True)
class Case:
    """`codes` and `words` both have to fit; "" and () fit all. `wants`: None fits all."""

    kind: type[Refused | Transient]
    what: str
    now: str
    codes: tuple[str, ...] = ()
    words: str = ""
    wants: tuple[Wants, ...] | None = None

    def fits(self, failure: Failure, doing: Doing) -> bool:
        return (
            (not self.codes or failure.code in self.codes)
            and (self.wants is None or doing.wants in self.wants)
            and (not self.words or re.search(self.words, failure.text, re.IGNORECASE) is not None)
        )


SIGNATURE = ("SignatureDoesNotMatch", "InvalidSignatureException", "InvalidSignature", "IncompleteSignature")
EXPIRED = ("ExpiredToken", "ExpiredTokenException")
UNKNOWN = ("UnrecognizedClientException", "InvalidClientTokenId", "InvalidAccessKeyId", "InvalidToken", "AuthFailure")
OUTDATED = (*EXPIRED, *UNKNOWN)  # newer keys may help
INVALID = ("ValidationError", "ValidationException", "InvalidParameterException", "InvalidParameterValue")
AGAIN = "Try again in a minute; if it goes on, check the network between the bot and AWS."
BUSY = "Try again in a minute; if it goes on, look what else asks Amazon in that account."
CLOCK = "Set the clock of the bot's machine right (NTP), then ask again."
SKEWED = "RequestTimeTooSkewed", "RequestExpired", "RequestInTheFuture"

CASES: tuple[Case, ...] = (
    Case(Refused, "The bot's clock is wrong, says {where}.", CLOCK, SKEWED),
    Case(Refused, "The bot's clock is wrong, says {where}.", CLOCK, SIGNATURE, "signature expired|not yet current"),
    Case(
        Refused, "What answered for {where} belongs to another region.",
        "Name the region that the endpoint_url of aws.{access} belongs to, or correct that address.",
        SIGNATURE, "scoped to a valid region|scoped to correct",
    ),
    Case(
        Refused, "{where} does not accept the secret key of access {signer} ({status}).",
        "Put key id and secret key in place once more, both of the same key; {keys} says where.", SIGNATURE,
    ),
    Case(
        Refused, "The web identity token of access {access} has expired, says {where} ({status}).",
        "Look why the file that {auth}.token_file names is not renewed.", EXPIRED, wants=("web role",),
    ),
    Case(
        Refused, "The AWS session behind access {signer} has expired ({status}).",
        "Log in anew, and put the new keys with their session token where {keys} says.", EXPIRED,
    ),
    Case(
        Refused, "{where} does not know the key of access {signer} ({status}).",
        "Check that the key is active, that its session token belongs to it ({keys}), and that the region is enabled "
        "in the account.",
        UNKNOWN,
    ),
    Case(
        Refused, "{where} got a request without a login from access {signer} ({status}).",
        "Check the keys that {keys} names, and whether a proxy drops headers.",
        ("MissingAuthenticationToken", "MissingAuthenticationTokenException"),
    ),
    Case(
        Refused, "Access {access} may not take on {role} with its web identity token ({status}).",
        "Let an AWS administrator compare the role's trust policy (provider, sub, aud) with the token's claims.",
        ("AccessDenied", "AccessDeniedException"), wants=("web role",),
    ),
    Case(
        Refused, "{where} does not accept the web identity token of access {access} ({status}).",
        "Let an AWS administrator check the OpenID provider in IAM: its address, and its audience.",
        ("InvalidIdentityToken", "InvalidIdentityTokenException", "IDPRejectedClaim"),
    ),
    Case(
        Transient, "AWS could not reach the OpenID provider of the web identity token ({status}).", AGAIN,
        ("IDPCommunicationError",),
    ),
    Case(
        Refused, "{role_at_start} cannot be taken on for so long ({status}).",
        "Lower {auth}.minutes to the role's longest session; to 60 for a role that another role takes on.",
        INVALID, "DurationSeconds|session limit", ("role", "web role"),
    ),
    Case(
        Refused, "{where} does not understand the role settings of access {access} ({status}).",
        "Check role_arn, external_id and session_name in {auth}.", INVALID, wants=("role", "web role"),
    ),
    Case(
        Refused, "Region {region} is not enabled for the AWS account of access {access} ({status}).",
        "Let an AWS administrator enable it (STS too), or use another region.",
        ("RegionDisabledException", "OptInRequired"),
    ),
    Case(
        Transient, "{where} is asked too often ({status}).", BUSY,
        ("Throttling", "ThrottlingException", "ThrottledException", "RequestThrottled", "RequestThrottledException",
         "TooManyRequestsException", "TooManyRequests", "RequestLimitExceeded", "SlowDown", "LimitExceededException"),
    ),
)  # fmt: skip

LOCALLY: dict[str, tuple[type[Refused | Transient], str, str]] = {
    "no_credentials": (Refused, "There are no AWS credentials for access {access}.",
                       "Put them where {auth} says, or let it name another place."),
    "half_credentials": (Refused, "The AWS credentials for access {access} are not whole.",
                         "Both key id and secret key are needed; {auth} says where they are."),
    "no_profile": (Refused, "Access {access} names an AWS profile that is not on the bot's machine.",
                   "Create the profile, or correct {auth}."),
    "bad_profile": (Refused, "The AWS profile of access {access} cannot be used as it is written.",
                    "Correct it in the AWS config file; `aws sts get-caller-identity` tries it."),
    "source": (Transient, "What issues the AWS credentials for access {access} does not give any.",
               "Look at the instance role, container role or credential process of the bot's machine."),
    "sso": (Refused, "The single sign-on session behind access {access} has expired.",
            "Run `aws sso login` (or `aws login`) on the bot's machine, as the bot's user."),
    "no_file": (Refused, "A file that the AWS credentials of access {access} come from cannot be read.",
                "Check that it is mounted and that the bot may read it."),
    "bad_role": (Refused, "The role settings of access {access} are not what AWS takes.",
                 "Check role_arn, external_id and session_name in {auth}."),
    "proxy": (Transient, "The proxy of access {access} does not answer.", "Check aws.{access}.proxy, and the proxy."),
    "proxy_refused": (Refused, "The proxy of access {access} does not let the bot through to {where}.",
                      "Let its administrator allow the bot to reach amazonaws.com, or correct aws.{access}.proxy."),
    "no_region": (Refused, "There is no AWS region {region}.", "Correct the region."),
    "misshapen": (Transient, "What answered for {where} does not speak like AWS.",
                  "Check the endpoint_url and proxy of aws.{access}; it may be a login page."),
    "unknown": (Refused, "AWS could not be asked to {doing} ({code}).",
                "Check aws.{access}; if it is in order, report this as a fault of the bot."),
}  # fmt: skip
TLS = ("certificate", "tls", "ca_file")


def refusal(failure: Failure, doing: Doing) -> Told:
    """The error for a call that failed."""
    if failure.how in LOCALLY:
        kind, what, now = LOCALLY[failure.how]
        return kind(_filled(what, failure, doing), _filled(now, failure, doing))
    if failure.how != "answered":
        return _unheard(failure, doing)
    if failure.code in ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation") and doing.wants != "web role":
        return _denied(failure, doing)
    case = next((case for case in CASES if case.fits(failure, doing)), None)
    if case is None:
        return _other(failure, doing)
    if case.now == CLOCK:
        return clock(failure.skew, doing)
    what, now = _filled(case.what, failure, doing), _filled(case.now, failure, doing)
    return Transient(what, now, after=failure.after) if case.kind is Transient else Refused(what, now)


def clock(skew: float | None, doing: Doing) -> Refused:
    """The bot's clock is off, by so many seconds (ahead if positive)."""
    if skew is None or abs(skew) < 60:
        return Refused(f"{doing.where} does not accept the time of the bot's clock.", CLOCK)
    way = "ahead of" if skew > 0 else "behind"
    return Refused(f"The bot's clock is {abs(skew) / 60:.0f} minutes {way} that of {doing.where}.", CLOCK)


def _unheard(failure: Failure, doing: Doing) -> Told:
    how: How = failure.how  # type: ignore[assignment]  # LOCALLY had the others
    if how == "dns" and not failure.region_known:
        return Refused(f"There seems to be no AWS region {doing.region}: its host name cannot be resolved.",
                       "Correct the region; if it is a new one, check the bot's name service.")  # fmt: skip
    what = SENTENCES[how].format(where=doing.where, seconds=doing.seconds)
    if how in TLS:
        return Refused(what, f"Check aws.{doing.access}.ca_file, and whether a proxy opens the connection.")
    return Transient(what, AGAIN)


def _denied(failure: Failure, doing: Doing) -> Refused:
    """Who, what and where as far as AWS names them."""
    told = denial(failure.text)
    who = (told and told.principal) or f"Access {doing.access}"
    action = told.action if told else ""
    why = f": {told.policy}" if told and told.policy else ""
    if doing.wants == "role":
        return Refused(
            f"{who} may not take on {doing.role} ({failure.status}){why}.",
            "Let an AWS administrator allow sts:AssumeRole in the principal's policy and in the role's trust policy; "
            f"an external id there must be that of {doing.auth}.",
        )
    action = action or ("ecr:GetAuthorizationToken" if doing.wants == "token" else "sts:GetCallerIdentity")
    resource = (told and told.resource) or "*"
    return Refused(
        f"{who} may not use {action} on {resource} in {doing.region} ({failure.status}){why}.",
        f"Let an AWS administrator allow it {action} on {resource}.",
    )


def _other(failure: Failure, doing: Doing) -> Told:
    if failure.status == 407:
        return refusal(Failure("proxy_refused"), doing)
    if failure.status == 429:
        return Transient(f"{doing.where} is asked too often (429).", BUSY, after=failure.after)
    if failure.status >= 500:
        return Transient(f"{doing.where} could not {doing} ({failure.status}).", AGAIN, after=failure.after)
    if failure.status < 400 or not failure.code:
        return refusal(Failure("misshapen"), doing)
    return Refused(
        f"{doing.where} did not {doing} ({failure.status}).",
        f"Check aws.{doing.access} in the settings; CloudTrail names the reason.",
    )


def _filled(sentence: str, failure: Failure, doing: Doing) -> str:
    role = doing.role if doing.role.startswith("arn:") else doing.role.capitalize()
    signer = doing.signer or doing.access
    return sentence.format(
        where=doing.where, access=doing.access, region=doing.region, auth=doing.auth, doing=doing, role=doing.role,
        role_at_start=role, status=failure.status, signer=signer, keys=f"aws.{signer}.auth", code=failure.code,
    )  # fmt: skip
