"""What is wrong with image pulls, in sentences, and as a table. Pure."""

from __future__ import annotations

from handlers.ecr_look import span, stamp
from handlers.ecr_told import listed
from handlers.image_pull_policy import denied
from handlers.image_pull_verdict import Finding, Given, Verdict

AGAIN = "The pods that wait try again by themselves within minutes; they need no restart."
HEALED = "Once that is mended, the pods that wait pull by themselves within minutes; they need no restart."
FOR_NEW = "Existing pods never change their pull secrets: only pods that are made afterwards get it."
SHORT = {  # in the table, and behind a pod's name
    Verdict.SECRET_MISSING: "pull secret {secret} is missing",
    Verdict.WRONG_TYPE: "{secret} has the wrong type",
    Verdict.UNREADABLE: "{secret} cannot be read",
    Verdict.WRONG_HOST: "{secret} has no login for {host}",
    Verdict.EXPIRED: "the login{in_secret} has expired",
    Verdict.LOGIN_REFUSED: "{host} does not take the login{in_secret}",
    Verdict.POD_TOO_OLD: "made before its service account got {secret}",
    Verdict.NOT_REFERENCED: "does not name {a_secret}",
    Verdict.DENIED: "the login may not pull {repository}",
    Verdict.NO_REPOSITORY: "there is no repository {repository}",
    Verdict.NO_TAG: "there is no {image}",
    Verdict.INVALID_NAME: "that is not the name of an image",
    Verdict.WRONG_ARCHITECTURE: "the image is not made for the nodes",
    Verdict.SIGNATURE: "the image's signature is not accepted",
    Verdict.NEVER_PULL: "imagePullPolicy is Never, and the node has no copy",
    Verdict.RATE_LIMITED: "{host} is asked too often",
    Verdict.DNS: "the node does not find {host} in DNS",
    Verdict.TLS: "the node does not trust the certificate of {host}",
    Verdict.TIMEOUT: "{host} does not answer the node in time",
    Verdict.UNREACHABLE: "the node does not reach {host}, or it is out of order",
    Verdict.UNCLEAR: "it is not clear why",
    Verdict.TRIES_AGAIN: "would succeed now, and is tried again",
}


def short(finding: Finding) -> str:
    """A few words."""
    image, secret = finding.facts.image, finding.secret
    return SHORT[finding.verdict].format(
        secret=secret or "the pull secret",
        in_secret=f" in {secret}" if secret else "",
        a_secret=secret or "any pull secret",
        host=image.host if image else "the registry",
        repository=image.repository if image else "the image",
        image=f"{image.repository}{'@' if image.by_digest else ':'}{image.reference}" if image else "such image",
    )


def reason(finding: Finding) -> str:
    """Two or three sentences: what is so, by which evidence, and what follows for the pods."""
    said = {
        Verdict.SECRET_MISSING: _missing,
        Verdict.WRONG_TYPE: _type,
        Verdict.UNREADABLE: _unreadable,
        Verdict.WRONG_HOST: _host,
        Verdict.EXPIRED: _expired,
        Verdict.LOGIN_REFUSED: _refused,
        Verdict.POD_TOO_OLD: _too_old,
        Verdict.NOT_REFERENCED: _unreferenced,
        Verdict.DENIED: _denied,
        Verdict.WRONG_ARCHITECTURE: _architecture,
        Verdict.TRIES_AGAIN: _again,
    }.get(finding.verdict, _plain)
    return f"{finding.facts.waiting.who}: {said(finding)}"


def _plain(finding: Finding) -> str:
    answer, words = finding.facts.answer, short(finding)
    return f"{words}. {answer.told if answer else ''}".strip()


def _missing(finding: Finding) -> str:
    return f"there is no secret {finding.secret} in {finding.facts.namespace}. {_after(finding)}"


def _type(finding: Finding) -> str:
    found = _of(finding)
    kind = found.type[:60] if found else "another"
    return f"{finding.secret} is of type {kind}, and nodes read only kubernetes.io/dockerconfigjson. {_after(finding)}"


def _unreadable(finding: Finding) -> str:
    found = _of(finding)
    return f"{finding.secret} cannot be used. {found.trouble if found else ''} {_after(finding)}"


def _host(finding: Finding) -> str:
    found, image = _of(finding), finding.facts.image
    hosts = listed(found.hosts) if found and found.hosts else "no registry"
    where = image.host if image else "another registry"
    return f"{finding.secret} has a login for {hosts}, and the image is at {where}. {_after(finding)}"


def _expired(finding: Finding) -> str:
    found, facts = _of(finding), finding.facts
    if found and found.ends is not None and found.ends <= facts.now:
        how = f"it ended {span(facts.now - found.ends)} ago ({stamp(found.ends)})"
    else:
        how = "the registry says so" if facts.outcome == "expired" else "the node was told so"
    return f"{short(finding)}: {how}. {HEALED if finding.secret else ''}".strip()


def _refused(finding: Finding) -> str:
    if not finding.secret:
        return "the node had no login for the registry, or one that it does not take."
    how = finding.facts.answer.told if finding.facts.answer else "The node was told so."
    return f"{short(finding)}. {how} {HEALED}"


def _too_old(finding: Finding) -> str:
    account = finding.facts.waiting.account
    return f"the service account {account} has {finding.secret} now, but had not when these pods were made. {FOR_NEW}"


def _unreferenced(finding: Finding) -> str:
    facts = finding.facts
    account = facts.waiting.account
    if not finding.secret:
        return f"neither the pods nor their service account {account} name a pull secret. {FOR_NEW}"
    there = f"{finding.secret} has a login for the registry, but"
    if any(one.name == finding.secret for one in facts.account_has):
        why = f"the pods name others of their own and so get none from their service account {account}."
    else:
        why = f"neither the pods nor their service account {account} name it."
    return f"{there} {why} {FOR_NEW}"


def _denied(finding: Finding) -> str:
    found = denied(finding)
    source = "The registry says so to the bot as well." if found.known else "So the node was told."
    source = source if found.principal else (finding.facts.answer.told if finding.facts.answer else "")
    return f"the login is good, the permission is missing, and no refresh mends that. {found.told} {source}".strip()


def _architecture(finding: Finding) -> str:
    nodes = listed(finding.facts.architectures) or "not known"
    platforms = listed(finding.facts.answer.platforms, 6) if finding.facts.answer else ""
    made = f" It is made for {platforms}." if platforms else ""
    return f"the registry has the image, but not for these nodes ({nodes}).{made}"


def _again(finding: Finding) -> str:
    return (
        f"the registry gives the image now, with the login{f' in {finding.secret}' if finding.secret else ''}. {AGAIN}"
    )


def _after(finding: Finding) -> str:
    if unnamed(finding):
        account = finding.facts.waiting.account
        return f"Besides, neither the pods nor their service account {account} name it: one of them has to."
    return HEALED if _has(finding) else FOR_NEW


def unnamed(finding: Finding) -> bool:
    """Is the secret that it is about named by nobody, and given to nobody by a refresh?"""
    facts = finding.facts
    known = (*facts.waiting.secrets, *(one.name for one in facts.account_has))
    to_get = facts.target is not None and facts.waiting.account in facts.target.service_accounts
    return bool(finding.secret) and finding.secret not in known and not to_get


def _has(finding: Finding) -> bool:
    """Were the pods given the secret that it is about?"""
    return finding.secret in finding.facts.waiting.secrets


def _of(finding: Finding) -> Given | None:
    facts = finding.facts
    every = (*facts.given, *facts.account_has, *facts.others)
    return next((one for one in every if one.name == finding.secret), None)
