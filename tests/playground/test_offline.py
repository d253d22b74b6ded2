"""The demo's offline token without a bot: what its buttons do, and what the page tells of it."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest

from playground.ocm_scenarios import SessionDeeds
from playground.offline import CONSOLE, PRODUCTION, STRANGER, Offline
from playground.server import run_in_thread
from playground.world import CONFIG, World

GOOD, GONE = ("good at Red Hat SSO", True), ("its offline session is gone", False)


@pytest.fixture(params=[1, 2])
def world(request: Any) -> World:
    return World(request.param, offline=Offline())


def ours(world: World) -> tuple[str, bool]:
    """What the page tells of the token in the config."""
    (entry,) = (one for one in world.facts()["vault"] if one["path"] == CONFIG)
    (field,) = (one for one in entry["fields"] if one["name"] == "config: self.token")
    return field["note"], field["ok"]


def test_what_the_buttons_do(world: World) -> None:
    """Recycled, production has a good one; gone, nobody has; starting over, both places have the same good one."""
    assert world.offline
    posted: list[Any] = []
    deeds = SessionDeeds(world.offline, world.vault, posted.append)
    assert ours(world) == GOOD
    deeds.recycle()
    assert ours(world) == GONE
    assert world.offline.told(world.vault.get(PRODUCTION)["token"]) == GOOD  # type: ignore[index]  # it is there
    deeds.gone()
    assert world.offline.told(world.vault.get(PRODUCTION)["token"]) == GONE  # type: ignore[index]  # as above
    world.start_over()
    assert ours(world) == GOOD
    assert len(posted) == 2
    assert not [token for token in world.offline.issued if token in repr((posted, world.facts()))]


def test_the_console_gives_a_token_to_whom_it_is_asked_for() -> None:
    """A good one of that account; none to nobody."""
    offline = Offline()
    server = run_in_thread(offline.app())
    try:
        with httpx.Client(base_url=server.url, trust_env=False) as http:
            assert "textarea" not in http.get(CONSOLE).text
            assert http.post(CONSOLE, data={"user": "nobody"}).status_code == 400
            page = http.post(CONSOLE, data={"user": STRANGER}).text
    finally:
        server.stop()
    found = re.search(r"<textarea[^>]*>(eyJ[^<]+)<", page)
    assert found
    assert offline.told(found[1]) == GOOD
    assert offline.issued == [found[1]]
