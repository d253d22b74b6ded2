"""Tickets from a real KDC: had from the keytab, kept, apart from each other, and every trouble in words of ours."""

from __future__ import annotations

import base64
import importlib
import os
import random
import re
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from bot.core.errors import Refused, Transient
from bot.core.grid import Service
from bot.managed import Kerberos
from bot.tools.kerberos import Tickets
from tests.kdc import REALM, Kdc

pytestmark = pytest.mark.slow


def service(keytab: Path | str, account: str = "bee", **more: str) -> Service:
    given = {"name": f"dune_{account}", "principal": f"{account}@{REALM}", **more}
    return Service(experiment="dune", role=account, account=account, keytab=str(keytab), **given)  # type: ignore[arg-type]  # names and texts only


@pytest.fixture(scope="module")
def keytab(kdc: Kdc) -> Path:
    return kdc.keytab("bee")


@pytest.fixture
def tickets(kerberos: Kdc) -> Tickets:
    return Tickets(Kerberos(timeout=60))


def library() -> Any:
    return importlib.import_module("gssapi")  # an extra: without it these tests are skipped, not broken


def accepted(kdc: Kdc, header: str) -> str:
    """Who a server takes the sender of this header for."""
    gssapi = library()
    credentials = gssapi.Credentials(usage="accept", store={"keytab": f"FILE:{kdc.host_keytab}"})
    context = gssapi.SecurityContext(usage="accept", creds=credentials)
    context.step(base64.b64decode(header))
    assert context.complete
    return str(context.initiator_name)


def test_a_ticket_is_had_from_the_keytab_and_logs_in(tickets: Tickets, kerberos: Kdc, keytab: Path) -> None:
    """It is the principal's, it lives for hours, and a server that knows only its own key takes it."""
    ticket = tickets.ticket(service(keytab))
    assert ticket.principal == f"bee@{REALM}"
    assert ticket.expires_at > tickets._clock() + 3600
    assert accepted(kerberos, tickets.negotiate(service(keytab), "localhost").reveal()) == f"bee@{REALM}"


def test_what_is_sent_is_spnego(tickets: Tickets, kerberos: Kdc, keytab: Path) -> None:
    """The token names SPNEGO first, as RFC 4559 wants it, not bare Kerberos."""
    raw = base64.b64decode(tickets.negotiate(service(keytab), "localhost").reveal())
    assert bytes.fromhex("06062b0601050502") in raw[:16]


def test_a_ticket_is_kept_while_it_is_good(kerberos: Kdc, keytab: Path) -> None:
    """The KDC may be away as long as the ticket has time; near its end it is fetched anew."""
    now = [1_000_000.0]
    tickets = Tickets(Kerberos(timeout=60), clock=lambda: now[0])
    first = tickets.ticket(service(keytab))
    kerberos.stop()
    try:
        assert tickets.ticket(service(keytab)) is first
        now[0] = first.expires_at - 60
        with pytest.raises(Transient, match="No KDC"):
            tickets.ticket(service(keytab))
    finally:
        kerberos.start()
    assert tickets.ticket(service(keytab)).expires_at > first.expires_at


def test_an_ended_ticket_is_never_used(tickets: Tickets, kerberos: Kdc) -> None:
    """The KDC lets this account's live for a second; after it the next login has a new one."""
    short = service(kerberos.keytab("brief", "-maxlife", "1second"), "brief")
    first, deadline = tickets.ticket(short), time.monotonic() + 60
    assert first.expires_at - time.time() <= 1
    while time.time() < first.expires_at + 0.1 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert accepted(kerberos, tickets.negotiate(short, "localhost").reveal()) == short.principal


