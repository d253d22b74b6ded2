"""The settings: one YAML file, modelled; secrets only by reference; environment for what a container overrides.

An error names the place and the rule, never the input, because the input may be a secret in the wrong place.
"""

from __future__ import annotations

import os
import re
from datetime import date
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field, ValidationError, field_validator, model_validator

from bot import mistakes, yaml_file
from bot.alerting import Alerts, Webhooks
from bot.calling import CieWebhook, GitHub, Jenkins, PagerDuty, RedhatSupport
from bot.cloud import AwsAccesses, Registry
from bot.clusters import Cluster
from bot.core.errors import Refused
from bot.core.people import Group, Person, Rule
from bot.identity import Ocm, Realm
from bot.looking import Endpoint, Prometheus, StatusPage
from bot.managed import Credd, Ferry, Kerberos, ManagedTokens, Pushgateway, Smtp, VaultTokens
from bot.sources import FromEnv, FromFile, FromVault, NotInClear, Part, SecretSource
from bot.ssh import Nodes
from bot.vaults import AppRoleAuth, JwtAuth, KubernetesAuth, TokenAuth, Vault, VaultAuth

__all__ = [  # defined elsewhere, known from here
    "AppRoleAuth", "Cluster", "FromEnv", "FromFile", "FromVault", "JwtAuth", "KubernetesAuth", "Part", "SecretSource",
    "TokenAuth", "Vault", "VaultAuth",
]  # fmt: skip


class Log(Part):
    """A log file beside standard error, for one process."""

    file: Path | None = Field(
        default=None, description="Its path; the folder must be there. None: standard error alone."
    )
    keep: int = Field(default=7, ge=1, le=1000, description="Full files that are kept, as file.1, file.2 and so on.")
    at_most_mb: float = Field(default=50, gt=0, le=100_000, description="Millions of bytes in one file.")


class Slack(Part):
    """How to reach Slack."""

    mode: Literal["socket", "http"] = Field(
        default="socket", description="socket needs no public address; http needs web.* reachable from Slack."
    )
    bot_token: SecretSource = FromEnv(env="SLACK_BOT_TOKEN")
    app_token: SecretSource | None = Field(
        default=None, description="xapp- token with connections:write; needed in socket mode."
    )
    signing_secret: SecretSource | None = Field(default=None, description="Needed in http mode.")
    api_url: NotInClear = Field(
        default="https://slack.com/api/", description="Base address of the Web API, ending in a slash."
    )
    channel: str | None = Field(
        default=None, description="Channel id for plans that were asked for outside Slack (command line, schedules)."
    )
    timeout: float = Field(default=10, gt=0, le=60, description="Seconds for one call of the Web API.")


class Web(Part):
    """The bot's own HTTP server: health, metrics, and Slack in http mode."""

    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65535)
    body_limit: int = Field(default=1_000_000, ge=1000, description="Bytes; a longer body is answered 413.")


class Store(Part):
    """Where runs, decisions and the audit live."""

    url: str | None = Field(
        default=None, description="SQLAlchemy URL; default is SQLite in data_dir. PostgreSQL: postgresql+psycopg://…"
    )
    password: SecretSource | None = Field(default=None, description="Password of the database, put into the URL.")
    encryption_keys: tuple[SecretSource, ...] = Field(
        default=(), description="Fernet keys, newest first; default is one made in data_dir."
    )
    fingerprint_key: SecretSource | None = Field(
        default=None,
        description="Key of the fingerprints; default is one made in data_dir. Changing it makes open plans drift.",
    )
    keep_days: float = Field(
        default=400, gt=0, description="Days that finished runs stay listed; the audit stays for ever."
    )
    keep_backups_hours: float = Field(
        default=72, gt=0, description="Hours that a verified run's backups wait before they are removed."
    )

    @field_validator("url")
    @classmethod
    def _no_password(cls, url: str | None) -> str | None:
        if url and re.search(r"//[^/?#]*:[^/?#]*@|[?&](password|passfile|sslpassword)=", url, re.I):
            raise ValueError("holds a password; name it by reference in store.password")
        return url


