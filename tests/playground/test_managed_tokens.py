"""The demo's managed tokens without a bot: Kerberos in miniature, the nodes' doors, FERRY, the page, and what is told."""

from __future__ import annotations

import base64
import re
import smtplib
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from playground import grid_kerberos
from playground.mailbox import Mailbox
from playground.managed_scenarios import DOWN, FULL, PLANTED, ManagedDeeds
from playground.managed_tokens import ACCOUNTS, MANAGER, OTHER, UIDS, ManagedTokens
from playground.server import run_in_thread
from playground.vault import VaultStandIn
from playground.vault_answers import Asked
from playground.vault_kerberos import NotLetIn

PRINCIPAL = "dunepro@EXAMPLE.COM"
CLIENT = """
import sys
import gssapi
name = gssapi.Name("dunepro@EXAMPLE.COM", gssapi.NameType.kerberos_principal)
kept = {"ccache": "MEMORY:one", "client_keytab": "FILE:" + sys.argv[1]}
credentials = gssapi.Credentials(name=name, usage="initiate", mechs=[gssapi.MechType.kerberos], store=kept)
assert str(credentials.name) == "dunepro@EXAMPLE.COM" and credentials.lifetime > 3600
credentials.store(store={"ccache": "FILE:" + sys.argv[2]}, usage="initiate", overwrite=True)
there = gssapi.Name("host@127.0.0.1", gssapi.NameType.hostbased_service)
context = gssapi.SecurityContext(usage="initiate", name=there, creds=credentials, mech=gssapi.MechType.kerberos)
sys.stdout.buffer.write(context.step())
"""


@pytest.fixture
def managed(tmp_path: Path) -> Iterator[ManagedTokens]:
    made = ManagedTokens(VaultStandIn(), tmp_path / "grid")
    yield made
    made.close()


def field(managed: ManagedTokens, name: str) -> dict[str, Any]:
    """What the page tells of something, by the beginning of its name."""
    return next(one for part in managed.facts(lambda text: f"<{len(text)}>") for one in part["fields"]
                if one["name"].startswith(name))  # fmt: skip


def answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except ConnectionRefusedError:
        return False
    return True


def test_only_the_realm_s_own_tickets_are_believed(tmp_path: Path) -> None:
    """A process that finds the module logs in with a keytab; another realm, a changed word or nonsense is nobody."""
    realm, ticket = grid_kerberos.Realm("EXAMPLE.COM"), tmp_path / "ticket"
    realm.keytab(tmp_path / "keytab", PRINCIPAL)
    grid_kerberos.install(tmp_path / "python")
    done = subprocess.run(
        [sys.executable, "-c", CLIENT, str(tmp_path / "keytab"), str(ticket)], capture_output=True, check=True,
        env={"PYTHONPATH": str(tmp_path / "python")}, timeout=60,
    )  # fmt: skip
    shown = base64.b64encode(done.stdout).decode()
    assert realm.who(f"Negotiate {shown}") == PRINCIPAL
    forged = base64.b64encode(done.stdout.replace(b"dunepro", b"novapro")).decode()
    for header, judge in ((f"Negotiate {shown}", grid_kerberos.Realm("EXAMPLE.COM")), (f"Negotiate {forged}", realm),
                          (f"Basic {shown}", realm), ("Negotiate", realm), ("Negotiate e30=", realm)):  # fmt: skip
        with pytest.raises(NotLetIn):
            judge.who(header)
    assert {one.stat().st_mode & 0o077 for one in (tmp_path / "keytab", ticket)} == {0}


def test_nodes_listen_before_ssh_is_there(managed: ManagedTokens) -> None:
    """Whoever comes gets SSH's greeting; one that is down refuses, and comes back at its place."""
    place = managed.nodes.nodes[DOWN].port
    with socket.create_connection(("127.0.0.1", place), timeout=60) as early:
        assert early.recv(4) == b"SSH-"
    managed.node_down(DOWN)
    assert not answers(place)
    assert field(managed, DOWN)["note"].startswith("down")
    managed.mend()
    with socket.create_connection(("127.0.0.1", place), timeout=60) as again:
        assert again.recv(4) == b"SSH-"


