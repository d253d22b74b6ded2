"""A good token comes to where the CI reads it, from production, a person, or a service account in its place."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bot.core.errors import Drifted, Refused, Unverified

BOTH = pytest.mark.parametrize("world", [1, 2], indirect=True, ids=["kv1", "kv2"])
CONFIG, PRODUCTION, INBOX, LOGIN = "sd-uhc/sandbox", "app-sre/ocm", "sd-uhc/hivekeeper-inbox", "sd-uhc/login"


@BOTH
def test_production_s_token_is_tried_and_copied(world: Any) -> None:
    """The config gets production's token and nothing else of it changes; each use is one step, tried before written."""
    before = world.config()
    plan = world.plan()
    assert [step.kind for _, _, step in plan.steps] == ["sso.try-token", "sso.take-token", "sso.refresh-token"]
    assert world.realm.forms == []
    world.apply(plan)
    assert world.config() == before.replace(world.old, world.new)
    assert world.there() == world.new
    assert world.good(world.token())
    assert {"user": "ci", "count": 3}.items() <= (world.vault.get(CONFIG) or {}).items()


def test_what_the_realm_gives_is_kept(world: Any) -> None:
    """A realm that spends tokens: production and the config both end with the newest, and that one is good."""
    world.realm.rotate()
    plan = world.plan()
    world.apply(plan)
    world.keep("kept", world.token())
    assert world.there() == world.token() != world.new
    assert not world.good(world.new)
    assert world.good(world.token())


def test_a_cure_spends_nobody_else_s_token(world: Any) -> None:
    """A third place has production's token, too: when the realm spends it for this cure, all three get its successor."""
    world.more = {"third": {"path": "sd-uhc/third", "field": "token", "inside": []}}
    world.change("sd-uhc/third", token=world.new)
    world.realm.rotate()
    plan = world.plan(place="ocm-ci")
    assert "sd-uhc/third" in plan.warnings[0]
    world.apply(plan)
    world.keep("kept", world.token())
    assert world.there() == world.there("sd-uhc/third") == world.token()
    assert world.good(world.token())


def test_applying_again_does_nothing(world: Any) -> None:
    """A plan that was carried out is done: nothing is asked and nothing written."""
    plan = world.plan()
    world.apply(plan)
    asked = len(world.realm.forms)
    assert all(step.done(world.read_tools) for _, _, step in plan.steps)
    assert len(world.realm.forms) == asked


def test_two_cures_in_one_second(world: Any) -> None:
    """The note of the first is not taken for the second's: that one is tried from its new place, too."""
    at = world.tools.now()
    world.tools = replace(world.tools, now=lambda: at)
    world.apply(world.plan())
    world.change(PRODUCTION, token=world.keep("again", world.realm.recycle("ocm-ci")))
    plan, before = world.plan(), len(world.realm.forms)
    *_, last = (step for _, _, step in plan.steps)
    world.apply(plan, steps=2)
    assert not last.done(world.read_tools)
    world.apply(plan)
    assert last.done(world.read_tools)
    assert world.realm.forms[-1]["refresh_token"] == world.token()
    assert len(world.realm.forms) > before


def test_a_bad_token_of_production_is_never_written(world: Any) -> None:
    """It is refused before anything changes, with the server's reason in our words."""
    world.realm.end_session("ocm-ci")
    plan = world.plan()
    with pytest.raises(Refused, match="no longer has the offline session") as told:
        world.apply(plan)
    assert "cure=hand" in told.value.now
    assert world.token() == world.old


@BOTH
def test_what_fails_at_the_end_is_put_back(world: Any) -> None:
    """The proof after the write fails: the config is to the letter what it was."""
    before, plan = world.vault.get(CONFIG), world.plan()
    world.apply(plan, steps=2)
    assert world.token() == world.new
    world.realm.end_session("ocm-ci")
    with pytest.raises(Unverified):
        plan.stages[2].steps[0].do(world.tools, world.run)
    world.undo(plan)
    assert (world.vault.get(CONFIG) or {})["config"] == before["config"]


