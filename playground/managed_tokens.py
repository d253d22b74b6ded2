"""Managed tokens in the demo: experiments with a service and two nodes each, the Vault that gives their tokens, FERRY,
HTCondor's programs, a mail server, and the page where people sign in (seed 003)."""

from __future__ import annotations

import json
import os
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from playground import grid_kerberos, people, sso_device
from playground.condor import CondorStandIn
from playground.ferry import FerryStandIn
from playground.mailbox import Mailbox
from playground.managed_nodes import LateNodes
from playground.ssh_files import Node
from playground.vault import VaultStandIn
from playground.vault_oauth import SignIn, VaultOauth

ROLE = "production"
ACCOUNTS = {"dune": "dunepro", "nova": "novapro", "sbnd": "sbndpro"}  # by experiment
UIDS = {"dunepro": 50381, "novapro": 50420, "sbndpro": 50777}
COLLECTOR, SCHEDDS = "collector.example.com", ("schedd01.example.com", "schedd02.example.com")
REALM, HOST = "EXAMPLE.COM", "grid.example.com"
MANAGER, OTHER = "mira, production manager", "jun, who has no role there"
PAGE, QUESTION = "/device", "/getUserInfo"
SOON = 0.001  # minutes: here tokens are brought again whenever somebody asks
LATEST = "2099-12-31"
APART = 0.5  # seconds between two looks at what has changed


def service(experiment: str) -> str:
    return f"{experiment}_{ROLE}"


def node(experiment: str, number: int) -> str:
    return f"{experiment}gpvm{number:02}.example.com"


