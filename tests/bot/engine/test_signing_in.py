"""Signing in with a browser: one invitation for one person, asked about at its time, once, also across crashes."""

from __future__ import annotations

import dataclasses
from typing import Any

from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from bot.core.errors import Refused, Transient
from bot.core.handing_in import ELSEWHERE
from bot.core.secret import Secret, SecretRef
from bot.core.view import State
from bot.engine import retention, signing_in
from bot.engine.tables import run as run_table
from bot.engine.tables import sign_in


def rows(wanting: Any) -> list[Any]:
    return list(wanting.bench.shop.read(lambda conn: conn.execute(sign_in.select().order_by(sign_in.c.began_at)).all()))


def tick(wanting: Any, seconds: float = 0, bench: Any = None) -> None:
    wanting.bench.now += seconds
    signing_in.tick((bench or wanting.bench).shop)


def test_the_person_gets_a_link_and_a_code(wanting: Any) -> None:
    """And the store holds the device code sealed only (canary)."""
    outcome = wanting.sign_in("press", wanting.answered())
    assert outcome.accepted, outcome.told
    assert outcome.invited.link == "https://sso.example.com/device?code=ABCD-1"
    assert outcome.invited.code == "ABCD-1"
    assert (outcome.invited.until, outcome.invited.left) == (wanting.bench.now + 600, 600)
    (row,) = rows(wanting)
    assert (row.state, row.user, row.next_poll_at) == ("waiting", "U1", wanting.bench.now + 5)
    assert wanting.bench.audited().count("sign_in_begun") == 1


def test_pressing_twice_gives_the_same_invitation(wanting: Any) -> None:
    """With the same key, with another; somebody else gets one of their own."""
    run = wanting.answered()
    first = wanting.sign_in("one", run)
    assert wanting.sign_in("one", run) == first
    assert wanting.sign_in("two", run) == first
    assert wanting.sign_in("three", run, user="U3").invited.code == "ABCD-2"
    assert len(wanting.gate.begun) == 2
    wanting.bench.now += 90
    assert wanting.sign_in("four", run).invited.left == 510


def test_it_is_asked_about_when_it_is_due_and_not_before(wanting: Any) -> None:
    """As far apart as the realm wants it, with the code that it gave."""
    wanting.sign_in("press", wanting.answered())
    tick(wanting, 4.9)
    assert wanting.gate.asked == []
    tick(wanting, 0.1)
    tick(wanting)
    assert wanting.gate.asked == wanting.gate.begun
    tick(wanting, 5)
    assert len(wanting.gate.asked) == 2


def test_asked_too_often_it_waits_as_long_as_it_is_told(wanting: Any) -> None:
    """Transient.after counts; without it the usual time."""
    wanting.sign_in("press", wanting.answered())
    wanting.gate.answer = Transient("Too often.", after=20)
    tick(wanting, 5)
    wanting.gate.answer = Transient("No answer.")
    tick(wanting, 19.9)
    assert len(wanting.gate.asked) == 1
    tick(wanting, 0.1)
    tick(wanting, 5)
    assert len(wanting.gate.asked) == 3


def test_what_comes_of_it_goes_into_vault_and_what_follows_is_asked_for(wanting: Any) -> None:
    """By the person who signed in, who alone hears of it; all see who it was; the device code is gone."""
    bench, run, token = wanting.bench, wanting.answered(), wanting.canary("token")
    wanting.sign_in("press", run, user="U3")
    wanting.gate.answer = Secret(token)
    tick(wanting, 5)
    assert wanting.held == token
    (given_,) = bench.see(run).handed_in
    assert (given_.name, given_.user, given_.signed_in) == ("sign-in", "U3", True)
    new = bench.plan(given_.run)
    assert (new.asker, new.state) == ("U3", State.PROPOSED)
    (told,) = wanting.told("U3")
    assert new.id in told
    (row,) = rows(wanting)
    assert (row.state, row.device, row.live, row.next_poll_at) == ("done", None, None, None)
    assert (row.link, row.code) == ("", "")
    assert wanting.sign_in("press", run, user="U3").accepted
    tick(wanting, 600)
    assert len(wanting.gate.asked) == 1
    assert bench.audited().count("signed_in") == 1


def test_a_sign_in_that_is_denied_is_told_that_person(wanting: Any) -> None:
    """Once; nothing is asked for, and the next press begins anew."""
    run = wanting.answered()
    wanting.sign_in("press", run)
    wanting.gate.answer = Refused("It was turned down in the browser.", "Begin anew.")
    tick(wanting, 5)
    tick(wanting, 5)
    (told,) = wanting.told()
    assert "turned down" in told
    assert run in told
    assert rows(wanting)[0].state == "denied"
    assert wanting.bench.see(run).handed_in == ()
    wanting.gate.answer = None
    assert wanting.sign_in("again", run).invited.code == "ABCD-2"
    assert wanting.sign_in("press", run).invited.code == "ABCD-2"


