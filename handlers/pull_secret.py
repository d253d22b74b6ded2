"""/pull-secret: what OCM has for clusters that change their owner, and bringing it there (runbook beside this file).

A transfer is open for some days; in them the cluster must get the recipient's pull secret, or the transfer is lost.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from bot.core.errors import Refused, Told, Transient
from bot.core.handler import Ask, Handler
from bot.core.kubernetes import backup_name
from bot.core.plan import Answer, Change, Plan, Stage
from bot.core.ports import ReadTools
from bot.core.side_by_side import each
from handlers.pull_secret_case import Case, judge, needs, warnings
from handlers.pull_secret_clusters import COMMAND, DOCUMENT, NAME, NAMESPACE, PLACE, RUN, Settings, choose
from handlers.pull_secret_look import Held, held, look
from handlers.pull_secret_pools import Pool, before, pools
from handlers.pull_secret_report import inventory, report
from handlers.pull_secret_steps import (
    ConfirmAccepted,
    PullSecretUnchanged,
    RestorePullSecret,
    Sync,
    WatchPools,
    WindowOpen,
    WritePullSecret,
)
from handlers.pull_secret_told import changes, left_out, notes, nothing, status, title, troubles, unclear

STAYS = (
    "{cluster}: the cluster stays, or becomes again, the old owner's. While its transfer is open in OCM the next sync "
    "would bring it again, also one that a schedule asks for: have the transfer ended."
)
SUBJECT = "pull-secret"  # never two syncs at once: each keeps what was there beside it
Word = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=63)]


class PullSecret(Ask):
    """What a person types after /pull-secret."""

    action: Literal["status", "check", "sync", "restore"] = Field(
        default="status",
        description="Look; look and compare; update; or put back what was there before an update.",
        json_schema_extra={"positional": True},
    )
    cluster: tuple[Word, ...] = Field(
        default=(),
        max_length=200,
        description="Clusters of the settings; all of them if left out.",
        json_schema_extra={"positional": True},
    )
    due: bool = Field(
        default=False,
        description="For schedules: ask OCM only about those whose interval is over, and while one is open.",
    )


def plan(ask: PullSecret, settings: Settings, tools: ReadTools) -> Plan | Answer:
    """Look at every cluster side by side; what cannot be looked at, or not be synced, keeps none of the others."""
    names = choose(settings, ask.cluster)
    if ask.action == "restore":
        return restore(ask, names, settings, tools)
    live, now = ask.action != "status", tools.now()
    within = {name: settings.clusters[name].interval if ask.due else None for name in names}
    looked = each(lambda name: judge(look(name, tools, within=within[name]), tools, live=live), names)
    cases = tuple(one for one in looked if isinstance(one, Case))
    failed = {name: one for name, one in zip(names, looked, strict=True) if isinstance(one, Told)}
    if ask.action != "sync":
        return status(cases, failed, now, full=live, due=ask.due)
    failed |= {case.cluster: case.trouble for case in cases if case.trouble is not None}
    ready = tuple(case for case in cases if case.ready)
    if ready:
        return propose(ask, ready, failed, settings, tools)
    idle = tuple(case for case in cases if case.trouble is None)
    if failed and not idle:
        impossible(failed)
    return nothing(idle, failed, now, due=ask.due)


def impossible(failed: dict[str, Told]) -> None:
    """Raises what is in the way of all as the error that it is, so that what is only away for now is asked again."""
    if len(failed) == 1:
        raise next(iter(failed.values()))
    if all(isinstance(error, Transient) for error in failed.values()):
        raise Transient(" ".join(troubles(failed)[:2]))


def propose(
    ask: PullSecret, ready: tuple[Case, ...], failed: dict[str, Told], settings: Settings, tools: ReadTools
) -> Plan:
    """Each cluster by itself: one that has moved since is left out by its own step, unless it is the only one."""
    syncs, now = {case.cluster: sync_of(case, tools) for case in ready}, tools.now()
    only = next(iter(syncs.values())) if len(syncs) == 1 else None
    return Plan(
        command=COMMAND,
        title=title(ready),
        subject=SUBJECT,
        ask=ask.model_dump(mode="json"),
        stages=(
            Stage(steps=tuple(WritePullSecret(sync=sync) for sync in syncs.values())),
            Stage(steps=tuple(ConfirmAccepted(sync=sync) for sync in syncs.values())),
            Stage(steps=tuple(watch(syncs[case.cluster], case.seen.pools, settings) for case in ready)),
        ),
        on_failure="go_on",
        premises=(WindowOpen(sync=only), PullSecretUnchanged(sync=only)) if only else (),
        changes=changes(ready),
        notes=notes(ready, now),
        warnings=(*left_out(failed), *(said for case in ready for said in warnings(case, now)), *unclear(ready)),
    )


def sync_of(case: Case, tools: ReadTools) -> Sync:
    seen, found, mark = case.seen, case.found, tools.fingerprints.of
    assert found, "of what is ready"
    assert seen.offered is not None
    assert seen.window.transfer
    return Sync(
        cluster=case.cluster,
        transfer=seen.window.transfer.id,
        old=mark(seen.held.document),
        offered=mark(seen.offered),
        new=mark(found.merged),
    )


def watch(sync: Sync, there: tuple[Pool, ...], settings: Settings) -> WatchPools:
    longest = settings.clusters[sync.cluster].watch_minutes * 60
    return WatchPools(sync=sync, before={pool.name: pool.wanted for pool in there}, seconds=longest)


# --- putting back ---------------------------------------------------------------------------------------------


def restore(ask: PullSecret, names: tuple[str, ...], settings: Settings, tools: ReadTools) -> Plan:
    """The pull secret of one cluster as it was before the bot's last update."""
    if len(names) != 1:
        raise Refused("Only one cluster's pull secret is put back at a time.", f"Type /{COMMAND} restore CLUSTER.")
    has, there = held(names[0], tools), pools(names[0], tools)
    back = kept(has, tools)
    mark = tools.fingerprints.of
    sync = Sync(cluster=has.cluster, transfer="", old=mark(has.document), offered="", new=mark(back.document))
    return Plan(
        command=COMMAND,
        title=f"Put back the pull secret that {has.cluster} had before run {has.run}"[:150],
        subject=SUBJECT,
        ask=ask.model_dump(mode="json"),
        stages=(
            Stage(steps=(RestorePullSecret(sync=sync, run=has.run),)),
            Stage(steps=(watch(sync, there, settings),)),
        ),
        on_failure="stop",
        premises=(PullSecretUnchanged(sync=sync),),
        changes=put_back(has, back, tools),
        warnings=(STAYS.format(cluster=has.cluster), *before(has.cluster, there)),
    )


