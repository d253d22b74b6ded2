"""The demo's nodes: they listen from the start, and SSH is loaded when somebody first comes to the door."""

from __future__ import annotations

import selectors
import socket
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING

from playground.ssh_files import Node

if TYPE_CHECKING:
    from playground.ssh_node import Nodes

QUEUE = 100  # connections that may wait at a door


class LateNodes:
    """`nodes`: by name. Keys are made at once, as the bot has to know them: `host_key` and `key` are private ones,
    `known_hosts` and `public` what others know of them."""

    def __init__(self, nodes: Mapping[str, Node]) -> None:
        self.nodes = nodes
        self.host_key, host = _key()
        self.key, self.public = _key()
        self.known_hosts = "".join(f"{name} {host}\n" for name in nodes)
        for node in nodes.values():
            node.door, node.keys = _bound(), {self.public}
            node.port = node.door.getsockname()[1]
            node.door.listen(QUEUE)
        self._down: set[str] = set()
        self._served: Nodes | None = None
        self._lock = threading.Lock()
        self._wake, self._woken = socket.socketpair()
        threading.Thread(target=self._await_somebody, name="nodes' doors", daemon=True).start()

    def addresses(self) -> dict[str, str]:
        return {name: f"127.0.0.1:{node.port}" for name, node in self.nodes.items()}

    def down(self, name: str) -> None:
        """Nothing listens there any more; its port stays its own."""
        self._serve()
        with self._lock:
            if self._served is None or name in self._down:
                return
            self._served.close(self.nodes[name])
            self.nodes[name].door = _bound(self.nodes[name].port)
            self._down.add(name)

    def up(self, name: str) -> None:
        with self._lock:
            if self._served is not None and name in self._down:
                self._served.open(self.nodes[name])
                self._down.discard(name)

    def is_down(self, name: str) -> bool:
        return name in self._down

    def close(self) -> None:
        self._woken.close()
        with self._lock:
            served = self._served
        if served is not None:
            served.stop()
        for node in self.nodes.values():
            if node.door is not None:
                node.door.close()

    def _await_somebody(self) -> None:
        with selectors.DefaultSelector() as doors, self._wake:
            for door in (self._wake, *(node.door for node in self.nodes.values() if node.door)):
                doors.register(door, selectors.EVENT_READ)
            came = [key.fileobj for key, _ in doors.select()]
        if self._wake not in came:
            self._serve()

    def _serve(self) -> None:
        with self._lock:
            if self._served is None:
                import asyncssh

                from playground.ssh_node import Nodes

                self._served = Nodes(self.nodes.values(), asyncssh.import_private_key(self.host_key))


def _bound(port: int = 0) -> socket.socket:
    door = socket.socket()
    door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    door.bind(("127.0.0.1", port))
    return door


def _key() -> tuple[str, str]:
    """A private key, and the public one as authorized_keys has it."""
    from cryptography.hazmat.primitives import serialization as form
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    made = Ed25519PrivateKey.generate()
    private = made.private_bytes(form.Encoding.PEM, form.PrivateFormat.OpenSSH, form.NoEncryption())
    public = made.public_key().public_bytes(form.Encoding.OpenSSH, form.PublicFormat.OpenSSH)
    return private.decode(), public.decode()
