"""Handing in and signing in from Slack: what was typed reaches the desk as a secret, and nobody and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from slack_sdk import WebClient

from bot.core.checklist import Offer
from bot.core.errors import Refused
from bot.core.handing_in import HandedIn, Wanted
from bot.core.plan import Answer, Note, Table
from bot.core.ports import Place
from bot.core.secret import Secret, SecretRef
from bot.core.view import RunView, State
from bot.edges import handing_in, render, wanted
from bot.edges.messenger import SlackMessenger
from tests.bot.edges.shown import buttons, run, shown

ASKER, STRANGER, CHANNEL, RUN = "U0ASKER", "U0STRANGER", "C0ONCALL", "r-abc2345"
TOKEN = Wanted(
    name="token", label="Hand in a token", hint="The *offline* token of <ocm-ci>.", command="rotate-demo",
    into=SecretRef(path="kv/handed-in", field="token"),
)  # fmt: skip
LOGIN = TOKEN.model_copy(update={"name": "the sign-in", "label": "Sign in as ocm-ci", "way": "sso/one"})


def answered(*asks: Wanted, **more: Any) -> RunView:
    answer = Answer(command="try-it", title="A token is wanted", wanted=asks or (TOKEN, LOGIN), **more)
    return run(State.ANSWERED, answer=answer, channel=CHANNEL)


def test_each_has_its_button_and_says_what_it_is_for() -> None:
    """The button names the run and what of it, nothing more; the hint formats nothing."""
    message = render.run_message(answered())
    assert [(b["action_id"], b["text"]["text"], json.loads(b["value"])) for b in buttons(message)] == [
        ("hand-in-0", "Hand in a token", {"run": RUN, "name": "token"}),
        ("sign-in-1", "Sign in as ocm-ci", {"run": RUN, "name": "the sign-in"}),
    ]
    assert "The ∗offline∗ token of &lt;ocm-ci&gt;." in shown(message)


def test_where_a_person_gets_it_is_a_link() -> None:
    """Beside the button and in the form; what is no plain web address is none."""
    page = "https://console.example.com/openshift/token"
    view = answered(TOKEN.model_copy(update={"page": page}))
    for made in (shown(render.run_message(view)), json.dumps(wanted.form(view, view.answer.wanted[0]))):
        assert f"<{page}|Get one here>" in made
    hostile = answered(TOKEN.model_copy(update={"page": "javascript:alert(1)|x"}))
    assert "Get one here" not in shown(render.run_message(hostile))


def test_what_was_given_shows_by_whom_and_no_button() -> None:
    """All that a channel gets to see of it."""
    given_ = (
        HandedIn(name="token", user="U0APPROVER", at=1795419900, run="r-new2345"),
        HandedIn(name="the sign-in", user=ASKER, at=1795419900, run="r-new3456", signed_in=True),
    )
    message = render.run_message(answered().model_copy(update={"handed_in": given_}))
    assert list(buttons(message)) == []
    assert "Hand in a token: handed in by <@U0APPROVER>" in shown(message)
    assert "Sign in as ocm-ci: signed in by <@U0ASKER>" in shown(message)
    assert "r-new2345" in shown(message)


def test_offers_of_an_answer_are_buttons() -> None:
    """Of the same kind as those of a report."""
    offer = Offer(label="Rotate alpha", command="rotate-demo", ask={"only": "alpha"})
    (found,) = buttons(render.run_message(run(State.ANSWERED, answer=Answer(command="a", title="b", offers=(offer,)))))
    assert found["action_id"] == "report-offer"
    assert found["text"]["text"] == "Rotate alpha"


Start = Callable[..., Any]


def posted(world: Any, view: RunView) -> str:
    world.desk.views[view.id] = view
    client = WebClient(world.tokens[0], base_url=world.api_url, retry_handlers=[])
    return SlackMessenger(client).post(Place(channel=CHANNEL), view, f"{view.id}/head")


def press(world: Any, ts: str, n: int = 0, user: str = ASKER) -> None:
    action = f"{'sign-in' if n else 'hand-in'}-{n}"
    pressed = world.person(
        "action", user=user, channel=CHANNEL, message_ts=ts, block_id=f"wanted-{n}-do", action_id=action
    )
    assert pressed == {"ok": True}


def submit(world: Any, typed: str, user: str = ASKER) -> Any:
    values = {"secret": {"value": {"type": "plain_text_input", "value": typed}}}
    return world.person("submit", user=user, view_id=world.modal(user)["id"], state={"values": values})


@pytest.mark.parametrize("mode", ["socket", "http"])
def test_what_is_typed_reaches_the_desk_as_a_secret(start: Start, mode: str, canary: Any) -> None:
    """Trimmed; the form says where it goes; who handed it in hears that it is there; no traffic, no log holds it."""
    world, token = start(mode), canary("token")
    canary.watch("the traffic", lambda: json.dumps(world.workspace.traffic.after(0)))
    canary.watch("Slack", lambda: json.dumps([world.workspace.messages, world.whispers()], default=str))
    press(world, posted(world, answered()))
    form = json.dumps(world.modal(ASKER), ensure_ascii=False)
    assert "`kv/handed-in (token)`" in form
    assert "The ∗offline∗ token" in form
    assert submit(world, f"  {token}\t") == {"ok": True}
    assert world.told("It is in Vault now.")
    ((run_, name, user, secret),) = world.desk.given.values()
    assert (run_, name, user) == (RUN, "token", ASKER)
    assert secret.reveal() == token
    assert world.workspace.stacks.get(ASKER, []) == []


@pytest.mark.parametrize(
    ("typed", "words"), [("   ", "Nothing was handed in"), ("made\x07up", "invisible"), ("made\u200bup", "invisible")]
)
def test_what_cannot_be_it_is_told_in_the_form(start: Start, typed: str, words: str) -> None:
    """Under the input, to that person alone; nothing reaches the desk."""
    world = start("http")
    press(world, posted(world, answered()))
    answer = submit(world, typed)
    assert words in answer["errors"]["secret"]
    assert world.desk.given == {}


def test_a_refusal_and_a_store_that_is_down_are_told_to_that_person_alone(start: Start) -> None:
    """What the desk says; a fault of ours without its text."""
    world = start("http")
    ts = posted(world, answered())
    press(world, ts, user=STRANGER)
    submit(world, "made-up", STRANGER)
    assert world.told("You may not ask", STRANGER)
    press(world, ts)
    world.modal(ASKER)
    world.desk.broken = True
    submit(world, "made-up")
    assert "a fault with a secret" not in world.told("nobody foresaw")
    world.desk.broken, world.desk.down = False, True
    press(world, ts)
    assert world.told("The store did not answer in time")


@pytest.mark.parametrize("mode", ["socket", "http"])
def test_the_link_goes_to_who_pressed(start: Start, mode: str) -> None:
    """With the code and its end; the channel sees nothing; a stranger gets no link."""
    world = start(mode)
    ts = posted(world, answered())
    press(world, ts, 1)
    told = world.told("ABCD-EFGH")
    assert "<https://sso.example.com/device?user_code=ABCD-EFGH|Open the page to sign in>" in told
    assert "You have 9 minutes: it ends <!date^1795419900^" in told
    assert "<!date^1795419900" in told
    press(world, ts, 1, STRANGER)
    assert "sso.example.com" not in world.told("You may not ask", STRANGER)
    assert "ABCD" not in json.dumps(world.workspace.messages, default=str)
    assert [entry[:3] for entry in world.desk.given.values()] == [(RUN, "the sign-in", ASKER)]


def test_what_is_not_wanted_any_more_opens_no_form(start: Start) -> None:
    """What the store says counts, not what the button looked like: gone, or to be signed in for by now."""
    world = start("http")
    ts = posted(world, answered())
    world.desk.views[RUN] = answered(LOGIN)
    press(world, ts)
    assert world.told("not wanted any more")
    world.desk.views[RUN] = answered(TOKEN.model_copy(update={"way": "sso/one"}))
    press(world, ts)
    assert not world.workspace.stacks.get(ASKER)


FORGED = ["", "{}", '{"run":"R-1","name":"x"}', '{"run":"r-1"}', '{"run":"r-1","name":""}', "[]",
          '{"run":"r-1","name":"x","into":"kv/other"}', json.dumps({"run": "r-1", "name": "x" * 61})]  # fmt: skip


@pytest.mark.parametrize("value", FORGED)
def test_a_forged_form_is_refused_and_audited(start: Start, value: str, canary: Any) -> None:
    """Its secret is dropped with it."""
    world, token = start("http"), canary("token")
    canary.watch("the audit", lambda: json.dumps(world.desk.refusals))
    view = {
        "type": "modal", "id": "V1", "hash": "1.1", "callback_id": "hand-in", "private_metadata": value,
        "state": {"values": {"secret": {"value": {"type": "plain_text_input", "value": token}}}},
    }  # fmt: skip
    payload = {
        "type": "view_submission",
        "user": {"id": ASKER},
        "view": view,
        "team": {"id": "T0PLAYGRND"},
    }
    world.forge("interactive", payload)
    assert world.desk.given == {}
    assert [what for _, what, _ in world.desk.refusals] == ["foreign_form"]


VALUES = st.recursive(
    st.none() | st.booleans() | st.text(max_size=8) | st.integers(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(
        st.sampled_from(["state", "values", "secret", "value", "callback_id", "view"]), inner, max_size=3
    ),
    max_leaves=8,
)  # fmt: skip


@given(state=VALUES)
def test_whatever_a_form_carries_nothing_of_it_stays_in_the_payload(state: Any) -> None:
    """Any shape gives a secret or a refusal, and the payload has no state any more."""
    body = {"view": {"callback_id": "hand-in", "state": state}}
    assert isinstance(handing_in.taken_out(body), Secret | Refused)
    assert body == {"view": {"callback_id": "hand-in"}}


@given(body=VALUES)
def test_other_payloads_are_left_alone(body: Any) -> None:
    """A form of another kind keeps what was typed into it."""
    document = {"view": body, "type": "view_submission"}
    before = json.dumps(document)
    if not (isinstance(body, dict) and body.get("callback_id") == "hand-in"):
        assert handing_in.taken_out(document) is None
        assert json.dumps(document) == before


TEXT = st.text(max_size=400)


@settings(max_examples=settings.default.max_examples * 2 // 5)
@given(
    asks=st.lists(
        st.builds(
            Wanted, name=st.text(min_size=1, max_size=60), label=st.text(max_size=75), hint=st.text(max_size=300),
            into=st.builds(SecretRef, path=st.text(min_size=1, max_size=512), field=st.text(min_size=1, max_size=256)),
            command=st.text(max_size=80), way=st.sampled_from(["", "sso/one"]),
        ),
        max_size=8,
    ),
    offers=st.lists(st.builds(Offer, label=st.text(max_size=75), command=st.text(max_size=20)), max_size=8),
    text=st.lists(st.text(min_size=300, max_size=900), max_size=6),
)  # fmt: skip
def test_any_answer_becomes_a_message_and_any_want_a_form(asks: Any, offers: Any, text: Any) -> None:
    """Within Slack's limits, with a table and notes beside it; nothing of it pings or links."""
    table = Table(head=("a", "b"), rows=(("x" * 200, "y" * 200),) * 20)
    notes = tuple(Note(label="n" * 100, text="t" * 400) for _ in range(6))
    view = answered(*asks, offers=tuple(offers), text=tuple(text), table=table, notes=notes)
    told = shown(render.run_message(view))
    for one in asks:
        told += shown(wanted.form(view, one))
    assert "<@" not in told.replace("<@U123>", "")
    assert "<!" not in told.replace("<!date^", "")
