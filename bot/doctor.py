"""`hivekeeper check`: looks at the settings, reaches every system, and says which permission is missing."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from bot.app import Parts
from bot.calling import CieWebhook
from bot.cloud import AssumeRole
from bot.core.errors import Refused
from bot.core.handler import Handler, Need
from bot.core.secret import Secret
from bot.doctor_clusters import clusters
from bot.doctor_grid import grid
from bot.doctor_jenkins import jenkins
from bot.doctor_kerberos import kerberos
from bot.doctor_nodes import nodes
from bot.doctor_ocm import ocm
from bot.doctor_people import people
from bot.doctor_schedules import schedules
from bot.doctor_slack import slack
from bot.doctor_sso import realms
from bot.doctor_vault_tokens import vault_tokens
from bot.findings import Finding, looked
from bot.settings import SecretSource, Settings

CHECK = "r-check"  # stands for the name of any run


def examine(settings: Settings) -> Iterator[Finding]:
    """Everything, in the order in which one would mend it."""
    parts = Parts(settings)
    before = [*looked("settings", lambda: _handlers(parts))]
    yield from before
    if not before[0].good:  # the bot would not start; what else is wrong is told all the same
        no_alerts = settings.alerts.model_copy(update={"handlers": {}})
        parts = Parts(settings.model_copy(update={"commands": {}, "alerts": no_alerts}))
    commands = parts.handlers if before[0].good else {}
    yield from people(settings, commands)
    yield from schedules(settings, commands) if before[0].good else ()
    yield from exposed(settings)
    yield from log_file(settings)
    yield from looked("store", lambda: _store(parts))
    yield from vault(parts, commands)
    yield from slack(parts)
    yield from clusters(parts, commands)
    yield from aws(parts)
    yield from registries(parts)
    yield from realms(parts)
    yield from ocm(parts)
    yield from grid(parts)
    yield from ci_jobs(settings)
    yield from jenkins(parts)
    yield from kerberos(parts)
    yield from vault_tokens(parts)
    yield from nodes(parts)
    yield from prometheus(parts)
    yield from endpoints(parts)
    yield from alerts(parts)
    yield from callers(parts)


def _handlers(parts: Parts) -> str:
    commands, alerts = ", ".join(parts.handler_settings), ", ".join(parts.alert_settings)
    return f"commands {commands} are configured, and the alerts {alerts}."


def exposed(settings: Settings) -> Iterator[Finding]:
    """Secret files that others on this machine can read."""
    from bot.tools import references

    for source in _sources(settings):
        if warning := references.exposed(source):
            yield Finding(subject="secret files", good=False, told=warning, now="Make it readable by the bot alone.")


def log_file(settings: Settings) -> Iterator[Finding]:
    """Can it be written?"""
    from bot.edges.log_file import check

    if (file := settings.log.file) is not None:
        yield from looked("log file", lambda: check(file))


def _sources(value: Any) -> Iterator[SecretSource]:
    if isinstance(value, SecretSource):
        yield value
    elif isinstance(value, tuple | dict):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _sources(item)
    elif hasattr(type(value), "model_fields"):
        for name in type(value).model_fields:
            yield from _sources(getattr(value, name))


def _store(parts: Parts) -> str:
    from bot.engine import durable, store
    from bot.tools import keys

    durable.check_sqlite(parts.settings)
    engine = store.connect(parts.settings, keys.unlock(parts.settings, parts.resolve))
    with store.reading(engine) as conn:
        conn.exec_driver_sql("SELECT 1")
    keys.cipher(parts.settings, parts.resolve)
    return f"{engine.dialect.name} answers, and its keys are there."


def vault(parts: Parts, commands: Mapping[str, Handler]) -> Iterator[Finding]:
    """Can the bot log in, for how long, and may it do what each command needs?"""
    from bot.tools.vault import Vault

    tool = parts.vault
    if not isinstance(tool, Vault):
        yield Finding(subject="vault", good=None, told="is not configured.")
        return
    before = [*looked("vault", lambda: _login(tool))]
    yield from before
    if not before[0].good:
        return
    for name, handler in commands.items():
        for need in (n for n in handler.needs(parts.handler_settings[name]) if isinstance(n, Need)):
            yield from looked(f"vault for /{name}", lambda need=need: _rights(tool, need))  # type: ignore[misc]  # lambda
            if "update" in need.rights and (backup := tool.backup(need.path, run=CHECK)):
                kept = Need(path=backup, rights=("create", "delete", "read"), reason="what was there before a run")
                yield from looked(f"vault for /{name}", lambda kept=kept: _rights(tool, kept))  # type: ignore[misc]  # lambda


def _login(tool: Any) -> str:
    if not tool.known:
        raise Refused(
            "Vault says nothing about the bot's token: it is wrong, has ended, or may not look itself up.",
            "Put a good token in place, and give its policy `read` on auth/token/lookup-self.",
        )
    left = tool.expires_in
    return "logged in; the token does not end." if left is None else f"logged in; the token lives {left / 3600:.1f} h."


def _rights(tool: Any, need: Any) -> str:
    have, path = tool.rights(need.path), need.path.replace(f"-before-{CHECK}", "-before-*")
    lacking = [] if "root" in have else sorted(set(need.rights) - have)
    if lacking:
        raise Refused(
            f"{path} lacks {', '.join(lacking)} ({need.reason}).", "Add it to the policy of the bot's role in Vault."
        )
    return f"{path}: {', '.join(need.rights)} ({need.reason})."


def aws(parts: Parts) -> Iterator[Finding]:
    """Who are we through each way into Amazon, and is a token for its registries to be had?"""

    def token(access: str, region: str) -> str:
        minted = parts.tools.aws.token(access, region)
        hours = (minted.expires_at - parts.tools.now()) / 3600
        return f"a token for {minted.registry} lasts {hours:.1f} h."

    ways = parts.settings.aws
    sources = {way.auth.source for way in ways.values() if isinstance(way.auth, AssumeRole)}
    for name, access in ways.items():
        who = [*looked(f"aws {name}", lambda n=name, a=access: f"is {parts.tools.aws.who(n, a.region).arn}.")]  # type: ignore[misc]  # lambda
        yield from who
        if who[0].good and name not in sources:  # those may be good for nothing but their roles
            yield from looked(f"aws {name} ecr", lambda n=name, a=access: token(n, a.region))  # type: ignore[misc]  # lambda


def registries(parts: Parts) -> Iterator[Finding]:
    """Is it a registry, what answers for each that the settings name? It is asked without a login."""
    for host in parts.settings.registries:
        pull = parts.tools.registries.accepts(host, None)
        good = pull.outcome in ("ok", "unauthorized")
        yield Finding(subject=f"registry {host}", good=good, told="it answers." if good else pull.told,
                      now="" if good else f"Check registries.{host} and the network of the bot.")  # fmt: skip


def ci_jobs(settings: Settings) -> Iterator[Finding]:
    if not settings.ci_jobs.directories:
        yield Finding(
            subject="ci_jobs", good=None, told="no directories are configured; /secret-consumers will say so."
        )
    for folder in settings.ci_jobs.directories:
        good = folder.is_dir() and os.access(folder, os.R_OK | os.X_OK)
        told = "can be read." if good else "is not a folder that can be read."
        yield Finding(
            subject=f"ci_jobs {folder}", good=good, told=told, now="" if good else "Correct ci_jobs.directories."
        )


def prometheus(parts: Parts) -> Iterator[Finding]:
    """Does the Prometheus of each region answer a query?"""

    def answers(region: str) -> str:
        warnings = parts.tools.prometheus.now(region, "count(up)").warnings
        return "it answers queries" + (", but not wholly: " + "; ".join(warnings) if warnings else ".")

    for region in parts.settings.prometheus:
        yield from looked(f"prometheus {region}", lambda region=region: answers(region))  # type: ignore[misc]  # lambda


def endpoints(parts: Parts) -> Iterator[Finding]:
    """Is each endpoint reachable, and can each status page be read?"""
    check = "If it is up for others, check its address in the settings and the network of the bot."
    for name in parts.settings.endpoints:
        health = parts.tools.endpoints.check(name)
        yield Finding(subject=f"endpoint {name}", good=health.reachable, told=health.told,
                      now="" if health.reachable else check)  # fmt: skip
    for page in parts.tools.status_pages.read():
        told = page.trouble or f"it can be read ({page.indicator})."
        yield Finding(subject=f"status page {page.name}", good=not page.trouble, told=told,
                      now=check if page.trouble else "")  # fmt: skip


def alerts(parts: Parts) -> Iterator[Finding]:
    """Can alerts come in: are the keys of the webhooks good, is the bot in the channels?"""
    from bot.tools import slack_clients, webhook_keys

    known, channels = parts.settings.webhooks, parts.settings.alerts.channels
    checks: dict[str, Callable[[tuple[Secret, ...]], object]] = {
        "alertmanager": webhook_keys.bearer_check, "grafana": webhook_keys.bearer_check,
        "pagerduty": webhook_keys.pagerduty_check,
    }  # fmt: skip
    given = {name: sources for name in checks if (sources := getattr(known, name))}
    if not given and not channels:
        told = "none come in: neither a key under webhooks nor a channel under alerts.channels is set."
        yield Finding(subject="alerts", good=None, told=told)
    if given and (unseen := _unseen(parts)):
        told = f"incidents of {', '.join(unseen)} that come by webhook are shown nowhere."
        now = "Set slack.channel, or alerts.handlers.<name>.channel."
        yield Finding(subject="alerts", good=False, told=told, now=now)

    def keys(name: str) -> str:
        checks[name](tuple(parts.resolve(source) for source in given[name]))
        return f"{len(given[name])} key{'s' if len(given[name]) > 1 else ''} for /webhooks/{name}."

    def reads(channel: str) -> str:
        slack_clients.reads(slack_clients.web_client(parts.settings.slack, parts.bot_token), channel)
        return "the bot is in it and may read it."

    for name in given:
        yield from looked(f"webhook {name}", lambda name=name: keys(name))  # type: ignore[misc]  # lambda
    for channel in channels:
        yield from looked(f"alert channel {channel}", lambda channel=channel: reads(channel))  # type: ignore[misc]  # lambda


def _unseen(parts: Parts) -> tuple[str, ...]:
    """Alert handlers whose incidents have no channel of their own."""
    routes = parts.settings.alerts.handlers
    named = {name for name, route in routes.items() if route.channel}
    return () if parts.settings.slack.channel else tuple(name for name in parts.alert_handlers if name not in named)


def callers(parts: Parts) -> Iterator[Finding]:
    """Are those through whom people are called there? Nobody is called, and nothing is opened."""
    from bot.tools import github, pagerduty

    settings = parts.settings
    if known := settings.pagerduty:
        found = [*looked("pagerduty", lambda: pagerduty.check(known, parts.resolve) or "")]
        told = "cannot be looked at without raising a page; pagerduty.api_token would show whether it answers."
        yield found[0] if found[0].told else Finding(subject="pagerduty", good=None, told=told)
    if tracker := settings.github:
        yield from looked("github", lambda: github.check(tracker, parts.resolve))
    if settings.redhat_support:
        yield from looked("redhat_support", lambda: _cases(parts))
    if hook := settings.cie_webhook:
        yield from looked("cie_webhook", lambda: _hook(parts, hook))


def _hook(parts: Parts, hook: CieWebhook) -> str:
    for source in (hook.path, hook.token, *hook.secret_headers.values()):
        if source is not None:
            parts.resolve(source)
    return "its secrets are there; whether it answers shows only when a CIE is opened."


def _cases(parts: Parts) -> str:
    parts.read_tools.cases.find("hivekeeper/check")
    return "it accepts the offline token and lists cases."
