"""What the command line writes, when texts come from people who mean harm."""

from __future__ import annotations

import json
import unicodedata

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.cli.show import Paper, line
from bot.core.checklist import RunbookStep, Tick
from bot.core.inventory import Credential, Holding
from bot.core.plan import Answer, Change, Note, Plan, Report, Table
from bot.core.view import DecisionView, RunView, State, StepState, StepView, Trouble

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
                      warnings=(text,), checklist=(RunbookStep(name="a", text=text, section=text),)),
        ticks=(Tick(step="a", user=text, at=1e9),),
        steps=(StepView(stage=0, place=0, says=text, reversible=True, state=StepState.RUNNING, progress=text),),
        report=Report(table=Table(head=(text,), rows=((text,),)), notes=(Note(label=text, text=text, at=1e9),),
                      warnings=(text,)),
        decisions=(DecisionView(user=text, verdict="deny", at=1e9, reason=text),),
    )  # fmt: skip


@settings(
    max_examples=settings.default.max_examples * 3 // 5,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(text=HOSTILE, state=st.sampled_from(State))
def test_no_text_reaches_the_terminal_s_controls(text: str, state: State, capsys: pytest.CaptureFixture[str]) -> None:
    """Neither for people nor as JSON is anything written that a terminal obeys; the JSON still says all."""
    one = view(text, state)
    for as_json in (False, True):
        paper = Paper(as_json=as_json)
        paper.run(one)
        paper.runs([one])
        short = text.replace("\ud800", "?")
        held = Credential(name=short, state="expired", told=short)
        paper.inventory([Holding(command=text, credential=held, looked_at=1e9, trouble=text)], text)
        said = capsys.readouterr().out
        assert not [c for c in said if c != "\n" and unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp")]
    read = [json.loads(spelled) for spelled in said.splitlines()]
    assert [read[0]["text"], read[1]["text"], read[2]["command"]] == [text, text, text]


def test_a_run_says_how_far_it_is_and_what_is_there_afterwards(capsys: pytest.CaptureFixture[str]) -> None:
    """Progress behind the step that runs; the report's table and its times in UTC."""
    report = Report(table=Table(head=("env",), rows=(("dev",),)), notes=(Note(label="Next", text="", at=1795419900),))
    steps = (StepView(stage=0, place=0, says="Wait", reversible=True, state=StepState.RUNNING, progress="3 of 5"),)
    Paper(as_json=False).run(view("x", State.PARTLY).model_copy(update={"report": report, "steps": steps}))
    said = capsys.readouterr().out
    assert "1.1 Wait  [running: 3 of 5]" in said
    assert "What is there now:" in said
    assert "Next: 2026-11-23 07:45:00 UTC" in said


def test_a_checklist_says_who_did_what(capsys: pytest.CaptureFixture[str]) -> None:
    """Each step with its number, by which it is ticked, and who has ticked it when."""
    steps = (RunbookStep(name="a", text="Look", section="First"), RunbookStep(name="b", text="Act", section="First"))
    answer = Answer(command="runbook", title="A runbook", checklist=steps)
    done = view("x", State.ANSWERED).model_copy(
        update={"answer": answer, "plan": None, "ticks": (Tick(step="a", user="U1", at=1e9),)}
    )
    Paper(as_json=False).run(done)
    said = capsys.readouterr().out.splitlines()
    assert [one.strip() for one in said[3:8]] == [
        "First", "[x] 1. Look", "done by U1, 2001-09-09 01:46:40 UTC", "[ ] 2. Act", "1 of 2 done.",
    ]  # fmt: skip


def test_no_text_makes_a_line_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    """A run in a list is one line, so nobody can forge another one."""
    Paper(as_json=False).runs([view("x\nr-forged  done", State.PROPOSED)])
    assert len(capsys.readouterr().out.splitlines()) == 2
    assert line("a\r\nb\u2028c") == "a� b�c"
