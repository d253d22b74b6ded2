"""Figures about tokens by the names that upstream gives them (seed 003, upstream.md), made of what is remembered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar, Literal

from bot.core.grid import Figure
from bot.core.plan import RunRef, Step
from bot.core.ports import ReadTools, Tools
from bot.core.records import Record
from handlers.managed_records import ASKED, BEGAN, BROUGHT, LAST, MAIL, PING, TROUBLE, errors_of, forgotten, place
from handlers.managed_tokens import PUSH, REFRESH, UID, inventory

EXECUTABLE = "executable"
HELP: Mapping[str, str] = {
    "stage_duration_seconds": "How long each stage of the last run took.",
    "failed_services_push_count": "Services with a failure in the last run.",
    "last_token_get_timestamp": "When a service's token was last had.",
    "last_token_push_timestamp": "When a service's token was last pushed to a node.",
    "last_token_store_timestamp": "When a service's token was last stored in a credd.",
    "current_setup_error_count": "Errors in a row of getting and storing a service's token.",
    "current_push_error_count": "Errors in a row of pushing a service's token to a node.",
    "last_ferry_refresh": "When FERRY last said something of an account.",
    "token_end_timestamp": "When the token ends that was last pushed to a node.",
    "failed_vault_token_get_count": "1 where the last try to get a service's token failed.",
    "failed_token_push_count": "1 where the last try to push a service's token to a node failed.",
    "failed_vault_token_store_count": "1 where the last try to store a service's token in a credd failed.",
    "failed_stage_count": "Where the last try failed, by stage: services, or places of them.",
    "failed_ping_count": "1 for a node that did not answer the last time that it was asked.",
    "admin_error_email_count": "Mails of the last run to the admins, by whether they went out.",
    "service_error_email_count": "Mails of the last run to experiments, by whether they went out.",
    "kinit_duration_seconds": "How long getting a Kerberos ticket takes.",
    "failed_kinit_count": "Tickets that could not be had since the bot began.",
    "token_get_duration_seconds": "How long getting a Vault token takes, with its ticket.",
    "token_store_duration_seconds": "How long storing a token in a credd takes.",
    "token_push_duration_seconds": "How long pushing a token to a node takes.",
    "ping_duration_seconds": "How long it takes to see whether a node is up.",
    "ferry_request_duration_seconds": "How long FERRY takes for an answer.",
    "ferry_request_error_count": "Questions that FERRY did not answer since the bot began.",
}


FAILED: Mapping[str, tuple[str, str]] = {  # by stage: the figure, and what its place is called
    "obtain": ("failed_vault_token_get_count", ""), "store": ("failed_vault_token_store_count", "credd"),
    "push": ("failed_token_push_count", "node"),
}  # fmt: skip
TOOK: Mapping[str, tuple[str, str]] = {  # of what a meter counts: how long, and how often it failed
    "kinit": ("kinit_duration_seconds", "failed_kinit_count"),
    "obtain": ("token_get_duration_seconds", ""),
    "store": ("token_store_duration_seconds", ""),
    "push": ("token_push_duration_seconds", ""),
    "ping": ("ping_duration_seconds", ""),
    "ferry": ("ferry_request_duration_seconds", "ferry_request_error_count"),
}


class PushFigures(Step):
    """To the Pushgateway, in a group of the command's own, so that no other one's figures go."""

    kind: Literal["tokens.figures"] = "tokens.figures"
    proves: ClassVar[bool] = True
    command: str

    def says(self) -> str:
        return "Push the figures to the Pushgateway"

    def done(self, tools: ReadTools) -> bool:  # noqa: ARG002  the verb of every step
        """Each push replaces the one before; `do` has said whether it was taken."""
        return True

    def do(self, tools: Tools, run: RunRef) -> None:  # noqa: ARG002  the verb of every step
        found = of_pushes(tools) if self.command == PUSH else of_uids(tools)
        tools.pushgateway.push(tuple(_in_group(one) for one in found), {EXECUTABLE: self.command})

    def undo(self, tools: Tools, run: RunRef) -> None:
        """A figure is what it was when it was pushed."""


def _in_group(figure: Figure) -> Figure:
    """A Pushgateway takes no label that the group has already."""
    return figure.model_copy(update={"labels": {k: v for k, v in figure.labels.items() if k != EXECUTABLE}})


def of_pushes(tools: ReadTools) -> tuple[Figure, ...]:
    """Of the services in the file; none where there is no file."""
    if not tools.services.configured():
        return ()
    services = inventory(tools).services
    names = {one.name for one in services}
    places = {where for one in services for node in one.nodes for where in (node, place(one.name, node))}
    found = (
        *_pushes(tools, names),
        *_failing(tools, names),
        *_took(tools, ("kinit", "obtain", "store", "push", "ping")),
    )
    return tuple(one for one in found if _present(one, names, places))


def _present(figure: Figure, names: set[str], places: set[str]) -> bool:
    """Is it not of a service or node that the file had once?"""
    labels = figure.labels
    if labels.get("service", "") not in ("", *names):
        return False
    where = place(labels["service"], labels["node"]) if {"service", "node"} <= set(labels) else labels.get("node")
    return where is None or where in places


def of_uids(tools: ReadTools) -> tuple[Figure, ...]:
    if not tools.ferry.configured():
        return ()
    seen = [one.seen_at for one in tools.records.all(UID)]
    last = (_figure("last_ferry_refresh", max(seen)),) if seen else ()
    asked = tools.records.get(ASKED, REFRESH)
    stage = (
        (_figure("stage_duration_seconds", asked.value["seconds"], executable=REFRESH, stage="ferry"),) if asked else ()
    )
    return (*last, *stage, *_took(tools, ("ferry",)))


def _took(tools: ReadTools, kinds: tuple[str, ...]) -> Iterator[Figure]:
    """What this process has timed itself."""
    for one in tools.meter.took():
        if one.what in kinds:
            labels = {"service": one.service} if one.service else {}
            duration, failed = TOOK[one.what]
            yield _figure(duration, one.seconds, **labels).model_copy(update={"within": one.within})
            if failed:
                yield _figure(failed, one.failed, **labels)


def _failing(tools: ReadTools, names: set[str]) -> Iterator[Figure]:
    """Where the last try failed, in whichever run that was, and what became of the last run's mails."""
    if tools.records.get(LAST, PUSH) is None:
        return
    stages = dict.fromkeys(("obtain", "store", "push", "uid"), 0)
    for one in tools.records.all(TROUBLE):
        stage, _, there = one.key.partition(":")
        failed = int(errors_of(one) > 0 and _service(there) in names and not forgotten(one, tools.now()))
        stages[stage] += failed
        if stage in FAILED:
            yield _figure(FAILED[stage][0], failed, **_labels(there, FAILED[stage][1]))
    yield from (_figure("failed_stage_count", number, stage=stage) for stage, number in stages.items())
    silent = {node for one in tools.records.all(PING) for node in one.value["silent"]}
    yield from (_figure("failed_ping_count", 1, node=node) for node in sorted(silent))
    mail = tools.records.get(MAIL, PUSH)
    if mail is not None:
        for whom in ("admin", "service"):
            yield _figure(f"{whom}_error_email_count", mail.value["sent"][whom], success="true")
            yield _figure(f"{whom}_error_email_count", mail.value["failed"][whom], success="false")


