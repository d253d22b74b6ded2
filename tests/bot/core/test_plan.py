"""A plan is a value: it survives storage, and its digest covers all of it."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.plan import Change, Note, Plan, Premise, RunRef, Stage, Step, Vocabulary
from bot.core.ports import ReadTools, Tools


class Touch(Step):
    kind: Literal["test.touch"] = "test.touch"
    name: str

    def undo(self, tools: Tools, run: RunRef) -> None:
        """Reversible."""


class Burn(Step):
    kind: Literal["test.burn"] = "test.burn"
    name: str


class Is(Premise):
    kind: Literal["test.is"] = "test.is"
    name: str

    def holds(self, tools: ReadTools) -> bool:
        return True


WORDS = Vocabulary((Touch, Burn), (Is,))
names = st.text(min_size=1, max_size=20)
steps = st.one_of(st.builds(Touch, name=names), st.builds(Burn, name=names))
plans = st.builds(
    Plan,
    command=names,
    title=names,
    subject=names,
    ask=st.dictionaries(names, st.one_of(names, st.integers(), st.booleans(), st.none()), max_size=3),
    stages=st.lists(st.builds(Stage, steps=st.lists(steps, min_size=1, max_size=3).map(tuple)), max_size=3).map(tuple),
    on_failure=st.sampled_from(["undo", "stop", "go_on"]),
    premises=st.lists(st.builds(Is, name=names), max_size=2).map(tuple),
    changes=st.lists(st.builds(Change, name=names, source=names, target=names), max_size=2).map(tuple),
    notes=st.lists(st.builds(Note, label=names, text=names), max_size=2).map(tuple),
    warnings=st.lists(names, max_size=2).map(tuple),
)


@given(plans)
def test_a_plan_survives_storage(plan: Plan) -> None:
    """Read back from its JSON, a plan is equal, with the steps' own classes, and has the same digest."""
    back = WORDS.read(plan.model_dump(mode="json"))
    assert back == plan
    assert back.digest == plan.digest
    assert [type(s) for *_, s in back.steps] == [type(s) for *_, s in plan.steps]


@given(plans, st.sampled_from(["title", "subject", "command"]), names)
def test_the_digest_covers_every_word(plan: Plan, key: str, word: str) -> None:
    """A plan that differs in one word has another digest."""
    other = plan.model_copy(update={key: word})
    assert (other.digest == plan.digest) == (getattr(plan, key) == word)


def test_a_step_knows_whether_it_can_be_undone() -> None:
    """A step without an undo of its own is irreversible."""
    assert Touch(name="a").reversible
    assert not Burn(name="a").reversible


def test_an_unknown_step_is_an_error_that_can_be_told() -> None:
    """A stored plan with a step nobody knows any more does not turn into something else."""
    plan = Plan(command="c", title="t", subject="s", stages=(Stage(steps=(Burn(name="a"),)),))
    with pytest.raises(LookupError):
        Vocabulary((Touch,), ()).read(plan.model_dump(mode="json"))


@pytest.mark.parametrize("key", ["title", "stages", "ask"])
def test_a_plan_cannot_be_changed(key: str) -> None:
    """What was digested stays as it is."""
    plan = Plan(command="c", title="t", subject="s", stages=())
    with pytest.raises(ValueError, match="frozen"):
        setattr(plan, key, Any)


def test_a_proof_says_so_without_being_stored() -> None:
    """Whether a step only proves is a matter of its class: it is in no document and in no digest."""

    class Prove(Touch):
        kind: Literal["test.prove"] = "test.prove"  # type: ignore[assignment]
        proves = True

    assert Prove(name="a").proves
    assert "proves" not in Prove(name="a").model_dump()
