"""What goes wrong with mail, in our words: of the server's only the numbers count."""

from __future__ import annotations

import smtplib
import socket
import ssl
from collections.abc import Mapping

from bot.core.errors import Refused, Told, Transient
from bot.managed import Smtp
from bot.tools.tls import distrusted, links

AGAIN = "It is tried again; if it goes on, check the network between the bot and the mail server."
SEVERAL = 5  # addresses that are named


def failure(problem: Exception, settings: Smtp, *, late: bool) -> Told:
    """For whatever was raised while talking to the server."""
    where = f"The mail server {settings.host}:{settings.port}"
    if late or isinstance(problem, TimeoutError):
        return Transient(f"{where} did not answer within {settings.timeout:g} s.", AGAIN)
    return _tls(problem, where) or _said(problem, where) or _unreached(problem, where)


def _tls(problem: Exception, where: str) -> Told | None:
    if distrusted(problem):
        return Refused(f"{where} shows a certificate that the bot does not trust.", "Check smtp.ca_file and smtp.host.")
    if any(isinstance(link, ssl.SSLError) for link in links(problem)):
        return Refused(f"No TLS connection to {where} could be made.".replace("The", "the", 1),
                       "Check smtp.tls and smtp.port: 587 is usual for starttls, 465 for implicit.")  # fmt: skip
    if isinstance(problem, smtplib.SMTPNotSupportedError):
        return Refused(f"{where} offers no STARTTLS, or no login.", "Check smtp.tls, smtp.port and smtp.username.")
    return None


def _said(problem: Exception, where: str) -> Told | None:
    """For an answer with a number: 4xx passes, 5xx stays."""
    if isinstance(problem, smtplib.SMTPServerDisconnected) or not isinstance(problem, smtplib.SMTPResponseException):
        return None
    code = problem.smtp_code
    if 400 <= code < 500:
        return Transient(f"{where} puts the bot off ({code}).", "It is tried again.")
    if isinstance(problem, smtplib.SMTPAuthenticationError) or code in (530, 534, 535, 538):
        return Refused(f"{where} does not accept the bot's login ({code}).", "Check smtp.username and smtp.password.")
    if isinstance(problem, smtplib.SMTPSenderRefused):
        return Refused(f"{where} does not take mail from the bot's address ({code}).", "Check smtp.sender.")
    if code < 0 or isinstance(problem, smtplib.SMTPConnectError | smtplib.SMTPHeloError):
        return Transient(f"{where} did not greet the bot as a mail server does ({code}).", AGAIN)
    return Refused(f"{where} did not take the mail ({code}).", "Ask who runs it why.")


def _unreached(problem: Exception, where: str) -> Told:
    if isinstance(problem, socket.gaierror):
        return Transient(f"The host name of {where} cannot be resolved.".replace("of The", "of the"), AGAIN)
    if isinstance(problem, ConnectionRefusedError):
        return Transient(f"{where} does not accept connections.", AGAIN)
    if isinstance(problem, ValueError):
        return Refused(
            "The login for mail has characters that none may have.", "Check smtp.username and smtp.password."
        )
    return Transient(f"The connection to {where} broke off.".replace("to The", "to the"), AGAIN)


def partly(refused: Mapping[str, int]) -> Told:
    """Some, or all, of the recipients were refused. While some of them are only put off, it is worth another try."""
    put_off = sorted(each for each, status in refused.items() if status < 500)
    if put_off:
        return Transient(f"The mail server puts off mail to {_named(put_off)}.", "It is tried again.", after=300.0)
    named = _named(sorted(refused))
    return Refused(
        f"The mail server takes no mail for {named}.", "Correct the address; whoever else is named has got it."
    )


def _named(addresses: list[str]) -> str:
    more = len(addresses) - SEVERAL
    return ", ".join(addresses[:SEVERAL]) + (f" and {more} more" if more > 0 else "")
