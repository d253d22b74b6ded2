"""/rotate-hive-tokens: hand the hive service-account tokens of production to OCM CI (runbook beside this file).

Production gets a recycled token by itself; the CI's sandbox does not. The new tokens are copied to a path the OCM
team may read, and put into the base64 YAML `config` that the CI jobs read.
"""

from __future__ import annotations

from pydantic import Field

from bot.core.errors import Refused, Told
from bot.core.handler import Ask, Handler, Need
from bot.core.plan import Answer, Change, Note, Plan, Premise, Stage, Step, Table
from bot.core.ports import ReadTools
from bot.core.secret import Secret, SecretRef
from handlers.hive_tokens import COMMAND, AccountName, Found, Settings, look
from handlers.steps import Copy, CopyFields, FieldIs, PatchDocument, ProveAccepted, Replacement, listed, reading


class RotateHiveTokens(Ask):
    """What a person types after /rotate-hive-tokens."""

    only: AccountName | None = Field(
        default=None, description="Just this token; both if left out.", json_schema_extra={"positional": True}
    )
    handover_only: bool = Field(
        default=False, description="Write the handover path only; the config is updated by hand."
    )


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
    with reading(settings.document):
        patched = tools.documents.replace(document, values)
    return (
        PatchDocument(
            target=settings.document,
            document_was=tools.fingerprints.of(document),
            document_becomes=tools.fingerprints.of(patched),
            replacements=replacements,
        ),
    )


def prove(settings: Settings, found: tuple[Found, ...], tools: ReadTools) -> tuple[Step, ...]:
    """Step 3: ask the cluster with the copy that the CI jobs will read, where the cluster's address is known."""
    return tuple(
        ProveAccepted(
            cluster=one.account.cluster,
            source=final_copy(settings, one),
            becomes=one.new,
            subject=one.account.expected.subject,
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


def needs(settings: Settings) -> tuple[Need, ...]:
    """What the bot's role must be allowed in Vault. On KV 1 it also needs the siblings `<path>-before-<run>`."""
    sources = (Need(path=a.source, rights=("read",), reason=f"the token of {a.name}") for a in settings.accounts)
    return (
        *sources,
        Need(path=settings.handover, rights=("create", "read", "update"), reason="the handover"),
        Need(path=settings.config, rights=("read", "update"), reason="the config that CI jobs read"),
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
    needs=needs,
)
