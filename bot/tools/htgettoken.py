"""The program htgettoken, for sites that prefer it: run without a shell, with nothing secret in its arguments.

Its ticket lies in a private folder as long as it runs; what it gets comes through a pipe and is in no file. The
environment is a small one: HTGETTOKENOPTS would add options of others.
"""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

from bot.core.errors import Refused, Told, Transient
from bot.core.grid import Service
from bot.core.secret import Secret
from bot.managed import VaultTokens
from bot.tools import private_folder, program, vault_tokens_told
from bot.tools.kerberos import Tickets
from bot.tools.vault_tokens_wire import Site, token
from bot.tools.vault_told import Doing

PATIENCE = 4  # times the timeout of one call: it makes several
AGAIN = "Try again in a minute; if it goes on, look whether Vault is up and can be reached."
TOKEN = re.compile(r"(hvs|s)\.[A-Za-z0-9._-]{8,4096}")  # among what it says of its progress
SAID = (  # words of its stderr -> what they mean; the first that fits
    ("read token from", ("not found", "bad request"), None),
    ("read token from", ("forbidden",), Refused(
        "Vault let {service} log in, but does not let it read its tokens.",
        "The policy of its Kerberos login must grant `read` on secret/oauth/creds; check the credkey, too.")),
    ("kerberos negotiate with", ("forbidden", "unauthorized", "bad request", "not found"), Refused(
        "Vault refused the Kerberos login of {service}.",
        "Check vault_tokens.issuer; those who run Vault must let the service's principal in.")),
    ("kerberos init failed", ("",), Refused(
        "Kerberos gave {service} nothing to log in to Vault with.",
        "The server needs a principal host/<its name>; check that, and rdns in krb5.conf.")),
    ("certificate verify failed", ("",), Refused(
        "The Vault of {service} shows a certificate that the bot does not trust.", "Check vault_tokens.ca_file.")),
    ("", ("service unavailable", "internal server error", "bad gateway", "max retries", "timed out", "connection",
          "no ip address"), Transient("htgettoken did not reach Vault for {service}.", AGAIN)),
)  # fmt: skip


class Program:
    """Sweeps, when made, what a crash has left."""

    def __init__(self, settings: VaultTokens, tickets: Tickets) -> None:
        self._settings = settings
        self._tickets = tickets
        private_folder.sweep()

    def token(self, service: Service, there: Site) -> Secret:
        """A new token. Refused or Transient as the program's end tells."""
        name, seconds = found(self._settings), self._settings.timeout * PATIENCE
        with private_folder.private_folder() as folder:
            cache = folder / "ticket"
            self._tickets.lend(service, cache)
            own = {"HOME": str(folder), "TMPDIR": str(folder), "KRB5CCNAME": f"FILE:{cache}"}
            command = [name, *self._arguments(there, folder)]
            ended = program.run(command, environment=program.environment(own), seconds=seconds)
        if ended.how == "late":
            raise Transient(f"htgettoken did not end within {seconds:g} s.", AGAIN)
        if not ended.good:
            raise _failure(ended.output.casefold(), service.name, ended.status)
        line = next((line for line in ended.output.splitlines() if TOKEN.fullmatch(line)), None)
        return token(line, Doing(f"get the token of {service.name}", "(htgettoken)"))

    def _arguments(self, there: Site, folder: Path) -> list[str]:
        ca_file = [f"--cafile={self._settings.ca_file.absolute()}"] if self._settings.ca_file else []
        return [
            "--verbose", "--nooidc", "--nossh", f"--vaultserver={there.address}", f"--issuer={there.issuer}",
            f"--role={there.role}", f"--credkey={there.credkey}",
            f"--vaulttokenttl={int(self._settings.ttl_hours * 3600)}s",
            f"--vaulttokeninfile={folder / 'none'}",  # by default it would read the pipe that it writes to
            "--vaulttokenfile=/dev/stdout", "--outfile=/dev/stdout", *ca_file,
        ]  # fmt: skip


def found(settings: VaultTokens) -> str:
    """Where the program is: in PATH, or beside our Python. Refused when it is nowhere."""
    beside = Path(sys.executable).parent / settings.program
    where = shutil.which(settings.program) or (str(beside) if beside.is_file() else None)
    if where is None:
        raise Refused(
            f"The program {settings.program} is not there.", "Install hivekeeper[grid], or set vault_tokens.program."
        )
    return where


def _failure(said: str, service: str, status: int) -> Told:
    for place, words, told in SAID:
        lines = [line for line in said.splitlines() if place in line]
        if not any(word in line for line in lines for word in words):
            continue
        if told is None:
            return vault_tokens_told.somebody(service, 404 if "not found" in said else 400)
        return type(told)(told.what.format(service=service), told.now)
    return Refused(f"htgettoken gave no token for {service} (it ended with {status}).", "Run it by hand to see why.")
