"""/runbook: the list, the search, and one runbook as steps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import handlers
from bot.core.errors import Refused
from bot.core.plan import Answer
from bot.core.ports import ReadTools
from bot.tools.runbook_files import RunbookFiles
from handlers.runbook import HANDLER, Settings, ShowRunbook

OURS = Path(handlers.__file__).parent
NOTHING: Any = None  # runbooks are all that this command reads


def asked(name: str = "", *folders: Path, commands: tuple[str, ...] = ()) -> Answer:
    tools = ReadTools(
        NOTHING, NOTHING, NOTHING, NOTHING, NOTHING, NOTHING, now=lambda: 0.0,
        runbooks=RunbookFiles(folders or (OURS,), {}), commands=frozenset(commands),
    )  # fmt: skip
    found = HANDLER.plan(ShowRunbook(name=name), Settings(), tools)
    assert isinstance(found, Answer)
    return Answer.model_validate_json(found.model_dump_json())


def test_the_list() -> None:
    """Every runbook with its title and how many steps it has."""
    found = asked()
    assert found.table is not None
    assert {row[0] for row in found.table.rows} == {p.stem.replace("_", "-") for p in OURS.glob("*.md")}
    assert found.title == f"{len(found.table.rows)} runbooks"


@pytest.mark.parametrize("name", ["open-cie", "open_cie", " OPEN-CIE ", "open_cie.md"])
def test_one_by_name(name: str) -> None:
    """However its name is spelled: what it is about, and its steps in order."""
    found = asked(name)
    assert found.title == "Open a CIE for OpenShift clusters"
    assert [step.name for step in found.checklist] == [f"item-{i}" for i in (1, 2, 3, 4)]
    assert {step.section for step in found.checklist} == {"Open a CIE for OpenShift clusters"}
    assert found.checklist[0].text.startswith("PagerDuty is called.")


def test_points_and_code_are_shown() -> None:
    """What stands below a step belongs to it, and code can be copied."""
    found = asked("diagnose-redhat-auth")
    assert "• Any JSON will do" in found.checklist[0].text
    assert ("promql", "count_over_time") in [
        (n.label, "count_over_time") for n in found.notes if "count_over" in n.text
    ]


def test_a_step_offers_the_command_that_it_names(tmp_path: Path) -> None:
    """By its marker or in its words, if that command is switched on here; nothing else is taken for a command."""
    (tmp_path / "day.md").write_text(
        "# A day\n\n1. Page. <!-- step: open-cie -->\n1. Write to `/contact-redhat us-south`.\n"
        "1. Look at /runbook day, /etc/open-cie and https://example.com/open-cie.\n1. /no-such-command\n1. Type /open-cie.\n"
    )
    offers = [
        step.offer for step in asked("day", tmp_path, commands=("open-cie", "contact-redhat", "runbook")).checklist
    ]
    assert [offer and (offer.command, offer.ask) for offer in offers] == [
        ("open-cie", {}), ("contact-redhat", {}), None, None, ("open-cie", {}),
    ]  # fmt: skip
    assert not any(step.offer for step in asked("day", tmp_path).checklist)


def test_words_are_searched() -> None:
    """All the words, in whatever case and order; a single find is shown at once."""
    found = asked("vault TOKENS")
    assert "hive" in found.title.lower() or found.table is not None
    several = asked("red hat")
    assert several.table is not None
    assert {"offline-session", "contact-redhat"} <= {row[0] for row in several.table.rows}


def test_what_is_nowhere() -> None:
    """A near name is suggested."""
    with pytest.raises(Refused, match="Did you mean open-cie"):
        asked("open-ciee")
    with pytest.raises(Refused, match="for the list"):
        asked("zzzzzzzz")


def test_the_organisations_own(tmp_path: Path) -> None:
    """A Jekyll runbook without markers is shown as steps; variables that are not set are warned of."""
    (tmp_path / "armada-deploy.md").write_text(
        "---\nrunbook-name: Deploy\n---\nAlert\n{: .label}\n\n## Do\n\n1. Ask [{{ site.data.x }}](y).\n1. Wait.\n"
    )
    found = asked("armada-deploy", tmp_path)
    assert found.title == "Deploy"
    assert [step.text for step in found.checklist] == ["Ask {{ site.data.x }}.", "Wait."]
    assert found.warnings == ("{{ site.data.x }} is not set.",)


def test_a_long_list_is_cut(tmp_path: Path) -> None:
    """A tree of hundreds does not flood the channel; how many are left out is told."""
    for i in range(100):
        (tmp_path / f"book-{i}.md").write_text("# A book\n")
    found = asked("", tmp_path)
    assert found.table is not None
    assert len(found.table.rows) == 40
    assert found.warnings == ("60 more are not shown: search with a word.",)
