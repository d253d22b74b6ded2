"""A mail server in miniature: it takes every message, in clear, and keeps the last of them for the page."""

from __future__ import annotations

import email
import socket
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from email.policy import default
from io import BufferedRWPair
from typing import Any

KEPT = 20
LONGEST = 1_000_000  # bytes of a message
SECONDS = 30  # that somebody may say nothing
OK = "250 fine"


@dataclass(frozen=True)
class Mail:
    to: tuple[str, ...]
    subject: str
    body: str


class Mailbox:
    """Listens on `port` until `close`. `came` is called with each message."""

    def __init__(self, came: Callable[[], object] = lambda: None) -> None:
        self.mails: deque[Mail] = deque(maxlen=KEPT)  # oldest first
        self._came = came
        self._door = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._door.getsockname()[1]
        self._ended = False
        threading.Thread(target=self._serve, name="mail", daemon=True).start()

    def close(self) -> None:
        self._ended = True
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
            pass  # so that the thread sees it

    def facts(self) -> list[dict[str, Any]]:
        """Newest first."""
        return [{"to": ", ".join(one.to), "subject": one.subject, "body": one.body} for one in reversed(self.mails)]

    def _serve(self) -> None:
        with self._door:
            while not self._ended:
                there, _ = self._door.accept()
                threading.Thread(target=self._talk, args=(there,), name="mail", daemon=True).start()

    def _talk(self, there: socket.socket) -> None:
        there.settimeout(SECONDS)
        with suppress(OSError), there, there.makefile("rwb") as wire:
            _say(wire, "220 mail.example.com")
            to: list[str] = []
            while line := wire.readline(1000).decode("latin-1").strip():
                verb = line.upper()
                if verb.startswith("RCPT TO:"):
                    to.append(line[8:].split()[0].strip("<>"))
                if verb == "DATA":
                    _say(wire, "354 go on")
                    self._keep(tuple(to), _content(wire))
                    to = []
                _say(wire, "221 goodbye" if verb == "QUIT" else OK)
                if verb == "QUIT":
                    return

    def _keep(self, to: tuple[str, ...], content: bytes) -> None:
        message = email.message_from_bytes(content, policy=default)
        text = message.get_body(("plain",))
        self.mails.append(
            Mail(to, str(message["Subject"]), str(text.get_content()).replace("\r\n", "\n") if text else "")
        )
        self._came()


def _say(wire: BufferedRWPair, words: str) -> None:
    wire.write(f"{words}\r\n".encode())
    wire.flush()


def _content(wire: BufferedRWPair) -> bytes:
    """What comes until a line that is just a dot; a line that begins with two had one."""
    lines = bytearray()
    while (line := wire.readline(LONGEST)) not in (b".\r\n", b"") and len(lines) < LONGEST:
        lines += line[1:] if line.startswith(b".") else line
    return bytes(lines)