def _pushes(tools: ReadTools, names: set[str]) -> Iterator[Figure]:
    brought = {stage: tools.records.all(kind) for stage, kind in BROUGHT.items()}
    known = tools.records.all(TROUBLE)
    for stage, name, where in (
        ("obtain", "last_token_get_timestamp", ""),
        ("push", "last_token_push_timestamp", "node"),
        ("store", "last_token_store_timestamp", "credd"),
    ):
        yield from (
            _figure(name, one.seen_at, **_labels(one.key, where))
            for one in brought[stage]
            if _service(one.key) in names
        )
    yield from (
        _figure("token_end_timestamp", one.value["until"], **_labels(one.key, "node"))
        for one in brought["push"]
        if _service(one.key) in names
    )
    setup = dict.fromkeys(sorted(names), 0)
    for one in known:
        stage, _, there = one.key.partition(":")
        if _service(there) in names and stage == "push":
            yield _figure("current_push_error_count", errors_of(one), **_labels(there, "node"))
        elif _service(there) in names and not forgotten(one, tools.now()):
            setup[_service(there)] += errors_of(one)
    yield from (_figure("current_setup_error_count", errors, service=name) for name, errors in setup.items())
    last = tools.records.get(LAST, PUSH)
    if last is not None:
        yield _figure("failed_services_push_count", last.value["failed"])
        yield from _durations(tools, last, {**brought, "ping": tools.records.all(PING), "trouble": known})


def _durations(tools: ReadTools, last: Record, found: Mapping[str, tuple[Record, ...]]) -> Iterator[Figure]:
    """From the first step of a stage to the last that brought something or failed."""
    for one in tools.records.all(BEGAN):
        ends = [
            each.seen_at for each in (*found.get(one.key, ()), *_of(one.key, found["trouble"])) if each.run == last.run
        ]
        if one.run == last.run and ends:
            seconds = max(max(ends) - one.value["at"], 0.0)
            yield _figure("stage_duration_seconds", seconds, executable=PUSH, stage=one.key)


def _of(stage: str, known: tuple[Record, ...]) -> tuple[Record, ...]:
    return tuple(one for one in known if one.key.startswith(f"{stage}:"))


def _service(there: str) -> str:
    return there.partition("@")[0]


def _labels(there: str, where: str) -> dict[str, str]:
    service, _, name = there.partition("@")
    return {"service": service, **({where: name} if where else {})}


def _figure(name: str, value: float, **labels: str) -> Figure:
    return Figure(name=f"managed_tokens_{name}", help=HELP[name], value=value, labels=labels)
