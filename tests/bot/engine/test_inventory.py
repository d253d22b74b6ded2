"""The inventory: looked at once in total, at its time; what could not be read keeps what was known."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from bot.core.checklist import Offer
from bot.core.errors import Refused, Transient
from bot.core.inventory import Credential, Holding
from bot.core.view import State
from bot.engine import inventory, tables
from bot.engine.ticker import HEAL_AFTER, HEAL_EVERY, Ticker

EVERY = 600.0


class Shelf:
    """A bench whose /world looks after what the test puts here; an error is raised instead."""

    def __init__(self, bench: Any) -> None:
        self.bench, self.holds, self.looks = bench, (), 0
        bench.with_handler(inventory=self.inventory)
        self.start()

    def start(self) -> None:
        """As at the start of a bot."""
        names = [name for name, one in self.bench.shop.handlers.items() if one.inventory]
        self.bench.shop.write(lambda conn: inventory.sync(conn, names, self.bench.now))

    holds: Any

    def inventory(self, settings: Any, tools: Any) -> Any:
        self.looks += 1
        if isinstance(self.holds, BaseException):
            raise self.holds
        return self.holds

    @property
    def row(self) -> Any:
        (row,) = self.bench.shop.read(lambda conn: list(conn.execute(tables.inventory.select())))
        return row

    @property
    def waits(self) -> bool:
        """Is a look enqueued that has not been taken?"""
        return bool(self.row.turn > self.row.looked_turn)

    def tick(self, seconds: float = 0) -> bool:
        self.bench.now += seconds
        Ticker(self.bench.shop).tick()
        return self.waits

    def look(self, *holds: Any) -> tuple[Holding, ...]:
        """What is held is looked at now."""
        if holds:
            self.holds = holds[0] if isinstance(holds[0], BaseException) else holds
        if not self.waits:
            self.bench.shop.write(lambda conn: inventory.wish(conn, "world", self.bench.now))
            assert self.tick(inventory.APART)
        inventory.look(self.bench.shop, "world", lambda _, call: call())
        return self.seen

    @property
    def seen(self) -> tuple[Holding, ...]:
        found: tuple[Holding, ...] = self.bench.desk.inventory()
        return found


@pytest.fixture
def shelf(bench: Any) -> Shelf:
    return Shelf(bench)


def credential(name: str, state: Any = "fresh", **more: Any) -> Credential:
    return Credential(name=name, state=state, **more)


def test_what_a_handler_looks_after_is_seen_as_it_was_looked_at(shelf: Shelf) -> None:
    """Whole: with its sentence, its times and what mends it."""
    offer = Offer(label="Refresh", command="refresh", ask={"env": "dev"})
    one = credential("dev/a", "due", written_at=1.0, expires_at=2.0, told="Renew it.", offer=offer)
    (seen,) = shelf.look(one)
    assert seen == Holding(command="world", credential=one, looked_at=shelf.bench.now)


def test_it_is_looked_at_at_start_and_then_regularly(shelf: Shelf) -> None:
    """By any ticker, once; not before its time; and at the next start at once."""
    assert shelf.tick()
    assert shelf.tick()
    assert shelf.row.turn == 1
    shelf.look(credential("a"))
    assert not shelf.tick(EVERY - 1)
    assert shelf.tick(1)
    shelf.look()
    assert not shelf.tick(60)
    shelf.start()
    assert shelf.tick()
    assert shelf.looks == 2


def test_the_interval_is_a_setting(shelf: Shelf) -> None:
    """In minutes."""
    settings = shelf.bench.shop.settings
    every = settings.inventory.model_copy(update={"every_minutes": 1.0})
    object.__setattr__(shelf.bench.shop, "settings", settings.model_copy(update={"inventory": every}))
    shelf.look(credential("a"))
    assert not shelf.tick(59)
    assert shelf.tick(1)


@pytest.mark.parametrize(("on_failure", "state"), [("undo", State.UNDONE), ("go_on", State.PARTLY)])
def test_after_an_applied_run_it_is_looked_at_soon(shelf: Shelf, on_failure: str, state: State) -> None:
    """However it ended; but not twice within a few seconds."""
    shelf.look(credential("a"))
    shelf.bench.mood("do", "b", "refused")
    assert shelf.bench.carried_out(stages=[["a"], ["b"]], on_failure=on_failure).state == state
    assert not shelf.tick(inventory.APART - 1)
    assert shelf.tick(1)


def test_a_run_that_ends_during_a_look_is_looked_at_once_more(shelf: Shelf) -> None:
    """What the look under way has seen may be older than the run's end."""
    shelf.tick()
    shelf.bench.carried_out()
    shelf.look(credential("a"))
    assert not shelf.waits
    assert not shelf.tick(inventory.APART - 1)
    assert shelf.tick(1)


