"""What can fail at a node: each has its own sentence, and the old token stays whole and readable."""

from __future__ import annotations

import asyncio
import base64
import gc
import hmac
import itertools
import os
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import asyncssh
import pytest

from bot.core.errors import Refused, Told, Transient
from playground import broken
from playground.ssh_node import Nodes
from playground.tcp_proxy import Way

NODE, UID = "n1.example.com", 4711
OLD = b"hvs.old\n"


def old_token_stands(grid: Any, *, drafts: int = 0) -> bool:
    """Both places hold what was there before, and nothing else lies about, but drafts that could not be removed."""
    kept = all(bytes(grid.node.files[path].content) == OLD for path in grid.tokens)
    return kept and len(grid.node.in_directory()) == 2 + drafts


@pytest.fixture
def old(grid: Any) -> Any:
    """A node with an older token in both places."""
    for path in grid.tokens:
        grid.node.put(path, OLD, owner=UID)
    return grid


def failure(grid: Any, service: Any, **settings: Any) -> Told:
    with pytest.raises(Told) as told:
        grid.tool(**settings).push(service, NODE, UID)
    assert told.value.__cause__ is None
    assert NODE in told.value.what
    assert told.value.now
    return told.value


@pytest.mark.parametrize(
    ("disk", "words"),
    [("full", "no room left in /tmp"), ("read_only", "mounted read-only"), ("quota", "its quota, most likely")],
)
def test_a_disk_that_takes_nothing_says_why(old: Any, service: Any, disk: Any, words: str) -> None:
    """Full, read-only and over quota are told apart, though OpenSSH says the same of all; the old token stays."""
    old.node.disk = disk
    told = failure(old, service)
    assert isinstance(told, Refused)
    assert words in told.what
    assert old_token_stands(old)


TROUBLES: dict[Any, tuple[type[Told], str]] = {
    "denied": (Refused, "may not write in /tmp"),
    "failure": (Refused, "quota"),
    "cut": (Transient, "was cut in mid-work"),
}


@pytest.mark.parametrize(
    ("operation", "fault"),
    [
        *((it, "cut") for it in ("open", "fsetstat", "write", "fsync", "fstat", "read", "close", "posix_rename")),
        *((it, fault) for it in ("open", "write", "close", "posix_rename") for fault in ("denied", "failure")),
    ],
)
def test_a_failure_at_any_operation_leaves_the_old_token(old: Any, service: Any, operation: str, fault: Any) -> None:
    """Denied, failed or cut at each operation of a push: the sentence fits, the old token stands in both places, and a
    draft stays only where the connection was gone."""
    old.node.faults[operation] = fault
    kind, words = TROUBLES[fault]
    told = failure(old, service)
    assert isinstance(told, kind)
    assert words in told.what
    left = len(old.node.in_directory()) - 2
    assert left == 0 or (fault == "cut" and left <= 2)
    assert old_token_stands(old, drafts=left)


@pytest.mark.parametrize("kind", ["owner", "link", "gone"])
def test_what_takes_the_place_of_a_file_that_was_just_named_is_seen(old: Any, service: Any, kind: str) -> None:
    """The last look is at what really stands there: another's file of the same size, a link, or nothing is no success."""
    path = old.tokens[0]

    def swap() -> None:
        if kind == "gone":
            old.node.files.pop(path, None)
        elif kind == "link":
            old.node.link(path, "/etc/passwd", owner=666)
        else:
            old.node.files[path].owner = 666

    old.node.changed = swap
    told = failure(old, service)
    assert ("thrown away" if kind == "gone" else "of UID 666") in told.what


def test_a_connection_cut_in_mid_write_leaves_the_old_token(old: Any, service: Any) -> None:
    """Ten bytes came through: no file under a final name is partial, and the next push puts the token there."""
    old.node.cut_after = 10
    assert "was cut in mid-work" in failure(old, service).what
    assert old_token_stands(old, drafts=1)
    old.node.cut_after = None
    old.tool().push(service, NODE, UID)
    assert {bytes(old.node.files[path].content) for path in old.tokens} == {f"{old.token}\n".encode()}


@pytest.mark.parametrize("operation", ["stat", "lstat", "open", "write", "posix_rename"])
def test_a_node_that_hangs_costs_no_more_than_its_time(old: Any, service: Any, operation: str) -> None:
    """Silence at any operation ends with the time for one operation, and is told as silence."""
    old.node.faults[operation] = "silent"
    began = time.monotonic()
    told = failure(old, service, operation_timeout=1, node_timeout=600)
    assert isinstance(told, Transient)
    assert "stopped answering in mid-work (1 s)" in told.what
    assert time.monotonic() - began < 60


