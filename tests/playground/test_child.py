"""The bot's process: kept alive, ended with us, and given a clean environment."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from playground.child import Child, clean_environment

pytestmark = pytest.mark.slow  # processes are started and killed
WAITS = "import os, signal, sys; print(os.getpid(), flush=True); signal.pause()"


@pytest.fixture
def child(tmp_path: Path) -> Iterator[Child]:
    made = Child([sys.executable, "-c", WAITS], folder=tmp_path, output=tmp_path / "log", environment=clean_environment(),
                 pause=0.01)  # fmt: skip
    yield made
    made.close()


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def printed(child: Child, folder: Path, starts: int, until: Any) -> int:
    """The pid that the child printed at its latest start."""
    lines = lambda: (folder / "log").read_text().split() if (folder / "log").exists() else []  # noqa: E731
    until(lambda: len(lines()) >= starts)
    return int(lines()[-1])


def test_comes_back_after_a_kill(child: Child, tmp_path: Path, until: Any) -> None:
    """A child that was killed is started again, as another process."""
    child.start()
    first = printed(child, tmp_path, 1, until)
    child.kill()
    second = printed(child, tmp_path, 2, until)
    assert first != second
    assert not alive(first)


def test_held_child_stays_down(child: Child, tmp_path: Path, until: Any) -> None:
    """A held child is down until it is started."""
    child.start()
    first = printed(child, tmp_path, 1, until)
    child.hold()
    assert not alive(first)
    assert child.pid is None
    child.start()
    printed(child, tmp_path, 2, until)


def test_close_leaves_nothing(child: Child, tmp_path: Path, until: Any) -> None:
    """After `close` the process is gone and none follows."""
    child.start()
    pid = printed(child, tmp_path, 1, until)
    child.close()
    assert not alive(pid)
    assert child.starts == 1


def test_dies_with_its_parent(tmp_path: Path, until: Any) -> None:
    """When whoever started it is killed, the child is gone as well."""
    program = (
        "import sys, signal; from pathlib import Path; from playground.child import Child\n"
        f"folder = Path({str(tmp_path)!r})\n"
        f"Child([sys.executable, '-c', {WAITS!r}], folder=folder, output=folder / 'log', environment={{}}).start()\n"
        "signal.pause()"
    )
    parent = subprocess.Popen([sys.executable, "-c", program])
    log = tmp_path / "log"
    until(lambda: log.exists() and log.read_text().strip())
    pid = int(log.read_text())
    parent.send_signal(signal.SIGKILL)
    parent.wait(60)
    until(lambda: not alive(pid))


def test_environment_is_clean(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither tokens nor settings nor proxies of whoever runs the demo reach the bot."""
    for name in ("VAULT_TOKEN", "SLACK_BOT_TOKEN", "HIVEKEEPER_VAULT_ADDRESS", "HTTPS_PROXY", "REQUESTS_CA_BUNDLE"):
        monkeypatch.setenv(name, "made-up")
    assert "made-up" not in clean_environment().values()
