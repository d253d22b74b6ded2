"""The log's own file: the same lines, for the bot alone, moved aside in time, and never in the way of the work."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from bot import app, doctor
from bot.core.errors import Refused
from bot.edges import log, log_file
from bot.settings import Log, Settings

BOT = logging.getLogger("bot.test")


class Logs:
    """A configured log with a file, and what stands where."""

    def __init__(self, path: Path, **wanted: Any) -> None:
        self.path, self.stream = path, io.StringIO()
        log.configure("INFO", self.stream, Log(file=path, **wanted))

    @property
    def shown(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.stream.getvalue().splitlines()]

    def kept(self, path: Path | None = None) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (path or self.path).read_text().splitlines()]

    def files(self) -> list[Path]:
        """The oldest first."""
        return sorted(self.path.parent.glob(f"{self.path.name}*"), key=lambda one: -int(one.suffix[1:] or 0)
                      if one != self.path else 1)  # fmt: skip


@contextmanager
def logging_kept() -> Iterator[None]:
    """Logging as it was before, with no file left open."""
    root = logging.getLogger()
    before = (root.handlers[:], root.level, {name: logging.getLogger(name).level for name in (*log.OURS, *log.QUOTES)})
    yield
    for handler in root.handlers:
        if isinstance(handler, log_file.RotatingFile):
            handler.close()
    root.handlers[:], root.level = before[0], before[1]
    for name, level in before[2].items():
        logging.getLogger(name).setLevel(level)
    structlog.reset_defaults()


@pytest.fixture
def logs(tmp_path: Path) -> Iterator[Callable[..., Logs]]:
    """Makes a log with a file; logging is put back as it was afterwards."""
    with logging_kept():
        yield lambda **wanted: Logs(tmp_path / "bot.log", **wanted)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_the_file_has_the_lines_of_standard_error(logs: Callable[..., Logs]) -> None:
    """Of both ways of logging, with the same redaction, as JSON."""
    made = logs()
    structlog.get_logger("bot.one").info("run ended", run="r-1")
    BOT.warning("it said %s", "Bearer abcdefghijkl")
    assert [line | {"timestamp": ""} for line in made.kept()] == [line | {"timestamp": ""} for line in made.shown]
    assert [line["event"] for line in made.kept()] == ["run ended", "it said Bearer [redacted]"]


def test_it_is_for_the_bot_alone(logs: Callable[..., Logs], tmp_path: Path) -> None:
    """Whatever the umask is, and if it was there before with other rights; and so are those that were moved aside."""
    (tmp_path / "bot.log").write_text("")
    (tmp_path / "bot.log").chmod(0o644)
    before = os.umask(0)
    try:
        made = logs(at_most_mb=0.0001)
        for number in range(3):
            BOT.info("line %d", number)
    finally:
        os.umask(before)
    assert [mode(path) for path in made.files()] == [0o600] * 3


def test_the_same_process_goes_on_where_another_stopped(logs: Callable[..., Logs]) -> None:
    """A restart cuts nothing off."""
    logs()
    BOT.info("before")
    made = logs()
    BOT.info("after")
    assert [line["event"] for line in made.kept()] == ["before", "after"]


@examples(max_examples=examples.default.max_examples // 5, deadline=None)
@given(
    sizes=st.lists(st.integers(0, 700), max_size=12), keep=st.integers(1, 4), most=st.sampled_from([0.0002, 0.0005, 1])
)
def test_the_newest_lines_are_kept_whole_and_in_order(sizes: list[int], keep: int, most: float) -> None:
    """For any lengths of lines: each file holds at most so many bytes (or one line that is longer), there are at most
    so many, and together they hold the newest lines without a gap."""
    with tempfile.TemporaryDirectory() as folder, logging_kept():
        made = Logs(Path(folder) / "bot.log", keep=keep, at_most_mb=most)
        for number, size in enumerate(sizes):
            BOT.info("x" * size, extra={"number": number})
        files = made.files()
        found = [line["number"] for path in files for line in made.kept(path)]
        assert found == list(range(len(sizes)))[len(sizes) - len(found) :]
        assert len(files) <= keep + 1
        assert len(files) == keep + 1 or found == list(range(len(sizes)))
        for path in files:
            assert path.stat().st_size <= most * 1_000_000 or len(made.kept(path)) == 1


@contextmanager
def room(size: int) -> Iterator[None]:
    """No file grows beyond so many bytes: as on a disk that is full there."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_costs_lines_and_nothing_else(logs: Callable[..., Logs]) -> None:
    """Whole lines: no half one stays. Standard error says so once; when there is room again, the file says how many."""
    made = logs()
    BOT.info("before")
    with room(made.path.stat().st_size + 20):
        for number in range(5):
            BOT.info("lost %d", number)
    BOT.info("after")
    assert [line["event"] for line in made.kept()] == ["before", "after", "the log file is written again"]
    assert made.kept()[-1]["lost"] == 6, "and the line that told so"
    events = [line["event"] for line in made.shown]
    assert events.count("a line is not in the log file") == 1
    assert [event for event in events if event.startswith("lost")] == [f"lost {number}" for number in range(5)]