def test_what_the_buttons_do_is_seen(managed: ManagedTokens) -> None:
    """Each says what to type; the page shows each trouble; all are over at last but the UID, which stays."""
    deeds = ManagedDeeds(managed)
    said = [deeds.planted(), deeds.full(), deeds.signed_out(), deeds.banned(), deeds.new_uid(), deeds.ferry_down()]
    assert all(re.search(r"Type /[a-z-]+", one) for one in said)
    assert "link" in field(managed, PLANTED)["note"]
    assert "disk" in field(managed, FULL)["note"]
    assert field(managed, "dune_production")["ok"] is False
    assert field(managed, "sbndpro")["note"] == "banned"
    deeds.mend()
    assert [field(managed, name)["ok"] for name in ("dune_production", "sbndpro", "novapro")] == [True] * 3
    assert field(managed, "novapro")["fingerprint"] == str(UIDS["novapro"] + 1000)
    managed.start_over()
    assert field(managed, "novapro")["fingerprint"] == str(UIDS["novapro"])


def test_a_token_on_a_node_is_told_by_its_fingerprint(managed: ManagedTokens) -> None:
    """And whether Vault takes it; the value is nowhere in what the page is given."""
    token = managed.oauth.vault.tokens.issue(("oauth",), ttl=60)
    name, node = next((name, one) for name, one in managed.nodes.nodes.items() if "dunepro" in one.accounts)
    node.put(f"/tmp/vt_u{UIDS['dunepro']}", f"{token}\n".encode(), owner=UIDS["dunepro"])
    told = field(managed, name)
    assert (told["fingerprint"], told["note"], told["ok"]) == (f"<{len(token)}>", "good at Vault", True)
    managed.oauth.vault.tokens.tokens.clear()
    assert field(managed, name)["note"] == "no longer good"
    assert token not in repr(managed.facts(lambda _: "a fingerprint"))


def begun(managed: ManagedTokens) -> str:
    """A sign-in for dune; its code."""
    body = {"role": "production", "client_nonce": "n", "redirect_uri": "http://127.0.0.1"}
    managed.oauth.vault.answer(Asked("POST", "auth/oidc-dune/oidc/auth_url", body=body))
    return list(managed.oauth.sign_ins.values())[-1].code


def test_the_page_signs_in_who_may(managed: ManagedTokens) -> None:
    """The manager is; somebody else, a "no", a code of nobody and a second try are not. FERRY asks for its token."""
    server = run_in_thread(managed.app())
    try:
        with httpx.Client(base_url=server.url, trust_env=False) as http:
            code = begun(managed)
            assert "dune_production" in http.get("/device", params={"user_code": code}).text
            for user, answer, told in ((MANAGER, "yes", "signed in for dune"), (OTHER, "yes", "may not act"),
                                       (MANAGER, "no", "you said no")):  # fmt: skip
                sent = {"user_code": begun(managed), "user": user, "answer": answer}
                assert told in http.post("/device", data=sent).text
                assert http.post("/device", data=sent).status_code == 400
            assert http.get("/device", params={"user_code": "AAAA-0000"}).status_code == 400
            known = {"username": "dunepro"}
            assert http.get("/getUserInfo", params=known).status_code == 401
            bearer = {"Authorization": f"Bearer {next(iter(managed.ferry.tokens))}"}
            assert http.get("/getUserInfo", params=known, headers=bearer).json()["ferry_output"]["uid"] == 50381
            managed.ferry_down()
            assert http.get("/getUserInfo", params=known, headers=bearer).status_code == 503
    finally:
        server.stop()


def test_mail_is_shown_whole() -> None:
    """To all its receivers, newest first, lines that begin with a dot too; who hangs up in between sends nothing."""
    came: list[None] = []
    box = Mailbox(lambda: came.append(None))
    try:
        with smtplib.SMTP("127.0.0.1", box.port, timeout=60) as smtp:
            for subject in ("One", "Two"):
                text = f"Subject: {subject}\r\n\r\n.hidden\r\nline\r\n"
                smtp.sendmail("bot@example.com", ["a@example.com", "b@example.com"], text)
        with socket.create_connection(("127.0.0.1", box.port), timeout=60) as rude:
            rude.sendall(b"RCPT TO:<c@example.com>\r\n")
    finally:
        box.close()
    assert [(one["to"], one["subject"]) for one in box.facts()] == [
        ("a@example.com, b@example.com", "Two"), ("a@example.com, b@example.com", "One"),
    ]  # fmt: skip
    assert [one["body"] for one in box.facts()] == [".hidden\nline\n"] * 2
    assert len(came) == 2


def test_the_file_is_as_upstream_s(managed: ManagedTokens) -> None:
    """The bot understands all of it, and finds a service with two nodes and a private keytab for each experiment."""
    from bot.core.managed_tokens import understood

    found = understood(managed._file())
    assert found.unclear == ()
    assert [(one.experiment, len(one.nodes)) for one in found.services] == [(name, 2) for name in ACCOUNTS]
    assert {Path(one.keytab).stat().st_mode & 0o777 for one in found.services} == {0o600}