def test_all_of_a_push_ends_in_time(old: Any, service: Any) -> None:
    """The node's time ends an operation that has time left; a draft may stay with who hangs, the old token stands."""
    old.node.faults["write"] = "silent"
    told = failure(old, service, node_timeout=3, operation_timeout=60)
    assert "stopped answering in mid-work (3 s)" in told.what
    assert len(old.node.in_directory()) <= 3
    assert old_token_stands(old, drafts=len(old.node.in_directory()) - 2)


def test_there_is_no_such_directory(grid: Any, service: Any) -> None:
    """A directory that is not there is named."""
    told = failure(grid, service, directory="/scratch")
    assert isinstance(told, Refused)
    assert "There is no /scratch on" in told.what


def test_a_login_that_hangs_is_given_up(grid: Any, service: Any) -> None:
    """A node that takes the connection and says nothing costs the time for logging in; it is not told as down."""
    grid.node.faults["login"] = "silent"
    told = failure(grid, service, connect_timeout=0.5)
    assert isinstance(told, Transient)
    assert "took the connection, but did not let the bot log in within 0.5 s" in told.what


def test_a_node_that_takes_no_connection(grid: Any, service: Any) -> None:
    """Its queue of connections is full, as of one that hangs whole: it is told as not there."""
    with socket.socket() as bound, ExitStack() as waiting:
        bound.bind(("127.0.0.1", 0))
        bound.listen(0)
        address = bound.getsockname()
        for _ in range(3):  # as many as the kernel keeps, and more
            each = waiting.enter_context(socket.socket())
            each.setblocking(False)
            each.connect_ex(address)
        told = failure(grid, service, addresses={NODE: f"127.0.0.1:{address[1]}"}, connect_timeout=0.5)
    assert told.what == f"{NODE} did not let the bot log in within 0.5 s."


ENDLESS = {
    "lines before the version": b"x" * 60 + b"\r\n",
    "one line": b"x" * 65536,
    "packets": b"SSH-2.0-x\r\n" + b"\x7f\xff\xff\xff" + b"\0" * 60_000,
}


@pytest.mark.parametrize("what", ENDLESS)
def test_who_talks_without_end_is_not_listened_to(grid: Any, service: Any, what: str) -> None:
    """It is left before it has cost memory, and nothing stays open."""

    def talk() -> None:
        with suppress(OSError), bound.accept()[0] as connection:
            while True:
                connection.sendall(ENDLESS[what])

    with socket.create_server(("127.0.0.1", 0)) as bound:
        thread = threading.Thread(target=talk)
        thread.start()
        told = failure(grid, service, addresses={NODE: f"127.0.0.1:{bound.getsockname()[1]}"})
        thread.join(60)
    assert not thread.is_alive()
    assert "does not speak SSH as it should" in told.what


@pytest.mark.parametrize("fault", ["login", "open", "write"])
def test_failures_leave_nothing_open(old: Any, service: Any, fault: str) -> None:
    """Neither connections nor what waits for them, however often it fails."""
    now = itertools.count(step=100)
    old.node.faults[fault] = "silent"
    tool = old.tool(connect_timeout=0.1, operation_timeout=0.1, clock=lambda: next(now))
    with pytest.raises(Told):
        tool.push(service, NODE, UID)
    before = _settled(old.node, tool)
    for _ in range(3):
        with pytest.raises(Told):
            tool.push(service, NODE, UID)
    assert _settled(old.node, tool) <= before


def _settled(node: Any, tool: Any) -> int:
    """How many files are open, once the node has seen all connections end and no task of ours is left."""
    ends = time.monotonic() + 60
    while node.under_way or asyncio.all_tasks(tool._loop._loop):
        assert time.monotonic() < ends
        time.sleep(0.01)
    gc.collect()  # what other tests have left
    return len(os.listdir("/proc/self/fd"))


def test_a_dead_node_costs_its_timeout_once(grid: Any, service: Any) -> None:
    """Who wants the node within a minute is told at once, and tries no more; after that it is asked again."""
    now, port = [0.0], broken.unused_port()
    tool = grid.tool(addresses={NODE: f"127.0.0.1:{port}"}, clock=lambda: now[0])
    with pytest.raises(Transient, match="nothing listens"):
        tool.push(service, NODE, UID)
    with at(port, grid.node) as way:
        for _ in range(3):
            with pytest.raises(Refused, match="nothing listens"):
                tool.push(service, NODE, UID)
        assert way.connections == 0
        now[0] = 61.0
        assert len(tool.push(service, NODE, UID)) == 3


