"""Reading, writing, putting back and tidying up in Vault, over HTTP against the stand-in."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as with_settings
from hypothesis import strategies as st

from bot.core.errors import Drifted, Refused, Transient
from bot.core.secret import Secret
from bot.tools.fingerprints import KeyedFingerprints
from bot.tools.vault import Vault
from bot.tools.vault_kv import checked
from playground.vault import VaultStandIn

FINGERPRINTS = KeyedFingerprints(Secret("a key for these tests only"))
RUN = "r-20261122-7"
PATHS = ("sd-uhc/sandbox", "kv/sandbox")  # one in version 1 of the engine, one in version 2


def mark(value: str) -> str:
    return FINGERPRINTS.of(Secret(value))


@pytest.mark.parametrize("path", PATHS)
def test_fields_are_read_and_what_is_missing_is_told(
    path: str, stand_in: VaultStandIn, vault: Vault, canary: Any
) -> None:
    """A field comes back whole; a missing field or path is None for `find` and a sentence with the place for `read`."""
    config = canary("config")
    stand_in.put(path, {"config": config, "empty": ""})
    assert vault.read(path, "config").reveal() == config
    assert vault.read(path, "empty").reveal() == ""
    assert vault.find(path, "nope") is None
    assert vault.find(path + "/nope", "config") is None
    assert vault.fields(path) == {"config", "empty"}
    assert vault.fields(path + "/nope") == frozenset()
    with pytest.raises(Refused, match=f"{path} in Vault has no field nope"):
        vault.read(path, "nope")
    with pytest.raises(Refused, match=f"nothing at {path}/nope in Vault"):
        vault.read(path + "/nope", "config")


def test_a_time_is_read_and_nothing_else(stand_in: VaultStandIn, vault: Vault, canary: Any) -> None:
    """What a run noted beside a secret; a secret there, a number, or nothing is no time."""
    for path in PATHS:
        stand_in.put(path, {"at": "2026-01-31T12:00:00Z", "secret": canary("no time"), "number": 20260131})
        assert vault.reader.stamp(path, "at") == 1769860800
        assert vault.stamp(path, "at") == 1769860800
        assert [vault.stamp(path, name) for name in ("secret", "number", "nope")] == [None, None, None]
    assert vault.stamp("kv/nothing", "at") is None


def test_nested_mounts_are_told_apart(stand_in: VaultStandIn, vault: Vault) -> None:
    """A path below a longer mount is read there, in that mount's version."""
    stand_in.put("app-sre/integrations-output/a/b", {"token": "one"})
    stand_in.put("app-sre/other/b", {"token": "two"})
    assert vault.read("app-sre/integrations-output/a/b", "token").reveal() == "one"
    assert vault.read("app-sre/other/b", "token").reveal() == "two"


@pytest.mark.parametrize("path", PATHS)
def test_neighbours_keep_their_values_and_types(path: str, stand_in: VaultStandIn, vault: Vault) -> None:
    """A write changes the named fields and nothing else, whatever JSON lies beside them."""
    others: dict[str, Any] = {"number": 7, "float": 1.5, "yes": True, "list": [1, {"a": None}], "text": "ü"}
    stand_in.put(path, {"token": "old", **others})
    vault.write(path, {"token": Secret("new"), "more": Secret("x")}, run=RUN)
    assert stand_in.get(path) == {"token": "new", "more": "x", **others}
    now = stand_in.get(path)
    assert now is not None
    assert [type(now[name]) for name in others] == [type(value) for value in others.values()]


@pytest.mark.parametrize("path", PATHS)
def test_a_write_is_put_back(path: str, stand_in: VaultStandIn, vault: Vault) -> None:
    """After `restore` every field is as before, also those of other types, and later changes of neighbours stay."""
    before: dict[str, Any] = {"token": "old", "number": 7, "other": "x"}
    stand_in.put(path, before)
    was = {"token": mark("old"), "number": mark("7"), "new": None}
    vault.write(path, {"token": Secret("1"), "number": Secret("2"), "new": Secret("3")}, run=RUN)
    now = stand_in.get(path)
    assert now is not None
    stand_in.put(path, now | {"other": "changed meanwhile"})
    vault.restore(path, was, run=RUN)
    assert stand_in.get(path) == before | {"other": "changed meanwhile"}


