"""What a refresh stands on: AWS that knows us, a token that pulls, a namespace, rights. Each is told apart, and what
many targets share is asked once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bot.core.aws import Caller, RegistryToken
from bot.core.errors import Refused, Told
from bot.core.handler import ClusterNeed
from bot.core.kubernetes import NAMESPACE, SERVICE_ACCOUNT, Access, backup_name
from bot.core.ports import ReadTools
from bot.core.registry import Pull, image
from bot.core.side_by_side import each
from handlers.ecr import DOCUMENT, Settings, Target
from handlers.ecr_users import secrets_of

SLACK = 300.0  # seconds: a token that was minted a moment ago is as good as a new one
PROVEN = ("ok", "no_tag")  # a registry that says there is no such tag has let us look
REJECTED = ("expired", "unauthorized")
UNPROVEN = ("no_repository", "rate_limited", "timeout", "unreachable", "error")  # says nothing about the token

Login = tuple[str, str]  # access, region
Proof = tuple[str, str, str, str]  # access, region, registry, image


@dataclass(frozen=True)
class Ground:
    """Who we are at AWS, the tokens and what the registries said to them; an error where that failed. Never stored."""

    callers: Mapping[Login, Caller | Told]
    tokens: Mapping[Login, RegistryToken | Told]
    pulls: Mapping[Proof, Pull | Told]

    def trouble(self, target: Target) -> Told | None:
        """Why this target cannot be refreshed; None if it can."""
        login = (target.access, target.region)
        for found in (self.callers[login], self.tokens[login]):
            if isinstance(found, Told):
                return found
        pull = self.pulls.get(_proof(target))
        if isinstance(pull, Told):
            return pull
        return None if pull is None or pull.outcome in (*PROVEN, *UNPROVEN) else denied(target, pull)

    def doubts(self, target: Target) -> tuple[str, ...]:
        """What could not be proven, and keeps nobody from trying."""
        pull = self.pulls.get(_proof(target))
        told = []
        if not target.image:
            told.append("No image is set, so only the login was tried: nobody knows whether it may pull.")
        if isinstance(pull, Pull) and pull.outcome in (*UNPROVEN, "no_tag"):
            told.append(f"Whether the token may pull {_wanted(target)} is not proven: {pull.told}")
        return tuple(told)

    def until(self, target: Target, now: float) -> float:
        """How long the token that gets written must last, seconds since the epoch."""
        token = self.tokens[target.access, target.region]
        wanted = good_until(target, now)
        return wanted if isinstance(token, Told) else min(wanted, token.expires_at)


def good_until(target: Target, now: float) -> float:
    return now + target.validity - SLACK


def survey(targets: tuple[Target, ...], tools: ReadTools, now: float) -> Ground:
    """Ask AWS and the registries for these targets: once for all that share an access and a region."""
    wanted = {(one.access, one.region): good_until(one, now) for one in sorted(targets, key=lambda one: one.validity)}
    logins = tuple(wanted)
    callers = dict(zip(logins, each(lambda at: tools.aws.who(*at), logins), strict=True))
    known = tuple(at for at in logins if not isinstance(callers[at], Told))
    minted = each(lambda at: tools.aws.token(*at, until=wanted[at]), known)
    tokens: dict[Login, RegistryToken | Told] = {**_errors(callers), **dict(zip(known, minted, strict=True))}
    proofs = tuple(
        dict.fromkeys(_proof(one) for one in targets if not isinstance(tokens[one.access, one.region], Told))
    )
    pulls = each(lambda proof: _pull(proof, tokens, tools), proofs)
    return Ground(callers=callers, tokens=tokens, pulls=dict(zip(proofs, pulls, strict=True)))


def _errors(callers: Mapping[Login, Caller | Told]) -> dict[Login, RegistryToken | Told]:
    return {at: found for at, found in callers.items() if isinstance(found, Told)}


def _pull(proof: Proof, tokens: dict[Login, RegistryToken | Told], tools: ReadTools) -> Pull:
    """A token may be one that was kept: one that is not taken any more makes place for a new one, once."""
    access, region, *_ = proof
    token = tokens[access, region]
    assert isinstance(token, RegistryToken)
    found = _asked(proof, token, tools)
    if found.outcome not in REJECTED:
        return found
    tokens[access, region] = newer = tools.aws.token(access, region, until=token.expires_at + 1)
    return _asked(proof, newer, tools)


def _asked(proof: Proof, token: RegistryToken, tools: ReadTools) -> Pull:
    _, _, host, path = proof
    if not path:
        return tools.registries.accepts(host, token.login)
    return tools.registries.pull(image(f"{host}/{path}"), token.login)


def withheld(target: Target, tools: ReadTools) -> str:
    """Why pods that are made now would not get their image with the login that is there; empty if nobody says so."""
    secret = tools.kubernetes.secret(target.cluster, target.namespace, target.secret)
    document = secret.data.get(DOCUMENT) if secret and target.image else None
    login = tools.docker_configs.login(document, target.registry) if document is not None else None
    found = tools.registries.pull(image(f"{target.registry}/{target.image}"), login) if login is not None else None
    refused = found is not None and found.outcome in ("denied", *REJECTED)
    return f"new pods would not get their image now. {found.told}" if found and refused else ""


def _proof(target: Target) -> Proof:
    return target.access, target.region, target.registry, target.image


def _wanted(target: Target) -> str:
    return f"{target.registry}/{target.image}" if target.image else f"from {target.registry}"


def denied(target: Target, pull: Pull) -> Refused:
    """A fresh token that does not pull. Across accounts the registry names who may not do what."""
    if pull.outcome == "denied":
        who = pull.principal or f"The principal of aws.{target.access}"
        what = f"{who} may not {pull.action or 'pull'} {pull.resource or _wanted(target)}."
        now = "The registry's administrator allows it in the repository's policy; /diagnose-image-pull drafts one."
        return Refused(what, now)
    now = f"Compare registry and region ({target.region}) in the settings with those of the image."
    if pull.outcome in REJECTED:
        return Refused(f"{target.registry} does not take the token that AWS has just given. {pull.told}", now)
    return Refused(f"{target.registry} cannot be asked whether the token pulls. {pull.told}", now)


def namespace_there(target: Target, tools: ReadTools) -> None:
    """Refused when the cluster has no such namespace."""
    if tools.kubernetes.find(target.cluster, NAMESPACE, target.namespace) is None:
        raise Refused(
            f"There is no namespace {target.namespace} in cluster {target.cluster}.",
            "Create it, or correct the environment's namespaces in the settings.",
        )


def has_secret(target: Target, account: str, tools: ReadTools) -> bool:
    """Does this service account have the secret? Refused when there is no such account."""
    found = tools.kubernetes.find(target.cluster, SERVICE_ACCOUNT, account, target.namespace)
    if found is None:
        raise Refused(
            f"There is no service account {account} in {target.namespace} of cluster {target.cluster}.",
            "Create it, or take it out of service_accounts in the settings.",
        )
    return target.secret in secrets_of(found)


def rights(
    target: Target, *, write: bool, there: bool, misplaced: bool, accounts: bool, restarts: bool
) -> tuple[Access, ...]:
    """What the bot must be allowed to change; that it may look has been seen. What is there is copied beside first, the
    copy of an earlier run replaced, and removed when its time is over; what was not there is removed when undone."""
    backup = backup_name(target.secret)
    wanted = [Access(verb="create", resource="secrets")] if write else []
    names: tuple[tuple[str, str], ...] = (("get", backup),) if write else ()
    names += (("update", target.secret), ("update", backup), ("delete", backup)) if write and there else ()
    names += (("delete", target.secret),) if write and (misplaced or not there) else ()
    wanted += [Access(verb=verb, resource="secrets", name=name) for verb, name in names]
    wanted += [Access(verb="patch", resource="serviceaccounts")] if accounts else []
    wanted += [Access(verb=verb, resource="deployments", group="apps") for verb in ("get", "patch")] if restarts else []
    return tuple(one.model_copy(update={"namespace": target.namespace}) for one in wanted)


def needs(settings: Settings) -> tuple[ClusterNeed, ...]:
    """All that a refresh may use, for `hivekeeper check`."""
    return tuple(
        ClusterNeed(cluster=target.cluster, access=access, reason=f"the pull secret of {target.name}")
        for target in settings.targets()
        for access in (*_looks(target), *_changes(target))
    )


def _looks(target: Target) -> tuple[Access, ...]:
    secret = Access(verb="get", resource="secrets", namespace=target.namespace, name=target.secret)
    space = Access(verb="get", resource="namespaces", namespace=target.namespace, name=target.namespace)
    account = (Access(verb="get", resource="serviceaccounts", namespace=target.namespace),)
    wanted = (("deployments", "apps"), ("serviceaccounts", ""), ("pods", ""))
    lists = (Access(verb="list", resource=r, group=g, namespace=target.namespace) for r, g in wanted)
    return (secret, space, *lists, *(account if target.service_accounts else ()))


def _changes(target: Target) -> tuple[Access, ...]:
    accounts = bool(target.service_accounts)
    return rights(target, write=True, there=True, misplaced=True, accounts=accounts, restarts=target.restart)


def allowed(target: Target, wanted: Iterable[Access], tools: ReadTools) -> None:
    """Refused with the first verb that is missing."""
    for one in wanted:
        if not tools.kubernetes.allowed(target.cluster, one):
            what = f"{one.resource} {one.name}" if one.name else one.resource
            raise Refused(
                f"The bot may not {one.verb} {what} in {target.namespace} of cluster {target.cluster}.",
                "An administrator applies deploy/rbac/ecr.yaml there.",
            )