def test_forgetting_before_there_was_anything(kerberos: Kdc, keytab: Path) -> None:
    """In a fresh process, where the library is not loaded yet: later tickets are forgotten all the same."""
    code = (
        "import sys\nfrom bot.core.grid import Service\nfrom bot.managed import Kerberos\n"
        "from bot.tools.kerberos import Tickets\n"
        "bee = Service(name='b', experiment='d', role='r', account='bee', principal='bee', keytab=sys.argv[1])\n"
        "tickets = Tickets(Kerberos())\ntickets.forget(bee)\nfirst = tickets.ticket(bee)\ntickets.forget(bee)\n"
        "import gssapi\n"
        "try:\n    gssapi.Credentials(usage='initiate', store=dict(first.store))\n"
        "except gssapi.exceptions.GSSError:\n    print('gone')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(keytab)], check=False, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.strip() == "gone", done.stderr


def test_services_do_not_see_each_others_tickets(tickets: Tickets, kerberos: Kdc, keytab: Path) -> None:
    """Twenty threads of two services at once each log in as their own principal, and nothing in the environment
    changes."""
    other, before = kerberos.keytab("wasp"), dict(os.environ)
    wanted = [service(keytab), service(other, "wasp")] * 10
    with ThreadPoolExecutor(20) as pool:
        headers = list(pool.map(lambda each: tickets.negotiate(each, "localhost").reveal(), wanted))
    assert [accepted(kerberos, header) for header in headers] == [each.principal for each in wanted]
    assert dict(os.environ) == before


def test_a_forgotten_ticket_is_gone_from_memory(tickets: Tickets, kerberos: Kdc, keytab: Path) -> None:
    """Not even the library has it any more."""
    ticket = tickets.ticket(service(keytab))
    gssapi = library()
    name = gssapi.Name(ticket.principal, gssapi.NameType.kerberos_principal)
    assert gssapi.Credentials(name=name, usage="initiate", store=dict(ticket.store)).lifetime
    tickets.forget(service(keytab))
    with pytest.raises(gssapi.exceptions.GSSError):
        gssapi.Credentials(name=name, usage="initiate", store=dict(ticket.store))


def test_a_new_ticket_takes_none_from_those_at_work(kerberos: Kdc, keytab: Path) -> None:
    """Who waits for a turn at a node with the ticket before can log in with it still; in the end it is gone."""
    now = [1_000_000.0]
    tickets = Tickets(Kerberos(timeout=60), clock=lambda: now[0])
    had = []
    for _ in range(4):
        had.append(tickets.ticket(service(keytab)))
        now[0] = had[-1].expires_at
    assert len({tuple(one.store.items()) for one in had}) == 4
    for one in had[1:]:
        assert library().Credentials(usage="initiate", store=dict(one.store)).lifetime
    tickets.forget(service(keytab))
    for one in had:
        with pytest.raises(library().exceptions.GSSError):
            assert library().Credentials(usage="initiate", store=dict(one.store)).lifetime


def test_any_order_of_work_in_many_threads(kerberos: Kdc, tmp_path: Path) -> None:
    """Eight threads log in and lend for four services, whose tickets end twice meanwhile: each gets what is its own
    service's, and nothing fails."""
    now = [0.0]
    services = [service(kerberos.keytab(f"busy{number}"), f"busy{number}") for number in range(4)]
    tickets = Tickets(Kerberos(timeout=60), clock=lambda: now[0])

    def work(seed: int) -> None:
        chance = random.Random(seed)
        for number in range(12):
            now[0] += 1e6 if seed == 0 and number in (4, 8) else 0
            one = chance.choice(services)
            if chance.random() < 0.3:
                cache = tmp_path / f"{seed}-{number}"
                tickets.lend(one, cache)
                assert (
                    str(library().Credentials(usage="initiate", store={"ccache": f"FILE:{cache}"}).name)
                    == one.principal
                )
                cache.unlink()
            else:
                assert accepted(kerberos, tickets.negotiate(one, "localhost").reveal()) == one.principal

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))


def test_a_lent_ticket_is_for_the_owner_alone(tickets: Tickets, kerberos: Kdc, keytab: Path, tmp_path: Path) -> None:
    """A program finds it in a file of mode 0600, and can log in with it."""
    cache = tmp_path / "cache"
    tickets.lend(service(keytab), cache)
    assert stat.S_IMODE(cache.stat().st_mode) == 0o600
    held = library().Credentials(usage="initiate", store={"ccache": f"FILE:{cache}"})
    assert str(held.name) == f"bee@{REALM}"


def test_a_ticket_that_cannot_be_lent(tickets: Tickets, kerberos: Kdc, keytab: Path, tmp_path: Path) -> None:
    """There is no room for the file, or no place: it is not the keytab that is blamed."""
    with pytest.raises(Refused, match=f"No copy of the ticket of bee@{REALM}") as refused:
        tickets.lend(service(keytab), tmp_path / "nowhere" / "cache")
    assert "/dev/shm" in refused.value.now


def test_a_principal_without_a_realm(kerberos: Kdc, keytab: Path) -> None:
    """The realm of the settings is added, else Kerberos's own default stands for it."""
    bare = service(keytab, principal="bee")
    assert Tickets(Kerberos()).ticket(bare).principal == f"bee@{REALM}"
    assert Tickets(Kerberos(realm=REALM)).ticket(bare).principal == f"bee@{REALM}"
    with pytest.raises(Refused, match="holds no key of bee"):
        Tickets(Kerberos(realm="OTHER.LOCAL")).ticket(service(keytab, principal="bee", name="dune_other"))


def test_a_new_keytab_is_used_at_once(tickets: Tickets, kerberos: Kdc) -> None:
    """Not the ticket of the old one."""
    path = kerberos.keytab("rotated")
    first = tickets.ticket(service(path, "rotated"))
    path.unlink()
    kerberos.admin(f"ktadd -k {path} rotated")
    assert tickets.ticket(service(path, "rotated")) is not first


