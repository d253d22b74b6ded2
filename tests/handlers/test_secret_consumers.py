"""/secret-consumers over the generated jobs of the runbook."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bot.core.errors import Refused
from bot.tools.jobs import JobFiles
from handlers.secret_consumers import HANDLER, SHOWN, SecretConsumers, Settings
from playground.ci_jobs import NINE, write_jobs


@dataclass(frozen=True)
class OnlyJobs:
    """All of the tools that this handler may touch."""

    jobs: JobFiles


def ask(path: str, *directories: Path) -> Any:
    return HANDLER.plan(SecretConsumers(path=path), Settings(), OnlyJobs(JobFiles(directories)))  # type: ignore[arg-type]  # on purpose no more than it may use


def test_the_nine(tmp_path: Path) -> None:
    """For sd-uhc/sandbox the table has the nine jobs of the runbook, in order, each with its keys and its file."""
    answer = ask("sd-uhc/sandbox", write_jobs(tmp_path))
    assert answer.title == "9 CI jobs read sd-uhc/sandbox"
    assert answer.table.head == ("job", "keys", "found in")
    assert [row[0] for row in answer.table.rows] == sorted(NINE)
    by_name = {row[0]: row for row in answer.table.rows}
    assert by_name["service-ocm-resources-ocm-build-master"][1] == "aws-access-key-id, config"
    assert by_name["service-ocm-resources-ocm-pr-check"][2].endswith("service-ocm-resources-ocm-pr-check/config.xml")


@pytest.mark.parametrize("path", ["/sd-uhc/sandbox", " sd-uhc/sandbox/ ", "sd-uhc/sandbox"])
def test_slashes_around_it_do_not_matter(tmp_path: Path, path: str) -> None:
    """However people paste the path, it is the same path."""
    assert len(ask(path, write_jobs(tmp_path)).table.rows) == 9


def test_nobody(tmp_path: Path) -> None:
    """A path that no job reads gives no table, and says how many files were looked at."""
    answer = ask("sd-uhc/nobody", write_jobs(tmp_path))
    assert answer.title == "No CI jobs read sd-uhc/nobody"
    assert answer.table is None
    assert answer.text == ("Looked at 15 files; only the exact path counts.",)


def test_unreadable_files_are_named(tmp_path: Path) -> None:
    """Files that were skipped stand in the warnings; of very many only the first."""
    for number in range(SHOWN + 5):
        folder = tmp_path / f"job-{number:03}"
        folder.mkdir()
        (folder / "config.xml").write_text("<project><path>sd-uhc/sandbox</path>")
    answer = ask("sd-uhc/sandbox", tmp_path)
    assert len(answer.warnings) == SHOWN + 1
    assert answer.warnings[0] == f"Skipped {tmp_path.name}/job-000/config.xml: it is not well-formed XML"
    assert answer.warnings[-1] == "Skipped 5 more files that could not be read."


def test_not_configured() -> None:
    """Without directories it is refused with the setting to make."""
    with pytest.raises(Refused, match="does not know where the CI jobs are") as caught:
        ask("sd-uhc/sandbox")
    assert "ci_jobs.directories" in caught.value.now


@pytest.mark.parametrize("path", ["/", "  ", "a\nb", "a\x00b", "a\u202eb"])
def test_what_is_no_path(tmp_path: Path, path: str) -> None:
    """Nothing but slashes, or a path with characters that cannot be shown, is refused."""
    with pytest.raises(Refused, match="not a Vault path"):
        ask(path, tmp_path)


def test_a_very_long_path(tmp_path: Path) -> None:
    """The title stays within what can be shown, however long the path."""
    assert ask("a/" + "b" * 500, tmp_path).title == "No CI jobs read this path"
