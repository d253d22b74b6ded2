"""Any run, however hostile its texts, becomes a message that Slack takes and that tells the truth."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.core.errors import Refused
from bot.core.plan import Answer, Change, Note, Plan, Premise, Stage, Step, Table
from bot.core.view import DecisionView, NoteView, RunView, State, StepState, StepView, Trouble
from bot.edges import blocks, home, modal, render
from playground.slack import rules


class Write(Step):
    kind: Literal["test.write"] = "test.write"
    text: str

    def says(self) -> str:
        return self.text

    def undo(self, tools: object, run: object) -> None:
        """Nothing to put back."""


class Burn(Write):
    kind: Literal["test.burn"] = "test.burn"  # type: ignore[assignment] # another kind of the same shape
    undo = Step.undo


class Stands(Premise):
    kind: Literal["test.stands"] = "test.stands"
    text: str

    def says(self) -> str:
        return self.text


def run(state: State, **more: Any) -> RunView:
    basic = {"id": "r-abc2345", "revision": 1, "command": "try-it", "asker": "U123", "source": "slack", "asked_at": 1e9}
    return RunView.model_validate({**basic, "state": state, **more})


def plan(*says: str, **more: Any) -> Plan:
    stages = tuple(Stage(steps=(Write(text=text),)) for text in says)
    return Plan(**{"command": "try-it", "title": "Move 2 tokens", "subject": "s", "stages": stages, **more})


def shown(document: Any) -> str:
    """All that a person can read of it."""
    return "\n".join(blocks.texts(document.blocks if isinstance(document, render.Message) else document["blocks"]))


def buttons(document: Any) -> Iterator[dict[str, Any]]:
    listed = document.blocks if isinstance(document, render.Message) else document["blocks"]
    return (e for block in listed if block["type"] == "actions" for e in block["elements"])


HOSTILE = st.builds(
    lambda piece, times: piece * times,
    st.sampled_from(
        ["<!channel> ", "<@U1>", "<https://evil.example.com|ok>", "*b*_i_~s~`c` ", "&lt;!here&gt;", "\u202eabc\n", "\x00",
         "🐝👩‍👩‍👧", "e\u0301", "&", "plain words ", "> q\n", "```\n# h\n```", "{date} <!date^1^{time}|x>", ""]
    ) | st.text(min_size=1, max_size=6),
    st.sampled_from([1, 2, 5, 50, 1500]),
)  # fmt: skip
TEXTS = st.lists(HOSTILE, min_size=1, max_size=5)
COUNTS = st.sampled_from([0, 1, 2, 7, 40, 300])


@st.composite
def runs(draw: st.DrawFn) -> RunView:
    """A run with few or very many parts, whose texts are all drawn from a handful of hostile ones."""
    texts = itertools.cycle(draw(TEXTS))

    def one() -> str:
        return next(texts)

    def some() -> range:
        return range(draw(COUNTS))

    step_states = itertools.cycle(draw(st.lists(st.sampled_from(StepState), min_size=1, max_size=4)))
    times = itertools.cycle(draw(st.lists(st.sampled_from([None, 0.5, 1e9, float("nan"), 1e300]), min_size=1)))
    prints = itertools.cycle([None, "00c0ffee", "1a2b3c4d", "1a2b3c4d"])
    people = itertools.cycle(["U123", "cli:ann", one(), "schedule:" + one(), "cli:<!channel>", ""])
    trouble = Trouble(what=one(), now=one()) if draw(st.booleans()) else None
    notes = tuple(Note(label=one(), text=one()) for _ in some())
    step_kinds = itertools.cycle([Write, Burn])
    stages = tuple(
        Stage(steps=tuple(next(step_kinds)(text=one()) for _ in some())) for _ in range(draw(st.integers(0, 3)))
    )
    given_plan = Plan(
        command="try-it",
        title=one()[:150] or "-",
        subject="s",
        stages=stages,
        on_failure=draw(st.sampled_from(["undo", "stop", "go_on"])),
        premises=tuple(Stands(text=one()) for _ in some()),
        changes=tuple(
            Change(name=one(), source=one(), target=one(), subject=one(), old=next(prints), new=next(prints))
            for _ in some()
        ),
        notes=notes,
        warnings=tuple(one() for _ in some()),
        then=notes,
    )
    width = draw(st.integers(0, 25))
    answer = Answer(
        command="try-it",
        title=one()[:150] or "-",
        text=tuple(one() for _ in some()),
        table=Table(head=tuple(one() for _ in range(width)), rows=tuple((one(), one()) for _ in some())),
        notes=notes,
        warnings=tuple(one() for _ in some()),
    )
    steps = tuple(
        StepView(stage=n // 3, place=n % 3, says=one(), reversible=n % 4 != 0, state=next(step_states), trouble=trouble)
        for n in some()
    )
    decisions = tuple(
        DecisionView(user=next(people), verdict="deny" if n % 3 else "approve", at=next(times) or 0, reason=one())
        for n in some()
    )
    return run(
        draw(st.sampled_from(State)),
        text=one(),
        asker=next(people),
        asked_at=next(times) or 0,
        expires_at=next(times),
        finished_at=next(times),
        plan=given_plan if draw(st.booleans()) else None,
        digest="d" * 64 if draw(st.booleans()) else None,
        answer=answer if draw(st.booleans()) else None,
        steps=steps,
        decisions=decisions,
        approvals_needed=draw(st.integers(1, 10)),
        approver_groups=tuple(one() for _ in some()),
        trouble=trouble,
        supersedes=one() if draw(st.booleans()) else None,
        superseded_by=one() if draw(st.booleans()) else None,
        standing=one() if draw(st.booleans()) else None,
    )


RUNS = runs()
# What may follow a "<" in a text: mentions of ids, dates, nothing else.
OURS = re.compile(r"<(@[UW][A-Z0-9]+|!subteam\^S[A-Z0-9]+|!date\^\d+\^\{date_short_pretty\} \{time\}\|[-\d: ]+UTC)>")


def sound(text: str) -> bool:
    rest = OURS.sub("", text)
    return "<" not in rest and not re.search("[\x00-\x09\x0b-\x1f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", rest)


@settings(max_examples=60, deadline=None)
@given(RUNS)
def test_any_run_becomes_a_message_that_slack_takes(view: RunView) -> None:
    """Two checkers, written apart, take it: ours and the playground's; it has a text of its own."""
    message = render.run_message(view)
    blocks.check(message, "message")
    rules.check_message({"text": message.text, "blocks": message.blocks}, longest=4000)
    assert message.text.strip()


