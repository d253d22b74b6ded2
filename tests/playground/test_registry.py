"""The stand-in for registries keeps to itself: its word for the playground is what the bot hears."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from bot.cloud import Registry
from bot.core.registry import Login, image
from bot.core.secret import Secret
from bot.tools.registries import AskedRegistries
from playground.registry import RegistryStandIn
from playground.server import run_in_thread

LOGINS = {
    "good": "arn:aws:iam::123456789012:user/good",
    "other": "arn:aws:iam::123456789012:user/other",
    "old": "expired",
}


@pytest.mark.parametrize("kind", ["ecr", "quay"])
def test_the_word_is_what_the_bot_hears(kind: Any) -> None:
    """For each login, repository and tag, `good` says in a word what a pull over HTTP comes to."""
    host = "123456789012.dkr.ecr.us-east-1.amazonaws.com" if kind == "ecr" else "quay.io"
    registry = RegistryStandIn(host, lambda _, word: LOGINS.get(word), kind=kind)
    registry.add("team/app", "v1", pullers=(LOGINS["good"],))
    registry.add("team/all", "v1")
    server = run_in_thread(registry.app())
    tool = AskedRegistries({host: Registry(address=server.url)})
    heard = set()
    for word, name, tag in itertools.product([*LOGINS, "wrong", ""], ["team/app", "team/all", "none"], ["v1", "no"]):
        user = "AWS" if word else ""
        pull = tool.pull(image(f"{host}/{name}:{tag}"), Login(user, Secret(word)) if user else None)
        assert pull.outcome == registry.good(user, word, name, tag), (word, name, tag)
        heard.add(pull.outcome)
    server.stop()
    assert heard >= {"ok", "denied", "expired", "unauthorized", "no_tag"}
