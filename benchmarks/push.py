"""Push two token files to 500 stand-in nodes, one of them slow, and beside that rsync over ssh, one node after another,
as the program does that this replaces. `python benchmarks/push.py [nodes] [seconds a login takes] [rsync's nodes]`"""

from __future__ import annotations

import multiprocessing
import os
import pwd
import resource
import secrets
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

import asyncssh

from bot.core.grid import Service
from bot.core.secret import Secret
from bot.sources import FromFile
from bot.ssh import Key, Nodes
from bot.tools.fingerprints import KeyedFingerprints
from bot.tools.nodes import SshNodes
from playground.ssh_node import Node
from playground.ssh_node import Nodes as Served

sys.path.insert(0, str(Path(__file__).parent.parent))
from tests.sshd import Sshd, installed

UID = 4711
NODE = "n1.example.com"
SLOW = 3.0  # seconds; the slowest node's login


def main(count: int = 500, login: float = 0.1, sequential: int = 20) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        private = asyncssh.generate_private_key("ssh-ed25519")
        key = folder / "key"
        key.touch(mode=0o600)
        key.write_bytes(private.export_private_key())
        public = private.export_public_key().decode().strip()
        with many(public, count, login) as (ports, host_key):
            (folder / "known_hosts").write_text(f"*.example.com {host_key}\n")
            many_nodes(folder, ports, login)
        with real(public) as sshd:
            (folder / "known_hosts").write_text(f"*.example.com,[127.0.0.1]:{sshd.port} {sshd.host_key}\n")
            few_nodes(folder, sshd, sequential)


def many_nodes(folder: Path, ports: list[int], login: float) -> None:
    before = memory()
    nodes = {f"n{number}.example.com": f"127.0.0.1:{port}" for number, port in enumerate(ports)}
    seconds, slowest = push(folder, "dunepro", UID, "/tmp", nodes, list(nodes))
    print(
        f"{len(ports)} stand-in nodes whose logins take {login:g} s, one of them {SLOW:g} s: {seconds:.1f} s, "
        f"{seconds / slowest:.1f} times the slowest node ({slowest:.1f} s); {(memory() - before):.0f} MiB more memory"
    )


def few_nodes(folder: Path, sshd: Sshd, count: int) -> None:
    ours, _ = push(
        folder,
        sshd.account.pw_name,
        sshd.account.pw_uid,
        str(sshd.tmp),
        {NODE: f"127.0.0.1:{sshd.port}"},
        [NODE] * count,
    )
    began = time.monotonic()
    for _ in range(count):
        rsync(folder, sshd)
    theirs = time.monotonic() - began
    print(
        f"{count} pushes to one real sshd: {ours / count:.3f} s each, read back and checked; rsync -e ssh one after "
        f"another, both files at once each time: {theirs / count:.3f} s each, {theirs / ours:.1f} times as long"
    )


def push(
    folder: Path, account: str, uid: int, directory: str, addresses: dict[str, str], nodes: list[str]
) -> tuple[float, float]:
    """Seconds for all, and for the slowest."""
    settings = Nodes(
        auth=(Key(private_key=FromFile(file=folder / "key")),), known_hosts=folder / "known_hosts",
        directory=directory, addresses=addresses,
    )  # fmt: skip
    service = Service(
        name="dune_production", experiment="dune", role="production", account=account, principal="x@TEST.LOCAL",
        keytab="/dev/null",
    )  # fmt: skip
    token, fingerprints = Secret(f"hvs.{secrets.token_hex(48)}"), KeyedFingerprints(Secret(secrets.token_hex(16)))
    private = Secret((folder / "key").read_text())
    tool = SshNodes(settings, lambda _: private, fingerprints, lambda _: token)

    def one(node: str) -> float:
        began = time.monotonic()
        assert len(tool.push(service, node, uid)) == 2
        return time.monotonic() - began

    began = time.monotonic()
    with ThreadPoolExecutor(64) as pool:  # as the engine does the steps of a stage
        each = list(pool.map(one, nodes))
    return time.monotonic() - began, max(each)


def rsync(folder: Path, sshd: Sshd) -> None:
    """Both files as upstream brings them: in parallel, an ssh each."""
    shell = (
        f"ssh -F /dev/null -p {sshd.port} -i {folder / 'key'} -o UserKnownHostsFile={folder / 'known_hosts'} "
        "-o ConnectTimeout=30 -o ServerAliveInterval=30 -o ServerAliveCountMax=1"
    )
    source = folder / "token"
    source.write_text(f"hvs.{secrets.token_hex(48)}\n")
    names = (f"vt_u{sshd.account.pw_uid}", f"vt_u{sshd.account.pw_uid}-dune_production")
    running = [
        subprocess.Popen(
            ["rsync", "-e", shell, "--perms", "--chmod=u=r,go=", str(source),
             f"{sshd.account.pw_name}@127.0.0.1:{sshd.tmp / name}"]
        )
        for name in names
    ]  # fmt: skip
    assert not any(one.wait() for one in running)


@contextmanager
def real(public: str) -> Iterator[Sshd]:
    """An sshd for an account with a shell, which rsync wants: ours or, for root, another's."""
    shells = ("/bin/bash", "/bin/sh")
    account = pwd.getpwuid(os.getuid())
    if account.pw_uid == 0:
        account = next(it for it in pwd.getpwall() if it.pw_uid and it.pw_shell in shells)
    with installed(account, lambda name: shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin") or name) as sshd:
        sshd.authorize(public)
        sshd.start()
        yield sshd


def memory() -> float:
    """The most that this process had, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@contextmanager
def many(public: str, count: int, login: float) -> Iterator[tuple[list[int], str]]:
    """Nodes in a process of their own, so that their memory and their interpreter are not ours."""
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(
        target=serve, args=(theirs, public, count, login), daemon=True
    )
    process.start()
    yield ours.recv()
    process.terminate()
    process.join(10)


def serve(told: Connection, public: str, count: int, login: float) -> None:
    nodes = [Node({"dunepro": UID}, keys={public}, delay=login) for _ in range(count)]
    nodes[0].delay = SLOW
    served = Served(nodes)
    told.send(([node.port for node in nodes], served.host_key.export_public_key().decode().strip()))
    threading.Event().wait()


if __name__ == "__main__":
    given = sys.argv[1:]
    main(*(kind(word) for kind, word in zip((int, float, int), given, strict=False)))
