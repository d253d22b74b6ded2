"""A bot that is killed again and again while it puts tokens onto nodes: what lies there is whole, and the run ends as
without."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from tests.system.managed import Site, applied, site
from tests.system.managed_kills import At, age, asked, complete, drafts, final, lay, mend

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

D1, D2, D3, N1 = "d1.example.com", "d2.example.com", "d3.example.com", "n1.example.com"
POINTS = {
    "while it writes": (At(D1, "stat"), At(D1, "open", 2, "done"), At(D2, "write", 1, "half"), At(N1, "write", 2, "done")),
    "while it renames": (
        At(D2, "close", 2), At(D2, "posix_rename"), At(D3, "posix_rename", 1, "done"), At(N1, "posix_rename", 2, "done"),
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def grid(kdc: Any, server_binary: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site(kdc, server_binary, tmp_path_factory.mktemp("grid"), played=True, fresh=0.001) as made:
        yield made


@pytest.fixture
def scene(started: Callable[..., Any], watched: Callable[[Any], Any], canary: Any, grid: Site) -> Iterator[Any]:
    """UIDs are known, and every place has a token."""
    made = watched(started(1, name="kills", adjust=grid.adjust, environment=grid.environment()))
    if not final(grid):
        applied(made, made.ask(command="/refresh-uids"))
        applied(made, made.ask(command="/push-tokens"))
    yield made
    mend(grid)
    grid.hide(canary)


@pytest.mark.parametrize("points", POINTS.values(), ids=POINTS)
def test_killed_at_a_node(scene: Any, system: Any, grid: Site, points: Sequence[At]) -> None:
    """Under a token's name there is always a whole token, old or new; drafts that earlier kills left are gone when they
    are old, and what is left now was never more than a draft."""
    old, tokens = age(grid), {*final(grid)}
    run = asked(scene)
    seen: list[str] = []
    everywhere = lay(scene, grid, points)
    scene.approve(run)
    system.until(lambda: seen.extend(final(grid)) or everywhere.is_set(), 120, lambda: scene.about(run))
    for node in grid.nodes.played.values():
        node.cut_after = None
    system.until(lambda: seen.extend(final(grid)) or scene.state(run) == "done", 120, lambda: scene.about(run))
    complete(scene, grid, run)
    assert not [token for token in {*seen} if not (token in tokens or grid.good(token))]
    assert not {*old} & {*drafts(grid)}


def test_the_next_push_clears_away(scene: Any, grid: Site) -> None:
    """Every draft of bots that were killed is gone, on each node, once it is too old to be anybody's."""
    age(grid)
    run = asked(scene)
    scene.approve(run)
    complete(scene, grid, run)
    assert drafts(grid) == []
