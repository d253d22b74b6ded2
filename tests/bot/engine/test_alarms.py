"""Alarms: each change told once in one message, whatever comes in between; nothing while nothing changes."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from bot.core.errors import Refused
from bot.core.inventory import Credential
from bot.engine import alarms, inventory, messages, retention, schedules, tables
from bot.settings import Schedule, Standing


class Keeper:
    """A bench whose /world looks after what the test puts here."""

    def __init__(self, bench: Any) -> None:
        self.bench, self.holds = bench, ()
        bench.with_handler(inventory=lambda settings, tools: self._held())
        self.start()

    holds: Any

    def start(self) -> None:
        names = [name for name, one in self.bench.shop.handlers.items() if one.inventory]
        self.bench.shop.write(lambda conn: inventory.sync(conn, names, self.bench.now))

    def set(self, **parts: Any) -> None:
        """Other settings of the inventory."""
        wanted = self.bench.shop.settings.inventory.model_copy(update=parts)
        changed = self.bench.shop.settings.model_copy(update={"inventory": wanted})
        object.__setattr__(self.bench.shop, "settings", changed)

    def _held(self) -> Any:
        if isinstance(self.holds, Exception):
            raise self.holds
        return self.holds

    def look(self, *holds: Credential | Exception, again: bool = False) -> list[dict[str, Any]]:
        """All messages that were told up to now, after what is held was looked at. `again`: the work is done twice."""
        self.holds = holds[0] if holds and isinstance(holds[0], Exception) else holds
        self.bench.now += 1000
        self.bench.shop.write(lambda conn: inventory.wish(conn, "world", self.bench.now))
        inventory.tick(self.bench.shop)
        for _ in range(1 + again):
            inventory.look(self.bench.shop, "world", lambda _, call: call())
        return self.told

    @property
    def rows(self) -> list[Any]:
        own = messages.message.c.run.startswith("alarm-")
        return list(
            self.bench.shop.read(
                lambda conn: conn.execute(sa.select(messages.message).where(own).order_by(messages.message.c.id)).all()
            )
        )

    @property
    def told(self) -> list[dict[str, Any]]:
        return [row.note for row in self.rows]


@pytest.fixture
def keeper(bench: Any) -> Keeper:
    return Keeper(bench)


def rings(name: str, word: str = "48h", told: str = "") -> Credential:
    return Credential(name=name, state="due", alarm=word, told=told or f"{name} ends in {word}.")


def well(name: str) -> Credential:
    return Credential(name=name, state="fresh")


def test_what_is_new_is_told_with_its_sentence(keeper: Keeper) -> None:
    """In the channel of the settings; the audit knows."""
    (told,) = keeper.look(rings("dev/a"), well("dev/b"))
    assert told["text"] == "Credentials of /world: 1 needs somebody."
    assert told["lines"] == ["🔔 dev/a ends in 48h."]
    assert told["mention"] == []
    assert [row.channel for row in keeper.rows] == ["C1"]
    assert keeper.bench.audited().count("alarms_told") == 1


def test_it_is_told_once(keeper: Keeper) -> None:
    """Not at the next look, not after a restart, not when the work is done twice, not for other words about it."""
    keeper.look(rings("a"), again=True)
    keeper.look(rings("a", told="Still."))
    keeper.start()
    assert len(keeper.look(rings("a"))) == 1


def test_another_alarm_is_news_and_so_is_its_end(keeper: Keeper) -> None:
    """48h, 24h, over; and then it may begin again."""
    keeper.look(rings("a"))
    keeper.look(rings("a", "24h"))
    told = keeper.look(well("a"))
    assert [one["lines"][0] for one in told] == ["🔔 a ends in 48h.", "🔔 a ends in 24h.", "✅ a: over"]
    assert told[2]["text"] == "Credentials of /world: 1 is well again."
    assert len(keeper.look(well("a"))) == 3
    assert len(keeper.look(rings("a"))) == 4


def test_a_credential_that_is_gone_is_over(keeper: Keeper) -> None:
    """Nobody waits for it any more."""
    keeper.look(rings("a"), rings("b"))
    assert keeper.look(rings("b"))[-1]["lines"] == ["✅ a: over"]


def test_a_look_that_fails_changes_nothing(keeper: Keeper) -> None:
    """What is not known is neither new nor over."""
    keeper.look(rings("a"))
    keeper.look(Refused("No."))
    assert len(keeper.look(rings("a"))) == 1


@pytest.mark.parametrize("state", ["unknown", "degraded"])
def test_what_cannot_be_read_is_neither_new_nor_over(keeper: Keeper, state: Any) -> None:
    """A cluster, or what is asked about it, that is away for an hour makes nothing well; when it is back, people know
    already."""
    keeper.look(rings("a"), rings("b"))
    away = Credential(name="a", state=state, told="It does not answer.")
    assert keeper.look(away, well("b"))[-1]["lines"] == ["✅ b: over"]
    assert len(keeper.look(rings("a"))) == 2
    assert keeper.look(well("a"))[-1]["lines"] == ["✅ a: over"]


def test_what_a_schedule_has_just_begun_to_renew_calls_nobody_yet(keeper: Keeper) -> None:
    """Started after a night off the bot renews by itself; only what is still so afterwards needs somebody."""
    bench = keeper.bench
    bench.mood("do", "a", "refused")
    document = {"folder": str(bench.folder)}
    plans = {"ecr": Schedule(command="world", ask=document, every_minutes=300, catch_up=True, channel="C7")}
    standing = {"s": Standing(owner="U5", command="world", ask=document, until="2030-01-01")}
    changed = bench.shop.settings.model_copy(update={"schedules": plans, "standing": standing})
    object.__setattr__(bench.shop, "settings", changed)
    bench.shop.write(lambda conn: schedules.sync(conn, plans, bench.now))
    gone = Credential(name="dev/a", state="expired", expires_at=bench.now, alarm="expired", told="Gone.")
    assert keeper.look(gone) == []
    (run,) = bench.desk.runs()
    bench.apply(bench.plan(run.id).id)
    assert [one["lines"] for one in keeper.look(gone)] == [["🔔 dev/a: Gone."]]


def test_one_look_makes_one_message_of_ten_lines(keeper: Keeper) -> None:
    """The rest is counted, with where to see it."""
    keeper.look(*(rings(f"old-{n}") for n in range(3)))
    (_, told) = keeper.look(*(rings(f"new-{n:02}") for n in range(20)))
    assert told["text"] == "Credentials of /world: 20 need somebody, 3 are well again."
    assert told["lines"][0] == "🔔 new-00 ends in 48h."
    assert told["lines"][10:] == ["… and 13 more: /hivekeeper inventory world"]


def test_somebody_is_called_only_if_the_settings_say_so_and_only_for_what_is_new(keeper: Keeper) -> None:
    """An end wakes nobody; the channel of its own comes before the bot's."""
    keeper.set(channel="C7", mention="keepers")
    keeper.look(rings("a"))
    told = keeper.look(well("a"))
    assert [one["mention"] for one in told] == [["S1", "U2"], []]
    assert {row.channel for row in keeper.rows} == {"C7"}


