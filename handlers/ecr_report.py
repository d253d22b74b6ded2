"""How the pull secrets are: as an answer, as the inventory, and as the report after a refresh."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from bot.core.checklist import Offer
from bot.core.errors import Told
from bot.core.inventory import Credential
from bot.core.plan import Answer, Note, Plan, Report, Step, Table
from bot.core.ports import ReadTools
from bot.core.side_by_side import each
from handlers.ecr import COMMAND, Settings, Target
from handlers.ecr_again import OFFERS, asks, left_out, offers, target_of
from handlers.ecr_found import Found, at_each
from handlers.ecr_look import Held, held, span, state, told
from handlers.ecr_rollout import RestartDeployment, WatchRollout
from handlers.ecr_steps import WriteEcrSecret
from handlers.ecr_told import EACH, counted, failures, gathered, lasting, listed

DIAGNOSE = "diagnose-image-pull"
LATE = 5400.0  # seconds before its end; a schedule of ten hours renews with two left. deploy/alerts.yaml says the same
ALARMS = {"expired": "expired", "missing": "missing", "degraded": "unusable"}


def fresh(found: tuple[Found, ...], failed: Mapping[Target, Told], retries: tuple[Offer, ...], now: float) -> Answer:
    """Nothing is due: how old each is, and when the next one is. `retries`: to ask for those that failed."""
    rows = tuple((one.target.name, one.target.registry, told(one.held, now)) for one in found)
    rolling = ((one.target, f"{user.name} has not finished rolling out: {user.rolling}.")
               for one in found for user in one.users if user.rolling)  # fmt: skip
    troubles = (*failures(failed), *gathered(rolling))
    return Answer(
        command=COMMAND,
        title=f"Fresh, nothing to do: {counted('ECR pull secret', len(found))}",
        table=Table(head=("where", "registry", "how it is"), rows=rows),
        notes=_next(tuple(one.held for one in found)),
        warnings=troubles,
        offers=retries,
        quiet=not troubles,
    )


def nothing_possible(failed: Mapping[Target, Told], retries: tuple[Offer, ...]) -> Answer:
    """Every target has something in the way."""
    rows = tuple((target.name, error.what, error.now) for target, error in failed.items())
    return Answer(
        command=COMMAND,
        title=f"Nothing was changed: {counted('ECR pull secret', len(failed))} cannot be refreshed",
        table=Table(head=("where", "what is in the way", "what to do now"), rows=rows),
        offers=retries,
    )


def _next(found: tuple[Held, ...]) -> tuple[Note, ...]:
    """When the next refresh is needed: of each, or of the first where there are many."""
    dated = sorted((at, one.target.name) for one in found if (at := one.expires_at) is not None)
    if len(dated) > EACH:
        dated = dated[:1]
    return tuple(Note(label="Next refresh needed", text=name, at=at) for at, name in dated)


def inventory(settings: Settings, tools: ReadTools) -> tuple[Credential, ...]:
    """Every pull secret of the settings as it is now."""
    targets, now = settings.targets(), tools.now()
    looked = at_each(lambda one: held(one, tools), targets, tools)
    return tuple(_credential(target, found, now) for target, found in zip(targets, looked, strict=True))


def _credential(target: Target, found: Held | Told, now: float) -> Credential:
    if isinstance(found, Told):
        return Credential(name=target.credential, state="unknown", told=str(found)[:300])
    how, alarm = state(found, now), alarm_of(found, now)
    offer = Offer(label=f"Refresh {target.name}"[:75], command=COMMAND, ask=_ask(target))
    return Credential(
        name=target.credential,
        state=how,
        written_at=found.written_at if found.ours else None,
        expires_at=found.expires_at if found.ours else None,
        told="" if how == "fresh" else f"In {target.cluster}: {told(found, now)}.{_act(target, alarm)}"[:300],
        offer=None if how == "fresh" else offer,
        alarm=alarm,
    )


def alarm_of(found: Held, now: float) -> str:
    """What people are told of without asking: that pulls fail, and a login that should have been renewed by now."""
    how = state(found, now)
    if how == "due" and found.expires_at is not None:
        return "ends soon" if found.expires_at - now < min(LATE, found.target.renew_before / 2) else ""
    return ALARMS.get(how, "")


def _act(target: Target, alarm: str) -> str:
    why = "It should have been renewed by now" if alarm == "ends soon" else "New pods there cannot pull"
    return f" {why}: /{COMMAND} {target.env} namespace={target.namespace}" if alarm else ""


def _ask(target: Target) -> dict[str, Any]:
    return {"env": [target.env], "namespace": [target.namespace]}


def report(plan: Plan, settings: Settings, tools: ReadTools) -> Report:
    """The status of each target that was to be written or restarted, what did not come about, and what the plan had
    to leave out."""
    steps = tuple(step for _, _, step in plan.steps)
    targets = tuple(dict.fromkeys(target for step in steps if (target := target_of(step)) is not None))
    looked = dict(zip(targets, at_each(lambda one: held(one, tools), targets, tools), strict=True))
    missed, unknown = _undone(steps, tools)
    left = _left(plan, (*missed, *unknown), settings)
    out = asks(left_out(plan, settings, tools), plan.ask, settings)
    found = tuple(one for one in looked.values() if isinstance(one, Held))
    unseen = {target: one for target, one in looked.items() if isinstance(one, Told)}
    return Report(
        table=Table(head=HEAD, rows=tuple(_row(one) for one in found)) if found else None,
        notes=_next(found),
        warnings=(
            *gathered((target, str(error)) for target, error in unseen.items()),
            *_told(missed),
            *lasting(plan.warnings),
        ),
        offers=_offers(left, out, missed, tools),
        again=left[0] if len(left) == 1 else None,
    )


HEAD = ("secret", "namespace", "written", "registry", "validity", "next refresh needed")


def _row(found: Held) -> tuple[str, ...]:
    one = found.target
    if not found.ours or found.written_at is None or found.expires_at is None:
        return one.secret, one.name, "never", one.registry, "none", "now"
    validity = span(found.expires_at - found.written_at)
    return one.secret, one.name, _day(found.written_at), one.registry, validity, _day(found.expires_at)


def _day(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _undone(steps: tuple[Step, ...], tools: ReadTools) -> tuple[tuple[Step, ...], tuple[Step, ...]]:
    """The steps that the world does not show, of each Deployment the first; and those of which nobody can tell."""
    done = tuple(zip(steps, each(lambda step: step.done(tools), steps), strict=True))
    missed = [step for step, so in done if so is False]
    stopped = {step.deployment for step in missed if isinstance(step, RestartDeployment)}
    first = (one for one in missed if not (isinstance(one, WatchRollout) and one.deployment in stopped))
    return tuple(first), tuple(step for step, so in done if isinstance(so, Told))


def _told(missed: tuple[Step, ...]) -> tuple[str, ...]:
    written = tuple(step.target.name for step in missed if isinstance(step, WriteEcrSecret))
    restarted = tuple(step.deployment.where for step in missed if isinstance(step, RestartDeployment))
    rolled = tuple(step.deployment.where for step in missed if isinstance(step, WatchRollout))
    kinds = (("Not written", written), ("Not restarted", restarted), ("Not rolled out", rolled))
    return tuple(f"{what}: {listed(names, 10)}." for what, names in kinds if names)


def _offers(
    left: list[dict[str, Any]], out: list[dict[str, Any]], missed: tuple[Step, ...], tools: ReadTools
) -> tuple[Offer, ...]:
    """Exactly what is missing once more; and the diagnosis of what does not start."""
    stuck = dict.fromkeys(step.deployment.target for step in missed if isinstance(step, WatchRollout))
    looks = [Offer(label=f"Diagnose {one.name}"[:75], command=DIAGNOSE, ask={"where": one.name}) for one in stuck]
    only_stuck = all(isinstance(step, WatchRollout) for step in missed)
    wanted = [*([] if only_stuck else offers(left)), *offers(out), *looks[:OFFERS]]
    return tuple(offer for offer in wanted if offer.command in tools.commands)


def _left(plan: Plan, steps: tuple[Step, ...], settings: Settings) -> list[dict[str, Any]]:
    """What to ask for, so that just these are asked for. What was written or restarted is so by now: it is not forced
    once more."""
    changes = tuple(step for step in steps if not isinstance(step, WatchRollout))
    targets = tuple(dict.fromkeys(filter(None, map(target_of, changes or steps))))
    force = bool(plan.ask.get("force")) and any(isinstance(step, WriteEcrSecret) for step in steps)
    restart = plan.ask.get("restart") if changes else None
    return asks(targets, {**plan.ask, "force": force, "restart": restart}, settings)
