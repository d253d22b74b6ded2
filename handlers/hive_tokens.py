"""The hive service-account tokens and their copies: where they are (settings), and what is there now (fingerprints)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, Self

from pydantic import Field, model_validator

from bot.core.errors import Refused
from bot.core.handler import HandlerSettings
from bot.core.plan import Note
from bot.core.ports import Inside, ReadTools
from bot.core.secret import Secret, SecretRef
from bot.core.value import Value
from handlers.service_accounts import Expected, judge
from handlers.steps import reading, shown

COMMAND = "rotate-hive-tokens"
AccountName = Literal["hive-frontend", "aws-account-operator"]
OUTPUT = "app-sre/integrations-output/openshift-serviceaccount-tokens/hive-integration/uhc-integration/"


class Account(Value):
    """One service account whose token is handed over."""

    name: AccountName = Field(description="What people call it; also the value of `only`.")
    source: str = Field(description="Vault path that production's automation writes the token to.")
    source_field: str = Field(default="token", description="The field there.")
    handover_field: str = Field(description="The field of the handover path that gets the token.")
    cluster: str = Field(description="The cluster the token is for; asked for proof if it is under `clusters`.")
    namespace: str = Field(description="Namespace of the service account; a token for another one is refused.")
    service_account: str = Field(description="Name of the service account; a token for another one is refused.")
    issuer: str | None = Field(
        default=None, description="`iss` of the cluster's bound tokens; others are refused. Default: any."
    )
    places: tuple[Inside, ...] = Field(
        default=(), description="Where the token stands in the config: paths of YAML keys and list indexes."
    )

    @property
    def expected(self) -> Expected:
        return Expected(namespace=self.namespace, name=self.service_account, cluster=self.cluster, issuer=self.issuer)

    @property
    def origin(self) -> SecretRef:
        return SecretRef(path=self.source, field=self.source_field)


HIVE_FRONTEND = Account(
    name="hive-frontend",
    source=OUTPUT + "hive-integration-hive-hive-frontend",
    handover_field="hive-frontend-token",
    cluster="hive-integration",
    namespace="hive",
    service_account="hive-frontend",
)
AWS_ACCOUNT_OPERATOR = Account(
    name="aws-account-operator",
    source=OUTPUT + "hive-integration-aws-account-operator-aws-account-operator-client",
    handover_field="aws-account-operator-client-token",
    cluster="hive-integration",
    namespace="aws-account-operator",
    service_account="aws-account-operator-client",
)


class Settings(HandlerSettings):
    """Where the tokens come from and where they go. The defaults are the paths of the runbook."""

    accounts: tuple[Account, ...] = Field(
        default=(HIVE_FRONTEND, AWS_ACCOUNT_OPERATOR), min_length=1, description="The tokens this command looks after."
    )
    handover: str = Field(default="sd-uhc/sandbox-tokens", description="Vault path that the OCM team may read.")
    config: str = Field(default="sd-uhc/sandbox", description="Vault path of the configuration that CI jobs read.")
    config_field: str = Field(default="config", description="The field there: base64 of a YAML document.")
    expiry_warning_hours: float = Field(
        default=24, ge=0, description="Hours; a token that ends sooner gets a warning in the plan."
    )

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        for what, values in (
            ("name", [account.name for account in self.accounts]),
            ("handover_field", [account.handover_field for account in self.accounts]),
            ("places", [place for account in self.accounts for place in account.places]),
        ):
            if len(values) != len(set(values)):
                raise ValueError(f"accounts: two entries have the same {what}")
        return self

    @property
    def document(self) -> SecretRef:
        return SecretRef(path=self.config, field=self.config_field)


@dataclass(frozen=True)
class Found:
    """What was found for one account; `token` is what the source holds now, the rest are fingerprints."""

    account: Account
    token: Secret
    new: str
    handover: str | None
    places: tuple[tuple[Inside, str], ...] = ()
    warnings: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()

    @property
    def stale_places(self) -> tuple[tuple[Inside, str], ...]:
        return tuple((inside, was) for inside, was in self.places if was != self.new)

    @property
    def stale(self) -> bool:
        return self.handover != self.new or bool(self.stale_places)


def look(account: Account, settings: Settings, document: Secret | None, tools: ReadTools) -> Found:
    """Read one token and its copies. Refused if the token is not what the settings expect."""
    token = tools.vault.read(account.source, account.source_field)
    with reading(account.origin):
        claims = tools.tokens.claims(token)
    warn_before = settings.expiry_warning_hours * 3600
    warnings = judge(claims, account.expected, str(account.origin), tools.now(), warn_before)
    notes = ask_cluster(account, token, tools)
    kept = tools.vault.find(settings.handover, account.handover_field)
    found = Found(
        account=account,
        token=token,
        new=tools.fingerprints.of(token),
        handover=None if kept is None else tools.fingerprints.of(kept),
        places=() if document is None else read_places(account, settings, document, tools),
        notes=notes,
    )
    return replace(found, warnings=(*warnings, *strangers(found, settings)))


def ask_cluster(account: Account, token: Secret, tools: ReadTools) -> tuple[Note, ...]:
    """Does the cluster take the token for whom we expect? Only it can tell which cluster a legacy token is for."""
    if not tools.clusters.configured(account.cluster):
        return ()
    name = tools.clusters.who(account.cluster, token).name
    if name not in (None, account.expected.subject):
        raise Refused(
            f"{account.cluster} takes the token in {account.origin} for someone other than {account.expected.subject}.",
            "Nothing was changed; correct the source or the settings, then ask again.",
        )
    return (Note(label=account.name, text=f"{account.cluster} accepts the new token."),)


def read_places(
    account: Account, settings: Settings, document: Secret, tools: ReadTools
) -> tuple[tuple[Inside, str], ...]:
    """The places of a token in the config with the fingerprint of what stands there now."""
    where = f"commands.{COMMAND}.settings.accounts (places of {account.name})"
    if not account.places:
        raise Refused(
            f"The settings do not say where {account.name} stands in {settings.document}.",
            f"Name its keys under {where}, or ask with handover_only.",
        )
    return tuple((inside, _one_place(inside, settings, document, where, tools)) for inside in account.places)


def _one_place(inside: Inside, settings: Settings, document: Secret, where: str, tools: ReadTools) -> str:
    with reading(settings.document):
        secret = tools.documents.find(document, inside)
    if secret is None:
        raise Refused(
            f"There is no {shown(inside)} in {settings.document}.",
            f"Correct {where}, or ask with handover_only.",
        )
    return tools.fingerprints.of(secret)


def strangers(found: Found, settings: Settings) -> tuple[str, ...]:
    """Places of the config that hold neither the new token nor the one handed over last: somebody was there by hand."""
    return tuple(
        f"{shown(inside)} in {settings.document} holds a value that is neither the new token nor the one in "
        f"{settings.handover}. It will be replaced."
        for inside, was in found.places
        if was not in (found.new, found.handover)
    )
