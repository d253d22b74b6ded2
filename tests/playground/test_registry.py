"""The stand-in for registries keeps to itself: its word for the playground is what the bot hears."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from bot.cloud import Registry
from bot.core.registry import Login, image
from bot.core.secret import Secret
from bot.tools.registries import AskedRegistries
from playground.registry import RegistryStandIn, covers
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
        assert pull.outcome == registry.good(user, word, name, tag).partition(":")[0], (word, name, tag)
        heard.add(pull.outcome)
    server.stop()
    assert heard >= {"ok", "denied", "expired", "unauthorized", "no_tag"}


def test_what_only_a_node_sees() -> None:
    """The word for a denial brings ECR's sentence; an image for other platforms only is none for a usual node."""
    registry = RegistryStandIn("123456789012.dkr.ecr.us-east-1.amazonaws.com", lambda _, word: LOGINS.get(word))
    registry.add("team/app", "v1", platforms=("linux/s390x",), pullers=(LOGINS["good"],))
    denied = registry.good("AWS", "other", "team/app", "v1")
    assert denied.startswith(f"denied: denied: User: {LOGINS['other']} is not authorized to perform: ecr:BatchGetImage")
    assert registry.good("AWS", "good", "team/app", "v1") == "no_platform"
    registry.add("team/app", "v1", platforms=("linux/s390x", "linux/amd64"))
    assert registry.good("AWS", "good", "team/app", "v1") == "ok"


def test_whom_a_policy_means() -> None:
    """A role means its sessions and an account's root everybody there, nobody else."""
    session = "arn:aws:sts::123456789012:assumed-role/puller/keeper"
    assert covers("arn:aws:iam::123456789012:role/puller", session)
    assert covers("arn:aws:iam::123456789012:root", session)
    assert covers("arn:aws:iam::123456789012:root", LOGINS["good"])
    assert not covers("arn:aws:iam::123456789012:role/other", session)
    assert not covers("arn:aws:iam::210987654321:root", session)
