"""What Kerberos's error codes mean, in our words. The library's own text is not even looked at."""

from __future__ import annotations

from typing import NamedTuple

from bot.core.errors import Refused, Told, Transient
from bot.core.grid import Service

BASE = 0x96C73A00  # the first code of MIT Kerberos's table (krb5.h): -1765328384
UNKNOWN_SERVER = 7
AGAIN = "Try again in a minute; if it goes on, look whether a KDC of the realm is up and can be reached."
ASK = "Ask those who run the realm."


class Meaning(NamedTuple):
    kind: type[Told]
    what: str  # {principal} {keytab} {service}
    now: str


KEY = Meaning(Refused, "The KDC does not accept the key of {principal} in {keytab}.",
              "The key was changed since: fetch the keytab anew.")  # fmt: skip
AWAY = Meaning(Transient, "No KDC could be reached for {principal}.", AGAIN)
CONFIG = Meaning(Refused, "The Kerberos configuration has no realm that fits {principal}.",
                 "Check /etc/krb5.conf, or the file that KRB5_CONFIG names, and kerberos.realm.")  # fmt: skip
NO_KEY = Meaning(Refused, "The keytab {keytab} of {service} holds no key of {principal}.",
                 "Check kerberosPrincipalPattern, and which keytab belongs to it.")  # fmt: skip
CLOCK = Meaning(Refused, "The bot's clock and the KDC's differ too much for Kerberos, so {principal} gets no ticket.",
                "Set the bot's clock (NTP); if it is right, tell those who run the realm.")  # fmt: skip
OVER = Meaning(Transient, "The ticket of {principal} ended before it was used.", "It is fetched anew.")
KINDS = Meaning(Refused, "The KDC and the keytab {keytab} of {principal} have no encryption in common.",
                "Fetch the keytab anew.")  # fmt: skip

MEANINGS = {  # code less BASE -> what it means
    1: Meaning(Refused, "The principal {principal} has expired.", "Ask those who run the realm to prolong it."),
    6: Meaning(Refused, "The KDC does not know the principal {principal}.",
               "Check the account and kerberosPrincipalPattern in the managedTokens file."),
    UNKNOWN_SERVER: Meaning(Refused, "The KDC does not know the server that {principal} wants to log in to.",
               "The server needs a principal host/<its name>; check that it is called so, and rdns in krb5.conf."),
    12: Meaning(Refused, "The KDC's policy does not let {principal} have a ticket.", ASK),
    14: KINDS,
    18: Meaning(Refused, "The principal {principal} is locked or was revoked.", ASK),
    23: Meaning(Refused, "The key of {principal} has expired.", "Have it renewed, and fetch the keytab anew."),
    24: KEY,
    29: AWAY,
    31: KEY,
    32: OVER,
    33: CLOCK,
    37: CLOCK,
    68: CONFIG,
    134: Meaning(Refused, "The principal of {service} is not written as one.", "Check kerberosPrincipalPattern."),
    135: CONFIG,
    136: Meaning(Refused, "The Kerberos configuration cannot be understood.",
                 "Check /etc/krb5.conf, or the file that KRB5_CONFIG names."),
    148: CLOCK,
    150: KINDS,
    154: CONFIG,
    156: AWAY,
    180: NO_KEY,
    181: NO_KEY,
    195: NO_KEY,
    210: KEY,
    213: NO_KEY,
    220: AWAY,
    224: CONFIG,
}  # fmt: skip


def failure(problem: Exception, service: Service) -> Told:
    """The error for what GSSAPI raised: by the code of the mechanism, else by what kind of error it is."""
    return meaning(_number(problem), type(problem).__name__, service)


def is_unknown_server(problem: Exception) -> bool:
    """Does the KDC know no such server?"""
    return _number(problem) == UNKNOWN_SERVER


def _number(problem: Exception) -> int:
    code = getattr(problem, "min_code", None)
    return ((code & 0xFFFFFFFF) - BASE) if isinstance(code, int) else -1


def meaning(number: int, kind: str, service: Service) -> Told:
    """`number`: the code less `BASE`; `kind`: the foreign error's class, told where the code says nothing."""
    known = MEANINGS.get(number)
    if known is None and kind == "ExpiredCredentialsError":
        known = OVER
    if known is None:
        code = f"{kind}, code {number}" if number >= 0 else kind
        return Refused(f"Kerberos failed for {service.principal} ({code}).", f"Check {service.keytab}; else: {ASK}")
    told = {"principal": service.principal, "keytab": service.keytab, "service": service.name}
    return known.kind(known.what.format(**told), known.now)
