"""Tokens on a node: put in place whole, checked, and tidied up after."""

from __future__ import annotations

import stat
from typing import Any

import pytest

from bot.core.errors import Refused, Transient
from bot.core.secret import Secret
from bot.tools import nodes_put
from bot.tools.fingerprints import KeyedFingerprints

NODE, UID = "n1.example.com", 4711


def test_both_places_hold_the_token_for_the_account_only(grid: Any, service: Any) -> None:
    """After a push both files hold the token with a newline, 0400, the account's; the result says so; no draft stays."""
    placed = grid.tool().push(service, NODE, UID)
    assert [it.path for it in placed] == [*grid.tokens, f"/tmp/default_role_dune_{UID}"]
    for path in grid.tokens:
        file = grid.node.files[path]
        assert bytes(file.content).decode() == grid.token + "\n"
        assert (stat.S_IMODE(file.mode), file.owner) == (0o400, UID)
    role = grid.node.files[f"/tmp/default_role_dune_{UID}"]
    assert (bytes(role.content), stat.S_IMODE(role.mode)) == (b"production\n", 0o644)
    assert len(grid.node.in_directory()) == 3
    fingerprint = KeyedFingerprints(Secret("a made-up key of the fingerprints")).of(Secret(grid.token))
    assert {(it.fingerprint, it.mode, it.owner) for it in placed[:2]} == {(fingerprint, 0o400, UID)}
    assert grid.tool().placed(service, NODE, UID) == placed[:2]


def test_a_further_entry_s_token_goes_where_the_experiment_s_jobs_look(grid: Any, service: Any) -> None:
    """Whatever the entry is called, the file has the experiment's name."""
    placed = grid.tool().push(service.model_copy(update={"name": "dune-2_production"}), NODE, UID)
    assert [it.path for it in placed[:2]] == [*grid.tokens]


def test_everything_is_done_over_one_connection(grid: Any, service: Any) -> None:
    """A push logs in once for all of its files, and asks for the mode before there is content."""
    grid.tool().push(service, NODE, UID)
    assert grid.node.logins == 1
    assert grid.node.log.index("fsetstat") < grid.node.log.index("write")


def test_an_older_token_is_replaced(grid: Any, service: Any) -> None:
    """A second push puts the newer token into both places."""
    for path in grid.tokens:
        grid.node.put(path, b"hvs.old\n", owner=UID)
    grid.tool().push(service, NODE, UID)
    assert {bytes(grid.node.files[path].content) for path in grid.tokens} == {f"{grid.token}\n".encode()}


@pytest.mark.parametrize(
    ("plant", "words"),
    [
        (lambda node, path: node.link(path, "/etc/passwd", owner=666), ("a link", "of UID 666")),
        (lambda node, path: node.link(path, "/etc/passwd", owner=UID), ("a link", f"of UID {UID}")),
        (lambda node, path: node.put(path, b"x", owner=666, mode=0o666), ("a file", f"of UID 666, not {UID}")),
        (
            lambda node, path: node.files.update({path: type(node.files["/tmp"])(stat.S_IFDIR | 0o755, 666)}),
            ("a directory", "of UID 666"),
        ),
        (
            lambda node, path: node.files.update({path: type(node.files["/tmp"])(stat.S_IFIFO | 0o666, 666)}),
            ("something that is no file", "of UID 666"),
        ),
    ],
    ids=["link", "own-link", "file", "directory", "pipe"],
)
@pytest.mark.parametrize("place", [0, 1])
def test_what_is_planted_in_the_way_is_named_and_not_touched(
    grid: Any, service: Any, plant: Any, words: tuple[str, ...], place: int
) -> None:
    """A link, another's file, a folder or a pipe under either name: refused, saying what and whose; nothing written."""
    plant(grid.node, grid.tokens[place])
    before = dict(grid.node.files)
    with pytest.raises(Refused) as refused:
        grid.tool().push(service, NODE, UID)
    assert all(word in refused.value.what for word in (*words, grid.tokens[place], NODE))
    assert grid.node.files == before
    assert "open" not in grid.node.log


