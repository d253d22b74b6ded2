"""What the log may hold."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.core.secret import Secret
from bot.edges import log
from playground import broken


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """The stream of a configured log; logging is put back as it was afterwards."""
    root = logging.getLogger()
    before = (root.handlers[:], root.level, {name: logging.getLogger(name).level for name in (*log.OURS, *log.QUOTES)})
    stream = io.StringIO()
    log.configure("INFO", stream)
    yield stream
    root.handlers[:], root.level = before[0], before[1]
    for name, level in before[2].items():
        logging.getLogger(name).setLevel(level)
    structlog.reset_defaults()


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_is_json_with_time_level_and_name(written: io.StringIO) -> None:
    """One object per line, with the facts that were given."""
    logging.getLogger("bot.engine.runs").info("run stored", extra={"run": "r-1"})
    (line,) = lines(written)
    assert (line["event"], line["level"], line["logger"], line["run"]) == (
        "run stored",
        "info",
        "bot.engine.runs",
        "r-1",
    )
    assert line["timestamp"].endswith("Z")


def test_what_servers_say_is_not_logged(written: io.StringIO) -> None:
    """A library that warns in the words of a server writes nothing here: the tool has told it in ours."""
    with broken.broken(broken.cut(b"HTTP/1.1 200 OK\r\nno-colon session=made-up\r\n\r\n")) as server:
        assert requests.get(server.url, timeout=60).status_code == 200
    assert written.getvalue() == ""


def test_both_ways_of_logging_write_the_same(written: io.StringIO) -> None:
    """structlog's loggers go to the same stream with the same keys, and at the same levels."""
    structlog.get_logger("bot.x").warning("stumbled", error="Transient")
    structlog.get_logger("bot.x").debug("chatter")
    structlog.get_logger("some.library").info("chatter")
    (line,) = lines(written)
    assert (line["event"], line["level"], line["error"]) == ("stumbled", "warning", "Transient")
    assert line["logger"] == "bot.x"


def test_a_structlog_exception_is_its_class_too(written: io.StringIO, canary: Any) -> None:
    """Neither way of logging shows an exception's message."""
    secret = canary("in the exception")
    try:
        raise ValueError(f"server said {secret}")
    except ValueError:
        structlog.get_logger("bot.x").exception("a call failed")
    (line,) = lines(written)
    assert line["exception"] == "ValueError"
    assert secret not in written.getvalue()


def test_an_exception_is_its_class_and_places(written: io.StringIO, canary: Any) -> None:
    """The message of a foreign exception and the values of local variables stay out of the log."""
    secret = canary("in the exception")
    try:
        raise ValueError(f"server said {secret}")
    except ValueError:
        logging.getLogger("bot.x").exception("a call failed")
    (line,) = lines(written)
    assert line["exception"] == "ValueError"
    assert any("test_log.py" in place for place in line["at"])
    assert secret not in written.getvalue()


def test_libraries_speak_from_warning_up(written: io.StringIO) -> None:
    """A library's chatter is dropped, its warnings are kept."""
    logging.getLogger("some.library").info("chatter")
    logging.getLogger("some.library").warning("trouble with %s", "a thing")
    assert [line["event"] for line in lines(written)] == ["trouble with a thing"]


def test_a_secret_as_a_fact_is_a_mark(written: io.StringIO) -> None:
    """A Secret put into a line by mistake neither shows nor breaks logging."""
    logging.getLogger("bot.x").warning("oops", extra={"token": Secret("made-up"), "other": object()})
    (line,) = lines(written)
    assert "made-up" not in written.getvalue()
    assert line["other"] == "<object>"


PREFIXES = ["xoxb-", "xapp-1-", "hvs.", "s." + "A" * 10, "eyJ", "ghp_", "AKIA", "Bearer ", "https://user:"]


@settings(deadline=None)
@given(st.sampled_from(PREFIXES), st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", min_size=24, max_size=60))
def test_what_looks_like_a_credential_is_blacked_out(prefix: str, body: str) -> None:
    """Tokens of the systems we speak to do not survive, wherever a library puts them."""
    tail = "@host/" if prefix.startswith("https") else ""
    assert body not in log.redact(f'{{"event": "GET {prefix}{body}{tail} failed"}}')


@settings(deadline=None)
@given(st.text("abcdefghijklmnopqrstuvwxyz _/:.", max_size=80))
def test_plain_words_stay(text: str) -> None:
    """Ordinary lines are not mangled."""
    if "://" not in text:
        assert log.redact(text) == text
