"""What an AWS administrator needs to let a principal pull across accounts: drafts of policies, from names of exactly
the right shape. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from bot.core.plan import Note
from bot.core.value import Value
from handlers.image_pull_verdict import Finding
from handlers.image_pull_words import ACTION, PRINCIPAL, RESOURCE

PULL = ("ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")
LONGEST = 390  # characters: what is longer would be cut in a message, and part of a policy is none
SESSION = re.compile(r"(arn:aws[a-z-]*):sts::([0-9]{12}):assumed-role/([^/]+)/[^/]+", re.ASCII)


class Denied(Value):
    """Who may not do what, where; each "" if it is not known. `known`: the registry itself said so to the bot, not only
    a text in the cluster, which anybody there may write."""

    principal: str = ""
    action: str = ""
    resource: str = ""
    policy: str = ""
    known: bool = False

    @property
    def told(self) -> str:
        if not self.principal:
            return (
                "Nobody says who was denied; compare the repository's policy with whom the pull secret's login is of."
            )
        why = " A policy denies it explicitly, and that one must change." if self.policy == "deny" else ""
        return f"{self.principal} may not {self.action or 'pull'} {self.resource or 'there'}.{why}"


def denied(finding: Finding) -> Denied:
    """As the registry tells the bot, else as the node was told. Foreign names of another shape are left out."""
    answer, said = finding.facts.answer, finding.facts.waiting.said
    known = answer is not None and answer.outcome == "denied" and bool(answer.principal)
    source = answer if known and answer else said
    policy = said.policy if said.principal == source.principal else ""
    return Denied(
        principal=source.principal if PRINCIPAL.fullmatch(source.principal) else "",
        action=source.action if ACTION.fullmatch(source.action) else "",
        resource=source.resource if RESOURCE.fullmatch(source.resource) else "",
        policy=policy,
        known=known,
    )


def drafts(finding: Finding) -> tuple[Note, ...]:
    """The policies to hand to the administrator; none where the names do not fit the image, or where
    a policy denies it explicitly: allowing it as well would not help."""
    found = denied(finding)
    if not found.principal or found.policy == "deny" or not _of_image(finding, found.resource):
        return ()
    statement = _repository(found) if found.policy != "identity" else _identity(found)
    return tuple(note for note in (statement, _trust(found)) if len(note.text) <= LONGEST)


def _of_image(finding: Finding, resource: str) -> bool:
    """Is it the repository of the image? A denial of another one, whoever wrote it, is no reason to open that."""
    image = finding.facts.image
    if image is None or not resource:
        return bool(resource) and not finding.facts.waiting.image  # somebody posted the denial alone
    _, _, _, region, account, path = resource.split(":", 5)
    host = image.host.lower()
    ours = host.startswith(f"{account}.dkr.ecr") and f".{region}." in host
    return ours and path == f"repository/{image.repository}"


def principal(arn: str) -> str:
    """As a policy names it: a session by its role."""
    return SESSION.sub(r"\1:iam::\2:role/\3", arn)


def _repository(found: Denied) -> Note:
    """ECR's repository policies have no Resource, and setting one replaces the one that is there."""
    allow = {"Sid": "AllowPull", "Effect": "Allow", "Principal": {"AWS": principal(found.principal)}, "Action": PULL}
    _, _, _, region, account, path = found.resource.split(":", 5)
    where = f"{path.removeprefix('repository/')} ({account}, {region})"
    return Note(label=f"Policy of the repository {where}", text=_document(allow))


def _identity(found: Denied) -> Note:
    allow = {"Effect": "Allow", "Action": PULL, "Resource": found.resource}
    return Note(label=f"Policy of {principal(found.principal)}", text=_document(allow))


def _trust(found: Denied) -> Note:
    """For those who would rather let it assume a role in the registry's account (`aws` in the settings)."""
    once = {"StringEquals": {"sts:ExternalId": "agree-on-one"}}
    trust = {"Effect": "Allow", "Principal": {"AWS": principal(found.principal)}, "Action": "sts:AssumeRole",
             "Condition": once}  # fmt: skip
    account = found.resource.split(":")[4]
    return Note(label=f"Or the trust of a role in account {account}", text=_document(trust))


def _document(statement: Mapping[str, object]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]}, separators=(",", ":"))
