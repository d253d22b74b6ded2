"""Figures about tokens by the names that upstream gives them (seed 003, upstream.md), made of what is remembered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar, Literal

from bot.core.grid import Figure
from bot.core.plan import RunRef, Step
from bot.core.ports import ReadTools, Tools
from bot.core.records import Record
from handlers.managed_records import BEGAN, BROUGHT, LAST, TROUBLE, errors_of, place
from handlers.managed_tokens import PUSH, UID, inventory

EXECUTABLE = "executable"
HELP: Mapping[str, str] = {
    "stage_duration_seconds": "How long each stage of the last run took.",
    "failed_services_push_count": "Services with a failure in the last run.",
    "last_token_push_timestamp": "When a service's token was last pushed to a node.",
    "last_token_store_timestamp": "When a service's token was last stored in a credd.",
    "current_setup_error_count": "Errors in a row of getting and storing a service's token.",
    "current_push_error_count": "Errors in a row of pushing a service's token to a node.",
    "last_ferry_refresh": "When FERRY last said something of an account.",
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
    places = {place(one.name, node) for one in services for node in one.nodes}
    return tuple(one for one in _pushes(tools, {one.name for one in services}) if _present(one, places))


def _present(figure: Figure, places: set[str]) -> bool:
    """Is it not of a node that the file had once?"""
    labels = figure.labels
    return "node" not in labels or place(labels["service"], labels["node"]) in places


def of_uids(tools: ReadTools) -> tuple[Figure, ...]:
    seen = [one.seen_at for one in tools.records.all(UID)] if tools.ferry.configured() else []
    return (_figure("last_ferry_refresh", max(seen)),) if seen else ()


def _pushes(tools: ReadTools, names: set[str]) -> Iterator[Figure]:
    brought = {stage: tools.records.all(kind) for stage, kind in BROUGHT.items()}
    known = tools.records.all(TROUBLE)
    for stage, name, where in (
        ("push", "last_token_push_timestamp", "node"),
        ("store", "last_token_store_timestamp", "credd"),
    ):
        yield from (
            _figure(name, one.seen_at, **_labels(one.key, where))
            for one in brought[stage]
            if _service(one.key) in names
        )
    setup = dict.fromkeys(sorted(names), 0)
    for one in known:
        stage, _, there = one.key.partition(":")
        if _service(there) in names and stage == "push":
            yield _figure("current_push_error_count", errors_of(one), **_labels(there, "node"))
        elif _service(there) in names:
            setup[_service(there)] += errors_of(one)
    yield from (_figure("current_setup_error_count", errors, service=name) for name, errors in setup.items())
    last = tools.records.get(LAST, PUSH)
    if last is not None:
        yield _figure("failed_services_push_count", last.value["failed"])
        yield from _durations(tools, last, {**brought, "trouble": known})


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
    return {"service": service, where: name}


def _figure(name: str, value: float, **labels: str) -> Figure:
    return Figure(name=f"managed_tokens_{name}", help=HELP[name], value=value, labels=labels)
