"""Programs run without a shell, bounded, and leave neither processes nor folders behind."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from bot.core.errors import Refused
from bot.core.secret import Secret
from bot.tools.orphans import Watch, watch
from bot.tools.private_folder import private_folder, sweep
from bot.tools.program import MARK, MOST, Ended, environment, run
from playground.child import leashed


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


def test_a_child_that_left_the_group_is_killed_too(tmp_path: Path) -> None:
    """When time is over, also one that has made itself a session of its own; another program's lives on."""
    note = tmp_path / "pid"
    note.write_text("")
    child = f"import os, time; open({str(note)!r}, 'w').write(str(os.getpid())); time.sleep(600)"
    start = f"subprocess.Popen([sys.executable, '-I', '-S', '-c', {child!r}], start_new_session=True)"
    code = f"import subprocess, sys, time\n{start}\ntime.sleep(600)"
    other = subprocess.Popen(["sleep", "600"], env=watch.marked({MARK: "another"}), start_new_session=True)
    for seconds in (0.4, 4.0, 40.0):  # a busy machine may not come to the child sooner
        if python(code, seconds=seconds).how == "late" and note.read_text():
            break
    assert _gone(int(note.read_text()))
    assert other.poll() is None
    other.kill()
    other.wait()


def _gone(process: int) -> bool:
    """Within a minute; whoever inherits it may take a while to read how it ended."""
    ends = time.monotonic() + 60
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


HOLDS = """
import os, signal, sys, time
from pathlib import Path
from bot.tools.private_folder import also_remove, private_folder
with private_folder(Path(sys.argv[1])) as folder:
    (folder / "ticket").write_text("x")
    also_remove(folder, [Path(each) for each in sys.argv[2:]])
    print(folder, flush=True)
    sys.stdin.read()
"""


@contextmanager
def holder(within: Path, *elsewhere: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """A process with a private folder, and that folder."""
    command = leashed([sys.executable, "-c", HOLDS, str(within), *map(str, elsewhere)])
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        yield process, Path(process.stdout.readline().strip())


def test_what_a_killed_process_left_is_swept(tmp_path: Path) -> None:
    """With the token files that its programs left elsewhere; whoever lives keeps all of it, here and in another
    process, and so do other folders, links, and what is no plain file."""
    memory, shared = tmp_path / "memory", tmp_path / "shared"
    other, target, token, kept, link = (
        memory / "hivekeeper-demo-else1234",
        shared / "target",
        shared / "t",
        shared / "kept",
        shared / "l",
    )
    for folder in (memory, shared, other):
        folder.mkdir()
    for file in (target, token, kept, other / "ticket"):
        file.write_text("x")
    link.symlink_to(target)
    (memory / "hivekeeper-private-efgh5678").symlink_to(other)
    with private_folder(memory) as ours, holder(memory, kept) as (living, theirs):
        with holder(memory, token, link, shared / "nothing") as (killed, left):
            assert sweep(memory) == 0
            killed.kill()
            killed.wait()
        assert sweep(memory) == 1
        assert not left.exists() and not token.exists()  # noqa: PT018
        assert ours.exists() and (theirs / "ticket").exists() and kept.exists()  # noqa: PT018
        living.communicate()
    assert link.is_symlink() and target.exists()  # noqa: PT018
    assert {path.name for path in memory.iterdir()} == {"hivekeeper-demo-else1234", "hivekeeper-private-efgh5678"}
    assert (other / "ticket").exists()


def test_no_folder_can_be_made(tmp_path: Path) -> None:
    """Told as such, whatever the reason."""
    with pytest.raises(Refused, match="No private folder"), private_folder(tmp_path / "nowhere"):
        pass


RUNS = """
import sys
from bot.tools.program import environment, run
run([sys.executable, "-I", "-S", "-c", sys.argv[1]], environment=environment({}), seconds=600)
"""


def test_a_program_dies_with_the_bot(tmp_path: Path) -> None:
    """When the bot is killed, so are the program that it runs and what that has started."""
    note = tmp_path / "pids"
    note.write_text("")
    child = f"import os, time; open({str(note)!r}, 'a').write(f'{{os.getppid()}} {{os.getpid()}} .'); time.sleep(600)"
    code = f"import subprocess, sys, time\nsubprocess.Popen([sys.executable, '-I', '-S', '-c', {child!r}]); time.sleep(600)"
    bot = subprocess.Popen([sys.executable, "-c", RUNS, code])
    ends = time.monotonic() + 60
    while not note.read_text().endswith(".") and time.monotonic() < ends:
        time.sleep(0.01)
    bot.kill()
    bot.wait()
    assert [_gone(int(pid)) for pid in note.read_text().split()[:2]] == [True, True]


BEGINS = """
import subprocess, sys
from bot.tools.orphans import watch
begun = subprocess.Popen(["sleep", "600"], env=watch.marked({"PATH": "/usr/bin:/bin"}), start_new_session=True)
print(begun.pid, flush=True)
sys.stdin.read()
"""


def test_a_program_that_had_just_begun_dies_too() -> None:
    """The bot was killed before it could say which process that is."""
    with subprocess.Popen([sys.executable, "-c", BEGINS], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as bot:
        assert bot.stdout
        begun = int(bot.stdout.readline())
        bot.kill()
    assert _gone(begun)


def test_a_watch_that_was_killed_is_set_up_again(tmp_path: Path) -> None:
    """And is told of what runs already; what has ended is left alone."""
    watch = Watch()
    sleepers = [subprocess.Popen(["sleep", "600"], start_new_session=True) for _ in range(3)]
    with watch.over(sleepers[0].pid):
        assert watch._process
        watch._process.kill()
        watch._process.wait()
        with watch.over(sleepers[1].pid):
            pass
        with watch.over(sleepers[2].pid):
            watch.close()
            assert sleepers[0].wait(60) == sleepers[2].wait(60) == -9
    assert sleepers[1].poll() is None
    sleepers[1].kill()
    sleepers[1].wait()


FORKING = """
import os
from bot.tools.orphans import MARK, watch
ours, theirs = os.pipe()
for _ in range(2):
    if os.fork() == 0:
        os.write(theirs, watch.marked({})[MARK].encode() + b" ")
        os._exit(0)
os.wait(), os.wait()
print(len(set(os.read(ours, 1000).split())))
"""


def test_processes_forked_from_one_end_only_their_own_programs() -> None:
    """Each has a mark of its own: what one's watch ends when it dies is none of the other's."""
    done = subprocess.run([sys.executable, "-c", FORKING], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "2\n"