@pytest.mark.parametrize("path", PATHS)
def test_restore_without_a_write_does_nothing(path: str, stand_in: VaultStandIn, vault: Vault) -> None:
    """`restore` for a run that never wrote sends no write."""
    stand_in.put(path, {"token": "old"})
    vault.restore(path, {"token": mark("old"), "new": None}, run=RUN)
    assert {entry.method for entry in stand_in.log} == {"GET"}


@pytest.mark.parametrize("path", PATHS)
def test_a_path_that_was_not_there_is_empty_again(path: str, stand_in: VaultStandIn, vault: Vault) -> None:
    """Undoing the first write of a path leaves no field behind."""
    vault.write(path, {"token": Secret("new")}, run=RUN)
    vault.restore(path, {"token": None}, run=RUN)
    assert vault.fields(path) == frozenset()


@pytest.mark.parametrize("path", PATHS)
def test_writing_again_after_a_crash_changes_nothing(path: str, stand_in: VaultStandIn, vault: Vault) -> None:
    """The second call of one run writes nothing, and what it saved first is still what it puts back."""
    stand_in.put(path, {"token": "old"})
    vault.write(path, {"token": Secret("new")}, run=RUN)
    stand_in.log.clear()
    vault.write(path, {"token": Secret("new")}, run=RUN)
    assert {entry.method for entry in stand_in.log} == {"GET"}
    vault.restore(path, {"token": mark("old")}, run=RUN)
    assert stand_in.get(path) == {"token": "old"}


def test_the_backup_of_a_run_is_never_overwritten(stand_in: VaultStandIn, vault: Vault) -> None:
    """KV 1: a second write of the same run, after the document changed, keeps the first backup."""
    stand_in.put(PATHS[0], {"token": "old", "other": [1]})
    vault.write(PATHS[0], {"token": Secret("new")}, run=RUN)
    vault.write(PATHS[0], {"token": Secret("newer")}, run=RUN)
    assert stand_in.get(f"{PATHS[0]}-before-{RUN}") == {"token": "old", "other": [1]}


@pytest.mark.parametrize("path", PATHS)
def test_retire_removes_the_backup_and_nothing_else(path: str, stand_in: VaultStandIn, vault: Vault) -> None:
    """After `retire` only the documents themselves are there, and it may be called again."""
    stand_in.put(path, {"token": "old"})
    stand_in.put(path + "-before-r-other", {"token": "another run's"})
    vault.write(path, {"token": Secret("new")}, run=RUN)
    for _ in range(2):
        vault.retire(path, run=RUN)
    assert stand_in.paths() == [path, path + "-before-r-other"]
    assert stand_in.get(path) == {"token": "new"}


def test_a_lost_backup_is_drift(stand_in: VaultStandIn, vault: Vault) -> None:
    """KV 1: when the backup is gone the value cannot be put back, and that is said by field and path."""
    stand_in.put(PATHS[0], {"token": "old"})
    vault.write(PATHS[0], {"token": Secret("new")}, run=RUN)
    vault.retire(PATHS[0], run=RUN)
    with pytest.raises(Drifted, match="earlier value of token at sd-uhc/sandbox is no longer in Vault"):
        vault.restore(PATHS[0], {"token": mark("old")}, run=RUN)
    assert stand_in.get(PATHS[0]) == {"token": "new"}


def test_old_versions_that_were_pruned_are_drift(stand_in: VaultStandIn, vault: Vault) -> None:
    """KV 2: a value that only a pruned version held is Drifted; one in any older kept version is found."""
    for number in range(14):
        stand_in.put(PATHS[1], {"token": str(number)})
    vault.restore(PATHS[1], {"token": mark("6")}, run=RUN)
    assert stand_in.get(PATHS[1]) == {"token": "6"}
    with pytest.raises(Drifted):
        vault.restore(PATHS[1], {"token": mark("2")}, run=RUN)