@contextmanager
def at(port: int, node: Any) -> Iterator[Way]:
    """The node is to be had at this port, too."""
    way = Way(node.port, socket.create_server(("127.0.0.1", port)))
    thread = threading.Thread(target=way.serve)
    thread.start()
    try:
        yield way
    finally:
        way.stop()
        thread.join(60)


def test_a_node_that_was_seen_to_be_back_is_asked_at_once(grid: Any, service: Any) -> None:
    """Each run looks first whether nodes answer: who has mended one and pushes again need not wait out the minute."""
    port = broken.unused_port()
    tool = grid.tool(addresses={NODE: f"127.0.0.1:{port}"}, clock=lambda: 0.0)
    with pytest.raises(Transient):
        tool.push(service, NODE, UID)
    with at(port, grid.node):
        assert tool.reachable(NODE)
        assert len(tool.push(service, NODE, UID)) == 3


def test_nobody_listens(grid: Any, service: Any) -> None:
    """A closed port is told as such: the machine is up, its sshd is not."""
    with socket.create_server(("127.0.0.1", 0)) as bound:
        port = bound.getsockname()[1]
    told = failure(grid, service, addresses={NODE: f"127.0.0.1:{port}"})
    assert "nothing listens on its SSH port" in told.what


def test_another_service_listens(grid: Any, service: Any) -> None:
    """What does not speak SSH is told as strange, and its words go nowhere."""
    with socket.create_server(("127.0.0.1", 0)) as bound:
        answer = threading.Thread(target=lambda: bound.accept()[0].sendall(b"220 mail.example.com hello\r\n" * 80))
        answer.start()
        told = failure(grid, service, addresses={NODE: f"127.0.0.1:{bound.getsockname()[1]}"}, connect_timeout=1)
        answer.join()
    assert "mail.example.com" not in str(told)


def test_a_login_that_is_cut_is_tried_again(grid: Any, service: Any) -> None:
    """A connection that breaks in the login is no verdict."""
    grid.node.faults["login"] = "cut"
    assert isinstance(failure(grid, service), Transient)


def test_a_key_that_is_not_taken_says_what_was_tried(grid: Any, service: Any) -> None:
    """The sentence names the account and what the bot had."""
    grid.node.keys = set()
    told = failure(grid, service)
    assert isinstance(told, Refused)
    assert "does not let dunepro in with what the bot has (a key)" in told.what


def test_an_unknown_host_key_is_told_with_its_fingerprint(grid: Any, service: Any) -> None:
    """Nothing is sent to a node that nobody vouches for; the sentence has what is needed to compare and add its key."""
    grid.known_hosts.write_text("")
    told = failure(grid, service)
    assert isinstance(told, Refused)
    assert f"ssh-ed25519 {grid.served.host_key.get_fingerprint()}" in told.what
    assert f"ssh-keyscan {NODE}" in told.now
    assert grid.node.logins == 0


def test_a_changed_host_key_is_told_loudly(grid: Any, service: Any) -> None:
    """Another key than the one that is known for the node is not taken for a new node."""
    other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
    grid.known_hosts.write_text(f"{NODE} {other}")
    told = failure(grid, service)
    assert isinstance(told, Refused)
    assert f"THE HOST KEY OF {NODE} HAS CHANGED" in told.what
    assert grid.node.logins == 0


def hashed(name: str) -> str:
    """As `ssh-keygen -H` writes a host's name."""
    salt = os.urandom(20)
    digest = hmac.new(salt, name.encode(), "sha1").digest()
    return f"|1|{base64.b64encode(salt).decode()}|{base64.b64encode(digest).decode()}"


