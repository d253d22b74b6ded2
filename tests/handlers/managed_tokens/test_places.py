"""Places by their names: what people type, and what the button asks for after a failure, is exactly what is done."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from bot.core.errors import Refused, Transient
from bot.core.grid import Inventory, Service
from handlers.managed_places import meant
from handlers.push_tokens import HANDLER, PushTokens
from handlers.push_tokens_report import again

AWAY = Transient("It does not answer.", "Is it up?")
NODES = ("n1", "n2", "n3")
FOUND = Inventory(
    services=tuple(
        Service(name=f"{e}_{r}", experiment=e, role=r, account="a", principal="a@EXAMPLE.COM", keytab="/k", nodes=NODES)
        for e in ("dune", "nova")
        for r in ("pro", "ana")
    )
)
ALL = {(one.name, node) for one in FOUND.services for node in NODES}


def places(plan: Any) -> list[str]:
    """Where a plan stores and pushes."""
    return [step.where for *_, step in plan.steps if step.kind in ("tokens.store", "tokens.push")]


@pytest.fixture
def crossed(scene: Any) -> Any:
    """Two services on the same two nodes."""
    document = deepcopy(scene.document)
    document["experiments"]["dune"]["roles"]["ana"]["destinationNodes"] += ["gpvm2.example.com"]
    scene.file(document)
    return scene


def test_the_button_asks_for_exactly_what_has_failed(crossed: Any) -> None:
    """Also much later, when everything else would be due, too; after a second failure for what then failed; and where
    services and nodes cross, for none of the pairs that went well. After success for nothing."""
    failing = ["dune_pro@gpvm1.example.com", "dune_ana@gpvm2.example.com", "dune_pro@s2.example.com"]
    crossed.grid.broken |= dict.fromkeys(failing, AWAY)
    plan = crossed.plan(HANDLER)
    crossed.apply(plan)
    left = crossed.report(HANDLER, plan).again
    assert sorted(left["service"]) == sorted(failing)
    crossed.grid.now += 86400
    late = crossed.plan(HANDLER, **left)
    assert sorted(places(late)) == sorted(failing)
    del crossed.grid.broken[failing[0]]
    crossed.apply(late)
    left = crossed.report(HANDLER, late).again
    assert sorted(left["service"]) == sorted(failing[1:])
    crossed.grid.broken.clear()
    crossed.grid.now += 86400
    last = crossed.plan(HANDLER, **left)
    assert sorted(places(last)) == sorted(failing[1:])
    crossed.apply(last)
    assert crossed.report(HANDLER, last).again is None


def test_a_block_of_very_many_is_named_by_its_sides(scene: Any) -> None:
    """All of some services on some nodes; what is no such block is asked for whole, and what was brought left alone."""
    plan = scene.plan(HANDLER)
    places = tuple(f"dune_{role}@n{n}" for role in ("pro", "ana") for n in range(1001))
    assert again(plan, (), places, {"dune_pro", "dune_ana"}) is None
    fewer = tuple(f"dune_r{role}@n{n}" for role in range(5) for n in range(401))
    asked = again(plan, (), fewer, {f"dune_r{role}" for role in range(5)})
    assert asked is not None
    assert (len(asked["service"]), len(asked["node"])) == (5, 401)
    assert again(plan, (), fewer[1:], {f"dune_r{role}" for role in range(5)}) is None
    assert PushTokens.model_validate(asked)


def test_what_brought_nothing_for_want_of_a_token_is_asked_for_whole(scene: Any) -> None:
    """All places of the service, and none of the others'; a test has no places, so it asks for the service."""
    scene.grid.broken["nova_pro"] = AWAY
    plan = scene.plan(HANDLER)
    scene.apply(plan)
    wanted = ["nova_pro@s1.example.com", "nova_pro@s2.example.com", "nova_pro@n1.example.com"]
    assert sorted(scene.report(HANDLER, plan).again["service"]) == sorted(wanted)