@BOTH
@pytest.mark.parametrize("rotating", [False, True])
def test_undone_also_when_tokens_were_replaced(world: Any, rotating: bool) -> None:
    """After every step, whichever token stands there now; other keys of the document that others changed stay."""
    world.realm.rotate(rotating)
    before, plan = world.config(), world.plan()
    world.apply(plan)
    world.keep("kept", world.token())
    world.undo(plan)
    assert world.config() == before


def test_somebody_s_edit_is_not_undone(world: Any) -> None:
    """The document was edited elsewhere after our write: it is left alone, and said so."""
    plan = world.plan()
    world.apply(plan, steps=2)
    world.put_config(world.config().replace("0x10", "0x11"))
    with pytest.raises(Drifted, match="not put back as a whole"):
        world.undo(plan)
    assert "0x11" in world.config()


def test_somebody_s_own_token_stays(world: Any) -> None:
    """Another token was put there after our write: undoing leaves it."""
    plan = world.plan()
    world.apply(plan, steps=2)
    other = world.realm.offline_token("ocm-ci")
    world.put_token(other)
    world.undo(plan)
    assert world.token() == other


def test_recycled_once_more_is_a_drift(world: Any) -> None:
    """Production has a token of another session than was approved: a new plan is needed."""
    plan = world.plan()
    assert world.holds(plan) == []
    world.change(PRODUCTION, token=world.keep("newer", world.realm.recycle("ocm-ci")))
    assert world.holds(plan)
    with pytest.raises(Drifted):
        world.apply(plan)
    assert world.token() == world.old


def test_replaced_within_its_session_is_no_drift(world: Any) -> None:
    """Production used its token meanwhile and has its successor: that is what was approved, and what is taken."""
    world.realm.rotate()
    plan = world.plan()
    newer = world.keep("newer", world.realm.sessions.refresh(world.new, "cloud-services")[1])
    world.change(PRODUCTION, token=newer)
    assert world.holds(plan) == []
    world.apply(plan)
    world.keep("kept", world.token())
    assert world.good(world.token())


def test_the_config_changed_meanwhile(world: Any) -> None:
    """What was looked at is what is changed, or nothing is."""
    plan = world.plan()
    world.put_config(world.config().replace("0x10", "0x11"))
    assert world.holds(plan)
    with pytest.raises(Drifted):
        world.apply(plan)
    assert world.token() == world.old


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda realm: realm.ordinary_token("ocm-ci"), "ordinary refresh token"),
        (lambda realm: realm.offline_token("ocm-ci", "another"), "another client"),
        (lambda realm: realm.offline_token("somebody"), "another account"),
        (lambda realm: "gobbledygook", "not a JWT"),
    ],
)
def test_a_token_that_does_not_belong_there(world: Any, make: Any, why: str) -> None:
    """Of another kind, client or account: refused with the reason, and never taken by itself."""
    world.change(PRODUCTION, token=world.keep("wrong", make(world.realm)))
    with pytest.raises(Refused, match=why):
        world.ask(cure="production")
    if why != "not a JWT":
        made = world.ask()
        assert not any(getattr(step, "source", None) for _, _, step in getattr(made, "steps", ()))


def test_the_settings_say_whose(world: Any) -> None:
    """Another account is meant than that of the token that is there: its token is taken, and the old one's is not."""
    own = world.there()
    world.place = {"subject": world.realm.sessions.user("robot-two").sub}
    with pytest.raises(Refused, match="belongs to another account"):
        world.ask(cure="production")
    other = world.keep("other", world.realm.offline_token("robot-two"))
    world.change(PRODUCTION, token=other)
    world.apply(world.plan())
    assert world.token() == other != own


def test_a_token_of_another_realm(world: Any) -> None:
    """Signed by somebody else: refused by its issuer."""
    from playground.sso import SsoStandIn

    foreign = SsoStandIn("https://stage.example.com/auth/realms/x")
    world.change(PRODUCTION, token=world.keep("foreign", foreign.offline_token("ocm-ci")))
    with pytest.raises(Refused, match="another realm"):
        world.ask(cure="production")


