"""Mail, by SMTP with STARTTLS or TLS from the start, and a login.

What goes into headers is one plain line each. Who has accepted a message is remembered by its key, so that a second try
reaches only those who have not got it.
"""

from __future__ import annotations

import hashlib
import re
import smtplib
import socket
import ssl
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate
from typing import Any, BinaryIO

from bot.core.errors import Refused
from bot.core.managed_tokens_values import EMAIL
from bot.core.secret import Secret
from bot.managed import Smtp
from bot.sources import SecretSource
from bot.tools import mail_told
from bot.tools.foreign_text import plain

Resolve = Callable[[SecretSource], Secret]
REMEMBERED = 2000  # keys
LONGEST_SUBJECT = 200
LONGEST_BODY = 200_000
HUNG_UP = 421
ENOUGH = 262_144  # bytes of answers
UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


class SmtpMail:
    """`bot.core.grid.Mail`. Thread-safe: each message has a connection of its own."""

    def __init__(self, settings: Smtp, resolve: Resolve) -> None:
        self._settings, self._resolve = settings, resolve
        self._lock = threading.Lock()
        self._accepted: OrderedDict[str, frozenset[str]] = OrderedDict()

    def configured(self) -> bool:
        return True

    def send(self, to: tuple[str, ...], subject: str, body: str, *, key: str) -> None:
        """Transient when all or some may get it later; Refused, naming them, when some never will. Who accepted it is
        not asked again for the same key."""
        if strange := [number for number, each in enumerate(to, 1) if not EMAIL.fullmatch(each)]:
            raise Refused(f"Recipient {strange[0]} of a mail is not an e-mail address.", "Correct it where it is set.")
        waiting = tuple(dict.fromkeys(each for each in to if each not in self._accepted.get(key, ())))
        if not waiting:
            return
        message = written(self._settings.sender, to, subject, body, key)
        refused = self._sent(message, waiting)
        self._remember(key, frozenset(waiting) - frozenset(refused))
        if refused:
            raise mail_told.partly(refused)

    def _sent(self, message: bytes, to: tuple[str, ...]) -> dict[str, int]:
        """Who was refused, with the status; nobody else was."""
        with connected(self._settings, self._resolve) as smtp:
            try:
                told = smtp.sendmail(self._settings.sender, to, message)
            except smtplib.SMTPRecipientsRefused as problem:
                # Nobody has got it. Those who are not among them were not asked about: it hung up (421) before.
                told = {each: problem.recipients.get(each, (HUNG_UP, b"")) for each in to}
            return {each: status for each, (status, _) in told.items()}

    def _remember(self, key: str, accepted: frozenset[str]) -> None:
        with self._lock:
            self._accepted[key] = self._accepted.pop(key, frozenset()) | accepted
            while len(self._accepted) > REMEMBERED:
                self._accepted.popitem(last=False)


def written(sender: str, to: tuple[str, ...], subject: str, body: str, key: str) -> bytes:
    """The message. The same key makes the same Message-ID, so that mail servers know a repeat for one."""
    message = EmailMessage(policy=SMTP.clone(cte_type="7bit"))  # not every server takes eight bits
    message["From"] = sender
    message["To"] = ", ".join(to)
    message["Subject"] = plain(subject, LONGEST_SUBJECT)
    message["Date"] = formatdate()
    number = hashlib.sha256(key.encode(errors="replace")).hexdigest()[:32]
    message["Message-ID"] = f"<hivekeeper.{number}@{sender.partition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no holiday notices back
    message.set_content(UNSEEN.sub(" ", body.replace("\r\n", "\n"))[:LONGEST_BODY])
    return message.as_bytes()


def check(settings: Smtp, resolve: Resolve) -> str:
    """Can the bot connect and log in? Sends nothing."""
    with connected(settings, resolve) as smtp:
        smtp.noop()
    return "it lets the bot in." if settings.username else "it answers; no login is set."


@contextmanager
def connected(settings: Smtp, resolve: Resolve) -> Iterator[smtplib.SMTP]:
    """Connected, encrypted and logged in as the settings say; hung up when the block ends, or when time is over. What
    goes wrong in the block is told in our words, too."""
    password = resolve(settings.password) if settings.password else None
    context = _context(settings)
    smtp, ends = _unopened(settings), time.monotonic() + settings.timeout
    watch = threading.Timer(settings.timeout, _hang_up, [smtp])
    watch.daemon = True
    watch.start()
    try:
        _open(smtp, settings, context)
        if settings.tls == "starttls":
            smtp.starttls(context=context)
        if settings.username and password is not None:
            _log_in(smtp, settings.username, password)
        yield smtp
        _say_goodbye(smtp)
    except (OSError, smtplib.SMTPException, ValueError) as problem:
        raise mail_told.failure(problem, settings, late=time.monotonic() >= ends) from None
    finally:
        watch.cancel()
        smtp.close()


def _context(settings: Smtp) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=settings.ca_file)
    except (OSError, ValueError):
        raise Refused("The CA file for mail is not there, or is none.", "Check smtp.ca_file in the settings.") from None


def _unopened(settings: Smtp) -> smtplib.SMTP:
    """Not connected yet: that happens as it is made, and whoever watches the time must know it before."""
    kind = _Encrypted if settings.tls == "implicit" else _Plain
    return kind.__new__(kind)


class _Plain(smtplib.SMTP):
    """Reads so much and no more: the library would keep all that a server says, which may be without end."""

    file: Any

    def getreply(self) -> tuple[int, bytes]:
        if self.file is None and self.sock is not None:
            self.file = _Short(self.sock.makefile("rb"))
        return super().getreply()


class _Encrypted(_Plain, smtplib.SMTP_SSL):
    """The same over TLS from the start."""


class _Short:
    """The beginning of what a server says; then it ends, as if it had hung up."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._left = file, ENOUGH

    def readline(self, size: int) -> bytes:
        line = self._file.readline(min(size, self._left))
        self._left -= len(line)
        return line

    def close(self) -> None:
        self._file.close()


def _open(smtp: smtplib.SMTP, settings: Smtp, context: ssl.SSLContext) -> None:
    name = socket.gethostname()
    ours = name if "." in name and name.isascii() else "[127.0.0.1]"  # else smtplib asks the DNS, for how long it likes
    if isinstance(smtp, smtplib.SMTP_SSL):
        smtplib.SMTP_SSL.__init__(smtp, settings.host, settings.port, ours, timeout=settings.timeout, context=context)
    else:
        smtplib.SMTP.__init__(smtp, settings.host, settings.port, ours, timeout=settings.timeout)


def _log_in(smtp: smtplib.SMTP, username: str, password: Secret) -> None:
    smtp.ehlo_or_helo_if_needed()
    smtp.login(username, password.reveal())


def _hang_up(smtp: smtplib.SMTP) -> None:
    """From another thread, so that a server that says one byte at a time is left, too."""
    with suppress(OSError, AttributeError):
        smtp.sock.shutdown(socket.SHUT_RDWR)  # type: ignore[union-attr]  # None is caught


def _say_goodbye(smtp: smtplib.SMTP) -> None:
    with suppress(OSError, smtplib.SMTPException, ValueError):
        smtp.quit()
