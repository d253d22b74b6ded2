"""What the demo's outside systems hold: Vault's secrets, the tokens the cluster takes, and what may happen to them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playground import people, tokens
from playground.cluster import ClusterStandIn
from playground.offline import Offline
from playground.vault import VaultStandIn
from playground.vault_engines import KvV1, KvV2

CLUSTER = "hive-integration"
OUTPUT = "app-sre/integrations-output/openshift-serviceaccount-tokens/hive-integration/uhc-integration"
HANDOVER, CONFIG = "sd-uhc/sandbox-tokens", "sd-uhc/sandbox"
POLICY = "hivekeeper"
PURPOSE = b"hivekeeper fingerprint 1\0"  # as bot.tools.fingerprints, so that the page and the bot show the same


@dataclass(frozen=True)
class Account:
    """A service account of the seed: its name for people, where its token is written and where it is used."""

    name: str
    namespace: str
    service_account: str
    handover_field: str
    place: tuple[str | int, ...]

    @property
    def source(self) -> str:
        return f"{OUTPUT}/{CLUSTER}-{self.namespace}-{self.service_account}"

    @property
    def subject(self) -> str:
        return f"system:serviceaccount:{self.namespace}:{self.service_account}"


ACCOUNTS = (
    Account("hive-frontend", "hive", "hive-frontend", "hive-frontend-token", ("hive", "clusters", 0, "frontend_token")),
    Account(
        "aws-account-operator",
        "aws-account-operator",
        "aws-account-operator-client",
        "aws-account-operator-client-token",
        ("aws", "account_operator", "token"),
    ),
)
CONFIG_TEXT = """\
# clusters-service, sandbox: what OCM CI runs with. Edited by people; keep the comments.
self:
  url: https://api.sandbox.example.com
  # Offline token of the CI's own account. Not one of hive's.
  token: {own}
hive:
  clusters:
    - name: hive-integration
      url: https://api.hive-integration.example.com:6443
      frontend_token: {frontend}  # hive/hive-frontend
      timeout: 30s
aws:
  account_operator:
    namespace: aws-account-operator
    token: "{operator}"
  region: us-east-1
limits: {{max_clusters: 20, max_parallel: 4}}
"""


@dataclass
class World:
    """The stand-ins and what they hold. `key` is the key of the bot's fingerprints. `stale`: begin where production has
    new tokens and CI still the old ones, so that there is something to do at once. `offline`: whose token CI has."""

    kv: int
    stale: bool = False
    offline: Offline | None = None
    key: str = field(default_factory=lambda: secrets.token_hex(32), repr=False)
    vault_token: str = field(default_factory=lambda: "hvs." + secrets.token_urlsafe(24), repr=False)
    vault: VaultStandIn = field(init=False)
    cluster: ClusterStandIn = field(init=False)
    accepted: dict[str, str] = field(default_factory=dict, repr=False)  # token -> subject
    edits: int = 0

    def __post_init__(self) -> None:
        self.vault = VaultStandIn.of(
            mounts={},
            tokens={self.vault_token: (POLICY,)},
            policies={POLICY: policy()},
        )
        self.cluster = ClusterStandIn()
        self.start_over()

    def start_over(self) -> None:
        """All as it was on the first day: production and CI have the same tokens, unless we begin `stale`."""
        self.vault.heal()
        self.vault.mounts = {"app-sre": KvV1(), "sd-uhc": KvV2() if self.kv == 2 else KvV1()}
        self.edits = 0
        old = {account.name: tokens.legacy(account.namespace, account.service_account) for account in ACCOUNTS}
        self._produce(old)
        handover = {account.handover_field: old[account.name] for account in ACCOUNTS}
        self.vault.put(HANDOVER, {**handover, "rotated-by": "hand, last spring"})
        self.vault.put(
            CONFIG,
            {
                "config": config(old["hive-frontend"], old["aws-account-operator"], self._own()),
                "aws-access-key-id": "AKIA" + secrets.token_hex(8).upper(),
                "owner": "ocm",
            },
        )
        if self.stale:
            self.recycle()

    def _own(self) -> str:
        """CI's offline token; one of nobody where there is no realm."""
        nobodys: dict[str, object] = {"typ": "Offline", "azp": "cloud-services"}
        return self.offline.first_day(self.vault) if self.offline else tokens.signed(nobodys)

    def recycle(self) -> None:
        """Production gets new tokens; the cluster takes no others from now on."""
        self._produce({a.name: tokens.legacy(a.namespace, a.service_account) for a in ACCOUNTS})

    def edit_config(self) -> None:
        """Somebody changes the config by hand, somewhere else than where the tokens stand."""
        self.edits += 1
        document = self.vault.get(CONFIG) or {}
        text = base64.b64decode(document["config"]).decode()
        text += f"# edited by hand, {self.edits}\nfeature_{self.edits}: true\n"
        self.vault.put(CONFIG, {**document, "config": base64.b64encode(text.encode()).decode()})

    def fingerprint(self, value: str) -> str:
        return hmac.new(self.key.encode(), PURPOSE + value.encode(), hashlib.sha256).hexdigest()[:8]

    def facts(self) -> dict[str, Any]:
        """What the side panel shows: fingerprints, never values."""
        known = [*(a.source for a in ACCOUNTS), HANDOVER, CONFIG]
        others = [path for path in self.vault.paths() if path not in known]
        return {
            "vault": [self._path(path) for path in (*known, *others)],
            "sealed": self.vault.sealed,
            "stale": any(self._stale(account) for account in ACCOUNTS),
            "cluster": [{"name": CLUSTER, "accepts": self._accepted()}],
        }

    def _produce(self, new: dict[str, str]) -> None:
        for account in ACCOUNTS:
            self.vault.put(account.source, {"token": new[account.name]})
        for token in self.accepted:
            self.cluster.revoke(token)
        self.accepted = {new[account.name]: account.subject for account in ACCOUNTS}
        for token, subject in self.accepted.items():
            self.cluster.accept(token, subject)

    def _stale(self, account: Account) -> bool:
        return (self.vault.get(account.source) or {}).get("token") != (self.vault.get(HANDOVER) or {}).get(
            account.handover_field
        )

    def _accepted(self) -> list[dict[str, str]]:
        return [
            {"subject": subject, "fingerprint": self.fingerprint(token)} for token, subject in self.accepted.items()
        ]

    def _path(self, path: str) -> dict[str, Any]:
        document = self.vault.get(path) or {}
        mount = path.split("/", 1)[0]
        fields = [self._field(name, value) for name, value in sorted(document.items())]
        if path == CONFIG and "config" in document:
            fields += self._inside(document["config"])
        engine = self.vault.mounts[mount]
        entry: dict[str, Any] = {"path": path, "kv": engine.version, "fields": fields}
        if isinstance(engine, KvV2):
            entry["version"] = engine.keys[path.removeprefix(mount + "/")].current
        if "-before-" in path:
            entry["state"] = "kept for undo"
        return entry

    def _field(self, name: str, value: Any) -> dict[str, Any]:
        entry: dict[str, Any] = {"name": name, "fingerprint": self.fingerprint(str(value))}
        if "token" in name and str(value).count(".") == 2:
            accepted = value in self.accepted
            words = "accepted" if accepted else "no longer accepted"
            entry |= {"note": f"{words} by {CLUSTER}", "ok": accepted}
        told = self.offline.told(str(value)) if self.offline else None
        if told:
            entry |= {"note": told[0], "ok": told[1]}
        return entry

    def _inside(self, encoded: str) -> list[dict[str, Any]]:
        """The tokens in the config, found by their key, so that the panel needs no YAML of its own."""
        lines = base64.b64decode(encoded).decode().splitlines()
        found = []
        for account, key in zip(ACCOUNTS, ("frontend_token:", 'token: "'), strict=True):
            line = next((line.strip() for line in lines if line.strip().startswith(key)), "")
            value = line.removeprefix(key).split("#", 1)[0].strip().strip('"')
            name = "config: " + ".".join(str(part) for part in account.place)
            found.append(self._field(name, value))
        own = next((line.strip() for line in lines if line.strip().startswith("token: eyJ")), "")
        return [*found, self._field("config: self.token", own.removeprefix("token: "))] if self.offline else found