def test_a_run_that_was_denied_changes_nothing(shelf: Shelf) -> None:
    """Only what was applied."""
    shelf.look(credential("a"))
    shelf.bench.decide(shelf.bench.proposal(), "deny")
    assert not shelf.tick(inventory.APART)


def test_what_vanishes_is_removed(shelf: Shelf) -> None:
    """A name that is not there any more, and all of them."""
    shelf.look(credential("a"), credential("b"))
    assert [one.credential.name for one in shelf.look(credential("b"))] == ["b"]
    shelf.holds = ()
    assert shelf.look() == ()


def test_a_look_that_fails_keeps_what_was_known_and_says_so(shelf: Shelf) -> None:
    """In our words, until a look works again."""
    (before,) = shelf.look(credential("a"))
    (after,) = shelf.look(Refused("The cluster said no.", "Ask its owner."))
    assert after == before.model_copy(update={"trouble": "The cluster said no. Ask its owner."})
    (foreign,) = shelf.look(ValueError("s3cret"))
    assert "ValueError" in foreign.trouble
    assert "s3cret" not in foreign.trouble
    (again,) = shelf.look(credential("a"))
    assert again.trouble == ""
    assert again.looked_at > before.looked_at


def test_one_that_was_never_seen_is_unknown(shelf: Shelf) -> None:
    """Not nothing: people must see that nobody knows."""
    (seen,) = shelf.look(Refused("The settings name no cluster.", "Set clusters."))
    assert (seen.command, seen.credential.name, seen.credential.state) == ("world", "world", "unknown")
    assert "no cluster" in seen.credential.told
    assert seen.looked_at == shelf.bench.now
    assert [one.credential.name for one in shelf.look(credential("a"))] == ["a"]


def test_a_system_that_is_away_for_a_moment_is_asked_again(shelf: Shelf) -> None:
    """A few times, and then it is told."""
    (seen,) = shelf.look(Transient("It is away."))
    assert seen.credential.told.startswith("It is away.")
    assert shelf.looks == inventory.ATTEMPTS


@pytest.mark.parametrize(
    "holds", ["text", 7, (1,), (None,), (Credential.model_construct(name="b", state="fresh", told="\ud800"),)]
)
def test_what_is_no_inventory_is_told_and_keeps_the_rest(shelf: Shelf, holds: Any) -> None:
    """A handler's mistake is its failure, not the engine's."""
    shelf.look(credential("a"))
    shelf.holds = holds
    (seen,) = shelf.look()
    assert seen.credential.name == "a"
    assert "does not know" in seen.trouble


def test_of_two_with_one_name_the_more_urgent_is_kept(shelf: Shelf) -> None:
    """In either order."""
    for both in (("fresh", "expired"), ("expired", "fresh")):
        (seen,) = shelf.look(*(credential("a", state) for state in both))
        assert seen.credential.state == "expired"


def test_names_that_a_database_does_not_take(shelf: Shelf) -> None:
    """Are kept as far as they can be seen."""
    (seen,) = shelf.look(credential("dev\x00/a"))
    assert seen.credential.name == "dev/a"


