"""What stands in the place of a system that the settings do not name: it refuses, and says which setting is missing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NoReturn

from bot.core.errors import Refused
from bot.core.secret import Secret


class NoVault:
    """Implements `bot.core.ports.VaultWriter` by refusing."""

    def read(self, path: str, field: str) -> Secret:
        _refuse(path, field)

    def find(self, path: str, field: str) -> Secret | None:
        _refuse(path, field)

    def fields(self, path: str) -> frozenset[str]:
        _refuse(path)

    def stamp(self, path: str, field: str) -> float | None:
        _refuse(path, field)

    def write(self, path: str, values: Mapping[str, Secret], *, run: str) -> None:
        _refuse(path, values, run)

    def restore(self, path: str, was: Mapping[str, str | None], *, run: str) -> None:
        _refuse(path, was, run)

    def retire(self, path: str, *, run: str) -> None:
        _refuse(path, run)


class NoSlack:
    """Implements `bot.core.ports.Membership` where there is no Slack: only people named in the settings are known."""

    def of(self, slack_group: str) -> frozenset[str]:
        raise Refused(
            f"Who is in the Slack user group {slack_group} cannot be read, because there is no bot token.",
            "Set slack.bot_token, or list the people under groups.",
        )


def _refuse(*_: object) -> NoReturn:
    raise Refused("There is no Vault in the settings.", "Set vault.address and vault.auth.")
