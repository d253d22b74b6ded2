"""Lists come in pages."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from bot.core.errors import Transient
from bot.core.kubernetes import POD
from bot.tools.kubernetes import KubernetesClusters
from playground import broken
from tests.bot.tools.clusters.servers import (
    heard_by,
    status,
    told_by,
)

Opened = Callable[..., KubernetesClusters]


def pages(*contents: bytes) -> Callable[[bytes], bytes]:
    left = list(contents)
    return lambda _: left.pop(0)


def page(*names: str, following: str = "") -> bytes:
    items = [{"metadata": {"name": name}} for name in names]
    return broken.answer(
        200, json.dumps({"kind": "PodList", "items": items, "metadata": {"continue": following}}).encode()
    )


GONE = status(410, "Expired")


def test_an_expired_list_begins_again_once(opened: Opened, token: str) -> None:
    """410 in the middle: from the beginning, without doubles; twice: Transient."""
    with heard_by(pages(page("a", following="x"), GONE, page("a", following="y"), page("b"))) as address:
        assert [item["metadata"]["name"] for item in opened(address).all("dev", POD)] == ["a", "b"]
    with heard_by(pages(page("a", following="x"), GONE, page("a", following="y"), GONE)) as address:
        said = told_by(lambda: opened(address).all("dev", POD), Transient, token)
        assert "does not hold its list of pods long enough" in said


def test_an_endless_list(opened: Opened, token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cluster that never comes to the end of its list is not read for ever."""
    monkeypatch.setattr("bot.tools.kubernetes_reader.PAGES", 5)
    with heard_by(lambda _: page("a", following="x")) as address:
        assert "more pods than the bot reads" in told_by(lambda: opened(address).all("dev", POD), Transient, token)


def test_an_empty_list(opened: Opened) -> None:
    """Some servers write it as null."""
    with heard_by(lambda _: broken.answer(200, b'{"kind": "PodList", "items": null}')) as address:
        assert opened(address).all("dev", POD) == ()
