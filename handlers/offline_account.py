"""A service account in the place of an offline token, where the consumer can log in as one."""

from __future__ import annotations

from typing import Any

from bot.core.errors import Refused
from bot.core.plan import Answer, Change, Note, Plan, Stage
from bot.core.ports import ReadTools
from bot.core.secret import SecretRef
from handlers.offline_steps import AccountLogsIn, whole
from handlers.offline_tokens import CURE, Account
from handlers.offline_verdict import Looked
from handlers.steps import FieldIs, PatchDocument, Replacement, expected, fingerprint, reading, shown


def take_over(looked: Looked, ask: dict[str, Any], tools: ReadTools) -> Plan | Answer:
    """See that the service account may log in, then put its id and its secret or key where the consumer reads them."""
    account = looked.place.account
    if account is None:
        raise Refused(
            f"The settings name no service account for {looked.name}.",
            f"Describe it under commands.{CURE}.settings.places.{looked.name}.account, or ask with another cure=.",
        )
    replacements = tuple(one for one in replaced(looked, account, tools) if one.was != one.becomes)
    if not replacements:
        return Answer(
            command=CURE,
            title=f"Nothing to do: {looked.name} has the login of {account.name}"[:150],
            text=("Every part of it has the fingerprint of its source.",),
        )
    target = whole(looked.place.ref)
    return Plan(
        command=CURE,
        title=f"Let {looked.name} log in as the service account {account.name}"[:150],
        subject=target.path,
        ask=ask,
        stages=(
            Stage(steps=(AccountLogsIn(realm=looked.place.realm, account=account.name),)),
            Stage(steps=(patch(target, replacements, tools),)),
        ),
        premises=(
            *(FieldIs(ref=one.source, fingerprint=one.becomes) for one in replacements),
            FieldIs(ref=target, fingerprint=fingerprint(tools, target)),
        ),
        changes=tuple(
            Change(
                name=shown(one.inside), source=str(one.source), subject=account.name,
                target=str(target.model_copy(update={"inside": one.inside})), old=one.was, new=one.becomes,
            )
            for one in replacements
        ),
        notes=(*looked.notes(tools.now()), Note(label="Offline token", text="It stays where it is, unused.")),
        warnings=(*looked.warnings(), "Only what can log in as a service account will work with it."),
    )  # fmt: skip


def replaced(looked: Looked, account: Account, tools: ReadTools) -> tuple[Replacement, ...]:
    """Each part of the login with what stands in its place now. Refused when a part or a place is not there."""
    document = tools.vault.read(looked.place.path, looked.place.field)
    found = []
    for one in account.puts:
        target = looked.place.ref.model_copy(update={"inside": one.inside})
        with reading(target):
            now = tools.documents.find(document, one.inside)
        becomes = fingerprint(tools, one.source.ref)
        if now is None:
            raise Refused(f"There is no {target}.", "Add the key to the document, or correct the settings.")
        if becomes is None:
            raise Refused(f"There is nothing in {one.source.ref}.", "Put the service account's login there first.")
        was = tools.fingerprints.of(now)
        found.append(Replacement(inside=one.inside, source=one.source.ref, was=was, becomes=becomes))
    return tuple(found)


def patch(target: SecretRef, replacements: tuple[Replacement, ...], tools: ReadTools) -> PatchDocument:
    """The replacement is tried here, so what cannot be done is never proposed."""
    document = tools.vault.read(target.path, target.field)
    values = {one.inside: expected(tools, one.source, one.becomes) for one in replacements}
    with reading(target):
        patched = tools.documents.replace(document, values)
    return PatchDocument(
        target=target,
        document_was=tools.fingerprints.of(document),
        document_becomes=tools.fingerprints.of(patched),
        replacements=replacements,
    )
