"""The same with true Kerberos, a played Vault for grid tokens, and nodes that speak SSH: what ports promise is so."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from bot.core.secret import Secret
from bot.managed import Kerberos
from bot.managed import VaultTokens as VaultSettings
from bot.sources import FromEnv
from bot.ssh import Key
from bot.ssh import Nodes as NodesSettings
from bot.tools.fingerprints import KeyedFingerprints
from bot.tools.kerberos import Tickets
from bot.tools.meter import Meter
from bot.tools.nodes import SshNodes
from bot.tools.vault_tokens import VaultTokens
from handlers.managed_tokens import ONBOARD
from handlers.push_tokens import HANDLER
from playground.server import run_in_thread
from playground.ssh_node import Node
from playground.ssh_node import Nodes as Served
from playground.vault import VaultStandIn
from playground.vault_kerberos import Acceptor
from playground.vault_oauth import VaultOauth
from tests.kdc import REALM, Kdc

UID, NODES = 501, ("n1.example.com", "n2.example.com", "n3.example.com")


@dataclass
class Site:
    scene: Any
    oauth: VaultOauth
    nodes: dict[str, Node]
    tokens: VaultTokens

    def there(self, node: str) -> set[str]:
        """What lies in the node's token files."""
        return {bytes(file.content).decode() for path, file in self.nodes[node].files.items() if "/vt_u" in path}


@pytest.fixture
def site(scene: Any, kerberos: Kdc, tmp_path: Path) -> Iterator[Site]:
    """One service on three nodes, for which somebody has signed in."""
    vault = VaultStandIn(lambda: scene.grid.now)
    oauth = VaultOauth(vault, Acceptor(kerberos.host_keytab).who)
    oauth.issuers["dune"] = {"pro"}
    oauth.refresh["dune/dunepro:pro"] = "rt-of-the-tests"
    server = run_in_thread(vault.app())
    ours, theirs = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(2))
    nodes = {name: Node({"dunepro": UID}, keys={ours.export_public_key().decode().strip()}) for name in NODES}
    served = Served(list(nodes.values()), theirs)
    known = tmp_path / "known_hosts"
    known.write_text("".join(f"{served.known_host(name).strip()}\n" for name in NODES))
    marks = KeyedFingerprints(Secret("a made-up key of the fingerprints"))
    meter = Meter()
    tickets = Tickets(Kerberos(timeout=60), meter=meter)
    tokens = VaultTokens(VaultSettings(), tickets, marks, lambda: scene.grid.now)
    settings = NodesSettings(
        auth=(Key(private_key=FromEnv(env="KEY")),),
        known_hosts=known,
        addresses={name: f"127.0.0.1:{node.port}" for name, node in nodes.items()},
    )
    private = Secret(ours.export_private_key().decode())
    real = SshNodes(settings, lambda _: private, marks, tokens.secret)
    scene.tools = replace(scene.tools, vault_tokens=tokens, nodes=real, meter=meter)
    role = {"account": "dunepro", "destinationNodes": list(NODES), "keytabPathOverride": str(kerberos.keytab("dunepro")),
            "userPrincipalOverride": f"dunepro@{REALM}"}  # fmt: skip
    address = server.url.replace("127.0.0.1", "localhost")
    scene.path.write_text(json.dumps({"vaultServer": address, "experiments": {"dune": {"roles": {"pro": role}}}}))
    yield Site(scene, oauth, nodes, tokens)
    served.stop()
    server.stop()


def test_a_token_comes_from_vault_onto_each_node(site: Site, memory: Any, tmp_path: Path) -> None:
    """A full disk keeps the others from nothing; asked again, just that node is done. What the bot remembers has no
    token in it."""
    site.nodes["n2.example.com"].disk = "full"
    plan = site.scene.plan(HANDLER)
    failed = site.scene.apply(plan)
    assert len(failed) == 1
    assert "n2.example.com" in next(iter(failed))
    (token,) = site.there("n1.example.com")
    assert token.strip().startswith(("hvs.", "s."))
    assert site.there("n3.example.com") == {token}
    assert site.there("n2.example.com") == set()
    site.nodes["n2.example.com"].disk = ""
    again = site.scene.plan(HANDLER)
    assert [step.node for *_, step in again.steps if step.kind == "tokens.push"] == ["n2.example.com"]
    assert site.scene.apply(again) == {}
    assert site.there("n2.example.com") == {token}
    took = {one.what: (one.within[-1][1], one.failed) for one in site.scene.tools.meter.took()}
    assert took == {"kinit": (1, 0), "obtain": (2, 0), "store": (2, 0), "ping": (4, 0), "push": (4, 1)}
    database = Path(memory.url.database)
    assert token.strip().encode() not in b"".join(one.read_bytes() for one in database.parent.glob(f"{database.name}*"))


def test_vault_without_a_refresh_token_leads_to_a_sign_in(site: Site) -> None:
    """What the real tool says is what the report's button and the alarm go by; no node was touched."""
    site.oauth.refresh.clear()
    plan = site.scene.plan(HANDLER)
    site.scene.apply(plan)
    assert [offer.command for offer in site.scene.report(HANDLER, plan).offers] == [ONBOARD]
    assert HANDLER.inventory is not None
    inventory = HANDLER.inventory(HANDLER.settings(), site.scene.read_tools)
    assert [(one.name, one.alarm) for one in inventory if one.alarm] == [("dune_pro", "sign in")]
    assert not any(site.there(name) for name in NODES)
    assert not any("open" in node.log for node in site.nodes.values())
