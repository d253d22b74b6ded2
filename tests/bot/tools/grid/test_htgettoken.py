"""Tokens by the real program htgettoken, for sites that prefer it; and by programs that misbehave."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from bot.core.errors import Refused, Told, Transient
from bot.tools import private_folder
from playground import broken
from playground.vault_answers import error
from playground.vault_faults import Fault
from tests.certificates import certificate
from tests.conftest import Canary

pytestmark = pytest.mark.slow


@pytest.fixture
def site(played: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """htgettoken speaks TLS only."""
    crt, key = certificate(tmp_path, "vault")
    monkeypatch.setattr(private_folder, "IN_MEMORY", tmp_path / "memory")
    (tmp_path / "memory").mkdir()
    port = broken.unused_port()
    config = uvicorn.Config(played.vault.app(), port=port, ssl_certfile=crt, ssl_keyfile=key, log_config=None)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 60
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.01)
    address = f"https://127.0.0.1:{port}"
    service, opened = played.service, played.open
    played.service = lambda **more: service(**{"vault_server": address, **more})
    played.open = lambda **more: opened(**{"way": "htgettoken", "ca_file": crt, **more})
    yield played
    server.should_exit = server.force_exit = True
    thread.join(10)


@pytest.fixture
def program(tmp_path: Path) -> Callable[[str], str]:
    """A program that stands in for htgettoken."""

    def make(text: str) -> str:
        path = tmp_path / "htgettoken"
        path.write_text(f"#!{sys.executable}\n{text}\n")
        path.chmod(0o755)
        return str(path)

    return make


def test_the_program_gets_a_token_that_is_kept_as_any(site: Any, canary: Canary) -> None:
    """Vault takes it; no file of the program's is left, and nothing secret was in its arguments or environment."""
    tokens = site.open(ttl_hours=24 * 28)  # above what htgettoken lets into any file
    held = tokens.obtain(site.service())
    text = canary.add("token", tokens.secret(site.service()).reveal())
    assert site.oauth.logins == ["dunepro@TEST.LOCAL"]
    assert site.vault.tokens.valid(text).ends == held.expires_at == site.now[0] + 28 * 86_400
    assert tokens.obtain(site.service()).how == "kept"
    assert list((site.folder / "memory").iterdir()) == []


def test_somebody_must_sign_in(site: Any) -> None:
    """Told as of the other way, though the program only says that reading failed."""
    site.oauth.refresh.clear()
    with pytest.raises(Refused, match="dune_pro needs somebody to sign in"):
        site.open().obtain(site.service())
    site.sign_in()
    site.oauth.dead.add("rt-of-the-tests")
    with pytest.raises(Refused, match="needs somebody to sign in"):
        site.open().obtain(site.service())


TROUBLES: dict[str, tuple[Fault, type[Told], str]] = {
    "login": (Fault(path="auth/kerberos-dune_pro/login", answer=error(403, "no")), Refused, "refused the Kerberos login"),
    "creds": (Fault(path="secret/oauth", answer=error(403, "no")), Refused, "does not let it read"),
    "sealed": (Fault(answer=error(503, "Vault is sealed")), Transient, "did not reach Vault"),
    "cut": (Fault(path="auth/kerberos-dune_pro/login", cut=3), Transient, "did not reach Vault"),
}  # fmt: skip


@pytest.mark.parametrize("name", TROUBLES)
def test_its_troubles_are_told_in_our_words(site: Any, name: str) -> None:
    """Not in its own, of which nothing travels."""
    fault, kind, words = TROUBLES[name]
    site.vault.faults.add(fault)
    with pytest.raises(kind, match=words) as raised:
        site.open().obtain(site.service())
    assert raised.value.__cause__ is None
    assert list((site.folder / "memory").iterdir()) == []


def test_a_certificate_of_another(site: Any, tmp_path: Path) -> None:
    """Vault is not who it must be."""
    other, _ = certificate(tmp_path, "other")
    with pytest.raises(Refused, match="does not trust"):
        site.open(ca_file=other).obtain(site.service())


def test_a_server_that_kerberos_does_not_know(site: Any, tmp_path: Path) -> None:
    """There is no host principal for it."""
    address = site.service().vault_server.replace("127.0.0.1", "127.0.0.2")
    with pytest.raises(Refused, match="nothing to log in"):
        site.open().obtain(site.service(vault_server=address))


def test_a_program_that_is_not_there(site: Any) -> None:
    """Said before anything is lent to it."""
    with pytest.raises(Refused, match="not there"):
        site.open(program="no-such-program").obtain(site.service())


def test_a_program_that_hangs_is_ended_with_all_that_it_started(site: Any, program: Any, tmp_path: Path) -> None:
    """In time, and its folder is gone."""
    text = (
        "import subprocess, sys, pathlib, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        f"pathlib.Path({str(tmp_path / 'pid')!r}).write_text(str(child.pid))\ntime.sleep(600)"
    )
    for seconds in (0.5, 5, 25):  # a busy machine may not come to the child sooner
        with pytest.raises(Transient, match=f"did not end within {seconds * 4:g} s"):
            site.open(program=program(text), timeout=seconds).obtain(site.service())
        if (tmp_path / "pid").exists():
            break
    pid, deadline = (tmp_path / "pid").read_text(), time.monotonic() + 60
    while _alive(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not _alive(pid)
    assert list((site.folder / "memory").iterdir()) == []


def _alive(pid: str) -> bool:
    told = Path(f"/proc/{pid}/status")
    return told.exists() and "State:\tZ" not in told.read_text()


def test_what_a_program_may_know(site: Any, program: Any, monkeypatch: pytest.MonkeyPatch, canary: Canary) -> None:
    """Its ticket lies in a folder of mode 0700 and a file of 0600; the bot's own environment is not its to see."""
    monkeypatch.setenv("SLACK_BOT_TOKEN", canary("slack token"))
    monkeypatch.setenv("HTGETTOKENOPTS", "--debug")
    text = (
        "import os, pathlib, sys\n"
        "cache = pathlib.Path(os.environ['KRB5CCNAME'].removeprefix('FILE:'))\n"
        "good = oct(cache.stat().st_mode)[-3:] == '600' and oct(cache.parent.stat().st_mode)[-3:] == '700'\n"
        "good = good and not {'SLACK_BOT_TOKEN', 'HTGETTOKENOPTS'} & set(os.environ)\n"
        "print('Kerberos negotiate with x failed: Forbidden' if good else 'odd', file=sys.stderr)\nsys.exit(1)"
    )
    with pytest.raises(Refused, match="refused the Kerberos login"):
        site.open(program=program(text)).obtain(site.service())


@pytest.mark.parametrize("text", ["print('')", "print('two words here')", "print('hvs.' + 'x' * 9000)", "import os; os.write(1, b'\\xff' * 40)"])  # fmt: skip
def test_a_program_that_prints_no_token(site: Any, program: Any, text: str) -> None:
    """It is not taken for one."""
    with pytest.raises(Transient, match="does not speak like Vault"):
        site.open(program=program(text)).obtain(site.service())