@pytest.mark.parametrize(
    "name", [NODE, f"[{NODE}]:2222", "*.example.com", "n1.example.com,10.0.0.1", "!n2,n?.example.com"]
)
@pytest.mark.parametrize("hidden", [True, False], ids=["hashed", "plain"])
def test_host_keys_are_found_as_openssh_writes_them(grid: Any, service: Any, name: str, hidden: bool) -> None:
    """Hashed or not, by pattern, with an address beside it; one with a port is good for that port alone. Comments, keys
    of kinds that nobody knows, and other hosts are passed over."""
    if hidden and any(sign in name for sign in "*?,"):
        return
    key = grid.served.known_host("x").partition(" ")[2]
    other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
    lines = ["# comment", "", f"n2.example.com {other}", "n1.example.com ssh-new AAAA", f"{hashed('n3')} {other}"]
    grid.known_hosts.write_text("\n".join([*lines, f"{hashed(name) if hidden else name} {key}"]))
    assert len(grid.tool(port=2222).push(service, NODE, UID)) == 3
    if "2222" in name:
        with pytest.raises(Refused, match="not in"):
            grid.tool().push(service, NODE, UID)


def test_a_revoked_host_key_is_not_taken(grid: Any, service: Any) -> None:
    """A key that is marked as revoked is refused, even where it is listed too."""
    line = grid.served.known_host(NODE)
    grid.known_hosts.write_text(f"{line}@revoked {line}")
    assert "revokes" in failure(grid, service).what
    assert grid.node.logins == 0


def test_the_file_of_host_keys_is_read_anew(grid: Any, service: Any) -> None:
    """What somebody adds to it counts at the next push; without the file nothing is sent to any node."""
    line, tool = grid.known_hosts.read_text(), grid.tool()
    grid.known_hosts.unlink()
    with pytest.raises(Refused, match="host keys of the nodes cannot be read"):
        tool.push(service, NODE, UID)
    grid.known_hosts.write_text(line)
    assert len(tool.push(service, NODE, UID)) == 3


@pytest.mark.parametrize("good", [True, False], ids=["ours", "another's"])
def test_an_authority_vouches_for_all_nodes(grid: Any, service: Any, keys: Any, good: bool) -> None:
    """A host certificate of the authority in the file is taken, and another's is told with its fingerprint."""
    authority, other = asyncssh.generate_private_key("ssh-ed25519"), asyncssh.generate_private_key("ssh-ed25519")
    signer = authority if good else other
    certificate = signer.generate_host_certificate(keys[1], "n1", principals=[NODE])
    served = Nodes([grid.node], keys[1], certificate)
    grid.known_hosts.write_text(f"@cert-authority *.example.com {authority.export_public_key().decode()}")
    try:
        if good:
            assert len(grid.tool().push(service, NODE, UID)) == 3
        else:
            assert "signed by ssh-ed25519 SHA256:" in failure(grid, service).what
    finally:
        served.stop()


def test_what_a_push_waits_for_holds_up_no_other(grid: Any, service: Any) -> None:
    """Twenty pushes, two at a time and one dead node among them: all the others come through."""
    nodes = {NODE: f"127.0.0.1:{grid.node.port}", "dead.example.com": "127.0.0.1:1"}
    tool = grid.tool(addresses=nodes, at_once=2, connect_timeout=60)

    def push(number: int) -> str:
        try:
            return str(len(tool.push(service, NODE if number else "dead.example.com", UID)))
        except Told as told:
            return told.what

    with ThreadPoolExecutor(20) as pool:
        found = list(pool.map(push, range(20)))
    assert "dead.example.com" in found[0]
    assert set(found[1:]) == {"3"}


def test_many_nodes_cost_what_a_few_do(grid: Any, service: Any) -> None:
    """However many wait, no more connections are open than the settings allow, and none is left in the end."""
    grid.known_hosts.write_text(grid.served.known_host("*.example.com"))
    names = {f"n{number}.example.com": f"127.0.0.1:{grid.node.port}" for number in range(40)}
    tool = grid.tool(addresses=names, at_once=6)
    tool.push(service, NODE, UID)
    before = _settled(grid.node, tool)
    with ThreadPoolExecutor(40) as pool:
        found = list(pool.map(lambda name: len(tool.push(service, name, UID)), names))
    assert found == [3] * 40
    assert 1 < grid.node.most <= 6
    assert _settled(grid.node, tool) <= before


def test_many_services_do_not_run_one_node_over(grid: Any, service: Any) -> None:
    """An sshd drops logins when ten are under way: of twelve services on one node, four log in at a time."""
    grid.node.delay = 0.02
    tool = grid.tool()
    names = [service.model_copy(update={"name": f"dune_{number}"}) for number in range(12)]
    with ThreadPoolExecutor(12) as pool:
        assert {len(found) for found in pool.map(lambda one: tool.push(one, NODE, UID), names)} == {3}
    assert 1 < grid.node.most <= 4
