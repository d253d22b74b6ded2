"""Managed tokens from the first UID to the last node: with a KDC, OpenSSH servers, FERRY behind certificates, mail and
figures that really go out; with trouble on two nodes, and with nobody signed in."""

from __future__ import annotations

import re
import stat
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.system.managed import Site, site
from tests.system.managed_parts import fetched

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def grid(kdc: Any, server_binary: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site(kdc, server_binary, tmp_path_factory.mktemp("grid")) as made:
        yield made


@pytest.fixture
def scene(started: Callable[..., Any], watched: Callable[[Any], Any], canary: Any, grid: Site) -> Iterator[Any]:
    """No token, ticket or password may be found anywhere afterwards."""
    made = watched(started(1, name="grid", adjust=grid.adjust, environment=grid.environment()))
    canary.watch("the bot's figures", lambda: figures(made))
    yield made
    grid.hide(canary)


def figures(scene: Any) -> str:
    return fetched(scene.line_to_bot().replace("/slack/events", "/metrics"))


def done(scene: Any, system: Any, command: str, text: str = "", state: str = "done") -> str:
    """Ask, approve and wait; the run."""
    run = str(scene.ask(text=text, command=command))
    system.until(lambda: scene.button(run, "approve"), 60, lambda: scene.about(run))
    scene.approve(run)
    scene.ended(run, state)
    return run


def logins(grid: Site) -> dict[str, int]:
    """How often the bot was let in on each node."""
    return {
        node: len(re.findall("Accepted (?:publickey|gssapi-with-mic)", sshd.log))
        for node, sshd in grid.nodes.sshd.items()
    }


def test_from_the_first_uid_to_every_node(scene: Any, system: Any, grid: Site) -> None:
    """FERRY's UIDs, then tokens to every node and schedd; figures, status and App Home say so."""
    run = done(scene, system, "/refresh-uids")
    assert "2 of 2 accounts" in scene.text(run)
    run = done(scene, system, "/push-tokens")
    for service in grid.services:
        tokens = {token for node in service.nodes for token in grid.tokens(service, node)}
        assert len(tokens) == 1
        assert grid.good(tokens.pop())
        for node in service.nodes:
            states = [(grid.nodes.sshd[node].tmp / name).stat() for name in service.files]
            assert {(stat.S_IMODE(one.st_mode), one.st_uid) for one in states} == {(0o400, service.account.pw_uid)}
            assert len(grid.tokens(service, node)) == 2