@settings(max_examples=60, deadline=None)
@given(RUNS)
def test_foreign_text_stays_text(view: RunView) -> None:
    """No mention, link, header or button comes from a text; nothing invisible is left."""
    message = render.run_message(view)
    for text in [message.text, *blocks.texts(message.blocks)]:
        assert sound(text)
    assert sum(block["type"] == "header" for block in message.blocks) == 1


@settings(max_examples=60, deadline=None)
@given(RUNS)
def test_buttons_are_there_exactly_while_a_decision_is_wanted(view: RunView) -> None:
    """Approve, deny and details while proposed, each carrying run and digest; nothing to press in any other state."""
    found = list(buttons(render.run_message(view)))
    if view.state is not State.PROPOSED:
        assert found == []
        return
    assert [button["action_id"] for button in found] == ["approve", "deny", "details"]
    for button in found:
        assert json.loads(button["value"]) == {"run": view.id, "digest": view.digest or ""}


@settings(max_examples=20, deadline=None)
@given(RUNS, st.lists(RUNS, max_size=2), st.integers(0, 30))
def test_views_are_taken_too(view: RunView, others: list[RunView], times: int) -> None:
    """The details, the form of a denial and the Home tab pass both checkers, and their texts are sound."""
    several = [view.model_copy(update={"id": f"r-{n}"}) for n in range(times)]
    tab = home.home("U1", several, others, several, [])
    for surface, made in (("modal", modal.details(view)), ("modal", modal.deny_modal(view)), ("home", tab)):
        blocks.check(made, "home" if surface == "home" else "modal")
        rules.check_view(made, surface)
        assert all(map(sound, blocks.texts(made["blocks"])))


