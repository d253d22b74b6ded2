"""What is told of the token that is there: by its claims, and by the realm where it may be asked while planning."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import jwt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.core.errors import Refused, Unverified
from bot.core.plan import Answer, Plan
from bot.core.ports import ReadTools
from bot.core.secret import Secret, SecretRef
from bot.core.sso import Judged, Verdict
from bot.tools.fingerprints import KeyedFingerprints
from bot.tools.tokens import JwtClaims
from handlers.offline_look import judged, span
from handlers.offline_mends import MENDS, mend
from handlers.offline_tokens import KEEP, Settings

NOTHING: Any = None  # systems that nothing here is asked of

CONFIG, PRODUCTION = "sd-uhc/sandbox", "app-sre/ocm"


def test_looking_asks_nobody_by_itself(world: Any) -> None:
    """Trying a token uses it: unless the settings allow it, a plan is made without."""
    world.ask()
    world.ask(cure="hand")
    assert world.realm.forms == []


def test_a_good_token_needs_nothing(world: Any) -> None:
    """Where it may be tried while planning, a good one is said to be good, and nothing is posted for a schedule."""
    world.place = {"probe": "planning"}
    world.put_token(world.new)
    answer = world.answer()
    assert "is good" in answer.title
    assert answer.quiet


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((400, "invalid_grant", "User disabled"), "disabled"),
        ((401, "unauthorized_client", "Invalid client or Invalid client credentials"), "client"),
    ],
)
def test_what_no_token_mends(world: Any, answer: Any, words: str) -> None:
    """The owner or the client is refused: no plan for a token, not even production's."""
    world.place = {"probe": "planning"}
    world.realm.refusal = answer
    told = world.answer()
    assert "would not help" in told.title
    assert words in " ".join(told.text)
    assert told.wanted == ()
    assert {note.label for note in told.notes} == {"Token now", "Last refreshed"}, "what is said is said once"


def test_the_verdict_comes_first_and_points_at_the_button(world: Any) -> None:
    """Where the button is in the same message nobody is told to type a command; elsewhere they are."""
    world.place = {"probe": "planning", "production": None}
    answer = world.answer()
    assert [note.label for note in answer.notes[:2]] == ["Verdict", "Cure"]
    assert "use a button of this message" in answer.notes[1].text
    assert "cure=hand" not in answer.model_dump_json()
    assert "ask for /fix-offline-session with cure=hand" in mend(Judged(verdict="stale_token", told="x"))


def test_all_of_its_claims_are_told(world: Any) -> None:
    """Kind, client, account, age, and the realm that it is of."""
    world.ahead = 3 * 86400
    (told,) = (note.text for note in world.answer(cure="hand").notes if note.label == "Token now")
    sub = world.realm.sessions.user("ocm-ci").sub
    assert told.startswith(
        f"an offline token of client cloud-services, account {sub}, issued 3 days ago by {world.realm.issuer} ("
    )


def test_a_dead_token_and_none_better(world: Any) -> None:
    """Production has the same one: a person is asked, and told why production is no cure."""
    world.place = {"probe": "planning"}
    world.put_token(world.old)
    world.change(PRODUCTION, token=world.old)
    answer = world.answer()
    assert answer.wanted
    assert any(note.label == "Production" and "the same one" in note.text for note in answer.notes)
    assert any(note.label == "Verdict" and "no longer has" in note.text for note in answer.notes)


def test_production_has_an_older_one(world: Any) -> None:
    """What a person handed in has died since: production's token, from before that, is not proposed again and again,
    but can be tried."""
    world.place = {"probe": "planning"}
    world.realm.off = -1000.0
    before = world.realm.offline_token("ocm-ci")
    world.realm.off = 0.0
    world.change(PRODUCTION, token=before)
    answer = world.answer()
    assert answer.wanted
    assert any("is another one, older than the one here" in note.text for note in answer.notes)
    assert answer.offers[0].ask == {"place": "ocm-ci", "cure": "production"}
    assert world.plan(cure="production")


