"""Plans that bring a good offline token into its place, or use the one that is there so that it stays good."""

from __future__ import annotations

from typing import Any

from bot.core.errors import Refused
from bot.core.plan import Change, Note, Plan, Stage
from bot.core.ports import ReadTools
from bot.core.secret import SecretRef
from handlers.offline_look import Held, check, held
from handlers.offline_mends import HAND
from handlers.offline_shared import holders, notes, sessions, warned
from handlers.offline_steps import Asked, RefreshToken, SameSession, TakeToken, TryToken, put_into, rest, whole
from handlers.offline_tokens import CURE
from handlers.offline_verdict import Looked
from handlers.steps import FieldIs, fingerprint


def bring(looked: Looked, source: SecretRef, ask: dict[str, Any], tools: ReadTools) -> Plan:
    """Try the token there, put it into the place, and try it once more from there."""
    found = fitting(looked, source, tools)
    target, asked = looked.place.ref, asked_as(looked, tools)
    spare = looked.settings.handed_in(looked.name)
    # what waits in the inbox may be there because another place refused it: that must not stand in its way again
    known = {} if source == spare else sessions(looked.settings, tools)
    before = whole(target)
    put_into(tools, target, found.token)  # tried here, so that what cannot be done is never proposed
    take = TakeToken(
        source=source,
        target=target,
        session=found.session,
        document_was=fingerprint(tools, before),
        rest=rest(tools, target),
    )
    steps = (
        TryToken(source=source, session=found.session, asked=asked, spare=spare),
        take,
        refreshing(looked, found, holders(found.session, known, target, source), tools),
    )
    return Plan(
        command=CURE,
        title=f"Bring a good offline token to {looked.name}"[:150],
        subject=target.path,
        ask=ask,
        stages=tuple(Stage(steps=(step,)) for step in steps),
        premises=(
            SameSession(ref=source, session=found.session),
            FieldIs(ref=before, fingerprint=take.document_was),
        ),
        changes=(change(looked, found, source),),
        notes=(
            *looked.verdict(tools.now()),
            Note(label="New token", text=found.told(tools.now())),
            *looked.facts(tools.now()),
        ),
        warnings=(
            *looked.warnings(),
            *warned(holders(found.session, known, target), "will hold"),
            *warnings(looked, found),
        ),
    )


def fitting(looked: Looked, source: SecretRef, tools: ReadTools) -> Held:
    """The token there. Refused when there is none, or none that may stand in the place."""
    handed = source == looked.settings.handed_in(looked.name)
    other = f": {HAND}." if handed else ", or correct the place in the settings."
    now = f"Nothing was changed. Put the right token there{other}"
    try:
        found = held(source, tools)
    except Refused as refusal:
        raise Refused(refusal.what, now if handed else refusal.now) from None
    if found is None:
        raise Refused(f"There is no token in {source}.", "Put one there, or ask with another cure=.")
    check(found, looked.place, looked.subject, tools, now)
    return found


def refresh(looked: Looked, ask: dict[str, Any], tools: ReadTools) -> Plan:
    """Nothing better is known than what is there: try that, as a step."""
    assert looked.found is not None, "what is not there is not tried"
    refs = holders(looked.found.session, sessions(looked.settings, tools), looked.place.ref)
    return Plan(
        command=CURE,
        title=f"Try the offline token of {looked.name} at Red Hat SSO"[:150],
        subject=looked.place.path,
        ask=ask,
        stages=(Stage(steps=(refreshing(looked, looked.found, refs, tools),)),),
        premises=(SameSession(ref=looked.place.ref, session=looked.found.session),),
        notes=looked.notes(tools.now()),
        warnings=warned(refs),
    )


def refreshing(looked: Looked, found: Held, refs: tuple[SecretRef, ...], tools: ReadTools) -> RefreshToken:
    """What was noted in this very second was another refresh, so the step's own note has to be later."""
    noted = notes(refs, looked.settings)
    before = max(tools.vault.stamp(note.path, note.used) or 0.0 for note in noted)
    return RefreshToken(
        places=refs,
        session=found.session,
        asked=asked_as(looked, tools),
        spare=looked.settings.handed_in(looked.name),
        notes=noted,
        since=float(max(int(tools.now()), int(before) + 1)),
    )


def asked_as(looked: Looked, tools: ReadTools) -> Asked:
    return Asked(realm=looked.place.realm, client=looked.place.asks_as(tools))


def change(looked: Looked, found: Held, source: SecretRef) -> Change:
    was = None if looked.found is None else looked.found.mark
    return Change(
        name=looked.name, source=str(source), target=str(looked.place.ref), subject=found.subject, old=was,
        new=found.mark,
    )  # fmt: skip


def warnings(looked: Looked, found: Held) -> tuple[str, ...]:
    said = []
    if not looked.subject:
        said.append(f"Whose token stood in {looked.place.ref} is not known: the new one belongs to {found.subject}.")
    if looked.judged is not None and looked.judged.good:
        said.append(f"The token in {looked.place.ref} is good: it would be replaced all the same.")
    return tuple(said)