@settings(max_examples=40, deadline=None)
@given(HOSTILE, st.lists(st.sampled_from(["U1", "S2", "channel", "<!here>"]) | HOSTILE, max_size=30).map(tuple))
def test_notes_and_errors_are_taken(text: str, mention: tuple[str, ...]) -> None:
    """A line in a thread, a word to one person and an error pass the checker; only real ids are mentioned."""
    made = [
        render.note_message(NoteView(run="r-1", text=text, mention=mention)),
        render.ephemeral(text),
        render.error_message(Refused(text, text)),
    ]
    for message in made:
        blocks.check(message, "message")
        assert all(map(sound, [message.text, *blocks.texts(message.blocks)]))


def test_a_plan_tells_all_that_an_approver_needs() -> None:
    """Who asked, when it expires, what changes from where to where, what cannot be undone, what a failure means."""
    given_plan = Plan(
        command="try-it",
        title="Move 2 tokens",
        subject="s",
        stages=(Stage(steps=(Write(text="Write a to b"),)), Stage(steps=(Burn(text="Burn c"), Write(text="Write d")))),
        changes=(
            Change(name="hive", source="app/out", target="sd/one", subject="sa:hive", old="aaaaaaaa", new="bbbbbbbb"),
            Change(name="hive", source="app/out", target="sd/two", subject="sa:hive", old="bbbbbbbb", new="bbbbbbbb"),
        ),
        warnings=("It is Friday.",),
        premises=(Stands(text="a is b"),),
    )
    view = run(State.PROPOSED, plan=given_plan, digest=given_plan.digest, expires_at=1e9 + 60, approver_groups=("sre",))
    message = render.run_message(view)
    told = shown(message)
    for words in (
        "Move 2 tokens", "Needs 1 approval from sre", "<@U123>", "<!date^1000000060^", "`r-abc2345`", "⚠️ It is Friday.",
        "*hive* · sa:hive", "from `app/out`", "to `sd/one` – `aaaaaaaa` → `bbbbbbbb`",
        "to `sd/two` – already matches `bbbbbbbb`", "1. Write a to b", "*Stage 2 of 2* · 2 steps side by side",
        "2. Burn c  *⚠ cannot be undone*", "what was done is put back. 1 step cannot be undone.",
        "1 fact is checked once more",
    ):  # fmt: skip
        assert words in told, words
    assert told.index("It is Friday") < told.index("*hive*") < told.index("1. Write a to b")


def test_approving_is_asked_once_more_with_target_and_effect() -> None:
    """The dialog names what is changed where, and is red when something cannot be undone."""
    change = Change(name="n", source="a", target="sd-uhc/sandbox", old=None, new="bbbbbbbb")
    for step, style in ((Write(text="w"), "primary"), (Burn(text="w"), "danger")):
        given_plan = plan(stages=(Stage(steps=(step,)),), changes=(change,))
        approve = next(buttons(render.run_message(run(State.PROPOSED, plan=given_plan, digest="d"))))
        assert approve["confirm"]["style"] == style
        assert "Move 2 tokens. Changes sd-uhc/sandbox." in approve["confirm"]["text"]["text"]


def test_a_long_plan_is_cut_and_says_so() -> None:
    """Two hundred steps are counted, and the person is sent to the details, which show them."""
    view = run(State.PROPOSED, plan=plan(*(f"Write number {n:03d}" for n in range(200))), digest="d")
    assert re.search(r"… and \d+ more: press Details", shown(render.run_message(view)))
    assert "Write number 199" in shown(modal.details(view))