def test_a_path_without_history_is_not_changed(stand_in: VaultStandIn, vault: Vault) -> None:
    """KV 2 with max_versions 1: nothing could be undone, so the old value is there again and the reason is told."""
    engine: Any = stand_in.mounts["kv"]
    engine.max_versions = 1
    stand_in.put(PATHS[1], {"token": "old", "n": 1})
    with pytest.raises(Refused, match="keeps only its newest version"):
        vault.write(PATHS[1], {"token": Secret("new")}, run=RUN)
    assert stand_in.get(PATHS[1]) == {"token": "old", "n": 1}


def test_deleted_counts_as_missing_and_can_be_written(stand_in: VaultStandIn, vault: Vault) -> None:
    """KV 2: a soft-deleted document reads as nothing, is written with the right check-and-set, and put back."""
    stand_in.put(PATHS[1], {"token": "old"})
    engine: Any = stand_in.mounts["kv"]
    engine.keys["sandbox"].versions[1].deleted = "2026-01-01T00:00:00Z"
    assert vault.find(PATHS[1], "token") is None
    vault.write(PATHS[1], {"token": Secret("new")}, run=RUN)
    assert stand_in.get(PATHS[1]) == {"token": "new"}
    assert engine.keys["sandbox"].current == 2


def test_two_writers_lose_nothing(stand_in: VaultStandIn, open_it: Any) -> None:
    """KV 2: two processes that write different fields of one path at once both find their fields there."""
    writers = [open_it() for _ in range(2)]
    problems: list[Exception] = []
    together, first = threading.Barrier(2, timeout=60), iter([True, True])

    def meet(path: str, moment: str) -> None:
        if moment == "before" and next(first, False):
            together.wait()  # each has read, none has written

    def write(which: int) -> None:
        try:
            for number in range(10):
                writers[which].write(PATHS[1], {f"{which}-{number}": Secret(str(number))}, run=f"{RUN}-{which}")
        except Exception as problem:
            problems.append(problem)
            together.abort()

    stand_in.on_write = meet
    threads = [threading.Thread(target=write, args=(which,)) for which in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not problems
    assert vault_fields(stand_in, PATHS[1]) == {f"{w}-{n}" for w in range(2) for n in range(10)}
    assert any(entry.status == 400 for entry in stand_in.log), "the writers never met; the test proved nothing"


def test_writers_who_come_after_are_not_taken_back(stand_in: VaultStandIn, vault: Vault) -> None:
    """KV 2: others write so often right after us that the version before ours is gone. Their writes stay."""
    stand_in.put(PATHS[1], {"x": "y"})
    ours = iter([True])

    def meddle(path: str, moment: str) -> None:
        if moment == "after" and next(ours, False):
            for number in range(12):
                stand_in.put(PATHS[1], {"theirs": str(number)})

    stand_in.on_write = meddle
    vault.write(PATHS[1], {"a": Secret("1")}, run=RUN)
    assert vault_fields(stand_in, PATHS[1]) == {"theirs"}


def test_threads_of_one_process_lose_nothing_in_kv1(stand_in: VaultStandIn, vault: Vault) -> None:
    """KV 1 has no check-and-set, so writes of one process to one path wait for each other."""
    stand_in.put(PATHS[0], {"x": "y"})
    jobs = [
        threading.Thread(target=vault.write, args=(PATHS[0], {f"f{n}": Secret("v")}), kwargs={"run": RUN})
        for n in range(6)
    ]
    for job in jobs:
        job.start()
    for job in jobs:
        job.join(60)
    assert vault_fields(stand_in, PATHS[0]) == {"x", *(f"f{n}" for n in range(6))}


def test_a_writer_that_never_gets_through_says_so(stand_in: VaultStandIn, vault: Vault) -> None:
    """KV 2: when somebody else writes before each of our writes, the error says who has to wait and nothing is lost."""
    stand_in.put(PATHS[1], {"n": 0})
    stand_in.on_write = lambda path, moment: stand_in.put(PATHS[1], {"n": 1}) if moment == "before" else None
    with pytest.raises(Transient, match="Someone else keeps writing kv/sandbox"):
        vault.write(PATHS[1], {"token": Secret("new")}, run=RUN)
    assert stand_in.get(PATHS[1]) == {"n": 1}


def test_someone_else_writing_the_same_field_in_kv1_is_drift(stand_in: VaultStandIn, vault: Vault) -> None:
    """KV 1: our field changed between our look and our write: nothing is written over it."""
    stand_in.put(PATHS[0], {"token": "old"})

    def meddle(path: str, moment: str) -> None:
        if path.endswith(RUN) and moment == "after":
            stand_in.put(PATHS[0], {"token": "theirs"})

    stand_in.on_write = meddle
    with pytest.raises(Drifted, match="Someone else is writing sd-uhc/sandbox"):
        vault.write(PATHS[0], {"token": Secret("ours")}, run=RUN)
    assert stand_in.get(PATHS[0]) == {"token": "theirs"}


def test_a_neighbour_that_someone_writes_meanwhile_in_kv1_stays(stand_in: VaultStandIn, vault: Vault) -> None:
    """KV 1: the document is read again right before the write, so what others set since our look is not lost."""
    stand_in.put(PATHS[0], {"token": "old", "x": "y"})

    def meddle(path: str, moment: str) -> None:
        if path.endswith(RUN) and moment == "after":
            stand_in.put(PATHS[0], {"token": "old", "x": "theirs", "z": "new"})

    stand_in.on_write = meddle
    vault.write(PATHS[0], {"token": Secret("ours")}, run=RUN)
    assert stand_in.get(PATHS[0]) == {"token": "ours", "x": "theirs", "z": "new"}


def test_our_own_write_that_lands_late_in_kv1_is_no_drift(stand_in: VaultStandIn, vault: Vault) -> None:
    """KV 1: an earlier try, given up for its slow answer, is stored while the next one runs: all is as was wanted."""
    stand_in.put(PATHS[0], {"token": "old", "x": "y"})

    def land(path: str, moment: str) -> None:
        if path.endswith(RUN) and moment == "after":
            stand_in.put(PATHS[0], {"token": "ours", "x": "y"})

    stand_in.on_write = land
    vault.write(PATHS[0], {"token": Secret("ours")}, run=RUN)
    assert stand_in.get(PATHS[0]) == {"token": "ours", "x": "y"}


def test_a_mount_that_changes_its_version_is_noticed(stand_in: VaultStandIn, vault: Vault) -> None:
    """After a mount was upgraded to version 2 the next read and write use version 2, without a restart."""
    stand_in.put(PATHS[0], {"token": "old"})
    assert vault.read(PATHS[0], "token").reveal() == "old"
    stand_in.mounts["sd-uhc"] = VaultStandIn.of({"sd-uhc": 2}).mounts["sd-uhc"]
    stand_in.put(PATHS[0], {"token": "in two"})
    assert vault.read(PATHS[0], "token").reveal() == "in two"
    vault.write(PATHS[0], {"token": Secret("new")}, run=RUN)
    assert stand_in.get(PATHS[0]) == {"token": "new"}
    assert stand_in.paths() == [PATHS[0]]


@pytest.mark.parametrize("path", PATHS)
def test_the_version_is_found_without_the_mount_listing(path: str, stand_in: VaultStandIn, vault: Vault) -> None:
    """Where Vault does not tell about mounts, its configuration path and its 404 warning still tell the version."""
    stand_in.tells_mounts = False
    stand_in.put(path, {"token": "old"})
    vault.write(path, {"token": Secret("new")}, run=RUN)
    assert stand_in.get(path) == {"token": "new"}


def test_the_404_warning_alone_tells_version_2(stand_in: VaultStandIn, vault: Vault) -> None:
    """Neither mounts nor configuration may be read: the warning for a path without data/ is enough."""
    stand_in.tells_mounts = False
    stand_in.deny("kv/config")
    stand_in.put(PATHS[1], {"token": "old"})
    assert vault.read(PATHS[1], "token").reveal() == "old"


def test_the_reader_cannot_write(vault: Vault) -> None:
    """What planning gets has no method that changes anything."""
    public = {name for name in dir(vault.reader) if not name.startswith("_")}
    assert public == {"read", "find", "fields", "stamp"}
    with pytest.raises(AttributeError):
        vault.reader.write = vault.write  # type: ignore[attr-defined]  # that is the claim


@pytest.mark.parametrize("path", ["sandbox", "", "/", "sd-uhc/", "sd-uhc/../sys/auth", "sd-uhc//x", "a/./b", "a/b\n", "a/b\x00", "a/" + "x" * 600])  # fmt: skip
def test_what_is_no_path_is_refused_before_anything_is_sent(path: str, stand_in: VaultStandIn, vault: Vault) -> None:
    """Paths that Vault or HTTP would read as something else never leave."""
    for call in (lambda: vault.find(path, "x"), lambda: vault.write(path, {"x": Secret("y")}, run=RUN)):
        with pytest.raises(Refused):
            call()
    assert not stand_in.log


@pytest.mark.parametrize("run", ["", "../x", "A", "a/b", "a" * 65])
def test_what_is_no_run_is_refused(run: str, stand_in: VaultStandIn, vault: Vault) -> None:
    """The name of a run becomes a path, so it must be one."""
    with pytest.raises(Refused, match="not the name of a run"):
        vault.write(PATHS[0], {"x": Secret("y")}, run=run)
    assert not stand_in.log


@pytest.mark.parametrize("name", ["a b", "ü", "100%", "q?x=1", "h#h", "a;b", "a+b", "%2e%2e"])
def test_unusual_names_arrive_as_they_are(name: str, stand_in: VaultStandIn, vault: Vault) -> None:
    """A path with characters that URLs use for themselves reaches the document of that very name."""
    for mount in ("sd-uhc", "kv"):
        vault.write(f"{mount}/{name}", {"token": Secret("x")}, run=RUN)
        assert stand_in.get(f"{mount}/{name}") == {"token": "x"}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
DOCUMENTS = st.dictionaries(st.sampled_from("abcdef"), JSON, min_size=1, max_size=4)
VALUES = st.dictionaries(st.sampled_from("abcdef"), TEXT, min_size=1, max_size=3)


@pytest.mark.parametrize("path", PATHS)
@with_settings(
    max_examples=with_settings.default.max_examples // 12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(document=DOCUMENTS, values=VALUES)
def test_write_and_restore_come_back_to_the_same_document(
    path: str, document: dict[str, Any], values: dict[str, str], stand_in: VaultStandIn, vault: Vault
) -> None:
    """For any document and any fields: written is exactly those fields, and restored is exactly the document."""
    for mount in ("sd-uhc", "kv"):
        stand_in.mounts[mount] = VaultStandIn.of({mount: 1 if mount == "sd-uhc" else 2}).mounts[mount]
    stand_in.put(path, document)
    was = {n: None if (found := vault.find(path, n)) is None else FINGERPRINTS.of(found) for n in values}
    vault.write(path, {name: Secret(value) for name, value in values.items()}, run=RUN)
    assert stand_in.get(path) == document | values
    vault.restore(path, was, run=RUN)
    nulls = {name for name, value in document.items() if value is None and name in values}
    assert (stand_in.get(path) or {}) == {n: v for n, v in document.items() if n not in nulls}


@given(st.text())
def test_no_text_breaks_the_check_of_paths(text: str) -> None:
    """A path is either given back with its slashes trimmed or refused in words."""
    try:
        assert checked(text) == text.strip("/")
    except Refused as refused:
        assert refused.what


def vault_fields(stand_in: VaultStandIn, path: str) -> set[str]:
    return set(stand_in.get(path) or {})
