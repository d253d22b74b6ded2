"""Who is in a Slack user group, asked of Slack."""

from __future__ import annotations

import re

from slack_sdk import WebClient

from bot.core.errors import Refused
from bot.edges import slack_errors


class SlackMembership:
    """bot.core.ports.Membership on usergroups.users.list, read now (20 calls a minute are free: tier 2)."""

    def __init__(self, client: WebClient) -> None:
        self._client = client

    def of(self, slack_group: str) -> frozenset[str]:
        if not re.fullmatch(r"S[A-Z0-9]{1,30}", slack_group):
            raise Refused("A Slack user group in the settings is not an id like S0123ABCD.", "Correct slack_groups.")
        try:
            answer = self._client.usergroups_users_list(usergroup=slack_group).data
        except slack_errors.FOREIGN as error:
            raise slack_errors.told(error, f"say who is in the user group {slack_group}") from None
        users = answer.get("users") if isinstance(answer, dict) else None
        return frozenset(user for user in users or () if isinstance(user, str))
