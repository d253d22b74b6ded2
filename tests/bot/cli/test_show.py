"""What the command line writes, when texts come from people who mean harm."""

from __future__ import annotations

import json
import unicodedata

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.cli.show import Paper, line
from bot.core.plan import Answer, Change, Note, Plan, Table
from bot.core.view import DecisionView, RunView, State, StepView, Trouble

HOSTILE = st.text(min_size=1, max_size=20) | st.sampled_from(
    [
        "\x1b[2J\x1b[31m",
        "\u202ereversed",
        "\x9b31m",
        "a\nr-forged  done",
        "[red]no markup[/red]",
        "\x07",
        "\ud800",
        "\u2028x",
    ]
)


def view(text: str, state: State) -> RunView:
    note, short = Note(label=text, text=text), text.replace("\ud800", "?")
    return RunView(
        id="r-abc2345", revision=1, command="try-it", text=text, asker=text, source="cli", state=state, asked_at=1e9,
        expires_at=2e9, digest="d" * 64, trouble=Trouble(what=text, now=text),
        plan=Plan(command="try-it", title=short, subject="s", stages=(), changes=(Change(name=text, source=text, target=text),),
                  warnings=(text,), notes=(note,), then=(note,)),
        answer=Answer(command="try-it", title=short, text=(text,), table=Table(head=(text,), rows=((text,),)), notes=(note,),
                      warnings=(text,)),
        steps=(StepView(stage=0, place=0, says=text, reversible=True),),
        decisions=(DecisionView(user=text, verdict="deny", at=1e9, reason=text),),
    )  # fmt: skip


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=HOSTILE, state=st.sampled_from(State))
def test_no_text_reaches_the_terminal_s_controls(text: str, state: State, capsys: pytest.CaptureFixture[str]) -> None:
    """Neither for people nor as JSON is anything written that a terminal obeys; the JSON still says all."""
    one = view(text, state)
    for as_json in (False, True):
        paper = Paper(as_json=as_json)
        paper.run(one)
        paper.runs([one])
        said = capsys.readouterr().out
        assert not [c for c in said if c != "\n" and unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp")]
    assert [json.loads(spelled)["text"] for spelled in said.splitlines()] == [text, text]


def test_no_text_makes_a_line_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    """A run in a list is one line, so nobody can forge another one."""
    Paper(as_json=False).runs([view("x\nr-forged  done", State.PROPOSED)])
    assert len(capsys.readouterr().out.splitlines()) == 2
    assert line("a\r\nb\u2028c") == "a� b�c"
