"""What is remembered of services' tokens: where each was brought when, and what went wrong how often in a row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal

from bot.core.errors import Told
from bot.core.grid import Held
from bot.core.plan import RunRef
from bot.core.ports import ReadTools, Tools
from bot.core.records import Record
from handlers.managed_tokens import SIGN_IN

Stage = Literal["obtain", "store", "ping", "push", "uid"]
BROUGHT: Mapping[str, str] = {"obtain": "tokens.obtained", "store": "tokens.stored", "push": "tokens.pushed"}
TROUBLE = "tokens.trouble"  # by stage and place: "push:dune_pro@node.example.com"
UNTRIED = 86400.0  # seconds
PING = "tokens.ping"  # by service
LAST = "tokens.last"  # by command: how its last run ended
MAIL = "tokens.mail"  # by command: what came of its last run's mails
ASKED = "tokens.asked"  # by command: how many seconds FERRY took for all accounts
BEGAN = "tokens.began"  # by stage: when its last run began with it


def place(service: str, there: str) -> str:
    """A node or schedd of a service, as people read it."""
    return f"{service}@{there}"


def brought(tools: Tools, run: RunRef, stage: Stage, where: str, value: dict[str, Any]) -> None:
    """It has worked: so it is now, and trouble there was is over."""
    tools.records.put(BROUGHT[stage], where, value, run=run.id)
    over(tools, run, stage, where)


def over(tools: Tools, run: RunRef, stage: Stage, where: str) -> None:
    found = tools.records.get(TROUBLE, f"{stage}:{where}")
    if found is not None and found.value["errors"]:
        tools.records.put(TROUBLE, found.key, {"errors": 0, "what": "", "now": "", "began": None}, run=run.id)


def went_wrong(tools: Tools, run: RunRef, stage: Stage, where: str, told: Told) -> None:
    """Count it, once for a run however often it was tried there."""
    key = f"{stage}:{where}"
    before = tools.records.get(TROUBLE, key)
    errors, began = errors_of(before), began_of(before) or tools.now()
    if before is None or before.run != run.id or not errors:
        errors += 1
    value = {"errors": errors, "what": told.what, "now": told.now, "began": began}
    tools.records.put(TROUBLE, key, value, run=run.id)


@contextmanager
def noting(tools: Tools, run: RunRef, stage: Stage, where: str) -> Iterator[None]:
    """Count what goes wrong in the block as this place's trouble."""
    began(tools, run, stage)
    try:
        yield
    except Told as told:
        went_wrong(tools, run, stage, where, told)
        raise


def began(tools: Tools, run: RunRef, stage: Stage) -> None:
    """The first step of a stage says when that was."""
    found = tools.records.get(BEGAN, stage)
    if found is None or found.run != run.id:
        tools.records.put(BEGAN, stage, {"at": tools.now()}, run=run.id)


def trouble(tools: ReadTools, stage: Stage, where: str) -> Record | None:
    """The trouble there is now, if any: `errors` in a row, `what` and `now` of the last."""
    found = tools.records.get(TROUBLE, f"{stage}:{where}")
    return found if errors_of(found) else None


def troubles(tools: ReadTools) -> dict[str, Record]:
    """All of them that are not over, by stage and place."""
    return {one.key: one for one in tools.records.all(TROUBLE) if errors_of(one)}


def errors_of(found: Record | None) -> int:
    return int(found.value["errors"]) if found is not None else 0


def began_of(found: Record | None) -> float | None:
    """When the first of the errors in a row was; None when there is none."""
    return found.value.get("began") if found is not None and errors_of(found) else None


def said(found: Record) -> str:
    return f"{found.value['what']} {found.value['now']}".strip()


def signs_in(found: Record) -> bool:
    """Can only a person help?"""
    return bool(errors_of(found)) and SIGN_IN in found.value["what"]


def forgotten(found: Record, now: float) -> bool:
    """Has nobody tried for so long that it tells of nothing that is now? A schedd that is gone is no trouble."""
    return now - found.seen_at >= UNTRIED


def fresh(
    found: Record | None, held: Held | None, *, after: float, mark: str, uid: int | None = None
) -> bool:  # fmt: skip
    """Was the very token that is held brought there after that time, for the same account of the same service?"""
    if found is None or held is None or found.seen_at < after:
        return False
    there = found.value
    return (there["fingerprint"], there.get("mark"), there.get("uid")) == (held.fingerprint, mark, uid)
