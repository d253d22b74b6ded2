"""The systems that people are called through, as far as the settings name them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bot.core.secret import Secret
from bot.settings import SecretSource, Settings


def of(settings: Settings, resolve: Callable[[SecretSource], Secret]) -> dict[str, Any]:
    """By the names that `bot.core.ports.Tools` has for them."""
    from bot.tools.cie_webhook import Webhook
    from bot.tools.github import Issues
    from bot.tools.jenkins import Builds
    from bot.tools.pagerduty import Pages
    from bot.tools.redhat_cases import SupportCases

    return {
        **({"pager": Pages(settings.pagerduty, resolve)} if settings.pagerduty else {}),
        **({"tracker": Issues(settings.github, resolve)} if settings.github else {}),
        **({"hook": Webhook(settings.cie_webhook, resolve)} if settings.cie_webhook else {}),
        **({"cases": SupportCases(settings.redhat_support, resolve)} if settings.redhat_support else {}),
        **({"jenkins": Builds(settings.jenkins, resolve)} if settings.jenkins else {}),
    }