def progress(*states: StepState, trouble: Trouble | None = None) -> dict[str, Any]:
    steps = tuple(
        StepView(
            stage=n,
            place=0,
            says=f"Write {n}",
            reversible=True,
            state=state,
            trouble=trouble if state in (StepState.FAILED, StepState.UNDO_FAILED) else None,
        )
        for n, state in enumerate(states)
    )
    return {"plan": plan(*(f"Write {n}" for n in range(len(states)))), "steps": steps}


def test_progress_is_told_in_words_for_each_step() -> None:
    """A symbol alone would say nothing to a screen reader; the notification counts."""
    view = run(State.APPLYING, **progress(StepState.ALREADY, StepState.DONE, StepState.RUNNING, StepState.WAITING))
    message = render.run_message(view)
    for words in ("Write 0 – ✔️ already so", "Write 1 – ✅ done", "Write 2 – ⏳ running", "Write 3 – ○ waiting"):
        assert words in shown(message)
    assert "1 waiting, 1 already so, 1 running, 1 done" in message.text.lower()


def test_what_failed_comes_first_in_a_long_list() -> None:
    """Of two hundred nodes the one that failed is seen, though the list is cut."""
    states = [StepState.DONE] * 150 + [StepState.FAILED] + [StepState.DONE] * 49
    told = shown(render.run_message(run(State.PARTLY, **progress(*states, trouble=Trouble(what="No answer.")))))
    assert "151. Write 150 – ❌ failed" in told


def test_a_failure_says_what_failed_what_now_and_how_things_are() -> None:
    """In this order, with the tool's own two sentences and the way to try again."""
    trouble = Trouble(what="Vault refused to write b.", now="Give the role update there.")
    view = run(
        State.UNDONE, text="only=a", **progress(StepState.UNDONE, StepState.FAILED, StepState.WAITING, trouble=trouble)
    )
    message = render.run_message(view)
    told = shown(message)
    order = [
        "*What failed*", "Step 2, Write 1: Vault refused to write b.", "*What to do now*", "Give the role update there.",
        "`/try-it only=a`", "*How things are*", "1 step was put back; 1 step never ran.",
    ]  # fmt: skip
    assert [told.index(words) for words in order] == sorted(told.index(words) for words in order)
    assert "Vault refused to write b. 1 step was put back" in message.text


def test_a_failed_undo_is_not_glossed_over() -> None:
    """A step that could not be put back is told as such, with its reason."""
    trouble = Trouble(what="The backup is gone.")
    view = run(State.STOPPED, **progress(StepState.UNDO_FAILED, StepState.FAILED, trouble=trouble))
    told = shown(render.run_message(view))
    assert "1 step could not be put back" in told
    assert "Write 0 – ⛔ could not be put back\n      The backup is gone." in told


def test_done_tells_the_proof_and_what_people_do_next() -> None:
    """The jobs to run again stand above the list of steps."""
    facts = progress(StepState.DONE, StepState.DONE)
    facts["plan"] = facts["plan"].model_copy(update={"then": (Note(label="Run again", text="job-a, job-b"),)})
    told = shown(render.run_message(run(State.DONE, **facts)))
    assert "Done and verified" in told
    assert "Each of the 2 steps was checked" in told
    assert told.index("*Run again*: job-a, job-b") < told.index("1. Write 0")


DENIED = (DecisionView(user="U9", verdict="deny", at=1e9, reason="Not on a *Friday*."),)


