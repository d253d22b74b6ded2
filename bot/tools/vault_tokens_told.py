"""What the answers of the tokens' Vault mean, in our words. Its own text is only looked at, never passed on."""

from __future__ import annotations

from bot.core.errors import Refused, Told, Transient
from bot.tools import vault_told
from bot.tools.vault_told import Doing, Reply

SIGN_IN = "needs somebody to sign in"  # `bot.core.grid.VaultTokens` promises these words
SLOWER = 10.0  # seconds until the next question, when it was too early
ANEW = "Begin the sign-in anew."
ENDED = {
    "access_denied": "The sign-in was turned down in the browser.",
    "missing oauth state": "Vault knows this sign-in no more: it took too long, or the bot was stopped just as you had "
    "signed in.",
    "expired_token": "The sign-in took too long: its code has ended.",
    "expired": "The sign-in took too long.",
}


def somebody(service: str, status: int) -> Refused:
    """Vault holds no refresh token for the service, or one that no longer works."""
    return Refused(
        f"{service} {SIGN_IN}: Vault can get no access token for it any more ({status}).",
        f"Someone of the experiment signs in once: /onboard-tokens {service}.",
    )


def no_login(mount: str, status: int) -> Refused:
    return Refused(
        f"Vault has no Kerberos login at {mount} ({status}).",
        "Check vault_tokens.issuer and the role's name; those who run Vault can enable it.",
    )


def login(reply: Reply, doing: Doing, mount: str, service: str) -> Told:
    if reply.status == 404 or reply.mentions("no handler for route"):
        return no_login(mount, reply.status)
    if reply.status in (400, 401, 403):
        return Refused(
            f"Vault refused the Kerberos login of {service} at {mount} ({reply.status}).",
            "Those who run Vault must let the service's principal in there; if they do, look at Vault's keytab.",
        )
    return refusal(reply, doing)


def sign_in(reply: Reply, doing: Doing, mount: str) -> Told:
    """Why a sign-in was not begun, or how it ended."""
    if reply.status == 400 and reply.mentions("slow_down"):
        return Transient("Vault is asked too often for the sign-in.", "It is asked again.", after=SLOWER)
    if reply.status in (400, 403):
        for words, told in ENDED.items():
            if reply.mentions(words):
                return Refused(told, ANEW)
    if reply.status in (400, 403, 404):
        return Refused(
            f"Vault does not let anybody sign in at {mount} ({reply.status}).",
            "Check vault_tokens.issuer and the role's name; if they are right, begin the sign-in anew.",
        )
    return refusal(reply, doing)


def pending(reply: Reply) -> bool:
    return reply.status == 400 and reply.mentions("authorization_pending")


def refusal(reply: Reply, doing: Doing) -> Told:
    if 300 <= reply.status < 400:
        return Refused(
            f"Vault sent the bot to another address when asked to {doing} ({reply.status}); it does not follow.",
            "Let vaultServer or vault_tokens.address name the active node or the load balancer.",
        )
    if reply.status in (401, 403):
        return Refused(
            f"Vault refused to {doing} ({reply.status}).", f"The service's tokens need `{doing.needs}` there."
        )
    return vault_told.refusal(reply, doing)


def misshapen(doing: Doing) -> Transient:
    return Transient(
        f"What answered the request to {doing} does not speak like Vault.",
        "Check that vaultServer or vault_tokens.address is Vault itself, not a login page or a proxy.",
    )


def short(service: str, life: float, wanted: float) -> Refused:
    """The token lives less than the service's `min_lifetime`."""
    return Refused(
        f"Vault gave {service} a token for {_span(life)}, and it must be good for {_span(wanted)} at least.",
        "Raise the longest life of its tokens in Vault and vault_tokens.ttl_hours, or lower minTokenLifetime.",
    )


def _span(seconds: float) -> str:
    for unit, size in (("days", 86_400), ("hours", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
