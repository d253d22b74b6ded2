"""Fixtures for all tests: the canary that looks for secrets after a test, and the servers a test may need."""

from __future__ import annotations

import base64
import ctypes
import gc
import glob
import os
import pwd
import random
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, settings
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite

from playground.broken import unused_port
from tests.kdc import kdc, kerberos
from tests.kube import kube
from tests.sshd import make_sshd

__all__ = ["kdc", "kerberos", "kube", "make_sshd"]  # fixtures of Kerberos, of a Kubernetes API server, and of sshd

# A busy machine is no defect: what takes long is for the benchmarks to say.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("quick", settings.get_profile("patient"), max_examples=12)  # for `scripts/test fast`
settings.load_profile("patient")

ON_CI = bool(os.environ.get("CI"))


# Statements were compiled anew for the SQLite of each test, which took a tenth of the tests' time. What is compiled is
# looked up by its dialect and its statement: here every SQLite speaks the same one, and they share what is compiled.
SQLiteDialect_pysqlite.__eq__ = lambda self, other: type(self) is type(other)  # type: ignore[method-assign]
SQLiteDialect_pysqlite.__hash__ = lambda self: hash(type(self))  # type: ignore[method-assign]
COMPILED: dict[object, object] = {}


@sa.event.listens_for(sa.Engine, "engine_connect")
def _compile_once(connection: sa.Connection) -> None:
    if isinstance(connection.dialect, SQLiteDialect_pysqlite):
        connection.execution_options(compiled_cache=COMPILED)


# Looking for garbage was a fifth of the tests' time: it is looked for less often, and not among what stays to the end.
gc.disable()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Contracts, stand-ins, Amazon, pushes over SSH, broken servers, and handlers in a world of several are about servers,
    whichever it is that answers; what is proposed at a terminal is about a bot beside it: no part of the fast tests.

    Modules that take long come first: short ones fill up what is left of each worker's time at the end."""
    names = ("contracts", "playground", "bot/tools/nodes", "bot/tools/aws", "bot/cli/test_propose.py")
    about_servers = [Path(__file__).parent / name for name in names]
    modules = {
        path
        for path in {item.path for item in items}
        if path.stem.endswith("faults") or any(path.is_relative_to(folder) for folder in about_servers)
    }
    for item in items:
        if item.path in modules or ("handlers" in item.path.parts and "world" in getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.slow)
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: (item.path not in slow, "system" not in item.path.parts))