class Racing(list[str]):
    """A node's log that lets somebody be quicker: `plant` happens between our look and the operation."""

    def __init__(self, operation: str, plant: Any) -> None:
        super().__init__()
        self._operation, self._plant = operation, plant

    def append(self, operation: str) -> None:
        super().append(operation)
        if operation == self._operation:
            self._plant()


@pytest.mark.parametrize(
    ("plant", "words"),
    [
        (lambda node, path: node.link(path, "/etc/passwd", owner=666), "a link"),
        (lambda node, path: node.put(path, b"x", owner=666), "a file"),
        (
            lambda node, path: node.files.update({path: type(node.files["/tmp"])(stat.S_IFDIR | 0o755, 666)}),
            "a directory",
        ),
    ],
    ids=["link", "file", "directory"],
)
@pytest.mark.parametrize("steps", [1, 2], ids=["one-step", "two-steps"])
def test_who_is_quicker_than_the_rename_is_named(grid: Any, service: Any, plant: Any, words: str, steps: int) -> None:
    """What is planted after the look stays as it is, is told as what it is and not as a full disk or missing rights,
    and no draft is left."""
    path = grid.tokens[1]
    grid.node.log = Racing("posix_rename", lambda: plant(grid.node, path))
    if steps == 2:
        grid.node.faults["posix_rename"] = "unsupported"
    with pytest.raises(Refused, match=rf"there is {words} at {path} \(of UID 666") as refused:
        grid.tool(replace_in_two_steps=steps == 2).push(service, NODE, UID)
    assert "planted" in refused.value.now
    assert grid.node.files[path].owner == 666
    assert not any(name.startswith(".") for name in grid.node.in_directory())


