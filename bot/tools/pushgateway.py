"""A Pushgateway of Prometheus, for figures that are to outlive the bot's process.

A push replaces its whole group, so each kind of work has a group of its own: a grouping of its own beside the job.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from bot.core.errors import Refused
from bot.core.grid import Figure
from bot.core.secret import Secret
from bot.managed import Pushgateway
from bot.sources import SecretSource
from bot.tools.calls import Service

NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]{0,127}")
REFUSALS = {
    400: ("it found the figures at odds with each other or with the group", "Report this as a fault of the bot.")
}


class PushedFigures:
    """`bot.core.grid.Pushgateway`. Thread-safe."""

    def __init__(self, settings: Pushgateway, resolve: Callable[[SecretSource], Secret]) -> None:
        self._settings, self._resolve = settings, resolve
        self._service = Service("The Pushgateway", "pushgateway", settings.timeout, settings.ca_file)

    def configured(self) -> bool:
        return True

    def push(self, figures: tuple[Figure, ...], grouping: Mapping[str, str]) -> None:
        """Refused for figures that make no sense together, or when it does not let us in; Transient when it is away."""
        if not grouping:
            raise Refused(
                "Figures without a grouping would replace those of others.", "Report this as a fault of the bot."
            )
        from prometheus_client import CollectorRegistry, push_to_gateway

        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Given(_families(figures, grouping)))
        settings, groups = self._settings, dict(grouping)
        push_to_gateway(settings.address, settings.job, registry, groups, handler=self._handler)

    def _handler(
        self, url: str, method: str, timeout: float | None, headers: list[tuple[str, str]], data: bytes
    ) -> Callable[[], None]:
        """prometheus_client's own would go by the environment's proxies, without a limit on the answer."""
        del timeout  # that of the settings holds

        def send() -> None:
            answer = self._service.send(method, url, headers=dict(headers), data=data, **self._login())
            if answer.status not in (200, 202):
                raise self._service.refusal(answer, "take the figures", REFUSALS)

        return send

    def _login(self) -> dict[str, Any]:
        if self._settings.username is None or self._settings.password is None:
            return {}
        return {"auth": (self._settings.username.encode(), self._resolve(self._settings.password).reveal().encode())}


def check(settings: Pushgateway, resolve: Callable[[SecretSource], Secret]) -> str:
    """Does it answer, and let us in? Pushes nothing."""
    pushed = PushedFigures(settings, resolve)
    url = f"{settings.address.rstrip('/')}/-/ready"
    answer = pushed._service.send("GET", url, headers={}, **pushed._login())
    if answer.status != 200:
        raise pushed._service.refusal(answer, "say that it is ready")
    return "it is ready."


class _Given:
    """What prometheus_client calls a collector."""

    def __init__(self, families: list[Any]) -> None:
        self._families = families

    def collect(self) -> Iterator[Any]:
        yield from self._families


def _families(figures: tuple[Figure, ...], grouping: Mapping[str, str]) -> list[Any]:
    """One family for each name, with what each series is called checked: a Pushgateway refuses the whole push."""
    from prometheus_client.core import Metric

    families: dict[str, Any] = {}
    seen: set[tuple[str, tuple[tuple[str, str], ...]]] = set()
    for figure in figures:
        labels = tuple(sorted(figure.labels.items()))
        clash = {"job", "instance", *grouping} & set(figure.labels)
        if not NAME.fullmatch(figure.name) or clash or not all(NAME.fullmatch(label) for label in figure.labels):
            raise Refused("A figure has a name or label that it cannot have.", "Report this as a fault of the bot.")
        if (figure.name, labels) in seen:
            raise Refused("A figure is there twice.", "Report this as a fault of the bot.")
        seen.add((figure.name, labels))
        kind = "histogram" if figure.within else "gauge"
        family = families.setdefault(figure.name, Metric(figure.name, figure.help, kind))
        for suffix, all_labels, value in figure.samples:
            family.add_sample(f"{figure.name}{suffix}", all_labels, _finite(value))
    return list(families.values())


def _finite(value: float) -> float:
    return value if math.isfinite(value) else math.nan