def config(frontend: str, operator: str, own: str) -> str:
    """The base64 of the YAML that CI runs with."""
    return base64.b64encode(CONFIG_TEXT.format(own=own, frontend=frontend, operator=operator).encode()).decode()


def settings_document(
    *, folder: Path, slack_url: str, vault_url: str, cluster_url: str, jobs: Path, mode: str = "socket", port: int = 0
) -> dict[str, Any]:
    """The bot's settings for the demo. Secrets stand in files of `folder`, never here."""
    accounts = [
        {
            "name": account.name,
            "source": account.source,
            "handover_field": account.handover_field,
            "cluster": CLUSTER,
            "namespace": account.namespace,
            "service_account": account.service_account,
            "places": [list(account.place)],
        }
        for account in ACCOUNTS
    ]
    return {
        "data_dir": str(folder / "data"),
        "slack": {
            "mode": mode,
            "bot_token": {"file": str(folder / "bot-token")},
            "app_token": {"file": str(folder / "app-token")},
            "signing_secret": {"file": str(folder / "signing-secret")},
            "api_url": f"{slack_url}/api/",
            "channel": people.ONCALL_CHANNEL,
        },
        "web": {"host": "127.0.0.1", "port": port},
        "store": {"fingerprint_key": {"file": str(folder / "fingerprint-key")}},
        "vault": {
            "address": vault_url,
            "auth": {"method": "token", "token": {"file": str(folder / "vault-token")}},
        },
        "clusters": {CLUSTER: {"address": cluster_url}},
        "ci_jobs": {"directories": [str(jobs)]},
        "groups": {
            "app-sre": {"slack_groups": [people.APPROVERS_GROUP]},
            "platform-owners": {"users": [people.OWNER]},
        },
        "commands": {
            "rotate-hive-tokens": {
                "approve": ["app-sre", "platform-owners"],
                "escalate_to": "platform-owners",
                "settings": {"handover": HANDOVER, "config": CONFIG, "accounts": accounts},
            },
            "secret-consumers": {},
        },
        "inventory": {"every_minutes": 1},
    }


def join(settings: dict[str, Any], more: dict[str, Any]) -> None:
    """Put a part's settings among those of the others."""
    for name, value in more.items():
        there = settings.get(name)
        if isinstance(there, dict) and isinstance(value, dict):
            join(there, value)
        else:
            settings[name] = value


def policy() -> dict[str, tuple[str, ...]]:
    """What the bot's Vault token may: read production's output, work on the team's mount."""
    everything = ("create", "read", "update", "delete", "list")
    return {
        "app-sre/integrations-output/*": ("read", "list"),
        "app-sre/ocm/*": everything,  # on KV 1 the value before waits in a path beside it
        "sd-uhc/*": everything,
    }
