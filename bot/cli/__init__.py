"""The command line: everything that can be done in Slack can be done here too, also while Slack is down.

Exit status: 0 done, 1 refused or failed, 2 wrong usage, 3 an outside system did not answer, 4 waits for approval,
5 a credential needs somebody.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence

import click

from bot.cli.audit import audit
from bot.cli.check import check
from bot.cli.context import Line
from bot.cli.inventory import inventory
from bot.cli.manifest import manifest
from bot.cli.propose import again, plan, run
from bot.cli.runs import approve, cancel, deny, hand_in, runs, show, tick
from bot.cli.serve import demo, serve
from bot.core.errors import Told, Transient
from bot.edges import log

REFUSED, UNREACHED = 1, 3


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="hivekeeper")
@click.pass_context
def hivekeeper(context: click.Context) -> None:
    """A Slack bot that on-call engineers trust with their credentials.

    Exit status: 0 done, 1 refused or failed, 2 wrong usage, 3 an outside system did not answer, 4 waits for approval,
    5 a credential needs somebody.
    """
    context.ensure_object(Line)


OURS = (
    serve, demo, check, plan, run, again, runs, show, approve, deny, cancel, tick, hand_in, inventory, audit, manifest,
)  # fmt: skip
for command in OURS:
    hivekeeper.add_command(command)


def main(arguments: Sequence[str] | None = None) -> None:
    """The console script: errors become sentences, never stacks. Ends by SystemExit."""
    log.configure("WARNING")  # to standard error: standard output is for answers alone
    line = Line()
    try:
        code = hivekeeper.main(arguments, obj=line, standalone_mode=False)
    except Told as told:
        line.paper.trouble(told)
        code = UNREACHED if isinstance(told, Transient) else REFUSED
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        code = 130
    except Exception as error:  # its text may hold anything, so its class and the place have to do
        line.paper.trouble(unforeseen(error))
        code = REFUSED
    sys.exit(code if isinstance(code, int) else 0)


def unforeseen(error: Exception) -> Told:
    """A fault of ours, as far as it may be told."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{place.filename.rsplit('/', 1)[-1]}:{place.lineno}"
    return Told(f"hivekeeper failed with an error that it does not know ({type(error).__name__}, {where}).",
                "Please report that; nothing more than this was said on purpose.")  # fmt: skip