def test_another_token_of_a_dead_session_is_no_cure(world: Any) -> None:
    """Production has a newer token of the very session that is gone: nobody is asked to approve bringing it."""
    world.place, world.realm.sessions.gives = {"probe": "planning"}, "new"
    newer = world.keep("newer", world.realm.sessions.refresh(world.new, "cloud-services")[1])
    world.put_token(world.new)
    world.change(PRODUCTION, token=newer)
    world.realm.end_session("ocm-ci")
    answer = world.answer()
    assert answer.wanted
    assert answer.offers == ()
    assert any("is of the same session" in note.text for note in answer.notes)


def test_what_was_used_already_does_not_wait(world: Any) -> None:
    """What was handed in for the token before this one is still in the inbox: nobody is told to use it."""
    world.place = {"production": None, "probe": "planning"}
    world.realm.off = -1000.0
    world.change("sd-uhc/hivekeeper-inbox", **{"ocm-ci": world.keep("used", world.realm.offline_token("ocm-ci"))})
    assert world.answer().offers == ()
    world.realm.off = 1000.0
    world.change("sd-uhc/hivekeeper-inbox", **{"ocm-ci": world.keep("waits", world.realm.offline_token("ocm-ci"))})
    assert [one.ask["cure"] for one in world.answer().offers] == ["inbox"]


def test_nothing_better_is_known(world: Any) -> None:
    """The one that is there was not tried yet: that is a plan of one step."""
    world.place = {"production": None}
    (step,) = (step for _, _, step in world.plan().steps)
    assert step.kind == "sso.refresh-token"


def test_what_was_refused_is_not_tried_again_and_again(world: Any) -> None:
    """Where trying is a step: once a run was told no, the next ask leads to a person, and to another try on the side."""
    world.change(PRODUCTION, token=world.old)
    with pytest.raises(Unverified):
        world.apply(world.plan())
    world.ahead = 3 * 3600
    answer = world.answer()
    assert answer.wanted
    assert next(note.text for note in answer.notes if note.label == "Verdict") == (
        "Red Hat SSO refused it 3 h ago; it was not tried since."
    )
    (again,) = answer.offers
    assert (again.command, again.ask) == (KEEP, {"place": ["ocm-ci"], "force": True})
    assert world.alive(**again.ask)
    world.realm.off = world.ahead
    world.put_token(world.realm.recycle("ocm-ci"))
    assert isinstance(world.ask(), Plan)


@pytest.mark.parametrize(
    ("token", "why"),
    [
        ("gobbledygook", "not a JWT"),
        (lambda realm: realm.ordinary_token("ocm-ci"), "ordinary"),
        (lambda realm: realm.offline_token("ocm-ci", "another"), "another client"),
    ],
)
def test_a_token_that_cannot_be_right(world: Any, token: Any, why: str) -> None:
    """It is said why, without trying it and without a word of it; production's good one takes its place."""
    world.put_token(token if isinstance(token, str) else token(world.realm))
    plan = world.plan()
    assert isinstance(plan, Plan)
    assert any(why in note.text for note in plan.notes)
    assert world.realm.forms == []
    world.apply(plan)
    assert world.token() == world.new


def test_looking_that_spends_is_warned_of(world: Any) -> None:
    """A realm that gives a new token with each use: planning cannot keep it, so it says what to set."""
    world.place = {"probe": "planning"}
    world.put_token(world.new)
    world.realm.sessions.gives = "new"
    answer = world.answer()
    assert "probe: step" in answer.warnings[0]
    assert not answer.quiet


def test_both_with_one_token_is_warned_of(world: Any) -> None:
    """Production and the config share a session: before a cure that makes it so, and after."""
    assert any("will hold the same token" in warning for warning in world.plan().warnings)
    world.apply(world.plan())
    made = world.ask()
    assert any("hold the same token" in warning for warning in made.warnings)


def test_a_config_that_is_not_there(world: Any) -> None:
    """Without the document nothing can be said; a document without the key has no token."""
    world.put_config("self: {}\n")
    assert isinstance(world.ask(cure="hand"), Answer)
    with pytest.raises(Refused):
        world.ask(cure="production")
    world.place = {"path": "sd-uhc/nothing"}
    with pytest.raises(Refused):
        world.ask()