class CiJobs(Part):
    """Where generated CI jobs lie (upstream.md, seed 000)."""

    directories: tuple[Path, ...] = Field(
        default=(), description="Trees of …/<job>/config.xml and of job-builder YAML."
    )


class Runbooks(Part):
    """An organisation's own runbooks, laid over ours by name."""

    folder: Path | None = Field(default=None, description="Tree of Markdown files; front matter as in Jekyll is read.")
    variables: dict[str, Any] = Field(
        default_factory=dict, description="What stands for {{ site.data.… }} in them, below site.data."
    )


class Command(Part):
    """What an organisation decides about one command."""

    enabled: bool = True
    ask: tuple[str, ...] = Field(default=(), description="Groups that may ask; empty: everybody.")
    approve: tuple[str, ...] = Field(default=(), description="Groups that may approve.")
    approvals: int = Field(default=1, ge=1, le=10, description="How many people must approve.")
    expires_minutes: float = Field(
        default=60, gt=0, le=30 * 24 * 60, description="Minutes a plan waits for its approval."
    )
    escalate_to: str | None = Field(default=None, description="Group that is mentioned at half time.")
    settings: dict[str, Any] = Field(default_factory=dict, description="The handler's own settings.")

    @property
    def rule(self) -> Rule:
        return Rule(ask=self.ask, approve=self.approve, approvals=self.approvals,
                    expires_after=self.expires_minutes * 60, escalate_to=self.escalate_to)  # fmt: skip


class Standing(Part):
    """A standing approval: lets a schedule act without a click, until a date."""

    owner: Person = Field(description="Slack user id of the person who answers for it.")
    command: str
    ask: dict[str, Any] = Field(default_factory=dict, description="The exact parameters; others are not covered.")
    until: str = Field(description="Last day, YYYY-MM-DD, UTC.")

    @field_validator("until", mode="before")
    @classmethod
    def _day(cls, value: Any) -> Any:
        """YAML reads an unquoted day as a date."""
        return value.isoformat() if isinstance(value, date) else value


class Schedule(Part):
    command: str
    ask: dict[str, Any] = Field(default_factory=dict)
    every_minutes: float = Field(
        default=600, gt=0, le=366 * 24 * 60, description="Ten hours renew in time what lives for twelve."
    )
    jitter_minutes: float = Field(default=0, ge=0)
    catch_up: bool = Field(default=False, description="Run once at start if a tick was missed.")
    channel: str | None = None
    tell: Literal["trouble", "always"] = Field(
        default="trouble",
        description="trouble: a run that changes something under a standing approval is posted only if it has "
        "warnings, fails or needs somebody, and once in a line when it is well again. always: every run is posted.",
    )


class Inventory(Part):
    """How often the credentials that commands look after are looked at, and where alarms about them go."""

    every_minutes: float = Field(default=10, ge=0.1, le=24 * 60)
    channel: str | None = Field(default=None, description="For alarms; slack.channel if empty.")
    mention: str | None = Field(default=None, description="Group that is mentioned with a new alarm.")