def test_a_guessed_draft_is_not_written_to(grid: Any, service: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever could foresee the draft's name and links it elsewhere gets nothing: only a new file is written to."""
    monkeypatch.setattr(nodes_put, "draft", lambda path: f"/tmp/.guessed-{path.rpartition('/')[2]}")
    grid.node.put("/home/mallory/aim", b"untouched", owner=666, mode=0o666)
    grid.node.link(f"/tmp/.guessed-vt_u{UID}", "/home/mallory/aim", owner=666)
    with pytest.raises(Refused):
        grid.tool().push(service, NODE, UID)
    assert bytes(grid.node.files["/home/mallory/aim"].content) == b"untouched"
    assert "write" not in grid.node.log
    assert set(grid.node.in_directory()) == {f".guessed-vt_u{UID}"}


def test_a_hard_link_to_a_file_of_the_account_costs_that_file_nothing(grid: Any, service: Any) -> None:
    """Another name of the account's own file stands where the token goes: the name is given anew, the file stays."""
    precious = type(grid.node.files["/tmp"])(stat.S_IFREG | 0o600, UID, bytearray(b"precious"))
    grid.node.files.update({"/home/dunepro/precious": precious, grid.tokens[0]: precious})
    grid.tool().push(service, NODE, UID)
    assert (bytes(precious.content), stat.S_IMODE(precious.mode)) == (b"precious", 0o600)
    assert bytes(grid.node.files[grid.tokens[0]].content) == f"{grid.token}\n".encode()


def test_an_account_of_another_uid_gets_no_token(grid: Any, service: Any) -> None:
    """Where the account's UID is not the one the token is for, that is refused before there is content."""
    with pytest.raises(Refused, match="has the UID 4711, but its token is meant for 4712"):
        grid.tool().push(service, NODE, UID + 1)
    assert not grid.node.in_directory()
    assert "write" not in grid.node.log


def test_a_directory_where_everybody_may_rename_is_refused(grid: Any, service: Any) -> None:
    """Without the sticky bit anybody could put a file of theirs in the token's place."""
    grid.node.files["/tmp"].mode = stat.S_IFDIR | 0o777
    with pytest.raises(Refused, match="sticky bit"):
        grid.tool().push(service, NODE, UID)
    assert not grid.node.in_directory()


def test_the_drafts_of_a_killed_push_are_removed(grid: Any, service: Any) -> None:
    """Old drafts of ours go; those of a push that may live still, of others, and other names stay."""
    names = {
        "ours": f"/tmp/.vt_u{UID}.hk-0123456789abcdef",
        "ours of the service": f"/tmp/.vt_u{UID}-{service.name}.hk-0123456789abcdef",
        "ours of the role": f"/tmp/.default_role_dune_{UID}.hk-0123456789abcdef",
        "young": f"/tmp/.vt_u{UID}.hk-ffffffffffffffff",
        "another's": f"/tmp/.vt_u{UID}.hk-eeeeeeeeeeeeeeee",
        "other name": f"/tmp/.vt_u{UID}.hk-0123",
        "another service's": f"/tmp/.vt_u{UID}-mu2e_x.hk-0123456789abcdef",
    }
    for what, path in names.items():
        age, owner = (5 if what == "young" else 500), (666 if what == "another's" else UID)
        grid.node.put(path, b"half a tok", owner=owner, age=age)
    grid.tool(node_timeout=60).push(service, NODE, UID)
    assert grid.node.log.count("scandir") == 1
    assert {what for what, path in names.items() if path in grid.node.files} == {
        "young", "another's", "other name", "another service's"
    }  # fmt: skip


def test_a_full_tmp_costs_no_push(grid: Any, service: Any) -> None:
    """Where the directory cannot be listed, the token is put there all the same."""
    grid.node.faults["scandir"] = "denied"
    assert len(grid.tool().push(service, NODE, UID)) == 3


def test_a_role_file_that_cannot_be_written_costs_no_token(grid: Any, service: Any) -> None:
    """Somebody else's file where the default role goes: the tokens are there, the role is not in the result."""
    role = f"/tmp/default_role_dune_{UID}"
    grid.node.put(role, b"analysis\n", owner=666)
    assert [it.path for it in grid.tool().push(service, NODE, UID)] == list(grid.tokens)
    assert bytes(grid.node.files[role].content) == b"analysis\n"


@pytest.mark.slow
def test_a_role_file_that_hangs_costs_no_token(grid: Any, service: Any) -> None:
    """The time for the node is over while the default role is written: the tokens are there, and told as placed."""
    role, asked = f"/tmp/default_role_dune_{UID}", grid.node.faults
    grid.node.log = Racing("posix_rename", lambda: asked.update({"open": "silent"}))
    found = grid.tool(node_timeout=8, operation_timeout=60).push(service, NODE, UID)
    assert [it.path for it in found] == list(grid.tokens)
    assert role not in grid.node.files


@pytest.mark.parametrize("path", ["", "tmp/role", "/tmp/../etc/role", "/tmp//role", "/tmp/a\nb"])
def test_a_role_file_only_goes_where_it_was_said(grid: Any, service: Any, path: str) -> None:
    """No path, a relative one, one with steps upwards in it: no role file is written."""
    found = grid.tool().push(service.model_copy(update={"role_file": path}), NODE, UID)
    assert [it.path for it in found] == list(grid.tokens)


def test_without_replacing_in_one_step_nothing_old_is_touched(grid: Any, service: Any) -> None:
    """No posix-rename and an old token there: refused. With none there, or when two steps are allowed, it is put."""
    grid.node.faults["posix_rename"] = "unsupported"
    grid.node.put(grid.tokens[0], b"hvs.old\n", owner=UID)
    with pytest.raises(Refused, match="cannot replace a file in one step"):
        grid.tool().push(service, NODE, UID)
    assert bytes(grid.node.files[grid.tokens[0]].content) == b"hvs.old\n"
    assert len(grid.node.in_directory()) == 1
    grid.tool(replace_in_two_steps=True).push(service, NODE, UID)
    assert {bytes(grid.node.files[path].content) for path in grid.tokens} == {f"{grid.token}\n".encode()}
    grid.node.files = {"/tmp": grid.node.files["/tmp"]}
    assert len(grid.tool().push(service, NODE, UID)) == 3


def test_a_node_that_cannot_flush_is_no_reason_to_stop(grid: Any, service: Any) -> None:
    """fsync is an extension: without it the token is put there."""
    grid.node.faults["fsync"] = "unsupported"
    assert len(grid.tool().push(service, NODE, UID)) == 3


def test_what_is_read_back_otherwise_is_thrown_away(grid: Any, service: Any) -> None:
    """A node that gives back something else than was written keeps its old token, and no draft."""
    grid.node.put(grid.tokens[0], b"hvs.old\n", owner=UID)
    grid.node.faults["read"] = "corrupt"
    with pytest.raises(Transient, match="is not what was written"):
        grid.tool().push(service, NODE, UID)
    assert {name: bytes(it.content) for name, it in grid.node.in_directory().items()} == {f"vt_u{UID}": b"hvs.old\n"}


def test_a_look_tells_missing_from_foreign(grid: Any, service: Any) -> None:
    """Nothing there: nothing in the result. Another's file or a link: in it, without a fingerprint, and unread."""
    assert grid.tool().placed(service, NODE, UID) == ()
    grid.node.put(grid.tokens[0], b"x", owner=666, mode=0o644)
    grid.node.link(grid.tokens[1], "/etc/passwd", owner=UID)
    found = grid.tool().placed(service, NODE, UID)
    assert [(it.path, it.fingerprint) for it in found] == [(path, "") for path in grid.tokens]
    assert "open" not in grid.node.log


@pytest.mark.parametrize(
    "wrong",
    [{"account": "-oProxyCommand=x"}, {"account": "a b"}, {"experiment": "../x"}, {"role": "a/b"}, {"account": "a\n"}],
    ids=str,
)
def test_names_that_could_mean_something_else_go_nowhere(grid: Any, service: Any, wrong: dict[str, str]) -> None:
    """An account or a service with signs that a path or a command would read otherwise is refused before a login."""
    with pytest.raises(Refused, match="This is no name"):
        grid.tool().push(service.model_copy(update=wrong), NODE, UID)
    assert grid.node.logins == 0


@pytest.mark.parametrize(("node", "uid"), [("-n1", UID), ("", UID), ("n1 n2", UID), (NODE, 0), (NODE, -1)])
def test_no_node_and_no_uid_are_refused(grid: Any, service: Any, node: str, uid: int) -> None:
    """What is no host name, and root's UID, are refused without a login."""
    with pytest.raises(Refused):
        grid.tool().push(service, node, uid)
    assert grid.node.logins == 0


def test_whether_a_node_is_up_is_seen_at_its_port(grid: Any) -> None:
    """True while sshd listens, False when nothing does."""
    tool = grid.tool()
    assert tool.reachable(NODE)
    grid.served.stop()
    assert not tool.reachable(NODE)


def test_where_a_node_really_is_can_be_told(grid: Any) -> None:
    """Its address, port and the folder, as the settings have them; nobody is asked."""
    tool = grid.tool(addresses={"a": "b.example.com", "c": "[::1]:2222"}, port=2022, directory="/tmp/")
    assert [tool.reader.there(node) for node in ("a", "b", "c")] == [
        "b.example.com:2022/tmp",
        "b:2022/tmp",
        "::1:2222/tmp",
    ]


def test_each_account_may_have_a_key_of_its_own(grid: Any, service: Any) -> None:
    """`{account}` in the path of a key's file stands for the service's account."""
    asked: list[Any] = []
    auth = {"method": "key", "private_key": {"file": "/keys/{account}/id"}, "passphrase": {"env": "PASSPHRASE"}}
    tool = grid.tool(auth=(auth,), asked=asked)
    assert len(tool.push(service, NODE, UID)) == 3
    assert [str(getattr(source, "file", source)) for source in asked] == ["/keys/dunepro/id", "env='PASSPHRASE'"]


def test_a_key_that_is_none_is_not_repeated(grid: Any, service: Any, canary: Any) -> None:
    """What cannot be read as a key is refused before a login, and nothing of it is told."""
    wrong = canary("what is no key")
    with pytest.raises(Refused, match="The SSH key for dunepro, or its certificate, cannot be read") as refused:
        grid.tool(private=wrong).push(service, NODE, UID)
    assert wrong not in str(refused.value)
    assert grid.node.logins == 0
