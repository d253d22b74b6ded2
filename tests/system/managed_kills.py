"""Killing the bot while it brings tokens to played nodes, and what must be so whenever it was killed."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from bot.tools import private_folder
from tests.system.managed import Site, proposed
from tests.system.managed_parts import HERE


class At(NamedTuple):
    """Killed as the node does this for the nth time: before it did it, when it did, or half through."""

    node: str
    operation: str
    nth: int = 1
    how: Literal["before", "done", "half"] = "before"


class Log(list[str]):
    """What a node does, with a hook."""

    def __init__(self, noted: Callable[[str], None]) -> None:
        self._noted = noted

    def append(self, operation: str) -> None:
        super().append(operation)
        self._noted(operation)


def settle(scene: Any) -> None:
    """Until a second after what was last remembered: where nothing stays fresh, every place is due again then."""
    end = time.monotonic() + 60
    while scene.rows("SELECT 1 FROM record WHERE kind LIKE 'tokens.%' AND seen_at > :now - 1.1", now=time.time()):
        assert time.monotonic() < end
        time.sleep(0.03)


def asked(scene: Any) -> str:
    """A push of all that waits for its approval."""
    settle(scene)
    return proposed(scene, scene.ask(command="/push-tokens"))


def lay(scene: Any, site: Site, points: Sequence[At]) -> threading.Event:
    """Kill the bot at each of these points, one after the other; set when it was at the last."""
    left, all_of_them = [*points], threading.Event()

    def noted(name: str, operation: str) -> None:
        if not left or left[0].node != name:
            return
        node, point = site.nodes.played[name], left[0]
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

    for name, node in site.nodes.played.items():
        node.log = Log(lambda operation, name=name: noted(name, operation))
    return all_of_them


def mend(site: Site) -> None:
    """Nothing is laid any more, and nothing cut."""
    for node in site.nodes.played.values():
        node.log, node.cut_after = [], None
    site.seen = None
    site.trouble()


def age(site: Site) -> list[str]:
    """The drafts that lie on nodes are old from now on; which ones these are."""
    for node in site.nodes.played.values():
        for name, file in node.in_directory(HERE).items():
            file.written_at -= 3600 * name.startswith(".")
    return drafts(site)


def drafts(site: Site) -> list[str]:
    return [f"{name}/{file}" for name in site.nodes.played for file in site.nodes.files(name) if file.startswith(".")]


def final(site: Site) -> list[str]:
    """What is under the names that jobs know."""
    return [token for one in site.services for node in one.nodes for token in site.tokens(one, node)]


def private() -> set[Path]:
    """Private folders of this machine's bots, dead ones too."""
    return {path for path in private_folder.place().iterdir() if private_folder.NAME.fullmatch(path.name)}


def abandoned(folders: set[Path]) -> set[Path]:
    """Those of them that are still there, and that nobody who lives holds."""
    found = set()
    for folder in folders & private():
        held = private_folder._held(folder)
        if held is not None:
            os.close(held)
            found.add(folder)
    return found


def programs(site: Site) -> list[str]:
    """HTCondor's programs that run now."""
    lines = [_read(path / "cmdline") for path in Path("/proc").glob("[0-9]*")]
    return [line for line in lines if site.pool.path in line]


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode(errors="replace")
    except OSError:
        return ""


def complete(scene: Any, site: Site, run: str) -> None:
    """Both files of every place hold one token that Vault takes, one message says so, nothing is left anywhere, and
    nobody was troubled with a mail."""
    shown = scene.ended(run, "done", 120)
    assert "4 of 4 nodes" in shown
    assert "4 of 4 schedds" in shown
    assert len(scene.heads(run)) == 1
    assert scene.audited(run).count("done") == 1
    for service in site.services:
        for node in service.nodes:
            one, other = site.tokens(service, node)
            assert one == other
            assert site.good(one)
    assert [*site.pool.tokens.iterdir()] == []
    assert site.post.came == []
    scene.sound()
