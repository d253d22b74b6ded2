"""What the core expects of the outside: one protocol per outside system.

Every method is a plain blocking function with a timeout of its own. It raises only the errors of
`bot.core.errors`. Planning gets `ReadTools`, which cannot write; applying gets `Tools`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol, cast

from bot.core import aws, grid, handing_in, jenkins, kubernetes, ocm, outside, records, registry, sso
from bot.core.secret import Secret
from bot.core.value import Value

Inside = tuple[str | int, ...]


class VaultReader(Protocol):
    """HashiCorp Vault (or OpenBao) KV, version 1 or 2 detected per mount (upstream.md, seed 000)."""

    def read(self, path: str, field: str) -> Secret:
        """One field. Refused when the path or the field is missing or access denied; Transient while sealed."""
        ...

    def find(self, path: str, field: str) -> Secret | None:
        """One field, or None when the path or field is missing (deleted counts as missing)."""
        ...

    def fields(self, path: str) -> frozenset[str]:
        """The names of the fields at a path, empty when there is nothing."""
        ...

    def stamp(self, path: str, field: str) -> float | None:
        """The time (seconds since the epoch) that a run noted in a field beside a secret, as `bot.core.stamp` spells
        it; None when nothing else than exactly such a time stands there."""
        ...


class VaultWriter(VaultReader, Protocol):
    def write(self, path: str, values: Mapping[str, Secret], *, run: str) -> None:
        """Set these fields, keep the neighbours, save what was there before under the name of the run.

        KV v2: read-modify-write under check-and-set. KV v1: re-read immediately before, with the whole previous
        document in the sibling path `<path>-before-<run>` (never overwritten by a second call of the same run).
        """
        ...

    def restore(self, path: str, was: Mapping[str, str | None], *, run: str) -> None:
        """Put back these fields (name to fingerprint before the run, None: it was absent); neighbours stay.

        Drifted when the value with that fingerprint can no longer be found. Does nothing if all is as it was.
        """
        ...

    def retire(self, path: str, *, run: str) -> None:
        """Remove the sibling backup of the run, if any."""
        ...


class Fingerprints(Protocol):
    """Keyed fingerprints: 8 hex digits of an HMAC-SHA256, so that old and new can be told apart."""

    def of(self, secret: Secret) -> str: ...

    def same(self, one: Secret, other: Secret) -> bool:
        """Equal, compared in constant time."""
        ...


class Tokens(Protocol):
    def claims(self, token: Secret) -> Mapping[str, Any]:
        """The claims of a JWT, not verified. Refused when it is not a JWT. Claims are not secret; the token is."""
        ...


class Documents(Protocol):
    """base64 of YAML, as in the `config` field of sd-uhc/sandbox (seed 000)."""

    def find(self, document: Secret, inside: Inside) -> Secret | None:
        """The text at a place in the document, None if the place does not exist. Refused if it cannot be read."""
        ...

    def replace(self, document: Secret, values: Mapping[Inside, Secret]) -> Secret:
        """The document with these existing places replaced; order, comments and unknown keys kept; base64
        without line wraps. Refused when a place does not exist or the document cannot be read."""
        ...


class Identity(Value):
    """Who a cluster says a token is. `name` is None when it accepts the token but cannot say whose it is
    (SelfSubjectReview came with Kubernetes 1.28)."""

    name: str | None


class Clusters(Protocol):
    def configured(self, cluster: str) -> bool:
        """Is there an address for this cluster in the settings?"""
        ...

    def who(self, cluster: str, token: Secret) -> Identity:
        """Ask the cluster who this token is. Refused when it is not accepted (401)."""
        ...


class Job(Value):
    """A CI job that reads a Vault path: its name, the keys it reads, where that was found."""

    name: str
    keys: tuple[str, ...]
    found_in: str


class Consumers(Value):
    """`jobs` sorted by name; `unreadable`: files that were skipped, each with the reason; `looked_at`: files read."""

    jobs: tuple[Job, ...]
    unreadable: tuple[str, ...] = ()
    looked_at: int = 0


class Jobs(Protocol):
    def configured(self) -> bool: ...

    def consuming(self, path: str) -> Consumers:
        """The CI jobs that read exactly this Vault path."""
        ...


_PROMETHEUS = cast(outside.Prometheus, outside.NotConfigured("Prometheus", "prometheus"))
_ENDPOINTS = cast(outside.Endpoints, outside.NotConfigured("The endpoint", "endpoints"))
_STATUS_PAGES = cast(outside.StatusPages, outside.NotConfigured("A status page", "status_pages"))
_PAGER = cast(outside.Pager, outside.NotConfigured("PagerDuty", "pagerduty"))
_TRACKER = cast(outside.Tracker, outside.NotConfigured("The issue tracker", "github"))
_HOOK = cast(outside.Hook, outside.NotConfigured("The CIE webhook", "cie_webhook"))
_AWS = cast(aws.Aws, outside.NotConfigured("AWS", "aws"))
_KUBERNETES = cast(kubernetes.Kubernetes, outside.NotConfigured("A cluster to log in to", "clusters"))
_REGISTRIES = cast(registry.Registries, outside.NotConfigured("The registries", "registries"))
_DOCKER_CONFIGS = cast(registry.DockerConfigs, outside.NotConfigured("Reading pull secrets", "clusters"))
_SSO = cast(sso.Sso, outside.NotConfigured("Red Hat SSO", "sso"))
_OCM = cast(ocm.Ocm, outside.NotConfigured("OCM", "ocm"))
_SIGN_INS = cast(handing_in.SignIns, outside.NotConfigured("A way to sign in", "sso"))
_SEAL = cast(handing_in.Seal, outside.NotConfigured("What seals sign-ins", "store.encryption_keys"))
_NODES = cast(grid.Nodes, outside.NotConfigured("The way onto nodes", "vault_tokens"))
_SERVICES: grid.Services = grid.NoServices()
_CREDDS = cast(grid.CreddsWriter, outside.NotConfigured("HTCondor's credd", "credd"))
_FERRY = cast(grid.Ferry, outside.NotConfigured("FERRY", "ferry"))
_MAIL = cast(grid.Mail, outside.NotConfigured("Mail", "smtp"))
_PUSHGATEWAY = cast(grid.Pushgateway, outside.NotConfigured("The Pushgateway", "pushgateway"))
_VAULT_TOKENS = cast(grid.VaultTokens, outside.NotConfigured("The Vault of the services' tokens", "vault_tokens"))
_METER: grid.Meter = grid.NoMeter()
_RECORDS = cast(records.Records, outside.NotConfigured("The bot's memory", "store"))
_RUNBOOKS = cast(outside.Runbooks, outside.NotConfigured("The shelf of runbooks", "runbooks"))
_JENKINS = cast(jenkins.Jenkins, outside.NotConfigured("Jenkins", "jenkins"))
_CASES = cast(outside.Cases, outside.NotConfigured("Red Hat support", "redhat_support"))


@dataclass(frozen=True)
class ReadTools:
    """What planning and diagnosis may use. Nothing here can change the world."""

    vault: VaultReader
    fingerprints: Fingerprints
    tokens: Tokens
    documents: Documents
    clusters: Clusters
    jobs: Jobs
    now: Callable[[], float]  # seconds since the epoch, UTC
    prometheus: outside.Prometheus = _PROMETHEUS
    endpoints: outside.Endpoints = _ENDPOINTS
    status_pages: outside.StatusPages = _STATUS_PAGES
    pager: outside.PagerReader = _PAGER
    tracker: outside.TrackerReader = _TRACKER
    hook: outside.HookReader = _HOOK
    cases: outside.CasesReader = _CASES
    runbooks: outside.Runbooks = _RUNBOOKS
    aws: aws.Aws = _AWS
    kubernetes: kubernetes.KubernetesReader = _KUBERNETES
    registries: registry.Registries = _REGISTRIES
    docker_configs: registry.DockerConfigs = _DOCKER_CONFIGS
    sso: sso.Sso = _SSO
    ocm: ocm.Ocm = _OCM
    sign_ins: handing_in.SignIns = _SIGN_INS
    nodes: grid.NodesReader = _NODES
    services: grid.Services = _SERVICES
    vault_tokens: grid.VaultTokensReader = _VAULT_TOKENS
    credds: grid.Credds = _CREDDS
    ferry: grid.Ferry = _FERRY
    records: records.RecordsReader = _RECORDS
    jenkins: jenkins.JenkinsReader = _JENKINS
    meter: grid.Meter = _METER
    commands: frozenset[str] = frozenset()  # names of the enabled commands: what an offer may ask for


@dataclass(frozen=True)
class Tools(ReadTools):
    """What applying may use."""

    vault: VaultWriter
    pager: outside.Pager = _PAGER
    tracker: outside.Tracker = _TRACKER
    hook: outside.Hook = _HOOK
    cases: outside.Cases = _CASES
    kubernetes: kubernetes.Kubernetes = _KUBERNETES
    nodes: grid.Nodes = _NODES
    vault_tokens: grid.VaultTokens = _VAULT_TOKENS
    credds: grid.CreddsWriter = _CREDDS
    mail: grid.Mail = _MAIL
    pushgateway: grid.Pushgateway = _PUSHGATEWAY
    records: records.Records = _RECORDS
    jenkins: jenkins.Jenkins = _JENKINS
    seal: handing_in.Seal = _SEAL


# --- Slack, as the engine sees it -------------------------------------------------------------------------


class Place(Value):
    """Where a message goes. `thread` is the ts of the message it answers."""

    channel: str
    thread: str | None = None


class Messenger(Protocol):
    """The sender's side of Slack. Blocking; raises Transient (with `after` from Retry-After) or Refused."""

    def post(self, place: Place, view: Any, key: str) -> str:
        """Post a rendering of a view (bot.core.view) and return its ts. `key` marks the message as ours
        (message metadata), so that `find` knows it again."""
        ...

    def find(self, place: Place, key: str) -> str | None:
        """The ts of a message posted with this key, for a post whose outcome is unknown."""
        ...

    def update(self, place: Place, ts: str, view: Any) -> None: ...

    def delete(self, place: Place, ts: str) -> None: ...

    def upload(self, place: Place, chart: Any, key: str) -> None:
        """Draw a chart (bot.core.diagnosis.Chart) and put the picture there. `find` knows it again by the key."""
        ...


class Membership(Protocol):
    def of(self, slack_group: str) -> frozenset[str]:
        """The user ids in a Slack user group (S…), read now. Transient or Refused when Slack does not say."""
        ...


Source = Literal["slack", "cli", "schedule", "retry", "drift"]
