"""The systems of managed tokens are put together as far as the settings name them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bot.app import Parts
from bot.core.errors import Refused
from bot.settings import parse

WHOLE: dict[str, Any] = {
    "managed_tokens": {"file": "/etc/managed-tokens/managedTokens.yml"},
    "vault_tokens": {"address": "https://vault.example.com"},
    "credd": {},
    "ferry": {"address": "https://ferry.example.com:8445", "token": {"env": "FERRY_TOKEN"}},
    "smtp": {"host": "mail.example.com", "sender": "bot@example.com"},
    "pushgateway": {"address": "http://pushgateway.example.com"},
}
PORTS = ("services", "vault_tokens", "nodes", "credds", "ferry", "mail", "pushgateway")


def parts(tmp_path: Path, document: dict[str, Any]) -> Parts:
    return Parts(parse({"data_dir": str(tmp_path), **document}, "settings.yaml"))


def test_nothing_is_set(tmp_path: Path) -> None:
    """Each says that it is not configured, and any use names the setting."""
    tools = parts(tmp_path, {}).tools
    assert [getattr(tools, name).configured() for name in PORTS] == [False] * len(PORTS)
    with pytest.raises(Refused, match="Set managed_tokens in the settings"):
        tools.services.read()
    with pytest.raises(Refused, match="Set ferry in the settings"):
        tools.ferry.account("dunepro")


def test_all_is_set(tmp_path: Path) -> None:
    """Each is there; what only looks can neither store, push nor send, also at run time."""
    whole = parts(tmp_path, WHOLE)
    assert all(getattr(whole.tools, name).configured() for name in PORTS)
    read = whole.read_tools
    assert not hasattr(read.credds, "store")
    assert not hasattr(read.nodes, "push")
    assert not hasattr(read.vault_tokens, "obtain")
    assert not hasattr(read, "mail")
    assert not hasattr(read, "pushgateway")


@pytest.mark.parametrize(
    "changed",
    [
        {"ferry": {"address": "https://ferry.example.com"}},
        {"ferry": {"address": "https://ferry.example.com", "cert": "/c.pem"}},
        {"ferry": {"address": "http://ferry.example.com", "token": {"env": "X"}}},
        {"smtp": {"host": "mail.example.com", "sender": "bot@example.com\r\nBcc: x@example.com"}},
        {"smtp": {"host": "mail.example.com", "sender": "bot@example.com", "username": "bot"}},
        {"pushgateway": {"address": "https://p.example.com", "job": "a/b"}},
        {"credd": {"way": "magic"}},
    ],
    ids=["no way in", "half a pair", "in clear", "two headers", "no password", "job", "way"],
)
def test_settings_that_cannot_be(tmp_path: Path, changed: dict[str, Any]) -> None:
    """They are refused at the start, by their place."""
    with pytest.raises(Refused, match=next(iter(changed))):
        parts(tmp_path, changed)