def test_without_a_channel_nothing_is_posted(keeper: Keeper) -> None:
    """And nothing is made up for later."""
    slack = keeper.bench.shop.settings.slack.model_copy(update={"channel": None})
    changed = keeper.bench.shop.settings.model_copy(update={"slack": slack})
    object.__setattr__(keeper.bench.shop, "settings", changed)
    assert keeper.look(rings("a")) == []


def test_a_command_that_is_switched_off_is_forgotten(keeper: Keeper) -> None:
    """Switched on again, it may ring anew."""
    keeper.look(rings("a"))
    keeper.bench.shop.write(lambda conn: inventory.sync(conn, [], keeper.bench.now))
    assert keeper.bench.shop.read(lambda conn: conn.execute(tables.alarm.select()).all()) == []


def test_messages_that_are_shown_are_forgotten_after_a_week(keeper: Keeper) -> None:
    """One that is not sent yet stays."""
    keeper.look(rings("a"))
    keeper.look(well("a"))
    sent = keeper.rows[0].id, messages.shows(1) | {"sent_at": keeper.bench.now, "ts": "1.1"}
    keeper.bench.shop.write(
        lambda conn: conn.execute(messages.message.update().where(messages.message.c.id == sent[0]).values(**sent[1]))
    )
    keeper.bench.now += 8 * 86400
    retention.forget(keeper.bench.shop)
    assert [row.note["lines"] for row in keeper.rows] == [["✅ a: over"]]


WORDS = st.sampled_from(["", "48h", "24h", "failed", "?"])  # "?": it cannot be read
LOOKS = st.lists(st.dictionaries(st.sampled_from("abcd"), WORDS), max_size=10)


def credential(name: str, word: str) -> Credential:
    if word == "?":
        return Credential(name=name, state="unknown")
    return Credential(name=name, state="due", alarm=word)


@given(looks=LOOKS)
def test_any_order_of_looks_tells_each_change_once(looks: list[dict[str, str]]) -> None:
    """Followed from message to message, people know at every look exactly what rings, and with which word."""
    known: dict[str, str] = {}
    for held in looks:
        found = [credential(name, word) for name, word in held.items()]
        change = alarms.news(known, found)
        assert not {one.name for one in change.new} & set(change.over)
        assert all(known.get(one.name) != one.alarm for one in change.new), "told twice"
        assert set(change.over) <= set(known)
        known = {name: word for name, word in known.items() if name not in change.over}
        known |= {one.name: one.alarm for one in change.new}
        rings = {name: word for name, word in held.items() if word not in ("", "?")}
        assert known == rings | {name: word for name, word in known.items() if held.get(name) == "?"}
        assert alarms.news(known, found) == ((), ())


@examples(
    max_examples=examples.default.max_examples * 3 // 20,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    deadline=None,
)
@given(looks=LOOKS)
def test_the_store_tells_the_same(keeper: Keeper, looks: list[dict[str, str]]) -> None:
    """What is stored between looks is what people know."""
    keeper.look()
    known: dict[str, str] = {}
    for held in looks:
        found = tuple(credential(name, word) for name, word in held.items())
        change, before = alarms.news(known, found), len(keeper.told)
        told = keeper.look(*found, again=True)[before:]
        assert [one["lines"] for one in told] == ([list(change.lines())] if change.lines() else [])
        known = {name: word for name, word in known.items() if name not in change.over}
        known |= {one.name: one.alarm for one in change.new}
