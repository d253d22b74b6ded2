"""The bot's clusters with one in it, called dev."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from bot.clusters import Cluster
from bot.core.secret import Secret
from bot.sources import FromEnv
from bot.tools.kubernetes import KubernetesClusters, open_clusters
from tests.bot.tools.clusters.servers import MARKS


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def token(canary: Any) -> str:
    return str(canary("bot token"))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def opened(token: str, clock: Clock) -> Callable[..., KubernetesClusters]:
    def made(address: str, text: str = token, **more: Any) -> KubernetesClusters:
        cluster = Cluster(**{"address": address, "token": FromEnv(env="T"), "timeout": 60, **more})
        return open_clusters({"dev": cluster}, lambda _: Secret(text), MARKS, clock)

    return made
