"""The sentences about nodes."""

from __future__ import annotations

import errno
from typing import get_args

import asyncssh
import pytest

from bot.core.errors import Refused, Transient
from bot.tools.nodes_files import failing
from bot.tools.nodes_ssh import connecting
from bot.tools.nodes_told import SENTENCES, Away, Kind, Where

WHERE = Where("n1.example.com", "dunepro", "/tmp")
SECRET = "hvs.something of the other side"


@pytest.mark.parametrize("kind", get_args(Kind))
def test_each_kind_has_a_sentence_and_a_cure(kind: Kind) -> None:
    """Every kind of failure has its own sentence, whole, with the node in it, and says what to do."""
    told = WHERE.told(kind, "7")
    assert WHERE.node in str(told)
    assert told.what.endswith(".")
    assert told.now.endswith(".")
    assert "{" not in str(told)
    assert [what for what, _ in SENTENCES.values()].count(SENTENCES[kind][0]) == 1


@pytest.mark.parametrize(
    ("problem", "kind", "sort"),
    [
        (TimeoutError(), "timeout", Away),
        (ConnectionRefusedError(), "refused", Away),
        (OSError(113, "No route to host"), "unreachable", Away),
        (OSError(errno.EMFILE, "Too many open files"), "too_many", Transient),
        (asyncssh.PermissionDenied(SECRET), "login", Refused),
        (asyncssh.KeyExchangeFailed(SECRET), "kex", Refused),
        (asyncssh.ConnectionLost(SECRET), "hung_up", Transient),
        (asyncssh.ProtocolError(SECRET), "strange", Refused),
        (asyncssh.ProtocolError("Too many authentication failures"), "login", Refused),
        (UnicodeError(SECRET), "strange", Refused),
    ],
    ids=lambda it: it if isinstance(it, str) else type(it).__name__,
)
def test_what_keeps_the_bot_out_is_told_apart(problem: Exception, kind: Kind, sort: type[Exception]) -> None:
    """Each way in which a login fails is of its kind, tried again or not; the other side's words are not in it."""
    assert connecting(problem) == kind
    assert isinstance(WHERE.told(kind), sort)
    assert SECRET not in str(WHERE.told(kind))


@pytest.mark.parametrize(
    ("problem", "kind"),
    [
        (asyncssh.SFTPPermissionDenied(SECRET), "denied"),
        (asyncssh.SFTPNoSpaceOnFilesystem(SECRET), "full"),
        (asyncssh.SFTPQuotaExceeded(SECRET), "quota"),
        (asyncssh.SFTPWriteProtect(SECRET), "read_only"),
        (asyncssh.SFTPNotADirectory(SECRET), "not_directory"),
        (asyncssh.SFTPConnectionLost(SECRET), "cut"),
        (asyncssh.SFTPFailure(SECRET), "failed"),
        (asyncssh.SFTPBadMessage(SECRET), "failed"),
        (asyncssh.ConnectionLost(SECRET), "cut"),
        (BrokenPipeError(), "cut"),
    ],
    ids=lambda it: it if isinstance(it, str) else type(it).__name__,
)
def test_what_a_server_refuses_is_told_apart(problem: Exception, kind: Kind) -> None:
    """Servers that say more than that it failed are taken at their code, never at their words."""
    assert failing(problem) == kind
