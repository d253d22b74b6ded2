"""What is told of an offline token when no plan can be made by itself, and after a plan was applied."""

from __future__ import annotations

from bot.core.checklist import Offer
from bot.core.errors import Refused, Told
from bot.core.handing_in import Wanted
from bot.core.plan import Answer, Note, Plan, Report, Table
from bot.core.ports import ReadTools
from handlers.offline_look import held, older, unfit
from handlers.offline_mends import HERE, mend
from handlers.offline_state import inventory
from handlers.offline_tokens import CURE, KEEP, RUN, Settings, chosen
from handlers.offline_verdict import Looked

SHOWN = 30  # jobs in the table of a report
BUTTONS = 8


def which(cure: str, settings: Settings, tools: ReadTools) -> Answer:
    """Several tokens and none named: how each is, and a button for each, first for those that need somebody."""
    found = sorted(inventory(settings, tools), key=lambda one: one.state == "fresh")
    return Answer(
        command=CURE,
        title="Which offline token?",
        text=("The states go by age and by what earlier runs were told; none was tried for this.",),
        table=Table(head=("place", "state", "why"), rows=tuple((one.name, one.state, one.told) for one in found)),
        offers=tuple(
            Offer(label=f"Fix {one.name}"[:75], command=CURE, ask={"place": one.name, "cure": cure})
            for one in found[:BUTTONS]
        ),
    )


def all_well(looked: Looked, tools: ReadTools) -> Answer:
    return Answer(
        command=CURE,
        title=f"Nothing to do: the offline token of {looked.name} is good"[:150],
        notes=looked.notes(tools.now()),
        warnings=looked.warnings(),
        quiet=not looked.warnings(),
    )


def owner_first(looked: Looked, tools: ReadTools) -> Answer:
    """No other token would help."""
    assert looked.judged is not None, "only the realm says so"
    return Answer(
        command=CURE,
        title=f"A new offline token would not help {looked.name}"[:150],
        text=(looked.judged.told, mend(looked.judged)),
        notes=looked.facts(tools.now()),
        warnings=looked.warnings(),
        offers=account_offer(looked),
    )


def hand_in(looked: Looked, cure: str, tools: ReadTools) -> Answer:
    """Nobody has a good token yet: a person gives one, privately. Refused for a way to sign in that there is not."""
    same = looked.place.asks_as(tools) == tools.sso.client(looked.place.realm)
    signs = same and f"sso/{looked.place.realm}" in tools.sign_ins.ways()
    if cure == "sign-in" and not signs:
        raise Refused(
            f"People cannot sign in at the realm {looked.place.realm} through the bot for the client of {looked.name}.",
            f"Set sso.{looked.place.realm}.device_flow and client_id where the realm allows it, or ask with cure=hand.",
        )
    ways = [_wanted(looked, "", tools)] if cure != "sign-in" else []
    ways += [_wanted(looked, f"sso/{looked.place.realm}", tools)] if signs and cure != "hand" else []
    kept = "" if looked.place.subject else ", which the token was for,"
    whose = f" as the account {looked.subject}{kept}" if looked.subject else ""
    told, offer = production(looked, tools)
    return Answer(
        command=CURE,
        title=f"A person is needed for the offline token of {looked.name}"[:150],
        text=(
            f"Somebody who may signs in{whose} and hands the new token in here, where only the bot sees it: it "
            "goes into Vault, and a plan is made with it. Never paste it into a channel.",
        ),
        notes=(*looked.verdict(tools.now(), HERE), *told, *looked.facts(tools.now())),
        warnings=looked.warnings(),
        offers=(*offer, *inbox_offer(looked, tools), *account_offer(looked), *again_offer(looked, tools)),
        wanted=tuple(ways),
    )


def _wanted(looked: Looked, way: str, tools: ReadTools) -> Wanted:
    client = looked.place.asks_as(tools)
    return Wanted(
        name="sign-in" if way else "hand",
        label="Sign in for a new token" if way else "Hand in a token",
        hint=f"An offline token of client {client}"[:150]
        + (f", account {looked.subject}"[:130] if looked.subject else ""),
        into=looked.settings.handed_in(looked.name),
        command=CURE,
        ask={"place": looked.name, "cure": "inbox"},
        way=way,
        page="" if way else looked.settings.token_page,
    )


