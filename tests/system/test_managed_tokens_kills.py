"""A bot that is killed again and again while it brings tokens: what lies on nodes is whole, nothing is left about, and
the run ends as without."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import pytest

from bot.tools import private_folder
from tests.system.managed import SCHEDDS, Site, site
from tests.system.managed_parts import HERE

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

D1, D2, D3 = "d1.example.com", "d2.example.com", "d3.example.com"
N1 = "n1.example.com"


class At(NamedTuple):
    """Killed as the node does this for the nth time: before it did it, when it did, or half through."""

    node: str
    operation: str
    nth: int = 1
    how: Literal["before", "done", "half"] = "before"


NODES = [
    (At(D1, "stat"), At(D1, "open", 2, "done"), At(D1, "write", 1, "half"), At(D1, "write", 2, "done")),
    (At(D2, "close", 2), At(D2, "posix_rename"), At(D3, "posix_rename", 1, "done"), At(N1, "posix_rename", 2, "done")),
]


@pytest.fixture(scope="module")
def grid(kdc: Any, server_binary: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site(kdc, server_binary, tmp_path_factory.mktemp("grid"), played=True) as made:
        yield made


@pytest.fixture
def scene(started: Callable[..., Any], watched: Callable[[Any], Any], canary: Any, system: Any, grid: Site) -> Any:
    """UIDs are known, every place has a token, and the bot has been killed since: it will get others. Drafts of those
    who were killed earlier are old by now."""
    made = watched(started(1, name="kills", adjust=grid.adjust, environment=grid.environment()))
    if not grid.tokens(grid.nova, N1):
        applied(made, system, made.ask(command="/refresh-uids"))
        applied(made, system, made.ask(command="/push-tokens"))
    kill(made)
    for node in grid.nodes.played.values():
        for name, file in node.in_directory(HERE).items():
            file.written_at -= 3600 * name.startswith(".")
    yield made
    for node in grid.nodes.played.values():
        node.log, node.cut_after = [], None
    grid.seen = None
    grid.pool.trouble.clear()
    grid.pool.save()
    grid.hide(canary)


def applied(scene: Any, system: Any, run: str) -> str:
    proposed(scene, system, run)
    scene.approve(run)
    return str(scene.ended(run, "done", 90))


def proposed(scene: Any, system: Any, run: str) -> str:
    system.until(lambda: scene.button(run, "approve"), 60, lambda: scene.about(run))
    return run


def kill(scene: Any) -> None:
    scene.kill()
    scene.connected()


class Log(list[str]):
    """What a node does, with a hook."""

    def __init__(self, noted: Callable[[str], None]) -> None:
        self._noted = noted

    def append(self, operation: str) -> None:
        super().append(operation)
        self._noted(operation)


def lay(scene: Any, grid: Site, points: Sequence[At]) -> threading.Event:
    """Kill the bot at each of these points, one after the other; set when it was at the last."""
    left, all_of_them = [*points], threading.Event()

    def noted(name: str, operation: str) -> None:
        if not left or left[0].node != name:
            return
        node, point = grid.nodes.played[name], left[0]
        if operation != point.operation or list(node.log).count(operation) < point.nth:
            return
        left.pop(0)
        node.log.clear()
        node.cut_after = 10 if point.how == "half" else None
        scene.demo.bot.kill()
        if not left:
            all_of_them.set()
        if point.how == "before":
            raise ConnectionAbortedError

    for name, node in grid.nodes.played.items():
        node.log = Log(lambda operation, name=name: noted(name, operation))
    return all_of_them


def final(grid: Site) -> list[str]:
    """What is under the names that jobs know."""
    return [token for one in grid.services for node in one.nodes for token in grid.tokens(one, node)]


def drafts(grid: Site) -> list[str]:
    return [f"{name}/{file}" for name in grid.nodes.played for file in grid.nodes.files(name) if file.startswith(".")]


def private() -> set[Path]:
    """Private folders of this machine's bots, dead ones too."""
    return {path for path in private_folder.place().iterdir() if private_folder.NAME.fullmatch(path.name)}


def abandoned(folders: set[Path]) -> set[Path]:
    """Those that nobody who lives holds."""
    found = set()
    for folder in folders & private():
        held = private_folder._held(folder)
        if held is not None:
            os.close(held)
            found.add(folder)
    return found


def complete(scene: Any, grid: Site, run: str) -> None:
    """Both files of every place hold one token that Vault takes, the message says so, nothing is left anywhere."""
    shown = scene.ended(run, "done", 120)
    assert "4 of 4 nodes" in shown
    assert "4 of 4 schedds" in shown
    assert len(scene.heads(run)) == 1
    assert scene.audited(run).count("done") == 1
    for service in grid.services:
        for node in service.nodes:
            one, other = grid.tokens(service, node)
            assert one == other
            assert grid.good(one)
    assert [*grid.pool.tokens.iterdir()] == []
    assert grid.post.came == []
    scene.sound()


@pytest.mark.parametrize("points", NODES, ids=["while it writes", "while it renames"])
def test_killed_at_a_node(scene: Any, system: Any, grid: Site, points: Sequence[At]) -> None:
    """Under a token's name there is always a whole token, old or new; drafts that earlier kills left are gone, and those
    of this run will be."""
    old, tokens = drafts(grid), {*final(grid)}
    run = proposed(scene, system, scene.ask(command="/push-tokens"))
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


@pytest.mark.parametrize("trouble", ["hangs", "lingers"])
def test_killed_while_a_schedd_is_given_a_token(scene: Any, system: Any, grid: Site, trouble: str) -> None:
    """Before or after the program has stored it: the program ends with the bot, the ticket and the token that it had in
    files are gone, and each schedd gets the token."""
    run = proposed(scene, system, scene.ask(command="/push-tokens"))
    before, stored = len(grid.pool.runs), sum(map(len, grid.pool.stored.values()))
    grid.pool.trouble = {SCHEDDS[0]: trouble}
    grid.pool.save()
    scene.approve(run)
    if trouble == "hangs":
        system.until(lambda: len(grid.pool.runs) > before, 60, lambda: scene.about(run))
    else:
        system.until(lambda: sum(map(len, grid.pool.stored.values())) > stored, 60, lambda: scene.about(run))
    folders = private()
    grid.pool.trouble = {}
    grid.pool.save()
    scene.kill()
    system.until(lambda: not programs(grid) or scene.state(run) == "done", 60, lambda: scene.about(run))
    complete(scene, grid, run)
    assert not programs(grid)
    assert not abandoned(folders)


def programs(grid: Site) -> list[str]:
    """HTCondor's programs that run now."""
    lines = [_read(path / "cmdline") for path in Path("/proc").glob("[0-9]*")]
    return [line for line in lines if grid.pool.path in line]


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode(errors="replace")
    except OSError:
        return ""


@pytest.mark.parametrize("path", ["auth/kerberos-dune_production/login", "auth/token/create"])
def test_killed_when_vault_gave_a_token(scene: Any, system: Any, grid: Site, path: str) -> None:
    """What Vault gave is lost with the bot; the next one gets another and brings that."""
    run = proposed(scene, system, scene.ask(command="/push-tokens"))
    killed = threading.Event()

    def seen(entry: Any) -> None:
        if entry.path == path and entry.status < 300 and not killed.is_set():
            killed.set()
            scene.demo.bot.kill()

    grid.seen = seen
    scene.approve(run)
    assert killed.wait(60), scene.about(run)
    complete(scene, grid, run)
