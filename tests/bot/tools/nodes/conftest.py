"""A stand-in node, and a bot that may push to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from bot.core.grid import Service
from bot.core.secret import Secret
from bot.sources import FromEnv
from bot.ssh import Key, Nodes
from bot.tools.fingerprints import KeyedFingerprints
from bot.tools.nodes import SshNodes
from playground.ssh_node import Node
from playground.ssh_node import Nodes as Served

UID = 4711
SERVICE = Service(
    name="dune_production", experiment="dune", role="production", account="dunepro", principal="dunepro/x@EXAMPLE.COM",
    keytab="/dev/null", nodes=("n1.example.com",), uid=UID, role_file="/tmp/default_role_dune_{{.DesiredUID}}",
)  # fmt: skip


@dataclass
class Grid:
    """`node` is n1.example.com; `tool(**settings)` makes the bot's part; `asked`: for what sources."""

    node: Node
    served: Served
    tool: Callable[..., SshNodes]
    known_hosts: Path
    token: str

    @property
    def tokens(self) -> tuple[str, str]:
        """The two places."""
        return f"/tmp/vt_u{UID}", f"/tmp/vt_u{UID}-{SERVICE.name}"


@pytest.fixture(scope="session")
def keys() -> tuple[asyncssh.SSHKey, asyncssh.SSHKey]:
    """The bot's key and the nodes' host key."""
    return asyncssh.generate_private_key("ssh-ed25519"), asyncssh.generate_private_key("ssh-ed25519")


@pytest.fixture
def grid(tmp_path: Path, canary: Any, keys: tuple[asyncssh.SSHKey, asyncssh.SSHKey]) -> Iterator[Grid]:
    """One node with nothing in its /tmp."""
    ours, theirs = keys
    node = Node({SERVICE.account: UID}, keys={ours.export_public_key().decode().strip()})
    served = Served([node], theirs)
    known_hosts = tmp_path / "known_hosts"
    known_hosts.write_text(served.known_host("n1.example.com"))
    token = f"hvs.{canary('the token')}"
    private = ours.export_private_key().decode()
    key = KeyedFingerprints(Secret("a made-up key of the fingerprints"))

    def tool(*, asked: list[Any] | None = None, private: str = private, **settings: Any) -> SshNodes:
        clock = {"clock": settings.pop("clock")} if "clock" in settings else {}
        given = {
            "auth": (Key(private_key=FromEnv(env="KEY")),), "known_hosts": known_hosts,
            "addresses": {"n1.example.com": f"127.0.0.1:{node.port}"},
            "connect_timeout": 60, "operation_timeout": 60, "node_timeout": 120, **settings,
        }  # fmt: skip

        def resolve(source: Any) -> Secret:
            (asked if asked is not None else []).append(source)
            return Secret(private)

        return SshNodes(Nodes(**given), resolve, key, lambda _: Secret(token), **clock)

    yield Grid(node, served, tool, known_hosts, token)
    served.stop()


@pytest.fixture
def service() -> Service:
    return SERVICE
