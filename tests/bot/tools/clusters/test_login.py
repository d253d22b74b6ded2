"""The bot's login in a cluster."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bot.clusters import Cluster
from bot.core.errors import Refused
from bot.core.secret import Secret
from bot.sources import FromEnv, FromFile
from bot.tools.kubernetes import KubernetesClusters, open_clusters
from playground import broken
from tests.bot.tools.clusters.servers import (
    MARKS,
    heard_by,
    status,
)

Opened = Callable[..., KubernetesClusters]


def picky(good: Callable[[], str]) -> Callable[[bytes], bytes]:
    def answer(heard: bytes) -> bytes:
        fits = f"Authorization: Bearer {good()}\r\n".encode() in heard
        return broken.answer(200, b'{"gitVersion": "v1.33.1"}') if fits else status(401, "Unauthorized")

    return answer


def test_a_rotated_token_file(canary: Any, tmp_path: Path) -> None:
    """A file is read for each call, as the kubelet replaces the token in it."""
    file = tmp_path / "token"
    canary.may_hold(file)
    cluster = Cluster(address="http://127.0.0.1:1", token=FromFile(file=file))
    with heard_by(picky(file.read_text)) as address:
        read = open_clusters({"dev": cluster.model_copy(update={"address": address})},
                             lambda source: Secret(source.file.read_text()), MARKS)  # type: ignore[union-attr]  # a file  # fmt: skip
        for name in ("first", "second"):
            file.write_text(canary(name))
            assert read.version("dev") == "v1.33.1"


def test_a_replaced_token_is_read_again_once(canary: Any) -> None:
    """From Vault or the environment it is kept until a 401; when it is the same then, nobody is asked twice."""
    now, reads = [canary("first")], [0]

    def resolve(_: Any) -> Secret:
        reads[0] += 1
        return Secret(now[0])

    accepted = [now[0]]
    asked: list[bytes] = []

    def answer(heard: bytes) -> bytes:
        asked.append(b"")
        return picky(lambda: accepted[0])(heard)

    with heard_by(answer) as address:
        clusters = open_clusters({"dev": Cluster(address=address, token=FromEnv(env="T"))}, resolve, MARKS)
        assert [clusters.version("dev") for _ in range(3)] == ["v1.33.1"] * 3
        assert reads == [1]
        now[0] = accepted[0] = canary("second")
        assert clusters.version("dev") == "v1.33.1"
        assert (reads, len(asked)) == ([2], 5)
        accepted[0] = "another"
        with pytest.raises(Refused, match="does not accept the bot's login"):
            clusters.version("dev")
        assert (reads, len(asked)) == ([3], 6)


def test_clusters_without_a_login() -> None:
    """They are not listed, and to ask one is refused in words; so is one that is not in the settings."""
    known = {
        "a": Cluster(address="http://127.0.0.1:1"),
        "b": Cluster(address="http://127.0.0.1:1", token=FromEnv(env="T")),
    }
    clusters = open_clusters(known, lambda _: Secret("x"), MARKS)
    assert clusters.clusters() == clusters.reader.clusters() == ("b",)
    for name in ("a", "c"):
        with pytest.raises(Refused, match=f"no login for cluster {name}"):
            clusters.version(name)
