"""Secrets by reference: where they come from, and what is said when they do not."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from bot.core.errors import Refused
from bot.settings import FromEnv, FromFile, FromVault
from bot.tools.references import exposed, resolve
from playground.vault import VaultStandIn


def test_each_place_gives_its_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, canary: Any, stand_in: VaultStandIn, vault: Any
) -> None:
    """Environment, file and Vault give the very text, without the one newline that editors put at a file's end."""
    secret = canary("a secret")
    monkeypatch.setenv("A_SECRET", secret)
    canary.may_hold(tmp_path)
    stand_in.put("kv/a", {"b": secret})
    assert resolve(FromEnv(env="A_SECRET"), None).reveal() == secret
    assert resolve(FromVault(vault="kv/a", field="b"), vault).reveal() == secret
    for end, kept in (("", ""), ("\n", ""), ("\r\n", ""), ("\n\n", "\n"), (" \n", " ")):
        (tmp_path / "a").write_bytes((secret + end).encode())
        assert resolve(FromFile(file=tmp_path / "a"), None).reveal() == secret + kept


def test_what_is_not_there_is_told_by_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, canary: Any, vault: Any
) -> None:
    """Missing, empty, unreadable, binary and huge: each names the variable, the file or the path, never a content."""
    secret = canary("a secret").encode()
    canary.may_hold(tmp_path)
    monkeypatch.setenv("EMPTY", "")
    monkeypatch.setenv("BINARY", "x\udcff")
    (tmp_path / "empty").write_bytes(b"\n")
    (tmp_path / "binary").write_bytes(secret + b"\xff")
    (tmp_path / "huge").write_bytes(secret * 100_000)
    said = {
        FromEnv(env="NOT_SET"): "NOT_SET is not set",
        FromEnv(env="EMPTY"): "EMPTY is not set",
        FromEnv(env="BINARY"): "BINARY is not UTF-8 text",
        FromFile(file=tmp_path / "none"): f"{tmp_path}/none is not there",
        FromFile(file=tmp_path): f"{tmp_path} cannot be read",
        FromFile(file=tmp_path / "empty"): f"{tmp_path}/empty is empty",
        FromFile(file=tmp_path / "binary"): f"{tmp_path}/binary is not UTF-8 text",
        FromFile(file=tmp_path / "huge"): f"{tmp_path}/huge is too long for a secret",
        FromVault(vault="kv/none", field="x"): "There is nothing at kv/none in Vault",
    }
    for source, words in said.items():
        with pytest.raises(Refused) as told:
            resolve(source, vault)
        assert words in told.value.what
        assert told.value.now
        assert secret.decode() not in repr(told.value)
        assert told.value.__context__ is None


def test_vault_before_vault_is_open(canary: Any) -> None:
    """A reference into Vault where there is no Vault (its own credentials, say) is refused by its path."""
    with pytest.raises(Refused, match=r"kv/a \(b\) in Vault, but Vault is not configured"):
        resolve(FromVault(vault="kv/a", field="b"), None)


def test_open_files_are_pointed_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that others may use is named; a private one, a missing one and other places are not."""
    path = tmp_path / "token"
    path.write_text("x")
    for mode, told in ((0o600, False), (0o400, False), (0o640, True), (0o604, True), (0o620, True)):
        path.chmod(mode)
        assert bool(exposed(FromFile(file=path))) is told
    monkeypatch.setattr("os.geteuid", lambda: os.getuid() + 1)  # as in a pod: root's, and read through the pod's group
    for mode, told in ((0o440, False), (0o640, False), (0o460, True), (0o444, True)):
        path.chmod(mode)
        assert bool(exposed(FromFile(file=path))) is told
    path.chmod(0o644)
    assert exposed(FromFile(file=path)) == f"{path} can be used by others than its owner (mode 644)."
    assert exposed(FromFile(file=tmp_path / "none")) is None
    assert exposed(FromEnv(env="X")) is None
    monkeypatch.setattr("bot.tools.references.KUBELETS", tmp_path)
    assert exposed(FromFile(file=path)) is None
