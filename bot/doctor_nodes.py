"""`hivekeeper check` about nodes: are their host keys known, the bot's own keys readable, and who is up? No login."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from shutil import which

from bot.app import Parts
from bot.core.errors import Refused, Told
from bot.core.grid import Service
from bot.core.side_by_side import each
from bot.findings import Finding, looked
from bot.sources import FromFile
from bot.ssh import Agent, Key

MOST = 5  # names in one sentence


def nodes(parts: Parts) -> Iterator[Finding]:
    """Nothing where there is no service with a node."""
    services = _services(parts)
    names = tuple(sorted({node for service in services for node in service.nodes}))
    if not names:
        return
    yield from looked("nodes: host keys", lambda: _vouched(parts, names))
    yield from _keys(parts, services)
    yield from _agents(parts)
    if parts.settings.nodes.ping == "icmp" and which("ping") is None:
        told = "the program ping is not there, so every node would count as silent."
        yield Finding(subject="nodes: ping", good=False, told=told, now="Install it, or set nodes.ping: port.")
        return
    silent = _silent(parts, names)
    told = f"{some(silent)} of {len(names)} do not answer." if silent else f"all {len(names)} answer."
    yield Finding(subject="nodes", good=None if silent else True, told=told)


def some(names: Sequence[str]) -> str:
    return ", ".join(names[:MOST]) + (f" and {len(names) - MOST} more" if len(names) > MOST else "")


def _services(parts: Parts) -> tuple[Service, ...]:
    """None where the file cannot be read: the check of the file says so."""
    if parts.settings.vault_tokens is None or parts.settings.managed_tokens is None:
        return ()
    try:
        return parts.tools.services.read().services
    except Told:
        return ()


def _vouched(parts: Parts, names: Sequence[str]) -> str:
    from bot.tools.nodes_hosts import KnownHosts

    settings = parts.settings.nodes
    known = KnownHosts(settings.known_hosts)
    unknown = [name for name in names if not any(known.of(name, settings.port)[:2])]
    if unknown:
        raise Refused(
            f"{some(unknown)} of {len(names)} have no line in {settings.known_hosts}, so nothing is sent to them.",
            "Add their keys (ssh-keyscan, and compare), or one @cert-authority line for all.",
        )
    return f"{settings.known_hosts} vouches for all {len(names)} nodes."


def _keys(parts: Parts, services: Sequence[Service]) -> Iterator[Finding]:
    """Each account's key, where keys are a way to log in."""
    from bot.tools import references
    from bot.tools.nodes_ssh import Login, no_tickets

    login = Login(parts.settings.nodes, parts.resolve, no_tickets)
    for auth in parts.settings.nodes.auth:
        if not isinstance(auth, Key):
            continue
        for account in sorted({service.account for service in services}):
            try:
                login.key(auth, account)
            except Told as told:
                yield Finding(subject=f"nodes: key of {account}", good=False, told=told.what, now=told.now)
            source = auth.source(account)
            if isinstance(source, FromFile) and (warning := references.exposed(source)):
                now = "Make it readable by the bot alone."
                yield Finding(subject=f"nodes: key of {account}", good=False, told=warning, now=now)


def _agents(parts: Parts) -> Iterator[Finding]:
    """Those that are away."""
    from bot.tools.nodes_ssh import check_agent

    for auth in parts.settings.nodes.auth:
        if isinstance(auth, Agent):
            try:
                check_agent(auth)
            except Told as told:
                yield Finding(subject="nodes: agent", good=False, told=told.what, now=told.now)


def _silent(parts: Parts, names: Sequence[str]) -> tuple[str, ...]:
    up = each(parts.tools.nodes.reachable, names, at_most=parts.settings.nodes.at_once)
    return tuple(name for name, one in zip(names, up, strict=True) if one is not True)
