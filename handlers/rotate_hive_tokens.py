"""/rotate-hive-tokens: hand the hive service-account tokens of production to OCM CI (runbook beside this file).

Production gets a recycled token by itself; the CI's sandbox does not. The new tokens are copied to a path the OCM
team may read, and put into the base64 YAML `config` that the CI jobs read.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, Self

from pydantic import Field, model_validator

from bot.core.errors import Refused, Told
from bot.core.handler import Ask, Handler, HandlerSettings
from bot.core.plan import Answer, Change, Note, Plan, Premise, Stage, Step, Table
from bot.core.ports import Inside, ReadTools
from bot.core.secret import Secret, SecretRef
from bot.core.value import Value
from handlers.service_accounts import Expected, judge
from handlers.steps import Copy, CopyFields, FieldIs, PatchDocument, ProveAccepted, Replacement, listed, shown

COMMAND = "rotate-hive-tokens"
AccountName = Literal["hive-frontend", "aws-account-operator"]
OUTPUT = "app-sre/integrations-output/openshift-serviceaccount-tokens/hive-integration/uhc-integration/"


class RotateHiveTokens(Ask):
    """What a person types after /rotate-hive-tokens."""

    only: AccountName | None = Field(
        default=None, description="Just this token; both if left out.", json_schema_extra={"positional": True}
    )
    handover_only: bool = Field(
        default=False, description="Write the handover path only; the config is updated by hand."
    )


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


def plan(ask: RotateHiveTokens, settings: Settings, tools: ReadTools) -> Plan | Answer:
    """Look at sources and targets; propose what is missing. Refused before anything is planned if a token is wrong."""
    accounts = tuple(a for a in settings.accounts if ask.only in (None, a.name))
    if not accounts:
        raise Refused(
            f"The settings know no token called {ask.only}.",
            f"Add it under commands.{COMMAND}.settings.accounts, or leave `only` out.",
        )
    document = None if ask.handover_only else tools.vault.read(settings.config, settings.config_field)
    found = tuple(look(account, settings, document, tools) for account in accounts)
    if not any(one.stale for one in found):
        return nothing_to_do(settings, found)
    return propose(ask, settings, document, found, tools)


def look(account: Account, settings: Settings, document: Secret | None, tools: ReadTools) -> Found:
    """Read one token and its copies. Refused if the token is not what the settings expect."""
    token = tools.vault.read(account.source, account.source_field)
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


def propose(
    ask: RotateHiveTokens, settings: Settings, document: Secret | None, found: tuple[Found, ...], tools: ReadTools
) -> Plan:
    stale = sum(one.stale for one in found)
    steps = (hand_over(settings, found), patch(settings, document, found, tools), prove(settings, found, tools))
    jobs, trouble = consumers(settings, found, tools)
    return Plan(
        command=COMMAND,
        title=f"Hand {stale} hive token{'s' if stale > 1 else ''} to OCM CI",
        subject=settings.config,
        ask=ask.model_dump(mode="json"),
        stages=tuple(Stage(steps=stage) for stage in steps if stage),
        premises=premises(settings, document, found, tools),
        changes=changes(settings, found),
        notes=tuple(note for one in found for note in one.notes),
        warnings=(*(warning for one in found for warning in one.warnings), *trouble),
        then=(*by_hand(ask, settings, found), *jobs),
    )


def hand_over(settings: Settings, found: tuple[Found, ...]) -> tuple[Step, ...]:
    """Step 1 of the runbook: the path the OCM team may read."""
    copies = tuple(
        Copy(source=one.account.origin, field=one.account.handover_field, was=one.handover, becomes=one.new)
        for one in found
        if one.handover != one.new
    )
    return (CopyFields(path=settings.handover, copies=copies),) if copies else ()


def patch(settings: Settings, document: Secret | None, found: tuple[Found, ...], tools: ReadTools) -> tuple[Step, ...]:
    """Step 2 of the runbook: the config. The replacement is tried here, so what cannot be done is never proposed."""
    replacements = tuple(
        Replacement(inside=inside, source=one.account.origin, was=was, becomes=one.new)
        for one in found
        for inside, was in one.stale_places
    )
    if document is None or not replacements:
        return ()
    values = {inside: one.token for one in found for inside, _ in one.stale_places}
    return (
        PatchDocument(
            target=settings.document,
            document_was=tools.fingerprints.of(document),
            document_becomes=tools.fingerprints.of(tools.documents.replace(document, values)),
            replacements=replacements,
        ),
    )


def prove(settings: Settings, found: tuple[Found, ...], tools: ReadTools) -> tuple[Step, ...]:
    """Step 3: ask the cluster with the copy that the CI jobs will read, where the cluster's address is known."""
    return tuple(
        ProveAccepted(
            cluster=one.account.cluster, source=final_copy(settings, one), subject=one.account.expected.subject
        )
        for one in found
        if one.stale and tools.clusters.configured(one.account.cluster)
    )


