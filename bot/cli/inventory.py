"""The credentials that commands look after, from the command line."""

from __future__ import annotations

from collections.abc import Sequence

import click

from bot.cli.context import Line, options
from bot.cli.propose import known
from bot.core.inventory import Holding

NEEDED, UNREAD = 5, 3  # exit status
NOT_YET = "No credential has been looked at yet: the bot looks soon after its start, if a command looks after any."


@click.command()
@click.argument("command", required=False)
@options
def inventory(line: Line, command: str | None) -> int:
    """List the credentials that commands look after, those that need somebody first, as they were last looked at.

    Exit status 5 if one is expired, missing or degraded, else 3 if one could not be looked at.
    """
    name = known(dict(line.desk.handlers), command).name if command else None
    holdings = [one for one in line.desk.inventory() if name in (None, one.command)]
    line.paper.inventory(holdings, NOT_YET)
    return status(holdings)


def status(holdings: Sequence[Holding]) -> int:
    """What a script wants to know: is there something for a person to do, or something that nobody knows?"""
    if any(one.credential.state in ("expired", "missing", "degraded") for one in holdings):
        return NEEDED
    return UNREAD if any(one.trouble or one.credential.state == "unknown" for one in holdings) else 0
