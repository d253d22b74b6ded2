"""Handing in from a terminal: without echo or from standard input, never as an argument."""

from __future__ import annotations

import io
import json
import pty
from typing import Any

import click
import pytest
import sqlalchemy as sa

from bot.core.handing_in import Wanted
from bot.core.plan import Answer
from bot.core.secret import SecretRef

PATH = "sd-uhc/handed-in"
TOKEN = Wanted(name="the token", label="Hand in a token", command="rotate-hive-tokens",
               into=SecretRef(path=PATH, field="token"))  # fmt: skip


@pytest.fixture
def answered(terminal: Any, run: str) -> str:
    """A run whose answer wants a token, and a sign-in."""
    wanted = (TOKEN, TOKEN.model_copy(update={"name": "sign-in", "way": "sso/one"}))
    answer = Answer(command="rotate-hive-tokens", title="A token is wanted", wanted=wanted).model_dump_json()
    db = sa.create_engine(f"sqlite:///{terminal.folder}/data/hivekeeper.sqlite", poolclass=sa.NullPool)
    with db.begin() as conn:
        values = {"answer": answer, "run": run}
        conn.execute(
            sa.text("UPDATE run SET state = 'answered', plan = NULL, answer = :answer WHERE id = :run"), values
        )
    return run


def piped(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(text))


def test_it_is_read_from_standard_input(
    terminal: Any, answered: str, canary: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And goes into Vault; what follows is asked for; `show` says by whom and no more (canary: store, log)."""
    token = canary("token")
    assert f'hivekeeper hand-in {answered} "the token"' in terminal.type("show", answered)
    piped(monkeypatch, f"{token}\n")
    said = terminal.type("hand-in", answered, "the token", by="U0APPROVER")
    assert (terminal.code, "It is in Vault now" in said) == (0, True)
    assert terminal.vault.vault.get(PATH) == {"token": token}
    assert "Hand in a token: given by U0APPROVER" in terminal.type("show", answered)
    assert json.loads(terminal.type("runs", "--json").splitlines()[0])["asker"] == "U0APPROVER"
    assert token not in said + terminal.told


def test_at_a_terminal_it_is_asked_for_without_echo(
    terminal: Any, answered: str, canary: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a prompt that shows nothing of it."""
    token, asked = canary("token"), []
    _, follower = pty.openpty()
    monkeypatch.setattr("sys.stdin", open(follower))  # noqa: SIM115  # it is the terminal's for the test's time
    monkeypatch.setattr(click.termui, "hidden_prompt_func", lambda prompt: asked.append(prompt) or token)
    terminal.type("hand-in", answered, "the token")
    assert (terminal.code, asked) == (0, ["Secret: "])
    assert terminal.vault.vault.get(PATH) == {"token": token}


def test_bytes_that_are_no_text(terminal: Any, answered: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong file was piped in: that is said, and no byte of it."""
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"made-up\xff\xfe"), encoding="utf-8"))
    terminal.type("hand-in", answered, "the token")
    assert (terminal.code, "is no text" in terminal.told, "0xff" in terminal.told) == (1, True, False)
    assert terminal.vault.vault.get(PATH) is None


@pytest.mark.parametrize(
    ("name", "typed", "words"),
    [
        ("nothing", "made-up", "wants nothing of that name"),
        ("sign-in", "made-up", "wants nothing of that name"),
        ("the token", " \n", "Nothing was handed in"),
        ("the token", "made\nup", "line break"),
    ],
)
def test_what_cannot_be_handed_in_is_told(
    terminal: Any, answered: str, monkeypatch: pytest.MonkeyPatch, name: str, typed: str, words: str
) -> None:
    """And nothing gets into Vault."""
    piped(monkeypatch, typed)
    terminal.type("hand-in", answered, name)
    assert (terminal.code, words in terminal.told) == (1, True)
    assert terminal.vault.vault.get(PATH) is None
