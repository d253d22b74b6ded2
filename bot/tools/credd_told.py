"""What HTCondor's programs and htgettoken say when they fail, judged by their known texts, told in ours."""

from __future__ import annotations

import re

from bot.core.errors import Refused, Told, Transient
from bot.core.grid import Service
from bot.tools.program import Ended
from bot.tools.vault_tokens_told import SIGN_IN

AGAIN = "It is tried again; if it goes on, check the network between the bot and it."
AWAY = re.compile(
    r"htgettoken:.*(connection refused|timed out|timeout|not known|name resolution|no route|unreachable|reset by peer"
    r"|service unavailable|bad gateway|internal server error|vault is sealed|503|502)", re.I,
)  # fmt: skip
DENIED = re.compile(r"htgettoken:.*permission denied", re.I)
LATE = re.compile(r"htgettoken: polling for response took longer", re.I)
NEEDED = re.compile(r"authentication needed for", re.I)
FAILED = re.compile(r"htgettoken failed", re.I)
NOT_LET_IN = re.compile(
    r"authenticat\w+ (error|failed|failure)|authenticate:100\d|not authorized|authorization failed"
    r"|operation not permitted|permission denied|access denied", re.I,
)  # fmt: skip
BAD_CONSTRAINT = re.compile(r"constraint.*(invalid|error|parse|syntax)|(invalid|error|parse|syntax).*constraint", re.I)


def needs_sign_in(service: Service) -> Refused:
    return Refused(
        f"{service.name} {SIGN_IN}: Vault can get no access token for it any more.",
        f"Someone of the experiment signs in once: /onboard-tokens {service.name}.",
    )


def not_stored(ended: Ended, service: Service, schedd: str, seconds: float) -> Told:
    """The first that fits; Vault's part comes before the schedd's, as in the program."""
    said = ended.output
    if ended.how == "missing":
        return Refused(
            "HTCondor's program that stores tokens cannot be run.", "Check credd.storer and its permissions."
        )
    if ended.how == "late" and not (NEEDED.search(said) or LATE.search(said)):
        return Transient(f"Storing {service.name}'s token on {schedd} took longer than {seconds:g} s.", AGAIN)
    if AWAY.search(said):
        return Transient(f"Vault ({service.vault_server}) did not answer for {service.name}'s token.", AGAIN)
    if DENIED.search(said):
        return Refused(
            f"Vault denies {service.principal} a token for {service.name}.",
            "Check that Vault's Kerberos login knows this principal, and its policy this credkey.",
        )
    if NEEDED.search(said) or LATE.search(said) or FAILED.search(said):
        return needs_sign_in(service)
    return not_taken("refused" if NOT_LET_IN.search(said) else "away", service, schedd)


def not_taken(how: str, service: Service, schedd: str) -> Told:
    """How the schedd's own part failed: "refused", "away", "unknown" (the collector does not list its credd)."""
    if how == "refused":
        return Refused(
            f"The schedd {schedd} did not let the bot store {service.name}'s token.",
            f"Check that {schedd} knows {service.principal}, and the bot's HTCondor settings.",
        )
    if how == "unknown":
        return Refused(
            f"The collector {service.collector} knows no credd on {schedd}.", "Check the name, and that its credd runs."
        )
    return Transient(f"The schedd {schedd} did not take {service.name}'s token.", AGAIN)


def not_listed(ended: Ended, collector: str, seconds: float) -> Told:
    if ended.how == "missing":
        return Refused("condor_status cannot be run.", "Check credd.status and its permissions.")
    if ended.how == "late":
        return Transient(f"The collector {collector} did not list its schedds within {seconds:g} s.", AGAIN)
    return listing("constraint" if BAD_CONSTRAINT.search(ended.output) else "away", collector)


def listing(how: str, collector: str) -> Told:
    if how == "constraint":
        return Refused("HTCondor cannot read the constraint on schedds.", "Correct condorScheddConstraint.")
    if how == "refused":
        return Refused(f"The collector {collector} does not let the bot list schedds.", "Check HTCondor's settings.")
    return Transient(f"The collector {collector} did not list its schedds.", AGAIN)
