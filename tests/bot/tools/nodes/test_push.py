"""Tokens on a stand-in node."""

from __future__ import annotations

import stat
from typing import Any

from bot.core.secret import Secret
from bot.tools.fingerprints import KeyedFingerprints

UID = 4711


def test_both_places_hold_the_token_for_the_account_only(grid: Any, service: Any) -> None:
    """After a push both files hold the token with a newline, 0400, the account's; the result says so; no draft stays."""
    placed = grid.tool().push(service, "n1.example.com", UID)
    assert [it.path for it in placed] == [*grid.tokens, f"/tmp/default_role_dune_{UID}"]
    for path in grid.tokens:
        file = grid.node.files[path]
        assert bytes(file.content).decode() == grid.token + "\n"
        assert (stat.S_IMODE(file.mode), file.owner) == (0o400, UID)
    role = grid.node.files[f"/tmp/default_role_dune_{UID}"]
    assert (bytes(role.content), stat.S_IMODE(role.mode)) == (b"production\n", 0o644)
    assert len(grid.node.in_directory()) == 3
    fingerprint = KeyedFingerprints(Secret("a made-up key of the fingerprints")).of(Secret(grid.token))
    assert {(it.fingerprint, it.mode, it.owner) for it in placed[:2]} == {(fingerprint, 0o400, UID)}