def kept(has: Held, tools: ReadTools) -> Held:
    """The copy that was made before the bot's last update. Refused when there is none any more, or somebody has written
    since: then it is not what was there before."""
    beside = tools.kubernetes.secret(has.cluster, NAMESPACE, backup_name(NAME))
    document = beside.data.get(DOCUMENT) if beside else None
    if beside is None or document is None or not has.run or beside.annotations.get(RUN) != has.run:
        raise Refused(
            f"There is no pull secret to put back in cluster {has.cluster}.",
            "What an update of the bot replaced is kept for some time only, and only until somebody else writes.",
        )
    return Held(has.cluster, beside, document, None)


def put_back(has: Held, back: Held, tools: ReadTools) -> tuple[Change, ...]:
    """Registry by registry; one that the update added goes."""
    now, then = (
        {one.host: one.fingerprint for one in tools.docker_configs.entries(one_.document)} for one_ in (has, back)
    )
    source, target = f"{NAMESPACE}/{backup_name(NAME)}", f"{has.cluster}: {PLACE}"
    return tuple(
        Change(name=host, source=source, target=target, old=now.get(host), new=then.get(host))
        for host in dict.fromkeys((*then, *now))
    )


HANDLER = Handler(
    name=COMMAND,
    summary="Bring new pull secrets of transferred clusters from OCM into the clusters, and watch it.",
    ask=PullSecret,
    settings=Settings,
    plan=plan,
    steps=(WritePullSecret, ConfirmAccepted, WatchPools, RestorePullSecret),
    premises=(WindowOpen, PullSecretUnchanged),
    example="sync all",
    needs=needs,
    inventory=inventory,
    report=report,
)
