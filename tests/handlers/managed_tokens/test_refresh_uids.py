"""/refresh-uids: what FERRY says is remembered; what changes is used only when a person has said so."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.errors import Refused, Transient
from bot.core.grid import Account
from handlers.managed_tokens import UID, unusable
from handlers.refresh_uids import HANDLER, merged

ACCOUNTS = st.none() | st.builds(
    Account, name=st.just("a"), uid=st.none() | st.integers(1, 9), active=st.booleans(), banned=st.booleans()
)


@pytest.fixture(autouse=True)
def ferry(scene: Any) -> None:
    """FERRY says what is remembered."""
    for name, uid in (("dunepro", 501), ("novapro", 502)):
        scene.grid.accounts[name] = Account(name=name, uid=uid, active=True)


def kept(scene: Any, account: str = "dunepro") -> dict[str, Any]:
    value: dict[str, Any] = scene.tools.records.get(UID, account).value
    return value


def test_the_first_answer_is_taken(scene: Any) -> None:
    """Nobody knew the account before; one whose UID the file sets is not asked for."""
    scene.tools.records.drop(UID, "dunepro")
    scene.apply(scene.plan(HANDLER))
    assert kept(scene)["uid"] == 501
    assert unusable("dunepro", kept(scene)) is None
    assert scene.tools.records.get(UID, "duneana") is None


def test_the_same_answer_confirms(scene: Any) -> None:
    """One step for all; it is seen anew, and has no new history."""
    scene.apply(scene.plan(HANDLER))
    scene.grid.now += 86400
    plan = scene.plan(HANDLER)
    assert [step.kind for _, _, step in plan.steps] == ["tokens.confirm-uids"]
    scene.apply(plan)
    found = scene.tools.records.get(UID, "dunepro")
    assert (found.seen_at, found.since < found.seen_at) == (scene.grid.now, True)


def test_another_uid_is_used_only_when_a_person_says_so(scene: Any) -> None:
    """It is warned of and noted beside the old one; the button's plan then takes it."""
    scene.grid.accounts["dunepro"] = Account(name="dunepro", uid=999, active=True)
    plan = scene.plan(HANDLER)
    assert any("999" in line and "501" in line for line in plan.warnings)
    scene.apply(plan)
    assert (kept(scene)["uid"], kept(scene)["becomes"]) == (501, 999)
    (offer,) = scene.report(HANDLER, plan).offers
    assert offer.danger
    scene.apply(scene.plan(HANDLER, **offer.ask))
    assert (kept(scene)["uid"], kept(scene)["becomes"]) == (999, None)
    history = scene.tools.records.history(UID, "dunepro")
    assert [one.value["uid"] for one in history][:3] == [999, 501, 501]


@pytest.mark.parametrize(
    "said", [None, Account(name="dunepro", uid=501, active=False), Account(name="dunepro", uid=501, active=True, banned=True),
             Account(name="dunepro", uid=None, active=True)],
)  # fmt: skip
def test_what_is_not_sound_is_noted_and_not_pushed_to(scene: Any, said: Account | None) -> None:
    """Gone, inactive, banned, without a UID: the step says that nothing is pushed, and the UID is kept."""
    scene.grid.accounts.pop("dunepro")
    if said is not None:
        scene.grid.accounts["dunepro"] = said
    plan = scene.plan(HANDLER)
    assert plan.steps[0][2].says().startswith("Note, and push nothing")
    assert scene.apply(plan) == {}
    assert kept(scene)["uid"] == 501
    assert unusable("dunepro", kept(scene)) is not None


