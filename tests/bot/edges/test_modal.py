"""Forms are drawn from a command's model and read back into it; details leave nothing out."""

from __future__ import annotations

import json
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import Field

from bot.core import ask as asks
from bot.core.handler import Ask, Handler, HandlerSettings
from bot.core.plan import Answer, Note, Plan, Premise, Stage, Step
from bot.core.view import RunView, State
from bot.edges import modal
from bot.edges.blocks import check, texts


class Form(Ask):
    path: str = Field(description="Vault path, mount first.", json_schema_extra={"positional": True})
    only: Literal["hive-frontend", "aws-account-operator"] | None = Field(default=None, description="Just one.")
    jobs: tuple[Literal["a", "b", "c"], ...] = Field(default=(), description="Which jobs.")
    names: tuple[str, ...] = Field(default=(), description="Whose.")
    count: int = Field(default=3, description="How many.", le=9)
    handover_only: bool = Field(default=False, description="No second step.")
    notify: bool = Field(default=True, description="Tell people.")


class Undecided(Ask):
    restart: bool | None = Field(default=None, description="Restart; default: as the settings say.")


class Nothing(Ask):
    pass


class Wide(Ask):
    which: Literal[tuple(f"cluster-{n}" for n in range(150))] = Field(description="Which.")  # type: ignore[valid-type] # made


def handler(model: type[Ask] = Form, name: str = "try-it") -> Handler:
    return Handler(
        name=name,
        summary="Try <it>.",
        ask=model,
        settings=HandlerSettings,
        plan=lambda *_: Answer(command=name, title="Tried"),
    )


def inputs(view: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {block["block_id"]: block for block in view["blocks"] if block["type"] == "input"}


def sent(view: dict[str, Any], **typed: Any) -> dict[str, Any]:
    """The state Slack sends for a form: what it was drawn with, and what a person changed."""
    values: dict[str, Any] = {}
    for block_id, block in inputs(view).items():
        element = block["element"]
        state = {
            "plain_text_input": {"value": element.get("initial_value")},
            "static_select": {"selected_option": element.get("initial_option")},
            "multi_static_select": {"selected_options": element.get("initial_options", [])},
            "checkboxes": {"selected_options": element.get("initial_options", [])},
        }[element["type"]]
        values[block_id] = {"value": {"type": element["type"], **state}}
    for name, state in typed.items():
        values[f"ask-{name}"] = {"value": state}
    return values


def test_a_form_shows_every_parameter_with_its_help() -> None:
    """One input each: choices as a list to choose from, flags as a box to tick, defaults filled in."""
    view = modal.ask_modal(handler(), {}, "carried")
    drawn = inputs(view)
    assert {name: block["element"]["type"] for name, block in drawn.items()} == {
        "ask-path": "plain_text_input",
        "ask-only": "static_select",
        "ask-jobs": "multi_static_select",
        "ask-names": "plain_text_input",
        "ask-count": "plain_text_input",
        "ask-handover_only": "checkboxes",
        "ask-notify": "checkboxes",
    }
    assert drawn["ask-path"]["hint"]["text"] == "Vault path, mount first."
    assert [name for name, block in drawn.items() if not block["optional"]] == ["ask-path"]
    assert drawn["ask-count"]["element"]["initial_value"] == "3"
    assert "initial_options" in drawn["ask-notify"]["element"]
    assert "initial_options" not in drawn["ask-handover_only"]["element"]
    assert view["private_metadata"] == "carried"
    assert view["callback_id"] == modal.ASK


def test_what_was_typed_stands_in_the_form_and_comes_back() -> None:
    """A command that lacks one parameter keeps the others: they are read back from the form as typed."""
    typed = asks.given(handler(), "only=Hive-Frontend names=x,y --handover-only --no-notify count=5 jobs=a,b")
    view = modal.ask_modal(handler(), typed, "")
    ask = modal.read(handler(), sent(view, path={"value": "a/b"}))
    assert ask == Form(
        path="a/b", only="hive-frontend", names=("x", "y"), handover_only=True, notify=False, count=5, jobs=("a", "b")
    )


def test_an_untouched_form_gives_the_defaults() -> None:
    """Only the required field filled in is the same as typing only that."""
    view = modal.ask_modal(handler(), {}, "")
    assert modal.read(handler(), sent(view, path={"value": "a/b"})) == asks.parse("a/b", handler())


@pytest.mark.parametrize(
    ("typed", "chosen", "wanted"),
    [
        ("", None, None),
        ("--restart", None, True),
        ("--no-restart", None, False),
        ("", "true", True),
        ("", "false", False),
    ],
)
def test_a_flag_that_nobody_has_decided(typed: str, chosen: str | None, wanted: bool | None) -> None:
    """A flag without a default can be left alone in a form, which is neither yes nor no."""
    undecided = handler(Undecided)
    view = modal.ask_modal(undecided, asks.given(undecided, typed), "")
    assert inputs(view)["ask-restart"]["element"]["type"] == "static_select"
    changed = {"restart": {"selected_option": {"value": chosen}}} if chosen else {}
    assert modal.read(undecided, sent(view, **changed)) == Undecided(restart=wanted)


@pytest.mark.parametrize(
    ("typed", "block", "words"),
    [
        ({}, "ask-path", "path is missing."),
        ({"path": {"value": "  "}}, "ask-path", "path is missing."),
        ({"path": {"value": "a"}, "count": {"value": "many"}}, "ask-count", "whole number"),
        ({"path": {"value": "a"}, "count": {"value": "99"}}, "ask-count", "less than or equal to 9"),
        ({"path": {"value": "a"}, "only": {"selected_option": {"value": "evil"}}}, "ask-only", "must be hive-frontend"),
    ],
)
def test_what_does_not_fit_is_told_under_its_input(typed: dict[str, Any], block: str, words: str) -> None:
    """Slack shows the sentence below the field it is about."""
    told = modal.read(handler(), sent(modal.ask_modal(handler(), {}, ""), **typed))
    assert isinstance(told, dict)
    assert list(told) == [block]
    assert words in told[block]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["value", "selected_option", "selected_options", "ask-path", "ask-only", "ask-jobs", "ask-notify"]),
        inner, max_size=3,
    ),
    max_leaves=12,
)  # fmt: skip


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from([f"ask-{name}" for name in Form.model_fields] + ["reason", "x"]), JSON))
def test_a_forged_form_is_read_or_refused(values: dict[str, Any]) -> None:
    """Whatever shape the state has, the outcome is parameters or sentences under our own inputs."""
    result = modal.read(handler(), values)
    assert isinstance(result, Form) or all(name.removeprefix("ask-") in Form.model_fields for name in result)
    assert len(modal.reason(values)) <= 1000