def test_one_that_nobody_does_expires(wanting: Any) -> None:
    """After its last question; also when nobody answers that."""
    run = wanting.answered()
    wanting.sign_in("one", run)
    wanting.sign_in("two", run, user="U3")
    tick(wanting, 600)
    assert [row.state for row in rows(wanting)] == ["expired", "expired"]
    assert "in time" in wanting.told("U3")[0]
    wanting.sign_in("three", run)
    wanting.gate.answer = Transient("No answer.")
    tick(wanting, 600)
    assert rows(wanting)[-1].state == "waiting"
    tick(wanting, signing_in.GRACE)
    assert rows(wanting)[-1].state == "expired"


def test_one_who_comes_back_after_a_bot_that_was_down_gets_a_new_one(wanting: Any) -> None:
    """The old row does not stand in the way, and is ended at its time."""
    run = wanting.answered()
    wanting.sign_in("one", run)
    wanting.bench.now += 601
    assert wanting.sign_in("two", run).invited.code == "ABCD-2"
    tick(wanting)
    assert [row.state for row in rows(wanting)] == ["expired", "waiting"]


def test_a_restart_goes_on_asking(wanting: Any) -> None:
    """All it needs is in the store; what a dead one had taken is taken after its time."""
    wanting.sign_in("press", wanting.answered())
    (row,) = rows(wanting)
    wanting.bench.now += 5
    assert signing_in._move(wanting.bench.shop, row, wanting.bench.now + signing_in.LEASE)  # taken, then killed
    tick(wanting, signing_in.LEASE - 1)
    assert wanting.gate.asked == []
    wanting.gate.answer = Secret("made-up")
    tick(wanting, 1)
    assert wanting.held == "made-up"


def test_a_way_that_puts_it_where_it_belongs_leaves_our_vault_alone(wanting: Any) -> None:
    """What follows is asked for all the same; also by a bot that was killed in between."""
    wanting.INTO = SecretRef(system=ELSEWHERE, path="secret/oauth/creds/dune/bee:pro", field="refresh_token")
    for key, crashes in (("one", False), ("two", True)):
        run = wanting.answered(key)
        wanting.sign_in(f"press {key}", run)
        wanting.gate.answer = Secret(wanting.canary(key))
        if crashes:
            row = next(row for row in rows(wanting) if row.state == "waiting")
            wanting.bench.now += 5
            signing_in._move(wanting.bench.shop, row, wanting.bench.now + 1, mark="0a1b2c3d")
        tick(wanting, 5)
        assert wanting.held is None
        assert wanting.bench.see(run).handed_in[0].signed_in


def test_what_belongs_elsewhere_cannot_be_typed_in(wanting: Any) -> None:
    """Nobody would put it there."""
    wanting.INTO = SecretRef(system=ELSEWHERE, path="secret/oauth/creds/dune/bee:pro", field="refresh_token")
    outcome = wanting.hand_in("key", wanting.answered(), wanting.canary("typed"))
    assert not outcome.accepted
    assert "Nothing can be handed in" in outcome.told


def killed_in_between(wanting: Any, *, written: bool) -> None:
    """The realm gave a token; the bot died before (or after) it was in Vault."""
    wanting.sign_in("press", wanting.answered())
    wanting.gate.answer = Secret("made-up")
    wanting.bench.now += 5
    (row,) = rows(wanting)
    mark = wanting.bench.shop.tools.fingerprints.of(Secret("made-up"))
    signing_in._move(wanting.bench.shop, row, wanting.bench.now + signing_in.PUTTING, mark=mark)
    if written:
        wanting.safe.write(wanting.INTO.path, {wanting.INTO.field: Secret("made-up")}, run="r-x")
    wanting.gate.answer = Refused("It does not know this sign-in any more.")  # its code works once
    tick(wanting, signing_in.PUTTING)


def test_killed_after_it_was_put_into_vault_it_is_known_again(wanting: Any) -> None:
    """By its fingerprint: what follows is asked for, once, and the realm is not asked again."""
    killed_in_between(wanting, written=True)
    assert rows(wanting)[0].state == "done"
    assert wanting.gate.asked == []
    assert len(wanting.bench.desk.runs()) == 2
    tick(wanting, 600)
    assert len(wanting.bench.desk.runs()) == 2


