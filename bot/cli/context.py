"""What every command of the command line shares: the settings file, --json, and who is asking."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from bot.cli.show import Paper
from bot.core.desk import Desk
from bot.settings import Settings, load


class Line:
    """One call of the command line."""

    def __init__(self) -> None:
        self.path = Path("settings.yaml")
        self.paper = Paper(as_json=False)

    @functools.cached_property
    def settings(self) -> Settings:
        return load(self.path)

    @functools.cached_property
    def desk(self) -> Desk:
        """The store's desk, without an executor: it works beside a running bot."""
        from bot import app

        return app.desk(self.settings)

    @property
    def user(self) -> str:
        """Who is at the terminal: the Slack user that the settings name for this login, else `cli:<login>`."""
        login = _login()
        return self.settings.people.get(login, f"cli:{login}")


def _login() -> str:
    """The login by the process's user id: unlike $USER it cannot be set by whoever calls."""
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds --settings and --json, and passes the `Line` first."""

    @click.option("--settings", "-s", "path", type=click.Path(path_type=Path), envvar="HIVEKEEPER_SETTINGS",
                  default=Path("settings.yaml"), show_default=True, help="The settings file.")  # fmt: skip
    @click.option("--json", "as_json", is_flag=True, help="JSON lines on standard output.")
    @functools.wraps(command)
    def wrapped(path: Path, as_json: bool, **kwargs: Any) -> Any:
        line = click.get_current_context().ensure_object(Line)
        line.path = path
        line.paper = Paper(as_json=as_json)
        return command(line, **kwargs)

    return wrapped