def test_those_that_need_somebody_come_first(shelf: Shelf) -> None:
    """Then what expires soonest; what does not expire last."""
    seen = shelf.look(
        credential("f2"), credential("f1", expires_at=9.0), credential("due", "due", expires_at=1.0),
        credential("u", "unknown"), credential("d", "degraded"), credential("m", "missing"),
        credential("e2", "expired", expires_at=8.0), credential("e1", "expired", expires_at=7.0),
    )  # fmt: skip
    assert [one.credential.name for one in seen] == ["e1", "e2", "m", "d", "u", "due", "f1", "f2"]


STATES = st.sampled_from(inventory.URGENCY)
ONES = st.builds(
    Credential, name=st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=5),
    state=STATES, expires_at=st.none() | st.floats(0, 1e10),
)  # fmt: skip


@examples(
    max_examples=examples.default.max_examples // 5,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(ones=st.lists(ONES, max_size=8, unique_by=lambda one: one.name), limit=st.integers(1, 8))
def test_a_part_is_the_most_urgent_part(shelf: Shelf, ones: list[Credential], limit: int) -> None:
    """Whatever is held: cut short, the view has the first of the whole; and the whole is what was looked at."""
    shelf.holds = tuple(ones)
    whole = shelf.look()
    assert sorted(one.credential.name for one in whole) == sorted(one.name for one in ones)
    part = shelf.bench.shop.read(lambda conn: inventory.views(conn, limit))
    assert [one.credential for one in part] == [one.credential for one in whole][:limit]
    assert [one.credential for one in whole] == sorted((one.credential for one in whole), key=inventory.urgency)


def test_a_look_counts_once(shelf: Shelf) -> None:
    """Taken up twice after a crash, or ending late, it changes nothing."""
    shelf.look(credential("a"))
    looks = shelf.looks
    inventory.look(shelf.bench.shop, "world", lambda _, call: call())
    assert shelf.looks == looks
    late = (credential("late"),)
    shelf.bench.shop.write(lambda conn: inventory._store(conn, shelf.bench.shop, "world", 1, late))
    assert [one.credential.name for one in shelf.seen] == ["a"]


def test_a_look_that_was_lost_comes_again(shelf: Shelf) -> None:
    """When its work ended in an error of the engine's own, or was never stored."""
    shelf.tick()
    client = shelf.bench.shop.queues._client
    client.delete_workflows(["inventory-world"])
    shelf.tick(HEAL_AFTER + HEAL_EVERY)
    assert shelf.row.turn == 1
    assert shelf.tick(1)
    assert shelf.row.turn == 2
    assert [one.credential.name for one in shelf.look(credential("a"))] == ["a"]


def test_a_look_that_waits_long_is_not_lost(shelf: Shelf) -> None:
    """A busy queue is no reason for a second one."""
    shelf.tick()
    shelf.tick(HEAL_AFTER + HEAL_EVERY)
    shelf.tick(1)
    assert shelf.row.turn == 1


def test_a_command_that_is_gone_holds_nothing_and_comes_back(shelf: Shelf) -> None:
    """Its rows go at the next start, also the trouble; when it is back its turns go on, because work has their names."""
    shelf.look(credential("a"))
    shelf.look(Refused("No."))
    with_it = shelf.bench.shop.handlers
    object.__setattr__(shelf.bench.shop, "handlers", {})
    shelf.start()
    assert shelf.seen == ()
    assert not shelf.tick(EVERY * 2)
    turn = shelf.row.turn
    object.__setattr__(shelf.bench.shop, "handlers", with_it)
    shelf.start()
    assert shelf.tick()
    assert shelf.row.turn == turn + 1


def test_a_handler_without_an_inventory_is_not_looked_at(bench: Any) -> None:
    """No row, no work."""
    shelf = Shelf(bench)
    bench.with_handler(inventory=None)
    shelf.start()
    assert not shelf.tick()


def test_how_old_the_oldest_look_is(shelf: Shelf) -> None:
    """Nothing to see: 0. Looks that fail do not count as seen."""

    def age() -> float:
        return float(shelf.bench.shop.read(lambda conn: inventory.age(conn, shelf.bench.now)))

    assert age() == 0
    shelf.look(credential("a"))
    assert age() == 0
    shelf.look(Refused("No."))
    assert age() == inventory.APART
