"""Worlds with a running edge, and how to wait for what happens in them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Literal

import pytest

from bot.edges import buttons, handing_in
from tests import waiting
from tests.bot.edges.edge_world import World, opened
from tests.bot.edges.paper_desk import PaperDesk


@pytest.fixture(autouse=True)
def _time_to_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine a run may not be looked up within the second that a form waits for it."""
    for module in (buttons, handing_in):
        monkeypatch.setattr(module, "LOOK_IN_TIME", 20)


@pytest.fixture(scope="session")
def worlds() -> Iterator[dict[str, World]]:
    """Running worlds by mode, kept for the next test: starting one takes longer than most tests."""
    kept: dict[str, World] = {}
    yield kept
    for world in kept.values():
        world.close()


@pytest.fixture
def start(worlds: dict[str, World], canary: Any) -> Callable[[Any], World]:
    """`start(mode)` gives a running world in which nothing has happened yet."""

    def of(mode: Literal["socket", "http"]) -> World:
        if mode not in worlds:
            worlds[mode] = opened(mode)
        worlds[mode].forget()
        worlds[mode].guard(canary)
        return worlds[mode]

    return of


@pytest.fixture
def fresh(canary: Any) -> Iterator[Callable[..., World]]:
    """`fresh(mode, slack_up=, limit=)` gives a world of the test's own, which ends with it."""
    made: list[World] = []

    def of(mode: Literal["socket", "http"] = "socket", **how: Any) -> World:
        made.append(opened(mode, **how))
        made[-1].guard(canary)
        return made[-1]

    yield of
    for world in made:
        world.close()


@pytest.fixture
def until() -> Callable[..., Any]:
    return waiting.until


@pytest.fixture
def paper_desk() -> PaperDesk:
    return PaperDesk()