def test_a_command_without_parameters_has_a_form_too() -> None:
    """There is nothing to fill in, and it can be sent."""
    view = modal.ask_modal(handler(Nothing), {}, "")
    assert inputs(view) == {}
    assert modal.read(handler(Nothing), {}) == Nothing()


def test_too_many_choices_become_a_text_field() -> None:
    """Slack lists a hundred; beyond that the name is typed, and checked all the same."""
    view = modal.ask_modal(handler(Wide), {"which": "cluster-149"}, "")
    assert inputs(view)["ask-which"]["element"]["type"] == "plain_text_input"
    assert modal.read(handler(Wide), sent(view)) == Wide(which="cluster-149")
    assert "must be" in str(modal.read(handler(Wide), sent(view, which={"value": "cluster-150"})))


def test_a_long_name_and_a_huge_prefill_still_make_a_form() -> None:
    """The title is cut to Slack's 24 characters; what cannot be filled in is left out."""
    view = modal.ask_modal(handler(name="rotate-" + "x" * 60), {"path": "x" * 100_000, "jobs": ["z"]}, "x" * 3000)
    check(view, "modal")
    assert "initial_value" not in inputs(view)["ask-path"]["element"]


class Look(Step):
    kind: Literal["test.look"] = "test.look"

    def says(self) -> str:
        return "Look at it"


class Stands(Premise):
    kind: Literal["test.stands-still"] = "test.stands-still"

    def says(self) -> str:
        return "The handover is as it was"


PLAN = Plan(
    command="try-it",
    title="Move it",
    subject="s",
    stages=(Stage(steps=(Look(),)),),
    premises=(Stands(),),
    then=(Note(label="Run again", text="job-a"),),
)
VIEW = RunView(
    id="r-abc2345",
    revision=1,
    command="try-it",
    text="a/b",
    asker="U123",
    source="slack",
    state=State.PROPOSED,
    asked_at=1e9,
    plan=PLAN,
    digest=PLAN.digest,
)


def test_a_denial_asks_why_and_carries_what_was_seen() -> None:
    """The run and the digest travel with the form; the reason is optional, because no is the safe answer."""
    view = modal.deny_modal(VIEW)
    assert json.loads(view["private_metadata"]) == {"run": VIEW.id, "digest": VIEW.digest}
    assert inputs(view)["reason"]["optional"] is True
    assert modal.reason({"reason": {"value": {"value": "  Not on a Friday. "}}}) == "Not on a Friday."
    assert modal.reason({}) == ""


def test_details_name_steps_premises_afterwards_and_digest() -> None:
    """All that the approval covers can be read before it is given."""
    told = "\n".join(texts(modal.details(VIEW)["blocks"]))
    for words in ("1. Look at it", "The handover is as it was", "*Run again*: job-a", PLAN.digest, "`/try-it a/b`"):
        assert words in told