def test_a_short_name_is_enough(scene: Any) -> None:
    """Of a node or schedd, wherever one is typed."""
    assert places(scene.plan(HANDLER, service=["dune_pro@GPVM2", "nova_pro@s1"])) == [
        "dune_pro@gpvm2.example.com",
        "nova_pro@s1.example.com",
    ]
    pushed = places(scene.plan(HANDLER, node=["n1"]))
    assert [where for where in pushed if "@s" not in where] == ["nova_pro@n1.example.com"]


def test_an_experiment_s_node_is_that_of_the_services_that_have_it(scene: Any) -> None:
    """The others are left out without a word; a schedd is that of all of them."""
    plan = scene.plan(HANDLER, service=["dune@gpvm2"])
    assert (places(plan), plan.warnings) == (["dune_pro@gpvm2.example.com"], ())
    assert places(scene.plan(HANDLER, service=["dune@s1"])) == ["dune_pro@s1.example.com", "dune_ana@s1.example.com"]


def test_a_node_that_is_named_gets_a_token_however_fresh_it_is(scene: Any) -> None:
    """It may have been installed anew, or somebody's link stands there: what is remembered is not what lies there. Its
    report misses nothing, and a bot that got another token in mid-run has brought that."""
    scene.apply(scene.plan(HANDLER))
    assert "node=" in scene.answer(HANDLER).text[0]
    scene.grid.now += 60
    plan = scene.plan(HANDLER, service=["dune"], node=["gpvm2"])
    assert places(plan) == ["dune_pro@gpvm2.example.com"]
    scene.grid.pushed.clear()
    assert scene.apply(plan) == {}
    assert scene.grid.pushed == [("dune_pro@gpvm2.example.com", 501)]
    assert scene.report(HANDLER, plan).again is None
    scene.grid.holds.clear()
    scene.grid.generation = 2
    scene.grid.obtain(next(one for one in scene.tools.services.read().services if one.name == "dune_pro"))
    scene.tools.records.put("tokens.obtained", "dune_pro", {"fingerprint": "00000002", "until": 2e9}, run="later")
    assert scene.report(HANDLER, plan).again is None


def test_several_nodes_may_stand_behind_one_option(scene: Any) -> None:
    """`--node one two`: the second is no experiment; a node alone means all that it has."""
    given = scene.plan(HANDLER, service=["n1"], node=["gpvm2"])
    assert [where for where in places(given) if "@s" not in where] == [
        "dune_pro@gpvm2.example.com",
        "nova_pro@n1.example.com",
    ]
    pushed = places(scene.plan(HANDLER, service=["GPVM1.example.com"]))
    assert [where for where in pushed if "@s" not in where] == [
        "dune_pro@gpvm1.example.com",
        "dune_ana@gpvm1.example.com",
    ]
    with pytest.raises(Refused, match="no service n2"):
        scene.plan(HANDLER, service=["n2"], node=["gpvm2"])


def test_a_service_that_is_only_had_is_stored_nowhere(scene: Any) -> None:
    """By `getToken` in the file; its nodes get their token, and nobody asks where it might be stored."""
    document = deepcopy(scene.document)
    document["experiments"]["nova"]["roles"]["pro"]["tokenGetterOverride"] = "getToken"
    scene.file(document)
    assert places(scene.plan(HANDLER, service=["nova"])) == ["nova_pro@n1.example.com"]
    scene.grid.broken["collector"] = AWAY
    assert scene.plan(HANDLER, service=["nova"]).warnings == ()