def test_a_file_that_was_taken_away_is_made_anew(logs: Callable[..., Logs]) -> None:
    """Deleted to win room, or moved by another program: what is written goes to where people look."""
    made = logs()
    BOT.info("one")
    made.path.unlink()
    BOT.info("two")
    made.path.rename(made.path.with_suffix(".moved"))
    BOT.info("three")
    assert [line["event"] for line in made.kept()] == ["three"]
    assert mode(made.path) == 0o600


def test_a_folder_that_is_away_for_a_while_is_waited_for(logs: Callable[..., Logs], tmp_path: Path) -> None:
    """Work goes on, and so does the log once it is back."""
    made = logs()
    away = tmp_path.with_name(f"{tmp_path.name}-away")
    tmp_path.rename(away)
    BOT.info("lost")
    away.rename(tmp_path)
    BOT.info("found")
    assert [line["event"] for line in made.kept()] == ["found", "the log file is written again"]


def test_a_link_that_was_put_there_is_not_followed(logs: Callable[..., Logs], tmp_path: Path) -> None:
    """Neither later nor at the start."""
    made, other = logs(), tmp_path / "other"
    made.path.unlink()
    made.path.symlink_to(other)
    BOT.info("lost")
    assert not other.exists()
    with pytest.raises(Refused, match="no plain file"):
        logs()


def test_a_file_that_cannot_be_moved_aside_is_written_on(logs: Callable[..., Logs], tmp_path: Path) -> None:
    """Something in the way costs no line, and is told once."""
    made = logs(at_most_mb=0.0001, keep=1)
    (tmp_path / "bot.log.1" / "in-the-way").mkdir(parents=True)
    for number in range(4):
        BOT.info("line %d", number)
    events = [line["event"] for line in made.kept()]
    assert [event for event in events if event.startswith("line")] == [f"line {number}" for number in range(4)]
    assert events.count("the log file cannot be moved aside, and grows") == 1


def test_many_threads_write_whole_lines(logs: Callable[..., Logs]) -> None:
    """While the file is moved aside again and again."""
    made = logs(at_most_mb=0.002, keep=1000)

    def write() -> None:
        for _ in range(20):
            BOT.info("x" * 50)

    threads = [threading.Thread(target=write) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(len(made.kept(path)) for path in made.files()) == 160


def test_a_line_that_cannot_be_made_shows_nothing_of_it(logs: Callable[..., Logs], canary: Any, capfd: Any) -> None:
    """The standard library would print its arguments as they are."""
    made, token = logs(), canary("token")
    BOT.info("%d", token)
    assert made.path.read_text() == "" or token not in made.path.read_text()
    assert token not in made.stream.getvalue()
    assert "a line of the log is lost" in made.stream.getvalue()
    assert capfd.readouterr() == ("", "")


def somebody_elses(folder: Path) -> Path:
    """For root any file can be; for others one of root's is there."""
    if os.geteuid() != 0:
        return Path("/etc/passwd")
    path = folder / "theirs"
    path.touch()
    shutil.chown(path, "nobody")
    return path


def test_what_cannot_be_written_is_refused_at_once(tmp_path: Path) -> None:
    """In words that name the place; by the check and at the start of the bot alike, and nothing is made or changed."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "plain").touch()
    wrong = {
        tmp_path / "no" / "bot.log": "is not there",
        tmp_path / "plain" / "bot.log": "is not there",
        tmp_path: "no plain file",
        tmp_path / "pipe": "no plain file",
        somebody_elses(tmp_path): "belongs to somebody else|may not write",
    }
    for path, words in wrong.items():
        settings = Settings(data_dir=tmp_path, log=Log(file=path))
        with logging_kept(), pytest.raises(Refused, match=words):
            asyncio.run(app.serve(settings))
        (finding,) = doctor.log_file(settings)
        assert (finding.good, bool(finding.now)) == (False, True)
    with logging_kept(), pytest.raises(Refused, match=r"cannot be opened|may not write"):
        Logs(Path("/proc/bot.log"))


@pytest.mark.slow
def test_a_bot_that_may_not_write_it_ends_with_the_sentence_alone(tmp_path: Path) -> None:
    """No stack, also not from what the process does at its end."""
    (tmp_path / "settings.yaml").write_text(f"{{data_dir: {tmp_path}/data, log: {{file: {tmp_path}/no/bot.log}}}}")
    command = [sys.executable, "-m", "bot", "serve", "--settings", str(tmp_path / "settings.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    told = f"The folder {tmp_path}/no of the log file is not there. Make it, or correct log.file."
    assert (done.returncode, " ".join(done.stderr.split()), done.stdout) == (1, told, "")


def test_the_check_makes_no_file(tmp_path: Path) -> None:
    """It tells that it could; without a file in the settings it says nothing."""
    (finding,) = doctor.log_file(Settings(log=Log(file=tmp_path / "bot.log")))
    assert (finding.good, finding.told) == (True, f"{tmp_path}/bot.log can be made.")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "bot.log").touch()
    assert log_file.check(tmp_path / "bot.log").endswith("can be written.")
    assert list(doctor.log_file(Settings())) == []