def test_killed_before_it_was_put_into_vault_the_person_is_told(wanting: Any) -> None:
    """The bot has it no more; something else in that place does not pass for it."""
    wanting.safe.write(wanting.INTO.path, {wanting.INTO.field: Secret("an older one")}, run="r-x")
    killed_in_between(wanting, written=False)
    assert rows(wanting)[0].state == "failed"
    assert "once more" in wanting.told()[0]
    assert len(wanting.bench.desk.runs()) == 1


def test_a_vault_that_is_away_for_a_moment_is_waited_for(wanting: Any) -> None:
    """What came of it cannot be had twice."""
    wanting.sign_in("press", wanting.answered())
    wanting.gate.answer = Secret("made-up")
    wanting.safe.trouble = [Transient("Vault is sealed.")]
    tick(wanting, 5)
    assert wanting.held == "made-up"


def test_a_vault_that_does_not_take_it_is_told(wanting: Any) -> None:
    """With what to do, and nothing of the token."""
    wanting.sign_in("press", wanting.answered())
    wanting.gate.answer = Secret(wanting.canary("token"))
    wanting.safe.trouble = [Refused("Vault said no.", "Ask its owner.")]
    tick(wanting, 5)
    assert "Vault said no. Ask its owner. Then sign in once more." in wanting.told()[0]
    assert len(wanting.bench.desk.runs()) == 1


def test_two_replicas_ask_once(wanting: Any, bench: Any) -> None:
    """Both have read the row; one takes it."""
    wanting.sign_in("press", wanting.answered())
    wanting.bench.now += 5
    (row,) = rows(wanting)
    signing_in._attend(bench.shop, row)
    signing_in._attend(bench.shop, row)
    assert len(wanting.gate.asked) == 1


def test_a_realm_that_is_away_is_told_at_once(wanting: Any) -> None:
    """Nothing is stored of it, so pressing again works; likewise a way that is not there, a typed secret, a stranger."""
    run = wanting.answered()
    wanting.gate.answer = Transient("The realm did not answer.", "Try again in a minute.")
    outcome = wanting.sign_in("one", run)
    assert (outcome.accepted, outcome.told) == (False, "The realm did not answer. Try again in a minute.")
    wanting.gate.answer = None
    assert wanting.sign_in("two", run).accepted
    assert "handed in" in wanting.sign_in("three", run, name="token").told
    assert "does not want this" in wanting.sign_in("four", run, name="x").told
    assert wanting.bench.audited().count("refused_action") == 3
    assert len(rows(wanting)) == 1


def test_beside_a_running_bot_one_does_not_sign_in(wanting: Any) -> None:
    """That process has nothing to ask with."""
    run = wanting.answered()
    wanting.bench.shop = dataclasses.replace(wanting.bench.shop, tools=None)
    wanting.bench.desk._shop = wanting.bench.shop
    assert "from Slack" in wanting.sign_in("one", run).told


def test_a_run_that_is_forgotten_takes_its_sign_ins_along(wanting: Any) -> None:
    """No row refers to what is not there."""
    run = wanting.answered()
    wanting.sign_in("press", run)
    wanting.gate.answer = Refused("Denied.")
    tick(wanting, 5)
    wanting.bench.now += 400 * 86400
    assert retention.forget(wanting.bench.shop) == 1
    assert rows(wanting) == []
    assert wanting.bench.shop.read(lambda conn: conn.execute(run_table.select()).all()) == []


ANSWERS = st.sampled_from(["none", "away", "later", "denied", "token", "dead"])


@examples(
    max_examples=examples.default.max_examples // 4,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    deadline=None,
)
@given(answers=st.lists(ANSWERS, max_size=8))
def test_whatever_the_realm_answers_it_ends_once(wanting: Any, answers: list[str]) -> None:
    """In one state, with one message to the person, and asked for exactly when there was a token."""
    key = f"k-{wanting.bench.now}"
    run = wanting.answered(key)
    before = len(wanting.told())
    wanting.sign_in(f"s-{key}", run)
    values = {
        "none": None, "away": Transient("No answer."), "later": Transient("Wait.", after=7.0),
        "denied": Refused("No."), "token": Secret("made-up"), "dead": ValueError("foreign"),
    }  # fmt: skip
    for answer in answers:
        wanting.gate.answer = values[answer]
        tick(wanting, 7)
    wanting.gate.answer = None
    tick(wanting, 700)
    tick(wanting, 700)
    ends = {"denied": "denied", "token": "done", "dead": "failed"}
    row = next(one for one in rows(wanting) if one.run == run)
    assert row.state == next((ends[one] for one in answers if one in ends), "expired")
    assert len(wanting.told()) == before + 1
    assert len(wanting.bench.see(run).handed_in) == (row.state == "done")
    wanting.bench.now += 1000
