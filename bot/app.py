"""Where everything is put together: the only module that knows all the others."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import handlers
from bot import callers, enabled, figures, grid
from bot.core import ask
from bot.core.desk import AuditEntry, Desk
from bot.core.diagnosis import AlertHandler
from bot.core.errors import Refused
from bot.core.handler import Handler, HandlerSettings
from bot.core.plan import Answer, Plan
from bot.core.ports import Membership, Messenger, ReadTools, Tools, VaultReader, VaultWriter
from bot.core.secret import Secret
from bot.settings import SecretSource, Settings
from bot.tools import references
from handlers import ALERT_HANDLERS, HANDLERS

if TYPE_CHECKING:
    from bot.edges.alert_channel import AlertSources
    from bot.engine.audit import Verified
    from bot.engine.desk import Running


@dataclass(frozen=True)
class Parts:
    """What the settings make: handlers, tools, keys. Nothing is reached before it is used."""

    settings: Settings

    @cached_property
    def handlers(self) -> dict[str, Handler]:
        """The enabled commands by name. Refused for a command in the settings that no handler knows."""
        return enabled.of(HANDLERS, self.settings.commands, "commands")

    @cached_property
    def handler_settings(self) -> dict[str, HandlerSettings]:
        return enabled.settings(self.handlers, self.settings.commands, "commands")

    @cached_property
    def alert_handlers(self) -> dict[str, AlertHandler]:
        """The enabled alert handlers by name. Refused for one in the settings that there is not."""
        return enabled.knowing(ALERT_HANDLERS, self.settings.alerts.handlers, "alerts.handlers")

    @cached_property
    def alert_settings(self) -> dict[str, HandlerSettings]:
        return enabled.settings(self.alert_handlers, self.settings.alerts.handlers, "alerts.handlers")

    def resolve(self, source: SecretSource) -> Secret:
        """A secret by its reference; one that lies in Vault is read through Vault."""
        return references.resolve(source, self._vault_reader)

    def _own_credential(self, source: SecretSource) -> Secret:
        """What opens Vault cannot lie in Vault."""
        return references.resolve(source, None)

    @cached_property
    def fingerprints(self) -> Any:
        from bot.tools import keys
        from bot.tools.fingerprints import KeyedFingerprints

        return KeyedFingerprints(keys.fingerprint_key(self.settings, self._own_credential))

    @cached_property
    def vault(self) -> VaultWriter:
        from bot.tools.absent import NoVault
        from bot.tools.vault import open_vault

        if self.settings.vault is None:
            return NoVault()
        return open_vault(self.settings.vault, self._own_credential, self.fingerprints)

    @property
    def _vault_reader(self) -> VaultReader | None:
        """The part of Vault that cannot write; None without a Vault."""
        return getattr(self.vault, "reader", None)

    @cached_property
    def tools(self) -> Tools:
        from bot.tools import keys
        from bot.tools.aws import AwsAccounts
        from bot.tools.cluster import Clusters
        from bot.tools.docker_configs import DockerConfigs
        from bot.tools.documents import Base64Yaml
        from bot.tools.endpoint import CheckedEndpoints
        from bot.tools.jobs import JobFiles
        from bot.tools.kubernetes import open_clusters
        from bot.tools.ocm import TransferApi
        from bot.tools.ocm_remembered import RememberedOcm
        from bot.tools.prometheus import PrometheusServers
        from bot.tools.registries import AskedRegistries
        from bot.tools.runbook_files import RunbookFiles
        from bot.tools.seal import FernetSeal
        from bot.tools.sign_ins import BrowserSignIns
        from bot.tools.sso import Realms
        from bot.tools.sso_device import DeviceFlow
        from bot.tools.status_pages import ReadPages
        from bot.tools.tokens import JwtClaims

        return Tools(
            vault=self.vault,
            fingerprints=self.fingerprints,
            tokens=JwtClaims(),
            documents=Base64Yaml(),
            clusters=Clusters(self.settings.clusters),
            jobs=JobFiles(self.settings.ci_jobs.directories),
            kubernetes=open_clusters(self.settings.clusters, self.resolve, self.fingerprints),
            now=time.time,
            prometheus=PrometheusServers(self.settings.prometheus, self.resolve),
            endpoints=CheckedEndpoints(self.settings.endpoints),
            status_pages=ReadPages(self.settings.status_pages),
            aws=AwsAccounts(self.settings.aws, self.resolve),
            runbooks=RunbookFiles(self._runbooks, self.settings.runbooks.variables),
            registries=AskedRegistries(self.settings.registries),
            docker_configs=DockerConfigs(self.fingerprints),
            commands=frozenset(self.handlers),
            sso=Realms(self.settings.sso, self.resolve, self.fingerprints),
            seal=FernetSeal(lambda: keys.cipher(self.settings, self.resolve)),
            ocm=RememberedOcm(TransferApi(self.settings.ocm), self.fingerprints),
            sign_ins=BrowserSignIns({"sso": DeviceFlow(self.settings.sso), **grid.ways(self.settings)}),
            **callers.of(self.settings, self.resolve),
            **grid.of(self.settings, self.resolve, self.fingerprints),
        )

    @property
    def _runbooks(self) -> tuple[Path, ...]:
        own = self.settings.runbooks.folder
        return (Path(handlers.__file__).parent, *([own] if own else []))

    @cached_property
    def read_tools(self) -> ReadTools:
        """The same without anything that can write, also at run time."""
        whole = {field.name: getattr(self.tools, field.name) for field in fields(ReadTools)}
        names = ("pager", "tracker", "hook", "cases", "jenkins", "nodes", "vault_tokens", "credds")
        readers = {name: whole[name].reader for name in names if whole[name].configured()}
        return ReadTools(**{**whole, **readers, "kubernetes": whole["kubernetes"].reader,
                            "vault": self._vault_reader or self.vault})  # fmt: skip

    @cached_property
    def bot_token(self) -> Secret:
        return self.resolve(self.settings.slack.bot_token)

    def slack(self) -> tuple[Membership, Messenger | None]:
        """Slack as the engine uses it; without a bot token the command line still works."""
        from bot.tools.absent import NoSlack

        try:
            token = self.bot_token
        except Refused:
            return NoSlack(), None
        from bot.edges.membership import SlackMembership
        from bot.edges.messenger import SlackMessenger
        from bot.tools import slack_clients

        client = slack_clients.web_client(self.settings.slack, token)
        return SlackMembership(client), SlackMessenger(client)

    def start(self, messenger: Messenger | None, membership: Membership) -> Running:
        """The engine with its executor. Refused when another process has the SQLite store."""
        from bot.engine import desk
        from bot.tools import keys

        return desk.start(
            self.settings, self.handlers, self.handler_settings, self.tools, self.read_tools, membership, messenger,
            cipher=keys.cipher(self.settings, self.resolve), unlock=keys.unlock(self.settings, self.resolve),
            alert_handlers=self.alert_handlers, alert_settings=self.alert_settings,
        )  # fmt: skip

    def alert_sources(self, desk: Desk) -> AlertSources:
        """The ways alerts come in, with the checks of who posts. Refused when a key is missing or too short."""
        from bot.edges.alert_channel import AlertSources
        from bot.edges.webhooks import Keys
        from bot.tools import webhook_keys

        hooks = self.settings.webhooks
        keys = Keys(
            alertmanager=webhook_keys.bearer_check(self._all(hooks.alertmanager)) if hooks.alertmanager else None,
            grafana=webhook_keys.bearer_check(self._all(hooks.grafana)) if hooks.grafana else None,
            pagerduty=webhook_keys.pagerduty_check(self._all(hooks.pagerduty)) if hooks.pagerduty else None,
        )
        known = self.alert_handlers.values()
        return AlertSources(desk, keys, recognises=lambda text: any(each.recognises(text) for each in known))

    def _all(self, sources: tuple[SecretSource, ...]) -> tuple[Secret, ...]:
        return tuple(self.resolve(source) for source in sources)


def desk(settings: Settings) -> Desk:
    """A desk beside a running bot: it takes in, decides and shows; the bot does the work."""
    from bot.engine import desk as engine
    from bot.engine import store
    from bot.tools import keys

    store.check_made(settings)
    parts = Parts(settings)
    membership, _ = parts.slack()
    return engine.submit_only(
        settings, parts.handlers, parts.handler_settings, membership,
        cipher=keys.cipher(settings, parts.resolve), unlock=keys.unlock(settings, parts.resolve),
        alert_handlers=parts.alert_handlers, vault=lambda: parts.vault,
    ).desk  # fmt: skip


@contextlib.contextmanager
def working(settings: Settings) -> Iterator[Desk]:
    """A desk whose work is done: by the bot that runs on this store, else by this process for as long as it lasts."""
    from bot.engine.lock import Taken

    parts = Parts(settings)
    membership, messenger = parts.slack()
    try:
        running = parts.start(messenger, membership)
    except Taken:
        yield desk(settings)
        return
    try:
        yield running.desk
    finally:
        running.stop()


def look(settings: Settings, command: str, text: str) -> Plan | Answer:
    """Plan a command with tools that cannot write; nothing is stored."""
    from bot.engine.records import StoredReader

    parts = Parts(settings)
    handler = parts.handlers.get(command.removeprefix("/"))
    if handler is None:
        raise Refused(f"There is no command {command[:40]!r}.", f"There are: {', '.join(sorted(parts.handlers))}.")
    tools = replace(parts.read_tools, records=StoredReader(cache(lambda: _store(settings, make=True))))
    return handler.plan(ask.parse(text, handler), parts.handler_settings[handler.name], tools)


def verify_audit(settings: Settings) -> Verified:
    from bot.engine import audit

    return audit.verify(_store(settings))


def export_audit(settings: Settings) -> Iterator[AuditEntry]:
    from bot.engine import audit

    return audit.export(_store(settings))


def _store(settings: Settings, *, make: bool = False) -> Any:
    from bot.engine import schema, store
    from bot.tools import keys

    if not make:
        store.check_made(settings)
    engine = store.connect(settings, keys.unlock(settings, Parts(settings).resolve))
    schema.migrate(engine)
    return engine


async def serve(settings: Settings) -> None:
    """Run the bot until SIGTERM or SIGINT; what is under way comes to the end of its step."""
    from bot.edges import log, slack
    from bot.edges.metrics import Metrics
    from bot.engine import gauges
    from bot.tools import slack_clients

    log.configure(settings.log_level, file=settings.log)
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    parts = Parts(settings)
    token = parts.bot_token  # without it there is nothing to serve: say so before anything starts
    membership, messenger = parts.slack()
    app_token, signing = settings.slack.app_token, settings.slack.signing_secret
    running = await asyncio.to_thread(parts.start, messenger, membership)
    metrics = Metrics()
    gauges.offer(metrics.gauge, running.store)
    gauges.offer_credentials(metrics.families, running.store)
    metrics.figures(lambda: figures.of(parts.handlers, parts.read_tools, running.store))
    try:
        alerts = await asyncio.to_thread(parts.alert_sources, running.desk)
        await slack.serve(
            settings,
            running.desk,
            client=slack_clients.async_web_client(settings.slack, token),
            stop=stop,
            verify=slack_clients.signature_check(parts.resolve(signing)) if signing else None,
            make_socket=slack_clients.socket(parts.resolve(app_token)) if app_token else None,
            metrics=metrics,
            alerts=alerts,
        )
    finally:
        await asyncio.get_running_loop().run_in_executor(None, running.stop)