def troubles(kdc: Kdc) -> Iterator[tuple[Service, str]]:
    """What can be wrong with a service, and a few words of what must be said of it."""
    yield service(kdc.folder / "none.keytab"), "is not there"
    yield service(kdc.folder), "cannot be read"
    junk = kdc.folder / "junk.keytab"
    junk.write_text("no keytab at all")
    yield service(junk), "is no keytab"
    junk.write_bytes(b"\x05\x02")
    yield service(junk, name="dune_empty"), "holds no key of"
    yield service(kdc.keytab("hornet"), "drone"), "holds no key of drone"
    stale = kdc.keytab("stale")
    kdc.admin("change_password -randkey stale")
    yield service(stale, "stale"), "does not accept the key of stale"
    gone = kdc.keytab("gone")
    kdc.admin("delprinc -force gone")
    yield service(gone, "gone"), "does not know the principal gone"
    locked = kdc.keytab("locked")
    kdc.admin("modprinc -allow_tix locked")
    yield service(locked, "locked"), "is locked or was revoked"
    yield service(kdc.keytab("ended", "-expire 2001-01-01"), "ended"), "has expired"
    strict = kdc.keytab("strict", "+requires_preauth")
    kdc.admin("change_password -randkey strict")
    yield service(strict, "strict"), "does not accept the key of strict"
    yield service(kdc.keytab("elsewhere"), "elsewhere", principal="elsewhere@NO.REALM"), "holds no key of"


def test_every_trouble_has_its_own_sentence(tickets: Tickets, kerberos: Kdc) -> None:
    """Refused, naming what is wrong and what to do, without a word of the library's."""
    for wrong, words in troubles(kerberos):
        with pytest.raises(Refused) as raised:
            tickets.ticket(wrong)
        assert words in raised.value.what, (words, raised.value.what)
        assert raised.value.now
        assert raised.value.__cause__ is None
        assert "Minor" not in str(raised.value)
        assert "Major" not in str(raised.value)


def test_reverse_dns_has_no_say(kerberos: Kdc, keytab: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By default the library asks it which machine stands behind a name; a login is for the name that the settings
    have, which all machines behind it know, as with htgettoken."""
    config, own = tmp_path / "krb5.conf", tmp_path / "own.keytab"
    config.write_text(re.sub("(rdns|dns_canonicalize_hostname) = false", r"\1 = true", kerberos.config.read_text()))
    kerberos.admin(f"ktadd -norandkey -k {own} host/127.0.0.1")
    monkeypatch.setenv("KRB5_CONFIG", str(config))
    header = Tickets(Kerberos()).negotiate(service(keytab), "127.0.0.1").reveal()
    gssapi = library()
    there = gssapi.Credentials(usage="accept", store={"keytab": f"FILE:{own}"})
    context = gssapi.SecurityContext(usage="accept", creds=there)
    context.step(base64.b64decode(header))
    assert str(context.initiator_name) == f"bee@{REALM}"


def test_a_name_that_only_the_library_understands(tickets: Tickets, kerberos: Kdc, keytab: Path) -> None:
    """The KDC knows no server that is called so, but one that this means."""
    assert accepted(kerberos, tickets.negotiate(service(keytab), "LOCALHOST").reveal()) == f"bee@{REALM}"


def test_a_host_that_the_kdc_does_not_know(tickets: Tickets, kerberos: Kdc, keytab: Path) -> None:
    """It is the server's principal that is missing, not the service's."""
    with pytest.raises(Refused, match="does not know the server"):
        tickets.negotiate(service(keytab), "vault.example.com")


def test_no_kdc_is_up(kerberos: Kdc, keytab: Path) -> None:
    """Worth another try, and told as such."""
    kerberos.stop()
    try:
        with pytest.raises(Transient, match="No KDC could be reached"):
            Tickets(Kerberos(timeout=60)).ticket(service(keytab))
    finally:
        kerberos.start()


def test_a_kdc_that_says_nothing_costs_its_timeout(
    kerberos: Kdc, keytab: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes the connection and stays silent: the settings say how long that may last, and who asks again soon is
    told at once."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        config = kerberos.folder / "silent.conf"
        config.write_text(kerberos.config.read_text().replace(str(kerberos.port), str(silent.getsockname()[1])))
        monkeypatch.setenv("KRB5_CONFIG", str(config))
        now = [1_000_000.0]
        tickets = Tickets(Kerberos(timeout=0.3), clock=lambda: now[0])
        for _ in range(3):
            with pytest.raises(Transient, match=r"within 0\.3 s"):
                tickets.ticket(service(keytab))
        assert len(_asked(silent)) == 1
        now[0] += 16
        with pytest.raises(Transient, match=r"within 0\.3 s"):
            tickets.ticket(service(keytab))
        assert len(_asked(silent)) == 1


def _asked(listener: socket.socket) -> list[socket.socket]:
    """The connections that have come since, of which there is one at least."""
    listener.settimeout(60)
    came = [listener.accept()[0]]
    listener.settimeout(0.1)
    with suppress(TimeoutError):
        while True:
            came.append(listener.accept()[0])
    return came
