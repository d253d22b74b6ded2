"""Runbooks in folders: the organisation's laid over ours."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.core.errors import Refused
from bot.tools.runbook_files import RunbookFiles


def written(folder: Path, **files: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / f"{name}.md").write_text(text, encoding="utf-8")
    return folder


def test_a_later_folder_wins(tmp_path: Path) -> None:
    """One of the same name takes the place of ours, whatever its dashes; the others stay; deeper folders count."""
    ours = written(tmp_path / "ours", open_cie="# Ours", other="# Other")
    theirs = written(tmp_path / "theirs" / "deep", **{"open-cie": "# Theirs of {{ site.data.team }}", "more": "# More"})
    shelf = RunbookFiles((ours, theirs.parent), {"team": "squad"})
    assert shelf.names() == ("more", "open-cie", "other")
    titles = [book.title for name in shelf.names() if (book := shelf.find(name))]
    assert titles == ["More", "Theirs of squad", "Other"]
    assert [book.title for book in shelf.all()] == titles
    assert shelf.find("open_CIE.md") == shelf.find("open-cie")
    assert shelf.find("none") is None


def test_an_edit_shows_at_once(tmp_path: Path) -> None:
    """No restart is needed for a corrected runbook."""
    shelf = RunbookFiles((written(tmp_path, a="# One"),), {})
    assert shelf.find("a").title == "One"  # type: ignore[union-attr]  # it is there
    written(tmp_path, a="# Two")
    assert shelf.find("a").title == "Two"  # type: ignore[union-attr]  # it is there


def test_nothing_outside_the_folder_is_read(tmp_path: Path) -> None:
    """Links out of the tree and hidden folders are passed over, and a name is never a path."""
    written(tmp_path / "secret", hidden="# Hidden")
    tree = written(tmp_path / "tree", a="# A")
    written(tree / ".git", b="# B")
    (tree / "link.md").symlink_to(tmp_path / "secret" / "hidden.md")
    shelf = RunbookFiles((tree,), {})
    assert shelf.names() == ("a",)
    assert shelf.find("../secret/hidden") is None


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    """The setting is named."""
    with pytest.raises(Refused, match=r"runbooks\.folder"):
        RunbookFiles((tmp_path / "gone",), {}).names()


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    """A file in another encoding is read as far as it can be."""
    (tmp_path / "a.md").write_bytes(b"# T\xe4st\n\n1. x\n")
    book = RunbookFiles((tmp_path,), {}).find("a")
    assert book is not None
    assert len(book.steps) == 1
