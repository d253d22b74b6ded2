"""How the systems of managed tokens are put together."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot import grid
from bot.core.errors import Refused
from bot.core.secret import Secret
from bot.settings import parse
from bot.tools.fingerprints import KeyedFingerprints

KEY = KeyedFingerprints(Secret("a made-up key of the fingerprints"))


def test_without_vault_tokens_there_is_nothing_to_push() -> None:
    """Nodes are configured only where tokens for them can be had."""
    assert set(grid.of(parse({}, "test"), lambda _: Secret("x"), KEY)) == {"meter"}


def test_who_only_looks_cannot_push(tmp_path: Path) -> None:
    """What planning gets of the nodes has no way to put anything there."""
    settings = parse({"data_dir": str(tmp_path), "vault_tokens": {"address": "https://vault.example.com"}}, "test")
    nodes = grid.of(settings, lambda _: Secret("x"), KEY)["nodes"]
    assert callable(nodes.push)
    can = {name for name in dir(nodes.reader) if not name.startswith("_")}
    assert can == {"configured", "placed", "reachable", "there"}


@pytest.mark.parametrize(
    "nodes",
    [
        {"port": 0}, {"directory": "tmp"}, {"directory": "/a\nb"}, {"addresses": {"n1": "a b"}},
        {"addresses": {"n1": "h:70000"}}, {"addresses": {"n1": "[::1]:0"}}, {"auth": []},
        {"auth": [{"method": "password"}]}, {"auth": [{"method": "key", "private_key": "a key in clear"}]},
    ],
    ids=str,
)  # fmt: skip
def test_settings_that_are_wrong_are_refused_without_being_repeated(nodes: dict[str, object]) -> None:
    """A port that is none, a relative directory, no way to log in, a key in the file itself: refused by the rule."""
    with pytest.raises(Refused) as refused:
        parse({"nodes": nodes}, "test")
    assert "nodes" in refused.value.what
    assert "a key in clear" not in str(refused.value)
