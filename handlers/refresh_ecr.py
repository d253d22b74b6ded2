"""/refresh-ecr: fresh ECR logins into the pull secrets of every environment, and restarts (runbook beside this file).

A token of Amazon ECR lasts twelve hours; nodes pull with the one that lies in the namespace's pull secret.
"""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import Field, StringConstraints, field_validator

from bot.core import registry
from bot.core.checklist import Offer
from bot.core.errors import Told
from bot.core.handler import Ask, Handler
from bot.core.plan import Answer, Plan, Stage, Step
from bot.core.ports import ReadTools
from bot.core.side_by_side import each
from handlers.ecr import COMMAND, REGION, Settings, Target, wanted
from handlers.ecr_again import asks, offers
from handlers.ecr_found import Found, at_each, look_at
from handlers.ecr_ground import Ground, needs, survey, withheld
from handlers.ecr_report import fresh, inventory, nothing_possible, report
from handlers.ecr_rollout import RestartDeployment, Restarted, WatchRollout
from handlers.ecr_steps import PatchServiceAccount, WriteEcrSecret
from handlers.ecr_told import failures, gathered, notes, title, warnings

SUBJECT = "ecr"  # never two refreshes at once: both would write the same secrets
Word = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=63)]


class RefreshEcr(Ask):
    """What a person types after /refresh-ecr. What is typed goes before what the settings say."""

    env: tuple[Word, ...] = Field(
        default=(),
        max_length=50,
        description="Environments of the settings; all of them if left out.",
        json_schema_extra={"positional": True},
    )
    namespace: tuple[Word, ...] = Field(
        default=(), max_length=200, description="Just these namespaces of the environments."
    )
    restart: bool | None = Field(
        default=None, description="Restart the Deployments that pull with the secret; default: as the settings say."
    )
    registry: str = Field(default="", max_length=255, description="Another registry than that of the settings.")
    region: str = Field(default="", max_length=40, description="Another region than that of the settings.")
    force: bool = Field(default=False, description="Also write what is fresh.")

    @field_validator("registry")
    @classmethod
    def _host(cls, host: str) -> str:
        if host and registry.HOST.fullmatch(host) is None:
            raise ValueError("that is not the host of a registry")
        return host

    @field_validator("region")
    @classmethod
    def _named(cls, region: str) -> str:
        if region and re.fullmatch(REGION, region) is None:
            raise ValueError("that is not a region of Amazon, such as us-east-1")
        return region


def plan(ask: RefreshEcr, settings: Settings, tools: ReadTools) -> Plan | Answer:
    """Look at every target, ask Amazon for what is due, and propose what can be done; what cannot is told apart."""
    targets = wanted(settings, ask.model_dump())
    now = float(int(tools.now()))  # annotations have whole seconds
    again = ask.restart is True
    looked = at_each(lambda one: look_at(one, tools, now, force=ask.force, again=again), targets, tools)
    failed = {target: one for target, one in zip(targets, looked, strict=True) if isinstance(one, Told)}
    found = tuple(one for one in looked if isinstance(one, Found))
    ground = survey(tuple(one.target for one in found if one.due), tools, now)
    failed |= {one.target: error for one in found if one.due and (error := ground.trouble(one.target)) is not None}
    able = tuple(one for one in found if one.target not in failed)
    retries = offers(asks(tuple(failed), ask.model_dump(mode="json"), settings))
    if not able:
        return impossible(failed, retries)
    busy = tuple(one for one in able if not one.idle)
    if not busy:
        return fresh(able, failed, retries, now)
    plan = propose(ask, busy, failed, ground, now)
    return plan.model_copy(update={"warnings": (*plan.warnings, *hopeless(busy, tools))})


def hopeless(found: tuple[Found, ...], tools: ReadTools) -> tuple[str, ...]:
    """Of what restarts with the login that is there: why it would come to nothing. Of a new one Amazon was asked."""
    targets = tuple(one.target for one in found if one.restart and not one.due)
    told = each(lambda one: withheld(one, tools), targets)
    return gathered((one, why) for one, why in zip(targets, told, strict=True) if why and not isinstance(why, Told))


def impossible(failed: dict[Target, Told], retries: tuple[Offer, ...]) -> Answer:
    """Nothing can be done. When one thing is in the way of all, it is said as the error that it is, so that what is
    only temporarily away is asked again."""
    errors = {str(error): error for error in failed.values()}
    if len(errors) == 1:
        raise next(iter(errors.values()))
    return nothing_possible(failed, retries)


def propose(ask: RefreshEcr, found: tuple[Found, ...], failed: dict[Target, Told], ground: Ground, now: float) -> Plan:
    stages = (write(found, ground, now), accounts(found), restarts(found, now), watches(found, now))
    return Plan(
        command=COMMAND,
        title=title(found),
        subject=SUBJECT,
        ask=ask.model_dump(mode="json"),
        stages=tuple(Stage(steps=stage) for stage in stages if stage),
        on_failure="go_on",
        notes=notes(found, ground, now),
        warnings=(*failures(failed), *warnings(found, ground)),
    )


def write(found: tuple[Found, ...], ground: Ground, now: float) -> tuple[Step, ...]:
    """Step 1 of the runbook: a fresh login into every secret that is due."""
    return tuple(
        WriteEcrSecret(
            target=one.target, after=now, valid_until=ground.until(one.target, now), replaces=one.held.misplaced
        )
        for one in found
        if one.due
    )


def accounts(found: tuple[Found, ...]) -> tuple[Step, ...]:
    """Step 2: service accounts that are to have the secret and do not."""
    return tuple(
        PatchServiceAccount(
            cluster=one.target.cluster, namespace=one.target.namespace, account=account, secret=one.target.secret
        )
        for one in found
        for account in one.accounts
    )


def restarts(found: tuple[Found, ...], now: float) -> tuple[Step, ...]:
    """Step 3: Deployments that pull with it."""
    return tuple(RestartDeployment(deployment=one) for one in _deployments(found, now))


def watches(found: tuple[Found, ...], now: float) -> tuple[Step, ...]:
    """Step 4: until their pods are new."""
    return tuple(WatchRollout(deployment=one) for one in _deployments(found, now))


def _deployments(found: tuple[Found, ...], now: float) -> tuple[Restarted, ...]:
    """After a write of this run, or after the one that is there; one that is asked for once more, from now on."""
    return tuple(
        Restarted(target=one.target, name=name, written=_written(one, now), after=_after(one, now))
        for one in found
        for name in one.restart
    )


def _written(found: Found, now: float) -> float:
    return now if found.due else found.held.written_at or 0


def _after(found: Found, now: float) -> float:
    return now if found.due or found.again else found.held.written_at or 0


HANDLER = Handler(
    name=COMMAND,
    summary="Write fresh ECR logins into pull secrets, and restart what pulls with them.",
    ask=RefreshEcr,
    settings=Settings,
    plan=plan,
    steps=(WriteEcrSecret, PatchServiceAccount, RestartDeployment, WatchRollout),
    example="dev test --restart",
    needs=needs,
    inventory=inventory,
    report=report,
)
