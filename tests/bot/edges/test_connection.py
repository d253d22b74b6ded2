"""Slack goes away and comes back; the bot does not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from bot.edges import connection


@pytest.fixture(autouse=True)
def _looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """How long it waits before it looks again is no part of what these tests claim."""
    monkeypatch.setattr(connection, "LOOK_EVERY", 0.05)


@pytest.mark.parametrize("mode", ["socket", "http"])
def test_the_bot_starts_without_slack(fresh: Callable[..., Any], until: Callable[..., Any], mode: str) -> None:
    """With Slack unreachable the bot is alive, not ready, says why, and becomes ready by itself."""
    world = fresh(mode, slack_up=False)
    until(lambda: alive(world))
    until(lambda: "Slack" in str(readiness(world)["why"]))
    world.open_slack()
    until(world.ready)


def test_a_lost_socket_is_opened_again(fresh: Callable[..., Any], until: Callable[..., Any]) -> None:
    """After Slack was down and up again, commands are taken without a restart."""
    world = fresh("socket")
    world.close_slack()
    until(lambda: not world.ready())
    world.open_slack()
    until(world.ready)
    assert world.command("/rotate-demo alpha") == {"ok": True}
    assert len(world.desk.requests) == 1


def test_a_refresh_loses_nothing(fresh: Callable[..., Any], until: Callable[..., Any]) -> None:
    """When Slack asks to connect anew, commands before, during and after are each taken once."""
    world = fresh("socket")
    for number in range(6):
        if number == 2:
            world.person("refresh")
        assert world.command("/rotate-demo alpha") == {"ok": True}, number
    until(lambda: len(world.desk.requests) == 6)


def test_a_store_that_is_down_makes_it_not_ready(start: Callable[..., Any]) -> None:
    """/readyz is 503 with the store's sentence; /healthz stays 200."""
    world = start("http")
    world.desk.down = True
    assert readiness(world) == {"ready": False, "why": ["The store did not answer. It is tried again by itself."]}
    assert alive(world)


def alive(world: Any) -> bool:
    try:
        return bool(world.http.get(world.bot_url("/healthz")).status_code == 200)
    except Exception:
        return False


def readiness(world: Any) -> dict[str, Any]:
    return dict(world.http.get(world.bot_url("/readyz")).json())
