"""The real bot in the playground, as people, Vault and the store see it from outside."""

from __future__ import annotations

import base64
import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import sqlalchemy as sa
from cryptography.fernet import Fernet


def loaded(name: str) -> ModuleType:
    """A module beside this file."""
    spec = importlib.util.spec_from_file_location(f"system_{name}", Path(__file__).with_name(f"{name}.py"))
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[f"system_{name}"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def system() -> ModuleType:
    """tests/system/scene.py."""
    return loaded("scene")


@pytest.fixture(scope="session")
def kills() -> ModuleType:
    """tests/system/kills.py."""
    return loaded("kills")


@pytest.fixture(scope="session")
def monitoring() -> ModuleType:
    """tests/system/monitoring.py."""
    return loaded("monitoring")


@pytest.fixture(scope="session")
def servers() -> ModuleType:
    """tests/system/servers.py."""
    return loaded("servers")


@pytest.fixture(scope="session")
def until(system: ModuleType) -> Any:
    return system.until


@pytest.fixture(scope="module")
def started(system: ModuleType) -> Iterator[Callable[..., Any]]:
    """`started(kv=1, mode="socket", …)`: a demo with its bot, kept until another one is wanted (a bot that idles costs
    more than a new one) or the module's tests are over."""
    kept: dict[str, Any] = {}

    def start(kv: int = 1, *, name: str = "", **more: Any) -> Any:
        wanted = f"{name} {kv} {more.get('mode')} {more.get('store')}"
        if wanted not in kept:
            close()
            kept[wanted] = system.Scene(kv, **more)
        return kept[wanted]

    def close() -> None:
        while kept:
            kept.popitem()[1].close()

    yield start
    close()


@pytest.fixture
def watched(canary: Any) -> Callable[[Any], Any]:
    """`watched(scene)`: the scene made fresh; after the test none of its secrets may be found anywhere."""

    def watch(scene: Any) -> Any:
        scene.canary = canary
        scene.fresh()
        canary.watch("the files of the bot", lambda: files(scene))
        canary.watch("Slack", lambda: slack(scene))
        canary.watch("the store", lambda: store(scene))
        return scene

    return watch


def files(scene: Any) -> str:
    """The bot's log, the database and all else it has written, but for the files where secrets are given to it."""
    hidden = {"bot-token", "app-token", "signing-secret", "vault-token", "fingerprint-key", "encryption.key",
              "encryption-key", "aws-key", "cluster-rosa-dev", "cluster-rosa-prod",
              "jenkins-token"}  # fmt: skip
    found = [path for path in scene.demo.folder.rglob("*") if path.is_file() and path.name not in hidden]
    return "\n".join(f"{path.name}\n{path.read_bytes().decode('latin-1')}" for path in found)


def slack(scene: Any) -> str:
    """All that went over the wire, what stands in channels and windows, and what was overwritten there."""
    space = scene.demo.workspace
    kept = (space.traffic.after(0), space.messages, space.past, space.ephemerals, space.views, space.homes)
    return repr(kept)


def store(scene: Any) -> str:
    """Every cell of every table; what the executor has sealed is opened, what is base64 decoded."""
    values = [cell for row in cells(scene) for cell in row if cell is not None]
    texts = [cell.decode("latin-1") if isinstance(cell, bytes) else str(cell) for cell in values]
    return "\n".join([*texts, *(opened for text in texts if (opened := unsealed(text, scene.cipher)))])


def cells(scene: Any) -> Iterator[Any]:
    names: dict[str | None, list[str]] = {None: sa.inspect(scene.db).get_table_names()}
    if scene.store:
        names["dbos"] = sa.inspect(scene.db).get_table_names("dbos")
    with scene.db.connect() as conn:
        for schema, tables in names.items():
            for table in tables:
                yield from conn.exec_driver_sql(
                    f'SELECT * FROM "{schema}"."{table}"' if schema else f'SELECT * FROM "{table}"'
                )


def unsealed(text: str, cipher: Fernet) -> str:
    if text.startswith("gAAAA"):
        return cipher.decrypt(text.encode()).decode()
    try:
        return base64.b64decode(text, validate=True).decode("latin-1") if len(text) > 16 else ""
    except ValueError:
        return ""
