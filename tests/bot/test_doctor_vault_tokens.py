"""`hivekeeper check` about the Vault of services' tokens."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot import doctor_vault_tokens
from bot.app import Parts
from bot.findings import Finding
from bot.settings import parse
from playground import broken
from playground.server import Server, run_in_thread
from playground.vault import VaultStandIn
from playground.vault_oauth import VaultOauth

ROLES = ("ana", "old", "pro")


@pytest.fixture
def stand_in() -> VaultStandIn:
    made = VaultStandIn()
    VaultOauth(made, lambda _: "nobody").issuers["dune"] = {"pro", "ana"}
    return made


@pytest.fixture
def vault(stand_in: VaultStandIn) -> Iterator[Server]:
    server = run_in_thread(stand_in.app())
    yield server
    server.stop()


def found(folder: Path, address: str = "", roles: tuple[str, ...] = ROLES, **settings: Any) -> list[Finding]:
    accounts = {role: {"account": f"dune{role}", "destinationNodes": ["n1.example.com"]} for role in roles}
    document = {"kerberosPrincipalPattern": "{{.Account}}@EXAMPLE.COM", "keytabPath": "/nowhere", "vaultServer": address,
                "experiments": {"dune": {"emails": ["a@example.com"], "roles": accounts}}}  # fmt: skip
    path = folder / "managedTokens.yml"
    path.write_text(yaml.safe_dump(document))
    given = {"vault_tokens": settings, "managed_tokens": {"file": str(path)}, "data_dir": str(folder)}
    return list(doctor_vault_tokens.vault_tokens(Parts(parse(given, "settings of the test"))))


def test_each_service_has_its_login(vault: Server, stand_in: VaultStandIn, tmp_path: Path) -> None:
    """Those that Vault has not are named, and nobody is logged in for that."""
    told = found(tmp_path, vault.url)
    assert [(each.good, each.told) for each in told] == [
        (True, f"{vault.url} has the login auth/kerberos-dune_ana."),
        (False, "Vault has no Kerberos login at auth/kerberos-dune_old (404)."),
        (True, f"{vault.url} has the login auth/kerberos-dune_pro."),
    ]
    assert "vault_tokens.issuer" in told[1].now
    assert not stand_in.tokens.tokens


def test_what_holds_for_all_is_told_once(tmp_path: Path) -> None:
    """A Vault that is away, one that is not named, and a CA file that is not there."""
    (away,) = found(tmp_path, f"http://127.0.0.1:{broken.unused_port()}")
    assert (away.good, "does not accept connections" in away.told) == (False, True)
    unnamed = found(tmp_path)
    assert all("not said which Vault" in each.told and each.now for each in unnamed)
    (untrusted,) = found(tmp_path, "https://127.0.0.1:1", ca_file=str(tmp_path / "none.pem"))
    assert "CA file" in untrusted.told
    assert "vault_tokens.ca_file" in untrusted.now


def test_what_is_no_vault(tmp_path: Path) -> None:
    """A login page answers anything with 200: told as such."""
    with broken.broken(broken.cut(broken.answer(200, b"<html>welcome"))) as server:
        (one,) = found(tmp_path, server.url, roles=("pro",))
    assert one.good is False
    assert one.now


def test_the_program_of_a_site(vault: Server, tmp_path: Path) -> None:
    """Where htgettoken is to get the tokens, it must be there."""
    missing, *_ = found(tmp_path, vault.url, way="htgettoken", program="no-such-program")
    assert (missing.good, missing.told) == (False, "The program no-such-program is not there.")
    there, *_ = found(tmp_path, vault.url, way="htgettoken", program="sh")
    assert there.good is True


def test_nothing_to_look_at(tmp_path: Path) -> None:
    """Without the setting, without the file, and while the file cannot be read."""
    for given in ({}, {"vault_tokens": {}}, {"vault_tokens": {}, "managed_tokens": {"file": str(tmp_path / "none")}}):
        parts = Parts(parse({"data_dir": str(tmp_path), **given}, "settings of the test"))
        assert list(doctor_vault_tokens.vault_tokens(parts)) == []
