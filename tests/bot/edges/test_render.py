"""Any run, however hostile its texts, becomes a message that Slack takes and that tells the truth."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator

from hypothesis import given, settings
from hypothesis import strategies as st

from bot.core.checklist import Offer
from bot.core.errors import Refused
from bot.core.plan import Answer, Change, Note, Plan, Report, Stage, Table
from bot.core.view import DecisionView, NoteView, RunView, State, StepState, StepView, Trouble
from bot.edges import blocks, home, modal, render
from playground.slack import rules
from tests.bot.edges.shown import Burn, Stands, Write, buttons, run, shown

HOSTILE = st.builds(
    lambda piece, times: piece * times,
    st.sampled_from(
        ["<!channel> ", "<@U1>", "<https://evil.example.com|ok>", "*b*_i_~s~`c` ", "&lt;!here&gt;", "\u202eabc\n", "\x00",
         "🐝👩‍👩‍👧", "e\u0301", "&", "plain words ", "> q\n", "```\n# h\n```", "{date} <!date^1^{time}|x>", ""]
    ) | st.text(min_size=1, max_size=6),
    st.sampled_from([1, 2, 5, 50, 1500]),
)  # fmt: skip
TEXTS = st.lists(HOSTILE, min_size=1, max_size=5)
COUNTS = st.sampled_from([0, 1, 2, 7, 40, 110])


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
        StepView(
            stage=n // 3,
            place=n % 3,
            says=one(),
            reversible=n % 4 != 0,
            state=next(step_states),
            trouble=trouble,
            progress=one(),
        )
        for n in some()
    )
    report = Report(
        table=answer.table if draw(st.booleans()) else None,
        notes=tuple(Note(label=one(), text=one(), at=next(times)) for _ in some()),
        warnings=tuple(one() for _ in some()),
        offers=tuple(Offer(label=one()[:75], command="try-it", danger=n % 2 == 0) for n in some()),
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
        report=report if draw(st.booleans()) else None,
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


def in_all_states(view: RunView) -> Iterator[RunView]:
    return (view.model_copy(update={"state": state}) for state in State)


@settings(max_examples=settings.default.max_examples // 8)
@given(RUNS)
def test_any_run_becomes_a_message_that_slack_takes(any_run: RunView) -> None:
    """In every state two checkers, written apart, take it: ours and the playground's; it has a text of its own."""
    for view in in_all_states(any_run):
        message = render.run_message(view)
        blocks.check(message, "message")
        rules.check_message({"text": message.text, "blocks": message.blocks}, longest=4000)
        assert message.text.strip()


@settings(max_examples=settings.default.max_examples // 8)
@given(RUNS)
def test_foreign_text_stays_text(any_run: RunView) -> None:
    """No mention, link, header or button comes from a text; nothing invisible is left."""
    for view in in_all_states(any_run):
        for message in (render.run_message(view), render.full_message(view)):
            for text in [message.text, *blocks.texts(message.blocks)]:
                assert sound(text)
            assert sum(block["type"] == "header" for block in message.blocks) == 1


@settings(max_examples=settings.default.max_examples // 8)
@given(RUNS)
def test_a_run_in_full_is_taken_too(any_run: RunView) -> None:
    """Both checkers take it in every state, and what it leaves out can be opened from it."""
    for view in in_all_states(any_run):
        message = render.full_message(view)
        rules.check_message({"text": message.text, "blocks": message.blocks}, longest=4000)
        if "press Details" in shown(message):
            assert "details" in [button["action_id"] for button in buttons(message)]


def test_a_run_in_full_has_every_step() -> None:
    """A hundred steps are cut in the channel, which says where the rest is; in full each one is there, in order."""
    steps = tuple(Write(text=f"Write the field number {n}") for n in range(100))
    plan = Plan(command="try-it", title="Write", subject="s", stages=(Stage(steps=steps),))
    for state, where in ((State.PROPOSED, "press Details"), (State.DONE, "type /hivekeeper show r-abc2345")):
        view = run(state, plan=plan, digest=plan.digest)
        assert where in shown(render.run_message(view))
        said = re.findall(r"Write the field number (\d+)", shown(render.full_message(view)))
        assert said == [str(n) for n in range(100)]


@settings(max_examples=settings.default.max_examples // 8)
@given(RUNS)
def test_buttons_are_there_exactly_while_a_decision_is_wanted(any_run: RunView) -> None:
    """Approve, deny and details while proposed, each carrying run and digest; in other states nothing that decides."""
    for view in in_all_states(any_run):
        beside = ("again", "report-offer")
        found = [b for b in buttons(render.run_message(view)) if not b["action_id"].startswith(beside)]
        wanted = ["approve", "deny", "details"] if view.state is State.PROPOSED else []
        assert [button["action_id"] for button in found] == wanted
        assert all(json.loads(b["value"]) == {"run": view.id, "digest": view.digest or ""} for b in found)


@settings(max_examples=settings.default.max_examples // 8)
@given(RUNS, st.lists(RUNS, max_size=2), st.integers(0, 30))
def test_views_are_taken_too(view: RunView, others: list[RunView], times: int) -> None:
    """The details, the form of a denial and the Home tab pass both checkers, and their texts are sound."""
    several = [view.model_copy(update={"id": f"r-{n}"}) for n in range(times)]
    tab = home.home("U1", several, others, several, [])
    for surface, made in (("modal", modal.details(view)), ("modal", modal.deny_modal(view)), ("home", tab)):
        blocks.check(made, "home" if surface == "home" else "modal")
        rules.check_view(made, surface)
        assert all(map(sound, blocks.texts(made["blocks"])))


@settings(max_examples=settings.default.max_examples * 2 // 5)
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


def test_a_note_mentions_whom_it_is_for() -> None:
    """Users and user groups by their ids."""
    message = render.note_message(NoteView(run="r-1", text="It waits.", mention=("U1", "S2")))
    assert shown(message) == message.text == "<@U1> <!subteam^S2> It waits."


def test_an_error_is_two_sentences() -> None:
    """What, in bold, and what to do now."""
    message = render.error_message(Refused("No such path.", "Create it first."))
    assert shown(message) == "❌ *No such path.*\nCreate it first."
    assert message.text == "No such path. Create it first."