@pytest.mark.parametrize(
    ("view", "words"),
    [
        (run(State.DENIED, decisions=DENIED), ["Denied by <@U9>: Not on a", "Friday", "Nothing was changed."]),
        (run(State.EXPIRED, text="only=a"), ["Nobody decided in time. Nothing was changed.", "/try-it only=a"]),
        (run(State.CANCELLED), ["Cancelled. Nothing was changed."]),
        (run(State.SUPERSEDED, superseded_by="r-new2345"), ["Things moved", "Nothing was changed.", "r-new2345"]),
        (run(State.REFUSED, trouble=Trouble(what="No path a.", now="Create it.")), ["No path a. Create it. Nothing"]),
        (run(State.ASKED), ["Looking at what this would change."]),
        (run(State.APPROVED), ["starts as soon as no other run"]),
    ],
    ids=lambda value: value.state if isinstance(value, RunView) else "",
)
def test_each_ending_is_told_the_same_in_blocks_and_in_the_notification(view: RunView, words: list[str]) -> None:
    """Both say what happened and whether anything was changed."""
    message = render.run_message(view)
    for expected in words:
        assert expected in shown(message)
        assert expected in message.text


def test_who_approved_stands_where_the_buttons_were() -> None:
    """Who and when, for each of them, and the standing approval if it ran under one."""
    two = tuple(DecisionView(user=f"U{n}", verdict="approve", at=1e9) for n in (1, 2))
    told = shown(render.run_message(run(State.DONE, decisions=two, standing="nightly", plan=plan("a"))))
    assert "Approved by <@U1> <!date^1000000000^" in told
    assert "Approved by <@U2>" in told
    assert "standing approval nightly" in told


def test_half_of_the_approvals_is_told() -> None:
    """With one of two given, one more is asked for."""
    one = (DecisionView(user="U1", verdict="approve", at=1e9),)
    message = render.run_message(run(State.PROPOSED, plan=plan("a"), approvals_needed=2, decisions=one, digest="d"))
    assert "Needs 1 more approval (1 given)." in message.text


def test_an_answer_shows_its_table_as_a_table() -> None:
    """Head and rows cell by cell, empty cells filled, before it the text and after it the notes."""
    table = Table(head=("job", "keys"), rows=(("a", "x, y"), ("b", "")))
    answer = Answer(
        command="try-it", title="2 jobs", text=("They read it.",), table=table, notes=(Note(label="n", text="t"),)
    )
    message = render.run_message(run(State.ANSWERED, answer=answer))
    shape = [block["type"] for block in message.blocks]
    assert shape == ["header", "section", "context", "section", "table", "section"]
    rows = message.blocks[4]["rows"]
    assert [[cell["text"] for cell in row] for row in rows] == [["job", "keys"], ["a", "x, y"], ["b", "–"]]


def test_a_table_that_is_too_long_says_how_much_is_missing() -> None:
    """Slack takes a hundred rows; the rest is counted."""
    table = Table(head=("job",), rows=tuple((f"job-{n}",) for n in range(250)))
    message = render.run_message(run(State.ANSWERED, answer=Answer(command="try-it", title="Jobs", table=table)))
    assert "… and 151 more rows not shown here." in shown(message)


def test_nothing_to_do_still_shows_what_was_found() -> None:
    """An answer to a plan whose steps are all done already keeps the changes visible."""
    change = Change(name="hive", source="a", target="b", old="aaaaaaaa", new="aaaaaaaa")
    answer = Answer(command="try-it", title="Nothing to do: all is as it should be")
    told = shown(render.run_message(run(State.ANSWERED, answer=answer, plan=plan("w", changes=(change,)))))
    assert "Nothing to do: all is as it should be" in told
    assert "already matches `aaaaaaaa`" in told


def test_a_note_mentions_whom_it_is_for() -> None:
    """Users and user groups by their ids."""
    message = render.note_message(NoteView(run="r-1", text="It waits.", mention=("U1", "S2")))
    assert shown(message) == message.text == "<@U1> <!subteam^S2> It waits."


def test_an_error_is_two_sentences() -> None:
    """What, in bold, and what to do now."""
    message = render.error_message(Refused("No such path.", "Create it first."))
    assert shown(message) == "❌ *No such path.*\nCreate it first."
    assert message.text == "No such path. Create it first."
