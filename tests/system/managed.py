"""A site with managed tokens around a bot: a KDC, a Vault that takes tickets, nodes, HTCondor's programs, FERRY behind
client certificates, a mail server with STARTTLS, and a Pushgateway."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from playground import ferry
from playground.condor import CondorStandIn
from playground.people import OWNER
from playground.server import run_in_thread
from playground.vault import VaultStandIn
from playground.vault_kerberos import Acceptor
from playground.vault_oauth import VaultOauth
from tests.certificates import certificate
from tests.kdc import REALM, Kdc
from tests.sshd import lets_in
from tests.system.managed_parts import HERE, Nodes, Post, Service, fetched, kept, mail_server, pushgateway

COLLECTOR, SCHEDDS = "collector.example.com", ("s1.example.com", "s2.example.com")
ADMINS, BOT = "admins@example.com", "hivekeeper@example.com"
APPROVE = {"approve": ["app-sre", "platform-owners"]}


class Site:
    """`played`: nodes that can be told to fail, instead of OpenSSH servers. `schedule`: of a push of all, which has a
    standing approval. `fresh`: minutes for which a place that got a token is left alone. `seen`: called with each
    request that Vault has answered, before its answer goes out."""

    def __init__(
        self, folder: Path, kdc: Kdc, binary: Callable[[str], str], *, played: bool = False,
        schedule: dict[str, Any] | None = None, fresh: float = 30,
    ) -> None:  # fmt: skip
        self._folder, self._schedule, self._fresh, self.kdc = folder, schedule, fresh, kdc
        self._stack = ExitStack()
        self.dune = Service("dune", lets_in("nobody"), ("d1.example.com", "d2.example.com", "d3.example.com"))
        self.nova = Service("nova", lets_in("daemon"), ("n1.example.com",))
        self.services = (self.dune, self.nova)
        self.issued: set[str] = set()  # every token, refresh token and state of a sign-in that there ever was
        self.seen: Callable[[Any], None] | None = None
        self.post, self.nodes = Post(), Nodes(folder, self.services)
        try:
            self._begin(binary, played=played)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        self._stack.close()

    def adjust(self, settings: dict[str, Any]) -> None:
        """Into the bot's settings."""
        (crt, key), ca = self._pair("hivekeeper"), str(self._pair("server")[0])
        password = str(kept(self._folder / "smtp", self.post.password))
        settings |= {
            "kerberos": {"timeout": 60}, "managed_tokens": {"file": str(self.file)},
            "vault_tokens": {"address": self._vault_address, "timeout": 30}, "nodes": self.nodes.settings(),
            "credd": {"path": self.pool.path, "token_folder": str(self.pool.tokens)},
            "ferry": {"address": self._ferry, "cert": str(crt), "key": str(key), "ca_file": ca},
            "smtp": {"host": "127.0.0.1", "port": self._mail, "sender": BOT, "ca_file": ca,
                     "username": "bot", "password": {"file": password}},
            "pushgateway": {"address": self.gateway}, "schedules": {}, "standing": {},
        }  # fmt: skip
        push = {**APPROVE, "settings": {"pushgateway": True, "fresh_minutes": self._fresh}}
        uids = {**APPROVE, "settings": {"pushgateway": True}}
        settings["commands"] |= {"push-tokens": push, "refresh-uids": uids, "onboard-tokens": {}, "tokens": {}}
        if self._schedule is not None:
            settings["schedules"]["hourly"] = {"command": "push-tokens", **self._schedule}
            standing = {"owner": OWNER, "command": "push-tokens", "until": "2100-01-01"}
            settings["standing"]["hourly"] = standing

    def environment(self) -> dict[str, str]:
        """What the bot's must have in it."""
        return {"KRB5_CONFIG": str(self.kdc.config)}

    def write(self, **changed: Any) -> None:
        """The managedTokens file."""
        experiments = {
            one.experiment: {"emails": [one.mail], "roles": {"production": {
                "account": one.user, "destinationNodes": list(one.nodes),
                "userPrincipalOverride": f"{one.user}@{REALM}", "keytabPathOverride": str(self.keytabs[one.user]),
            }}}
            for one in self.services
        }  # fmt: skip
        document = {
            "condorCollectorHost": COLLECTOR, "errorCountToSendMessage": 1,
            "defaultRoleFileDestinationTemplate": f"{HERE}/default_role_{{{{.Experiment}}}}_{{{{.DesiredUID}}}}",
            "notifications": {"admin_email": ADMINS}, "experiments": experiments, **changed,
        }  # fmt: skip
        self.file.write_text(yaml.safe_dump(document))

    def signed_in(self, *services: Service) -> None:
        """Somebody of these has signed in at some time; nobody of others."""
        names = [f"{one.experiment}/{one.user}:production" for one in services]
        self.oauth.refresh = {name: f"rt-{secrets.token_hex(12)}" for name in names}
        self.issued |= {*self.oauth.refresh.values()}

    def trouble(self, **schedds: str) -> None:
        """What HTCondor's programs come to for these from now on; for the others they work."""
        self.pool.trouble = {
            name: schedds[name.partition(".")[0]] for name in SCHEDDS if name.partition(".")[0] in schedds
        }
        self.pool.save()

    def hide(self, canary: Any) -> None:
        """Look for all that is secret here, also in what others noted of the bot."""
        given = {self.post.password, *self.issued, *self.vault.tokens.tokens, *self.nodes.private()}
        for number, secret in enumerate(sorted(given)):
            canary.add(f"secret {number} of the site", secret)
        canary.watch("programs", lambda: str(self.pool.runs))
        canary.watch("mails", lambda: "".join(str(message) for _, message in self.post.came))
        canary.watch("the Pushgateway", lambda: fetched(f"{self.gateway}/metrics"))
        canary.watch("the nodes' logs", lambda: "".join(one.log for one in self.nodes.sshd.values()))

    # --- what came of it ---------------------------------------------------------------------------------

    def tokens(self, service: Service, node: str) -> list[str]:
        """What is in the files of the service's token there, of both names; nothing of those that are missing."""
        found = self.nodes.files(node)
        return [found[name].strip() for name in service.files if name in found]

    def good(self, token: str) -> bool:
        """Does Vault take it?"""
        return self.vault.tokens.valid(token) is not None

    def stored(self) -> set[tuple[str, str]]:
        """Schedd and service."""
        return {(schedd, name) for schedd, names in self.pool.stored.items() for name in names}

    # --- each part ---------------------------------------------------------------------------------------

    def _begin(self, binary: Callable[[str], str], *, played: bool) -> None:
        self.keytabs = {name: self.kdc.keytab(name) for name in dict.fromkeys(one.user for one in self.services)}
        self.file = self._folder / "managedTokens.yml"
        secret = f"hvs.{secrets.token_urlsafe(24)}"
        self.issued.add(secret)
        self.pool = CondorStandIn(self._folder / "pool", token=secret)
        self.pool.schedds = {COLLECTOR: list(SCHEDDS)}
        self.pool.save()
        for name in ("server", "hivekeeper"):
            certificate(self._folder, name)
        enter = self._stack.enter_context
        self._vaults()
        self.ferry = ferry.FerryStandIn({one.user: one.account.pw_uid for one in self.services}, {"hivekeeper"})
        context = ferry.tls(*self._pair("server"), self._pair("hivekeeper")[0])
        self._ferry = enter(ferry.serve(self.ferry, context)).url
        self._mail = enter(mail_server(self.post, *self._pair("server")))
        self.gateway = enter(pushgateway(binary))
        enter(self.nodes.play() if played else self.nodes.serve(self.kdc, binary))
        self.write()
        self.signed_in(*self.services)

    def _vaults(self) -> None:
        self.vault = VaultStandIn()
        self.oauth = VaultOauth(self.vault, Acceptor(self.kdc.host_keytab).who)
        self.oauth.issuers = {one.experiment: {"production"} for one in self.services}
        self.vault.on_request = self._asked
        server = run_in_thread(self.vault.app())
        self._stack.callback(server.stop)
        self._vault_address = server.url.replace("127.0.0.1", "localhost")

    def _asked(self, entry: Any) -> None:
        self.issued |= {*self.vault.tokens.tokens, *self.oauth.sign_ins, *self.oauth.refresh.values()}
        self.issued |= {one.nonce for one in self.oauth.sign_ins.values()}
        if self.seen:
            self.seen(entry)

    def _pair(self, name: str) -> tuple[Path, Path]:
        return self._folder / f"{name}.crt", self._folder / f"{name}.key"


@contextmanager
def site(kdc: Kdc, binary: Callable[[str], str], folder: Path, **more: Any) -> Iterator[Site]:
    """With this process, which plays Vault, looking for Kerberos where it is."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KRB5_CONFIG", str(kdc.config))
        patch.setenv("KRB5RCACHETYPE", "none")  # an acceptor's replay cache would be a file for all
        made = Site(folder, kdc, binary, **more)
        yield made
        made.close()


def proposed(scene: Any, run: str) -> str:
    """The run, once its plan waits for somebody."""
    end = time.monotonic() + 60
    while not scene.button(run, "approve"):
        assert time.monotonic() < end, scene.about(run)
        time.sleep(0.03)
    return run


def applied(scene: Any, run: str, state: str = "done") -> str:
    """The run, approved and ended so."""
    scene.approve(proposed(scene, run))
    scene.ended(run, state, 90)
    return run
