"""`hivekeeper check` about managed tokens: the file, FERRY, HTCondor, mail and the Pushgateway."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bot import doctor_grid
from bot.app import Parts
from bot.findings import Finding
from bot.settings import parse
from playground import broken
from playground.condor import CondorStandIn
from playground.ferry import FerryStandIn, serve

FILE = """
keytabPath: /opt/keytabs
kerberosPrincipalPattern: "{{.Account}}@EXAMPLE.COM"
experiments:
  dune:
    emails: [dune@example.com]
    roles:
      production: {account: dunepro, destinationNodes: [n1.example.com, n2.example.com]}
"""


def found(tmp_path: Path, **document: Any) -> list[Finding]:
    return list(doctor_grid.grid(Parts(parse({"data_dir": str(tmp_path), **document}, "settings.yaml"))))


def test_nothing_is_set(tmp_path: Path) -> None:
    """Who does not use it is not bothered with it."""
    assert found(tmp_path) == []


def test_the_file(tmp_path: Path) -> None:
    """Its services are counted, and each thing that is not understood is a finding with its place."""
    path = tmp_path / "managedTokens.yml"
    path.write_text(FILE)
    (good,) = found(tmp_path, managed_tokens={"file": str(path)})
    assert (good.good, good.told) == (True, "1 service on 2 nodes.")
    path.write_text(FILE.replace("account:", "acount:") + "minTokenLifetime: 3 days\n")
    told = [finding.told for finding in found(tmp_path, managed_tokens={"file": str(path)}) if not finding.good]
    assert any("did you mean account?" in sentence for sentence in told)
    assert any(sentence.startswith("minTokenLifetime is not a time") for sentence in told)
    (missing,) = found(tmp_path, managed_tokens={"file": str(tmp_path / "none.yml")})
    assert missing.good is False


def test_what_the_file_has_and_the_settings_have_not(tmp_path: Path) -> None:
    """FERRY and mail are set in the bot's own settings: without them they are found missing, with them they are, like
    the other keys, only told to be read elsewhere."""
    path = tmp_path / "managedTokens.yml"
    path.write_text(FILE + "ferry: {host: https://ferry.example.com}\nlogs: {}\nworkerType: {x: {numRetries: 3}}\n")
    bare, rest = found(tmp_path, managed_tokens={"file": str(path)})[1:]
    assert (bare.good, bare.now) == (False, "Set ferry there.")
    assert (rest.good, "logs, workerType" in rest.told) == (None, True)
    given = {"address": "https://ferry.invalid", "token": {"env": "X"}}
    theirs = found(tmp_path, managed_tokens={"file": str(path)}, ferry=given)
    assert [one.good for one in theirs if one.subject == "managed_tokens"] == [True, None]


def test_all_is_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is asked whether it is there; the rights of the client's key are looked at, too."""
    monkeypatch.setenv("FERRY_TEST_TOKEN", "made-up")
    pool = CondorStandIn(tmp_path / "pool")
    with serve(FerryStandIn(tokens={"made-up"})) as ferry:
        findings = found(
            tmp_path, vault_tokens={"address": "https://vault.example.com"}, credd={"path": pool.path},
            ferry={"address": ferry.url, "token": {"env": "FERRY_TEST_TOKEN"}},
        )  # fmt: skip
    assert {finding.subject: finding.good for finding in findings} == {"ferry": True, "credd": True}


def test_nothing_is_well(tmp_path: Path) -> None:
    """Each that is away, or lacks something, has its finding with what to do; none keeps the others from theirs."""
    nowhere = f"http://127.0.0.1:{broken.unused_port()}"
    key = tmp_path / "key.pem"
    key.write_text("x")
    key.chmod(0o644)
    findings = found(
        tmp_path, credd={"path": str(tmp_path)}, pushgateway={"address": nowhere},
        ferry={"address": nowhere, "cert": str(key), "key": str(key)},
        smtp={"host": "127.0.0.1", "port": broken.unused_port(), "sender": "bot@example.com"},
    )  # fmt: skip
    assert [finding.subject for finding in findings] == ["ferry", "ferry", "credd", "credd", "smtp", "pushgateway"]
    assert not any(finding.good for finding in findings)
    assert all(finding.now for finding in findings)