def test_a_further_entry_of_an_experiment_is_one_of_its_services(scene: Any) -> None:
    """Asked for by the experiment, the entry or its own name; its people hear of it, and of no other."""
    document = deepcopy(scene.document)
    role = {"account": "dunepro", "destinationNodes": ["far.example.com"], "desiredUIDOverride": 900}
    entry = {"experimentOverride": "dune", "emails": ["far@example.com"], "roles": {"pro": role}}
    document["experiments"]["dune-far"] = entry
    scene.file(document)
    for words in (["dune"], ["dune-far"], ["dune-far_pro"]):
        assert "dune-far_pro@far.example.com" in places(scene.plan(HANDLER, service=words))
    assert len(places(scene.plan(HANDLER, service=["dune-far"]))) == 3
    scene.grid.broken["dune-far_pro@far.example.com"] = AWAY
    for _ in range(2):
        scene.apply(scene.plan(HANDLER))
    assert sorted(to for to, _, _ in scene.grid.mails) == [("admins@example.com",), ("far@example.com",)]


def test_a_node_alone_asks_no_collector(scene: Any) -> None:
    """Which may be away: nothing is to be stored, so nothing is to be warned of."""
    scene.grid.broken["collector"] = AWAY
    plan = scene.plan(HANDLER, service=["DUNE_pro@GPVM1.example.com"])
    assert places(plan) == ["dune_pro@gpvm1.example.com"]
    assert plan.warnings == ()


@pytest.mark.parametrize("word", ["dune_pro@elsewhere.example.com", "dune_pro@n1.example.com"])
def test_a_place_that_is_none_of_the_service_is_refused(scene: Any, word: str) -> None:
    """Also when it is another service's node."""
    with pytest.raises(Refused, match=r"dune_pro has no node or schedd .*example\.com"):
        scene.plan(HANDLER, service=[word])
    plan = scene.plan(HANDLER, service=[word, "nova_pro@n1.example.com"])
    assert places(plan) == ["nova_pro@n1.example.com"]
    assert any("dune_pro has no node or schedd" in line for line in plan.warnings)


def test_a_node_or_service_that_is_gone_keeps_no_other_from_being_tried_again(scene: Any) -> None:
    """Between the failure and the button the file, or the collector's list, has lost one of them."""
    scene.grid.broken |= dict.fromkeys(["dune_pro@gpvm1.example.com", "nova_pro@n1.example.com"], AWAY)
    plan = scene.plan(HANDLER)
    scene.apply(plan)
    document = deepcopy(scene.document)
    document["experiments"]["dune"]["roles"]["pro"]["destinationNodes"] = ["gpvm2.example.com"]
    scene.file(document)
    assert places(scene.plan(HANDLER, **scene.report(HANDLER, plan).again)) == ["nova_pro@n1.example.com"]
    scene.file({**document, "experiments": {"nova": document["experiments"]["nova"]}})
    assert scene.report(HANDLER, plan).again["service"] == ["nova_pro@n1.example.com"]


@pytest.mark.parametrize(
    "word", ["@n1", "dune@", "dune_pro@-n1", "dune pro", "<!channel>", "\u202edune", "dune\n", "*dune*", "a" * 400]
)
def test_what_is_no_place_is_refused_before_anything_is_looked_at(word: str) -> None:
    """Markup, marks of direction, options of programs."""
    with pytest.raises(ValidationError):
        PushTokens(service=(word,))


def test_ten_thousand_places_are_too_many() -> None:
    """To be named in one command; all of them are asked for by leaving them out."""
    with pytest.raises(ValidationError):
        PushTokens(service=tuple(f"dune_pro@n{n}" for n in range(10_000)))
    with pytest.raises(ValidationError):
        PushTokens(node=tuple(f"n{n}" for n in range(10_000)))


@given(st.sets(st.sampled_from(sorted(ALL))), st.sets(st.sampled_from(["dune", "nova_pro"])))
def test_words_add_up(some: set[tuple[str, str]], whole: set[str]) -> None:
    """Any places and any services: exactly their union is meant, whatever is named twice; nothing means everything."""
    words = (*(f"{name.upper()}@{node}" for name, node in some), *whole)
    found = {(one.service.name, node) for one in meant(FOUND, words, ()) for node in one.nodes}
    expected = {(name, node) for name, node in ALL if name in whole or name.partition("_")[0] in whole} | some
    assert found == (expected or ALL)
