"""Offline tokens are used in time, and people hear of one that is not, days before and never after."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bot.core.errors import Refused, Unverified
from bot.core.plan import Answer, Plan
from handlers.offline_state import inventory
from handlers.offline_tokens import Settings, kept_alive
from playground.vault_answers import Answer as VaultAnswer
from playground.vault_faults import Fault

CONFIG, DAY = "sd-uhc/sandbox", 86_400.0


@pytest.fixture
def good(world: Any) -> Any:
    """Sandbox and production have the same good token."""
    world.put_token(world.new)
    return world


def credential(world: Any) -> Any:
    (found,) = inventory(world.settings, world.read_tools)
    return found


def test_what_was_used_is_left_alone(good: Any) -> None:
    """A fresh token: nothing is asked of the realm, and nothing is posted for a schedule."""
    answer = good.alive()
    assert isinstance(answer, Answer)
    assert answer.quiet
    assert good.realm.forms == []


def test_what_is_due_is_refreshed_once(good: Any) -> None:
    """After a week: one use for both places, noted beside the token; then it is fresh again."""
    good.ahead = 7 * DAY
    plan = good.alive()
    assert isinstance(plan, Plan)
    good.apply(plan)
    assert len(good.realm.forms) == 1
    assert good.there(CONFIG, "config-self-token-refreshed-at").endswith("Z")
    assert isinstance(good.alive(), Answer)
    good.apply(plan)
    assert len(good.realm.forms) == 1
    assert isinstance(good.alive(force=True), Plan)


@pytest.mark.parametrize("world", [1, 2], indirect=True, ids=["kv1", "kv2"])
def test_a_realm_that_spends_tokens(good: Any) -> None:
    """Week after week: both places always have the token that is good."""
    good.realm.rotate()
    for week in range(1, 4):
        good.ahead, good.realm.off = 7 * DAY * week, week
        good.apply(good.alive())
        good.keep(f"week {week}", good.token())
        assert good.there() == good.token()
    assert good.good(good.token())


def test_a_realm_that_gives_new_ones_beside_the_old(good: Any) -> None:
    """As Keycloak does unless told otherwise: what it gives is kept in both places, and both old and new are good."""
    good.realm.sessions.gives = "new"
    good.ahead = good.realm.off = 7 * DAY
    good.apply(good.alive())
    good.keep("new one", good.token())
    assert good.there() == good.token() != good.new
    assert good.good(good.token())
    assert good.good(good.new)


def test_one_that_is_refused(good: Any) -> None:
    """It is told with the cure, noted for the inventory, and over as soon as there is another one."""
    good.ahead = 7 * DAY
    plan = good.alive()
    good.realm.end_session("ocm-ci")
    with pytest.raises(Unverified, match="no longer has"):
        good.apply(plan)
    found = credential(good)
    assert (found.state, found.alarm, found.offer.command) == ("degraded", "refused", "fix-offline-session")
    good.realm.off = good.ahead + 60
    good.put_token(good.realm.recycle("ocm-ci"))
    good.ahead += 120
    assert credential(good).state == "fresh"


def test_one_that_fails_keeps_none_of_the_others(good: Any) -> None:
    """A place with no sound token is a warning of the plan for the rest; alone, it is said as an error."""
    good.ahead = 7 * DAY
    good.more = {"broken": {"path": "sd-uhc/nothing"}}
    plan = good.alive()
    assert len(plan.steps) == 1
    assert plan.on_failure == "go_on"
    assert "broken" in plan.warnings[0]
    with pytest.raises(Refused, match="broken"):
        good.alive(place=("broken",))


def test_one_that_is_away_keeps_none_of_the_others(good: Any) -> None:
    """Vault does not give one place: the rest is refreshed before its thirty days are over, and a cure goes on, too."""
    good.ahead = 7 * DAY
    good.more = {"away": {"path": "sd-uhc/away", "field": "token", "inside": []}}
    good.vault.faults.add(Fault(path="sd-uhc/away", answer=VaultAnswer(503, {"errors": []})))
    plan = good.alive()
    assert len(plan.steps) == 1
    assert "away" in plan.warnings[0]
    good.put_token(good.keep("old one", good.old))
    assert good.plan(place="ocm-ci", cure="production")


def test_one_document_one_after_another(good: Any) -> None:
    """Two tokens in one document are never written side by side, one in another document is."""
    other, third = (good.keep(name, good.realm.offline_token(name)) for name in ("other", "third"))
    good.put_config(f"self:\n  token: {good.new}\nother:\n  token: {other}\n")
    good.change("sd-uhc/third", token=third)
    good.more = {
        "other": {"path": CONFIG, "inside": ["other", "token"]},
        "third": {"path": "sd-uhc/third", "field": "token", "inside": []},
    }
    good.ahead = 7 * DAY
    plan = good.alive()
    assert [len(stage.steps) for stage in plan.stages] == [2, 1]
    good.realm.rotate()
    good.apply(plan)
    tokens = [good.config().split("token: ")[n].split()[0] for n in (1, 2)] + [good.there("sd-uhc/third")]
    assert all(good.good(good.keep(f"t{n}", token)) for n, token in enumerate(tokens))


@pytest.fixture
def twins(good: Any) -> Any:
    """A second place of the settings, with the token that sandbox and production have."""
    good.more = {"second": {"path": "sd-uhc/second", "field": "token", "inside": []}}
    good.change("sd-uhc/second", token=good.new)
    return good


def test_two_places_with_one_session_are_both_told_to_be_fresh(twins: Any) -> None:
    """They are refreshed as one, and it is noted beside each: nobody is called for the one that was not asked about."""
    twins.ahead = 7 * DAY
    plan = twins.alive()
    assert len(plan.steps) == 1
    twins.apply(plan)
    assert len(twins.realm.forms) == 1
    twins.ahead = 24 * DAY
    assert {one.name: one.alarm for one in inventory(twins.settings, twins.read_tools)} == {"ocm-ci": "", "second": ""}


def test_two_places_with_one_session_are_both_told_to_be_refused(twins: Any) -> None:
    """What the realm says of one is true of the other."""
    twins.ahead = 7 * DAY
    plan = twins.alive()
    twins.realm.end_session("ocm-ci")
    with pytest.raises(Unverified):
        twins.apply(plan)
    assert [one.alarm for one in inventory(twins.settings, twins.read_tools)] == ["refused", "refused"]


@pytest.mark.parametrize("ask", [{"place": ("second",), "force": True}, {"place": ("ocm-ci",), "force": True}])
def test_a_token_is_spent_for_nobody(twins: Any, ask: dict[str, Any]) -> None:
    """Only one place is asked about, and the realm spends tokens: whoever has the same one gets its successor, too."""
    twins.realm.rotate()
    plan = twins.alive(**ask)
    assert "sd-uhc/second" in plan.warnings[0]
    twins.apply(plan)
    twins.keep("successor", twins.token())
    assert twins.token() == twins.there() == twins.there("sd-uhc/second") != twins.new
    assert twins.good(twins.token())


@pytest.mark.parametrize(
    ("days", "state", "alarm"),
    [(1, "fresh", ""), (22, "fresh", ""), (24, "due", "7d"), (27.5, "due", "3d"), (29.5, "due", "1d"),
     (30.5, "expired", "1d"), (90, "expired", "1d")],
)  # fmt: skip
def test_told_days_before(good: Any, days: float, state: str, alarm: str) -> None:
    """Seven, three and one day before; nothing new is said when it is too late."""
    good.ahead = days * DAY
    found = credential(good)
    assert (found.state, found.alarm) == (state, alarm)
    assert (found.offer is None) == (state == "fresh")
    assert found.expires_at - found.written_at == 30 * DAY


def test_the_inventory_asks_nobody(good: Any) -> None:
    """It is looked at every few minutes, and uses no token, whatever the settings let planning do."""
    good.place = {"probe": "planning"}
    credential(good)
    assert good.realm.forms == []


def test_what_cannot_be_read(good: Any) -> None:
    """No token, a wrong one, no document: each has its own word."""
    good.put_token("gobbledygook")
    assert (credential(good).state, credential(good).alarm) == ("degraded", "unusable")
    good.put_config("self: {}\n")
    assert credential(good).state == "missing"
    good.change(CONFIG, config="!")
    assert credential(good).state == "degraded"


def test_a_note_that_is_no_time(good: Any) -> None:
    """What others wrote there is not taken for a time, and never shown."""
    secret = good.keep("by hand", "canary-by-hand-2f7c1e")
    good.change(
        CONFIG, **{"config-self-token-refreshed-at": secret, "config-self-token-refused-at": "2026-02-31T00:00:00Z"}
    )
    assert credential(good).state == "fresh"
    assert secret not in json.dumps([one.model_dump() for one in inventory(good.settings, good.read_tools)])


def test_rights_that_are_asked_for(good: Any) -> None:
    """Production's path has to be writable, for what a refresh gives; without places nothing is asked for."""
    needs = {need.path: need.rights for need in kept_alive(good.settings)}
    assert needs == {CONFIG: ("read", "update"), "app-sre/ocm": ("read", "update")}
    assert kept_alive(Settings()) == ()
