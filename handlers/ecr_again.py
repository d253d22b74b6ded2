"""What to ask for, so that just those targets are refreshed that were not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from bot.core.checklist import Offer
from bot.core.errors import Refused, Told
from bot.core.plan import Plan, Step
from bot.core.ports import ReadTools
from handlers.ecr import COMMAND, Settings, Target, wanted
from handlers.ecr_found import at_each, look_at
from handlers.ecr_rollout import RestartDeployment, WatchRollout
from handlers.ecr_steps import PatchServiceAccount, WriteEcrSecret
from handlers.ecr_told import counted, left_out_by, listed

OFFERS = 4


def asks(targets: tuple[Target, ...], how: Mapping[str, Any], settings: Settings) -> list[dict[str, Any]]:
    """Parameters that mean just these: once, where environments and namespaces together name them, else for each
    environment. `how`: the other parameters."""
    again: dict[str, dict[str, None]] = {}
    for target in targets:
        again.setdefault(target.env, {})[target.namespace] = None
    spaces = {space: None for names in again.values() for space in names}
    known = {(one.env, one.namespace) for one in settings.targets() if one.env in again and one.namespace in spaces}
    exact = known == {(env, name) for env, names in again.items() for name in names}
    groups = [(tuple(again), spaces)] if again and exact else [((env,), names) for env, names in again.items()]
    return [{**how, "env": list(envs), "namespace": list(names)} for envs, names in groups]


def offers(asked: list[dict[str, Any]]) -> tuple[Offer, ...]:
    return tuple(map(_retry, asked[:OFFERS]))


def _retry(ask: dict[str, Any]) -> Offer:
    label = f"Retry {listed(tuple(ask['env']))}: {counted('namespace', len(ask['namespace']))}"
    return Offer(label=label[:75], command=COMMAND, ask=ask)


def left_out(plan: Plan, settings: Settings, tools: ReadTools) -> tuple[Target, ...]:
    """The targets that the plan had to leave out and that still need something, or cannot be looked at."""
    if not left_out_by(plan.warnings):
        return ()
    try:
        asked = wanted(settings, plan.ask)
    except Refused:  # the settings have other environments by now
        return ()
    there = set(_places(plan))
    rest, now = tuple(one for one in asked if one.place not in there), float(int(tools.now()))
    force, again = bool(plan.ask["force"]), plan.ask["restart"] is True
    looked = at_each(lambda one: look_at(one, tools, now, force=force, again=again), rest, tools)
    return tuple(one for one, found in zip(rest, looked, strict=True) if isinstance(found, Told) or not found.idle)


def _places(plan: Plan) -> Iterator[tuple[str, str, str]]:
    """Cluster, namespace and secret of every target that the plan does something for."""
    for _, _, step in plan.steps:
        if isinstance(step, PatchServiceAccount):
            yield step.cluster, step.namespace, step.secret
        elif target := target_of(step):
            yield target.place


def target_of(step: Step) -> Target | None:
    if isinstance(step, WriteEcrSecret):
        return step.target
    return step.deployment.target if isinstance(step, RestartDeployment | WatchRollout) else None