class ManagedTokens:
    """`folder`: a new one of their own. `start` tells of changes until `close`."""

    def __init__(self, vault: VaultStandIn, folder: Path) -> None:
        self._vault, self._folder = vault, folder
        self._realm = grid_kerberos.Realm(REALM)
        self.oauth = VaultOauth(vault, self._realm.who)
        self.oauth.interval = 2  # a person who looks on is impatient
        self.oauth.issuers = {experiment: {ROLE} for experiment in ACCOUNTS}
        self._ferry_token = secrets.token_urlsafe(24)
        self.ferry = FerryStandIn(tokens={self._ferry_token})
        self.condor = CondorStandIn(folder / "condor")
        self.condor.schedds = {COLLECTOR: list(SCHEDDS)}
        self._news, self._ended = threading.Event(), False
        self.on_write: Callable[[], object] = lambda: None  # a file on a node has got its name, and nobody heard so yet
        self.mail = Mailbox(self._news.set)
        self.nodes = LateNodes({
            node(experiment, number): Node({}, changed=self._written)
            for experiment in ACCOUNTS for number in (1, 2)
        })  # fmt: skip
        self.start_over()

    def start(self, changed: Callable[[], None]) -> None:
        """`changed` is called when a file on a node has, and when there is mail."""
        threading.Thread(target=self._tell, args=(changed,), name="grid seen", daemon=True).start()

    def close(self) -> None:
        self._ended = True
        self._news.set()
        self.nodes.close()
        self.mail.close()

    def _written(self) -> None:
        self._news.set()
        self.on_write()

    def _tell(self, changed: Callable[[], None]) -> None:
        pause = threading.Event()
        while self._news.wait() and not self._ended:
            self._news.clear()
            changed()
            pause.wait(APART)

    # --- what happens to them --------------------------------------------------------------------------------

    def start_over(self) -> None:
        """No token anywhere yet; somebody of each experiment has signed in at some time."""
        self.ferry.uids = dict(UIDS)
        self.mail.mails.clear()
        self.condor.forget()
        for name, one in self.nodes.nodes.items():
            one.files = {"/tmp": one.files["/tmp"]}
            one.accounts = {account: UIDS[account] for it, account in ACCOUNTS.items() if name.startswith(it)}
        for experiment in ACCOUNTS:
            self.oauth.refresh[self._key(experiment)] = f"rt-{secrets.token_urlsafe(24)}"
        self.mend()

    def mend(self) -> None:
        """All well. UIDs stay as FERRY has them now."""
        self.ferry.state, self.ferry.about = "up", {}
        for name, one in self.nodes.nodes.items():
            self.nodes.up(name)
            one.disk = ""
            one.files = {path: file for path, file in one.files.items() if not file.target}
        self.oauth.dead.clear()
        self.condor.trouble = {}
        self.condor.save()
        self._news.set()

    def node_down(self, name: str) -> None:
        self.nodes.down(name)
        self._news.set()

    def plant(self, name: str) -> None:
        """Somebody else's link stands where a token goes."""
        one = self.nodes.nodes[name]
        for uid in one.accounts.values():
            one.link(f"/tmp/vt_u{uid}", "/home/mallory/catch", owner=60666)
        self._news.set()

    def fill_disk(self, name: str) -> None:
        self.nodes.nodes[name].disk = "full"
        self._news.set()

    def end_sign_in(self, experiment: str) -> None:
        """The issuer takes the refresh token no more, so neither Vault nor HTCondor's storer gets anything with it."""
        self.oauth.dead.add(self.oauth.refresh[self._key(experiment)])
        self.condor.trouble[service(experiment)] = "needs login"
        self.condor.save()
        self._news.set()

    def ban(self, experiment: str) -> None:
        self.ferry.about[ACCOUNTS[experiment]] = {"banned": True, "status": False}
        self._news.set()

    def new_uid(self, experiment: str) -> int:
        """Another one, on the nodes too."""
        account = ACCOUNTS[experiment]
        self.ferry.uids[account] += 1000
        for one in self.nodes.nodes.values():
            if account in one.accounts:
                one.accounts[account] = self.ferry.uids[account]
        self._news.set()
        return self.ferry.uids[account]

    def ferry_down(self) -> None:
        self.ferry.state = 503

    def _key(self, experiment: str) -> str:
        return f"{experiment}/{principal(experiment).partition('@')[0]}:{ROLE}"

    # --- what can be seen of it ------------------------------------------------------------------------------

    def facts(self, fingerprint: Callable[[str], str]) -> list[dict[str, Any]]:
        """What the page shows: of tokens their fingerprints."""
        return [
            {"title": "Grid nodes", "fields": [self._place(name, fingerprint) for name in self.nodes.nodes]},
            {"title": "Grid services", "fields": [self._service(one) for one in ACCOUNTS]},
            {"title": "FERRY", "fields": [self._account(one) for one in ACCOUNTS.values()]},
        ]

    def _place(self, name: str, fingerprint: Callable[[str], str]) -> dict[str, Any]:
        one = self.nodes.nodes[name]
        (uid,) = one.accounts.values()
        path = f"/tmp/vt_u{uid}"
        found = one.files.get(path)
        token = bytes(found.content).decode().strip() if found and not found.target else ""
        good = bool(token) and self._vault.tokens.valid(token) is not None
        troubles = ["down" if self.nodes.is_down(name) else "", "disk full" if one.disk else "",
                    "a planted link" if found and found.target else ""]  # fmt: skip
        note = ", ".join(filter(None, troubles)) or ("" if not token else "good at Vault" if good else "no longer good")
        known = {"fingerprint": fingerprint(token)} if token else {}
        return {"name": f"{name}:{path}", **known, "note": note, "ok": good and not any(troubles)}

    def _service(self, experiment: str) -> dict[str, Any]:
        refresh = self.oauth.refresh.get(self._key(experiment))
        good = refresh is not None and refresh not in self.oauth.dead
        stored = sum(service(experiment) in names for names in self.condor.stored.values())
        note = f"signed in, stored in {stored} of {len(SCHEDDS)} credds" if good else "its sign-in has ended"
        return {"name": service(experiment), "fingerprint": ACCOUNTS[experiment], "note": note, "ok": good}

    def _account(self, account: str) -> dict[str, Any]:
        banned = account in self.ferry.about
        return {"name": account, "fingerprint": str(self.ferry.uids[account]),
                "note": "banned" if banned else "active", "ok": not banned}  # fmt: skip

    # --- FERRY, and the issuer's page ------------------------------------------------------------------------

    def app(self) -> Starlette:
        return Starlette(routes=[Route(QUESTION, self._asked), Route(PAGE, self._device, methods=["GET", "POST"])])

    async def _asked(self, request: Request) -> Response:
        scheme, _, bearer = request.headers.get("Authorization", "").partition(" ")
        told = self.ferry.answer(f"{QUESTION}?{request.url.query}", None, bearer if scheme == "Bearer" else None)
        if isinstance(told, int):
            return HTMLResponse("<html>gobbledygook</html>", told)
        return JSONResponse(told[1], told[0])

    async def _device(self, request: Request) -> Response:
        sent = await request.form() if request.method == "POST" else request.query_params
        code = str(sent.get("user_code", ""))
        one = next((it for it in self.oauth.sign_ins.values() if it.code == code.strip().upper()), None)
        if one is None or one.denied or one.credkey:
            return HTMLResponse(sso_device.end("This code is not good, or not any more. Begin anew in Slack."), 400)
        if request.method == "GET":
            told = f"hivekeeper asks for tokens of {one.issuer}_{one.role}. Is this the code that it showed you?"
            return HTMLResponse(sso_device.form(one.code, (MANAGER, OTHER), told))
        return HTMLResponse(sso_device.end(self._decided(one, sent.get("answer") == "yes", str(sent.get("user")))))

    def _decided(self, one: SignIn, yes: bool, user: str) -> str:
        if not yes or user != MANAGER:
            self.oauth.deny(one.code)
            return "Nobody was signed in: " + ("you said no." if not yes else f"you may not act for {one.issuer}.")
        self.condor.trouble.pop(f"{one.issuer}_{one.role}", None)
        self.condor.save()
        self.oauth.approve(one.code, user.partition(",")[0])
        return f"You are signed in for {one.issuer}. Go back to Slack: the bot sees it by itself."

    # --- the bot ---------------------------------------------------------------------------------------------

    def settings(self, serve: Callable[[Any], Any], keep: Callable[[str, str], Path], vault: str) -> dict[str, Any]:
        """The bot's settings for all this; `vault` is its address."""
        address = serve(self.app()).url
        self.oauth.page = f"{address}{PAGE}"
        approve = {"approve": ["app-sre", "platform-owners"]}
        return {
            "managed_tokens": {"file": str(keep("managedTokens.yml", json.dumps(self._file())))},
            "vault_tokens": {"address": vault},
            "nodes": {
                "auth": [{"method": "key", "private_key": {"file": str(keep("ssh-key", self.nodes.key))}}],
                "known_hosts": str(keep("known-hosts", self.nodes.known_hosts)),
                "addresses": self.nodes.addresses(),
            },
            "smtp": {"host": "127.0.0.1", "port": self.mail.port, "tls": "none", "sender": "hivekeeper@example.com"},
            "credd": {"path": self.condor.path, "token_folder": str(self.condor.tokens)},
            "ferry": {"address": address, "token": {"file": str(keep("ferry-token", self._ferry_token))}},
            "commands": {
                "push-tokens": {**approve, "settings": {"fresh_minutes": SOON}},
                "refresh-uids": approve,
                "onboard-tokens": {},
                "tokens": {},
            },
        }  # fmt: skip

    def schedules(self) -> dict[str, Any]:
        """The settings by which all of it happens by itself."""
        often = {"push-tokens": 60, "refresh-uids": 24 * 60}
        return {
            "schedules": {name: {"command": name, "every_minutes": minutes, "channel": people.GRID_CHANNEL}
                          for name, minutes in often.items()},
            "standing": {name: {"owner": people.OWNER, "command": name, "until": LATEST} for name in often},
        }  # fmt: skip

    def environment(self, given: Mapping[str, str]) -> dict[str, str]:
        """What the bot's has to have in it, so that it finds Kerberos in miniature. `given`: what else it has."""
        grid_kerberos.install(self._folder / "python")
        path = (str(self._folder / "python"), given.get("PYTHONPATH"))
        return {"PYTHONPATH": os.pathsep.join(filter(None, path))}

    def _file(self) -> dict[str, Any]:
        """As upstream's programs have it, with the keytabs that it names."""
        for account in ACCOUNTS.values():
            self._realm.keytab(self._folder / f"{account}.keytab", f"{account}@{REALM}")
        return {
            "keytabPath": str(self._folder),
            "kerberosPrincipalPattern": f"{{{{.Account}}}}@{REALM}",
            "condorCollectorHost": COLLECTOR,
            "errorCountToSendMessage": 2,
            "notifications": {"admin_email": "grid-admins@example.com"},
            "experiments": dict(self._experiments()),
        }

    def _experiments(self) -> Iterator[tuple[str, dict[str, Any]]]:
        for experiment, account in ACCOUNTS.items():
            nodes = [name for name, one in self.nodes.nodes.items() if account in one.accounts]
            roles = {ROLE: {"account": account, "destinationNodes": nodes}}
            yield experiment, {"emails": [f"{experiment}@example.com"], "roles": roles}


def principal(experiment: str) -> str:
    return f"{ACCOUNTS[experiment]}@{REALM}"
