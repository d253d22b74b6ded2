"""What a refresh finds at each of its targets: the secret, who pulls with it, and what is to be done about it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

from bot.core.errors import Told
from bot.core.kubernetes import DEPLOYMENT, POD, SERVICE_ACCOUNT, Access, backup_name
from bot.core.ports import ReadTools
from bot.core.side_by_side import each
from bot.core.value import Value
from handlers import ecr_ground
from handlers.ecr import Target
from handlers.ecr_look import Held, held, logins, same_host, state
from handlers.ecr_users import User, maker, name, pulls_with, users


class Found(Value):
    """One target as it is, and what is to be done there."""

    held: Held
    due: bool
    users: tuple[User, ...] = ()
    restart: tuple[str, ...] = ()  # Deployments
    paused: tuple[str, ...] = ()  # would be restarted, but are paused
    accounts: tuple[str, ...] = ()  # service accounts that lack the secret
    again: bool = False  # they were restarted before and are to be once more
    others: tuple[str, ...] = ()  # what else pulls with it and is not restarted: "StatefulSet db"
    remnant: tuple[str, ...] = ()  # it is gone, and its copy of an earlier run has logins for these other registries

    @property
    def target(self) -> Target:
        return self.held.target

    @property
    def idle(self) -> bool:
        return not (self.due or self.restart or self.accounts)


T = TypeVar("T")


def at_each(look: Callable[[Target], T], targets: tuple[Target, ...], tools: ReadTools) -> tuple[T | Told, ...]:
    """What is found at each target, side by side; an error where one cannot be looked at. A cluster that does not
    answer is asked once, while the others are looked at."""
    by_cluster: dict[str, list[Target]] = {}
    for target in targets:
        by_cluster.setdefault(target.cluster, []).append(target)

    def at_cluster(name: str) -> Iterator[T | Told]:
        tools.kubernetes.version(name)
        return iter(each(look, by_cluster[name]))

    found = dict(zip(by_cluster, each(at_cluster, by_cluster), strict=True))
    return tuple(one if isinstance(one := found[target.cluster], Told) else next(one) for target in targets)


def look_at(target: Target, tools: ReadTools, now: float, *, force: bool, again: bool) -> Found:
    """One target. `force`: also what is fresh is due. `again`: restart although nothing is due. Refused for a missing
    namespace or right."""
    secret = held(target, tools)
    if not secret.there:
        ecr_ground.namespace_there(target, tools)
    due = force or state(secret, now) != "fresh"
    lacking = _lacking(target, tools)
    if not due and not target.restart and not lacking:
        return Found(held=secret, due=False)
    using = _users(target, tools, lacking)
    able = tuple(one for one in using if target.restart and one.needs)
    restart = able if due else tuple(one for one in able if owed(one, secret))
    once_more = again and not restart
    restart = able if once_more else restart
    found = Found(
        held=secret,
        due=due,
        users=using,
        restart=tuple(one.name for one in restart if not one.paused),
        paused=tuple(one.name for one in restart if one.paused),
        accounts=lacking,
        again=once_more,
        others=_others(target, tools) if (due or restart) and (target.restart or not using) else (),
        remnant=() if secret.there else _remnant(target, tools),
    )
    ecr_ground.allowed(target, _rights(found), tools)
    return found


def owed(user: User, secret: Held) -> bool:
    """Has it not been restarted since the secret was written? A run that ended between the two leaves it so."""
    if secret.written_at is None or user.paused:
        return False
    newest = max(user.restarted_at or 0, user.created_at or 0)
    return newest < secret.written_at


def _lacking(target: Target, tools: ReadTools) -> tuple[str, ...]:
    """Service accounts of the settings that do not have the secret. Refused for one that is not there."""
    return tuple(one for one in target.service_accounts if not ecr_ground.has_secret(target, one, tools))


def _users(target: Target, tools: ReadTools, lacking: tuple[str, ...]) -> tuple[User, ...]:
    """Those that get it now, and those that will as soon as the service accounts have it."""
    deployments = tools.kubernetes.all(target.cluster, DEPLOYMENT, target.namespace)
    accounts = tools.kubernetes.all(target.cluster, SERVICE_ACCOUNT, target.namespace)
    will = [{"metadata": {"name": one}, "imagePullSecrets": [{"name": target.secret}]} for one in lacking]
    rest = [one for one in accounts if name(one) not in lacking]
    return users(deployments, [*rest, *will], target.secret, target.registry)


def _others(target: Target, tools: ReadTools) -> tuple[str, ...]:
    """What has pods that pull with the secret, apart from Deployments."""
    pods = tools.kubernetes.all(target.cluster, POD, target.namespace)
    makers = {maker(pod) for pod in pods if target.secret in pulls_with(pod)}
    return tuple(f"{kind} {name}" for kind, name in sorted(makers) if kind != "Deployment")


def _remnant(target: Target, tools: ReadTools) -> tuple[str, ...]:
    copy = tools.kubernetes.secret(target.cluster, target.namespace, backup_name(target.secret))
    hosts = logins(copy, target.registry, tools)[0] if copy else ()
    return tuple(host for host in hosts if not same_host(host, target.registry))


def _rights(found: Found) -> tuple[Access, ...]:
    return ecr_ground.rights(
        found.target,
        write=found.due,
        there=found.held.there,
        misplaced=found.held.misplaced,
        accounts=bool(found.accounts),
        restarts=bool(found.restart),
    )