class Settings(Part):
    data_dir: Path = Field(default=Path("var"), description="Folder for the SQLite store, generated keys and the lock.")
    log_level: Literal["DEBUG", "INFO", "WARNING"] = "INFO"
    log: Log = Log()
    slack: Slack = Slack()
    web: Web = Web()
    store: Store = Store()
    vault: Vault | None = None
    clusters: dict[str, Cluster] = Field(default_factory=dict)
    ci_jobs: CiJobs = CiJobs()
    aws: AwsAccesses = Field(default_factory=dict, description="Name -> a way into Amazon.")
    registries: dict[str, Registry] = Field(default_factory=dict, description="Host -> how it is reached.")
    sso: dict[str, Realm] = Field(default_factory=dict, description="Name -> a realm of Red Hat SSO.")
    ocm: Ocm = Ocm()
    kerberos: Kerberos = Kerberos()
    vault_tokens: VaultTokens | None = None
    managed_tokens: ManagedTokens | None = None
    nodes: Nodes = Nodes()
    credd: Credd | None = None
    ferry: Ferry | None = None
    smtp: Smtp | None = None
    pushgateway: Pushgateway | None = None
    webhooks: Webhooks = Webhooks()
    alerts: Alerts = Alerts()
    prometheus: dict[str, Prometheus] = Field(default_factory=dict, description="Region -> its Prometheus.")
    endpoints: dict[str, Endpoint] = Field(default_factory=dict, description="Name -> what must be reachable.")
    status_pages: dict[str, StatusPage] = Field(default_factory=dict, description="Provider -> its status page.")
    pagerduty: PagerDuty | None = None
    github: GitHub | None = None
    cie_webhook: CieWebhook | None = None
    redhat_support: RedhatSupport | None = None
    jenkins: Jenkins | None = None
    runbooks: Runbooks = Runbooks()
    groups: dict[str, Group] = Field(default_factory=dict)
    commands: dict[str, Command] = Field(default_factory=dict)
    standing: dict[str, Standing] = Field(default_factory=dict)
    schedules: dict[str, Schedule] = Field(default_factory=dict)
    inventory: Inventory = Inventory()
    people: dict[str, Person] = Field(
        default_factory=dict, description="Login name on the bot's machine -> Slack user id, for the command line."
    )

    @model_validator(mode="after")
    def _groups_exist(self) -> Settings:
        for name, command in self.commands.items():
            wanted = (*command.ask, *command.approve, *filter(None, [command.escalate_to]))
            for group in wanted:
                if group not in self.groups:
                    raise ValueError(f"commands.{name} names a group that is not in groups")
        if self.inventory.mention is not None and self.inventory.mention not in self.groups:
            raise ValueError("inventory.mention names a group that is not in groups")
        return self


ENV_PREFIX = "HIVEKEEPER_"
OVERRIDES = {
    "HIVEKEEPER_DATA_DIR": ("data_dir",),
    "HIVEKEEPER_LOG_LEVEL": ("log_level",),
    "HIVEKEEPER_STORE_URL": ("store", "url"),
    "HIVEKEEPER_WEB_HOST": ("web", "host"),
    "HIVEKEEPER_WEB_PORT": ("web", "port"),
    "HIVEKEEPER_SLACK_MODE": ("slack", "mode"),
    "HIVEKEEPER_VAULT_ADDRESS": ("vault", "address"),
}


def load(path: Path) -> Settings:
    """The settings of a file, with the environment's overrides. Refused, in words, if they are not right."""
    try:
        document = yaml_file.read(path.read_text(encoding="utf-8")) or {}
    except FileNotFoundError:
        raise Refused(
            f"There is no settings file at {path}.", "Name one with --settings or HIVEKEEPER_SETTINGS."
        ) from None
    except (OSError, UnicodeDecodeError):
        raise Refused(
            f"The settings file {path} cannot be read.", "Check its permissions and that it is UTF-8 text."
        ) from None
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError) as error:  # ValueError: 2026-02-30, unquoted
        mark = getattr(error, "problem_mark", None)
        place = f" at line {mark.line + 1}" if mark else ""
        now = "Correct that line." if place else "Put dates and numbers that are none in quotes."
        if getattr(error, "problem", None) == yaml_file.TWICE:
            what, now = f"The settings file {path} has a key{place} for the second time.", "Make one of the two."
            raise Refused(what, now) from None
        raise Refused(f"The settings file {path} is not valid YAML{place}.", now) from None
    return parse(document, str(path))


def parse(document: Any, name: str) -> Settings:
    """The settings of a document already read. `name` is what errors call it."""
    if not isinstance(document, dict):
        raise Refused(f"The settings file {name} must be a mapping.", "See docs/settings.example.yaml.")
    for variable, keys in OVERRIDES.items():
        if variable in os.environ:
            _put(document, keys, os.environ[variable])
    try:
        return Settings.model_validate(document)
    except ValidationError as error:
        what = f"The settings in {name} are not right: {mistakes.told(error)}."
        raise Refused(what, "See docs/settings.example.yaml.") from None


def _put(document: dict[str, Any], keys: tuple[str, ...], value: str) -> None:
    for key in keys[:-1]:
        inner = document.get(key) or {}
        if not isinstance(inner, dict):
            return  # the model will say what is wrong with it
        document[key] = inner
        document = inner
    document[keys[-1]] = value
