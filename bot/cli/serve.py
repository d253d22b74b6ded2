"""Running the bot, and the demo."""

from __future__ import annotations

import asyncio

import click

from bot.cli.context import Line, options


@click.command()
@options
def serve(line: Line) -> None:
    """Run the bot until it is told to stop (SIGTERM or Ctrl-C)."""
    from bot import app

    asyncio.run(app.serve(line.settings))


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address of the page; loopback by default.")
@click.option("--port", default=8400, show_default=True, type=click.IntRange(0, 65535), help="Port of the page.")
@click.option("--browser/--no-browser", default=True, help="Open the page in a browser.")
@click.option(
    "--kv", type=click.Choice(["1", "2"]), default="1", show_default=True, help="Version of the Vault's KV engine."
)
def demo(host: str, port: int, browser: bool, kv: str) -> None:
    """Run the real bot in a playground: a Slack-like page, a Vault, a cluster and CI jobs in miniature."""
    from playground.serve import run

    run(host, port, open_browser=browser, kv=int(kv))
