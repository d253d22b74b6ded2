"""HTCondor's programs in miniature: `condor_vault_storer` and `condor_status`, as upstream.md describes them.

pool = CondorStandIn(folder)             # puts the programs into folder/bin
pool.trouble["a.example.com"] = "needs login"

Each program is a process of its own, started by whoever finds it on its PATH; what it is to do stands in a file beside.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from pathlib import Path
from typing import Any

PROGRAM = """#!{python} -I
import sys
sys.path.insert(0, {root!r})
from playground.condor import {main}
{main}({folder!r})
"""
NEGOTIATE = "htgettoken: Kerberos negotiate with https://vault.example.com:8200/v1/auth/kerberos-dune/login failed: "
POOL = "MaxRetryError: HTTPSConnectionPool(host='vault.example.com', port=8200): Max retries exceeded (Caused by "
NEEDED, FAILED = "Authentication needed for {service}", "htgettoken failed"
SAID = {
    "needs login": (NEEDED, "htgettoken: Failure getting token from https://vault.example.com:8200", FAILED),
    "polled": (NEEDED, "htgettoken: Polling for response took longer than 2 minutes", FAILED),
    "denied": (NEEDED, NEGOTIATE + "HTTPError: Forbidden: permission denied", FAILED),
    "vault away": (NEEDED, NEGOTIATE + POOL + "NewConnectionError('[Errno 111] Connection refused'))", FAILED),
    "vault sealed": (NEEDED, NEGOTIATE + "HTTPError: Service Unavailable: Vault is sealed", FAILED),
    "untrusted": (NEEDED, NEGOTIATE + POOL + "SSLError('certificate verify failed: unable to get issuer'))", FAILED),
    "no host principal": (NEEDED, "htgettoken: Kerberos init for host@vault failed: GSSError: gobbledygook.", FAILED),
    "schedd away": ("ERROR: communication error", "gobbledygook"),
    "schedd refuses": ("AUTHENTICATE:1003:Failed to authenticate with any method", "gobbledygook"),
}


class CondorStandIn:
    """`schedds`: collector to names; one that is not there does not answer. `trouble`: by schedd or service, a key of
    `SAID`, "hangs", or "lingers" once it has stored the token. `runs`: what was started, each with `program`,
    `arguments`, `environment` and the token files that it `found`. `stored`: schedd to the services whose token it has.
    `path`: what to set PATH to."""

    def __init__(self, folder: Path, *, token: str = "hvs.stand-in", storer: str = "condor_vault_storer") -> None:
        self._folder = folder
        self.tokens = folder / "tmp"
        self.schedds: dict[str, list[str]] = {}
        self.trouble: dict[str, str] = {}
        self._token = token
        self.tokens.mkdir(parents=True)
        (folder / "bin").mkdir()
        self.program(storer, "storer")
        self.program("condor_status", "status")
        self.save()

    @property
    def path(self) -> str:
        return str(self._folder / "bin")

    def program(self, name: str, main: str) -> None:
        """Install one."""
        file = self._folder / "bin" / name
        root = str(Path(__file__).resolve().parent.parent)
        file.write_text(PROGRAM.format(python=sys.executable, root=root, main=main, folder=str(self._folder)))
        file.chmod(0o755)

    def save(self) -> None:
        """Make it so: after each change of `schedds` or `trouble`."""
        said = {"schedds": self.schedds, "trouble": self.trouble, "token": self._token, "tokens": str(self.tokens)}
        (self._folder / "pool.json").write_text(json.dumps(said))

    def forget(self) -> None:
        """What ran and what was stored."""
        for name in ("runs.jsonl", "stored.jsonl"):
            (self._folder / name).unlink(missing_ok=True)

    @property
    def runs(self) -> list[dict[str, Any]]:
        return _lines(self._folder / "runs.jsonl")

    @property
    def stored(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for line in _lines(self._folder / "stored.jsonl"):
            found.setdefault(line["schedd"], []).append(line["service"])
        return found


def storer(folder: str) -> None:
    """`condor_vault_storer SERVICE`: a token for the ticket of KRB5CCNAME is stored, and left in files."""
    pool = _started(folder)
    (service,) = sys.argv[1:]
    told = dict(os.environ)
    schedd = told["_condor_CREDD_HOST"]
    assert service.count("_") <= 1
    assert Path(told["KRB5CCNAME"].removeprefix("FILE:")).read_bytes()
    assert "--credkey=" in told["HTGETTOKENOPTS"]
    assert told["_condor_SEC_CREDENTIAL_GETTOKEN_OPTS"].startswith("-a ")
    trouble = pool["trouble"].get(schedd) or pool["trouble"].get(service, "")
    if trouble == "hangs":
        time.sleep(60)
    for line in SAID.get(trouble, ()):
        sys.stderr.write(line.format(service=service) + "\n")
    if trouble not in ("", "lingers"):
        sys.exit(1)
    os.umask(0o077)
    one = Path(pool["tokens"], f"vt_u{os.geteuid()}-{service}")
    one.write_text(pool["token"])
    shutil.copyfile(one, one.with_name(f"vt_u{os.geteuid()}"))
    _append(Path(folder, "stored.jsonl"), {"schedd": schedd, "service": service})
    if trouble == "lingers":
        time.sleep(60)


def status(folder: str) -> None:
    """`condor_status -pool COLLECTOR -schedd [-constraint …] -af Name`."""
    pool = _started(folder)
    arguments = sys.argv[1:]
    collector = arguments[arguments.index("-pool") + 1]
    if "-constraint" in arguments and arguments[arguments.index("-constraint") + 1].endswith("=="):
        sys.stderr.write("Error: problem with constraint expression, gobbledygook" + "\n")
        sys.exit(1)
    if collector not in pool["schedds"]:
        sys.stderr.write("Error: communication error\ngobbledygook" + "\n")
        sys.exit(1)
    sys.stdout.write("\n".join(pool["schedds"][collector]) + "\n")


def _started(folder: str) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(Path(folder, "pool.json").read_text())
    run = {"program": Path(sys.argv[0]).name, "arguments": sys.argv[1:], "environment": dict(os.environ),
           "found": sorted(os.listdir(read["tokens"]))}  # fmt: skip
    _append(Path(folder, "runs.jsonl"), run)
    return read


def _append(file: Path, line: dict[str, Any]) -> None:
    with file.open("a") as opened:
        opened.write(json.dumps(line) + "\n")


def _lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
