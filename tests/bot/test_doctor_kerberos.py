"""`hivekeeper check` about Kerberos."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot import doctor_kerberos
from bot.app import Parts
from bot.findings import Finding
from bot.settings import parse
from tests.kdc import REALM, Kdc

pytestmark = pytest.mark.slow


def found(folder: Path, keytabs: dict[str, Path], **settings: Any) -> list[Finding]:
    """The findings about one service per account."""
    roles = {
        account: {"account": account, "destinationNodes": ["n1.example.com"], "keytabPathOverride": str(keytab)}
        for account, keytab in keytabs.items()
    }
    document = {"kerberosPrincipalPattern": f"{{{{.Account}}}}@{REALM}", "vaultServer": "vault.example.com",
                "experiments": {"dune": {"emails": ["a@example.com"], "roles": roles}}}  # fmt: skip
    path = folder / "managedTokens.yml"
    path.write_text(yaml.safe_dump(document))
    given = {"vault_tokens": {}, "managed_tokens": {"file": str(path)}, **settings}
    return list(doctor_kerberos.kerberos(Parts(parse(given, "settings of the test"))))


def test_each_service_gets_a_ticket_or_is_told_why_not(kerberos: Kdc, tmp_path: Path) -> None:
    """One that works, one whose keytab is another's, one whose keytab others can read."""
    good, open_ = kerberos.keytab("checked"), kerberos.keytab("opened")
    open_.chmod(0o644)
    told = found(tmp_path, {"checked": good, "wrong": good, "opened": open_})
    assert {(each.subject, each.good) for each in told} == {
        ("kerberos dune_checked", True), ("kerberos dune_wrong", False), ("kerberos dune_opened", False),
        ("kerberos dune_opened", True),
    }  # fmt: skip
    said = "\n".join(each.told for each in told)
    assert f"checked@{REALM} gets a ticket." in said
    assert f"holds no key of wrong@{REALM}" in said
    assert "can be used by others" in said


def test_no_kdc_is_told_once(kerberos: Kdc, tmp_path: Path) -> None:
    """Not once for each service, with its timeout each time."""
    keytab = kerberos.keytab("waiting")
    kerberos.stop()
    try:
        (one,) = found(tmp_path, {"waiting": keytab, "zebra": keytab})
    finally:
        kerberos.start()
    assert (one.subject, one.good) == ("kerberos", False)


def test_without_the_library_that_is_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what to install, and not once for each service."""
    monkeypatch.setitem(sys.modules, "gssapi", None)  # importing it fails
    (one,) = found(tmp_path, {"one": tmp_path / "one", "two": tmp_path / "two"})
    assert (one.subject, one.good) == ("kerberos", False)
    assert "hivekeeper[grid]" in one.now


def test_nothing_to_look_at(tmp_path: Path) -> None:
    """Without managed tokens, or while their file cannot be read."""
    assert list(doctor_kerberos.kerberos(Parts(parse({}, "none")))) == []
    given = {"vault_tokens": {}, "managed_tokens": {"file": str(tmp_path / "none")}}
    assert list(doctor_kerberos.kerberos(Parts(parse(given, "none")))) == []
