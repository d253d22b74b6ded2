"""Help, runs and the audit log as messages."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import Field

from bot.core.desk import AuditEntry
from bot.core.handler import Ask, Handler, HandlerSettings
from bot.core.people import Rule
from bot.core.plan import Answer, Step
from bot.core.view import RunView, State
from bot.edges.blocks import check, texts
from bot.edges.render import audit_message, help_message, runs_message


class Form(Ask):
    only: Literal["a", "b"] | None = Field(default=None, description="Just one.")


def handler(name: str, summary: str = "Try it.") -> Handler:
    return Handler(
        name=name,
        summary=summary,
        ask=Form,
        settings=HandlerSettings,
        plan=lambda *_: Answer(command=name, title="Tried"),
        example="only=a",
    )


def run(number: int, state: State = State.DONE) -> RunView:
    return RunView(
        id=f"r-{number}", revision=1, command="try-it", text=f"n={number}", asker="U1", source="slack", state=state,
        asked_at=1e9,
    )  # fmt: skip


def entry(number: int, **more: object) -> AuditEntry:
    base = {"number": number, "at": 1e9, "who": "U1", "what": "step_done", "run": "r-1", "facts": {}}
    return AuditEntry.model_validate({**base, "before": "0" * 64, "hash": "1" * 64, **more})


def told(message: object) -> str:
    return "\n".join(texts(message.blocks))  # type: ignore[attr-defined] # any of our messages


def test_help_shows_how_to_type_each_command_and_who_decides() -> None:
    """Usage, summary, example, and the rule in words; our own commands below."""
    rules = {"try-it": Rule(ask=("dev",), approve=("sre", "leads"), approvals=2)}
    changing = replace(handler("try-it"), steps=(Step,))
    words = told(help_message({"try-it": changing, "other": handler("other")}, rules))
    assert (
        "`/try-it [only=a|b]`\nTry it.\nExample: `/try-it only=a`\ndev may ask; 2 approvals from sre or leads" in words
    )
    assert "`/other [only=a|b]`" in words
    assert "`/COMMAND ?`  opens a form" in words
    assert "`/hivekeeper deny RUN REASON`" in words
    assert "/hivekeeper show RUN" in words


def test_help_says_of_a_command_that_only_looks_that_it_changes_nothing() -> None:
    """It needs nobody's approval, which is no lack of approvers."""
    words = told(help_message([handler("look")], {"look": Rule()}))
    assert "everybody may ask; it changes nothing" in words
    assert "nobody" not in words


def test_help_for_very_many_commands_still_fits() -> None:
    """What does not fit is counted."""
    message = help_message([handler(f"command-{n}", "x" * 400) for n in range(50)], {})
    check(message, "message")
    assert " more commands" in told(message)


def test_runs_are_listed_with_state_id_and_asker() -> None:
    """State in words, what was asked, the id to type, who asked."""
    message = runs_message([run(1), run(2, State.DENIED)])
    assert "✅ Done and verified · */try-it n=1*\n`r-1` · <@U1> · <!date^" in told(message)
    assert "🚫 Denied" in told(message)
    assert message.text == "2 runs, newest first."


def test_empty_lists_say_that_they_are_empty() -> None:
    """No bare heading."""
    assert "No runs yet." in told(runs_message([]))
    assert "no entries yet" in told(audit_message([]))


def test_the_audit_shows_who_did_what_when() -> None:
    """Number, time, person, deed, run and the facts."""
    words = told(audit_message([entry(7, facts={"step": 1, "stage": 0}), entry(8, run=None, who="cli:ann")]))
    assert "7. <!date^1000000000^" in words
    assert "· <@U1> · *step done* · `r-1` · step: 1, stage: 0" in words
    assert "ann (command line) · *step done*" in words


@settings(max_examples=settings.default.max_examples * 3 // 10, deadline=None)
@given(st.lists(st.text(max_size=50), min_size=1, max_size=4), st.sampled_from([1, 30, 100]))
def test_hostile_entries_and_runs_are_listed_safely(pieces: list[str], times: int) -> None:
    """Any text in any place keeps within Slack's limits and mentions nobody."""
    text = "<!channel>" + "".join(pieces)
    entries = [entry(n, who=text, what=text, run=text, facts={text: text * 50}) for n in range(times)]
    views = [run(n).model_copy(update={"text": text, "asker": text}) for n in range(times)]
    for message in (audit_message(entries), runs_message(views)):
        check(message, "message")
        assert "<!channel" not in message.text + told(message)
