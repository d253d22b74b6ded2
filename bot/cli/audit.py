"""The audit log from the command line."""

from __future__ import annotations

import click

from bot.cli.context import Line, options


@click.group()
def audit() -> None:
    """Read, prove and export the audit log."""


@audit.command()
@options
def verify(line: Line) -> int:
    """Prove that no entry was changed, cut out or reordered. Exit status 1 if one was."""
    from bot import app

    found = app.verify_audit(line.settings)
    if line.paper.as_json:
        line.paper.json({"ok": found.ok, "entries": found.count, "first_bad": found.first_bad, "told": found.told})
    else:
        line.paper.say(found.told, "green" if found.ok else "bold red")
    return 0 if found.ok else 1


@audit.command()
@options
def export(line: Line) -> None:
    """Write the whole log as JSON lines to standard output."""
    from bot import app

    for entry in app.export_audit(line.settings):
        line.paper.value(entry)
