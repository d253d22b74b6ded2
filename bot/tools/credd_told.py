"""What HTCondor's programs and htgettoken say when they fail, judged by their known texts, told in ours."""

from __future__ import annotations

import re

from bot.core.errors import Refused, Told, Transient
from bot.core.grid import Service
from bot.tools.program import Ended
from bot.tools.vault_tokens_told import SIGN_IN

AGAIN = "It is tried again; if it goes on, check the network between the bot and it."
SIGN_IN_NEEDED = re.compile(
    r"authentication needed for|htgettoken: polling for response took longer|htgettoken failed", re.I
)
NOT_LET_IN = re.compile(
    r"authenticat\w+ (error|failed|failure)|authenticate:100\d|not authorized|authorization failed"
    r"|operation not permitted|permission denied|access denied", re.I,
)  # fmt: skip
BAD_CONSTRAINT = re.compile(r"constraint.*(invalid|error|parse|syntax)|(invalid|error|parse|syntax).*constraint", re.I)
# What one line of htgettoken's says -> what it means; the first that fits, as several may.
VAULT: tuple[tuple[str, type[Told], str, str], ...] = (
    ("certificate verify failed", Refused, "Vault ({vault}) shows a certificate that htgettoken does not trust.",
     "Put its authority where X509_CERT_DIR or X509_CERT_FILE says."),
    ("kerberos init.*failed|kerberos.*gsserror", Refused, "Kerberos gave {service} nothing to log in to Vault with.",
     "The server needs a principal host/<its name>; check that, and rdns in krb5.conf."),
    ("max retries exceeded|connection|timed out|failed to resolve|not known|no ip address|no route|unreachable"
     "|service unavailable|bad gateway|gateway timeout|internal server error|is sealed", Transient,
     "Vault ({vault}) did not answer for {service}'s token.", AGAIN),
    ("permission denied", Refused, "Vault denies {principal} a token for {service}.",
     "Check that Vault's Kerberos login knows this principal, and its policy this credkey."),
)  # fmt: skip


def not_stored(ended: Ended, service: Service, schedd: str, seconds: float) -> Told:
    """Vault's part comes before the schedd's, as in the program."""
    if ended.how == "missing":
        return Refused(
            "HTCondor's program that stores tokens cannot be run.", "Check credd.storer and its permissions."
        )
    needed = SIGN_IN_NEEDED.search(ended.output)
    if ended.how == "late" and not needed:
        return Transient(f"Storing {service.name}'s token on {schedd} took longer than {seconds:g} s.", AGAIN)
    if known := _of_vault(ended.output, service):
        return known
    if needed:
        return Refused(
            f"{service.name} {SIGN_IN}: Vault can get no access token for it any more.",
            f"Someone of the experiment signs in once: /onboard-tokens {service.name}.",
        )
    return not_taken("refused" if NOT_LET_IN.search(ended.output) else "away", service, schedd)


def _of_vault(said: str, service: Service) -> Told | None:
    known = {"vault": service.vault_server, "service": service.name, "principal": service.principal}
    for words, kind, what, now in VAULT:
        if re.search(f"htgettoken:.*({words})", said, re.I):
            return kind(what.format_map(known), now)
    return None


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
