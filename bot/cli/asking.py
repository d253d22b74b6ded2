"""Help about commands of the handlers: what there is to ask for, and the parameters of each."""

from __future__ import annotations

import click

from bot.core import ask
from bot.core.fields import FieldView, fields
from bot.core.handler import Handler


class Asking(click.Command):
    """A command whose first word names a handler's: with --help behind it, that one is explained."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        known = _handlers()
        named = next((known[word] for word in (word.removeprefix("/") for word in args) if word in known), None)
        if named is not None and {"-h", "--help", "?"} & set(args):
            click.echo(described(named, ctx.command_path))
            ctx.exit()
        return super().parse_args(ctx, args)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands to ask for"):
            formatter.write_dl([(name, handler.summary) for name, handler in _handlers().items()])
        formatter.write_paragraph()
        formatter.write_text(f"`{ctx.command_path} COMMAND --help` explains its parameters.")


def described(handler: Handler, called: str) -> str:
    """A handler's command, each of its parameters, and an example. `called`: what stands before its name."""
    page = click.HelpFormatter(max_width=100)
    page.write_usage(f"{called} {handler.name}", ask.hint(handler))
    page.write_paragraph()
    page.write_text(handler.summary)
    if views := fields(handler):
        with page.section("Parameters"):
            page.write_dl([(_spelt(view), view.help) for view in views])
    if handler.example:
        page.write_paragraph()
        page.write_text(f"Example: {called} {handler.name} {handler.example}")
    return page.getvalue().rstrip("\n")


def _spelt(view: FieldView) -> str:
    if view.type == "flag" and not view.many:
        return view.flag
    return f"{view.name}={'|'.join(view.options) or view.name.upper()}"


def _handlers() -> dict[str, Handler]:
    from handlers import HANDLERS

    return {handler.name: handler for handler in HANDLERS}
