"""The doctor: reaches every system that the settings name and says what is missing."""

from __future__ import annotations

import click

from bot.cli.context import Line, options

SIGNS = {True: ("✔", "green"), False: ("✘", "red"), None: ("·", "yellow")}


@click.command()
@options
def check(line: Line) -> int:
    """Check the settings, reach every system, and say which permission is missing."""
    from bot.doctor import examine

    bad = 0
    for finding in examine(line.settings):
        bad += finding.good is False
        if line.paper.as_json:
            line.paper.value(finding)
            continue
        sign, style = SIGNS[finding.good]
        line.paper.say(f"{sign} {finding.subject}: {finding.told}", style)
        if finding.now:
            line.paper.say(f"    {finding.now}")
    if not line.paper.as_json:
        line.paper.say("Everything that was looked at is right." if not bad else f"{bad} to put right.", "bold")
    return 1 if bad else 0
