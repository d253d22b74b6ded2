"""Names of images, as people and pods write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.errors import Refused
from bot.core.registry import HOST, image

DIGEST = "sha256:" + "0" * 64


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("nginx", "docker.io/library/nginx:latest"),
        ("team/web:1.2", "docker.io/team/web:1.2"),
        ("quay.io/team/web", "quay.io/team/web:latest"),
        ("localhost:5000/web:x", "localhost:5000/web:x"),
        (f"quay.io/a/b/c:tag@{DIGEST}", f"quay.io/a/b/c@{DIGEST}"),
        (
            "111122223333.dkr.ecr.us-east-1.amazonaws.com/a_b/c--d:L",
            "111122223333.dkr.ecr.us-east-1.amazonaws.com/a_b/c--d:L",
        ),
    ],
)
def test_an_image(text: str, whole: str) -> None:
    """What is left out is filled in as a node does."""
    assert str(image(text)) == whole


@pytest.mark.parametrize(
    "text", ["", "Web", "a:", "quay.io/", "quay.io/a:-x", "quay.io/a@sha256:1", "-a.b/c", "a..b/c"]
)
def test_no_image(text: str) -> None:
    """What no node would pull is refused."""
    with pytest.raises(Refused):
        image(text)


@pytest.mark.parametrize("text", ["a" * 20_000, "a." * 10_000, "a-" * 10_000 + "_", "1" * 5_000 + ".a" * 5_000])
def test_long_nonsense_takes_no_time(text: str) -> None:
    """A host pattern that looks back takes for ever over these; pods may name any image they like."""
    assert HOST.fullmatch(f"{text}/!") is None
    with pytest.raises(Refused):
        image(f"{text}.b/!")


@given(st.text(max_size=60))
def test_any_text(text: str) -> None:
    """Any text is an image that reads back as itself, or is refused in our words."""
    try:
        found = image(text)
    except Refused as refused:
        assert not text or len(text) < 8 or text not in str(refused)
    else:
        assert image(str(found)) == found
