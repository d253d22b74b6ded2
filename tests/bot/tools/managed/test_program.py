"""Programs run without a shell, bounded, and leave neither processes nor folders behind."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from bot.core.secret import Secret
from bot.tools.private_folder import private_folder, sweep
from bot.tools.program import MOST, Ended, environment, run


def python(code: str, seconds: float = 10, **more: Any) -> Ended:
    return run([sys.executable, "-I", "-S", "-c", code], environment=environment({}), seconds=seconds, **more)


def test_what_it_prints_and_how_it_ends() -> None:
    """Both streams are kept, and the status; a program that is not there is no exception."""
    ended = python("import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)")
    assert (ended.how, ended.status) == ("ended", 3)
    assert {"out", "err"} == set(ended.output.split())
    assert "out" not in repr(ended)
    assert run(["/nowhere/program"], environment={}, seconds=1).how == "missing"


def test_a_shell_reads_nothing() -> None:
    """What would mean something to a shell is an argument like any other."""
    ended = run(
        [sys.executable, "-I", "-S", "-c", "import sys; print(sys.argv[1])", "$(id); `id`"], environment={}, seconds=10
    )
    assert ended.output.strip() == "$(id); `id`"


def test_a_secret_goes_in_by_its_input(canary: Any) -> None:
    """And comes neither in the arguments nor in the environment."""
    secret = canary("given")
    ended = python("import sys; print(len(sys.stdin.read()))", given=Secret(secret))
    assert ended.output.strip() == str(len(secret))


def test_the_environment_is_small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tokens of the bot's environment do not come through."""
    monkeypatch.setenv("SLACK_TEST_TOKEN", "made-up")
    monkeypatch.setenv("KRB5CCNAME", "FILE:/of/somebody/else")
    ended = python("import os; print(sorted(os.environ))")
    assert "SLACK" not in ended.output and "KRB5CCNAME" not in ended.output  # noqa: PT018


def test_long_output_is_cut() -> None:
    """It costs no more memory than what is kept, and does not stop the program."""
    ended = python(f"print('x' * {MOST * 10}); raise SystemExit(3)")
    assert (ended.status, len(ended.output)) == (3, MOST)


@pytest.mark.parametrize("ending", ["time.sleep(60)", "pass"], ids=["late", "ended"])
def test_children_are_killed_too(tmp_path: Path, ending: str) -> None:
    """Also one that outlives its parent, and holds the output open."""
    note = tmp_path / "pid"
    note.write_text("")
    child = f"import os, time; open({str(note)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    wait = f"\nwhile not os.path.getsize({str(note)!r}): time.sleep(0.01)\n"
    code = f"import os, subprocess, sys, time\nsubprocess.Popen([sys.executable, '-I', '-S', '-c', {child!r}]){wait}{ending}"
    for seconds in (0.4, 4.0, 40.0):  # a busy machine may not come to the child sooner
        ended = python(code, seconds=seconds)
        if note.read_text() and (ended.how == "ended" or ending != "pass"):
            break
    assert ended.how == ("ended" if ending == "pass" else "late")
    assert _gone(int(note.read_text()))


def _gone(process: int) -> bool:
    """Within ten seconds; whoever inherits it may take a while to read how it ended."""
    ends = time.monotonic() + 10
    while time.monotonic() < ends:
        try:
            state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state == "Z":
            return True
        time.sleep(0.01)
    return False


def test_a_private_folder(tmp_path: Path) -> None:
    """Nobody else may look into it, and it is gone afterwards, also after an error."""
    with suppress(RuntimeError), private_folder(tmp_path) as folder:
        (folder / "ticket").write_text("x")
        assert folder.stat().st_mode & 0o777 == 0o700
        raise RuntimeError
    assert [*tmp_path.iterdir()] == []


def test_what_a_killed_process_left_is_swept(tmp_path: Path) -> None:
    """Of processes that are no more, and no other folder or link."""
    ended = subprocess.Popen(["/bin/true"])
    ended.wait()
    left, link = tmp_path / f"hivekeeper-{ended.pid}-abcd1234", tmp_path / f"hivekeeper-{ended.pid}-efgh5678"
    before, lives, other = (
        tmp_path / f"hivekeeper-{os.getpid()}-abcd1234",
        tmp_path / f"hivekeeper-{os.getppid()}-x_x_",
        tmp_path / "else",
    )
    for folder in (left, before, lives, other):
        folder.mkdir()
        (folder / "ticket").write_text("x")
    link.symlink_to(other)
    with private_folder(tmp_path) as ours:
        assert sweep(tmp_path) == 2
        assert not left.exists()
        assert not before.exists()
        assert ours.exists() and lives.exists() and (other / "ticket").exists()  # noqa: PT018
