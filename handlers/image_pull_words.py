"""What container runtimes say when a pull fails, as a cause: Docker, containerd, CRI-O old and new (upstream.md, seed
004). Pure.

Their texts repeat what registries say, and are never passed on. Taken from them are a cause, the image, and of a denial
who was denied what, each only if it has exactly the shape that it must have.
"""

from __future__ import annotations

import re
from typing import Literal

from bot.core.errors import Refused
from bot.core.registry import Image, image
from bot.core.value import Value

LONGEST = 16_000  # characters that are looked at
Cause = Literal[
    "invalid_name",
    "never_pull",
    "signature",
    "expired",
    "denied",
    "rate_limited",
    "no_platform",
    "unauthorized",
    "forbidden",  # 403 without a word of why: containerd asks by HEAD, and the answer to that has no body
    "no_repository",
    "no_tag",
    "dns",
    "timeout",
    "tls",
    "unreachable",
    "unknown",  # words that nobody knows here
    "",  # no word at all
]
Policy = Literal["", "identity", "resource", "deny"]

APART = r"(?<![\w./:@-])"  # not within the name of an image, which may be any word
# In the order of upstream.md: expired, denied across accounts, no credentials, unknown names, the network. Those that
# would be taken for a later one of these stand before it.
RULES: tuple[tuple[Cause, str], ...] = (
    ("invalid_name", r"couldn't parse image (?:name|reference)|invalid reference format|invalidimagename"),
    ("never_pull", r"pull policy of never|errimageneverpull"),
    ("signature", r"signature validation failed|signaturevalidationfailed|source image rejected"),
    ("expired", r"(?:token|credentials?|session) (?:has |have |is )?expired|expired (?:token|credentials?)"),
    ("denied", r"not authorized to perform:? "),
    ("rate_limited", APART + r"toomanyrequests(?=: |;|$)|429 \(?too many requests|pull rate limit|rate exceeded"),
    ("no_platform", r"no match for platform|no matching manifest for|no image found in (?:image index|manifest list)"),
    ("unreachable", r"proxy authentication required"),
    (
        "unauthorized",
        r"authentication required|no basic auth credentials|pull access denied|insufficient_scope"
        r"|authorization failed|401 \(?unauthorized|incorrect username or password"
        r"|access to the requested resource is not|requested access to the resource is denied"
        r"|" + APART + r"unauthorized: ",
    ),
    ("forbidden", r"403 \(?forbidden|access denied|" + APART + r"denied: "),
    ("no_repository", r"name unknown|repository name not known|repository .{0,300}does not exist"),
    ("no_tag", r"manifest unknown(?! in )|manifest for .{0,600}not found|: not found|404 \(?not found"),
    (
        "dns",
        r"no such host|server misbehaving|temporary failure in name resolution"
        r"|lookup \S{1,300}(?: on \S{1,60})?: (?:read|write|dial) (?:udp|tcp) ",
    ),
    (
        "timeout",
        r"i/o timeout|tls handshake timeout|context deadline exceeded|client\.timeout"
        r"|(?:request|operation|connection) timed out",
    ),
    ("tls", APART + r"(?:x509|tls): |certificate (?:signed|has expired|is not valid)|server gave http response"),
    (
        "unreachable",
        r"connection refused|no route to host|network is unreachable|connection reset|: (?:unexpected )?eof(?!\w)|"
        r"50[0-4] \(?(?:internal server|bad gateway|service unavailable|gateway time)",
    ),
)
KNOWN = tuple((cause, re.compile(pattern)) for cause, pattern in RULES)

ARN = r"arn:aws(?:-cn|-us-gov)?"
PRINCIPAL = re.compile(
    rf"{ARN}:(?:iam|sts)::[0-9]{{12}}:[A-Za-z-]{{4,20}}(?:/[A-Za-z0-9_+=,.@-]{{1,64}}){{1,8}}", re.ASCII
)
ACTION = re.compile(r"ecr:[A-Za-z]{3,60}", re.ASCII)
RESOURCE = re.compile(
    rf"{ARN}:ecr:[a-z]{{2,3}}(?:-[a-z]{{2,12}}){{1,3}}-[0-9]{{1,2}}:[0-9]{{12}}:repository/[a-z0-9][a-z0-9._/-]{{1,255}}",
    re.ASCII,
)
DENIAL = re.compile(
    r"(?:User: (?P<principal>\S{1,600}) )?is not authorized to perform:? (?P<action>\S{1,80})"
    r"(?: on resource: (?P<resource>\S{1,600}))?(?P<rest>.{0,200})"
)
BACK_OFF = re.compile(r'\A\s*Back-off pulling image "[^"]{0,600}"(?::? ErrImagePull)?:?\s*')
IMAGE = re.compile(r"""(?:pull|pulling|unpack|reference)(?: image)? ["']([^"'\s]{1,400})["']""")
PULLS = re.compile(r"ErrImagePull|ImagePullBackOff|InvalidImageName|failed to pull (?:and unpack )?image"
                   r"|back-off pulling image|pull access denied|unable to pull image", re.IGNORECASE)  # fmt: skip


class Said(Value):
    """The cause; and of a denial who (an ARN), which action, which repository (an ARN), and what sort of policy lacks
    or denies it. Each is "" where the text does not say, or not in the proper shape."""

    cause: Cause = ""
    principal: str = ""
    action: str = ""
    resource: str = ""
    policy: Policy = ""


def said(text: str) -> Said:
    """What one text of a runtime, a kubelet or an event means."""
    line = " ".join(text[:LONGEST].split())
    cause = which(line)
    return _denial(line) if cause == "denied" else Said(cause=cause)


def which(line: str) -> Cause:
    """The first rule that fits."""
    low = line.casefold()
    return next((cause for cause, pattern in KNOWN if pattern.search(low)), "unknown" if low.strip() else "")


def _denial(line: str) -> Said:
    found = DENIAL.search(line)
    if found is None:
        return Said(cause="denied")
    named = {name: (found[name] or "").strip("'\",;").rstrip(".") for name in ("principal", "action", "resource")}
    shapes = {"principal": PRINCIPAL, "action": ACTION, "resource": RESOURCE}
    good = {name: word if shapes[name].fullmatch(word) else "" for name, word in named.items()}
    return Said(cause="denied", policy=_policy(found["rest"]), **good)


def _policy(rest: str) -> Policy:
    if "explicit deny" in rest:
        return "deny"
    if "no identity-based policy" in rest:
        return "identity"
    return "resource" if "no resource-based policy" in rest else ""


def of_reason(reason: str, text: str) -> Said:
    """What a waiting container says: its reason, and the text beside it. Of back-off alone nothing is to be learned."""
    reasons: dict[str, Cause] = {
        "InvalidImageName": "invalid_name",
        "ErrImageNeverPull": "never_pull",
        "SignatureValidationFailed": "signature",
        "RegistryUnavailable": "unreachable",
    }
    if reason in reasons:
        return Said(cause=reasons[reason])
    return said(BACK_OFF.sub("", text[:LONGEST], count=1))


def image_in(text: str) -> Image | None:
    """The image that a text names in quotes, None if there is none of the proper shape."""
    for found in IMAGE.finditer(text[:LONGEST]):
        try:
            return image(found[1])
        except Refused:
            continue
    return None


def speaks_of_pulls(text: str) -> bool:
    """Is it a posted log or event about an image that cannot be pulled?"""
    return PULLS.search(text[:LONGEST]) is not None
