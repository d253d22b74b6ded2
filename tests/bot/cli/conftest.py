"""The command line in a world of its own: a Vault, a cluster and CI jobs in miniature, and no Slack."""

from __future__ import annotations

import logging
import os
import pwd
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import structlog
import yaml

from bot import app
from bot.cli import main
from bot.core.intake import Request
from bot.core.view import State
from bot.settings import load
from playground import ci_jobs
from playground.server import Server, run_in_thread
from playground.world import World, settings_document

LOGIN = pwd.getpwuid(os.getuid()).pw_name
ASKER, APPROVER = "U0ASKER", "U0APPROVER"


@dataclass
class Terminal:
    """What people see at a terminal, and the settings files of two of them."""

    folder: Path
    vault: World
    document: dict[str, Any]
    read: Callable[[], Any] = field(repr=False)
    code: int | None = None
    told: str = ""  # standard error of the last call

    def settings(self, name: str, **changed: Any) -> Path:
        path = self.folder / f"{name}.yaml"
        path.write_text(yaml.safe_dump(self.document | changed))
        return path

    def type(self, *words: str, by: str = ASKER) -> str:
        """Standard output of `hivekeeper …` by a person; its exit status is in `code`."""
        path = self.settings(by, people={LOGIN: by})
        return self.call(*words, "--settings", str(path))

    def call(self, *words: str) -> str:
        self.read()
        self.code = status(*words)
        found = self.read()
        self.told = found.err
        return str(found.out)

    @contextmanager
    def bot(self) -> Iterator[None]:
        """A bot without Slack at work on the store."""
        parts = app.Parts(load(self.settings("bot")))
        membership, messenger = parts.slack()
        running = parts.start(messenger, membership)
        try:
            yield
        finally:
            running.stop()


def status(*words: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert isinstance(ended.value.code, int)
    return ended.value.code


@pytest.fixture(scope="session")
def outside() -> Iterator[tuple[World, Server, Server]]:
    """Vault and cluster, once for all: production has new tokens, CI still the old ones."""
    world = World(kv=2, stale=True)
    vault, cluster = run_in_thread(world.vault.app()), run_in_thread(world.cluster.app())
    yield world, vault, cluster
    vault.stop()
    cluster.stop()


@pytest.fixture(scope="session")
def waiting(outside: tuple[World, Server, Server], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A store in which one plan waits, and the run's id; to be copied."""
    outside[0].start_over()
    folder = tmp_path_factory.mktemp("waiting")
    document = made(folder, *outside) | {"people": {LOGIN: ASKER}}
    path = folder / "settings.yaml"
    path.write_text(yaml.safe_dump(document))
    settings = load(path)
    with app.working(settings) as desk:
        ask = Request(key="k", command="rotate-hive-tokens", ask={}, asker=ASKER, source="cli")
        run = desk.ask(ask)
        end = time.monotonic() + 30
        while time.monotonic() < end and (view := desk.run(run)) and view.state is not State.PROPOSED:
            time.sleep(0.02)
    assert view
    assert view.state is State.PROPOSED, view
    return folder / "data", run


@pytest.fixture
def run(terminal: Terminal, waiting: tuple[Path, str]) -> str:
    """A plan that waits."""
    shutil.copytree(waiting[0], terminal.folder / "data")
    return waiting[1]


def made(folder: Path, world: World, vault: Server, cluster: Server) -> dict[str, Any]:
    for name, text in (("vault-token", world.vault_token), ("fingerprint-key", world.key)):
        (folder / name).touch(0o600)
        (folder / name).write_text(text)
    document = settings_document(folder=folder, slack_url="http://127.0.0.1:9", vault_url=vault.url,
                                 cluster_url=cluster.url, jobs=ci_jobs.write_jobs(folder))  # fmt: skip
    document["slack"] = {}  # without a bot token
    document["groups"] = {name: {"users": [APPROVER, "U0SECOND"]} for name in document["groups"]}
    return document


@pytest.fixture
def terminal(
    outside: tuple[World, Server, Server], tmp_path: Path, capsys: pytest.CaptureFixture[str], canary: Any
) -> Iterator[Terminal]:
    """Another day in the same world, without a store yet."""
    world = outside[0]
    world.start_over()
    for path in world.vault.paths():
        for name, value in (world.vault.get(path) or {}).items():
            if str(value).startswith("eyJ"):
                canary.add(f"{path} {name}", str(value))
    for name, text in (("vault-token", world.vault_token), ("fingerprint-key", world.key)):
        canary.add(name, text)
        canary.may_hold(tmp_path / name)
    handlers, level = logging.getLogger().handlers[:], logging.getLogger().level
    yield Terminal(tmp_path, world, made(tmp_path, *outside), capsys.readouterr)
    logging.getLogger().handlers[:] = handlers
    logging.getLogger().setLevel(level)
    structlog.reset_defaults()