def test_which_place(world: Any) -> None:
    """The only one may be left out; among several each gets a button, and a wrong name is told the right ones."""
    with pytest.raises(Refused, match="no such offline token") as told:
        world.ask(place="nowhere")
    assert "ocm-ci" in told.value.now
    world.more = {"other": {"path": "sd-uhc/other"}}
    answer = world.answer(cure="hand")
    assert [offer.ask["place"] for offer in answer.offers] == ["other", "ocm-ci"]
    assert {offer.ask["cure"] for offer in answer.offers} == {"hand"}
    assert "none was tried" in answer.text[0], "fresh is no verdict"


def test_a_hostile_claim_is_only_shown(world: Any) -> None:
    """Claims of somebody's making are one short line of plain characters."""
    claims = {"typ": "Offline", "iss": "<!channel>\n" + "x" * 500, "azp": ["list"], "sub": "\u202eevil", "iat": 10**400}
    world.put_token(jwt.encode(claims, "k" * 32, algorithm="HS256"))
    made = world.plan()
    told = next(note.text for note in made.notes if note.label == "Verdict")
    assert "\n" not in told
    assert len(told) < 400


def test_the_report_names_the_jobs(world: Any, tmp_path: Path) -> None:
    """Those that read the path, and a button that runs them; none where there is no Jenkins."""
    job = tmp_path / "jobs" / "service-pr-check" / "config.xml"
    job.parent.mkdir(parents=True)
    secret = "com.datapipe.jenkins.vault.model.VaultSecret"
    job.write_text(
        f"<project><{secret}><path>sd-uhc/sandbox</path><secretValues><{secret}Value><vaultKey>config</vaultKey>"
        f"</{secret}Value></secretValues></{secret}></project>",
        encoding="utf-8",
    )
    plan = world.plan()
    assert world.report(plan).table is None
    report = world.with_jobs(tmp_path / "jobs").report(plan)
    assert report.table is not None
    assert report.table.rows == (("service-pr-check", "config"),)
    assert report.offers == ()


def test_spans() -> None:
    """In the unit that people would use."""
    assert [span(s) for s in (-5, 600, 3 * 3600, 5 * 86400)] == ["0 min", "10 min", "3 h", "5 days"]


def test_every_verdict_has_its_cure() -> None:
    """One sentence each, and no two alike but for a good token, which needs none."""
    verdicts = set(get_args(Verdict)) - {"good"}
    assert set(MENDS) == verdicts
    assert len(set(MENDS.values())) == len(verdicts)
    assert mend(Judged(verdict="good", told="x")) == ""


ANY = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.lists(st.text())
CLAIMS = st.dictionaries(st.sampled_from(["typ", "iss", "azp", "sub", "sid", "session_state", "iat", "exp"]), ANY)


@given(CLAIMS)
@settings(max_examples=settings.default.max_examples * 3 // 5, deadline=None)
def test_any_claims_can_be_told(claims: dict[str, Any]) -> None:
    """Whatever a JWT says of itself becomes one plain line, or a refusal in our words."""
    tools = ReadTools(
        NOTHING, KeyedFingerprints(Secret("k" * 32)), JwtClaims(), NOTHING, NOTHING, NOTHING, now=lambda: 1e9
    )
    token = Secret(jwt.encode(claims, "k" * 32, algorithm="HS256")) if _encodable(claims) else None
    if token is None:
        return
    told = judged(SecretRef(path="a/b", field="c"), token, tools).told(1e9)
    assert told.isascii()
    assert told.isprintable()


def _encodable(claims: dict[str, Any]) -> bool:
    """PyJWT itself refuses issuers that are no text."""
    return isinstance(claims.get("iss", ""), str)


def test_two_entries_for_one_place() -> None:
    """Two names for the same token would refresh it apart from each other."""
    place = {"path": "sd-uhc/sandbox"}
    with pytest.raises(ValueError, match="the same place"):
        Settings.model_validate({"places": {"one": place, "two": place}})
    Settings.model_validate({"places": {"one": place, "two": {**place, "inside": ["other"]}}})
