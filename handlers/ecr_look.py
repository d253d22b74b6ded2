"""What is in a pull secret now, without its credentials, and whether it is due."""

from __future__ import annotations

from datetime import UTC, datetime

from bot.core.errors import Refused
from bot.core.inventory import Freshness
from bot.core.kubernetes import SecretObject
from bot.core.ports import ReadTools
from bot.core.value import Value
from handlers.ecr import DOCKER_CONFIG, DOCUMENT, EXPIRES, MANAGED, OURS, REGISTRY, WRITTEN, Target


class Held(Value):
    """One pull secret as it was found. Times are seconds since the epoch; None where nobody wrote them down."""

    target: Target
    there: bool = False
    type: str = ""
    created_at: float | None = None
    written_at: float | None = None
    expires_at: float | None = None
    noted: str = ""  # the registry that our annotation names
    entry: bool = False  # is there a login for the target's registry?
    trouble: str = ""  # why that login, or the whole document, cannot be used
    others: tuple[str, ...] = ()  # the other registries in it
    manager: str = ""  # who says to manage it, if not we

    @property
    def misplaced(self) -> bool:
        """Of a type that kubelet does not read for this, and that cannot be changed."""
        return self.there and self.type != DOCKER_CONFIG

    @property
    def ours(self) -> bool:
        """Did we write the login that is there, so that its dates are known?"""
        return self.entry and self.noted == self.target.registry and None not in (self.written_at, self.expires_at)


def held(target: Target, tools: ReadTools) -> Held:
    """Read one pull secret."""
    secret = tools.kubernetes.secret(target.cluster, target.namespace, target.secret)
    if secret is None:
        return Held(target=target)
    hosts, entry, trouble = logins(secret, target.registry, tools)
    manager = secret.labels.get(MANAGED, "")
    return Held(
        target=target,
        there=True,
        type=secret.type,
        created_at=secret.created_at,
        written_at=moment(secret.annotations.get(WRITTEN, "")),
        expires_at=moment(secret.annotations.get(EXPIRES, "")),
        noted=secret.annotations.get(REGISTRY, ""),
        entry=entry,
        trouble=trouble,
        others=tuple(host for host in hosts if not same_host(host, target.registry)),
        manager="" if manager == OURS else manager,
    )


def logins(secret: SecretObject, registry: str, tools: ReadTools) -> tuple[tuple[str, ...], bool, str]:
    """The registries in it, whether there is a login for this one, and what is wrong with the document or the login."""
    document = secret.data.get(DOCUMENT)
    if document is None:
        return (), False, f"It has no key {DOCUMENT}."
    try:
        hosts = tuple(one.host for one in tools.docker_configs.entries(document))
    except Refused as refusal:
        return (), False, refusal.what
    try:
        return hosts, tools.docker_configs.login(document, registry) is not None, ""
    except Refused as refusal:
        return hosts, False, refusal.what


def same_host(one: str, other: str) -> bool:
    """People write hosts with a scheme and a path too."""
    return _bare(one) == _bare(other)


def _bare(host: str) -> str:
    return host.lower().removeprefix("https://").removeprefix("http://").partition("/")[0]


def state(found: Held, now: float) -> Freshness:
    """How fresh it is; "due" is what a refresh would renew although it still works."""
    if not found.there or (not found.entry and not found.trouble and not found.misplaced):
        return "missing"
    if found.misplaced or found.trouble:
        return "degraded"
    if not found.ours or found.expires_at is None:
        return "unknown"
    if found.expires_at <= now:
        return "expired"
    return "due" if found.expires_at - now < found.target.renew_before else "fresh"


def told(found: Held, now: float) -> str:
    """What there is, in a few words that fit behind the target's name."""
    if not found.there:
        return "no secret yet"
    if found.misplaced:
        return f"of type {found.type or 'nothing'}, which no pull reads"
    if found.trouble:
        return f"cannot be used: {found.trouble.rstrip('.')}"
    if not found.entry:
        return "no login for this registry in it yet"
    if not found.ours or found.expires_at is None or found.written_at is None:
        strange = found.noted and found.noted != found.target.registry
        why = "its dates are another registry's" if strange else "not written by hivekeeper"
        return f"{why}, so nobody knows when this login ends"
    end = found.expires_at - now
    left = f"ends in {span(end)}" if end > 0 else f"ended {span(-end)} ago"
    age = now - found.written_at
    return f"{span(age)} old, {left}" if age >= 60 else f"just written, {left}"


def moment(text: str) -> float | None:
    """Seconds since the epoch of a date as Kubernetes writes it; None for anything else."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found.timestamp() if found.tzinfo else None


def stamp(at: float) -> str:
    """A date as Kubernetes writes it: "2026-11-22T21:57:24Z"."""
    return datetime.fromtimestamp(int(at), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def span(seconds: float) -> str:
    """A length of time in words: "40 min", "2 h", "2 h 20 min", "3 days"."""
    minutes = max(0, round(seconds / 60))
    if minutes < 120:
        return f"{minutes} min"
    if minutes < 48 * 60:
        return f"{minutes // 60} h" + (f" {minutes % 60} min" if minutes % 60 and minutes < 12 * 60 else "")
    return f"{minutes // 1440} days"
