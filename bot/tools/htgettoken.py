"""The program htgettoken, for sites that prefer it: run without a shell, with nothing secret in its arguments.

Its ticket lies in a private folder as long as it runs; what it gets comes through a pipe and is never in a file.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from bot.core.errors import Refused, Told, Transient
from bot.core.grid import Service
from bot.core.secret import Secret
from bot.managed import VaultTokens
from bot.tools import private_folder, vault_tokens_told
from bot.tools.kerberos import Tickets
from bot.tools.vault_tokens_wire import Site, token
from bot.tools.vault_told import Doing

PATIENCE = 4  # times the timeout of one call: it makes several
AGAIN = "Try again in a minute; if it goes on, look whether Vault is up and can be reached."
PASSED = ("PATH", "KRB5_CONFIG", "X509_CERT_DIR")  # of our environment; HTGETTOKENOPTS would add options of others
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

    def __init__(self, settings: VaultTokens, tickets: Tickets, folder: Path) -> None:
        self._settings = settings
        self._tickets = tickets
        self._parent = private_folder.best(folder)
        private_folder.sweep(self._parent)

    def token(self, service: Service, there: Site) -> Secret:
        """A new token. Refused or Transient as the program's end tells."""
        program = self._found()
        with private_folder.private_folder(self._parent) as folder:
            cache = folder / "ticket"
            self._tickets.lend(service, cache)
            status, out, said = self._run([program, *self._arguments(there, folder)], folder, cache)
        if status != 0:
            raise _failure(said, service.name, status)
        first = out.split(b"\n", 1)[0].decode("ascii", "replace")
        return token(first, Doing(f"get the token of {service.name}", "(htgettoken)"))

    def _found(self) -> str:
        beside = Path(sys.executable).parent / self._settings.program
        found = shutil.which(self._settings.program) or (str(beside) if beside.is_file() else None)
        if found is None:
            raise Refused(
                "The program htgettoken is not there.", "Install hivekeeper[grid], or set vault_tokens.program."
            )
        return found

    def _arguments(self, there: Site, folder: Path) -> list[str]:
        ca_file = [f"--cafile={self._settings.ca_file}"] if self._settings.ca_file else []
        return [
            "--verbose", "--nooidc", "--nossh", f"--vaultserver={there.address}", f"--issuer={there.issuer}",
            f"--role={there.role}", f"--credkey={there.credkey}",
            f"--vaulttokenttl={int(self._settings.ttl_hours * 3600)}s",
            f"--vaulttokeninfile={folder / 'none'}",  # by default it would read the pipe that it writes to
            "--vaulttokenfile=/dev/stdout", "--outfile=/dev/stdout", *ca_file,
        ]  # fmt: skip

    def _run(self, command: list[str], folder: Path, cache: Path) -> tuple[int, bytes, str]:
        """Its end, what it printed, and what it said in small letters."""
        own = {"HOME": str(folder), "TMPDIR": str(folder), "KRB5CCNAME": f"FILE:{cache}", "LC_ALL": "C.UTF-8"}
        passed = {name: os.environ[name] for name in PASSED if name in os.environ}
        process = subprocess.Popen(  # noqa: S603 - the program of the settings, no shell
            command, env=passed | own, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
        seconds = self._settings.timeout * PATIENCE
        try:
            out, said = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            raise Transient(f"htgettoken did not end within {seconds:g} s.", AGAIN) from None
        finally:
            _end(process)
        return process.returncode, out, said.decode("utf-8", "replace").casefold()


def _end(process: subprocess.Popen[bytes]) -> None:
    """With all that it started."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def _failure(said: str, service: str, status: int) -> Told:
    for place, words, told in SAID:
        lines = [line for line in said.splitlines() if place in line]
        if not any(word in line for line in lines for word in words):
            continue
        if told is None:
            return vault_tokens_told.somebody(service, 404 if "not found" in said else 400)
        return type(told)(told.what.format(service=service), told.now)
    return Refused(f"htgettoken gave no token for {service} (it ended with {status}).", "Run it by hand to see why.")