def production(looked: Looked, tools: ReadTools) -> tuple[tuple[Note, ...], tuple[Offer, ...]]:
    """Why production's token is no cure; and a button that tries it all the same where nobody can know that."""
    if looked.place.production is None:
        return (), ()
    ref = looked.place.production.ref
    try:
        found = held(ref, tools)
        why = "is not there" if found is None else unfit(found, looked.place, looked.subject, tools)
    except Refused as refusal:
        return (Note(label="Production", text=refusal.what),), ()
    here, offers = looked.found, tuple[Offer, ...]()
    if found is not None and why is None and looked.died_with(found):
        why = "is of the same session, which has ended"
    elif found is not None and why is None and (here is None or found.mark != here.mark):
        age = ", older than the one here" if here is not None and older(found, here) else ""
        why = f"is another one{age}; nobody has tried it"
        offers = (
            Offer(label="Try production's token", command=CURE, ask={"place": looked.name, "cure": "production"}),
        )
    return (Note(label="Production", text=f"The token in {ref} {why or 'is the same one'}."),), offers


def inbox_offer(looked: Looked, tools: ReadTools) -> tuple[Offer, ...]:
    """A newer token that was handed in before, or was given to the bot and could not be kept in its place."""
    try:
        found = held(looked.settings.handed_in(looked.name), tools)
    except Told:
        return ()
    here = looked.found
    if found is None or (here is not None and (found.mark == here.mark or older(found, here))):
        return ()
    if looked.died_with(found) or unfit(found, looked.place, looked.subject, tools):
        return ()
    return (Offer(label="Use the token that waits", command=CURE, ask={"place": looked.name, "cure": "inbox"}),)


def again_offer(looked: Looked, tools: ReadTools) -> tuple[Offer, ...]:
    """What was refused may be good again, when its owner's account was disabled for instance."""
    if looked.judged is not None or looked.why is not None or looked.refused_at is None or KEEP not in tools.commands:
        return ()
    return (Offer(label="Try the old token again", command=KEEP, ask={"place": [looked.name], "force": True}),)


def account_offer(looked: Looked) -> tuple[Offer, ...]:
    if looked.place.account is None:
        return ()
    label = f"Use service account {looked.place.account.name}"[:75]
    return (Offer(label=label, command=CURE, ask={"place": looked.name, "cure": "service-account"}),)


def report(plan: Plan, settings: Settings, tools: ReadTools) -> Report:
    """The CI jobs that read what was changed, and a button to run them again."""
    _, place = chosen(settings, str(plan.ask.get("place", "")))
    if not tools.jobs.configured():
        return Report()
    try:
        found = tools.jobs.consuming(place.path)
    except Told as trouble:
        return Report(warnings=(f"The CI jobs to run again are not known: {trouble}",))
    rows = tuple((job.name, ", ".join(job.keys) or "all") for job in found.jobs[:SHOWN])
    more = len(found.jobs) - SHOWN
    notes = (
        (Note(label="And", text=f"{more} more jobs: /secret-consumers {place.path} names them."),) if more > 0 else ()
    )
    skipped = len(found.unreadable)
    unread = (f"{skipped} files of jobs could not be read: /secret-consumers names them.",) if skipped else ()
    return Report(
        table=Table(head=("job to run again", "keys"), rows=rows) if rows else None,
        notes=notes,
        warnings=unread,
        offers=_again(place.path, len(found.jobs), tools),
    )


def _again(path: str, jobs: int, tools: ReadTools) -> tuple[Offer, ...]:
    if not jobs or RUN not in tools.commands or not tools.jenkins.configured():
        return ()
    return (Offer(label=f"Run {'these jobs' if jobs > 1 else 'this job'} again", command=RUN, ask={"consuming": path}),)
