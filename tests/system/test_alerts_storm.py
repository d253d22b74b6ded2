"""Thousands of alerts in a burst through the real bot's webhook, twice and out of order, also while it is killed."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from playground.people import ONCALL_CHANNEL

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
REGIONS = ("us-south", "eu-de", "jp-tok", "au-syd")
ALERTS, SIZE, AT_ONCE = 5000, 20, 8
LEFT_OUT = 7


@pytest.fixture(scope="module")
def world(system: Any, monitoring: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    outside = monitoring.Outside(tmp_path_factory.mktemp("outside"), REGIONS)
    scene = system.Scene(1, adjust=outside.adjust)
    scene.outside = outside
    for region in REGIONS:
        outside.go(region, monitoring.JWT_FAILED, monitoring.TOKEN_FAILED)
    yield scene
    scene.close()
    outside.close()


@pytest.fixture
def scene(world: Any, watched: Callable[[Any], Any], canary: Any) -> Any:
    scene = watched(world)
    scene.outside.hide(canary)
    return scene


def notices(monitoring: Any, regions: tuple[str, ...], count: int, chance: random.Random) -> list[Any]:
    """Every alert fires, every second one is resolved later; each notice is of one region, is there twice, and they
    come in any order. One says that alerts were left out."""
    began, found, each = time.time() - 300, [], count // len(regions)
    for region in regions:
        for at in range(0, each, SIZE):
            numbers = range(at, min(at + SIZE, each))
            firing = [monitoring.alert(region, number=n, began=began + n % 60) for n in numbers]
            over = [monitoring.alert(region, number=n, began=began + n % 60, ended=began + 120, status="resolved")
                    for n in numbers[::2]]  # fmt: skip
            found += [monitoring.notification(*some, group=f"{region} {at}") for some in (firing, over)]
    found[0]["truncatedAlerts"] = LEFT_OUT
    twice = found * 2
    chance.shuffle(twice)
    return twice


def right(scene: Any, regions: tuple[str, ...], count: int) -> bool:
    """One incident for each region, and of each alert what is known last."""
    rows = scene.rows("SELECT key, firing, resolved FROM incident ORDER BY key")
    half = count // len(regions) // 2
    return [tuple(r) for r in rows if r.key in regions] == [(region, half, half) for region in sorted(regions)]


def limited(scene: Any, since: int) -> list[Any]:
    """The calls that Slack refused as too many."""
    return [e for e in scene.space.traffic.after(since) if e["direction"] == "to_slack"
            and (str(e["status"]) == "429" or "ratelimited" in json.dumps(e["response"]))]  # fmt: skip


def one_thread_each(scene: Any, monitoring: Any, regions: tuple[str, ...], until: Callable[..., Any]) -> None:
    """Each incident is one message that says the right numbers, with one picture below."""
    for region in regions:
        (incident,) = monitoring.incidents(scene, region)
        story = monitoring.Story(scene, incident, until)
        row = story.row()
        story.shows("Both logins to Red Hat fail", f"{row.firing} firing, {row.resolved} resolved", seconds=90)
        until(story.pictures, 60, scene.log)
        assert len(scene.heads(incident)) == 1
    until(scene.quiet, 90, scene.log)


def newest(scene: Any) -> int:
    return max((entry["n"] for entry in scene.space.traffic.after(0)), default=0)


def test_a_burst(scene: Any, monitoring: Any, until: Callable[..., Any]) -> None:
    """5,000 alerts in hundreds of calls, eight at once: all are taken, none is lost or doubled, and Slack is not asked
    too often."""
    regions, since = REGIONS[:2], newest(scene)
    sent = notices(monitoring, regions, ALERTS, random.Random(2))
    answers = scene.outside.flood(sent, AT_ONCE)
    known = {monitoring.incidents(scene, region)[0] for region in regions}
    assert {incident for answer in answers for incident in answer} == known
    assert scene.rows("SELECT count(*) FROM notice")[0][0] == len(sent) // 2
    assert right(scene, regions, ALERTS), scene.rows("SELECT key, firing, resolved FROM incident")
    one_thread_each(scene, monitoring, regions, until)
    told = "".join(scene.text(incident) for incident in known)
    assert f"{LEFT_OUT} more not sent by the alerting system" in told
    assert limited(scene, since) == []
    ours = [m for m in scene.space.messages[ONCALL_CHANNEL] if m.get("user") == "U0HIVEKEEP"]
    assert len(ours) <= 6 * len(regions), "a storm is one message with counts"
    scene.sound()


def test_killed_in_a_storm(scene: Any, monitoring: Any, until: Callable[..., Any]) -> None:
    """kill -9 twice in the middle: senders try again, and the story goes on in the same threads with the last state
    right."""
    regions, count = REGIONS[2:], 1200
    sent = notices(monitoring, regions, count, random.Random(3))
    starts, done = scene.demo.bot.starts, threading.Event()

    def reap() -> None:
        for share in (0.3, 0.6):
            until(lambda share=share: done.is_set() or taken(scene, regions) > share * len(sent) / 2, 120)
            scene.demo.bot.kill()

    killer = threading.Thread(target=reap)
    killer.start()
    scene.outside.flood(sent, AT_ONCE)
    done.set()
    killer.join()
    scene.connected()
    assert scene.demo.bot.starts >= starts + 2
    assert right(scene, regions, count), scene.rows("SELECT key, firing, resolved FROM incident")
    one_thread_each(scene, monitoring, regions, until)
    scene.sound()


def taken(scene: Any, regions: tuple[str, ...]) -> int:
    """How many notices of these regions are stored."""
    found = scene.rows("SELECT key, notices FROM incident")
    return sum(row.notices for row in found if row.key in regions)
