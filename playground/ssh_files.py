"""What lies on played nodes and who has an account there: plain state, without SSH."""

from __future__ import annotations

import socket
import stat
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from posixpath import basename, dirname
from typing import Literal

Fault = Literal["cut", "silent", "denied", "failure", "unsupported", "corrupt"]
Disk = Literal["", "full", "read_only", "quota"]
DIRECTORY = stat.S_IFDIR | 0o1777


@dataclass
class File:
    """`mode` with the bits of its kind; `target` of a link."""

    mode: int
    owner: int
    content: bytearray = field(default_factory=bytearray)
    written_at: float = 0.0
    target: str = ""


@dataclass
class Node:
    """`accounts`: name -> UID. `faults`: operation ("login", "open", "write", "lstat", …) -> what it comes to. `delay`:
    seconds that a login takes. `cut_after`: bytes of content after which the connection is gone. `log`: operations.
    `door`: where it is to listen, bound; default: a port of its own. `changed` is called when a file got its name."""

    accounts: dict[str, int]
    keys: set[str] = field(default_factory=set)  # public keys that let everybody in, as in authorized_keys
    files: dict[str, File] = field(default_factory=lambda: {"/tmp": File(DIRECTORY, 0)})
    faults: dict[str, Fault] = field(default_factory=dict)
    disk: Disk = ""
    delay: float = 0.0
    cut_after: int | None = None
    log: list[str] = field(default_factory=list)
    logins: int = 0
    under_way: int = 0  # connections that are open
    most: int = 0  # that were open at a time
    port: int = 0
    door: socket.socket | None = None
    changed: Callable[[], object] = lambda: None

    def put(self, path: str, content: bytes = b"", *, owner: int = 0, mode: int = 0o400, age: float = 0) -> None:
        """Have a file there. `age` in seconds."""
        self.files[path] = File(stat.S_IFREG | mode, owner, bytearray(content), time.time() - age)

    def link(self, path: str, target: str, *, owner: int = 0) -> None:
        self.files[path] = File(stat.S_IFLNK | 0o777, owner, target=target)

    def in_directory(self, directory: str = "/tmp") -> dict[str, File]:
        """What is in a directory, by name."""
        return {
            basename(path): it for path, it in self.files.items() if path != directory and dirname(path) == directory
        }
