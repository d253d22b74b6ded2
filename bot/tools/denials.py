"""Who was denied what: taken from the sentence in which AWS, ECR and clients of theirs say so (upstream.md, seed 004).

Only what has the shape of an ARN or an action is taken; the sentence itself never travels.
"""

from __future__ import annotations

import re

from bot.core.value import Value

LONGEST = 8_000  # characters that are looked through
ARN = r"arn:aws[a-z-]{0,12}:%s:[a-z0-9-]{0,30}:(?:[0-9]{12})?:[A-Za-z0-9_+=,.@/:*-]{1,600}(?<![.,:])"
DENIED = re.compile(
    rf"(?:(?P<principal>{ARN % '(?:iam|sts)'})\s+)?is not authorized to perform:?\s+"
    rf"(?P<action>[a-z0-9-]{{2,40}}:[A-Za-z]{{1,64}})(?![\w*])"
    rf"(?:\s+on resource:\s+(?P<resource>{ARN % '[a-z0-9-]{2,30}'}|\*)(?![^\s\"',.:;)]))?"
)
POLICY = re.compile(
    r"(?P<how>because no|with an explicit deny in an?) (?P<policy>identity-based policy|resource-based policy"
    r"|service control policy|resource control policy|permissions boundary|session policy|VPC endpoint policy)"
)


class Denial(Value):
    """What the sentence names; "" for what it does not. `policy`: our words for which policy decided how."""

    principal: str = ""
    action: str = ""
    resource: str = ""
    policy: str = ""


def denial(text: str) -> Denial | None:
    """The denial that the text tells of, None if it tells of none."""
    found = DENIED.search(text[:LONGEST])
    if found is None:
        return None
    decided = POLICY.match(text[found.end() : LONGEST].lstrip())
    known = {name: value or "" for name, value in found.groupdict().items()}
    return Denial(**known, policy=_policy(decided) if decided else "")


def _policy(decided: re.Match[str]) -> str:
    kind = decided["policy"]
    return f"no {kind} allows it" if decided["how"].startswith("because") else f"the {kind} denies it"
