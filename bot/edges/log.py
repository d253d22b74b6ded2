"""Logs: one JSON object per line, or readable lines for a person at a terminal.

No local variables, no arguments, no text of foreign exceptions; what still looks like a credential is blacked out.
"""

from __future__ import annotations

import contextlib
import json
import logging
import re
import sys
import traceback
from collections.abc import MutableMapping
from typing import Any, TextIO

import structlog

from bot.edges.log_file import RotatingFile
from bot.settings import Log

# The last net, for what others log: Slack, Vault, GitHub and AWS tokens, JWTs, bearer headers, passwords in URLs.
LOOKS_SECRET = re.compile(
    r"xox[a-z]-[\w-]{4,}|xapp-[\w-]{4,}|xwfp-[\w-]{4,}|hv[sbr]\.[\w-]{4,}|\bs\.[A-Za-z0-9]{24,}|eyJ[\w-]{4,}[\w.-]*"
    r"|gh[pousr]_\w{16,}|github_pat_\w{16,}|AKIA[0-9A-Z]{16}|(?<=://)[^/\s:@\"]*:[^/\s@\"]+(?=@)"
    r"|(?i:(?<=bearer )|(?<=basic ))[\w.~+/=-]{8,}|-----BEGIN [A-Z ]+-----[\s\S]*"
)
OURS = ("bot", "handlers")
QUOTES = ("urllib3",)  # warns in the words of servers: header lines it could not read, whole addresses
log = logging.getLogger("bot.run")


def configure(level: str = "INFO", stream: TextIO | None = None, file: Log | None = None) -> None:
    """All logging of the process, ours and that of libraries, to one stream (standard error), and to a file if one is
    named. Refused if that cannot be written."""
    handlers = _handlers(stream or sys.stderr, file)
    root = logging.getLogger()
    root.handlers[:] = handlers
    root.setLevel(logging.WARNING)
    for name in OURS:
        logging.getLogger(name).setLevel(level)
    for name in QUOTES:
        logging.getLogger(name).setLevel(logging.ERROR)
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )


def _handlers(stream: TextIO, wanted: Log | None) -> list[logging.Handler]:
    shown: list[logging.Handler] = [Stream(stream)]
    shown[0].setFormatter(Redacted(stream.isatty()))
    if wanted is not None and wanted.file is not None:
        shown.append(RotatingFile(wanted.file, wanted))
        shown[1].setFormatter(Redacted(False))
    return shown


class Stream(logging.StreamHandler[TextIO]):
    """A line that cannot be made or written is lost: the standard library would show what it was made of, in clear."""

    def handleError(self, record: logging.LogRecord) -> None:
        error = sys.exc_info()[0]
        place = f"{record.filename}:{record.lineno}"
        with contextlib.suppress(OSError, ValueError):
            told = {"event": "a line of the log is lost", "error": error.__name__ if error else "", "at": place}
            self.stream.write(f"{json.dumps(told)}\n")


def redact(text: str) -> str:
    return LOOKS_SECRET.sub("[redacted]", text)


class Redacted(logging.Formatter):
    """Renders any record, structured by us or written by a library, and blacks out the result."""

    def __init__(self, for_people: bool) -> None:
        super().__init__()
        last: Any = structlog.dev.ConsoleRenderer() if for_people else structlog.processors.JSONRenderer(default=_name)
        self._inner = structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, last],
            foreign_pre_chain=[structlog.stdlib.ExtraAdder(), *SHARED],
        )

    def format(self, record: logging.LogRecord) -> str:
        return redact(self._inner.format(record))


def _where(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """An exception as its class and the places it passed. Its message may hold anything, so it is left out."""
    found = event.pop("exc_info", None)
    event.pop("exc_text", None)
    if found is True:
        found = sys.exc_info()
    elif isinstance(found, BaseException):
        found = (type(found), found, found.__traceback__)
    if isinstance(found, tuple) and found[0] is not None:
        event["exception"] = found[0].__name__
        event["at"] = [f"{f.filename.rsplit('/', 1)[-1]}:{f.lineno} {f.name}" for f in traceback.extract_tb(found[2])]
    return event


def _name(value: object) -> str:
    """What JSON cannot hold is named, not shown."""
    return f"<{type(value).__name__}>"


# What every line gets, whether structlog or the standard library's logging wrote it.
SHARED: tuple[structlog.typing.Processor, ...] = (
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    _where,
)