def test_handed_in(world: Any) -> None:
    """Production has none: a person is asked, privately; what was handed in is tried and taken."""
    world.place = {"production": None, "probe": "planning"}
    answer = world.answer()
    assert {one.way for one in answer.wanted} == {"", "sso/redhat"}
    (hand,) = world.answer(cure="hand").wanted
    assert hand.page == "https://console.redhat.com/openshift/token"
    assert (hand.into.path, hand.into.field, hand.ask) == (INBOX, "ocm-ci", {"place": "ocm-ci", "cure": "inbox"})
    with pytest.raises(Refused, match="no token"):
        world.ask(**hand.ask)
    token = world.keep("handed in", world.realm.offline_token("ocm-ci"))
    world.change(INBOX, **{"ocm-ci": token})
    assert [offer.ask for offer in world.answer().offers] == [hand.ask]
    world.apply(world.plan(**hand.ask))
    assert world.token() == token
    assert world.answer(cure="hand").offers == ()


@pytest.mark.parametrize(
    "make", [lambda realm: realm.offline_token("somebody"), lambda realm: "gobbledygook"], ids=["whose", "what"]
)
def test_the_wrong_one_was_handed_in(world: Any, make: Any) -> None:
    """Who did so is told how to hand in another one, not to look into Vault."""
    world.change(INBOX, **{"ocm-ci": world.keep("wrong", make(world.realm))})
    with pytest.raises(Refused) as told:
        world.ask(cure="inbox")
    assert told.value.now == (
        "Nothing was changed. Put the right token there: ask for /fix-offline-session with cure=hand."
    )


def test_signing_in_needs_a_way(world: Any) -> None:
    """Only where the realm lets people."""
    assert [one.way for one in world.answer(cure="sign-in").wanted] == ["sso/redhat"]
    world.tools.sign_ins._systems.clear()
    with pytest.raises(Refused, match="cannot sign in"):
        world.ask(cure="sign-in")
    world.place = {"production": None, "probe": "planning"}
    assert [one.way for one in world.answer().wanted] == [""]


def test_signing_in_gives_the_realm_s_client(world: Any) -> None:
    """A token for another client cannot be had by signing in, so that is not offered."""
    world.place = {"client": "another"}
    assert [one.way for one in world.answer(cure="hand").wanted] == [""]
    with pytest.raises(Refused, match="cannot sign in"):
        world.ask(cure="sign-in")


def test_without_places(world: Any) -> None:
    """The setting to make is named."""
    from handlers import fix_offline_session, keep_offline_alive
    from handlers.offline_tokens import Settings

    for handler in (fix_offline_session.HANDLER, keep_offline_alive.HANDLER):
        with pytest.raises(Refused, match="no offline token"):
            handler.plan(handler.ask(), Settings(), world.read_tools)


ACCOUNT = {
    "name": "robot",
    "puts": [
        {"source": {"path": LOGIN, "field": "id"}, "inside": ["self", "client_id"]},
        {"source": {"path": LOGIN, "field": "secret"}, "inside": ["self", "client_secret"]},
    ],
}


def test_a_service_account_instead(world: Any) -> None:
    """It is seen to log in, then its login goes into the config; the token stays. Asked again, there is nothing to do."""
    world.place = {"account": ACCOUNT}
    plan = world.plan(cure="service-account")
    assert [step.kind for _, _, step in plan.steps] == ["sso.log-in", "vault.patch-document"]
    world.apply(plan)
    assert 'client_id: "robot"' in world.config()
    assert world.there(LOGIN, "secret") in world.config()
    assert world.token() == world.old
    assert "Nothing to do" in world.answer(cure="service-account").title


def test_a_service_account_that_may_not_log_in(world: Any) -> None:
    """Nothing is written."""
    world.place, before = {"account": ACCOUNT}, world.config()
    world.realm.clients.known["robot"].enabled = False
    plan = world.plan(cure="service-account")
    with pytest.raises(Refused, match="service account"):
        world.apply(plan)
    assert world.config() == before


def test_cures_that_the_settings_do_not_know(world: Any) -> None:
    """Each is refused with the setting to make."""
    world.place = {"production": None}
    for cure, words in (("production", "production"), ("service-account", "account")):
        with pytest.raises(Refused) as told:
            world.ask(cure=cure)
        assert words in told.value.now
