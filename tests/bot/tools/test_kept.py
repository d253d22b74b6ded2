"""Values that are made by one and used by many."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from bot.core.errors import Refused, Transient
from bot.tools.kept import Kept


def yes(_: object) -> bool:
    return True


def test_a_good_value_is_kept_and_a_bad_one_made_anew() -> None:
    """For each key its own; forgotten when told to."""
    kept: Kept[list[int]] = Kept()
    one = kept.get("a", yes, lambda: [1])
    assert kept.get("a", yes, lambda: [2]) is one
    assert kept.get("b", yes, lambda: [3]) == [3]
    assert kept.get("a", lambda value: value == [9], lambda: [4]) == [4]
    kept.forget("a")
    assert kept.get("a", yes, lambda: [5]) == [5]


def gathered(kept: Kept[Any], make: Any, count: int = 5) -> list[Any]:
    """What so many threads got, of which one makes and the others wait for it."""
    came: list[Any] = []
    inside, go_on = threading.Event(), threading.Event()

    def slow() -> Any:
        inside.set()
        assert go_on.wait(60)
        return make()

    def run() -> None:
        try:
            came.append(kept.get("a", yes, slow))
        except BaseException as problem:
            came.append(problem)

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    assert inside.wait(60)
    other: Kept[int] = Kept()
    assert other.get("b", yes, lambda: 1) == 1
    assert kept.get("b", yes, lambda: 7) == 7  # another key does not wait
    go_on.set()
    for thread in threads:
        thread.join(60)
    return came


def test_those_who_wait_get_what_was_made() -> None:
    """The same object, made once."""
    made: list[object] = []
    came = gathered(Kept(), lambda: made.append(object()) or made[-1])
    assert len(made) == 1
    assert all(each is made[0] for each in came)


def test_those_who_wait_hear_of_the_failure() -> None:
    """Each gets an error of its own, with all that it tells; the next one makes it anew."""
    kept: Kept[int] = Kept()

    def fails() -> int:
        raise Transient("Away.", "Wait.", after=7)

    came = gathered(kept, fails)
    assert {(type(each), each.what, each.now, each.after) for each in came} == {(Transient, "Away.", "Wait.", 7)}
    assert len({id(each) for each in came}) == len(came)
    assert kept.get("a", yes, lambda: 1) == 1


def test_a_fault_of_ours_leaves_nobody_waiting() -> None:
    """Whatever is raised, all hear of it, and the key is free again."""
    kept: Kept[int] = Kept()

    def fails() -> int:
        raise ZeroDivisionError

    assert {type(each) for each in gathered(kept, fails)} == {ZeroDivisionError}
    with pytest.raises(Refused):
        kept.get("a", yes, refuses)


def refuses() -> int:
    raise Refused("No.", "Never mind.")
