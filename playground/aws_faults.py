"""How AWS refuses: the codes, statuses and words of STS and of ECR for each case (upstream.md, seed 004)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Fails:
    code: str
    status: int


@dataclass(frozen=True)
class Fault:
    """`message` may name {arn} and {action}."""

    ecr: Fails
    sts: Fails
    message: str


def _of_sts(code: str, status: int, message: str) -> Fault:
    return Fault(Fails(code, status), Fails(code, status), message)


FAULTS: dict[str, Fault] = {
    "unknown key": Fault(
        Fails("UnrecognizedClientException", 400), Fails("InvalidClientTokenId", 403),
        "The security token included in the request is invalid."),
    "expired": Fault(
        Fails("ExpiredTokenException", 400), Fails("ExpiredToken", 403),
        "The security token included in the request is expired"),
    "denied": Fault(
        Fails("AccessDeniedException", 400), Fails("AccessDenied", 403),
        "User: {arn} is not authorized to perform: {action} on resource: * because no identity-based policy allows the "
        "{action} action"),
    "denied by the organisation": Fault(
        Fails("AccessDeniedException", 400), Fails("AccessDenied", 403),
        "User: {arn} is not authorized to perform: {action} on resource: * with an explicit deny in a service control "
        "policy"),
    "bad signature": Fault(
        Fails("InvalidSignatureException", 400), Fails("SignatureDoesNotMatch", 403),
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access "
        "Key and signing method. Consult the service documentation for details."),
    "wrong region": Fault(
        Fails("InvalidSignatureException", 400), Fails("SignatureDoesNotMatch", 403),
        "Credential should be scoped to a valid region."),
    "unsigned": Fault(
        Fails("MissingAuthenticationTokenException", 400), Fails("MissingAuthenticationToken", 403),
        "Request is missing Authentication Token"),
    "skewed": Fault(
        Fails("RequestTimeTooSkewed", 403), Fails("RequestTimeTooSkewed", 403),
        "The difference between the request time and the current time is too large."),
    "throttled": Fault(Fails("ThrottlingException", 400), Fails("Throttling", 400), "Rate exceeded"),
    "too many requests": Fault(
        Fails("TooManyRequestsException", 429), Fails("TooManyRequestsException", 429), "Too Many Requests"),
    "broken": Fault(Fails("ServerException", 500), Fails("InternalFailure", 500), "gobbledygook"),
    "away": Fault(Fails("ServiceUnavailableException", 503), Fails("ServiceUnavailable", 503), "gobbledygook"),
    "region disabled": Fault(
        Fails("UnrecognizedClientException", 400), Fails("RegionDisabledException", 403),
        "STS is not activated in this region for account. Your account administrator can activate STS in this region "
        "using the IAM Console."),
    "bad parameter": Fault(
        Fails("InvalidParameterException", 400), Fails("ValidationError", 400),
        "1 validation error detected: Value 'gobbledygook' failed to satisfy constraint"),
    "session too long": _of_sts(
        "ValidationError", 400, "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."),
    "chain too long": _of_sts(
        "ValidationError", 400,
        "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining."),
    "bad web token": _of_sts(
        "InvalidIdentityToken", 400,
        "Couldn't retrieve verification key from your identity provider, please reference AssumeRoleWithWebIdentity "
        "documentation for requirements"),
    "expired web token": _of_sts(
        "ExpiredTokenException", 400, "Token expired: current date/time must be before the expiration date/time"),
    "rejected web token": _of_sts("IDPRejectedClaim", 403, "gobbledygook"),
    "web identity denied": _of_sts("AccessDenied", 403, "Not authorized to perform sts:AssumeRoleWithWebIdentity"),
    "provider away": _of_sts("IDPCommunicationError", 400, "gobbledygook"),
    "no such operation": Fault(
        Fails("UnknownOperationException", 400), Fails("InvalidAction", 400), "Could not find operation"),
    "something new": Fault(Fails("GobbledygookException", 400), Fails("Gobbledygook", 400), "gobbledygook"),
}  # fmt: skip