def test_an_old_answer_is_asked_for_anew(scene: Any) -> None:
    """When the approval comes an hour late, or when another run has noted something newer meanwhile: an account that was
    banned in between is not active again by an old plan. Not when it only was confirmed."""
    plan = scene.plan(HANDLER)
    (premise,) = plan.premises
    assert premise.holds(scene.read_tools)
    scene.apply(scene.plan(HANDLER))
    again = scene.plan(HANDLER)
    scene.apply(scene.plan(HANDLER))
    assert again.premises[0].holds(scene.read_tools)
    scene.uid("dunepro", 501, banned=True)
    assert not premise.holds(scene.read_tools)
    assert not again.premises[0].holds(scene.read_tools)
    last = scene.plan(HANDLER)
    scene.grid.now += 3700
    assert not last.premises[0].holds(scene.read_tools)


def test_an_account_that_cannot_be_asked_about_stays_as_it_was(scene: Any) -> None:
    """The others are refreshed; when none can be asked about, that is the answer, and nothing is changed."""
    before = kept(scene)
    scene.grid.broken["dunepro"] = Transient("FERRY does not answer.")
    plan = scene.plan(HANDLER)
    assert plan.warnings == ("dunepro stays as it was: FERRY does not answer.",)
    scene.apply(plan)
    assert kept(scene) == before
    scene.grid.broken["novapro"] = Transient("FERRY does not answer.")
    with pytest.raises(Transient):
        scene.plan(HANDLER)


def test_two_accounts_with_one_uid_are_warned_of(scene: Any) -> None:
    """On a node of both, one file would be the other's."""
    scene.grid.accounts["novapro"] = Account(name="novapro", uid=501, active=True)
    scene.tools.records.drop(UID, "novapro")
    assert any("have one UID (501)" in line for line in scene.plan(HANDLER).warnings)


@pytest.mark.parametrize(
    ("day", "active", "told"),
    [
        ("2030-03-01", True, ["The account dunepro ended on 2030-03-01, and is active all the same."]),
        ("2030-04-01", True, ["The account dunepro ends on 2030-04-01."]),
        ("2031-01-01", True, []),
        ("", True, []),
        ("0000-00-00", True, []),
    ],
)
def test_an_account_s_end_is_told_in_time(scene: Any, day: str, active: bool, told: list[str]) -> None:
    """In the month before, and afterwards as what is over."""
    scene.grid.accounts["dunepro"] = Account(name="dunepro", uid=501, active=active, expires_on=day)
    assert [line for line in scene.plan(HANDLER).warnings if "dunepro end" in line] == told


def test_acceptance_is_for_named_accounts(scene: Any) -> None:
    """A schedule that accepts everything is refused, and so is an account that no service has."""
    with pytest.raises(Refused, match="by its name"):
        scene.plan(HANDLER, accept=True)
    with pytest.raises(Refused, match="No service asks"):
        scene.plan(HANDLER, account=["root"])
    for word in ("dunpro", "dune_pro", "dune"):
        with pytest.raises(Refused, match="Did you mean dunepro"):
            scene.plan(HANDLER, account=[word])


def test_days_without_an_answer_ring(scene: Any) -> None:
    """Not the first one, and never while nobody asked for the first time."""

    def alarm() -> str:
        assert HANDLER.inventory is not None
        (one,) = HANDLER.inventory(HANDLER.settings(), scene.read_tools)
        return str(one.alarm)

    scene.apply(scene.plan(HANDLER))
    assert alarm() == ""
    scene.grid.now += 4 * 86400
    assert alarm() == "stale"


@given(st.lists(st.tuples(ACCOUNTS, st.just(False)), max_size=6))
def test_a_uid_never_changes_without_a_person(answers: list[tuple[Account | None, bool]]) -> None:
    """Whatever FERRY says in whatever order: the first UID it gave is the one that is used, or none is."""
    value: dict[str, Any] | None = None
    first = next((told.uid for told, _ in answers if told and told.uid), None)
    for told, accept in answers:
        value = merged(value, told, accept=accept)
        assert value["uid"] in (None, first)
        if unusable("a", value) is None:
            assert told is not None
            assert told.active
            assert not told.banned
            assert told.uid == value["uid"]
