"""The Slack app's manifest from the command line."""

from __future__ import annotations

import re

import click


@click.command()
@click.option(
    "--url", help="Public address of /slack/events, for HTTP mode; without it the manifest is for Socket Mode."
)
@click.option("--json", "as_json", is_flag=True, help="JSON instead of YAML.")
def manifest(url: str | None, as_json: bool) -> None:
    """Print the manifest to paste at api.slack.com/apps."""
    import json

    from bot.edges.manifest import manifest as document
    from bot.edges.manifest import text
    from handlers import HANDLERS

    if url is not None and not re.fullmatch(r"https://[^\s/]+(/\S*)?/slack/events", url):
        raise click.BadParameter("Slack takes https only, and the bot answers at …/slack/events.", param_hint="--url")
    made = document({h.name: h for h in HANDLERS}, url=url)
    click.echo(json.dumps(made, indent=2) if as_json else text(made), nl=as_json)