def pytest_collection_finish() -> None:
    """What was imported and collected stays."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    gc.enable()


class Canary:
    """Makes up secrets and remembers them. After the test no log, file, argument or environment may hold one."""

    def __init__(self) -> None:
        self._words: dict[str, str] = {}
        self._watched: list[tuple[str, Callable[[], str]]] = []
        self._allowed: list[Path] = []

    def __call__(self, name: str) -> str:
        """A made-up secret."""
        return self.add(name, f"canary{secrets.token_hex(12)}")

    def add(self, name: str, secret: str) -> str:
        """Look for this secret too. Of a JWT only the signature is secret: its claims may be shown."""
        self._words[name] = secret.rsplit(".", 1)[-1] if secret.count(".") == 2 else secret
        return secret

    def watch(self, name: str, text: Callable[[], str]) -> None:
        """Search this text too, taken after the test (the traffic of a stand-in, say)."""
        self._watched.append((name, text))

    def may_hold(self, path: Path) -> None:
        """This file or folder is where secrets live in this test (a secret file, a stand-in's disk)."""
        self._allowed.append(path)

    def leaks(self, folder: Path, log: str) -> list[str]:
        """Where a secret was found: names of the secret and of the place, never the secret."""
        places: list[tuple[str, bytes]] = [("the log", log.encode(errors="replace"))]
        places += [(name, text().encode(errors="replace")) for name, text in self._watched]
        places += [(str(p.relative_to(folder)), p.read_bytes()) for p in self._files(folder)]
        places += list(_processes())
        whole = b"\0".join(content for _, content in places)
        sought = [(name, needle) for name, word in self._words.items() for needle in needles(word) if needle in whole]
        found = [f"{name} in {place}" for place, content in places for name, needle in sought if needle in content]
        return list(dict.fromkeys(found))

    def _files(self, folder: Path) -> Iterator[Path]:
        for path in folder.rglob("*"):
            if path.is_file() and not path.is_symlink() and not any(path.is_relative_to(a) for a in self._allowed):
                yield path


def needles(word: str) -> list[bytes]:
    """A word as it looks plain, in hex, and inside base64 at each of the three alignments."""
    raw = word.encode()
    found = [raw, raw.hex().encode(), raw[::-1]]
    for shift in range(3):
        encoded = base64.b64encode(b"x" * shift + raw)
        found.append(encoded[4 if shift else 0 : len(encoded) - 4])
    return found


def _processes() -> Iterator[tuple[str, bytes]]:
    """Arguments of every process that is younger than these tests, and the environment of this one's descendants."""
    pids = [int(name) for name in os.listdir("/proc") if name.isdecimal() and name not in OLDER]
    for pid in pids:
        yield f"arguments of process {pid}", _of_process(pid, "cmdline")
    for pid in _descendants(os.getpid(), pids):
        yield f"environment of process {pid}", _of_process(pid, "environ")


OLDER = frozenset(os.listdir("/proc"))  # these ran before any secret was made up


def _of_process(pid: int, file: str) -> bytes:
    """Nothing of a process that has ended. Read without pathlib: it is done after each test."""
    try:
        with open(f"/proc/{pid}/{file}", "rb", buffering=0) as opened:
            return opened.readall()
    except OSError:
        return b""


def _descendants(root: int, pids: list[int]) -> set[int]:
    parents: dict[int, int] = {}
    for pid in pids:
        if told := _of_process(pid, "stat"):
            parents[pid] = int(told.rsplit(b")", 1)[1].split()[1])
    found = {root}
    while True:
        more = {pid for pid, parent in parents.items() if parent in found} - found
        if not more:
            return found - {root}
        found |= more


@pytest.fixture
def canary(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Iterator[Canary]:
    """Secrets that must not be found anywhere after the test."""
    made = Canary()
    yield made
    leaks = made.leaks(tmp_path, "\n".join(r.getMessage() for r in caplog.get_records("call")) + caplog.text)
    assert not leaks, f"secrets got out: {leaks}"


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trust and proxies of the machine must not decide what a test sees."""
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    for name in [
        n for n in os.environ if n.startswith(("HIVEKEEPER_SETTINGS", "HIVEKEEPER_STORE", "SLACK_", "VAULT_"))
    ]:
        monkeypatch.delenv(name)


@pytest.fixture(scope="session", autouse=True)
def _their_own_numbers() -> Iterator[None]:
    """The WebSockets of a Slack that is kept for the next test are pinged meanwhile, from threads that would take their
    numbers from the generator that Hypothesis holds still: it would blame the strategy of whatever test runs."""
    from uvicorn.protocols.websockets import websockets_sansio_impl
    from websockets.asyncio import connection

    with pytest.MonkeyPatch.context() as patch:
        for module in (connection, websockets_sansio_impl):
            patch.setattr(module, "random", random.Random())
        yield


@pytest.fixture(scope="session")
def server_binary() -> Callable[[str], str]:
    """`server_binary("postgres")`: the path of a server's program; the test is skipped, by name, where there is none.

    On CI there is no skipping: a missing server is a failure.
    """

    def find(name: str) -> str:
        folders = [*sorted(glob.glob("/usr/lib/postgresql/*/bin"), reverse=True), "/usr/sbin"]
        found = shutil.which(name) or next((p for f in folders if os.path.exists(p := f"{f}/{name}")), None)
        if found is None and ON_CI:
            pytest.fail(f"{name} is not installed, and CI skips nothing")
        if found is None:
            pytest.skip(f"{name} is not installed here: scripts/servers tells how")
        return found

    return find


def unprivileged() -> None:
    """In the child: PostgreSQL refuses root, and ends with the tests."""
    if os.getuid() == 0:
        nobody = pwd.getpwnam("nobody")
        os.setgroups([])
        os.setgid(nobody.pw_gid)
        os.setuid(nobody.pw_uid)
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


@pytest.fixture(scope="session")
def postgresql(server_binary: Callable[[str], str]) -> Iterator[str]:
    """The address of a real PostgreSQL, once for all tests: its user is `postgres`, without a password, on loopback."""
    initdb, postgres = server_binary("initdb"), server_binary("postgres")
    folder = Path(tempfile.mkdtemp(prefix="hk-pg-"))
    if os.getuid() == 0:
        shutil.chown(folder, "nobody")
    arguments = [initdb, "-D", folder / "d", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]
    subprocess.run(arguments, preexec_fn=unprivileged, check=True, stdout=subprocess.DEVNULL, cwd="/")
    port = unused_port()
    options = ["listen_addresses=127.0.0.1", f"unix_socket_directories={folder}", "fsync=off", "full_page_writes=off",
               "synchronous_commit=off", "shared_buffers=32MB"]  # fmt: skip
    command = [postgres, "-D", folder / "d", "-p", str(port), *(word for o in options for word in ("-c", o))]
    server = subprocess.Popen(command, preexec_fn=unprivileged, stderr=subprocess.DEVNULL, cwd="/")  # noqa: PLW1509 - the child only gives up rights
    address = f"postgresql+psycopg://postgres@127.0.0.1:{port}/postgres"
    _answers(server, address)
    yield address
    server.send_signal(signal.SIGINT)
    server.wait(20)
    shutil.rmtree(folder, ignore_errors=True)


def _answers(server: subprocess.Popen[bytes], address: str) -> None:
    engine, end = sa.create_engine(address, poolclass=sa.NullPool), time.monotonic() + 60
    while server.poll() is None and time.monotonic() < end:
        try:
            engine.connect().close()
        except sa.exc.OperationalError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError("PostgreSQL did not start")


@pytest.fixture
def database(postgresql: str) -> str:
    """The address of a fresh database there."""
    name = f"d{secrets.token_hex(8)}"
    engine = sa.create_engine(postgresql, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with engine.connect() as conn:
        conn.execute(sa.text(f"CREATE DATABASE {name}"))
    return f"{postgresql.rpartition('/')[0]}/{name}"
