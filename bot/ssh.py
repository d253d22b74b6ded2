"""Settings of the way onto nodes: SSH, who the bot is there, and how long it waits."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator

from bot.sources import FromFile, Part, SecretSource

LARGEST_PORT = 65535
PORT = re.compile(r"(?:\]|^[^:]*):([0-9]+)$")
ADDRESS = r"^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9][A-Za-z0-9._-]*)(:[0-9]{1,5})?$"


class Gssapi(Part):
    """With the service's own Kerberos ticket. Needs the extra `grid`."""

    method: Literal["gssapi"] = "gssapi"


class Key(Part):
    """With a private key; `{account}` in the path of a file stands for the account, so that each may have its own."""

    method: Literal["key"] = "key"
    private_key: SecretSource
    passphrase: SecretSource | None = None
    certificate_file: Path | None = Field(default=None, description="OpenSSH certificate for the key.")

    def source(self, account: str) -> SecretSource:
        """Where an account's key is."""
        source = self.private_key
        if not isinstance(source, FromFile):
            return source
        return FromFile(file=Path(str(source.file).replace("{account}", account)))


class Agent(Part):
    """With what an SSH agent holds. It is asked to sign and is never forwarded."""

    method: Literal["agent"] = "agent"
    socket: Path


SshAuth = Annotated[Gssapi | Key | Agent, Field(discriminator="method")]


class Nodes(Part):
    """How token files come onto nodes. Nothing is read from ~/.ssh."""

    auth: tuple[SshAuth, ...] = Field(default=(Gssapi(),), min_length=1, description="Tried in this order.")
    known_hosts: Path = Field(
        default=Path("/etc/ssh/ssh_known_hosts"),
        description="Host keys of the nodes, or @cert-authority lines; read anew when it changes.",
    )
    port: int = Field(default=22, ge=1, le=65535)
    addresses: dict[str, Annotated[str, Field(pattern=ADDRESS)]] = Field(
        default_factory=dict, description="Node -> host:port, where it is really reached elsewhere than by its name."
    )

    @field_validator("addresses")
    @classmethod
    def _ports(cls, addresses: dict[str, str]) -> dict[str, str]:
        ports = [found[1] for found in map(PORT.search, addresses.values()) if found]
        if not all(0 < int(port) <= LARGEST_PORT for port in ports):
            raise ValueError("has a port that there is not")
        return addresses

    directory: str = Field(default="/tmp", pattern=r"^/[^\x00-\x1f]*$", description="Where the token files go.")  # noqa: S108 - where jobs look for them
    ping: Literal["port", "icmp"] = Field(
        default="port", description="How it is seen whether a node is up: its SSH port, or the program ping."
    )
    at_once: int = Field(default=64, ge=1, le=512, description="How many nodes are worked on at the same time.")
    connect_timeout: float = Field(default=10, gt=0, le=120, description="Seconds until the bot is logged in.")
    operation_timeout: float = Field(default=10, gt=0, le=120, description="Seconds for one operation on a file.")
    node_timeout: float = Field(default=30, gt=0, le=600, description="Seconds for one service on one node, in all.")
    replace_in_two_steps: bool = Field(
        default=False,
        description="Where a node cannot replace a file in one step: remove the old token first, then rename.",
    )
