"""Many people at the same instant."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest

pytestmark = pytest.mark.slow

Start = Callable[..., Any]
ACK = 15_000.0  # milliseconds: Slack waits three seconds, but a busy machine is no slow bot; see benchmarks/ack.py


@pytest.fixture(scope="module", params=["socket", "http"])
def mode(request: pytest.FixtureRequest) -> Any:
    """Of a module, so that all tests in one mode come together."""
    return request.param


@pytest.fixture
def scene(mode: Any, started: Start, watched: Callable[[Any], Any]) -> Any:
    return watched(started(2, mode=mode))


def together(*calls: Callable[[], Any]) -> list[Any]:
    barrier = Barrier(len(calls))

    def at_once(call: Callable[[], Any]) -> Any:
        barrier.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(at_once, calls))


def slowest(scene: Any, after: int) -> float:
    """How long the slowest acknowledgement to Slack took, in milliseconds."""
    entries = [e for e in scene.space.traffic.after(after) if e["direction"] == "to_bot"]
    assert entries
    assert {e["status"] for e in entries} == {"ok"}
    return max(float(e["ms"]) for e in entries)


def last(scene: Any) -> int:
    return max((int(entry["n"]) for entry in scene.space.traffic.after(0)), default=0)


def test_two_approvers_at_the_same_instant(scene: Any, system: Any) -> None:
    """Both press Approve together: one of them counts, the other is told so, it is applied once."""
    run, since, before, versions = scene.proposed(), scene.asked, last(scene), scene.versions()
    button = scene.button(run, "approve")
    together(*(lambda u=user: scene.press(u, button) for user in (system.APPROVER, system.SECOND, system.OWNER)))
    scene.once(run, since)
    assert scene.versions() == [number + 1 for number in versions]
    assert scene.audited(run).count("approved") == 1
    assert scene.audited(run).count("refused_decision") == 2
    assert len(scene.rows("SELECT 1 FROM decision WHERE run = :run AND accepted", run=run)) == 1
    assert slowest(scene, before) < ACK


def test_twenty_requests_at_once(scene: Any, system: Any) -> None:
    """Everybody asks at the same time: each request gets one run and one message, and Slack its answer."""
    people = (system.ASKER, system.APPROVER, system.SECOND, system.NEWCOMER, system.OWNER)
    known, before = {row[0] for row in scene.rows("SELECT id FROM run")}, last(scene)
    commands = [("/secret-consumers", "sd-uhc/sandbox")] * 10 + [("/rotate-hive-tokens", "")] * 10

    def ask(number: int) -> Any:
        command, text = commands[number]
        return scene.post(
            people[number % 5], "command", channel=("C0ONCALL", "C0OCMCI")[number % 2], command=command, text=text
        )

    assert together(*(lambda n=number: ask(n) for number in range(20))) == [{"ok": True}] * 20

    def asked() -> set[str]:
        return {row[0] for row in scene.rows("SELECT id FROM run")} - known

    system.until(lambda: len(asked()) == 20, 60, scene.log)  # on a busy machine some are stored after Slack is answered
    runs = asked()
    system.until(
        lambda: scene.quiet() and all(scene.state(run) in ("proposed", "answered") for run in runs), 60, scene.log
    )
    assert [len(scene.heads(run)) for run in runs] == [1] * 20
    assert slowest(scene, before) < ACK
    for run in (run for run in runs if scene.state(run) == "proposed"):
        scene.type(system.OWNER, "/hivekeeper", f"cancel {run}")
    scene.sound()
