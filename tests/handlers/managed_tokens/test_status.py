"""/tokens: how everything is, readable for one service as for forty on five hundred nodes."""

from __future__ import annotations

from typing import Any

import pytest

from bot.core.errors import Refused, Transient
from bot.core.grid import Account
from handlers.push_tokens import HANDLER as PUSH
from handlers.refresh_uids import HANDLER as REFRESH
from handlers.tokens_status import HANDLER as STATUS
from handlers.tokens_status import ROWS


def rows(scene: Any, **ask: Any) -> dict[str, tuple[str, ...]]:
    return {row[0]: row[1:] for row in scene.answer(STATUS, **ask).table.rows}


def test_each_place_says_when_and_how_long(scene: Any) -> None:
    """The age of the last push, what is left of the token, and who must act, service and node apart."""
    scene.grid.broken["dune_pro@gpvm1.example.com"] = Transient("gpvm1.example.com does not answer.", "Is it up?")
    scene.apply(scene.plan(PUSH))
    scene.grid.now += 2 * 3600
    found = rows(scene, experiment=["dune_pro"])
    assert found["dune_pro@gpvm2.example.com"] == ("fresh", "2 hours ago", "7 days", "nobody")
    state, last, left, who = found["dune_pro@gpvm1.example.com"]
    assert (state, last, left, who) == ("missing", "never", "-", "gpvm1.example.com does not answer. Is it up?")


def test_the_buttons_are_those_that_help(scene: Any) -> None:
    """FERRY is asked where the UID is not sure; what a push mends is pushed, in one button, and nothing else is."""
    scene.apply(scene.plan(PUSH))
    scene.uid("dunepro", 501, banned=True)
    scene.grid.broken["nova_pro@n1.example.com"] = Transient("n1.example.com does not answer.")
    scene.grid.now += 3600
    scene.apply(scene.plan(PUSH))
    offers = scene.answer(STATUS).offers
    assert [(one.command, one.ask) for one in offers] == [
        ("refresh-uids", {"account": ["dunepro"]}),
        ("push-tokens", {"service": ["nova_pro"]}),
    ]


def test_on_the_first_day_ferry_comes_first(scene: Any) -> None:
    """One button asks it of all accounts; no node says that a push would help."""
    for account in ("dunepro", "novapro"):
        scene.tools.records.drop("tokens.uid", account)
    answer = scene.answer(STATUS)
    assert [(one.command, one.ask) for one in answer.offers] == [
        ("refresh-uids", {"account": ["dunepro", "novapro"]}),
        ("push-tokens", {"service": ["dune_ana"]}),
    ]
    told = {row[0]: row[4] for row in answer.table.rows}
    assert told["dune_pro@gpvm1.example.com"] == "It waits for dune_pro itself, whose trouble is told apart."
    assert "/push-tokens" in told["dune_ana@gpvm1.example.com"]


def test_one_node_of_all(scene: Any) -> None:
    """Whatever services it has; one that nobody has is refused."""
    assert set(rows(scene, node=["GPVM1.example.com"])) == {
        "dune_pro@gpvm1.example.com",
        "dune_ana@gpvm1.example.com",
    }
    with pytest.raises(Refused, match=r"has the node x\.example\.com"):
        rows(scene, node=["x.example.com"])


def test_an_account_tells_what_it_was(scene: Any) -> None:
    """Each UID since when, newest first; what FERRY only repeats is told once."""
    scene.grid.accounts |= {name: Account(name=name, uid=uid, active=True) for name, uid in (("dunepro", 501), ("novapro", 502))}  # fmt: skip
    for uid in (501, 501, 999):
        scene.grid.now += 86400
        scene.grid.accounts["dunepro"] = Account(name="dunepro", uid=uid, active=True)
        scene.apply(scene.plan(REFRESH))
    scene.apply(scene.plan(REFRESH, account=["dunepro"], accept=True))
    told = [
        note.text for note in scene.answer(STATUS, experiment=["dune_pro"]).notes if note.label == "Account dunepro"
    ]
    expected = (
        "UID 999 since 2030-03-20; before: UID 501, FERRY says 999 since 2030-03-20; before: UID 501 since 2030-03-17"
    )
    assert told == [expected]
    assert expected in [note.text for note in scene.plan(REFRESH, account=["dunepro"]).notes]


def test_forty_services_on_five_hundred_nodes_are_a_page(scene: Any) -> None:
    """What is alike stands together: forty dead nodes are one row of each service, the fresh ones another; every place
    is counted in some row, and each row has how many it stands for."""
    dead = {f"n{n}.example.com" for n in range(40)}
    nodes = [f"n{n}.example.com" for n in range(500)]
    roles = {f"r{n}": {"account": "dunepro", "destinationNodes": nodes, "desiredUIDOverride": 501} for n in range(3)}
    scene.file(scene.document | {"experiments": {"dune": {"roles": roles}}})
    held = {"fingerprint": "00000001", "until": scene.grid.now + 86400 * 6, "uid": 501}
    records = scene.tools.records.all
    filled = [f"dune_r{n}@{node}" for n in range(3) for node in nodes if node not in dead]

    def played(kind: str) -> Any:
        if kind != "tokens.pushed":
            return records(kind)
        return tuple(_record(where, held, scene.grid.now) for where in filled)

    scene.reader = type("Played", (), {"all": staticmethod(played), "get": scene.tools.records.get,
                                       "history": scene.tools.records.history})  # fmt: skip
    found = rows(scene)
    assert len(found) <= ROWS
    assert found["dune_r0 on 460 nodes, such as n40.example.com"] == ("fresh", "0 min ago", "6 days", "nobody")
    assert "dune_r2 on 40 nodes, such as n0.example.com" in found
    assert len(found) == 3 * 3


def _record(where: str, value: dict[str, Any], now: float) -> Any:
    from bot.core.records import Record

    return Record(kind="tokens.pushed", key=where, value=value, since=now, seen_at=now)