def final_copy(settings: Settings, found: Found) -> SecretRef:
    if found.places:
        return SecretRef(path=settings.config, field=settings.config_field, inside=found.places[0][0])
    return SecretRef(path=settings.handover, field=found.account.handover_field)


def premises(
    settings: Settings, document: Secret | None, found: tuple[Found, ...], tools: ReadTools
) -> tuple[Premise, ...]:
    """Everything that was read has to be so still when the first step starts."""
    read = [FieldIs(ref=one.account.origin, fingerprint=one.new) for one in found]
    for one in found:
        ref = SecretRef(path=settings.handover, field=one.account.handover_field)
        read.append(FieldIs(ref=ref, fingerprint=one.handover))
    if document is not None:
        read.append(FieldIs(ref=settings.document, fingerprint=tools.fingerprints.of(document)))
    return tuple(read)


def changes(settings: Settings, found: tuple[Found, ...]) -> tuple[Change, ...]:
    """One row for each copy of each token, the handover path first."""
    return tuple(
        Change(
            name=one.account.name,
            source=str(one.account.origin),
            target=str(target),
            subject=one.account.expected.subject,
            old=old,
            new=one.new,
        )
        for one in found
        for target, old in copies_of(settings, one)
    )


def copies_of(settings: Settings, found: Found) -> tuple[tuple[SecretRef, str | None], ...]:
    handover = SecretRef(path=settings.handover, field=found.account.handover_field)
    inside = ((settings.document.model_copy(update={"inside": place}), was) for place, was in found.places)
    return ((handover, found.handover), *inside)


def by_hand(ask: RotateHiveTokens, settings: Settings, found: tuple[Found, ...]) -> tuple[Note, ...]:
    """What is left to the OCM team when the config is not ours to change."""
    if not ask.handover_only:
        return ()
    fields = listed(tuple(one.account.handover_field for one in found))
    text = f"Put {fields} from {settings.handover} into the YAML of {settings.document} and encode it again."
    return (Note(label="OCM team", text=text),)


def consumers(
    settings: Settings, found: tuple[Found, ...], tools: ReadTools
) -> tuple[tuple[Note, ...], tuple[str, ...]]:
    """The CI jobs to run again, and warnings. A rotation does not fail because the list of jobs cannot be read."""
    if not tools.jobs.configured():
        return (), ()
    paths = [settings.handover] if any(one.handover != one.new for one in found) else []
    paths += [settings.config] if any(one.stale_places for one in found) else []
    try:
        looked = [(path, tools.jobs.consuming(path)) for path in paths]
    except Told as trouble:
        return (), (f"The CI jobs to run again are not known: {trouble}",)
    notes = tuple(jobs_note(path, tuple(job.name for job in seen.jobs)) for path, seen in looked if seen.jobs)
    unreadable = sorted({name for _, seen in looked for name in seen.unreadable})
    count = len(unreadable)
    if not count:
        return notes, ()
    files = "1 CI job file" if count == 1 else f"{count} CI job files"
    return notes, (f"{files} could not be read, so jobs may be missing; /secret-consumers names the files.",)


NAMED = 12  # names of jobs in one note before it says how many more there are


def jobs_note(path: str, names: tuple[str, ...]) -> Note:
    more = len(names) - NAMED
    text = ", ".join(names) if more <= 0 else f"{', '.join(names[:NAMED])} and {more} more (/secret-consumers {path})"
    count = "1 CI job reads" if len(names) == 1 else f"{len(names)} CI jobs read"
    return Note(label="Run again", text=f"{count} {path}: {text}")


def nothing_to_do(settings: Settings, found: tuple[Found, ...]) -> Answer:
    rows = tuple((change.name, change.source, change.target, change.new or "") for change in changes(settings, found))
    return Answer(
        command=COMMAND,
        title="Nothing to do: the hive tokens of OCM CI are the current ones",
        text=("Every copy has the fingerprint of its source.",),
        table=Table(head=("token", "source", "copy", "fingerprint"), rows=rows),
        notes=tuple(note for one in found for note in one.notes),
        warnings=tuple(warning for one in found for warning in one.warnings),
    )


HANDLER = Handler(
    name=COMMAND,
    summary="Hand the recycled hive-frontend and aws-account-operator tokens to OCM CI.",
    ask=RotateHiveTokens,
    settings=Settings,
    plan=plan,
    steps=(CopyFields, PatchDocument, ProveAccepted),
    premises=(FieldIs,),
    example="only=hive-frontend",
)
