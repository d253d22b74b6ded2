"""Plans that bring a good offline token into its place, or use the one that is there so that it stays good."""

from __future__ import annotations

from typing import Any

from bot.core.errors import Refused
from bot.core.plan import Change, Note, Plan, Stage
from bot.core.ports import ReadTools
from bot.core.secret import SecretRef
from handlers.offline_look import Held, check, held
from handlers.offline_mends import HAND
from handlers.offline_steps import Asked, RefreshToken, SameSession, TakeToken, TryToken, put_into, rest, whole
from handlers.offline_tokens import CURE
from handlers.offline_verdict import Looked
from handlers.steps import FieldIs, fingerprint

SHARED = (
    "{one} and {other} {hold} the same token. Where the realm gives a new one with each use and spends the old, two "
    "that use it apart take it away from each other; the bot keeps both places alike when it refreshes it."
)


def bring(looked: Looked, source: SecretRef, ask: dict[str, Any], tools: ReadTools) -> Plan:
    """Try the token there, put it into the place, and try it once more from there."""
    found = fitting(looked, source, tools)
    target, asked = looked.place.ref, asked_as(looked, tools)
    before, spare = whole(target), looked.settings.handed_in(looked.name)
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
        refreshing(looked, found, (target, source), tools),
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
        notes=(*looked.notes(tools.now()), Note(label="New token", text=found.told(tools.now()))),
        warnings=(*looked.warnings(), *warnings(looked, found, source)),
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
    return Plan(
        command=CURE,
        title=f"Try the offline token of {looked.name} at Red Hat SSO"[:150],
        subject=looked.place.path,
        ask=ask,
        stages=(Stage(steps=(refreshing(looked, looked.found, places(looked, tools), tools),)),),
        premises=(SameSession(ref=looked.place.ref, session=looked.found.session),),
        notes=looked.notes(tools.now()),
        warnings=shared(looked, tools),
    )


def refreshing(looked: Looked, found: Held, refs: tuple[SecretRef, ...], tools: ReadTools) -> RefreshToken:
    """What was noted in this very second was another refresh, so the step's own note has to be later."""
    before = tools.vault.stamp(looked.place.path, looked.place.noted)
    return RefreshToken(
        places=refs,
        session=found.session,
        asked=asked_as(looked, tools),
        spare=looked.settings.handed_in(looked.name),
        noted=looked.place.noted,
        failed=looked.place.failed,
        since=float(max(int(tools.now()), int(before or 0) + 1)),
    )


def places(looked: Looked, tools: ReadTools) -> tuple[SecretRef, ...]:
    """The place, and production's when the same session is there: the two are refreshed as one."""
    origin = looked.place.production
    if origin is None or looked.found is None:
        return (looked.place.ref,)
    try:
        twin = held(origin.ref, tools)
    except Refused:
        twin = None
    same = twin is not None and twin.session == looked.found.session
    return (looked.place.ref, origin.ref) if same else (looked.place.ref,)


def shared(looked: Looked, tools: ReadTools) -> tuple[str, ...]:
    refs = places(looked, tools)
    return (SHARED.format(one=refs[0], other=refs[1], hold="hold"),) if len(refs) > 1 else ()


def asked_as(looked: Looked, tools: ReadTools) -> Asked:
    return Asked(realm=looked.place.realm, client=looked.place.asks_as(tools))


def change(looked: Looked, found: Held, source: SecretRef) -> Change:
    was = None if looked.found is None else looked.found.mark
    return Change(
        name=looked.name, source=str(source), target=str(looked.place.ref), subject=found.subject, old=was,
        new=found.mark,
    )  # fmt: skip


def warnings(looked: Looked, found: Held, source: SecretRef) -> tuple[str, ...]:
    said = []
    origin = looked.place.production
    if origin is not None and source == origin.ref:
        said.append(SHARED.format(one=looked.place.ref, other=source, hold="will hold"))
    if not looked.subject:
        said.append(f"Whose token stood in {looked.place.ref} is not known: the new one belongs to {found.subject}.")
    if looked.judged is not None and looked.judged.good:
        said.append(f"The token in {looked.place.ref} is good: it would be replaced all the same.")
    return tuple(said)
